#!/usr/bin/env python3
"""Networks that the manager cannot reach: real agents on loopback addresses, inside and outside."""
import select
import socket
import threading
from datetime import datetime

from installation import Agent, Site, main, wait_until

site = Site()
LONG = 200  # a minute of a network's is the least there is


class Router:
    """What agents connect to in place of the manager, which sees them come from `source`."""

    def __init__(self, port):
        self.port_behind = port
        self.source = "127.0.0.2"
        self.pairs = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            near, _ = self.listener.accept()
            try:
                far = socket.create_connection(("127.0.0.1", self.port_behind), source_address=(self.source, 0))
            except OSError:
                near.close()
                continue
            self.pairs.append((near, far))
            threading.Thread(target=self.carry, args=(near, far), daemon=True).start()

    @staticmethod
    def carry(near, far):
        try:
            while True:
                for one in select.select((near, far), (), ())[0]:
                    piece = one.recv(65536)
                    if not piece:
                        return
                    (far if one is near else near).sendall(piece)
        except (OSError, ValueError):
            pass
        finally:
            near.close()
            far.close()

    def move(self, source):
        """The agents are somewhere else now: what was open is cut."""
        self.source = source
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for one in pair:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


def shown(name):
    return site.json("computer", "show", name)


def effective(name):
    return {item["name"]: item for item in site.json("computer", "effective", name)}


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def inside_and_outside():
    network = site.json("network", "add", "branch", "127.0.0.2-127.0.0.3", "fd00:1::/32", "--heartbeat", "1", "--offline",
                        "1m")
    assert network["ranges"] == ["127.0.0.2/31", "fd00:1::/32"] and network["computers"] == 1, network
    assert network["heartbeat_minutes"] == network["offline_minutes"] == 1 and network["poll_minutes"] is None, network
    inside, outside = shown("inside"), shown("outside")
    assert (inside["network"], inside["seen_from"]) == ("branch", "127.0.0.2"), inside
    assert (outside["network"], outside["seen_from"]) == (None, "127.0.0.1"), outside
    item = effective("inside")["link.heartbeat_interval"]
    assert (item["value"], item["origin"], item["inherited"]) == ("1m", "network branch", "10s"), item
    assert effective("inside")["network.offline_after"]["value"] == "1m"
    assert effective("outside")["link.heartbeat_interval"]["origin"] == "base"
    site.muster("computer", "effective", "inside").expect(0, "network branch")
    wait_until("told", lambda: site.inside("status", "-o", "json").json["network_interval_s"] == 60)
    wait_until("held again", lambda: shown("inside")["connected"])
    # in the network's own time commands still arrive at once
    site.muster("computer", "heartbeat", "inside", "--watch").expect(0)


def nothing_is_held_where_it_polls():
    site.muster("network", "set", "branch", "--poll", "1").expect(0, "poll_minutes")
    wait_until("told to poll", lambda: site.inside("status", "-o", "json").json["network_polls"])
    wait_until("not held", lambda: not shown("inside")["connected"])
    assert effective("inside")["link.poll"]["value"] == "periodic"
    assert shown("inside")["status"] == "online" and shown("outside")["connected"]
    made = site.json("computer", "heartbeat", "inside")
    wait_until("the next poll fetches it", lambda: site.json("command", "show", made["id"])["state"] == "succeeded",
               LONG)


def a_move_counts_from_the_next_exchange():
    site.router.move("127.0.0.9")
    site.inside("heartbeat").expect(0)
    wait_until("outside", lambda: shown("inside")["network"] is None)
    assert shown("inside")["seen_from"] == "127.0.0.9"
    wait_until("its policy again", lambda: shown("inside")["connected"])
    assert site.inside("status", "-o", "json").json["network_interval_s"] is None
    assert site.json("network", "show", "branch")["computers"] == 0
    site.router.move("127.0.0.3")
    wait_until("inside", lambda: shown("inside")["network"] == "branch")
    wait_until("told to poll", lambda: site.inside("status", "-o", "json").json["network_polls"])


def a_restart_of_the_manager_knows_who_is_inside():
    site.manager.stop()
    site.manager.start()
    assert shown("inside")["network"] == "branch" and site.json("network", "show", "branch")["computers"] == 1


def offline_by_the_networks_time():
    """By its policy it would be offline after 10 s."""
    site.inside("heartbeat").expect(0)
    site.agents[0].stop()
    site.agents[1].stop()
    wait_until("the one outside is offline", lambda: shown("outside")["status"] == "offline")
    wait_until("the one inside is offline", lambda: shown("inside")["status"] == "offline", LONG)
    inside, outside = shown("inside"), shown("outside")
    assert inside["status_cause"] == "silent for longer than 1 min (network branch)", inside
    assert outside["status_cause"] == "heartbeats missed", outside
    for computer, least in ((inside, 60), (outside, 10)):
        silence = (moment(computer["status_since"]) - moment(computer["last_heard"])).total_seconds()
        assert silence >= least, (computer["name"], silence)
    event = site.wait_events(730, computer="inside")[0]
    assert event["fields"]["cause"] == "silent for longer than its network allows", event
    alert, = [a for a in site.json("alert", "list", "--state", "open") if a["computer_name"] == "inside"]
    assert alert["type"] == "computer_offline", alert


def what_is_wrong_is_said():
    def refused(code, *words, expect):
        site.muster("network", *words).expect(code, *expect)

    for value in ("0", "129601", "1s", "1.5", "-1", "never", "91d"):
        refused(2, "add", "x", "10.0.0.0/8", "--offline", value, expect=["1 to 129600 minutes"])
    refused(1, "add", "x", "10.0.0.0/8", "--heartbeat", "off", expect=["poll_minutes", "heartbeats are off"])
    refused(1, "add", "x", "10.0.0.0/8", "--heartbeat", "10", "--offline", "5", expect=["Give at least 10"])
    refused(1, "add", "x", "garbage", expect=["ranges[0]", "'garbage' is no IPv4 or IPv6 address"])
    refused(1, "add", "x", "10.1.2.3/8", expect=["did you mean 10.0.0.0/8?"])
    refused(1, "add", "x", "127.0.0.2/31", expect=["belongs to two networks, branch and x"])
    refused(1, "add", "BRANCH", "10.0.0.0/8", expect=["another network is called"])
    refused(1, "show", "nowhere", expect=["no network is called 'nowhere'"])
    refused(2, "set", "branch", expect=["nothing to change"])
    refused(2, "add", "x", expect=["network add"])
    assert [network["name"] for network in site.json("network", "list")] == ["branch"]
    site.muster("network", "list").expect(0, "127.0.0.2/31")
    site.muster("network", "remove", "branch", "--yes").expect(0, "removed: branch")
    assert site.json("network", "list") == []
    entries = site.json("audit", "list", "--action", "network.delete")
    assert len(entries) == 1 and entries[0]["outcome"] == "done", entries


def begin():
    site.add_manager()
    site.router = Router(site.manager.port)
    site.muster("policy", "set", "base", "link.heartbeat_interval=10s", "link.missed_heartbeats=0").expect(0)
    site.inside = Agent(site.directory, "inside")
    site.agents.append(site.inside)
    site.inside("activate", f"https://localhost:{site.router.port}", "--token", site.token("--uses", "1"),
                "--ca-fingerprint", site.manager.identity["ca_fingerprint"], "--name", "inside").expect(0)
    site.inside.start()
    site.add_agent("outside")
    site.wait_online("inside")


TESTS = [inside_and_outside, nothing_is_held_where_it_polls, a_move_counts_from_the_next_exchange,
         a_restart_of_the_manager_knows_who_is_inside, offline_by_the_networks_time, what_is_wrong_is_said]

if __name__ == "__main__":
    with site:
        begin()
        status = main(TESTS)
    raise SystemExit(status)
