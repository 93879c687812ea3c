#!/usr/bin/env python3
"""A manager killed (-9) while one of its certificate authorities follows another, while one that has ended is dropped,
and while it tells the end of a certificate.

First keys, the supervisor or front ends just before a chosen write, sync or rename of a succession, from its first
wish to its turn: afterwards one key is in keys/ca.key and no other file beside, ca.pem and the API have the same
authorities, each is told once in events and audit log, and the agent follows and obeys. Then the same of a manager
whose clock leaps to where an authority has ended: it is dropped, those that count stay. At last front ends at chosen
calls as each stage of a certificate's end is reached: each is told once.

usage: authority.py [--seed S] [--all [--part K/N]]
"""
import os
import random
import re
import subprocess
import sys

from certificates import sign_in, start_manager, told
from clocks import Clock
from killed import ask
from world import ENDED, V1, Failure, Manager, Part, armed, free_port, main, wait_until

DAY_S = 86400
YEAR_S = 365 * DAY_S
# Whose calls, and how many a succession has at most, those of a start before it with them.
ROLES = (("keys", 9), ("run", 10), ("front", 60))
DRAWN = (("keys", 3), ("run", 1), ("front", 1))
TURNS_MAX = 6  # of one manager: it keeps eight authorities at most
DROP_CALLS, DROPS_DRAWN = 13, 1  # of keys: one is prepared, has its turn, and one is dropped
STAGE_CALLS = 50
STAGES = ((45, "soon"), (94, "critical"), (101, "ended"))  # of 100 days; the setting is 60, and 7


def read(manager, *names):
    with open(os.path.join(manager.data, *names), encoding="ascii") as file:
        return file.read()


def roots(pem):
    """Fingerprints, in their order; what leads from one to another names another key as its issuer's."""
    found = []
    for one in re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", pem, re.S):
        text = subprocess.run(["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-ext",
                               "subjectKeyIdentifier,authorityKeyIdentifier"], input=one, check=True, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        if "Authority Key Identifier" not in text:
            found.append(re.search(r"Fingerprint=(\S+)", text).group(1).replace(":", "").lower())
    return found


def is_up(world):
    """As an init system does it."""
    if not world.manager.running():
        world.manager.start()
    return world.manager.ready()


def issuing(world):
    return world.manager.get("/system")["ca_fingerprint"]


def listed(world, name):
    return [row["fingerprint"] for row in world.manager.get("/certificates")["items"] if row["name"] == name]


def ended(process, manager):
    return process.poll() == ENDED or f'"exit_code":{ENDED}' in manager.log_text()


def start_with(world, *fault):
    """The manager started again, the fault armed; its process. What the environment holds besides stays."""
    manager, kept = world.manager, world.manager.environment or {}
    manager.stop()
    os.truncate(manager.log, 0)  # so that it tells of this fault
    given = armed(world.directory, *fault)
    if "LD_PRELOAD" in kept:
        given["LD_PRELOAD"] += ":" + kept["LD_PRELOAD"]
    manager.environment = {**kept, **given}
    manager.start()
    manager.environment = kept or None
    return manager.process


# --- what there must be ---

def files_are_clean(world):
    """Of keys that were being written nothing stays: keys sweeps at its start, which a kill of it brings about."""
    names = sorted(os.listdir(os.path.join(world.manager.data, "keys")))
    return names == ["ca.key", "server-authentication.key"]


def compare(world, issued):
    """issued: who issued, in their order, the present one last."""
    manager = world.manager
    wait_until("ca.pem begins with who issues", lambda: roots(read(manager, "ca.pem"))[0] == issued[-1])
    kept = read(manager, "keys", "ca.key")
    if kept.count("BEGIN PRIVATE KEY") != 1:
        raise Failure(f"keys/ca.key holds {kept.count('BEGIN PRIVATE KEY')} keys")
    if roots(kept) != roots(read(manager, "ca.pem")) or roots(kept) != listed(world, "authority") + listed(
            world, "authority-former"):
        raise Failure("keys/ca.key, ca.pem and the API have different authorities")
    wait_until("nothing is left beside the keys", lambda: files_are_clean(world))
    for event, action in ((937, "authority.prepare"), (938, "authority.turn")):
        told_of = [row["fields"]["fingerprint"] for row in manager.all_of(f"/events?type={event}")]
        noted = [row["object"] for row in manager.all_of("/audit?")
                 if row["action"] == action and row["outcome"] == "done"]
        if sorted(told_of) != sorted(issued[1:]) or sorted(noted) != sorted(issued[1:]):
            raise Failure(f"{action}: {issued[1:]}; events tell of {told_of}, the audit log of {noted}")


def follows(world):
    """The agent has the root, and obeys."""
    def has_it():
        with open(os.path.join(world.agent.data, "identity", "ca.pem"), encoding="ascii") as file:
            return issuing(world) in roots(file.read())
    wait_until("the agent has the root", has_it)
    answer = wait_until("an order", lambda: ask(world, "POST", f"{V1}/computers/{world.agent.id}/commands",
                                                {"kind": "heartbeat"}))
    wait_until("the agent obeys", lambda: world.manager.get(f"/commands/{answer[0]['id']}")["state"] == "succeeded")


# --- one succession ---

def wish(world):
    """409: one is under way."""
    try:
        return world.manager.once("POST", V1 + "/certificates/authority/renew", {})[0] in (200, 409)
    except Exception:  # cut off, in whatever way
        return False


def succeeded(world, issued, fault):
    before, process = issued[-1], start_with(world, *fault)
    wait_until("the manager", lambda: is_up(world))
    wait_until("another one is wished for", lambda: is_up(world) and (issuing(world) != before or wish(world)))
    wait_until("another one issues", lambda: is_up(world) and issuing(world) != before)
    issued.append(issuing(world))
    compare(world, issued)
    follows(world)
    world.manager.stop()
    world.manager.up()
    compare(world, issued)
    hit = ended(process, world.manager)
    print(f"succession, {' '.join(map(str, fault))}: {'ended there' if hit else 'had no such call'}; "
          f"{len(issued)} authorities, all as they should be", flush=True)
    return hit


def fresh(world, number):
    """Another manager and agent: the ones before have as many authorities as there may be."""
    for daemon in (world.agent, world.manager):
        if daemon is not None:
            daemon.stop()
    directory = os.path.join(world.directory, f"site-{number}")
    os.mkdir(directory)
    os.chmod(directory, 0o755)
    kept, world.directory = world.directory, directory
    world.both()
    world.directory = kept
    return [issuing(world)]


def successions(world, plans):
    hits = 0
    for at, fault in enumerate(plans):
        if at % TURNS_MAX == 0:
            issued = fresh(world, at)
        try:
            hits += succeeded(world, issued, fault)
        except Failure as failure:
            raise Failure(f"succession, {' '.join(map(str, fault))}:\n{failure}") from failure
    for daemon in (world.agent, world.manager):
        daemon.stop()
    if hits < len(plans) / 3:
        raise Failure(f"most faults were never met: {hits} of {len(plans)}")


# --- one that has ended ---

def dropped(world, clock, number):
    """The first one is ten years old, and the last certificate that it signed too: killed while it goes."""
    world.manager = Manager(world.directory, environment=clock.environment,
                            data=os.path.join(world.directory, f"old-{number}"))
    clock.set(7 * YEAR_S)
    start_manager(world)
    first = world.manager.made["ca_fingerprint"]
    wait_until("a second one issues", lambda: issuing(world) != first)
    issued = [first, issuing(world)]
    compare(world, issued)
    world.manager.stop()
    clock.set(16 * YEAR_S)  # the first one and the grace are over, and the second one's time has come
    process = start_with(world, "keys", "any", number)
    wait_until("the manager", lambda: is_up(world))
    sign_in(world)
    wait_until("a third one issues", lambda: is_up(world) and issuing(world) not in issued)
    issued.append(issuing(world))
    wait_until("the first one is dropped", lambda: is_up(world) and first not in roots(read(world.manager, "ca.pem")))
    compare(world, issued)
    if roots(read(world.manager, "ca.pem")) != issued[:0:-1]:
        raise Failure(f"{issued} issued one after the other; there are {roots(read(world.manager, 'ca.pem'))}")
    hit = ended(process, world.manager)
    print(f"one that has ended, keys ended before call {number}: {'met' if hit else 'had no such call'}", flush=True)
    world.manager.stop()
    return hit


def drops(world, clock, numbers):
    hits = 0
    for number in numbers:
        try:
            hits += dropped(world, clock, number)
        except Failure as failure:
            raise Failure(f"one that has ended, keys, call {number}:\n{failure}") from failure
    if hits < len(numbers) / 3:
        raise Failure(f"most faults were never met: {hits} of {len(numbers)}")


# --- the end of a certificate ---

def bring_own(world):
    """A certificate of 100 days that an administrator has from elsewhere, for a listener of people's."""
    data, front = world.manager.data, os.path.join(world.manager.data, "front")
    with open(os.path.join(data, "manager.ini"), encoding="utf-8") as file:
        text = file.read()
    with open(os.path.join(data, "manager.ini"), "w", encoding="utf-8") as file:
        file.write(text.replace("[network]\n", f"[network]\nconsole_listen = 127.0.0.1:{free_port()}\n", 1))
    key, certificate = os.path.join(front, "console.key"), os.path.join(front, "console.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    key, "-out", certificate, "-days", "100", "-subj", "/CN=own.example"], check=True, capture_output=True)
    owner = os.stat(front)
    for path, mode in ((key, 0o600), (certificate, 0o644)):
        os.chown(path, owner.st_uid, owner.st_gid)
        os.chmod(path, mode)


def stages(world, clock, numbers):
    """numbers: at which call of front each stage is met with its end."""
    clock.set(0)
    world.manager = Manager(world.directory, environment=clock.environment,
                            data=os.path.join(world.directory, f"own-{numbers[0]}"))
    bring_own(world)
    start_manager(world)
    wait_until("it is served", lambda: any(row["own"] for row in world.manager.get("/certificates")["items"]))
    expected, hits = [], 0
    for (days, stage), number in zip(STAGES, numbers):
        world.manager.stop()
        clock.set(days * DAY_S)
        process = start_with(world, "front", "any", number)
        expected.insert(0, stage)
        severity = "warning" if stage == "soon" else "critical"
        wait_until("the manager", lambda: is_up(world))
        sign_in(world)
        wait_until(f"{stage} is told", lambda: is_up(world) and told(world) == (expected, [("open", severity)]))
        hits += ended(process, world.manager)
    world.manager.stop()
    world.manager.up()
    sign_in(world)
    if told(world)[0] != expected:
        raise Failure(f"told after all: {told(world)}")
    world.manager.stop()
    print(f"the end of a certificate, front's calls {numbers}: {hits} ends, each stage told once", flush=True)


def run(world, given):
    chance = random.Random(f"{given.seed} authority")
    every = [(role, "any", number) for role, most in ROLES for number in range(1, most + 1)]
    if given.all:
        plans, numbers = given.part.of(every), given.part.of(range(1, DROP_CALLS))
        rounds = given.part.of([(n, n + 1, n + 2) for n in range(1, STAGE_CALLS, 3)])
    else:
        plans = [plan for role, count in DRAWN
                 for plan in chance.sample([each for each in every if each[0] == role], count)]
        numbers = chance.sample(range(1, DROP_CALLS), DROPS_DRAWN)
        rounds = [tuple(chance.sample(range(1, STAGE_CALLS), 3))]
    successions(world, plans)
    clock = Clock(world, "clock")
    drops(world, clock, numbers)
    for calls in rounds:
        stages(world, clock, calls)


if __name__ == "__main__":
    sys.exit(main("authority", __doc__, run, all=False, part=Part("1/1")))
