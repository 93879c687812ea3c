"""A manager that is killed (-9) in the midst of changes: what the tests of that have in common.

An oracle makes one change after another and knows what was acknowledged: step() makes one and says whether it was
acknowledged, compare() raises Failure when what is there is anything else.
"""
import http.client
import os
import signal
import threading
import time
from collections import Counter

from world import Failure, wait_until

SPAN_S = 2


def ask(world, method, path, body=None):
    """The answer in a list, or None when nobody knows what became of the request."""
    try:
        status, content = world.manager.once(method, path, body)
    except (OSError, http.client.HTTPException, ValueError):
        return None
    if status >= 500 or status == 429:
        return None
    if status not in (200, 201, 204):
        raise Failure(f"{method} {path} {body}: {status} {content}")
    return [content]


def wait_ready(world):
    """Whoever kills the manager starts it again."""
    wait_until("the manager", world.manager.ready)


def done_in_audit(world, kinds):
    """How often the audit log tells each action of each object, of actions that begin with one of the words."""
    return Counter((entry["action"], entry["object"]) for entry in world.manager.all_of("/audit?")
                   if entry["action"].split(".")[0] in kinds and entry["outcome"] == "done")


def compare_audit(world, kinds, expected):
    told = done_in_audit(world, kinds)
    if told != expected:
        raise Failure(f"the audit log has, and should not or not so often: {told - expected};"
                      f" should have, and has not: {expected - told}")


class Killer(threading.Thread):
    """Kills after a while, and starts again what does not start by itself."""

    def __init__(self, world, after_s, part):
        super().__init__(daemon=True)
        self.world, self.after_s, self.part = world, after_s, part
        self.error = None

    def run(self):
        time.sleep(self.after_s)  # the moment is the test's input
        try:
            if self.part == "all":
                self.world.manager.kill()
                self.world.manager.up()
            else:
                role = wait_until(f"the role {self.part}", lambda: self.world.manager.part(self.part))
                os.kill(role, signal.SIGKILL)
                wait_until(f"another {self.part}", lambda: self.world.manager.part(self.part) not in (None, role))
        except BaseException as error:  # handed on
            self.error = error


def rounds(world, count, chance, oracle, parts=("front", "all")):
    """Each round makes changes until somebody is killed: one part after the other, then always all of it."""
    answers = Counter()
    for number in range(count):
        killer = Killer(world, chance.uniform(0, SPAN_S), parts[number] if number < len(parts) else "all")
        told = Counter()
        killer.start()
        while killer.is_alive():
            told["acknowledged" if oracle.step() else "cut off"] += 1
        killer.join()
        if killer.error is not None:
            raise killer.error
        wait_ready(world)
        there = oracle.compare()
        answers += told
        print(f"round {number + 1}: {told['acknowledged']} changes acknowledged, {told['cut off']} cut off; {there}",
              flush=True)
    if answers["acknowledged"] < count or not answers["cut off"]:
        raise Failure(f"nothing was killed in the midst of its work: {answers}")
