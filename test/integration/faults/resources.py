#!/usr/bin/env python3
"""A manager killed (-9) while networks, hypervisors, destinations and a computer's appliance mark are made, changed and
deleted: what was acknowledged is there afterwards, what was not is there whole or not at all, and the audit log has
each change once.

usage: resources.py [--rounds N] [--seed S]

A round makes one change after another until the manager, or its front, is killed in the midst.
"""
import random
import sys
from collections import Counter

from killed import ask, compare_audit, rounds, wait_ready
from world import V1, Agent, Failure, Manager, main

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
        compare_audit(self.world, {kind.action for kind in KINDS}, self.audit)
        return ", ".join(f"{len(known)} {name}" for name, known in self.known.items()) + " there, as they should be"

    # --- one change: True when it was acknowledged ---

    def make(self, kind):
        self.number += 1
        members = kind.made(self.chance, self.number)
        answer = ask(self.world, "POST", kind.path, members)
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
        answer = ask(self.world, "PATCH", f"{kind.path}/{key}", members)
        if answer is None:
            wait_ready(self.world)
            item = self.shown(kind)[key]
            done = all(item[name] == value for name, value in members.items())
        if answer is not None or done:
            self.known[kind.name][key] = {**self.known[kind.name][key], **members}
            self.audit[(f"{kind.action}.change", key)] += 1
        return answer is not None

    def delete(self, kind, key):
        answer = ask(self.world, "DELETE", f"{kind.path}/{key}")
        if answer is None:
            wait_ready(self.world)
            done = key not in self.shown(kind)
        if answer is not None or done:
            del self.known[kind.name][key]
            self.audit[(f"{kind.action}.delete", key)] += 1
        return answer is not None

    def mark(self):
        answer = ask(self.world, "PATCH", f"{V1}/computers/{self.world.agent.id}", {"appliance": not self.appliance})
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
        return done


def run(world, given):
    begin(world)
    chance = random.Random(f"{given.seed} resources")
    rounds(world, given.rounds, chance, Oracle(world, chance))


def begin(world):
    world.manager = Manager(world.directory)
    world.manager.up()
    world.agent = Agent(world.directory, world.manager, world.signatures)
    world.agent.activate()  # its computer is enough


if __name__ == "__main__":
    sys.exit(main("resources", __doc__, run, rounds=12))
