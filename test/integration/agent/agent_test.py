#!/usr/bin/env python3
"""A real agent with a real manager and the real engine: activation, scans, quarantine, deaths, outages.

usage: agent_test.py MUSTER-MANAGER MUSTER-AGENT [TEST...]
"""
import collections
import functools
import io
import json
import os
import random
import socket
import sys
import tarfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
from agent import EICAR, Agent, wait_for  # noqa: E402
from manager import Manager  # noqa: E402
from one_by_one import one_by_one, passes, tests_in  # noqa: E402

V1 = "/api/v1"


class World:
    """One manager for all tests; each test makes agents of its own."""

    def __init__(self, manager, agent):
        self.program = agent
        self.manager = Manager(manager)
        self.manager.start()
        self.admin = self.manager.sign_in()
        self.url = f"https://127.0.0.1:{self.manager.port}"
        self.fingerprint = self.manager.identity["ca_fingerprint"]
        self.agents = []

    def get(self, path):
        return self.manager.call("GET", V1 + path, self.admin, expect=200).json

    def post(self, path, body=None, expect=201):
        return self.manager.call("POST", V1 + path, self.admin, body, expect=expect).json

    def all_of(self, path):
        items, cursor = [], ""
        while True:
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit=500{cursor}")
            items += page["items"]
            if page["next"] is None:
                return items
            cursor = "&cursor=" + page["next"]

    def token(self, uses=1, expires="1h"):
        return self.post("/enrolment-tokens", {"uses": uses, "expires": expires})["token"]

    def agent(self):
        agent = Agent(self.program)
        self.agents.append(agent)
        return agent

    def activated(self, name):
        """A running agent; its computer's id."""
        agent = self.agent()
        code, _, err = agent.activate(self.url, self.token(), self.fingerprint, "--name", name)
        assert code == 0, err
        agent.add_signatures()
        agent.start()
        wait_for("the first exchange", lambda: agent.status()["connected"])
        return agent, agent.status()["computer"]

    def events(self, computer, number):
        return self.all_of(f"/events?computer={computer}&type={number}")

    def restart_manager(self):
        self.manager.start()
        self.admin = self.manager.sign_in()

    def end_test(self):
        for agent in self.agents:
            agent.remove()
            agent.check_log()
        self.agents = []

    def clear_away(self):
        """After a test that failed."""
        for agent in self.agents:
            sys.stdout.write("".join(agent.lines[-30:]))
        passes(self.end_test)
        if self.manager.process is None:
            self.restart_manager()

    def close(self):
        self.manager.remove()


def refused(result, code, *parts):
    assert result[0] == code, result
    for part in parts:
        assert part in result[2], (part, result[2])


# --- activation ---

def activation_is_refused_with_the_cause(w):
    agent, good = w.agent(), w.token()
    other = w.fingerprint.translate(str.maketrans("0123456789abcdef", "123456789abcdef0"))
    refused(agent.activate(w.url, good, other), 1, "fingerprint")
    refused(agent.activate(w.url, good, "12"), 2, "--ca-fingerprint: ")
    refused(agent.activate(w.url, "mse_short", w.fingerprint), 2, "--token: ")
    refused(agent.activate("http://127.0.0.1", good, w.fingerprint), 2, "https://")
    refused(agent.activate("https://127.0.0.1:1", good, w.fingerprint), 1, "refused", "firewall")
    refused(agent.activate("https://name.invalid", good, w.fingerprint), 1, "resolve", "name service")
    assert not os.path.exists(agent.path("identity", "computer.json"))
    code, _, err = agent.activate(w.url, good, w.fingerprint)  # nothing of it used the token up
    assert code == 0, err


def tokens_that_are_used_up_revoked_or_expired(w):
    used = w.token(uses=1)
    assert w.agent().activate(w.url, used, w.fingerprint, "--name", "first")[0] == 0
    refused(w.agent().activate(w.url, used, w.fingerprint, "--name", "second"), 1, "(401)", "as often as it may")
    revoked = w.post("/enrolment-tokens", {"uses": 1, "expires": "1h"})
    w.manager.call("DELETE", f"{V1}/enrolment-tokens/{revoked['id']}", w.admin)
    refused(w.agent().activate(w.url, revoked["token"], w.fingerprint), 1, "(401)")
    expired = w.token(expires="1s")
    time.sleep(2)  # a lifetime in real time has to pass
    refused(w.agent().activate(w.url, expired, w.fingerprint), 1, "(401)", "expired")


def activation_may_be_repeated(w):
    agent = w.agent()
    first = agent.activate(w.url, w.token(), w.fingerprint, "--name", "twice", "-o", "json")
    again = agent.activate(w.url, w.token(), w.fingerprint, "--name", "twice", "-o", "json")
    assert first[0] == again[0] == 0, (first, again)
    assert json.loads(first[1])["computer"] == json.loads(again[1])["computer"]
    assert json.loads(again[1])["already"]
    refused(agent.activate("https://127.0.0.1:1", w.token(), w.fingerprint), 1, "belongs to", "reset")


class LosingProxy(threading.Thread):
    """Passes bytes both ways, but loses the answer to the first request that passes."""

    # What a client sends before its request (hello, finished) is less, with the request it is more.
    HANDSHAKE_BYTES = 600

    def __init__(self, port):
        super().__init__(daemon=True)
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lost = threading.Event()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(("127.0.0.1", self.target))
            losing = threading.Event()
            threading.Thread(target=self.upward, args=(client, server, losing), daemon=True).start()
            threading.Thread(target=self.downward, args=(client, server, losing), daemon=True).start()

    def upward(self, client, server, losing):
        total = 0
        try:
            while data := client.recv(65536):
                total += len(data)
                if total > self.HANDSHAKE_BYTES and not self.lost.is_set():
                    self.lost.set()
                    losing.set()
                server.sendall(data)
        except OSError:
            pass
        self.close(client, server)

    def downward(self, client, server, losing):
        try:
            while data := server.recv(65536):
                if losing.is_set():
                    break
                client.sendall(data)
        except OSError:
            pass
        self.close(client, server)

    @staticmethod
    def close(*ends):
        for end in ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def an_attempt_whose_answer_was_lost_gives_the_same_computer(w):
    proxy = LosingProxy(w.manager.port)
    proxy.start()
    agent, token = w.agent(), w.token(uses=1)
    url = f"https://127.0.0.1:{proxy.port}"
    before = {c["id"] for c in w.all_of("/computers")}
    refused(agent.activate(url, token, w.fingerprint, "--name", "lost"), 1)
    assert proxy.lost.is_set()
    wait_for("the computer on the manager", lambda: {c["id"] for c in w.all_of("/computers")} - before)
    code, _, err = agent.activate(url, token, w.fingerprint, "--name", "lost")
    assert code == 0, err
    assert len({c["id"] for c in w.all_of("/computers")} - before) == 1


# --- scans and quarantine ---

def a_local_scan_finds_quarantines_and_restores(w):
    agent, computer = w.activated("local")
    bait = agent.bait(3)
    hostile = os.path.join(agent.files, "line\nbreak\x1b[31m")
    with open(hostile.encode() + b"\xff", "wb") as file:
        file.write(EICAR)
    with open(os.path.join(agent.files, "healthy.txt"), "w", encoding="ascii") as file:
        file.write("nothing to see here\n" * 10)
    os.chmod(bait[0], 0o640)
    os.utime(bait[0], (1580608922, 1580608922))
    result = agent.ask("scan", agent.files, status=1)
    assert result["result"]["detections"] == 4 and len(result["detections"]) == 4, result
    assert result["result"]["files_done"] == 5, result
    assert os.listdir(agent.files) == ["healthy.txt"]
    assert agent.ask("scan", agent.files)["result"]["detections"] == 0

    held = {item["path"]: item for item in agent.ask("quarantine", "list")}
    assert len(held) == 4 and all(item["state"] == "held" for item in held.values())
    assert agent.ask("quarantine", "restore", held[bait[0]]["id"])["ok"]
    with open(bait[0], "rb") as file:
        assert file.read() == EICAR
    info = os.stat(bait[0])
    assert (info.st_mode & 0o7777, int(info.st_mtime)) == (0o640, 1580608922)
    assert agent.ask("quarantine", "delete", held[bait[1]]["id"])["ok"]
    refused(agent.command("quarantine", "restore", "12"), 2, "not the id")
    refused(agent.command("quarantine", "delete", w.get("/computers")["items"][0]["id"]), 1)
    refused(agent.command("scan", agent.files + "/missing"), 1, "missing")

    states = collections.Counter()

    def all_told():
        states.clear()
        states.update(item["state"] for item in w.all_of(f"/quarantine?computer={computer}"))
        return states == {"held": 2, "restored": 1, "deleted": 1}

    wait_for("every state on the manager", all_told)
    names = [event["name"] for event in agent.ask("events", "--limit", "100")]
    assert names.count("malware_detected") == 4 and names.count("file_restored") == 1, names
    assert len(w.events(computer, 2000)) == 4


def a_lost_copy_comes_back_from_the_manager(w):
    agent, computer = w.activated("lossy")
    content = EICAR + os.urandom(2_500_000)  # several pieces
    path = os.path.join(agent.files, "big.tar")
    with tarfile.open(path, "w") as archive:
        for name, data in (("eicar.com", EICAR), ("noise", content)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    with open(path, "rb") as file:
        before = file.read()
    assert agent.ask("scan", agent.files, status=1)["result"]["detections"] == 1
    item = agent.ask("quarantine", "list")[0]["id"]
    stored = w.manager.path("front", "quarantine", item)
    wait_for("the upload", lambda: os.path.exists(stored))
    assert not os.path.exists(path)
    os.unlink(agent.path("vault", item + ".vault"))
    command = w.post(f"/quarantine/{item}/restore", {"overwrite": False})
    ended = wait_for("the restore", lambda: next(
        (c for c in [w.get(f"/commands/{command['id']}")] if c["state"] not in ("pending", "sent", "running")), None))
    assert ended["state"] == "succeeded", ended
    with open(path, "rb") as file:
        assert file.read() == before


def a_scan_from_the_manager_ends_with_its_numbers(w):
    agent, computer = w.activated("commanded")
    agent.bait(2)
    command = w.post(f"/computers/{computer}/commands", {"kind": "scan", "paths": [agent.files]})
    ended = wait_for("the end of the command", lambda: next(
        (c for c in [w.get(f"/commands/{command['id']}")] if c["state"] not in ("pending", "sent", "running")), None))
    assert ended["state"] == "succeeded", ended
    assert int(ended["result"]["files"]) == 2 and int(ended["result"]["detections"]) == 2, ended
    assert ended["progress"]["files_done"] == 2, ended
    wait_for("two detections", lambda: len(w.events(computer, 2000)) == 2)
    heartbeat = w.post(f"/computers/{computer}/commands", {"kind": "heartbeat"})
    wait_for("the heartbeat", lambda: w.get(f"/commands/{heartbeat['id']}")["state"] == "succeeded")


# --- deaths and outages ---

def exact_counts(w, computer, bait):
    """Every file was detected and quarantined exactly once, as the manager has it."""
    for number in (2000, 2020):
        files = wait_for(f"all events {number}", lambda: (
            lambda found: found if len(found) >= len(bait) else None)(
                [event["fields"]["file"] for event in w.events(computer, number)]))
        twice = [file for file, count in collections.Counter(files).items() if count > 1]
        assert sorted(files) == sorted(bait), [e for e in w.events(computer, number) if e["fields"]["file"] in twice]


def killing_link_and_guard_loses_and_repeats_nothing(w):
    agent, computer = w.activated("killed")
    bait = agent.bait(300)
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    print(f"seed {seed}")
    w.post(f"/computers/{computer}/commands", {"kind": "scan", "paths": [agent.files]})
    wait_for("the first detection", lambda: len(os.listdir(agent.files)) < len(bait))
    for _ in range(3):
        for _ in range(3):
            time.sleep(chance.random() / 5)  # anywhere in the work
            agent.kill_role("link")
        agent.kill()
        agent.start()
    wait_for("all files gone", lambda: not os.listdir(agent.files))
    exact_counts(w, computer, bait)
    wait_for("an empty spool", lambda: agent.status()["events_waiting"] == 0)


def a_manager_that_is_away_gets_everything_later(w):
    agent, computer = w.activated("patient")
    w.manager.stop()
    refused(agent.command("heartbeat"), 1)
    bait = agent.bait(5)
    assert agent.ask("scan", agent.files, status=1)["result"]["detections"] == 5
    status = agent.status()
    assert not status["connected"] and status["cause_code"] == "connect", status
    assert status["events_waiting"] >= 10, status
    agent.kill()  # and the machine loses power meanwhile
    agent.start()
    w.restart_manager()
    code, _, err = wait_for("a heartbeat that works", lambda: (
        lambda result: result if result[0] == 0 else None)(agent.command("heartbeat")))
    assert code == 0, err
    exact_counts(w, computer, bait)


def a_deleted_computer_is_told_so_and_keeps_its_events(w):
    agent, computer = w.activated("revoked")
    w.manager.call("DELETE", f"{V1}/computers/{computer}", w.admin)
    wait_for("the refusal", lambda: agent.command("heartbeat")[0] == 1 and agent.status()["revoked"])
    agent.bait(1)
    agent.ask("scan", agent.files, status=1)
    status = agent.status()
    assert status["revoked"] and status["events_waiting"] > 0, status
    assert "does not accept this computer" in status["cause"], status


def stop_and_reset(w):
    agent, computer = w.activated("leaving")
    refused(agent.command("reset", "--yes"), 1, "stop it first")
    assert agent.command("stop")[0] == 0
    assert agent.process.wait(60) == 0
    agent.process = None
    refused(agent.command("status"), 1, "no agent runs")
    refused(agent.command("reset"), 2, "--yes")
    assert agent.command("reset", "--yes")[0] == 0
    refused(agent.command("run"), 1, "not activated")
    wait_for("the stop on the manager", lambda: w.events(computer, 5003))
    code, _, err = agent.activate(w.url, w.token(), w.fingerprint, "--name", "leaving-again")
    assert code == 0, err


def settings_out_of_range_are_all_named(w):
    agent = w.agent()
    assert agent.activate(w.url, w.token(), w.fingerprint, "--name", "settings")[0] == 0
    with open(agent.path("agent.ini"), "a", encoding="ascii") as file:
        file.write("\n[scan]\nworkers = 900\nspeed = 9\nschedule = sometimes\n")
    refused(agent.command("run"), 1, "workers", "speed")


def ports_as_they_stand(w):
    """Before the agent runs, while it runs, and when another program has its port."""
    agent = w.agent()
    assert agent.activate(w.url, w.token(), w.fingerprint, "--name", "ports")[0] == 0
    own = w.manager.identity["agent_port"]
    outward, inward = agent.ask("ports")
    assert (outward["address"], outward["port"], outward["state"]) == ("127.0.0.1", w.manager.port, "not tried"), outward
    assert (inward["port"], inward["state"]) == (own, "not listening"), inward
    code, out, _ = agent.command("ports", "--check")
    assert code == 1 and "reachable" in out and "[link] listen_port" in out, out
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("0.0.0.0", own))
        other.listen()
        words = (f"port {own}, on which the manager dials this agent", "[link] listen_port", "another program has this port")
        refused(agent.command("run", "--check-config"), 1, *words)
        agent.add_signatures()
        agent.start()
        wait_for("the event", lambda: any(all(word in event["text"] for word in words) for event in
                                          w.events(agent.status()["computer"], 4013)))
        inward = agent.ask("ports")[1]
        assert inward["state"] == "not listening" and "another program" in inward["detail"], inward
    agent.stop()
    agent.start()
    wait_for("the port", lambda: agent.ask("ports")[1]["state"] == "listening")
    wait_for("the manager", lambda: agent.ask("ports")[0]["state"] == "reachable")
    code, out, _ = agent.command("ports", "--check")
    assert code == 0, out
    agent.stop()
    with open(agent.path("agent.ini"), "a", encoding="ascii") as file:
        file.write("\n[link]\ndirection = agent-initiated\n")
    assert agent.ask("ports")[1]["state"] == "off"


def ended(test):
    """The test, and the end of its agents."""
    @functools.wraps(test)
    def both(w):
        test(w)
        w.end_test()
    return both


def main():
    world = World(*sys.argv[1:3])
    return one_by_one([ended(test) for test in tests_in(globals(), "w")], world, 3, world.clear_away)


if __name__ == "__main__":
    sys.exit(main())
