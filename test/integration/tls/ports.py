#!/usr/bin/env python3
"""The table of ports, the names that administrators of the originals know, and ports that cannot be had.

usage: ports.py MUSTER-MANAGER MUSTER
"""
import json
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
import manager as managers  # noqa: E402
import profiles  # noqa: E402

WAIT_S = 120


def run(*command, environment=None):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=WAIT_S, env=environment)


def add_lines(manager, text):
    with open(manager.path("manager.ini"), encoding="utf-8") as file:
        before = file.read()
    with open(manager.path("manager.ini"), "w", encoding="utf-8") as file:
        file.write(before + text)
    return before


def with_lines(manager, text, *words):
    """--check-config refuses manager.ini with these lines, in these words; without words it takes them, and shows them."""
    before = add_lines(manager, text)
    try:
        done = run(manager.program, "run", "--data", manager.data, "--check-config")
        assert done.returncode == (1 if words else 0), done
        for word in words:
            assert word in done.stderr, (word, done.stderr)
        return done.stdout
    finally:
        with open(manager.path("manager.ini"), "w", encoding="utf-8") as file:
            file.write(before)


def names_of_the_originals(manager):
    own = manager.identity["agent_port"]
    shown = with_lines(manager, f"[INI_SERVER_SECTION]\nMaster_DomainPort=8060\nMaster_EnableSSL=1\nMaster_SSLPort={manager.port}\n"
                                f"[INI_CLIENT_SECTION]\nClient_LocalServer_Port={own}\n")
    assert "[network] http_port = 8060" in shown, shown
    assert f"[network] agent_port = {own}" in shown, shown
    with_lines(manager, "[INI_SERVER_SECTION]\nMaster_EnableSSL=2\n", "Master_EnableSSL = 2", "nothing is served in clear")
    with_lines(manager, "[INI_CLIENT_SECTION]\nCliernt_LocalServer_Port=18613\n", "Cliernt_LocalServer_Port = 18613",
               "contradicts [network] agent_port in line ", "another name")
    with_lines(manager, "[INI_SERVER_SECTION]\nMaster_SSLPort=9443\n", "Master_SSLPort) contradicts [network] listen")
    with_lines(manager, "[INI_SERVER_SECTION]\nMaster_SSLPort=94430\n", "[INI_SERVER_SECTION] Master_SSLPort = 94430",
               "allowed: 0 to 65535")
    with_lines(manager, "[INI_SERVER_SECTION]\nMaster_Port=1\n", "no such setting in this section")
    with_lines(manager, f"[INI_SERVER_SECTION]\nMaster_SSLPorts={manager.port}\n", "is [INI_SERVER_SECTION] Master_SSLPort meant?")
    with_lines(manager, f"[network]\nhttps_prot={manager.port}\n", "no such setting in this section; is [network] https_port meant?")
    # Without [network] listen it is the port, on every address.
    profiles.set_network(manager, listen=None)
    other = managers.free_port()
    assert f"0.0.0.0:{other}, [::]:{other}" in run_ports(manager, f"[INI_SERVER_SECTION]\nMaster_SSLPort={other}\n")
    profiles.set_network(manager, listen=f"127.0.0.1:{manager.port}")


def run_ports(manager, lines):
    """The listeners of `muster-manager ports`, with these lines in manager.ini."""
    before = add_lines(manager, lines)
    try:
        done = run(manager.program, "ports", "--data", manager.data, "-o", "json")
        assert done.returncode == 0, done
        rows = [row for row in json.loads(done.stdout) if row["setting"] == "[network] listen"]
        return ", ".join(f"[{row['address']}]:{row['port']}" if ":" in row["address"] else f"{row['address']}:{row['port']}"
                         for row in rows)
    finally:
        with open(manager.path("manager.ini"), "w", encoding="utf-8") as file:
            file.write(before)


def a_taken_port_is_explained(manager):
    words = (f"port {manager.port} for console, API, agents' exchange", "[network] listen", "another program has this port")
    with socket.socket() as other:
        other.bind(("127.0.0.1", manager.port))
        other.listen()
        for arguments in (["run"], ["run", "--check-config"], ["ports", "--check"]):
            done = run(manager.program, *arguments, "--data", manager.data)
            assert all(word in done.stderr for word in words), (arguments, done)
            assert done.returncode == (0 if arguments[0] == "ports" else 1), done
    profiles.set_network(manager, listen=f"127.0.0.1:{manager.port}, 192.0.2.77:{manager.port}")
    done = run(manager.program, "run", "--data", manager.data, "--check-config")
    assert done.returncode == 1 and "this computer has no such address; `ip address` lists" in done.stderr, done
    profiles.set_network(manager, listen=f"127.0.0.1:{manager.port}")


def its_own_listeners_do_not_collide(manager):
    """Refused before one of them takes the port from the other, and is said to be another program."""
    port, other = manager.port, managers.free_port()
    for listen, more, words in (
            (f"127.0.0.1:{port}, 127.0.0.1:{port}", "", (f"listen 127.0.0.1:{port} and listen 127.0.0.1:{port} are the same port;",)),
            (f"0.0.0.0:{port}, 127.0.0.1:{port}", "", ("are the same port, since one of them is every address", "take one of them out")),
            (f"[::]:{port}, [::1]:{port}", "", (f"listen [::]:{port} and listen [::1]:{port} are the same port",)),
            (f"127.0.0.1:{port}", f"console_listen = 0.0.0.0:{port}\n", ("listen 127.0.0.1", "console_listen 0.0.0.0")),
            (f"localhost:{port}", "", ("localhost is not a numeric address", "0.0.0.0 and [::]")),
            (f"0.0.0.0:{port}, [::]:{port}", f"console_listen = 127.0.0.1:{other}\n", ())):
        profiles.set_network(manager, listen=listen)
        with_lines(manager, "[network]\n" + more, *words)
    profiles.set_network(manager, listen=f"127.0.0.1:{port}")


def one(rows, **wanted):
    found = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    assert len(found) == 1, (wanted, rows)
    return found[0]


def without_a_manager(manager):
    done = run(manager.program, "ports", "--data", manager.data)
    assert done.returncode == 0 and "not listening" in done.stdout and "PURPOSE" in done.stdout, done
    done = run(manager.program, "ports", "--data", manager.data, "--check", "-o", "json")
    assert done.returncode == 1 and "not all of this manager's ports" in done.stderr, done
    rows = json.loads(done.stdout)
    assert one(rows, port=manager.port)["detail"] == "the manager does not run; the port is free", rows
    assert one(rows, port=8059)["state"] == "off"
    assert one(rows, to="agents")["port"] == manager.identity["agent_port"]


def with_a_manager(program, manager):
    token = manager.sign_in()
    environment = dict(os.environ, MUSTER_SERVER=f"https://localhost:{manager.port}", MUSTER_CA=manager.path("ca.pem"),
                       MUSTER_TOKEN=token)
    done = run(manager.program, "ports", "--data", manager.data, "--check")
    assert done.returncode == 0 and "listening" in done.stdout, done
    with socket.socket() as siem, socket.socket(type=socket.SOCK_DGRAM) as collector:
        siem.bind(("127.0.0.1", 0))
        siem.listen()
        collector.bind(("127.0.0.1", 0))
        taken = collector.getsockname()[1]
        port, closed = siem.getsockname()[1], managers.free_port()
        for name, url in (("siem", f"tcp://127.0.0.1:{port}"), ("gone", f"tls://127.0.0.1:{closed}"), ("datagrams", "udp://127.0.0.1:%d" % taken), ("nobody", "udp://127.0.0.1:%d" % closed)):
            manager.call("POST", "/api/v1/destinations", token, {"name": name, "url": url, "content": "alerts"}, expect=201)
        rows = manager.call("GET", "/api/v1/ports", token, expect=200).json["items"]
        assert one(rows, port=manager.port)["state"] == "listening"
        assert {row["state"] for row in rows if row["name"]} == {"not tried"}, rows
        done = run(program, "ports", "--check", "-o", "json", environment=environment)
        assert done.returncode == 1 and "not all of them could be reached" in done.stderr, done
        rows = json.loads(done.stdout)
        assert one(rows, name="siem", port=port)["state"] == "reachable"
        assert one(rows, name="gone", port=closed) | {"state": "unreachable", "detail": "Connection refused"} == one(rows, name="gone")
        assert one(rows, name="datagrams")["state"] == "not tried", rows
        assert one(rows, to="agents")["detail"].startswith("agents that listen: 0, not dialled when last tried: 0;"), rows
        assert one(rows, protocol="SSH") | {"port": 22, "state": "not tried"} == one(rows, protocol="SSH"), rows
        assert one(rows, name="nobody")["state"] == "unreachable", rows
        for destination in manager.call("GET", "/api/v1/destinations", token, expect=200).json["items"]:
            if destination["name"] in ("gone", "nobody"):
                manager.call("DELETE", "/api/v1/destinations/" + destination["id"], token, expect=204)
        assert run(program, "ports", "--check", environment=environment).returncode == 0
    viewer = manager.call("POST", "/api/v1/tokens", token, {"name": "v", "role": "viewer"}, expect=201).json["token"]
    manager.call("GET", "/api/v1/ports", viewer, expect=200)
    manager.call("POST", "/api/v1/ports/check", viewer, expect=403)


def main():
    program, command = sys.argv[1:3]
    manager = managers.Manager(program)
    try:
        names_of_the_originals(manager)
        a_taken_port_is_explained(manager)
        its_own_listeners_do_not_collide(manager)
        without_a_manager(manager)
        manager.start()
        with_a_manager(command, manager)
    finally:
        manager.remove()
    print("ok")


if __name__ == "__main__":
    main()
