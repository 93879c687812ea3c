#!/usr/bin/env python3
"""kill -9 in the midst of uploads that are held back by upload_rate.

usage: uploads.py [--rounds N] [--seed S] [--turned]

Each round puts large files into quarantine and kills a process whenever the
manager has a part of one of them: what it has must be gone on with or sent
anew, and in the end both copies are the same byte for byte. A round without
kills shows that the rate is kept. --turned: the agent only listens, so that files
go over connections that the manager dialled and the agent was given the turn of.
"""
import os
import random
import signal
import sys
import time
from collections import Counter

import account
import direction
from load import Load
from world import MARK, Failure, main, wait_until

RATE = 4_000_000
PIECE = 1 << 20  # what one request carries
FILES, FILE_BYTES = 2, 3_500_000
PARTS = (("manager", "front"), ("agent", "link"), ("agent", "guard"), ("manager", "supervisor"), ("agent", "starter"))
ENDS_THE_PROGRAM = ("supervisor", "guard", "starter")
KILLS = 3


def incoming(world):
    """Files of which the manager has a part: name to bytes."""
    directory = os.path.join(world.manager.data, "front", "quarantine", "incoming")
    found = {}
    for name in os.listdir(directory):
        try:
            found[name] = os.stat(os.path.join(directory, name)).st_size
        except FileNotFoundError:
            pass
    return found


def under_way(world):
    return any(0 < size < FILE_BYTES for size in incoming(world).values())


def waiting(world):
    return world.manager.rows("SELECT count(*) FROM quarantine_item WHERE uploaded IS NULL")[0][0]


def kill(world, end, part):
    daemon = getattr(world, end)
    pid = daemon.part(part)
    if pid is None:
        return False
    os.kill(pid, signal.SIGKILL)
    if part in ENDS_THE_PROGRAM:
        daemon.process.wait(60)
        daemon.start()
    return True


def scan_large(load, chance):
    directory = load.make_directory()
    for i in range(FILES):
        load.make_bad(os.path.join(directory, f"large-{i}"), chance.randbytes(FILE_BYTES) + MARK, 0o600)
    load.wait_ended(load.command("scan", paths=[directory]))


def check_rate(world, load, chance):
    began = time.monotonic()
    scan_large(load, chance)
    account.settle(world)
    took = time.monotonic() - began
    least = FILES * (FILE_BYTES // PIECE) * PIECE / RATE
    if took < least:
        raise Failure(f"{FILES} files took {took:.2f} s, at upload_rate at least {least:.2f} s")
    print(f"{FILES * FILE_BYTES} bytes in {took:.1f} s, at upload_rate not under {least:.1f} s", flush=True)


def kill_meanwhile(world, load, chance, kills):
    """A kill whenever something is under way, until all is sent or enough were killed."""
    scan_large(load, chance)
    deck = chance.sample(PARTS, KILLS)
    while deck:
        what = wait_until("an upload under way, or its end", lambda: under_way(world) and "kill" or not waiting(world))
        if what != "kill":
            break
        if kill(world, *deck[-1]):
            kills[" ".join(deck[-1])] += 1
        deck.pop()
    account.settle(world)
    books = account.check(world, load)
    left = incoming(world)
    if left:
        raise Failure(f"left behind: {left}")
    return books


def only_listen(world):
    direction.dial_on_loopback(world)
    direction.turn(world, "manager-initiated")


def run(world, given):
    world.both(f"{direction.SETTINGS}\nupload_rate = {RATE}\n")
    if given.turned:
        only_listen(world)
    load, chance, kills = Load(world, given.seed), random.Random(f"{given.seed} uploads"), Counter()
    check_rate(world, load, chance)
    for number in range(1, given.rounds + 1):
        before = Counter(kills)
        books = kill_meanwhile(world, load, chance, kills)
        print(f"round {number}: killed {dict(kills - before)}, {len(books.items)} copies the same", flush=True)
    if given.turned:
        direction.wait_kept(world, "manager-initiated")
    if given.rounds and not kills:
        raise Failure("nothing was killed in the midst of an upload")


if __name__ == "__main__":
    sys.exit(main("uploads", __doc__, run, rounds=3, turned=False))
