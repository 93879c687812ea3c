#!/usr/bin/env python3
"""Who dials whom: the three directions, the agent's listener, and everybody who may not use it."""
import json
import os
import socket
import ssl
import zipfile

from installation import EICAR, Agent, Site, main, program, run, wait_until

site = Site()
LISTEN = "0A"


class Placed(Agent):
    """An agent with an address of its own to listen on."""

    def __init__(self, name, number, *lines):
        super().__init__(site.directory, name)
        self.address = f"127.0.0.{number}"
        with open(os.path.join(self.data, "agent.ini"), "a", encoding="utf-8") as file:
            file.write("\n".join(["[link]", f"listen_address = {self.address}", *lines, ""]))

    def link(self):
        return self("status", "-o", "json").json["link"]

    def processes(self):
        """The agent and all it started."""
        found, new = set(), {self.process.pid}
        while new:
            found |= new
            new = set()
            for pid in found:
                try:
                    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
                        new |= {int(child) for child in file.read().split()} - found
                except FileNotFoundError:
                    pass
        return found

    def sockets(self):
        """(local port, peer port, state) of each TCP socket of the agent's processes."""
        inodes = set()
        for pid in self.processes():
            for fd in os.listdir(f"/proc/{pid}/fd"):
                try:
                    target = os.readlink(f"/proc/{pid}/fd/{fd}")
                except FileNotFoundError:
                    continue
                if target.startswith("socket:["):
                    inodes.add(target[8:-1])
        rows = []
        for name in ("tcp", "tcp6"):
            with open(f"/proc/net/{name}", encoding="ascii") as file:
                for line in file.readlines()[1:]:
                    words = line.split()
                    if words[9] in inodes:
                        rows.append((int(words[1].split(":")[1], 16), int(words[2].split(":")[1], 16), words[3]))
        return rows


def agent_port():
    return site.manager.identity["agent_port"]


def computer(name):
    return site.json("computer", "show", name)


def change(name, **members):
    done = run(["curl", "-s", "--cacert", site.manager.ca, "-X", "PUT", "-H", f"Authorization: Bearer {site.api}",
                "-H", "Content-Type: application/json", "-d", json.dumps(members),
                f"{site.manager.url}/api/v1/computers/{computer(name)['id']}/dial-address"]).expect(0)
    return done.json


def set_policy(name, *settings):
    site.muster("computer", "set", name, *settings).expect(0)


def turn(agent, direction):
    """By the policy: tried, then kept."""
    set_policy(agent.name, f"link.direction={direction}")
    wait_until(f"{agent.name} is {direction}", lambda: agent.link()["direction"] == direction and agent.link()["proven"])
    wait_until("the manager knows", lambda: computer(agent.name)["direction_in_force"] == direction)
    wait_until("it is kept", lambda: computer(agent.name)["config_state"] == "applied")


def add(name, number, *lines):
    agent = Placed(name, number, *lines)
    site.agents.append(agent)
    site.activate(agent).expect(0)
    change(name, dial_address=agent.address)
    agent.start()
    site.wait_online(name)
    return agent


def work(name):
    site.muster("computer", "scan", name, "/usr/share/common-licenses", "--watch", timeout=90).expect(0)


def bidirectional():
    # It polls every ten minutes: what happens at once happens over a connection that the manager dialled.
    agent = add("both", 11)
    set_policy("both", "link.poll=periodic", "link.poll_interval=10m")
    wait_until("it polls", lambda: computer("both")["config_state"] == "applied" and not computer("both")["connected"])
    wait_until("it listens", lambda: agent.link()["listening"])
    assert (agent_port(), 0, LISTEN) in agent.sockets(), agent.sockets()
    assert computer("both")["direction"] == "bidirectional" == computer("both")["direction_in_force"]
    wait_until("the manager knows the port", lambda: computer("both")["listen_port"] == agent_port())
    work("both")
    assert agent.link()["talks"] > 0, agent.link()
    site.agent = agent


def manager_initiated():
    agent = add("listens", 12)
    # Tried before it is kept: it dials until the manager has dialled it.
    turn(agent, "manager-initiated")
    assert agent.stop() == 0
    agent.start()
    work("listens")
    assert agent.link()["proven"], agent.link()
    dialled = [row for row in agent.sockets() if row[1] == site.manager.port]
    assert not dialled, dialled
    agent("scan", "/usr/share/common-licenses").expect(0)
    work("listens")
    wait_until("its events", lambda: any(
        event["fields"].get("origin") == "local" for event in
        site.json("event", "list", "--type", "2002", "--computer", "listens")))


def resumed():
    """Dials whose TLS session was that of the one before."""
    shown = run(["curl", "-s", "--cacert", site.manager.ca, f"{site.manager.url}/metrics"]).expect(0).out
    return next(int(line.split()[1]) for line in shown.splitlines() if line.startswith("muster_dials_resumed_total "))


def lost_and_found():
    """What an agent that may not dial has in quarantine reaches the manager, and comes back from there."""
    agent = next(each for each in site.agents if each.name == "listens")
    place = site.files("listens-files")
    path = os.path.join(place, "eicar")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("eicar.com", EICAR)
        archive.writestr("filling", os.urandom(3_000_000))
    with open(path, "rb") as file:
        content = file.read()
    dialled = set()

    def watched(question):
        """The answer, while the agent's own connections are looked at."""
        dialled.update(row[:2] for row in agent.sockets() if row[1] == site.manager.port)
        return question()

    site.muster("computer", "scan", "listens", place, "--watch", timeout=90).expect(0)
    assert not os.path.exists(path)

    def uploaded():
        items = [item for item in site.json("quarantine", "list", "--limit", "1000") if item["path"] == path]
        return items[0]["id"] if items and os.path.exists(
            os.path.join(site.manager.data, "front", "quarantine", items[0]["id"])) else None

    item = wait_until("the upload", lambda: watched(uploaded), 120)
    zipped = site.path("listens.zip")
    site.muster("quarantine", "download", item, "--file", zipped).expect(0)
    assert os.path.getsize(zipped) > 3_000_000
    os.unlink(os.path.join(agent.data, "vault", item + ".vault"))
    site.muster("quarantine", "restore", item).expect(0)
    wait_until("the restore", lambda: watched(lambda: os.path.exists(path)), 120)
    wait_until("the item's state", lambda: watched(
        lambda: site.json("quarantine", "show", item)["state"] == "restored"), 120)
    with open(path, "rb") as file:
        assert file.read() == content
    os.unlink(path)
    assert not dialled, dialled
    assert agent.link()["direction"] == "manager-initiated" and agent.link()["proven"], agent.link()
    assert resumed() > 0


def switched_live():
    """Each way, without a restart, and never out of reach."""
    agent = next(each for each in site.agents if each.name == "listens")
    for direction in ("agent-initiated", "manager-initiated", "bidirectional"):
        turn(agent, direction)
        work("listens")
    wait_until("a held poll", lambda: computer("listens")["connected"])


def agent_initiated():
    agent = add("dials", 13)
    turn(agent, "agent-initiated")
    wait_until("the port is closed", lambda: not agent.link()["listening"])
    work("dials")
    listening = [row for row in agent.sockets() if row[2] == LISTEN]
    assert not listening, listening
    assert agent.stop() == 0
    agent.start()
    work("dials")
    assert not [row for row in agent.sockets() if row[2] == LISTEN]


def port_taken():
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.14", agent_port()))
        other.listen()
        agent = add("taken", 14)
        event = site.wait_events(4013, computer="taken")[0]
        assert "another program has this port" in event["text"] and str(agent_port()) in event["text"], event
        assert not agent.link()["listening"]
        work("taken")
    wait_until("it listens after all", lambda: agent.link()["listening"], 90)
    assert agent.link()["problem"] == ""
    assert len(site.json("event", "list", "--type", "4013", "--computer", "taken")) == 1


def wrong_addresses():
    agent = add("moved", 15)
    turn(agent, "manager-initiated")
    change("moved", dial_address="no-such-host.invalid")
    wait_until("the cause", lambda: "resolve no-such-host.invalid" in computer("moved")["link_error"], 90)
    assert "resolve" in site.wait_events(742, computer="moved")[0]["text"]
    # Another agent of the fleet has the address now: it is not taken for the one that is meant.
    change("moved", dial_address=site.agent.address)
    wait_until("the cause", lambda: "another computer's agent" in computer("moved")["link_error"], 90)
    change("moved", dial_address="127.0.0.99")
    wait_until("the cause", lambda: "Connection refused" in computer("moved")["link_error"], 90)
    change("moved", dial_address=agent.address)
    site.wait_events(743, computer="moved")
    assert computer("moved")["link_error"] == ""
    assert len(site.json("event", "list", "--type", "742", "--computer", "moved")) == 1
    for bad in ({}, {"dial_address": "a b"}, {"dial_address": "http://x/"}, {"port": 1}):
        assert change("moved", **bad)["status"] in (400, 422), bad


def handshake(address, certificate=None):
    """What comes back from a caller who tries to speak to the listener."""
    context = ssl.create_default_context(cafile=site.manager.ca)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(*certificate)
    try:
        with socket.create_connection((address, agent_port()), 10) as plain:
            with context.wrap_socket(plain) as stream:
                stream.sendall(b"POST /manager/v1/exchange HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n\x08\x01")
                return stream.recv(4096)
    except (ssl.SSLError, ConnectionError, socket.timeout) as error:
        return error


def strangers():
    agent = site.agent
    mine = next(each for each in site.agents if each.name == "dials")
    identity = [os.path.join(mine.data, "identity", name) for name in ("cert.pem", "key.pem")]
    before = agent.link()["refused"]
    for certificate in (None, identity):
        answer = handshake(agent.address, certificate)
        assert not isinstance(answer, bytes) or answer == b"", answer
    wait_until("both are counted", lambda: agent.link()["refused"] >= before + 2)
    event = site.wait_events(4030, computer="both")[0]
    assert "127.0.0.1" in event["text"] and "certificate" in event["text"], event
    # Nobody else is kept out by them.
    work("both")
    # The manager's own certificate is for dialling: it is no computer's, and is not taken for one.
    dial = [os.path.join(site.manager.data, "front", name) for name in ("dial.pem", "dial.key")]
    answer = handshake(agent.address, dial)
    assert isinstance(answer, bytes) and b"200 OK" in answer, answer
    refused = run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", site.manager.ca, "--cert",
                   dial[0], "--key", dial[1], "--data-binary", "x", f"{site.manager.url}/agent/v1/exchange"])
    assert refused.out == "403", refused


def appliance():
    """Its token says so; a policy's direction does not reach it, and it takes none of its own."""
    token = site.json("token", "create", "--enrolment", "--appliance", "--uses", "1")
    assert token["appliance"] is True
    agent = Placed("appliance", 17)
    site.agents.append(agent)
    site.activate(agent, token=token["token"]).expect(0)
    change("appliance", dial_address=agent.address)
    site.muster("policy", "create", "oneway").expect(0)
    site.muster("policy", "set", "oneway", "link.direction=agent-initiated").expect(0)
    site.muster("computer", "assign", "appliance", "oneway").expect(0)
    agent.start()
    site.wait_online("appliance")
    wait_until("it is told", lambda: computer("appliance")["config_state"] == "applied")
    assert computer("appliance")["appliance"] is True and computer("appliance")["direction"] == "bidirectional"
    assert agent.link()["direction"] == "bidirectional"
    shown = site.muster("computer", "effective", "appliance").expect(0)
    line = next(line for line in shown.out.splitlines() if "link.direction" in line)
    assert line.split()[1:3] == ["bidirectional", "appliance"], line
    refused = site.muster("computer", "set", "appliance", "link.direction=agent-initiated")
    assert refused.code != 0 and "appliances are only bidirectional" in refused.err, refused.err
    # one that is none any more has what its policy says
    site.muster("computer", "appliance", "appliance", "no").expect(0)
    wait_until("it no longer listens", lambda: agent.link()["direction"] == "agent-initiated")


def older_manager():
    """A data directory from before managers dialled gets what it needs at its next start."""
    assert site.manager.stop() == 0
    for name in ("dial.pem", "dial.key"):
        os.unlink(os.path.join(site.manager.data, "front", name))
    site.manager.start()
    wait_until("a new certificate", lambda: os.path.exists(os.path.join(site.manager.data, "front", "dial.pem")))
    work("moved")


if __name__ == "__main__":
    with site:
        site.add_manager()
        site.api = run([program("muster-manager"), "token", "--data", site.manager.data]).expect(0).out.split()[-1]
        code = main([bidirectional, manager_initiated, lost_and_found, switched_live, agent_initiated, port_taken,
                     wrong_addresses, strangers, appliance, older_manager])
    raise SystemExit(code)
