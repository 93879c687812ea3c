#!/usr/bin/env python3
"""An agent killed (-9) while it tries another way to its manager: its policy has a TLS profile that the manager does not
serve.

usage: trial.py [--rounds N] [--seed S]

In a round link ends just before a chosen write, sync or rename, then the agent, or link alone, is killed at moments of
the trial until it refuses the profile. After each end it is back by the way that it had, by itself. Then it says why it
refused, once, and obeys; and the policy is taken back. Last, if there is more than one round, one that is killed once
and then left alone takes the old way again when its patience, of three minutes, is over.
"""
import os
import random
import signal
import sys
import time

from world import ENDED, V1, Failure, armed, main, wait_until

PROFILE = "strong-12"
CALLS = 40   # of link, from its start to the trial's, at most
SPAN_S = 1
KILLS_MAX = 9
PATIENCE_S = 900  # the agent's own is 3 min
REFUSED = 4021


class Trial:
    def __init__(self, world, chance):
        self.world, self.chance, self.refusals, self.wishes = world, chance, 0, 0

    def wish(self, profile):
        """Each time with another interval: the one that was refused is not tried again for a while."""
        self.wishes += 1
        settings = {"link.tls_profile": profile, "link.heartbeat_interval": f"{self.wishes}m"}
        status, told = self.world.manager.once("PATCH", f"{V1}/computers/{self.world.agent.id}", {"settings": settings})
        if status != 200:
            raise Failure(f"link.tls_profile={profile}: {status} {told}")

    # --- what there is ---

    def status(self):
        return wait_until("the agent answers", lambda: self.world.agent.ask("status"))

    def in_force(self):
        settings = self.world.agent.ask("settings") or []
        return next((each["value"] for each in settings if each["name"] == "link.tls_profile"), None)

    def refused(self):
        return self.status()["configuration"]["refused"]

    def on_trial(self):
        """Its manager has refused it at least once."""
        status = self.status()
        return status["configuration"]["under_way"] and not status["connected"]

    def computer(self):
        return self.world.manager.get(f"/computers/{self.world.agent.id}")

    def wait_back(self):
        """A link that was started anew has been answered: that can only be by the way of before."""
        return wait_until("the agent is back", lambda: self.status()["last_exchange"])

    def check_refused(self, reason):
        self.refusals += 1
        told = wait_until("the manager is told", lambda: self.computer()["config_state"] == "failed" and self.computer())
        if reason not in told["config_error"] or reason not in self.refused():
            raise Failure(f"refused should be because of '{reason}': {told['config_error']}; {self.refused()}")
        if self.in_force() != "modern":
            raise Failure(f"{self.in_force()} is in force")
        events = self.world.manager.rows("SELECT count(*) FROM event WHERE type = ?", REFUSED)[0][0]
        if events != self.refusals:
            raise Failure(f"{events} events tell of {self.refusals} refusals")
        self.obeys()

    def obeys(self):
        status, told = self.world.manager.once("POST", f"{V1}/computers/{self.world.agent.id}/commands",
                                               {"kind": "heartbeat"})
        if status != 201:
            raise Failure(f"heartbeat: {status} {told}")
        wait_until("an order is obeyed",
                   lambda: self.world.manager.get(f"/commands/{told['id']}")["state"] == "succeeded")

    # --- what is done to it ---

    def end_at_call(self, number):
        agent = self.world.agent
        ends = agent.log_text().count(f"exit status {ENDED}")
        agent.stop()
        agent.environment = armed(self.world.directory, "link", "any", number)
        agent.start()
        agent.environment = None
        self.status()
        self.wish(PROFILE)
        wait_until("the trial", lambda: self.on_trial() or agent.log_text().count(f"exit status {ENDED}") > ends)
        return f"ended before call {number}"

    def kill_link(self):
        pid = wait_until("link", lambda: self.world.agent.part("link"))
        os.kill(pid, signal.SIGKILL)
        wait_until("another link", lambda: self.world.agent.part("link") not in (None, pid))

    def kill_all(self):
        self.world.agent.kill()
        self.world.agent.start()

    def kill(self):
        """Once the trial goes on, or somewhere on the way to it."""
        kind = self.chance.choice(("link", "agent", "agent on the way"))
        if kind == "agent on the way":
            time.sleep(self.chance.uniform(0, SPAN_S))  # the moment is the test's input
        else:
            wait_until("the trial", self.on_trial)
        if kind == "link":
            self.kill_link()
        else:
            self.kill_all()
        return f"{kind} killed"


def one_round(trial, number):
    told = [trial.end_at_call(trial.chance.randint(1, CALLS))]
    while True:
        trial.wait_back()
        if trial.refused():
            break
        if len(told) > KILLS_MAX:
            raise Failure(f"it tries again and again: {', '.join(told)}")
        told.append(trial.kill())
    trial.check_refused("stopped 3 times")
    trial.wish(None)
    wait_until("nothing is refused any more", lambda: trial.computer()["config_state"] == "applied"
               and not trial.refused())
    print(f"round {number}: {', '.join(told)}: back each time, and refused", flush=True)


def left_alone(trial):
    trial.wish(PROFILE)
    wait_until("the trial", trial.on_trial)
    trial.kill_link()
    trial.wait_back()
    wait_until("the second trial", trial.on_trial)
    wait_until("its end", lambda: trial.refused() and trial.status()["connected"], PATIENCE_S)
    trial.check_refused("the manager was not reached with it")
    print("killed once and left alone: taken back when its patience was over", flush=True)


def run(world, given):
    world.both()
    trial = Trial(world, random.Random(f"{given.seed} trial"))
    for number in range(1, given.rounds + 1):
        one_round(trial, number)
    if given.rounds > 1:
        left_alone(trial)


if __name__ == "__main__":
    sys.exit(main("trial", __doc__, run, rounds=4))
