#!/usr/bin/env python3
"""muster-agent uninstall: what is asked, what the manager is told, what is left; killed anywhere, run again."""
import fcntl
import os
import shutil
import signal
import subprocess

from computers import Computer, installing, line, make_package, site
from installation import EICAR, Agent, free_port, run, wait_until

PASSWORD = "wrong horse, other battery"


def detected(agent, name):
    path = os.path.join(site.files(), name)
    with open(path, "wb") as file:
        file.write(EICAR)
    agent("scan", path).expect(1, "1 detections")
    return path


# --- an agent that runs from elsewhere ---

def what_is_asked():
    agent = site.add_agent("one")
    path = detected(agent, "infected")
    agent("uninstall").expect(2, "--yes")
    agent("uninstall", "--yes").expect(1, "1 file", "in quarantine", "--keep-quarantine", "--delete-quarantine")
    agent("uninstall", "--yes", "--keep-quarantine", "--delete-quarantine").expect(2, "exclude each other")
    wait_until("the password", lambda: agent("status", "-o", "json").json["unload_password"])
    agent("uninstall", "--yes", "--keep-quarantine").expect(1, "unload password")
    agent("uninstall", "--yes", "--keep-quarantine", "--password", "not this one").expect(1, "not the unload password")
    assert agent.running()
    assert site.wait_events(5020, 1, "one")[0]["fields"]["action"] == "uninstall the agent"
    empty = site.files("empty")
    run([agent.arguments[0], "uninstall", "--yes", "--data", empty]).expect(1, "no agent in")
    run([agent.arguments[0], "uninstall", "--yes", "--data", empty + "/nowhere"]).expect(0, "nothing is to be removed")
    # What is in quarantine stays; the rest goes, and the manager knows at once.
    known = site.json("computer", "show", "one")
    ended = agent("uninstall", "--yes", "--keep-quarantine", "-o", "json", "--password", PASSWORD).expect(0).json
    assert ended["manager_told"] and ended["quarantined"] == 1 and ended["quarantine_kept"], ended
    assert agent.wait() == 0
    assert sorted(os.listdir(agent.data)) == ["guard", "vault"], os.listdir(agent.data)
    assert os.listdir(os.path.join(agent.data, "guard")) == ["vault.key"]
    shown = site.json("computer", "show", "one")
    assert shown["status"] == "unmanaged" and "uninstalled" in shown["status_cause"], shown
    assert site.wait_events(719, 1, "one")[0]["severity"] == "warning"
    assert any(event["fields"]["cause"] == "it is uninstalled" for event in site.wait_events(5003, 1, "one"))
    assert site.json("audit", "list", "--action", "computer.uninstall")[0]["actor"] == "its agent"
    # Installed again in that directory it is the same computer, and has the files.
    again = Agent(site.directory, "one")
    site.agents[0] = again
    site.activate(again).expect(0)
    again.start()
    site.wait_online("one")
    assert site.json("computer", "show", "one")["id"] == known["id"]
    item = wait_until("the item", lambda: again("quarantine", "list", "-o", "json").json)[0]["id"]
    again("quarantine", "restore", item).expect(0)
    with open(path, "rb") as file:
        assert file.read() == EICAR
    os.remove(path)


def the_manager_is_away():
    """It goes all the same, and says what is left to do."""
    agent = site.add_agent("lonely")
    assert agent.stop() == 0
    assert site.manager.stop() == 0
    ended = agent("uninstall", "--yes", "--password", PASSWORD).expect(0, "could not be told", "delete the computer lonely")
    assert "127.0.0.1" not in ended.out or "refused" in ended.out, ended
    assert not os.path.exists(agent.data)
    site.manager.start()
    site.wait_online("one")
    assert site.status_of("lonely") != "unmanaged"
    site.agents.remove(agent)


def not_running():
    agent = site.add_agent("still")
    wait_until("the password", lambda: agent("status", "-o", "json").json["unload_password"])
    assert agent.stop() == 0
    agent("uninstall", "--yes").expect(1, "unload password")
    agent("uninstall", "--yes", "--password-file", "-", stdin=PASSWORD.encode()).expect(0, "knows that the agent of still is gone")
    assert not os.path.exists(agent.data)
    wait_until("told", lambda: site.status_of("still") == "unmanaged")
    site.agents.remove(agent)


def waiting_for_its_manager():
    """No policy holds, and so no password; nobody is there to be told."""
    agent = Agent(site.directory, "waiting")
    site.agents.append(agent)
    agent("prepare", "--trust", os.path.join(site.manager.data, "server-authentication.pub"), "--listen-port",
          str(free_port())).expect(0)
    agent.start()
    ended = agent("uninstall", "--yes", "-o", "json").expect(0).json
    assert not ended["manager_told"] and ended["cause"] == "", ended
    assert agent.wait() == 0 and not os.path.exists(agent.data)
    site.agents.remove(agent)


# --- installed by the script ---

def installed_at(computer):
    return [path for path in (computer.env["MUSTER_PREFIX"], computer.env["MUSTER_DATA"],
                              os.path.join(computer.env["MUSTER_BIN"], "muster-agent")) if os.path.lexists(path)]


def programs(computer):
    versions = os.path.join(computer.env["MUSTER_PREFIX"], "versions")
    found = os.listdir(versions) if os.path.isdir(versions) else []
    paths = [os.path.join(versions, name, "bin/muster-agent") for name in found]
    return [path for path in paths if os.path.exists(path)]


def all_of_it():
    make_package()
    computer = Computer("whole")
    computer.paste(line()).expect(0, "is installed")
    site.wait_online("whole")
    wait_until("the password", lambda: computer.status()["unload_password"])
    # An update is not held up by a password; people at the command are.
    make_package("1.1-unload")
    computer.paste(line()).expect(0, "Restarting", "muster-result updated 1.1-unload")
    site.wait_online("whole")
    computer.agent("stop").expect(1, "unload password")
    # A service of this agent's goes, one of another data directory stays.
    record = os.path.join(computer.env["MUSTER_PREFIX"], "installation")
    with open(record) as file:
        recorded = file.read()
    assert f"data {computer.env['MUSTER_DATA']}\n" in recorded and f"bin {computer.env['MUSTER_BIN']}\n" in recorded
    unit = os.path.join(computer.root, "muster-agent.service")
    with open(record, "a") as file:
        file.write(f"unit {unit}\n")
    with open(unit, "w") as file:
        file.write(f"[Service]\nExecStart={programs(computer)[0]} run --data {computer.env['MUSTER_DATA']}\n")
    # Another agent's data directory takes no program away.
    other = site.path("computers", "other-data")
    shutil.copytree(computer.env["MUSTER_DATA"], other, ignore=shutil.ignore_patterns("agent.sock", "identity"))
    run([programs(computer)[0], "uninstall", "--yes", "--data", other]).expect(0, "programs did not come")
    assert not os.path.exists(other) and len(installed_at(computer)) == 3 and os.path.exists(unit)
    # Nothing goes while an installation is under way.
    with open(os.path.join(computer.env["MUSTER_PREFIX"], ".lock")) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        computer.agent("uninstall", "--yes", "--password", PASSWORD).expect(1, "under way")
    assert computer.status()["connected"]
    computer.agent("uninstall", "--yes", "--password", PASSWORD).expect(0, "is uninstalled", "knows that")
    assert installed_at(computer) == [], installed_at(computer)
    assert not os.path.exists(unit)
    assert site.status_of("whole") == "unmanaged"


def gone(computer, path):
    return not os.path.lexists(os.path.join(computer.env["MUSTER_PREFIX"], "..", path))


def killed():
    """kill -9 as soon as a piece is gone; run again it ends well, and the manager knows."""
    for number, piece in enumerate(("", "data/run/agent.sock", "data/identity/computer.json", "data/vault", "data",
                                    "opt/installation", "bin/muster-agent")):
        computer = Computer(f"killed {number}".replace(" ", "-"))
        computer.paste(line()).expect(0, "is installed")
        site.wait_online(computer.name)
        wait_until("the password", lambda: computer.status()["unload_password"])
        words = ["uninstall", "--yes", "--password", PASSWORD, "--data", computer.env["MUSTER_DATA"]]
        process = subprocess.Popen([programs(computer)[0], *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and piece and not gone(computer, piece):
            pass
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        left = programs(computer)
        if left:
            run([left[0], *words]).expect(0)
        # Once the program itself is gone there is nothing behind it but empty directories.
        held = [path for place, _, names in os.walk(computer.root) for path in names if "tmp" not in place]
        assert held == [], f"killed at {piece!r}: {held}"
        wait_until(f"{computer.name} is known to be gone", lambda: site.status_of(computer.name) == "unmanaged")


def set_password():
    site.muster("policy", "set", "base", "agent.unload_password", "--password-file", "-", stdin=PASSWORD.encode()).expect(0)


if __name__ == "__main__":
    raise SystemExit(installing([what_is_asked, the_manager_is_away, not_running, waiting_for_its_manager, all_of_it, killed],
                                begin=set_password, password=("--password", PASSWORD)))
