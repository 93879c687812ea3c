#!/usr/bin/env python3
"""Commands at every stage: queued, paused, cancelled, for computers that are away or deleted."""
import os
import subprocess

from installation import SIGNATURES, Agent, Site, main, program, run, wait_until

site = Site()


def issue(*words):
    return site.json("computer", "scan", *words)["id"]


def show(command):
    return site.json("command", "show", command)


def wait_state(command, state):
    return wait_until(f"{state}, not {show(command)['state']}", lambda: show(command)["state"] == state)


def many():
    place = site.files("many")
    for number in range(1200):
        with open(os.path.join(place, str(number)), "wb") as file:
            file.write(os.urandom(20000))
    return place


def queue_and_pause():
    place = many()
    first = issue("one", place)
    second = issue("one", "/usr/share/common-licenses")
    local = subprocess.Popen([program("muster-agent"), "scan", SIGNATURES, "--data", site.agent.data],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    site.muster("command", "pause", first).expect(0)
    wait_until("the pause", lambda: show(first)["progress"].get("paused"))
    # A paused scan does not keep the others waiting.
    wait_state(second, "succeeded")
    assert local.wait(60) in (0, 1)
    local.stdout.close()
    assert show(first)["state"] == "running"
    # It outlives the agent.
    assert site.agent.stop() == 0
    site.agent.start()
    site.wait_online("one")
    site.muster("command", "resume", first).expect(0)
    wait_state(first, "succeeded")
    assert show(first)["result"]["files"] == "1200", show(first)
    site.muster("command", "pause", first).expect(1, "has ended: succeeded")
    site.muster("command", "cancel", first).expect(1, "has ended: succeeded")
    site.muster("command", "cancel", "00000000-0000-7000-8000-000000000000").expect(1, "no such command")


def cancelled():
    paused = issue("one", "/usr")
    waiting = issue("one", "/usr/share/common-licenses")
    site.muster("command", "cancel", paused).expect(0)
    wait_state(paused, "cancelled")
    wait_state(waiting, "succeeded")
    site.muster("command", "watch", paused).expect(1, "cancelled")


def away():
    site.activate(Agent(site.directory, "away")).expect(0)
    pending = issue("away", "/tmp")
    site.muster("command", "cancel", pending).expect(0)
    wait_state(pending, "cancelled")
    site.muster("command", "watch", pending).expect(1, "before it was sent")
    ended = site.muster("computer", "scan", "away", "/tmp", "--timeout", "1s", "--watch").expect(1, "timed out")
    assert "0 files" not in ended.err, ended


def manager_away():
    place = site.files("manager-away")
    assert site.manager.stop() == 0
    site.agent("heartbeat").expect(1, "Connection refused")
    wait_until("not connected", lambda: not site.agent("status", "-o", "json").json["connected"])
    site.agent("status").expect(0, "not connected", "Connection refused")
    site.agent("events").expect(0)
    site.agent("scan", place).expect(0)
    assert site.agent("status", "-o", "json").json["events_waiting"] > 0
    site.manager.start()
    wait_until("the events of meanwhile", lambda: site.agent("status", "-o", "json").json["events_waiting"] == 0)
    assert any(event["fields"].get("paths") == place for event in site.json("event", "list", "--type", "2002"))


def deleted():
    site.muster("computer", "delete", "one", "--yes").expect(0)
    wait_until("the agent knows", lambda: site.agent("status", "-o", "json").json["revoked"])
    site.agent("status").expect(0, "does not accept this computer any more", "muster-agent reset")
    site.agent("reset", "--yes").expect(1, "stop it first")
    assert site.agent.stop() == 0
    site.agent("reset").expect(2, "--yes")
    site.agent("reset", "--yes").expect(0)
    site.agent("status").expect(1, "not activated")
    run(site.agent.arguments).expect(1, "not activated")
    site.activate(site.agent).expect(0, "Activated")
    site.agent.start()
    site.wait_online("one")
    site.muster("computer", "scan", "one", "/usr/share/common-licenses", "--watch").expect(0)


if __name__ == "__main__":
    with site:
        site.add_manager()
        site.agent = site.add_agent("one")
        code = main([queue_and_pause, cancelled, away, manager_away, deleted])
    raise SystemExit(code)
