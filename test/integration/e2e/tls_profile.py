#!/usr/bin/env python3
"""The TLS profile of a policy: what agents offer on the wire, with it, after a restart, and where it cannot be had."""
import os
import socket
import threading

from installation import Agent, Manager, Site, main, wait_until

STRONG_12 = {0xC030, 0xC02F, 0xC028, 0xC027}
RENEGOTIATION = 0x00FF  # no suite: a word on renegotiation
VERSIONS = 43           # the extension
site = Site()


def hello_of(record):
    """(versions, suites) of a ClientHello: RFC 8446, section 4.1.2."""
    body = record[9:]

    def vector(at, width):
        size = int.from_bytes(body[at:at + width], "big")
        return body[at + width:at + width + size], at + width + size

    _, at = vector(34, 1)
    suites, at = vector(at, 2)
    _, at = vector(at, 1)
    extensions, _ = vector(at, 2)
    versions, at = set(), 0
    while at < len(extensions):
        kind, size = int.from_bytes(extensions[at:at + 2], "big"), int.from_bytes(extensions[at + 2:at + 4], "big")
        if kind == VERSIONS:
            listed = extensions[at + 5:at + 4 + size]
            versions = {int.from_bytes(listed[i:i + 2], "big") for i in range(0, len(listed), 2)}
        at += 4 + size
    return versions, {int.from_bytes(suites[i:i + 2], "big") for i in range(0, len(suites), 2)} - {RENEGOTIATION}


class Wire(threading.Thread):
    """Stands between an agent and its manager, and reads what the agent offers."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.to, self.hellos = port, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        record = b""
        while len(record) < 5 or len(record) < 5 + int.from_bytes(record[3:5], "big"):
            piece = client.recv(65536)
            if not piece:
                return
            record += piece
        self.hellos.append(hello_of(record))
        try:
            server = socket.create_connection(("127.0.0.1", self.to))
        except OSError:
            client.close()
            return
        server.sendall(record)
        threading.Thread(target=self.pass_on, args=(server, client), daemon=True).start()
        self.pass_on(client, server)

    @staticmethod
    def pass_on(source, target):
        try:
            while piece := source.recv(65536):
                target.sendall(piece)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def offers(strong):
    """The agent's last connection."""
    versions, suites = site.wire.hellos[-1]
    return (suites == STRONG_12 and 0x0304 not in versions) if strong else 0x0304 in versions


def set_base(profile):
    site.muster("policy", "set", "base", f"link.tls_profile={profile}").expect(0)


def shown():
    return site.json("computer", "show", "one")


def in_force():
    return next(each for each in site.agent("settings", "-o", "json").expect(0).json if each["name"] == "link.tls_profile")["value"]


def wait_profile(name):
    wait_until(f"{name} is in force", lambda: shown()["config_state"] == "applied" and in_force() == name)


def an_agent_connects_with_its_policys_profile():
    site.manager = Manager(site.directory).init()
    path = os.path.join(site.manager.data, "manager.ini")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert "[network]\n" in text, text
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("[network]\n", "[network]\ntls_profiles = modern strong-12\n", 1))
    site.manager.start()
    site.muster("login", "--user", site.manager.identity["user"], "--password-file", "-",
                stdin=site.manager.identity["password"].encode() + b"\n").expect(0)
    site.wire = Wire(site.manager.port)
    site.agent = Agent(site.directory, "one")
    site.agents.append(site.agent)
    site.agent("activate", f"https://localhost:{site.wire.port}", "--token", site.token("--uses", "1"), "--ca-fingerprint",
               site.manager.identity["ca_fingerprint"], "--name", "one").expect(0)
    site.agent.start()
    site.wait_online("one")
    wait_profile("modern")
    assert offers(strong=False), site.wire.hellos
    set_base("strong-12")
    wait_profile("strong-12")
    assert offers(strong=True), site.wire.hellos


def a_restart_keeps_it():
    assert site.agent.stop() == 0
    before = len(site.wire.hellos)
    site.agent.start()
    wait_until("the agent is back", lambda: site.agent("status", "-o", "json").json["connected"])
    assert len(site.wire.hellos) > before
    assert all(suites == STRONG_12 for _, suites in site.wire.hellos[before:]), site.wire.hellos


def what_cannot_be_served_is_refused():
    rows = {row["name"]: row for row in site.json("tls", "profiles")}
    site.muster("policy", "set", "base", "link.tls_profile=legacy-9.5").expect(1, "modern", "strong-12", "fips-12")
    if rows["fips-12"]["served"]:
        return
    set_base("fips-12")
    wait_until("it is refused", lambda: shown()["config_state"] == "failed")
    assert "link.tls_profile: TLS profile fips-12 cannot be served" in shown()["config_error"], shown()
    assert in_force() == "strong-12" and shown()["status"] == "online"


def and_back():
    set_base("modern")
    wait_profile("modern")
    assert offers(strong=False), site.wire.hellos


if __name__ == "__main__":
    with site:
        code = main([an_agent_connects_with_its_policys_profile, a_restart_keeps_it, what_cannot_be_served_is_refused, and_back])
    raise SystemExit(code)
