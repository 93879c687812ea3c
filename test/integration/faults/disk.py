#!/usr/bin/env python3
"""A full disk under the agent's data, then under the manager's, and room again.

usage: disk.py [--seed S]

Each data directory is a tmpfs of a fixed size. While it is full the load goes
on; what was answered before and meanwhile must be there afterwards, nothing
twice, and both ends go on by themselves once there is room. Needs the right to
mount; without it the test is skipped.
"""
import argparse
import os
import subprocess
import sys

import account
from load import Load
from world import SKIPPED, Agent, Failure, Manager, World, wait_until

SIZE_KIB = 64 * 1024
PIECE = 64 * 1024


def mount(path):
    os.makedirs(path)
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_KIB}k,mode=755", "muster-test", path],
                          stderr=subprocess.DEVNULL).returncode == 0


def fill(path, leave=0):
    """A file that takes all that is free but `leave` bytes; the file."""
    name = os.path.join(path, "filler")
    with open(name, "wb", buffering=0) as file:
        try:
            while os.statvfs(path).f_bavail * os.statvfs(path).f_frsize > leave:
                file.write(b"\xff" * PIECE)
        except OSError:
            pass
    return name


class Disks:
    def __init__(self):
        self.world = World("disk")
        self.mounts = [os.path.join(self.world.directory, name) for name in ("manager-disk", "agent-disk")]
        self.mounted = []

    def mount(self):
        for path in self.mounts:
            if not mount(path):
                return False
            self.mounted.append(path)
        return True

    def start(self):
        world = self.world
        world.manager = Manager(world.directory, data=os.path.join(self.mounts[0], "manager"))
        world.manager.up()
        world.agent = Agent(world.directory, world.manager, world.signatures,
                            data=os.path.join(self.mounts[1], "agent"))
        world.agent.activate()
        world.agent.up()

    def end(self, failed):
        self.world.agent and self.world.agent.running() and self.world.agent.kill()
        self.world.manager and self.world.manager.running() and self.world.manager.kill()
        for path in self.mounted:
            subprocess.run(["umount", "-l", path], check=False)
        self.world.end(failed)


def agent_says(world, load):
    """Commands that failed, and said that it was for want of room; or the log, when it cannot even take commands."""
    return [command["result"]["text"] for command in world.manager.get("/commands?state=failed&limit=1000")["items"]
            if command["result"].get("code") == "space"] + \
        [line for line in world.agent.log_text().splitlines() if '"code":"space"' in line]


def manager_says(world, load):
    """Requests that were refused, and said why."""
    return [content for status, content in load.refusals if "space" in str(content) or "full" in str(content)]


def full_and_free(disks, load, path, what, says):
    """The load meets a full disk in its midst, and room again while it still runs."""
    world = disks.world
    load.begin()
    wait_until("some work", lambda: load.batches >= 3)
    before = load.batches
    filler = fill(path)
    said = wait_until(f"an error that says that {what}'s disk is full", lambda: says(world, load))
    os.unlink(filler)
    wait_until("work again", lambda: load.batches >= before + 3)
    load.finish()
    for daemon in (world.agent, world.manager):
        if not daemon.running():
            raise Failure(f"{daemon.arguments[0]} ended:\n{daemon.log_text()[-3000:]}")
    account.settle(world)
    books = account.check(world, load, troubled=True)
    load.forget_ended(books)
    print(f"{what}'s disk full and free again, told as {said[0]!r}: {len(books.events)} events,"
          f" {len(books.commands)} commands, {len(books.items)} items, all counts exact", flush=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    given = arguments.parse_args()
    print(f"seed {given.seed}", flush=True)
    disks, failed = Disks(), True
    try:
        if not disks.mount():
            failed = False
            print("skipped: no right to mount a small file system")
            return SKIPPED
        disks.start()
        load = Load(disks.world, given.seed)
        full_and_free(disks, load, disks.mounts[1], "the agent", agent_says)
        full_and_free(disks, load, disks.mounts[0], "the manager", manager_says)
        failed = False
        print("[  PASSED  ] 2 test(s).")
    except Failure as failure:
        print(f"{failure}\nalone: {' '.join(sys.argv)} --seed {given.seed}\n[  FAILED  ] 1 test(s).")
    finally:
        disks.end(failed)
    return 1 if failed else 0


sys.exit(main())
