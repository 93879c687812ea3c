#!/usr/bin/env python3
"""A direction is switched, and in the midst of that manager and agent are killed (-9), one of them or both, in both orders.

usage: switching.py [--rounds N] [--seed S]

A round is the four of them. What the manager acknowledged is what both ends have in force afterwards, whatever died;
the agent is reached again by itself, and all events, commands and items are counted exactly.
"""
import random
import sys
import time

import account
import direction
from load import Load
from world import main

ORDERS = (("manager",), ("agent",), ("manager", "agent"), ("agent", "manager"))
SPAN_S = 1.5


def bring_back(world, end):
    daemon = getattr(world, end)
    daemon.up() if end == "manager" else daemon.start()


def switch(world, load, chance, order, before):
    """A scan is under way, so that there is something to lose."""
    wanted = direction.draw(chance, before)
    scan = load.command("scan", paths=[load.make_batch(chance), load.common])
    direction.change(world, wanted)
    for end in order:
        time.sleep(chance.uniform(0, SPAN_S))  # the moment is the test's input
        getattr(world, end).kill()
    for end in chance.sample(order, len(order)):
        bring_back(world, end)
    direction.wait_kept(world, wanted)
    load.wait_ended(scan)
    load.wait_ended(load.command("heartbeat"))
    account.settle(world)
    return wanted


def run(world, given):
    world.both(direction.SETTINGS)
    direction.dial_on_loopback(world)
    load, chance, now = Load(world, given.seed), random.Random(f"{given.seed} switching"), "bidirectional"
    direction.turn(world, now)
    for number in range(1, given.rounds + 1):
        told = []
        for order in chance.sample(ORDERS, len(ORDERS)):
            now = switch(world, load, chance, order, now)
            told.append(f"{' and '.join(order)} killed on the way to {now}")
            books = account.check(world, load)
        load.forget_ended(books)
        print(f"round {number}: {'; '.join(told)}; {len(books.events)} events, {len(books.commands)} commands,"
              f" {len(books.items)} items, all counts exact", flush=True)


if __name__ == "__main__":
    sys.exit(main("switching", __doc__, run, rounds=3))
