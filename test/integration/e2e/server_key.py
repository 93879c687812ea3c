#!/usr/bin/env python3
"""The server authentication key as an administrator has it: rolled over, lost, and agents that do not trust it."""
import csv
import io
import os
import signal

from installation import Agent, Site, main, wait_until

site = Site()


def key():
    return site.json("cert", "show")


def computer(name):
    return site.json("computer", "show", name)


def trusts(name, fingerprint):
    shown = computer(name)
    return shown["trusted_key_fingerprint"] == fingerprint and shown["certificate_match"] is True


def add(name):
    return site.add_agent(name)


def obeys(name):
    site.muster("computer", "scan", name, "/usr/share/common-licenses/BSD", "--watch", timeout=90).expect(0)


def events(number):
    return site.json("event", "list", "--type", str(number))


def roll_over():
    """Agents that are there follow at once, one that was away over several follows when it is back."""
    there, away = add("there"), add("away")
    first = key()
    assert first["present"] and first["mismatched"] == 0 and len(first["keys"]) == 1, first
    wait_until("both trust it", lambda: key()["agents"] == 2)
    away.stop()
    prints = [first["fingerprint"]]
    for _ in range(3):
        site.muster("cert", "create").expect(0, "Back it up now")
        prints.append(key()["fingerprint"])
        wait_until("the one that is there follows", lambda: trusts("there", prints[-1]))
    assert len(set(prints)) == 4
    assert computer("away")["trusted_key_fingerprint"] == prints[0]
    assert computer("away")["certificate_match"] is True, "an agent that can follow is not mismatched"
    assert key()["following"] == 1 and key()["mismatched"] == 0
    waiting = site.json("computer", "scan", "away", "/usr/share/common-licenses/BSD")
    away.start()
    wait_until("the one that was away follows", lambda: trusts("away", prints[-1]))
    wait_until("what waited is done",
               lambda: site.json("command", "show", waiting["id"])["state"] == "succeeded")
    obeys("there")
    with open(os.path.join(site.manager.data, "server-authentication.pub"), encoding="ascii") as file:
        published = file.read()
    assert published == site.muster("cert", "export", "-").expect(0).out
    with open(os.path.join(away.data, "identity", "manager.pub"), encoding="ascii") as file:
        assert file.read() == published
    assert len(events(933)) == 3 and len(events(4031)) >= 4
    assert not events(4030), events(4030)
    assert [row["standing"] for row in key()["keys"]] == ["present", "before", "before", "before"]


def orders_of_the_old_key():
    """What was ordered under the old key and not fetched yet is done under the new one."""
    agent = add("late")
    agent.stop()
    ordered = site.json("computer", "scan", "late", "/usr/share/common-licenses/BSD")
    site.muster("cert", "create").expect(0)
    site.manager.stop(signal.SIGKILL)  # the order comes back from the database, with its old signature
    site.manager.start()
    agent.start()
    wait_until("the order is done", lambda: site.json("command", "show", ordered["id"])["state"] == "succeeded")
    assert not events(4030), events(4030)


def mismatched_rows():
    out = site.muster("cert", "list-mismatched", "-l", "-").expect(0).out
    return list(csv.DictReader(io.StringIO(out)))


def without_roll_over():
    site.muster("cert", "create", "--no-roll-over").expect(1, "muster-agent trust FILE", "--force")
    before = key()["fingerprint"]
    site.muster("cert", "create", "--no-roll-over", "--force").expect(0)
    after = key()
    assert after["fingerprint"] != before and after["present"]
    wait_until("every agent is mismatched", lambda: key()["mismatched"] == len(site.agents))
    shown = computer("there")
    assert shown["certificate_match"] is False and shown["trusted_key_fingerprint"] == before
    rows = mismatched_rows()
    assert {row["computer"] for row in rows} == {agent.name for agent in site.agents}, rows
    assert all(row["trusted_key_fingerprint"] == before and row["policy"] == "base" and row["last_contact"]
               for row in rows), rows
    path = os.path.join(site.directory, "mismatched.csv")
    site.muster("cert", "list-mismatched", "-l", path).expect(0)
    with open(path, encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == len(site.agents)
    assert site.json("system", "show")["agents_without_valid_certificate"] == len(site.agents)
    alerts = wait_until("the alert", lambda: [alert for alert in site.json("alert", "list", "--state", "open")
                                              if alert["type"] == "invalid_server_certificate"])
    assert len(alerts) == 1 and alerts[0]["severity"] == "critical" and "there" in str(alerts[0]), alerts
    # It takes no orders, and still says what happens.
    ordered = site.json("computer", "scan", "there", "/usr/share/common-licenses/BSD")
    count = len(site.json("event", "list", "--computer", "there"))
    there = next(agent for agent in site.agents if agent.name == "there")
    there("scan", "/usr/share/common-licenses/BSD").expect(0)
    wait_until("its events arrive", lambda: len(site.json("event", "list", "--computer", "there")) > count)
    assert site.json("command", "show", ordered["id"])["state"] == "pending"
    return ordered


def key_lost():
    """The key's file is gone: the manager runs, shows every agent as mismatched, signs nothing, makes no other key."""
    path = os.path.join(site.manager.data, "keys", "server-authentication.key")
    before = key()["fingerprint"]
    site.manager.stop()
    os.rename(path, path + ".away")
    site.manager.start()
    wait_until("it is noticed", lambda: key()["present"] is False)
    shown = key()
    assert shown["mismatched"] == len(site.agents) and shown["fingerprint"] == before, shown
    assert site.json("system", "show")["server_authentication_present"] is False
    assert len(mismatched_rows()) == len(site.agents)
    for refused in (("computer", "scan", "there", "/etc/hostname"), ("cert", "create")):
        site.muster(*refused).expect(1, "no server authentication key", "muster cert restore")
    site.muster("cert", "export", "-").expect(1, "missing")
    stranger = Agent(site.directory, "stranger")
    site.activate(stranger).expect(1, "no server authentication key")
    assert not os.path.exists(path), "another key was made silently"
    site.manager.stop()
    os.rename(path + ".away", path)
    site.manager.start()
    wait_until("it is there again", lambda: key()["present"] is True)
    assert key()["fingerprint"] == before


if __name__ == "__main__":
    with site:
        site.add_manager()
        code = main([roll_over, orders_of_the_old_key, without_roll_over, key_lost])
    raise SystemExit(code)
