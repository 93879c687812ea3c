#!/usr/bin/env python3
"""Guard's own files damaged or removed while the agent is down; it goes on, and says what it lost.

usage: state.py [--seed S]
"""
import os
import random
import shutil
import sys

import account
from load import Load
from world import main


def scan(world, load, chance):
    load.wait_ended(load.command("scan", paths=[load.make_batch(chance), load.common]))


def flip_header(guard):
    path = os.path.join(guard, "outbox.log")
    with open(path, "r+b") as file:
        file.seek(9)
        byte = file.read(1)
        file.seek(9)
        file.write(bytes((byte[0] ^ 0x10,)))


def cut_header(guard):
    os.truncate(os.path.join(guard, "outbox.log"), 11)


def remove_outbox(guard):
    os.unlink(os.path.join(guard, "outbox.log"))


def remove_all_but_the_key(guard):
    """Without its key nothing could be taken out of the vault again."""
    for name in os.listdir(guard):
        path = os.path.join(guard, name)
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif name != "vault.key":
            os.unlink(path)


# What is done to guard/, and whether it is damage that must be told.
HARMS = ((flip_header, True), (remove_outbox, False), (cut_header, True), (remove_all_but_the_key, False))


def run(world, given):
    world.both()
    load, chance, damaged = Load(world, given.seed), random.Random(f"{given.seed} state"), 0
    scan(world, load, chance)
    for harm, is_damage in HARMS:
        account.settle(world)
        world.agent.stop()
        harm(os.path.join(world.agent.data, "guard"))
        damaged += is_damage
        world.agent.up()
        scan(world, load, chance)
        account.settle(world)
        books = account.check(world, load, damaged=damaged)
        print(f"{harm.__name__}: {len(books.events)} events, {damaged} of them tell of damage,"
              f" {len(books.items)} items, all counts exact", flush=True)


if __name__ == "__main__":
    sys.exit(main("state", __doc__, run))
