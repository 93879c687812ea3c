#!/usr/bin/env python3
"""The manager lives longer than its certificates, and dies while it makes new ones.

usage: certificates.py [--seed S]

clock.c shifts the wall clock of manager and agent together. The server's certificate is renewed while the manager runs
and the agent holds a connection; the day on which the former one ends passes without a sign. A manager that was
down over that day renews it as it starts, and agents come back. One that an administrator brought goes to its end,
told in three events and one alert. Then front ends just before each rename of a
renewal, and just before syncs and writes around it, of the agents' certificate and of the console's, and while the
console's first one is made: whatever was cut off, what is served afterwards is a certificate with its key, and the next
renewal works.
"""
import hashlib
import os
import shutil
import socket
import ssl
import subprocess
import sys

from clocks import Clock
from world import V1, Agent, Failure, Manager, main, program, wait_until

DAY_S = 86400
ENDED = 137  # the exit status with which fault.c ends a process


def shown(world, port=None):
    """SHA-256 of what a client is shown now; None: nobody listens. Its dates are for the moved clocks to judge."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with socket.create_connection((world.manager.address, port or world.manager.port), 20) as plain:
            with context.wrap_socket(plain) as connection:
                return hashlib.sha256(connection.getpeercert(True)).hexdigest()
    except OSError:
        return None


def sign_in(world):
    """A token of the moved present."""
    told = subprocess.run([program("muster-manager"), "token", "--data", world.manager.data, "--expires", "8760h"],
                          check=True, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, **(world.manager.environment or {})})
    world.manager.token = told.stdout.strip()


def start_manager(world):
    world.manager.context.verify_mode = ssl.CERT_NONE
    world.manager.up()
    sign_in(world)


def add_agent(world, name, clock):
    agent = Agent(world.directory, world.manager, world.signatures, environment=clock.environment,
                  data=os.path.join(world.directory, name))
    told = world.manager.once("POST", V1 + "/enrolment-tokens", {"uses": 1, "expires": "1h"})
    done = subprocess.run([program("muster-agent"), "activate", f"https://{world.manager.address}:{world.manager.port}",
                           "--token", told[1]["token"], "--ca-fingerprint", world.manager.made["ca_fingerprint"],
                           "--name", name, "--data", agent.data], env={**os.environ, **clock.environment},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise Failure("activate: " + done.stdout)
    agent.id = next(each["id"] for each in world.manager.all_of("/computers") if each["name"] == name)
    agent.up()
    return agent


def obeys(world, agent):
    status, told = world.manager.once("POST", f"{V1}/computers/{agent.id}/commands", {"kind": "heartbeat"})
    if status != 201:
        raise Failure(f"heartbeat: {status} {told}")
    wait_until("an order is obeyed", lambda: world.manager.get(f"/commands/{told['id']}")["state"] == "succeeded")


def certificate(world, name="server"):
    return next(row for row in world.manager.get("/certificates")["items"] if row["name"] == name)


def renewed(world, before):
    """The certificate that is shown once it is another one than before."""
    now = wait_until("another certificate", lambda: shown(world) not in (None, before) and shown(world))
    sign_in(world)
    row = certificate(world)
    if row["fingerprint"] != now or row["days_left"] < 300:
        raise Failure(f"{now} is shown, and listed is {row}")
    return now


def across_the_end(world, clock):
    clock.set(200 * DAY_S)
    start_manager(world)
    world.agent = add_agent(world, "one", clock)
    first = shown(world)
    if certificate(world)["days_left"] not in (164, 165):
        raise Failure(f"the clock has not moved: {certificate(world)}")
    clock.set(250 * DAY_S)  # two thirds of 366 days are over with day 243
    second = renewed(world, first)
    obeys(world, world.agent)
    clock.set(400 * DAY_S)  # the first one would have ended on day 365
    sign_in(world)
    obeys(world, world.agent)
    world.agent.stop()
    world.agent.up()  # a handshake of its own
    obeys(world, world.agent)
    if shown(world) != second:
        raise Failure("it was renewed once more, and was not due")
    print("a certificate's end passed while manager and agent ran")
    return second


def down_at_the_end(world, clock, before):
    other = add_agent(world, "two", clock)  # its own certificate was made today
    dialling = certificate(world, "dialling")["fingerprint"]
    world.manager.stop()
    clock.set(700 * DAY_S)
    start_manager(world)
    now = renewed(world, before)
    obeys(world, other)
    wait_until("the dialler's is another one", lambda: certificate(world, "dialling")["fingerprint"] != dialling)
    world.manager.stop()
    world.manager.up()
    sign_in(world)
    if shown(world) != now:
        raise Failure("what was made is not served after a start")
    obeys(world, other)
    other.stop()
    print("a certificate that ended while the manager was down was renewed at its start")


# --- the end is told ---

def put(world, key, certificate):
    """As an administrator does: to whom front/ belongs, readable by nobody else."""
    front = os.path.join(world.manager.data, "front")
    owner = os.stat(front)
    for source, name, mode in ((certificate, "console.pem", 0o644), (key, "console.key", 0o600)):
        path = os.path.join(front, name)
        shutil.copyfile(source, path + ".put")
        os.chown(path + ".put", owner.st_uid, owner.st_gid)
        os.chmod(path + ".put", mode)
        os.rename(path + ".put", path)


def told(world):
    """Stages of event 935, the latest first, and the alerts with their states and severities."""
    return ([event["fields"]["stage"] for event in world.manager.all_of("/events?type=935")],
            [(alert["state"], alert["severity"])
             for alert in world.manager.all_of("/alerts?type=certificate_expires")])


def listen_for_people(world):
    """One more listener, for the administrator's own certificate."""
    with socket.socket() as probe:
        probe.bind((world.manager.address, 0))
        world.console = probe.getsockname()[1]
    path = os.path.join(world.manager.data, "manager.ini")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if "[network]\n" not in text:
        raise Failure(text)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("[network]\n", f"[network]\nconsole_listen = {world.manager.address}:{world.console}\n", 1))


def own_one_ends(world, clock):
    """An administrator's certificate of 100 days, watched to its end by a manager that is stopped now and then."""
    front = os.path.join(world.manager.data, "front")
    ours = os.path.join(world.directory, "ours.key"), os.path.join(world.directory, "ours.pem")
    own = os.path.join(world.directory, "own.key"), os.path.join(world.directory, "own.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    own[0], "-out", own[1], "-days", "100", "-subj", "/CN=own.example"], check=True, capture_output=True)
    start_manager(world)
    wait_until("the console's certificate", lambda: len(world.manager.get("/certificates")["items"]) == 4)
    before = wait_until("it is shown", lambda: shown(world, world.console) == certificate(world, "console")["fingerprint"] and
                        shown(world, world.console))
    for name, source in zip(ours, ("console.key", "console.pem")):
        shutil.copyfile(os.path.join(front, source), name)
    put(world, *own)
    wait_until("it is served", lambda: shown(world, world.console) not in (None, before))
    if told(world) != ([], []):
        raise Failure(f"100 days before its end: {told(world)}")
    clock.set(45 * DAY_S)
    sign_in(world)
    wait_until("60 days before its end it is told", lambda: told(world) == (["soon"], [("open", "warning")]))
    stages = ["soon"]
    for days, stage in ((94, "critical"), (101, "ended")):
        world.manager.stop()
        clock.set(days * DAY_S)
        start_manager(world)
        stages.insert(0, stage)
        wait_until(f"{stage} is told", lambda: told(world) == (stages, [("open", "critical")]))
    world.manager.stop()
    start_manager(world)
    row = certificate(world, "console")
    if not row["own"] or row["days_left"] >= 0 or row["renews_itself"]:
        raise Failure(f"it was touched: {row}")
    put(world, *ours)
    wait_until("the alert ends with it", lambda: told(world) == (stages, [("resolved", "critical")]))
    world.manager.stop()
    clock.set(0)
    print("an administrator's certificate went to its end: three events, one alert")


# --- kill -9 ---

def is_up(world):
    """As an init system does it: one that ended while it started is started again."""
    if not world.manager.running():
        world.manager.start()
    return world.manager.ready()


def arm(world, calls, number, action):
    shim, arming = os.environ["MUSTER_FAULT_SHIM"], os.path.join(world.directory, "armed")
    with open(arming, "w", encoding="ascii"):
        pass
    os.chmod(world.directory, 0o777)  # front removes the file as its own user
    world.manager.stop()
    world.manager.environment = {"LD_PRELOAD": shim, "MUSTER_FAULT": f"front {calls} {number} 1 {action} {arming}",
                                 "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
    world.manager.start()
    world.manager.environment = None
    wait_until("the manager's start", lambda: is_up(world))


def hits(world):
    return world.manager.log_text().count(f'"exit_code":{ENDED}')


class Use:
    """A certificate, where it is shown, and its file's name."""

    def __init__(self, name, file, port=None):
        self.name, self.file, self.port = name, file, port

    def shown(self, world):
        return shown(world, self.port)

    def try_to_renew(self, world):
        try:
            return world.manager.once("POST", f"{V1}/certificates/{self.name}/renew", {})[0]
        except OSError:
            return None
        except Exception as error:  # cut off in the midst of an answer
            return repr(error)


def copy_is_right(world, use):
    with open(os.path.join(world.manager.data, "front", use.file + ".pem"), encoding="ascii") as file:
        copy = file.read()
    if hashlib.sha256(ssl.PEM_cert_to_DER_cert(copy)).hexdigest() != use.shown(world):
        raise Failure("the copy for people is another certificate")


def cut_off(world, use, calls, number, action=0):
    before, count = use.shown(world), hits(world)
    arm(world, calls, number, action)
    status = use.try_to_renew(world)
    now = wait_until("front serves again", lambda: is_up(world) and use.shown(world))
    row = certificate(world, use.name)
    if row["fingerprint"] != now:
        raise Failure(f"{use.name}, {calls} {number}: {now} is shown, listed is {row}")
    if status == 200 and now == before:
        raise Failure(f"{use.name}, {calls} {number}: answered 200, and the old certificate is served")
    if action and status == 200 and calls == "rename" and number == 1:
        raise Failure("a rename failed, and nobody said so")
    world.manager.stop()
    world.manager.up()
    if use.shown(world) != now:
        raise Failure(f"{use.name}, {calls} {number}: {now} was served, and after a start another one")
    if use.try_to_renew(world) != 200 or wait_until("it is shown", lambda: use.shown(world)) == now:
        raise Failure(f"{use.name}, {calls} {number}: the next renewal did not work")
    copy_is_right(world, use)
    return hits(world) > count


def renewals(world, use, plans):
    """The two renames are the renewal's own; of writes and syncs some are the database's."""
    ended = [plan for plan in plans if cut_off(world, use, *plan)]
    if not {("rename", 1), ("rename", 2)} <= set(ended):
        raise Failure(f"front has not ended at the renames: {ended}")
    for number in (1, 2):
        cut_off(world, use, "rename", number, 5)
    print(f"{use.name}: {len(ended)} ends of {len(plans)} in the midst of a renewal: a certificate with its key after each")


def first_of_the_console(world, use, plans):
    """The console's is made a moment after the start when it is not there; until then the agents' one stands in."""
    ended = 0
    for calls, number in plans:
        world.manager.stop()
        for name in (use.file + ".key", use.file + ".pem"):
            os.unlink(os.path.join(world.manager.data, "front", name))
        count = hits(world)
        arm(world, calls, number, 0)
        wait_until("its own is shown", lambda: is_up(world) and certificate_or_none(world, use.name) is not None and
                   certificate_or_none(world, use.name)["fingerprint"] == use.shown(world) != shown(world))
        ended += hits(world) > count
        now = use.shown(world)
        world.manager.kill()
        world.manager.up()
        if use.shown(world) != now:
            raise Failure(f"the first console's, {calls} {number}: another one after a kill")
        wait_until("the copy is there", lambda: os.path.exists(os.path.join(world.manager.data, "front", use.file + ".pem")))
        copy_is_right(world, use)
        left = [name for name in os.listdir(os.path.join(world.manager.data, "front")) if name.endswith(".new")]
        if left:
            raise Failure(f"left in front/: {left}")
    if ended < len(plans) / 3:
        raise Failure(f"front has ended at {ended} of {plans}")
    print(f"the console's first certificate: {ended} ends of {len(plans)}, whole after each")


def certificate_or_none(world, name):
    return next((row for row in world.manager.get("/certificates")["items"] if row["name"] == name), None)


def own_one_put(world, use):
    """An administrator's, whose two files are put one after the other: killed between them, and between whole and taken."""
    front, before = os.path.join(world.manager.data, "front"), use.shown(world)
    own = os.path.join(world.directory, "killed.key"), os.path.join(world.directory, "killed.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", own[0], "-out", own[1],
                    "-days", "100", "-subj", "/CN=own.example"], check=True, capture_output=True)
    ours = {name: os.path.join(world.directory, "ours-" + name) for name in ("console.key", "console.pem")}
    for name, kept in ours.items():
        shutil.copyfile(os.path.join(front, name), kept)
    put(world, ours["console.key"], own[1])  # its certificate alone: the pair in the key's file counts
    world.manager.kill()
    world.manager.up()
    if use.shown(world) != before:
        raise Failure("half of a pair was taken")
    put(world, *own)
    world.manager.kill()
    world.manager.up()
    if use.shown(world) in (None, before) or not certificate(world, use.name)["own"]:
        raise Failure("what an administrator has put there is not served after a kill")
    put(world, ours["console.key"], ours["console.pem"])
    world.manager.kill()
    world.manager.up()
    if use.shown(world) != before:
        raise Failure("the former one is not served after a kill")
    print("an administrator's certificate was put there, killed between the files and after: a pair each time")


def killed(world):
    world.manager.stop()
    world.manager = Manager(world.directory, data=os.path.join(world.directory, "manager-2"))
    listen_for_people(world)
    world.manager.up()
    wait_until("its own certificates", lambda: len(world.manager.get("/certificates")["items"]) == 4)
    console = Use("console", "console", world.console)
    renewals(world, Use("server", "tls"),
             [("rename", 1), ("rename", 2)] + [(calls, number) for calls in ("write", "sync") for number in range(1, 34, 4)])
    renewals(world, console, [("rename", 1), ("rename", 2), ("write", 1), ("write", 2), ("sync", 1), ("sync", 2), ("sync", 4)])
    first_of_the_console(world, console, [("rename", 1), ("rename", 2), ("write", 1), ("write", 2), ("sync", 1), ("sync", 3)])
    own_one_put(world, console)


def run(world, _given):
    clock = Clock(world, "clock")
    world.manager = Manager(world.directory, environment=clock.environment)
    listen_for_people(world)
    own_one_ends(world, clock)
    down_at_the_end(world, clock, across_the_end(world, clock))
    killed(world)


if __name__ == "__main__":
    sys.exit(main("certificates", __doc__, run))
