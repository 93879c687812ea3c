#!/usr/bin/env python3
"""Alerts: raised once and ended once, by facts and by people, across restarts and kills."""
import json
import os
import signal
import sqlite3
import threading
import http.client
import ssl
from datetime import datetime

from installation import EICAR, Site, main, wait_until

site = Site()


def alerts(*words):
    return site.json("alert", "list", *words)


def database(statement, *values):
    """Changes the database of a manager that does not run."""
    path = os.path.join(site.manager.data, "front", "muster.db")
    owner = os.stat(path)
    with sqlite3.connect(path) as connection:
        connection.execute(statement, values)
    connection.close()
    for name in os.listdir(os.path.dirname(path)):
        if name.startswith("muster.db"):
            os.chown(os.path.join(os.path.dirname(path), name), owner.st_uid, owner.st_gid)


def offline_across_restarts():
    """A computer that is offline as stored; the alert outlives kill -9, and ends when it is back."""
    site.agent.stop()
    site.manager.stop(signal.SIGKILL)
    database("UPDATE computer SET status = 'offline', status_cause = 'heartbeats missed',"
             " status_since = 1790000000000000 WHERE name = 'one'")
    site.manager.start()
    alert, = alerts("--state", "open")
    computer = site.json("computer", "show", "one")
    assert alert["type"] == "computer_offline" and alert["severity"] == "critical", alert
    assert alert["computer"] == computer["id"] and alert["computer_name"] == "one", alert
    assert alert["raised"] == "2026-09-21T14:13:20.000Z" and alert["resolved"] is None, alert
    assert alert["text"] == "one is offline: heartbeats missed.", alert
    assert computer["open_alerts"] == 1 and computer["status"] == "offline", computer
    site.muster("alert", "dismiss", alert["id"]).expect(1, "ends by itself")
    for number in (signal.SIGKILL, signal.SIGTERM):
        site.manager.stop(number)
        site.manager.start()
        assert alerts("--state", "open") == [alert]
    assert len(site.wait_events(191)) == 1
    line, = site.json("alert", "summary")
    assert line["alerts"] == 1 and line["computers"] == [{"id": computer["id"], "name": "one"}], line
    site.agent.start()
    wait_until("resolved", lambda: not alerts("--state", "open"))
    ended, = alerts()
    assert ended["id"] == alert["id"] and ended["state"] == "resolved" and ended["resolved"], ended
    changes = [event["fields"]["change"] for event in site.wait_events(191, 2)]
    assert changes == ["resolved", "raised"], changes
    shown = site.json("alert", "show", alert["id"])
    assert [each["change"] for each in shown["history"]] == ["resolved", "raised"], shown
    assert shown["computers"] == [] and shown["computers_more"] == 0, shown
    assert site.json("computer", "show", "one")["open_alerts"] == 0


def silence_allowed():
    """A policy that lets its computers be silent ends their offline alerts, once each."""
    site.agent.stop()
    site.manager.stop()
    database("UPDATE computer SET status = 'offline', status_cause = 'heartbeats missed' WHERE name = 'one'")
    site.manager.start()
    alert, = alerts("--state", "open")
    site.muster("policy", "set", "base", "link.missed_heartbeats=unlimited").expect(0)
    wait_until("resolved", lambda: not alerts("--state", "open"))
    shown = site.json("computer", "show", "one")
    assert shown["status"] == "unknown" and "allow" in shown["status_cause"], shown
    site.manager.stop(signal.SIGKILL)
    site.manager.start()
    history = site.json("alert", "show", alert["id"])["history"]
    assert [each["change"] for each in history] == ["resolved", "raised"], history
    event, = site.wait_events(735, computer="one")
    assert event["fields"]["cause"], event
    site.agent.start()
    wait_until("online", lambda: site.status_of("one") == "online")
    site.muster("policy", "unset", "base", "link.missed_heartbeats").expect(0)
    assert len(site.wait_events(735, computer="one")) == 1 and not alerts("--state", "open")


def disk_runs_out():
    """The agent's alert about its disk ends when there is room again, though it was restarted in between."""
    path = os.path.join(site.agent.data, "agent.ini")
    with open(path) as file:
        before = file.read()
    site.agent.stop()
    with open(path, "a") as file:
        file.write("\n[local]\ndisk_free = 1048576MB\n")
    site.agent.start()
    alert, = wait_until("an alert", lambda: alerts("--type", "low_disk", "--state", "open"))
    assert alert["computer_name"] == "one" and alert["subject"] == site.agent.data, alert
    site.agent.stop()
    site.agent.start()
    assert alerts("--type", "low_disk", "--state", "open")[0]["id"] == alert["id"]
    site.agent.stop()
    with open(path, "w") as file:
        file.write(before)
    site.agent.start()
    wait_until("resolved", lambda: not alerts("--type", "low_disk", "--state", "open"))
    assert len(site.wait_events(6012, computer="one")) == len(site.wait_events(6013, computer="one")) == 1


def switched_off_and_on():
    site.agent.stop()
    site.manager.stop()
    database("UPDATE computer SET status = 'offline', status_cause = 'heartbeats missed' WHERE name = 'one'")
    site.manager.start()
    first, = alerts("--state", "open")
    changed = site.json("alert", "set", "computer_offline", "enabled=off", "severity=warning")
    assert changed["enabled"] is False and changed["is_default"] is False, changed
    assert alerts("--state", "open") == []
    assert alerts("--limit", "1")[0]["state"] == "resolved"
    site.manager.stop(signal.SIGKILL)
    site.manager.start()
    assert alerts("--state", "open") == []
    site.muster("alert", "set", "computer_offline", "enabled=on").expect(0)
    second, = alerts("--state", "open")
    assert second["id"] != first["id"] and second["severity"] == "warning", second
    site.muster("alert", "set", "computer_offline", "severity=critical").expect(0)
    assert alerts("--state", "open")[0]["severity"] == "critical"
    site.muster("alert", "set", "computer_offline", "severity=loud").expect(1, "severity")
    site.muster("alert", "set", "no_such", "enabled=off").expect(1, "no_such")
    site.muster("alert", "set", "computer_offline", "colour=red").expect(2, "colour")
    site.agent.start()
    wait_until("resolved", lambda: not alerts("--state", "open"))


def locked_out():
    for _ in range(6):
        site.muster("login", "--user", "eve", "--password-file", "-", stdin=b"wrong password\n",
                    env={"XDG_CONFIG_HOME": site.path("eve")})
    alert, = wait_until("an alert", lambda: alerts("--type", "user_locked_out", "--state", "open"))
    assert alert["computer"] is None and alert["subject"] == "eve" and alert["dismissible"], alert
    site.muster("alert", "dismiss", alert["id"]).expect(0, "dismissed")
    site.muster("alert", "dismiss", alert["id"]).expect(1, "ended already")
    site.muster("alert", "dismiss", "00000000-0000-7000-8000-000000000000").expect(1, "no alert")
    shown = site.json("alert", "show", alert["id"])
    assert shown["state"] == "dismissed" and shown["dismissed_by"] == site.manager.identity["user"], shown
    assert shown["history"][0]["by"] == site.manager.identity["user"], shown
    entry = site.json("audit", "list", "--action", "alert.dismiss")[0]
    assert entry["object"] == alert["id"] and entry["outcome"] == "done", entry


def malware_that_stays():
    """A file that cannot be moved raises the alert; quarantined after all, it ends."""
    place = site.files("held")
    path = os.path.join(place, "bad")
    with open(path, "wb") as file:
        file.write(EICAR)
    os.system(f"chattr +i '{path}' 2>/dev/null")
    if os.system(f"lsattr '{path}' 2>/dev/null | cut -d' ' -f1 | grep -q i") != 0:
        print("(no immutable files here: a part is left out)")
        return
    try:
        site.muster("computer", "scan", "one", place, "--watch")
        alert, = wait_until("an alert", lambda: alerts("--type", "malware_not_removed", "--state", "open"))
        assert alert["subject"] == path and alert["severity"] == "critical", alert
    finally:
        os.system(f"chattr -i '{path}'")
    site.muster("computer", "scan", "one", place, "--watch").expect(0)
    wait_until("resolved", lambda: not alerts("--type", "malware_not_removed", "--state", "open"))
    assert not os.path.exists(path)


def not_recorded():
    """A type of events that is not recorded: acknowledged, no row, its alerts all the same."""
    before = len(site.json("event", "list", "--type", "731", "--limit", "1000"))
    site.json("event", "set", "731", "record=off", "severity=error")
    row, = [each for each in site.json("event", "types") if each["type_id"] == 731]
    assert row["record"] is False and row["severity"] == "error" and not row["is_default"], row
    site.agent.stop()
    site.manager.stop(signal.SIGKILL)
    database("UPDATE computer SET status = 'offline', status_cause = 'heartbeats missed' WHERE name = 'one'")
    site.manager.start()
    assert len(alerts("--state", "open")) == 1
    site.agent.start()
    wait_until("resolved", lambda: not alerts("--state", "open"))
    assert len(site.json("event", "list", "--type", "731", "--limit", "1000")) == before
    row = site.json("event", "set", "731", "reset=on")
    assert row["record"] is True and row["is_default"], row
    site.muster("event", "set", "99", "record=off").expect(1, "99")
    site.muster("event", "set", "731", "record=maybe").expect(2, "on or off")


def followed():
    """Changes of alerts arrive on the stream as they happen, and are counted."""
    token = site.json("token", "create", "--role", "viewer", "--name", "follow")["token"]
    connection = http.client.HTTPSConnection("localhost", site.manager.port, timeout=60,
                                             context=ssl.create_default_context(cafile=site.manager.ca))
    connection.request("GET", "/api/v1/alerts/stream", headers={"Authorization": "Bearer " + token})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    came = []

    def read():
        for line in answer:
            if line.startswith(b"data: "):
                came.append(json.loads(line[6:]))
                return

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    for _ in range(6):
        site.muster("login", "--user", "mallory", "--password-file", "-", stdin=b"wrong password\n",
                    env={"XDG_CONFIG_HOME": site.path("mallory")})
    reader.join(60)
    connection.sock.close()
    assert came and came[0]["change"] == "raised" and came[0]["subject"] == "mallory", came
    connection = http.client.HTTPSConnection("localhost", site.manager.port, timeout=60,
                                             context=ssl.create_default_context(cafile=site.manager.ca))
    connection.request("GET", "/metrics")
    metrics = connection.getresponse().read().decode()
    connection.close()
    assert 'muster_alerts_open{type="user_locked_out",severity="warning"} 1' in metrics, metrics


def deleted():
    site.agent.stop()
    site.manager.stop()
    database("UPDATE computer SET status = 'offline', status_cause = 'heartbeats missed' WHERE name = 'one'")
    site.manager.start()
    alert, = alerts("--type", "computer_offline", "--state", "open")
    site.muster("computer", "delete", "one", "--yes").expect(0)
    assert alerts("--type", "computer_offline", "--state", "open") == []
    shown = site.json("alert", "show", alert["id"])
    assert shown["history"][0]["reason"] == "the computer was deleted", shown


def verified():
    """Who is there answers at once; who is not is silent, with how long and why."""
    away = site.add_agent("away")
    away.stop(signal.SIGKILL)
    dead = site.add_agent("dead")
    dead.process.send_signal(signal.SIGSTOP)  # the guard alone: its link goes on
    result, = site.json("computer", "verify", "one")
    assert result["outcome"] == "answered" and result["elapsed_ms"] >= 0, result
    ended = site.muster("computer", "verify", "--all", "-o", "json").expect(1, "1 of 3 computers did not answer")
    results = {each["computer_name"]: each for each in ended.json}
    dead.process.send_signal(signal.SIGCONT)
    assert results["one"]["outcome"] == "answered", results
    assert results["away"]["outcome"] in ("away", "silent") and results["away"]["silent_s"] >= 0, results
    assert results["away"]["elapsed_ms"] is None and results["away"]["cause"], results
    log = site.json("computer", "verify")
    assert [each["total"] for each in log] == [3, 1], log
    assert log[0]["answered"] == 2 and log[0]["ended"], log
    site.muster("computer", "verify", "one", "--all").expect(2, "not both")
    site.muster("computer", "verify", "nobody").expect(1, "nobody")
    for name in ("away", "dead"):
        site.muster("computer", "delete", name, "--yes").expect(0)


def by_the_arithmetic():
    """A real agent falls silent: offline within a second of its moment, once, whatever the manager does meanwhile."""
    site.muster("policy", "set", "base", "link.heartbeat_interval=10s", "link.missed_heartbeats=1").expect(0)
    agent = site.add_agent("silent")
    wait_until("the heartbeat's interval is in force",
               lambda: site.json("computer", "show", "silent")["config_state"] == "applied")
    agent.stop(signal.SIGKILL)
    wait_until("offline", lambda: site.status_of("silent") == "offline")
    shown = site.json("computer", "show", "silent")
    moment = [datetime.fromisoformat(shown[name].rstrip("Z")) for name in ("last_heard", "status_since")]
    silence = (moment[1] - moment[0]).total_seconds()
    assert 20 <= silence < 21, silence
    alert, = alerts("--computer", "silent", "--state", "open")
    assert alert["type"] == "computer_offline", alert
    site.manager.stop(signal.SIGKILL)
    site.manager.start()
    assert alerts("--computer", "silent", "--state", "open") == [alert]
    assert site.status_of("one") != "offline", "shown offline because the manager was down"
    agent.start()
    wait_until("resolved", lambda: not alerts("--computer", "silent", "--state", "open"))
    assert len(alerts("--computer", "silent")) == 1
    assert len(site.wait_events(730, computer="silent")) == len(site.wait_events(731, computer="silent")) == 1
    site.muster("policy", "unset", "base", "link.heartbeat_interval", "link.missed_heartbeats").expect(0)
    agent.stop()
    site.muster("computer", "delete", "silent", "--yes").expect(0)


if __name__ == "__main__":
    with site:
        site.add_manager()
        site.agent = site.add_agent("one")
        code = main([verified, offline_across_restarts, silence_allowed, disk_runs_out, switched_off_and_on, malware_that_stays, not_recorded, locked_out,
                     followed, by_the_arithmetic, deleted])
    raise SystemExit(code)
