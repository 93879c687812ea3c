#!/usr/bin/env python3
"""An agent's certificate is renewed, and in the midst of that manager and agent are killed (-9), or one of their roles.

usage: renewing.py [--rounds N] [--points N] [--seed S]

A round: both are as if set up 290 days ago, the manager tells the agent to have another certificate, and one to three
kills come somewhere between the request and the first use of what was given, drawn by chance or just after something
was logged. A point: one of them ends just before a chosen write, sync or rename of a renewal. After each the agent is
let in with one of its certificates and obeys an order, as the computer that it was; then it has its next one, which both
ends have stored, each one before is on record for what it is, and there is no other computer.
"""
import http.client
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

from world import V1, ENDED, Failure, armed, main, program, wait_until

DAYS_AGO = 290  # of 365: it is due, whatever its own moment
SPAN_S = 1.5
LOGGED = ("renewal.given", "renewal.done", "renewal.used")
AFTER_LOGGED_S = 0.03
VICTIMS = ("agent", "manager", "both", "link", "front", "keys", "link and front")
# Which end, the role's name for the shim, and how many durable calls it makes from its start to the first use.
POINTS = (("agent", "link", 24), ("manager", "front", 40))


def identity(agent, name):
    with open(os.path.join(agent.data, "identity", name), encoding="ascii") as file:
        return file.read()


class Renewing:
    def __init__(self, world, seed):
        self.world, self.chance = world, random.Random(f"{seed} renewing")
        self.formers = {}  # fingerprint of each that was followed by another: files of it and its key

    # --- as if set up long ago ---

    def mint(self):
        """For the agent's present key: (fingerprint, end, PEM)."""
        manager, agent = self.world.manager, self.world.agent
        told = subprocess.run([program("mint"), os.path.join(manager.data, "keys"), os.path.join(manager.data, "ca.pem"),
                               agent.id, os.path.join(agent.data, "identity", "key.pem"), str(DAYS_AGO)],
                              check=True, stdout=subprocess.PIPE, text=True).stdout
        fingerprint, end, pem = told.split("\n", 2)
        return bytes.fromhex(fingerprint), int(end), pem

    def keep(self, fingerprint):
        """What the agent has now, to be shown when it has another one."""
        files = {}
        for name in ("key.pem", "cert.pem"):
            files[name] = os.path.join(self.world.directory, f"{len(self.formers)}-{name}")
            with open(files[name], "w", encoding="ascii") as file:
                file.write(identity(self.world.agent, name))
        self.formers[fingerprint.hex()] = files

    def age(self):
        self.world.agent.stop()
        self.world.manager.stop()
        fingerprint, end, pem = self.mint()
        with open(os.path.join(self.world.agent.data, "identity", "cert.pem"), "w", encoding="ascii") as file:
            file.write(pem)
        database = sqlite3.connect(os.path.join(self.world.manager.data, "front", "muster.db"))
        with database:
            database.execute("UPDATE computer SET certificate_fingerprint = ?, certificate_not_after = ?,"
                             " certificate_pem = ?", (fingerprint, end, pem))
        database.close()
        self.keep(fingerprint)
        return fingerprint.hex()

    # --- kills ---

    def kill(self, victim):
        for name in {"both": "agent and manager"}.get(victim, victim).split(" and "):
            daemon = {"agent": self.world.agent, "link": self.world.agent}.get(name, self.world.manager)
            if name in ("agent", "manager"):
                if daemon.running():
                    daemon.kill()
                continue
            pid = daemon.part(name)
            if pid is not None:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def wait_for_moment(self, logged_before):
        """A moment of chance, or just after the next step was logged (it may have been before: then at once)."""
        if self.chance.random() < 0.3:
            time.sleep(self.chance.uniform(0, SPAN_S))  # the moment is the test's input
            return
        step = self.chance.choice(LOGGED)
        after_s = self.chance.uniform(0, AFTER_LOGGED_S)
        give_up = time.monotonic() + SPAN_S * 4  # it never comes when something before it was killed
        while self.logged(step) == logged_before[step] and time.monotonic() < give_up:
            time.sleep(0.002)
        time.sleep(after_s)

    def logged(self, step):
        return self.world.manager.log_text().count(step) + self.world.agent.log_text().count(step)

    def bring_back(self):
        for daemon in self.chance.sample((self.world.manager, self.world.agent), 2):
            if not daemon.running():
                daemon.start()

    def wait(self, what, condition):
        """As an init system does it: what ended is started again meanwhile."""
        return wait_until(what, lambda: self.bring_back() or condition())

    # --- what must hold ---

    def row(self):
        rows = self.world.manager.rows("SELECT hex(id), name, certificate_fingerprint, next_fingerprint,"
                                       " certificate_pem FROM computer WHERE deleted IS NULL")
        if len(rows) != 1 or rows[0][0].lower() != self.world.agent.id.replace("-", ""):
            raise Failure(f"there is to be one computer, {self.world.agent.id}, and there are {rows}")
        return dict(zip(("id", "name", "present", "next", "pem"), rows[0]))

    def order(self):
        """Its id, or None: who answers may be about to end."""
        try:
            status, told = self.world.manager.once("POST", f"{V1}/computers/{self.world.agent.id}/commands",
                                                   {"kind": "heartbeat"})
        except (OSError, http.client.HTTPException, ValueError):
            return None
        if status < 500 and status != 201:
            raise Failure(f"an order: {status} {told}")
        return told["id"] if status == 201 else None

    def obeys(self):
        order = self.wait("an order is taken", self.order)
        self.wait("it is let in, and an order is obeyed",
                  lambda: self.world.manager.get(f"/commands/{order}")["state"] == "succeeded")

    def settled(self, aged):
        row = self.row()
        return row["present"] != aged and row["next"] is None and row["pem"] == identity(self.world.agent, "cert.pem")

    def compare(self, aged):
        self.wait("the manager", self.world.manager.ready)
        self.obeys()
        if identity(self.world.agent, "computer.json") != self.told:
            raise Failure("it is another computer than before")
        if not self.settled(aged):
            self.world.agent.stop()  # else a failure is tried again after a minute or two
            self.world.agent.start()
        self.wait("both have its next certificate, and it was used", lambda: self.settled(aged))
        self.obeys()
        if os.path.exists(os.path.join(self.world.agent.data, "identity", "renewed")):
            raise Failure("identity/renewed was left")
        self.compare_formers(aged)

    def compare_formers(self, aged):
        known = dict(self.world.manager.rows("SELECT fingerprint, revoked FROM former_certificate"))
        if any(revoked is not None for revoked in known.values()) or self.formers.keys() - known.keys():
            raise Failure(f"on record as former ones are {known}, and were used: {sorted(self.formers)}")
        files = self.formers[aged]
        told = subprocess.run(["curl", "-s", "--cacert", os.path.join(self.world.manager.data, "ca.pem"), "--cert",
                               files["cert.pem"], "--key", files["key.pem"], "-X", "POST", "--data-binary", "x",
                               f"https://{self.world.manager.address}:{self.world.manager.port}/agent/v1/renew"],
                              stdout=subprocess.PIPE, text=True, check=True).stdout
        if "Certificate replaced" not in told:
            raise Failure(f"the one before is answered: {told}")

    # --- a round, a point ---

    def round(self):
        aged = self.age()
        self.told = identity(self.world.agent, "computer.json")
        killed = []
        before = {step: self.logged(step) for step in LOGGED}
        self.bring_back()
        for _ in range(self.chance.randint(1, 3)):
            self.wait_for_moment(before)
            killed.append(self.chance.choice(VICTIMS))
            self.kill(killed[-1])
            self.bring_back()
        self.compare(aged)
        return killed

    def point(self, end, role, number):
        aged = self.age()
        self.told = identity(self.world.agent, "computer.json")
        daemon = getattr(self.world, end)
        daemon.environment = armed(self.world.directory, role, "any", number)
        daemon.start()
        daemon.environment = None
        self.compare(aged)

    def hits(self):
        return self.world.agent.log_text().count(f"exit status {ENDED}") + \
            self.world.manager.log_text().count(f'"exit_code":{ENDED}')


def run(world, given):
    world.both()
    renewing = Renewing(world, given.seed)
    for number in range(1, given.rounds + 1):
        killed = renewing.round()
        print(f"round {number}: {', '.join(killed)} killed; its next certificate, the same computer", flush=True)
    before = renewing.hits()
    points = [(end, role, number) for end, role, most in POINTS for number in range(1, most)]
    for point in points if given.points >= len(points) else renewing.chance.sample(points, given.points):
        try:
            renewing.point(*point)
        except Failure as failure:
            raise Failure(f"{point[1]} ended before call {point[2]}:\n{failure}") from failure
    hits = renewing.hits() - before
    if given.points > 3 and hits < given.points / 3:
        raise Failure(f"{hits} of {given.points} ends were met: a renewal makes fewer durable calls than POINTS says")
    print(f"{given.rounds} rounds of kills, {hits} ends before a durable call in {given.points} renewals:"
          f" no orphan, one computer, {len(renewing.formers)} former certificates on record")


if __name__ == "__main__":
    sys.exit(main("renewing", __doc__, run, rounds=12, points=12))
