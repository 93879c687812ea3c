#!/usr/bin/env python3
"""A manager killed (-9) while it is said who may activate: settings of enrolment, several at once, and enrolment tokens.

What was acknowledged is there and in force afterwards; what was not is there whole or not at all, never some of the
settings that came in one request; and the audit log has each change once.

usage: enrolment.py [--rounds N] [--seed S]
"""
import random
import sys
from collections import Counter

from killed import ask, compare_audit, rounds, wait_ready
from world import V1, Failure, Manager, main

POLICIES = ("base", "inside", "outside")
TOKENS_MAX = 6  # that are good; then one is revoked


def addresses(chance):
    return ", ".join(f"10.{chance.randrange(256)}.{chance.randrange(256)}.0/24" for _ in range(chance.randint(1, 4)))


# What each setting may become.
SETTINGS = {
    "enrolment.same_name": lambda chance: chance.choice(("number", "refuse", "reactivate")),
    "enrolment.allowed": lambda chance: chance.choice(("any", "known", "addresses")),
    "enrolment.addresses": addresses,
    "enrolment.policy": lambda chance: chance.choice(POLICIES),
    "enrolment.own_name": lambda chance: chance.choice(("yes", "no")),
    "enrolment.reactivate_cloned": lambda chance: chance.choice(("yes", "no")),
    "enrolment.reactivate_unknown": lambda chance: chance.choice(("yes", "no")),
}


class Oracle:
    """The settings and tokens that were acknowledged, and what the audit log must tell."""

    def __init__(self, world, chance):
        self.world, self.chance, self.number = world, chance, 0
        self.settings, self.stored = self.shown(), {}
        self.tokens = {}
        self.audit = Counter()

    def shown(self):
        return {item["name"]: item["value"] for item in self.world.manager.get("/settings")["items"]
                if item["name"] in SETTINGS}

    def shown_tokens(self):
        return {item["id"]: item for item in self.world.manager.all_of("/enrolment-tokens")}

    def compare(self):
        if self.shown() != self.settings:
            raise Failure(f"settings, acknowledged: {self.settings}; in force: {self.shown()}")
        stored = {name: value for name, value in self.world.manager.rows("SELECT name, value FROM setting")
                  if name in SETTINGS}
        if stored != self.stored:
            raise Failure(f"settings, acknowledged: {self.stored}; stored: {stored}")
        shown = self.shown_tokens()
        if shown.keys() != self.tokens.keys():
            raise Failure(f"tokens, acknowledged: {sorted(self.tokens)}; there: {sorted(shown)}")
        for key, members in self.tokens.items():
            there = {**{name: shown[key][name] for name in members}, "revoked": shown[key]["revoked"] is not None}
            if there != members:
                raise Failure(f"token {key}, acknowledged: {members}; there: {there}")
        compare_audit(self.world, {"setting", "enrolment_token"}, self.audit)
        good = sum(not token["revoked"] for token in self.tokens.values())
        return f"{len(self.stored)} settings, {good} of {len(self.tokens)} tokens good, as they should be"

    # --- one change: True when it was acknowledged ---

    def set(self):
        """Several settings, all other than they are: all of them, or none."""
        wanted = {}
        for name in self.chance.sample(sorted(SETTINGS), self.chance.randint(1, len(SETTINGS))):
            while wanted.setdefault(name, self.settings[name]) == self.settings[name]:
                wanted[name] = SETTINGS[name](self.chance)
        answer = ask(self.world, "PATCH", f"{V1}/settings", wanted)
        if answer is None:
            wait_ready(self.world)
            there = self.shown()
            done = {name for name in wanted if there[name] == wanted[name]}
            if done and done != wanted.keys():
                raise Failure(f"of {wanted} only {sorted(done)} were set")
        if answer is not None or done:
            self.settings.update(wanted)
            self.stored.update(wanted)
            self.audit.update(("setting.set", name) for name in wanted)
        return answer is not None

    def make(self):
        self.number += 1
        members = {"name": f"token {self.number}", "policy": self.chance.choice(POLICIES), "group": f"group {self.number}",
                   "appliance": self.chance.choice((True, False))}
        answer = ask(self.world, "POST", f"{V1}/enrolment-tokens",
                     {**members, "uses": self.number, "expires": "30d"})
        if answer is None:
            wait_ready(self.world)
            found = [key for key, item in self.shown_tokens().items() if item["name"] == members["name"]]
            if len(found) > 1:
                raise Failure(f"made once, there {len(found)} times: {members}")
        else:
            found = [answer[0]["id"]]
        for key in found:
            self.tokens[key] = {**members, "uses_left": self.number, "revoked": False}
            self.audit[("enrolment_token.create", key)] += 1
        return answer is not None

    def revoke(self, key):
        answer = ask(self.world, "DELETE", f"{V1}/enrolment-tokens/{key}")
        if answer is None:
            wait_ready(self.world)
        if answer is not None or self.shown_tokens()[key]["revoked"]:
            self.tokens[key]["revoked"] = True
            self.audit[("enrolment_token.revoke", key)] += 1
        return answer is not None

    def step(self):
        """One change of chance; True when it was acknowledged."""
        good = sorted(key for key, token in self.tokens.items() if not token["revoked"])
        what = self.chance.choice(("set", "set", "make", "revoke"))
        if what == "set":
            return self.set()
        if good and (what == "revoke" or len(good) >= TOKENS_MAX):
            return self.revoke(self.chance.choice(good))
        return self.make()


def run(world, given):
    world.manager = Manager(world.directory)
    world.manager.up()
    for name in POLICIES[1:]:
        status, content = world.manager.once("POST", f"{V1}/policies", {"name": name})
        if status != 201:
            raise Failure(f"policy {name}: {status} {content}")
    chance = random.Random(f"{given.seed} enrolment")
    rounds(world, given.rounds, chance, Oracle(world, chance))


if __name__ == "__main__":
    sys.exit(main("enrolment", __doc__, run, rounds=12))
