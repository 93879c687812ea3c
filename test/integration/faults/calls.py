#!/usr/bin/env python3
"""A process ends, or a call fails, at a chosen write, sync or rename.

usage: calls.py [--kills N] [--errors N] [--all [--part K/N]] [--seed S]

Where kills.py draws moments, this one steps through the calls that make things
durable: a fixed piece of work (a scan with two detections, one restored, one
deleted, and a scan that is paused and resumed) while guard, link or front ends
just before its n-th such call, or gets an error from it a few times. Then all counts are compared exactly. --all steps
through every call, --part through each N-th of them; otherwise some are drawn, with the seed that is printed.
"""
import errno
import random
import sys

import account
from load import ENDED as ENDED_STATES, Load
from world import ENDED, Failure, KeptRunning, Part, armed, main

# The end, the role's name for the shim, and how many durable calls the work makes at most.
ROLES = (("agent", "run", 130), ("agent", "link", 170), ("manager", "front", 150))
ERRORS = (errno.EIO, errno.ENOSPC)
NAMES = {"run": "guard", "link": "link", "front": "front"}


class Calls:
    def __init__(self, world, seed):
        self.world, self.load = world, Load(world, seed)
        self.chance = random.Random(f"{seed} calls")
        self.ends = 0  # of the programs themselves

    def begin(self, end, role, calls, number, times, action):
        """Starts that end again with the fault armed."""
        daemon = getattr(self.world, end)
        daemon.stop()
        daemon.environment = armed(self.world.directory, role, calls, number, times, action)
        daemon.start()
        daemon.environment = None

    def hits(self):
        """How often a process ended by the shim."""
        return self.ends + self.world.agent.log_text().count(f"exit status {ENDED}") + \
            self.world.manager.log_text().count(f'"exit_code":{ENDED}')

    def work(self):
        scan = self.load.command("scan", paths=[self.load.make_batch(self.chance), self.load.common])
        second = self.load.command("scan", paths=[self.load.common])  # waits for the first, so that it can be paused
        if self.load.command("pause", command=second) is not None:
            self.resume(second)
        self.load.wait_ended(scan)
        self.load.wait_ended(second)
        for kind in ("restore", "delete"):
            held = [item["id"] for item in self.world.manager.get("/quarantine?state=held&limit=1000")["items"]
                    if item["id"] not in self.load.asked]
            if held:
                self.load.asked.add(held[0])
                self.load.wait_ended(self.load.command(kind, item=held[0]))

    def resume(self, scan):
        """As people do, again when the agent says that it could not."""
        while True:
            order = self.load.command("resume", command=scan)
            if order is None or self.load.wait_ended(order) == "succeeded" or self.load.state(scan) in ENDED_STATES:
                return

    def once(self, end, role, calls, number, times, action, check):
        daemon = getattr(self.world, end)
        self.begin(end, role, calls, number, times, action)
        with KeptRunning(daemon) as kept:
            self.work()
            account.settle(self.world)
        self.ends += kept.ends
        books = check(self.world, self.load)
        self.load.forget_ended(books)


def troubled(world, load):
    return account.check(world, load, troubled=True)


def drawn(plans, number, given, chance):
    return given.part.of(plans) if given.all else chance.sample(plans, number)


def end_before_calls(calls, given):
    plans = drawn([(end, role, "any", number, 1, 0) for end, role, most in ROLES for number in range(1, most)],
                  given.kills, given, calls.chance)
    for plan in plans:
        try:
            calls.once(*plan, account.check)
        except Failure as failure:
            raise Failure(f"{NAMES[plan[1]]} ended before call {plan[3]}:\n{failure}") from failure
    hits = calls.hits()
    print(f"{hits} ends before a durable call ({len(plans) - hits} runs had fewer calls): all counts exact", flush=True)
    if hits < len(plans) / 3:
        raise Failure("most faults were never met: the work has fewer durable calls than ROLES says")


def fail_calls(calls, given):
    plans = drawn([(end, role, kind, number, times, error) for end, role, most in ROLES
                   for kind in ("write", "sync", "rename") for number in range(1, most // 3, 2)
                   for times in (1, 4) for error in ERRORS], given.errors, given, calls.chance)
    for plan in plans:
        try:
            calls.once(*plan, troubled)
        except Failure as failure:
            _, role, kind, number, times, error = plan
            raise Failure(f"{NAMES[role]}: {kind} {number} to {number + times - 1} gave {errno.errorcode[error]}:\n"
                          f"{failure}") from failure
    print(f"{len(plans)} times a write, sync or rename failed: all counts exact", flush=True)


def run(world, given):
    world.both()
    calls = Calls(world, given.seed)
    if given.kills:
        end_before_calls(calls, given)
    if given.errors:
        fail_calls(calls, given)
    books = account.check(world, calls.load, troubled=True)
    print(f"{len(books.events)} events, {len(books.commands)} commands, {len(books.items)} items")


if __name__ == "__main__":
    sys.exit(main("calls", __doc__, run, kills=6, errors=4, all=False, part=Part("1/1")))
