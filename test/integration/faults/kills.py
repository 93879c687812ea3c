#!/usr/bin/env python3
"""kill -9 of every process of manager and agent at random moments under load.

usage: kills.py [--rounds N] [--seed S]

A round starts the load, kills up to three processes at random moments, lets
the load end, waits until both ends are quiet, and compares all counts exactly.
What a supervisor starts again is left to it; supervisors are started by the
test. The seed is printed; the same seed makes the same choices.
"""
import os
import random
import signal
import sys
import time
from collections import Counter

import account
from load import Load
from world import Failure, main

PARTS = (("manager", "front"), ("manager", "keys"), ("manager", "supervisor"),
         ("agent", "guard"), ("agent", "starter"), ("agent", "link"), ("agent", "scan"), ("agent", "worker"))
ENDS_THE_PROGRAM = ("supervisor", "guard", "starter")
ROUNDS = 4
KILLS_MAX = 3
SPAN_S = 1.2


class Killer:
    def __init__(self, world, seed):
        self.world, self.chance, self.kills = world, random.Random(f"{seed} kills"), Counter()
        # Each part comes once before any comes twice.
        self.deck = []

    def draw(self):
        if not self.deck:
            self.deck = list(PARTS)
            self.chance.shuffle(self.deck)
        return self.deck.pop()

    def kill(self, end, part):
        daemon = getattr(self.world, end)
        pid = daemon.part(part)
        if pid is None:
            return
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.kills[f"{end} {part}"] += 1
        if part in ENDS_THE_PROGRAM:
            daemon.process.wait(60)
            daemon.start()

    def round(self):
        for _ in range(self.chance.randint(1, KILLS_MAX)):
            time.sleep(self.chance.uniform(0, SPAN_S))  # the moment is the test's input
            self.kill(*self.draw())


def all_running(world):
    for daemon in (world.manager, world.agent):
        if not daemon.running():
            raise Failure(f"{daemon.arguments[0]} ended by itself:\n{daemon.log_text()[-3000:]}")


def sweep(world, load):
    """A last scan of everything: what was cancelled or lost with a worker is found now."""
    scan = load.command("scan", paths=[world.files])
    load.wait_ended(scan)
    account.settle(world)
    books = account.check(world, load)
    left = [path for path in load.made if os.path.lexists(path)]
    if left:
        raise Failure(f"not found by the last scan: {left}")
    return books


def run(world, given):
    world.both()
    load, killer = Load(world, given.seed), Killer(world, given.seed)
    for number in range(1, given.rounds + 1):
        began = time.monotonic()
        before = Counter(killer.kills)
        load.begin()
        killer.round()
        load.finish()
        all_running(world)
        account.settle(world)
        books = account.check(world, load)
        load.forget_ended(books)
        print(f"round {number}: killed {dict(killer.kills - before)}, {len(books.events)} events,"
              f" {len(books.commands)} commands, {len(books.items)} items; {time.monotonic() - began:.1f} s",
              flush=True)
    books = sweep(world, load)
    states = Counter(item["state"] for item in books.items.values())
    print(f"{given.rounds} rounds, {sum(killer.kills.values())} kills {dict(killer.kills)}")
    print(f"{len(books.events)} events, none missing, none twice; {len(books.commands)} commands,"
          f" {dict(Counter(c['kind'] + ' ' + c['state'] for c in books.commands.values()))};"
          f" {len(books.items)} detections = {dict(states)}")


if __name__ == "__main__":
    sys.exit(main("kills", __doc__, run, rounds=ROUNDS))
