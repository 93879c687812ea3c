#!/usr/bin/env python3
"""A manager killed (-9) while its server authentication key is rolled over, imported or restored from a backup, and
while a manager is set up from a backup.

First keys, the supervisor or front ends just before a chosen write, sync or rename of such a change, or front's syncs
fail; then all of it is killed at random moments; at last `muster-manager init --restore` ends before chosen calls.
After each: one key is present, in its file as in the database, in server-authentication.pub and in what the API tells;
it is the one that was acknowledged, or of a change that was not the one before or the one after; every succession is
there, every change once in the audit log and as an event, and the agent follows and obeys.

usage: keys.py [--rounds N] [--all [--part K/N]] [--seed S]
"""
import base64
import errno
import os
import random
import shutil
import subprocess
import sys
from collections import Counter

from killed import ask, rounds, wait_ready
from world import ENDED, V1, Failure, KeptRunning, Part, armed, main, program, wait_until

PASSWORD = "a long password"
CHANGES = ("roll_over", "import_other", "restore")
# Whose calls, and how many a change has at most, those of a start before it with them.
ROLES = (("keys", 10), ("run", 12), ("front", 40))
DRAWN = 7
# Which syncs of front fail, and how many one after the other.
SYNCS, SYNCS_FAILED, SYNCS_DRAWN = range(1, 4), (1, 3, 6), 3
INIT_CALLS = 70
INIT_DRAWN = 5
NAMES = ("ca.pem", "server-authentication.pub", "keys/ca.key", "keys/server-authentication.key", "front/muster.db",
         "front/tls.key")  # what init writes before manager.ini
CHANGED_EVENTS = "932, 933, 934"


def openssl(*words):
    done = subprocess.run(["openssl", *words], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


class Oracle:
    """Which keys there were, in which order they followed each other, and which is present."""

    def __init__(self, world, chance):
        self.world, self.chance = world, chance
        self.public = {}  # keys in PEM to their fingerprints
        first = self.settled()
        self.present = first["fingerprint"]
        self.known, self.steps = {self.present}, []
        self.changes, self.events = Counter(), 1  # `init` told of the first one
        self.backup = None  # a fingerprint, and its file

    # --- what the manager says ---

    def key_file(self):
        return os.path.join(self.world.manager.data, "keys", "server-authentication.key")

    def settled(self):
        """The key as the API tells it, once that is the one in the file."""
        def same():
            shown = self.world.manager.get("/server-key")
            return shown if shown["present"] and shown["public_key"] == openssl("pkey", "-in", self.key_file(), "-pubout") \
                else None
        shown = wait_until("front knows the key that is there", same)
        self.public[shown["public_key"]] = shown["fingerprint"]
        return shown

    def done_in_audit(self):
        return Counter((entry["action"], entry["object"]) for entry in self.world.manager.all_of("/audit?")
                       if entry["action"].startswith("server_key.") and entry["action"] != "server_key.back_up"
                       and entry["outcome"] == "done")

    def compare(self):
        wait_ready(self.world)
        shown = self.settled()
        if shown["fingerprint"] != self.present:
            raise Failure(f"present is {shown['fingerprint']}, acknowledged was {self.present}")
        rows = self.world.manager.rows("SELECT fingerprint, until IS NULL FROM server_key")
        if {row[0] for row in rows} != self.known or [row[0] for row in rows if row[1]] != [self.present]:
            raise Failure(f"keys, known: {sorted(self.known)}, {self.present} present; stored: {rows}")
        steps = self.world.manager.rows("SELECT old_fingerprint, new_fingerprint FROM key_succession ORDER BY serial")
        serials = {row[0] for row in self.world.manager.rows("SELECT serial FROM key_succession")}
        if steps != self.steps or len(serials) != len(steps):
            raise Failure(f"successions, acknowledged: {self.steps}; stored: {steps}, serials {sorted(serials)}")
        if self.done_in_audit() != self.changes:
            raise Failure(f"the audit log has {self.done_in_audit()}, should have {self.changes}")
        events = self.world.manager.rows(f"SELECT count(*) FROM event WHERE type IN ({CHANGED_EVENTS})")[0][0]
        if events != self.events:
            raise Failure(f"{events} events tell of keys, {self.events} should")
        self.compare_published(shown)
        self.compare_agent()
        return f"{len(self.known)} keys, {len(steps)} successions, {events} events, as they should be"

    def compare_published(self, shown):
        def published():
            with open(os.path.join(self.world.manager.data, "server-authentication.pub"), encoding="ascii") as file:
                return file.read()
        wait_until("server-authentication.pub is the present key's", lambda: published() == shown["public_key"])

    def trusted(self):
        """By the agent's own file: what the manager was told last may be of before."""
        with open(os.path.join(self.world.agent.data, "identity", "manager.pub"), encoding="ascii") as file:
            return self.public[file.read()]

    def compare_agent(self):
        """It follows and obeys, or, when there is no way for it, is left where it is, and the manager says so."""
        path = f"/computers/{self.world.agent.id}"
        reachable, edge = {self.present}, {self.present}
        while edge:
            edge = {old for old, new in self.steps if new in edge} - reachable
            reachable |= edge
        if self.trusted() not in reachable:
            wait_until("it is told that the agent trusts another key",
                       lambda: self.world.manager.get(path)["certificate_match"] is False)
            return
        wait_until("the agent follows", lambda: self.world.manager.get(path)["trusted_key_fingerprint"] == self.present)
        command = wait_until("an order", self.order)
        wait_until("the agent obeys", lambda: self.world.manager.get(f"/commands/{command}")["state"] == "succeeded")
        forged = self.world.manager.rows("SELECT fields FROM event WHERE type = 4030")
        if forged:
            raise Failure(f"the agent took orders for forged: {forged}")

    def order(self):
        """The id of a command for the agent, which keys has signed; None when that is not known."""
        answer = ask(self.world, "POST", f"{V1}/computers/{self.world.agent.id}/commands", {"kind": "heartbeat"})
        return answer and answer[0]["id"]

    # --- one change: True when it was acknowledged ---

    def back_up(self):
        """Of the present key; to be restored when another one is."""
        answer = ask(self.world, "POST", f"{V1}/server-key/backup", {"password": PASSWORD})
        self.backup = (self.present, answer[0]["file"])

    def change(self, action, path, body, succeeds, expected=None):
        answer = ask(self.world, "POST", f"{V1}/server-key{path}", body)
        if answer is None:
            wait_ready(self.world)
            # keys works on what a front asked for that is gone since: it signs once that is done.
            wait_until("keys signs", self.order)
        shown = self.settled()
        if answer is not None and answer[0]["fingerprint"] != shown["fingerprint"]:
            raise Failure(f"{action}: acknowledged {answer[0]['fingerprint']}, there {shown['fingerprint']}")
        if shown["fingerprint"] != self.present:
            self.note(action, shown["fingerprint"], succeeds, expected, answer is not None)
        elif answer is not None:
            raise Failure(f"{action} was acknowledged, and changed nothing")
        return answer is not None

    def note(self, action, fingerprint, succeeds, expected, acknowledged):
        if expected not in (None, fingerprint) or (expected is None and fingerprint in self.known):
            raise Failure(f"{action}: {fingerprint} is present, which nobody asked for")
        if succeeds:
            self.steps.append([self.present, fingerprint])
        self.present = fingerprint
        self.known.add(fingerprint)
        self.events += 1
        # A change whose front was killed is found by the next one.
        found = ("server_key.found", fingerprint)
        if acknowledged or self.done_in_audit()[found] == self.changes[found]:
            self.changes[(f"server_key.{action}", fingerprint)] += 1
        else:
            self.changes[found] += 1

    def roll_over(self):
        return self.change("roll_over", "", {}, True)

    def import_other(self):
        pem = openssl("genpkey", "-algorithm", "ED25519")
        return self.change("import", "/import", {"key": pem, "force": True}, True)

    def restore(self):
        """Back to the key of a backup: those that followed it are left behind."""
        fingerprint, file = self.backup
        return self.change("restore", "/restore", {"file": file, "password": PASSWORD, "force": True}, False, fingerprint)

    def step(self):
        """By chance; a restore would leave the agent behind each time."""
        return self.chance.choice((self.roll_over, self.import_other))()


def start_with(world, *fault):
    """The manager started again, the fault armed."""
    world.manager.stop()
    world.manager.environment = armed(world.directory, *fault)
    world.manager.start()
    world.manager.environment = None


def start_sound(world):
    """Started again, so that the fault of before is not met any more."""
    world.manager.stop()
    world.manager.up()


def changed(world, oracle, change, fault):
    """A change while the fault is armed, and what there is afterwards; True when it was acknowledged."""
    if change == "restore":
        start_sound(world)
        oracle.back_up()
        oracle.roll_over()
        oracle.compare()
    start_with(world, *fault)
    with KeptRunning(world.manager) as kept:
        wait_ready(world)
        done = getattr(oracle, change)()
        there = oracle.compare()
        if change == "restore":
            renew_agent(world)
    ended = kept.ends or f'"exit_code":{ENDED}' in world.manager.log_text()
    print(f"{change}, {' '.join(map(str, fault))}: {'ended there' if ended else 'went on'},"
          f" {'acknowledged' if done else 'cut off'}; {there}", flush=True)
    return ended or not done


def under_faults(world, oracle, plans):
    """A role ends just before a call of a change, or front's calls fail; how often either happened."""
    hits = 0
    for fault, change in plans:
        os.truncate(world.manager.log, 0)  # so that it tells of this fault
        try:
            hits += changed(world, oracle, change, fault)
        except Failure as failure:
            raise Failure(f"{change}, {' '.join(map(str, fault))}:\n{failure}") from failure
    start_sound(world)
    return hits


def renew_agent(world):
    """By hand, as an administrator does for one that was left behind."""
    public = os.path.join(world.manager.data, "server-authentication.pub")
    subprocess.run([program("muster-agent"), "trust", public, "--data", world.agent.data], check=True,
                   stdout=subprocess.DEVNULL)
    path = f"/computers/{world.agent.id}"
    wait_until("the agent is repaired", lambda: world.manager.get(path)["certificate_match"] is True)


# --- a manager that is set up from a backup ---

def set_up(data, backup, environment=None):
    return subprocess.run([program("muster-manager"), "init", "--data", data, "--listen", "127.0.0.1:0", "--restore", backup,
                           "--password-file", "-", "-o", "json"], input=PASSWORD, env={**os.environ, **(environment or {})},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def check_whole(data, world, oracle):
    """The keys of the manager that made the backup, and what agents need that trust one before."""
    for name in ("ca.pem", "server-authentication.pub", "keys/ca.key"):
        with open(os.path.join(data, name), "rb") as ours, open(os.path.join(world.manager.data, name), "rb") as theirs:
            if ours.read() != theirs.read():
                raise Failure(f"init --restore: {name} is another one")
    key = os.path.join(data, "keys", "server-authentication.key")
    if openssl("pkey", "-in", key, "-pubout") != openssl("pkey", "-in", oracle.key_file(), "-pubout"):
        raise Failure("init --restore: the server authentication key is another one")
    told = subprocess.run([program("muster-manager"), "token", "--data", data], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if told.returncode != 0:
        raise Failure(f"init --restore: no token can be had: {told.stdout}")


def check_broken_off(data, backup):
    """It is no manager, says so, and is not written over; then it is set up as ever."""
    ran = subprocess.run([program("muster-manager"), "run", "--data", data], stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, timeout=60)
    begun = [name for name in NAMES if os.path.exists(os.path.join(data, name))]
    again = set_up(data, backup)
    if ran.returncode == 0 or (begun and again.returncode == 0):
        raise Failure(f"what a broken-off init left ({begun}) was taken for a manager: {ran.stdout} {again.stdout}")
    if not begun and again.returncode == 0:
        return
    if "remove the directory" not in again.stderr:
        raise Failure(f"init after one that was broken off does not say what to do: {again.stderr}")
    shutil.rmtree(data)
    again = set_up(data, backup)
    if again.returncode != 0:
        raise Failure(f"init --restore after one that was broken off: {again.stderr}")


def restored(world, oracle, numbers):
    """How often `init --restore` ended before a call; whatever it did, the backup makes the same manager."""
    oracle.back_up()
    backup, data, hits = os.path.join(world.directory, "keys.backup"), os.path.join(world.directory, "again"), 0
    whole = base64.b64decode(oracle.backup[1])
    with open(backup, "wb") as file:
        file.write(whole)
    for number in numbers:
        done = set_up(data, backup, armed(world.directory, "init", "any", number))
        finished = os.path.exists(os.path.join(data, "manager.ini"))
        if done.returncode not in (0, ENDED) or (done.returncode == 0 and not finished):
            raise Failure(f"init --restore, call {number}: exit status {done.returncode}\n{done.stderr}")
        hits += done.returncode == ENDED
        if not finished:
            check_broken_off(data, backup)
        check_whole(data, world, oracle)
        shutil.rmtree(data)
        with open(backup, "rb") as file:
            if file.read() != whole:
                raise Failure("init --restore changed the backup")
        print(f"init --restore {'ended before' if done.returncode == ENDED else 'had no'} call {number}: whole afterwards",
              flush=True)
    return hits


def run(world, given):
    world.both()
    chance = random.Random(f"{given.seed} keys")
    oracle = Oracle(world, chance)
    ends = [((role, "any", number), change) for role, most in ROLES for number in range(1, most + 1) for change in CHANGES]
    fails = [(("front", "sync", number, times, errno.EIO), change) for number in SYNCS for times in SYNCS_FAILED
             for change in CHANGES]
    plans = given.part.of(ends + fails) if given.all else \
        chance.sample([plan for plan in ends if plan[0][0] == "keys"], DRAWN - 3) + \
        chance.sample([plan for plan in ends if plan[0][0] != "keys"], 3) + chance.sample(fails, SYNCS_DRAWN)
    hits = under_faults(world, oracle, plans)
    rounds(world, given.rounds, chance, oracle, parts=("all", "keys", "front"))
    numbers = given.part.of(range(1, INIT_CALLS + 1)) if given.all else chance.sample(range(1, INIT_CALLS + 1), INIT_DRAWN)
    init_hits = restored(world, oracle, numbers)
    if hits < len(plans) / 3 or init_hits < len(numbers) / 3:
        raise Failure(f"most faults were never met: {hits} of {len(plans)} in changes, {init_hits} of {len(numbers)} in init")


if __name__ == "__main__":
    sys.exit(main("keys", __doc__, run, rounds=4, all=False, part=Part("1/1")))
