#!/usr/bin/env python3
"""The wall clocks of manager and agent set forward and back by hours, under load.

usage: clocks.py [--rounds N] [--seed S]

clock.c shifts what both programs read, each by its own file; spans are measured
by clocks that nobody can set, so nothing may time out, stick, be lost or be done
twice. Then orders are given in the midst of leaps, and a command's time-out is seen to pass in its own time, while the
manager's clock leaps both ways. Last, the manager's clock is set while it is
down: that is no change of the agent's, and one of the agent's is still told.
"""
import os
import random
import struct
import sys
import threading
import time

import account
from load import Load
from world import V1, Agent, Failure, Manager, Quietly, main, wait_until

FARTHEST_S = 10 * 3600  # an agent obeys while clocks differ by less than a day
LEAPS = 4
TIMEOUT_S = 12
ORDERS = 150


class Clock:
    def __init__(self, world, name):
        self.path, self.offset_s = os.path.join(world.directory, name), 0
        shim = os.environ.get("MUSTER_CLOCK_SHIM", "")
        if not os.path.isfile(shim):
            raise Failure("MUSTER_CLOCK_SHIM must name the library made of clock.c")
        self.set(0)
        self.environment = {"LD_PRELOAD": shim, "MUSTER_CLOCK": self.path,
                            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}

    def set(self, offset_s):
        self.offset_s = offset_s
        with open(self.path, "r+b" if os.path.exists(self.path) else "wb", buffering=0) as file:
            file.write(struct.pack("q", int(offset_s * 1e6)))


def set_on_agent(world, settings):
    status, told = world.manager.once("PATCH", f"{V1}/computers/{world.agent.id}", {"settings": settings})
    if status != 200:
        raise Failure(f"{settings}: {status} {told}")


def start(world):
    clocks = [Clock(world, "manager-clock"), Clock(world, "agent-clock")]
    world.manager = Manager(world.directory, environment=clocks[0].environment)
    world.manager.up()
    world.agent = Agent(world.directory, world.manager, world.signatures, environment=clocks[1].environment)
    world.agent.activate()
    set_on_agent(world, {"link.heartbeat_interval": "10s"})  # what is waited for below shows with each heartbeat
    world.agent.up()
    return clocks


def leaps(world, load, clocks, chance):
    """Both clocks go to and fro while the work goes on."""
    load.begin()
    for _ in range(LEAPS):
        chance.choice(clocks).set(chance.uniform(-FARTHEST_S, FARTHEST_S))
        before = load.batches
        wait_until("work after a leap", lambda: load.worked(before + 2))
    load.finish()
    account.settle(world)
    books = account.check(world, load)
    load.forget_ended(books)
    return books


def heard_after(world, moment):
    """An exchange of after that moment is in the books, and what it said."""
    def heard():
        asked = world.manager.once("POST", f"{V1}/computers/{world.agent.id}/commands", {"kind": "heartbeat"})
        if asked[0] != 201:
            return False
        path = f"/commands/{asked[1]['id']}"
        return wait_until("a heartbeat asked for", lambda: world.manager.get(path)["state"] == "succeeded")
    wait_until(f"the agent to be heard {moment}", heard)


def believed(world, clocks):
    """The shims work: both ends show times that are wrong by as much as they were told."""
    clocks[0].set(FARTHEST_S / 2)
    shown = world.manager.get("/system")["time"]
    if time.mktime(time.strptime(shown[:19], "%Y-%m-%dT%H:%M:%S")) - time.mktime(time.gmtime()) < FARTHEST_S / 4:
        raise Failure(f"the manager's clock did not leap: {shown}")
    clocks[1].set(-FARTHEST_S / 2)
    wait_until("the agent's clock to be seen from the manager", lambda: world.manager.get(
        f"/computers/{world.agent.id}")["clock_offset_s"] < -FARTHEST_S / 2)


def time_out(world, clocks):
    """A command for an agent that is away ends in its own time, wherever the clock stands."""
    world.agent.stop()
    path = f"{V1}/computers/{world.agent.id}/commands"
    began = time.monotonic()
    status, command = world.manager.once("POST", path, {"kind": "heartbeat", "timeout": TIMEOUT_S})
    if status != 201:
        raise Failure(f"heartbeat: {status} {command}")
    state = lambda: world.manager.get(f"/commands/{command['id']}")["state"]
    leap = FARTHEST_S
    while state() in ("pending", "sent"):
        clocks[0].set(leap)
        leap = -leap
        if time.monotonic() > began + TIMEOUT_S + 60:
            raise Failure(f"{state()} after {time.monotonic() - began:.0f} s, its time-out was {TIMEOUT_S} s")
        time.sleep(0.2)  # the rate of leaps is the test's input
    if state() != "timed_out" or time.monotonic() < began + TIMEOUT_S:
        raise Failure(f"{state()} after {time.monotonic() - began:.1f} s, its time-out was {TIMEOUT_S} s")
    print(f"timed out after {time.monotonic() - began:.1f} s of {TIMEOUT_S}, through leaps of {2 * leap / 3600:+.0f} h")


def orders_meanwhile(world, clocks):
    """An order whose stamp is hours away before it is signed is stamped anew: each is taken at the first try."""
    stop = threading.Event()

    def to_and_fro():
        while not stop.is_set():
            clocks[0].set(-clocks[0].offset_s or FARTHEST_S / 2)
            stop.wait(0.1)  # the rate of leaps is the test's input
    leaping = Quietly(to_and_fro)
    leaping.start()
    path, ids = f"{V1}/computers/{world.agent.id}/commands", []
    try:
        for _ in range(ORDERS):
            status, told = world.manager.once("POST", path, {"kind": "heartbeat"})
            if status != 201:
                raise Failure(f"an order in the midst of leaps: {status} {told}")
            ids.append(told["id"])
    finally:
        stop.set()
        leaping.join_or_raise()
    for each in ids:
        wait_until("its end", lambda each=each: world.manager.get(f"/commands/{each}")["state"] == "succeeded")
    print(f"{len(ids)} orders while the manager's clock went to and fro, all taken and done")


def clock_changes(world):
    return [event["fields"] for event in world.manager.all_of(f"/events?computer={world.agent.id}&type=734")]


def set_while_down(world, clocks):
    """Ours set while we were down raises nothing; the agent's own does, once."""
    for clock in clocks:
        clock.set(0)
    world.agent.up()
    set_on_agent(world, {"link.clock_change": "10m"})
    heard_after(world, "with a limit")
    before = clock_changes(world)
    world.manager.stop()
    clocks[0].set(FARTHEST_S / 2)
    world.manager.up()
    heard_after(world, "after the manager's clock was set while it was down")
    if clock_changes(world) != before:
        raise Failure(f"the manager's own clock raised {clock_changes(world)[:2]}")
    world.manager.stop()
    clocks[1].set(FARTHEST_S / 4)
    world.manager.up()
    heard_after(world, "after its clock was set while the manager was down")
    if len(clock_changes(world)) != len(before) + 1:
        raise Failure(f"the agent's clock was set, and told {len(clock_changes(world)) - len(before)} times")
    print("the manager's clock set while it was down: nothing told; the agent's: told once")


def run(world, given):
    clocks, chance = start(world), random.Random(f"{given.seed} clocks")
    load = Load(world, given.seed)
    believed(world, clocks)
    for number in range(1, given.rounds + 1):
        books = leaps(world, load, clocks, chance)
        print(f"round {number}: clocks off by {', '.join(f'{clock.offset_s / 3600:+.1f} h' for clock in clocks)};"
              f" {len(books.events)} events, {len(books.commands)} commands, {len(books.items)} items,"
              " all counts exact", flush=True)
    orders_meanwhile(world, clocks)
    time_out(world, clocks)
    set_while_down(world, clocks)


if __name__ == "__main__":
    sys.exit(main("clocks", __doc__, run, rounds=3))
