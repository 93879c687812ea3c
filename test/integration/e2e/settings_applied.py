#!/usr/bin/env python3
"""Settings from the manager in a running agent: in force, refused, kept over kills; local limits hold."""
import os
import signal
import subprocess

from installation import EICAR, Site, main, wait_until

site = Site()


def setting(agent, name):
    return next(each for each in agent("settings", "-o", "json").expect(0).json if each["name"] == name)


def wait_setting(agent, name, value, origin="policy"):
    wait_until(f"{name} = {value}", lambda: (setting(agent, name)["value"], setting(agent, name)["origin"]) == (value, origin))
    assert setting(agent, name)["locked"] == (origin == "policy")


def computer(name):
    return site.json("computer", "show", name)


def wait_state(name, state):
    wait_until(f"{name} is {state}", lambda: computer(name)["config_state"] == state)
    return computer(name)


def link_of(agent):
    found = subprocess.run(["pgrep", "-f", f"role link --data {agent.data}"], capture_output=True).stdout.split()
    return int(found[0]) if found else None


def set_base(*values):
    site.muster("policy", "set", "base", *values).expect(0)


def base_policy_reaches_a_running_agent():
    agent = site.add_agent("first")
    wait_state("first", "applied")
    link = link_of(agent)
    set_base("link.heartbeat_interval=10s", "link.poll=periodic", "link.poll_interval=2s")
    wait_setting(agent, "link.heartbeat_interval", "10s")
    wait_setting(agent, "link.poll", "periodic")
    wait_state("first", "applied")
    assert link_of(agent) == link, "the link was restarted"
    assert agent("status", "-o", "json").json["configuration"]["refused"] == ""
    site.wait_events(4020, 2, "first")
    set_base("link.poll=held")
    wait_setting(agent, "link.poll", "held")
    wait_state("first", "applied")


def excluded_paths_are_not_scanned():
    agent = site.agents[0]
    places = [site.files("excluded"), site.files("scanned")]
    for place in places:
        with open(os.path.join(place, "eicar"), "wb") as file:
            file.write(EICAR)
    set_base(f"scan.exclude_paths={places[0]}", "scan.cpu_limit=90")
    wait_setting(agent, "scan.exclude_paths", places[0])
    wait_state("first", "applied")
    site.muster("computer", "scan", "first", *places, "--watch").expect(0)
    assert os.path.exists(os.path.join(places[0], "eicar"))
    assert not os.path.exists(os.path.join(places[1], "eicar"))
    site.muster("policy", "unset", "base", "scan.exclude_paths").expect(0)
    wait_setting(agent, "scan.exclude_paths", "")
    site.muster("computer", "scan", "first", places[0], "--watch").expect(0)
    assert not os.path.exists(os.path.join(places[0], "eicar"))


def local_limits():
    uploads = site.files("uploads")
    agent = site.add_agent("limited")
    taken = os.path.join(uploads, "taken before the limit")
    with open(taken, "wb") as file:
        file.write(EICAR)
    agent("scan", uploads).expect(1)
    item = agent("quarantine", "list", "-o", "json").json[0]["id"]
    assert agent.stop() == 0
    with open(os.path.join(agent.data, "agent.ini"), "a") as file:
        file.write(f"[local]\nnever_exclude = {uploads}\nnever_delete = {uploads}\n")
    agent.start()
    wait_state("limited", "applied")
    before = setting(agent, "scan.cpu_limit")["value"]
    # Refused whole by the one, applied by the other.
    set_base(f"scan.exclude_paths={os.path.dirname(uploads)}", "scan.cpu_limit=80")
    failed = wait_state("limited", "failed")
    assert "never_exclude" in failed["config_error"], failed
    assert setting(agent, "scan.cpu_limit")["value"] == before
    assert "never_exclude" in agent("status", "-o", "json").json["configuration"]["refused"]
    wait_state("first", "applied")
    wait_setting(site.agents[0], "scan.cpu_limit", "80")
    assert "never_exclude" in site.wait_events(4021, 1, "limited")[0]["text"]
    set_base("scan.exclude_paths=/nowhere")
    wait_state("limited", "applied")
    wait_setting(agent, "scan.cpu_limit", "80")
    assert computer("limited")["config_error"] == ""
    # A detection there is told, and the file left alone.
    path = os.path.join(uploads, "eicar")
    with open(path, "wb") as file:
        file.write(EICAR)
    agent("scan", uploads).expect(1)
    assert os.path.exists(path)
    found = site.wait_events(2000, 2, "limited")
    assert any("never_delete" in event["fields"]["result"] for event in found), found
    agent("scan", uploads, "--exclude", uploads).expect(1, "never_exclude")
    # What was taken from there is not deleted, and does not replace what stands there now.
    agent("quarantine", "delete", item).expect(1, "never_delete")
    with open(taken, "wb") as file:
        file.write(b"new")
    agent("quarantine", "restore", item, "--overwrite").expect(1, "never_delete", "not replaced")
    os.remove(taken)
    agent("quarantine", "restore", item).expect(0)
    with open(taken, "rb") as file:
        assert file.read() == EICAR


def what_was_refused_and_taken_back_is_over():
    """The agent has what is wanted again, and gets no other configuration: nothing is wrong any more, at either end."""
    agent = next(each for each in site.agents if each.name == "limited")
    refused = lambda: agent("status", "-o", "json").json["configuration"]["refused"]
    alerts = lambda: site.json("alert", "list", "--type", "configuration_failed", "--state", "open", "--computer", "limited")
    set_base("scan.exclude_paths=/nowhere")
    wait_state("limited", "applied")
    for away in (False, True):
        applied = len(site.json("event", "list", "--type", "4020", "--computer", "limited"))
        set_base(f"scan.exclude_paths={site.directory}")
        wait_state("limited", "failed")
        assert "never_exclude" in refused() and alerts()
        if away:
            assert agent.stop() == 0
        set_base("scan.exclude_paths=/nowhere")
        shown = wait_state("limited", "applied")
        assert shown["config_error"] == "", shown
        if away:
            agent.start()
        wait_until("the agent's own word", lambda: refused() == "")
        wait_until("the alert's end", lambda: not alerts())
        assert len(site.json("event", "list", "--type", "4020", "--computer", "limited")) == applied


def kills():
    agent = site.agents[0]
    for round in range(4):
        set_base(f"scan.cpu_limit={70 + round}")
        link = link_of(agent)
        if link:
            os.kill(link, signal.SIGKILL)
        wait_setting(agent, "scan.cpu_limit", str(70 + round))
        wait_state("first", "applied")
    set_base("scan.cpu_limit=60")
    agent.stop(signal.SIGKILL)
    wait_until("the roles' end", lambda: link_of(agent) is None)
    agent.start()
    wait_setting(agent, "scan.cpu_limit", "60")
    wait_state("first", "applied")
    # The last good one is in force before the manager is reached.
    assert site.manager.stop() == 0
    assert agent.stop() == 0
    agent.start()
    wait_setting(agent, "scan.cpu_limit", "60")
    site.manager.start()
    site.wait_online("first")
    wait_state("first", "applied")


if __name__ == "__main__":
    with site:
        site.add_manager()
        code = main([base_policy_reaches_a_running_agent, excluded_paths_are_not_scanned, local_limits,
                     what_was_refused_and_taken_back_is_over, kills])
    raise SystemExit(code)
