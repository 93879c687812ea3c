#!/usr/bin/env python3
"""A manager killed in the middle of verifying connections: the verification is closed, what was known by then is kept,
and nothing is made up about the rest.

usage: verifying.py [--rounds N]

Of two agents one is stopped, so that a verification stays under way; kill -9 ends the manager then.
"""
import os
import signal
import sys

from world import V1, Agent, Failure, main, wait_until



def verify(world, body):
    status, told = world.manager.once("POST", V1 + "/computers/verify", body)
    if status != 201:
        raise Failure(f"verify: {status} {told}")
    return told["id"]


def answered(world, verification, count):
    wait_until(f"{count} answers", lambda: world.manager.get(f"/verifications/{verification}")["answered"] == count)


def killed_in_the_middle(world, still):
    """The silent one's link stands still; the other one's answer is in when the manager dies."""
    link = still.part("link")
    os.kill(link, signal.SIGSTOP)
    try:
        verification = verify(world, {"all": True})
        answered(world, verification, 1)
        before = world.manager.get(f"/verifications/{verification}")
        if before["ended"] is not None:
            raise Failure(f"it had ended before the manager was killed: {before}")
        world.manager.kill()
        world.manager.up()
    finally:
        os.kill(link, signal.SIGCONT)
    return verification


def check_closed(world, verification):
    after = world.manager.get(f"/verifications/{verification}")
    if after["ended"] is None or after["total"] != 2:
        raise Failure(f"it is not closed: {after}")
    results = world.manager.get(f"/verifications/{verification}/results")["items"]
    if [each["outcome"] for each in results] != ["answered"] or results[0]["computer"] != world.agent.id:
        raise Failure(f"what was known is not what is kept: {results}")
    if (after["answered"], after["silent"], after["away"]) != (1, 0, 0):
        raise Failure(f"something is said of a computer that nobody waited for: {after}")


def check_goes_on(world):
    """Another one works, and both are there."""
    def both_there():
        verification = verify(world, {"all": True})
        wait_until("its end", lambda: world.manager.get(f"/verifications/{verification}")["ended"])
        return world.manager.get(f"/verifications/{verification}")["answered"] == 2
    wait_until("both to answer", both_there)
    under_way = [each for each in world.manager.all_of("/verifications?") if each["ended"] is None]
    if under_way:
        raise Failure(f"still under way: {under_way}")


def run(world, given):
    world.both()
    still = Agent(os.path.join(world.directory, "second"), world.manager, world.signatures)
    try:
        still.activate()
        still.up()
        for number in range(1, given.rounds + 1):
            verification = killed_in_the_middle(world, still)
            check_closed(world, verification)
            check_goes_on(world)
            print(f"round {number}: closed with one answer of two; the next one went on", flush=True)
    finally:
        if still.running():
            still.kill()


if __name__ == "__main__":
    sys.exit(main("verifying", __doc__, run, rounds=2))
