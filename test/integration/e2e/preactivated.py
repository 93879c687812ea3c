#!/usr/bin/env python3
"""Agents that wait for one manager, which dials and activates them."""
import os
import signal

from installation import Agent, Site, free_port, main, run, wait_until

site = Site()
other = Site()


def key_of(where):
    """The file that `muster cert export` writes."""
    path = where.path("manager.pub")
    if not os.path.exists(path):
        where.muster("cert", "export", path).expect(0)
    return path


def prepare(name, where=site):
    agent = Agent(site.directory, name)
    agent.port = free_port()
    agent("prepare", "--trust", key_of(where), "--listen-port", str(agent.port)).expect(0, "alone")
    site.agents.append(agent)
    agent.start()
    wait_until("its port", lambda: agent("status", "-o", "json").json["link"]["listening"])
    return agent


def activate(agent, *options, where=site):
    return where.muster("computer", "activate", f"127.0.0.1:{agent.port}", *options, "-o", "json")


def is_online(name, where=site):
    found = where.json("computer", "list", "--name", name)
    return len(found) == 1 and found[0]["status"] == "online"


def works_by_hand():
    agent = prepare("plain")
    status = agent("status").expect(0, "prepared, not activated").out
    assert str(agent.port) in status, status
    agent("heartbeat").expect(1, "not activated")
    computer = activate(agent, "--name", "plain", "--group", "floor 1").expect(0).json
    assert computer["name"] == "plain" and computer["group"] == "floor 1", computer
    assert computer["dial_address"] == "127.0.0.1", computer
    wait_until("plain online", lambda: is_online("plain"))
    site.wait_events(704, computer="plain")
    agent("heartbeat").expect(0)
    assert not os.path.exists(os.path.join(agent.data, "identity", "prepared.pub"))
    # Once more changes nothing.
    again = activate(agent).expect(0).json
    assert again["id"] == computer["id"], again
    assert len(site.json("computer", "list", "--name", "plain")) == 1
    # It does what it is told.
    site.muster("computer", "heartbeat", "plain", "--watch").expect(0)


if __name__ == "__main__":
    with site, other:
        site.add_manager()
        other.add_manager()
        code = main([works_by_hand])
    raise SystemExit(code)
