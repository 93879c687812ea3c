#!/usr/bin/env python3
"""Certificates of agents follow one another: in time, after they ended, and whoever may not dial."""
import json
import os
import shutil
import signal
import sqlite3
import subprocess

from installation import Agent, Site, main, program, run, wait_until

site = Site()


def database():
    connection = sqlite3.connect(os.path.join(site.manager.data, "front", "muster.db"), timeout=30)
    connection.row_factory = sqlite3.Row
    return connection


def row(name):
    with database() as connection:
        return dict(connection.execute("SELECT * FROM computer WHERE name = ? AND deleted IS NULL", (name,)).fetchone())


def mint(agent, days_ago):
    """(fingerprint, end, PEM) for the agent's present key."""
    done = run([program("mint"), os.path.join(site.manager.data, "keys"), site.manager.ca, agent.id,
                os.path.join(agent.data, "identity", "key.pem"), str(days_ago)]).expect(0)
    fingerprint, end, pem = done.out.split("\n", 2)
    return bytes.fromhex(fingerprint), int(end), pem


def identity(agent, name):
    with open(os.path.join(agent.data, "identity", name), encoding="ascii") as file:
        return file.read()


def put(agent, pem):
    with open(os.path.join(agent.data, "identity", "cert.pem"), "w", encoding="ascii") as file:
        file.write(pem)


def age(agent, days_ago):
    """Both were set up so many days ago."""
    agent.stop()
    site.manager.stop()
    fingerprint, end, pem = mint(agent, days_ago)
    put(agent, pem)
    with database() as connection:
        connection.execute("UPDATE computer SET certificate_fingerprint = ?, certificate_not_after = ?,"
                           " certificate_pem = ? WHERE name = ?", (fingerprint, end, pem, agent.name))
    site.manager.start()
    return fingerprint


def add(name, *lines):
    agent = Agent(site.directory, name)
    if lines:
        with open(os.path.join(agent.data, "agent.ini"), "a", encoding="utf-8") as file:
            file.write("\n".join(["[link]", *lines, ""]))
    site.agents.append(agent)
    site.activate(agent).expect(0)
    agent.id = json.loads(identity(agent, "computer.json"))["id"]
    agent.start()
    site.wait_online(name)
    return agent


def api(method, path, body):
    return run(["curl", "-s", "-f", "--cacert", site.manager.ca, "-X", method, "-H", f"Authorization: Bearer {site.api}",
                "-H", "Content-Type: application/json", "-d", json.dumps(body), site.manager.url + path]).expect(0)


def grace(span):
    api("PATCH", "/api/v1/settings", {"certificates.renewal_grace": span})


def link_pid(agent):
    return subprocess.run(["pgrep", "-P", str(agent.process.pid), "-f", "role link"], capture_output=True,
                          check=False).stdout


def renewed(agent, before):
    """The new one is stored on both sides, and used."""
    def look():
        known = row(agent.name)
        return known["certificate_fingerprint"] != before and known["next_fingerprint"] is None
    wait_until(f"{agent.name} has another certificate", look)
    known = row(agent.name)
    assert identity(agent, "cert.pem") == known["certificate_pem"]
    assert not os.path.exists(os.path.join(agent.data, "identity", "renewed"))


def work(agent):
    site.wait_online(agent.name)
    site.muster("computer", "scan", agent.name, "/usr/share/common-licenses", "--watch", timeout=90).expect(0)


def in_time():
    agent = add("young", "listen_address = 127.0.0.62")
    old = {name: identity(agent, name) for name in ("key.pem", "cert.pem")}
    site.wait_online("young")
    assert identity(agent, "cert.pem") == old["cert.pem"], "too early"
    before = age(agent, 290)
    old = {name: identity(agent, name) for name in ("key.pem", "cert.pem")}
    agent.start()
    pid = link_pid(agent)
    renewed(agent, before)
    assert identity(agent, "key.pem") != old["key.pem"], "a new key"
    work(agent)
    assert link_pid(agent) == pid, "without a restart"
    assert any(event["fields"]["what"] == "young" for event in site.json("event", "list", "--type", "936"))
    # The one before renews nothing any more.
    for name, content in old.items():
        with open(site.path("old-" + name), "w", encoding="ascii") as file:
            file.write(content)
    answer = run(["curl", "-s", "--cacert", site.manager.ca, "--cert", site.path("old-cert.pem"), "--key",
                  site.path("old-key.pem"), "-X", "POST", "--data-binary", "x",
                  site.manager.url + "/agent/v1/renew"]).expect(0)
    assert "Certificate replaced" in answer.out, answer


def after_its_end():
    agent = next(each for each in site.agents if each.name == "young")
    before = age(agent, 800)
    grace("1d")
    agent.start()
    wait_until("it is told", lambda: "too long ago to be renewed" in agent.text())
    assert row("young")["certificate_fingerprint"] == before
    agent.stop()
    grace("1825d")
    agent.start()
    renewed(agent, before)
    work(agent)


def of_agents_that_do_not_dial():
    agent = add("listens", "listen_address = 127.0.0.61")
    api("PUT", f"/api/v1/computers/{agent.id}/dial-address", {"dial_address": "127.0.0.61"})
    site.muster("computer", "set", "listens", "link.direction=manager-initiated", "link.heartbeat_interval=10s").expect(0)
    wait_until("it is manager-initiated", lambda: row("listens")["direction"] == "manager-initiated")
    for days in (290, 800):
        before = age(agent, days)
        agent.start()
        renewed(agent, before)
        work(agent)


def killed():
    """The manager has given it, the agent has stored it, and nobody has used it yet: both are killed."""
    agent = next(each for each in site.agents if each.name == "young")
    agent.stop()
    site.manager.stop(signal.SIGKILL)
    before = row("young")["certificate_fingerprint"]
    fingerprint, end, pem = mint(agent, 0)
    put(agent, pem)
    with database() as connection:
        connection.execute("UPDATE computer SET next_fingerprint = ?, next_not_after = ?, next_pem = ?"
                           " WHERE name = 'young'", (fingerprint, end, pem))
    site.manager.start()
    agent.start()
    renewed(agent, before)
    assert row("young")["certificate_fingerprint"] == fingerprint
    work(agent)


def from_a_backup():
    """A machine is restored as it was before its certificate was renewed: it comes back, and people are told."""
    agent = add("restored", "listen_address = 127.0.0.63")
    before = age(agent, 290)
    backup = site.path("backup-of-restored")
    run(["cp", "-a", agent.data, backup]).expect(0)
    agent.start()
    renewed(agent, before)
    work(agent)
    agent.stop()
    site.manager.stop(signal.SIGKILL)
    site.manager.start()
    shutil.rmtree(agent.data)
    run(["cp", "-a", backup, agent.data]).expect(0)
    agent.start()
    wait_until("an identity of its own", lambda: any(
        each["name"] == "restored-2" for each in site.json("computer", "list")), 120)
    site.wait_online("restored-2")
    agent.id = json.loads(identity(agent, "computer.json"))["id"]
    site.muster("computer", "scan", "restored-2", "/usr/share/common-licenses", "--watch", timeout=90).expect(0)
    alerts = site.json("alert", "list", "--type", "duplicate_identity")
    assert [alert["computer_name"] for alert in alerts] == ["restored"], alerts


if __name__ == "__main__":
    with site:
        site.add_manager()
        site.api = run([program("muster-manager"), "token", "--data", site.manager.data]).expect(0).out.split()[-1]
        code = main([in_time, after_its_end, killed, of_agents_that_do_not_dial, from_a_backup])
    raise SystemExit(code)
