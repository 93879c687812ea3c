#!/usr/bin/env python3
"""A manager killed (-9) while it writes keys that no other test of this folder is about; and two managers that want one
directory while the former one dies.

Just before chosen writes, syncs and renames front ends while it makes front/request.key, and keys while a backup brings
back keys/ca.key, and while key files are written anew over what somebody has put there. Afterwards each file is whole,
or as it was before; what somebody put in a key's place is somewhere (ca.key.replaced); nothing is left beside. A request
that was repeated is done once. Then two more managers are started in the directory of one whose supervisor is killed:
one goes on, and at no moment do two keys roles write there.

usage: key_material.py [--all [--part K/N]] [--rounds N] [--seed S]
"""
import base64
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

from authority import ended, is_up, issuing, start_with
from killed import ask
from world import V1, Failure, Part, Quietly, children, main, program, wait_until

PASSWORD = "a long password"
OTHER = b"-----BEGIN PRIVATE KEY-----\nput here by somebody\n-----END PRIVATE KEY-----\n"
KEY_FILES = ("ca.key", "server-authentication.key")
# How many calls a role has until it is done, those of a start with them.
REQUEST_CALLS, BACK_CALLS, ANEW_CALLS = 12, 9, 12
DRAWN = 3


def path(world, *names):
    return os.path.join(world.manager.data, *names)


def content(name):
    with open(name, "rb") as file:
        return file.read()


def put(name, what):
    """Whole at once, and to whom the folder belongs."""
    owner = os.stat(os.path.dirname(name))
    with open(name + ".put", "wb") as file:
        os.chmod(name + ".put", 0o600)
        file.write(what)
    os.chown(name + ".put", owner.st_uid, owner.st_gid)
    os.rename(name + ".put", name)


def left_beside(folder):
    return [name for name in os.listdir(folder) if re.fullmatch(r"\.[0-9a-f]{16}\.new", name)]


def obeys(world):
    answer = wait_until("an order", lambda: ask(world, "POST", f"{V1}/computers/{world.agent.id}/commands",
                                                {"kind": "heartbeat"}))
    wait_until("the agent obeys", lambda: world.manager.get(f"/commands/{answer[0]['id']}")["state"] == "succeeded")


# --- the key of requests ---

def make_order(world, key):
    """With an Idempotency-Key: its id, or None when it was cut off."""
    try:
        status, told = world.manager.once("POST", f"{V1}/computers/{world.agent.id}/commands", {"kind": "heartbeat"},
                                          {"Idempotency-Key": key})
    except Exception:  # cut off, in whatever way
        return None
    return told["id"] if status in (200, 201) else None


def request_key(world, fault):
    name, key = path(world, "front", "request.key"), f"once-{random.random()}"
    world.manager.stop()
    os.unlink(name)
    process = start_with(world, *fault)
    wait_until("the manager", lambda: is_up(world))
    made, owner = content(name), os.stat(name)
    if len(made) != 32 or owner.st_mode & 0o777 != 0o600 or owner.st_uid != os.stat(path(world, "front")).st_uid:
        raise Failure(f"request.key: {len(made)} bytes, {owner}")
    first = wait_until("an order", lambda: make_order(world, key))
    world.manager.kill()
    world.manager.up()
    if content(name) != made or make_order(world, key) != first:
        raise Failure("a request that was repeated after a kill was not known again")
    if left_beside(path(world, "front")):
        raise Failure(f"left in front/: {left_beside(path(world, 'front'))}")
    return ended(process, world.manager)


# --- the keys ---

def back_up(world):
    return base64.b64decode(wait_until("a backup", lambda: ask(world, "POST", V1 + "/server-key/backup",
                                                               {"password": PASSWORD}))[0]["file"])


def restore(world, backup):
    """Again and again, as a person would; None: cut off."""
    return ask(world, "POST", V1 + "/server-key/restore",
               {"file": base64.b64encode(backup).decode(), "password": PASSWORD, "force": True})


def are_present(world):
    told = world.manager.get("/system")
    return told["authority_present"] and told["server_authentication_present"]


def whole_again(world, backup, fingerprint):
    """Both keys are there, in files of the form that the manager writes, and nothing beside them but what was put aside."""
    wait_until("the keys are restored", lambda: is_up(world) and (
        (are_present(world) and world.manager.get("/system")["key_files_in_order"]) or not restore(world, backup)) and
        are_present(world))
    if issuing(world) != fingerprint:
        raise Failure(f"{fingerprint} issued before, {issuing(world)} now")
    for name in KEY_FILES:
        if content(path(world, "keys", name)).count(b"BEGIN PRIVATE KEY") != 1:
            raise Failure(f"keys/{name} is not whole")
    wait_until("nothing is left beside", lambda: not left_beside(path(world, "keys")))


def copies_of(world, what):
    """Of what somebody has put into the folder of the keys."""
    return [name for name in sorted(os.listdir(path(world, "keys"))) if content(path(world, "keys", name)) == what]


def clear_aside(world):
    for name in os.listdir(path(world, "keys")):
        if ".replaced" in name:
            os.unlink(path(world, "keys", name))


def brought_back(world, backup, fault):
    """Damaged while it was down: keys ends while the backup brings it back."""
    fingerprint, name = issuing(world), path(world, "keys", "ca.key")
    world.manager.stop()
    clear_aside(world)
    put(name, OTHER)
    process = start_with(world, *fault)
    wait_until("the manager", lambda: is_up(world))
    wait_until("restored", lambda: is_up(world) and (are_present(world) or (restore(world, backup) and False)))
    whole_again(world, backup, fingerprint)
    if copies_of(world, OTHER) != ["ca.key.replaced"]:
        raise Failure(f"what was in ca.key is in {copies_of(world, OTHER)}")
    world.manager.kill()
    world.manager.up()
    whole_again(world, backup, fingerprint)
    obeys(world)
    return ended(process, world.manager)


def rewrite(world):
    return ask(world, "POST", V1 + "/key-files/rewrite", {"force": True})


def written_anew(world, backup, fault):
    """Somebody has put something in the place of both keys: keys ends while it writes them anew, and what it had in
    memory alone is in the backup."""
    fingerprint = issuing(world)
    world.manager.stop()
    clear_aside(world)
    process = start_with(world, *fault)
    wait_until("the manager", lambda: is_up(world))
    for name in KEY_FILES:
        put(path(world, "keys", name), OTHER)
    wait_until("it is noticed", lambda: is_up(world) and not (
        world.manager.get("/system")["key_files_in_order"] and are_present(world)))
    rewrite(world)
    whole_again(world, backup, fingerprint)
    if len(copies_of(world, OTHER)) != 2 or not all(".replaced" in name for name in copies_of(world, OTHER)):
        raise Failure(f"what somebody has put there is in {copies_of(world, OTHER)}")
    world.manager.stop()
    world.manager.up()
    whole_again(world, backup, fingerprint)
    obeys(world)
    return ended(process, world.manager)


def under_faults(name, change, plans):
    hits = 0
    for fault in plans:
        try:
            hit = change(fault)
        except Failure as failure:
            raise Failure(f"{name}, {' '.join(map(str, fault))}:\n{failure}") from failure
        hits += hit
        print(f"{name}, {' '.join(map(str, fault))}: {'ended there' if hit else 'had no such call'}; as it should be",
              flush=True)
    if hits < len(plans) / 3:
        raise Failure(f"{name}: most faults were never met: {hits} of {len(plans)}")


# --- one manager a directory ---

def roles(data, role):
    """Processes that hold the keys of this directory, or its database."""
    return [pid for pid, (_, words) in children().items() if words[1:3] == ["role", role] and data in words]


class Watch:
    """How many keys roles there were at once at most, while it lasts."""

    def __init__(self, data):
        self.data, self.over, self.most = data, threading.Event(), 0
        self.thread = Quietly(self.run)

    def run(self):
        while not self.over.is_set():
            self.most = max(self.most, len(roles(self.data, "keys")))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join_or_raise()


def holds_lock(world):
    """A keys role that outlives its supervisor keeps others out."""
    keys = roles(world.manager.data, "keys")[0]
    links = {os.readlink(f"/proc/{keys}/fd/{fd}") for fd in os.listdir(f"/proc/{keys}/fd")}
    return path(world, "run.lock") in links


def contend(world, count):
    """More managers for the same directory, each with its log."""
    logs = [os.path.join(world.directory, f"other-{number}.log") for number in range(count)]
    started = []
    for log in logs:
        with open(log, "wb") as out:
            started.append(subprocess.Popen([program("muster-manager"), "run", "--data", world.manager.data],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out))
    return started, logs


def refused(world):
    """As long as it runs nobody else does."""
    other, logs = contend(world, 1)
    if other[0].wait(60) != 1 or b"a manager runs already on this data directory" not in content(logs[0]):
        raise Failure(f"a second manager: {content(logs[0])}")
    if b"role_started" in content(logs[0]):
        raise Failure(f"a second manager had roles: {content(logs[0])}")


def succeed(world, chance):
    """The supervisor is killed, its roles die after it, and two others want the place."""
    if not holds_lock(world):
        raise Failure("the keys role does not hold the lock")
    with Watch(world.manager.data) as watch:
        others, logs = contend(world, 2)
        time.sleep(chance.random())  # the moment is the test's input
        os.kill(world.manager.process.pid, signal.SIGKILL)
        world.manager.process.wait()
        loser = wait_until("one of them gives up", lambda: next((at for at in (0, 1) if others[at].poll() is not None), None) in (
            0, 1) and [at for at in (0, 1) if others[at].poll() is not None])
        if len(loser) != 1 or others[loser[0]].returncode != 1:
            raise Failure(f"of two managers that were started {len(loser)} ended: {[content(log)[-600:] for log in logs]}")
        if b"a manager runs already" not in content(logs[loser[0]]):
            raise Failure(f"it does not say why: {content(logs[loser[0]])}")
        world.manager.process = others[1 - loser[0]]
        world.manager.log = logs[1 - loser[0]]
        wait_until("the other one serves", world.manager.ready)
    if watch.most > 1:
        raise Failure(f"{watch.most} keys roles at once")
    obeys(world)


def contended(world, count, chance):
    kept = world.manager.log
    refused(world)
    for number in range(count):
        succeed(world, chance)
        shutil.copyfile(world.manager.log, kept)
        print(f"two managers for one directory, round {number + 1}: one went on", flush=True)
    world.manager.stop()
    world.manager.log = kept
    world.manager.up()
    obeys(world)


def run(world, given):
    world.both()
    chance = random.Random(f"{given.seed} key material")
    backup = back_up(world)

    def chosen(role, most):
        every = [(role, "any", number) for number in range(1, most + 1)]
        return given.part.of(every) if given.all else chance.sample(every, DRAWN)

    under_faults("request.key", lambda fault: request_key(world, fault),
                 chosen("front", REQUEST_CALLS) + [("front", "rename", 1)])
    under_faults("ca.key out of a backup", lambda fault: brought_back(world, backup, fault), chosen("keys", BACK_CALLS))
    under_faults("key files written anew", lambda fault: written_anew(world, backup, fault), chosen("keys", ANEW_CALLS))
    contended(world, given.rounds, chance)


if __name__ == "__main__":
    sys.exit(main("key_material", __doc__, run, rounds=2, all=False, part=Part("1/1")))
