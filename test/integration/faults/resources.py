#!/usr/bin/env python3
"""A manager killed (-9) while networks, hypervisors, destinations and a computer's appliance mark are made, changed and
deleted: what was acknowledged is there afterwards, what was not is there whole or not at all, and the audit log has
each change once.

usage: resources.py [--rounds N] [--seed S]

A round makes one change after another until the manager, or its front, is killed in the midst.
"""
import http.client
import os
import random
import signal
import sys
import threading
import time
from collections import Counter

from world import V1, Agent, Failure, Manager, main, wait_until

SPAN_S = 2
KEPT_MAX = 6  # of a kind; then one is deleted


class Kind:
    """One kind of resource: how one is made and changed, and what of it must be told back."""

    def __init__(self, name, action, made, changed):
        self.name, self.action, self.made, self.changed = name, action, made, changed
        self.path = f"{V1}/{name}"


def network(chance, number):
    return {"name": f"network {number}", "ranges": [f"10.{number // 250}.{number % 250}.0/24"],
            "heartbeat_minutes": chance.randint(1, 20), "offline_minutes": chance.randint(100, 1000)}


def hypervisor(_, number):
    return {"name": f"hypervisor {number}", "uri": f"qemu+tls://host-{number}.invalid/system", "enabled": False}


def destination(chance, number):
    return {"name": f"destination {number}", "url": f"udp://127.0.0.1:{chance.randint(20001, 60000)}", "enabled": False,
            "least_severity": chance.choice(("info", "warning", "error"))}


KINDS = (
    Kind("networks", "network", network, lambda chance: {"heartbeat_minutes": chance.randint(1, 20)}),
    Kind("hypervisors", "hypervisor", hypervisor, lambda chance: {"uri": f"xen+tls://{chance.randint(1, 9999)}.invalid/system"}),
    Kind("destinations", "destination", destination, lambda chance: {"url": f"tcp://127.0.0.1:{chance.randint(20001, 60000)}"}),
)


class Oracle:
    """What was acknowledged, by kind and id; and how often the audit log must tell each action of each."""

    def __init__(self, world, chance):
        self.world, self.chance, self.number = world, chance, 0
        self.known = {kind.name: {} for kind in KINDS}
        self.audit = Counter()
        self.appliance = False
        self.answers = Counter()

    # --- what the manager says ---

    def shown(self, kind):
        return {item["id"]: item for item in self.world.manager.get(f"/{kind.name}?")["items"]}

    def is_appliance(self):
        return self.world.manager.get(f"/computers/{self.world.agent.id}")["appliance"]

    def compare(self):
        for kind in KINDS:
            shown, known = self.shown(kind), self.known[kind.name]
            if shown.keys() != known.keys():
                raise Failure(f"{kind.name}: acknowledged {sorted(known)}, there {sorted(shown)}")
            for key, members in known.items():
                differing = {name: (value, shown[key][name]) for name, value in members.items() if shown[key][name] != value}
                if differing:
                    raise Failure(f"{kind.name} {key}, acknowledged and there: {differing}")
        if self.is_appliance() != self.appliance:
            raise Failure(f"appliance: acknowledged {self.appliance}, there {self.is_appliance()}")

    def compare_audit(self):
        kinds = {kind.action for kind in KINDS}
        told = Counter((entry["action"], entry["object"]) for entry in self.world.manager.all_of("/audit?")
                       if entry["action"].split(".")[0] in kinds and entry["outcome"] == "done")
        if told != self.audit:
            raise Failure(f"the audit log has, and should not or not so often: {told - self.audit};"
                          f" should have, and has not: {self.audit - told}")

    # --- one change: True when it was acknowledged ---

    def ask(self, method, path, body=None):
        """The answer, or None when nobody knows what became of the request."""
        try:
            status, content = self.world.manager.once(method, path, body)
        except (OSError, http.client.HTTPException, ValueError):
            return None
        if status >= 500 or status == 429:
            return None
        if status not in (200, 201, 204):
            raise Failure(f"{method} {path} {body}: {status} {content}")
        return [content]

    def make(self, kind):
        self.number += 1
        members = kind.made(self.chance, self.number)
        answer = self.ask("POST", kind.path, members)
        if answer is None:
            wait_ready(self.world)
            found = [key for key, item in self.shown(kind).items() if item["name"] == members["name"]]
            if len(found) > 1:
                raise Failure(f"made once, there {len(found)} times: {members}")
        else:
            found = [answer[0]["id"]]
        for key in found:
            self.known[kind.name][key] = members
            self.audit[(f"{kind.action}.create", key)] += 1
        return answer is not None

    def change(self, kind, key):
        members = kind.changed(self.chance)
        while all(self.known[kind.name][key][name] == value for name, value in members.items()):
            members = kind.changed(self.chance)  # so that before and after differ
        answer = self.ask("PATCH", f"{kind.path}/{key}", members)
        if answer is None:
            wait_ready(self.world)
            item = self.shown(kind)[key]
            done = all(item[name] == value for name, value in members.items())
        if answer is not None or done:
            self.known[kind.name][key] = {**self.known[kind.name][key], **members}
            self.audit[(f"{kind.action}.change", key)] += 1
        return answer is not None

    def delete(self, kind, key):
        answer = self.ask("DELETE", f"{kind.path}/{key}")
        if answer is None:
            wait_ready(self.world)
            done = key not in self.shown(kind)
        if answer is not None or done:
            del self.known[kind.name][key]
            self.audit[(f"{kind.action}.delete", key)] += 1
        return answer is not None

    def mark(self):
        answer = self.ask("PATCH", f"{V1}/computers/{self.world.agent.id}", {"appliance": not self.appliance})
        if answer is None:
            wait_ready(self.world)
        if answer is not None or self.is_appliance() != self.appliance:
            self.appliance = not self.appliance
        return answer is not None

    def step(self):
        """One change of chance; True when it was acknowledged."""
        draw = self.chance.randrange(len(KINDS) + 1)
        if draw == len(KINDS):
            what, done = "mark", self.mark()
        else:
            kind, known = KINDS[draw], self.known[KINDS[draw].name]
            what = "make" if not known else "delete" if len(known) >= KEPT_MAX else self.chance.choice(
                ("make", "change", "delete"))
            key = self.chance.choice(sorted(known)) if known else None
            done = self.make(kind) if what == "make" else getattr(self, what)(kind, key)
        self.answers["acknowledged" if done else "cut off"] += 1
        return done


def wait_ready(world):
    """Whoever kills the manager starts it again."""
    wait_until("the manager", world.manager.ready)


class Killer(threading.Thread):
    """Kills after a while, and starts again what does not start by itself."""

    def __init__(self, world, after_s, part):
        super().__init__(daemon=True)
        self.world, self.after_s, self.part = world, after_s, part
        self.error = None

    def run(self):
        time.sleep(self.after_s)  # the moment is the test's input
        try:
            if self.part == "front":
                front = wait_until("the front", lambda: self.world.manager.part("front"))
                os.kill(front, signal.SIGKILL)
                wait_until("another front", lambda: self.world.manager.part("front") not in (None, front))
            else:
                self.world.manager.kill()
                self.world.manager.up()
        except BaseException as error:  # handed on
            self.error = error


def run(world, rounds, seed):
    begin(world)
    chance = random.Random(f"{seed} resources")
    oracle = Oracle(world, chance)
    for number in range(1, rounds + 1):
        killer = Killer(world, chance.uniform(0, SPAN_S), "front" if number == 1 else "all")
        before = Counter(oracle.answers)
        killer.start()
        while killer.is_alive():
            oracle.step()
        killer.join()
        if killer.error is not None:
            raise killer.error
        wait_ready(world)
        oracle.compare()
        oracle.compare_audit()
        told = oracle.answers - before
        print(f"round {number}: {told['acknowledged']} changes acknowledged, {told['cut off']} cut off;"
              f" {', '.join(f'{len(known)} {name}' for name, known in oracle.known.items())} there, as they should be",
              flush=True)
    if oracle.answers["acknowledged"] < rounds or not oracle.answers["cut off"]:
        raise Failure(f"nothing was killed in the midst of its work: {oracle.answers}")


def begin(world):
    world.manager = Manager(world.directory)
    world.manager.up()
    world.agent = Agent(world.directory, world.manager, world.signatures)
    world.agent.activate()  # its computer is enough


if __name__ == "__main__":
    sys.exit(main("resources", __doc__, run, rounds=12))
