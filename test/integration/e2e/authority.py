#!/usr/bin/env python3
"""One certificate authority of the manager follows another: nobody is lost, whoever was away, whoever was killed."""
import json
import os
import re
import signal
import sqlite3
import ssl
import threading

from installation import Agent, Site, main, program, run, wait_until

site = Site()


def read(*names):
    with open(os.path.join(*names), encoding="ascii") as file:
        return file.read()


def certificates(pem):
    return re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", pem, re.S)


def roots(pem):
    """Fingerprints, in their order; what leads from one to another has a different subject key than authority key."""
    found = []
    for one in certificates(pem):
        text = run(["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-ext",
                    "subjectKeyIdentifier,authorityKeyIdentifier"], stdin=one.encode()).expect(0).out
        if "Authority Key Identifier" not in text:
            found.append(re.search(r"Fingerprint=(\S+)", text).group(1).replace(":", "").lower())
    return found


def agent_roots(agent):
    return roots(read(agent.data, "identity", "ca.pem"))


def row(name):
    with sqlite3.connect(os.path.join(site.manager.data, "front", "muster.db"), timeout=30) as connection:
        connection.row_factory = sqlite3.Row
        return dict(connection.execute("SELECT * FROM computer WHERE name = ? AND deleted IS NULL", (name,)).fetchone())


def api(method, path, body=None):
    words = ["curl", "-s", "-f", "--cacert", site.manager.ca, "-X", method, "-H", f"Authorization: Bearer {site.api}",
             site.manager.url + path]
    if body is not None:
        words += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    return run(words).expect(0)


def issuing():
    return json.loads(api("GET", "/api/v1/system").out)["ca_fingerprint"]


def add(name, *lines, fingerprint=None):
    agent = Agent(site.directory, name)
    if lines:
        with open(os.path.join(agent.data, "agent.ini"), "a", encoding="utf-8") as file:
            file.write("\n".join(["[link]", *lines, ""]))
    site.agents.append(agent)
    agent("activate", site.manager.url, "--token", site.token("--uses", "1"), "--ca-fingerprint",
          fingerprint or issuing(), "--name", name).expect(0)
    agent.start()
    site.wait_online(name)
    # Agents hear of it when they report.
    site.muster("computer", "set", name, "link.heartbeat_interval=10s").expect(0)
    wait_until("it reports often", lambda: row(name)["agent_interval_us"] == 10_000_000)
    return agent


def named(name):
    return next(agent for agent in site.agents if agent.name == name)


def work(agent):
    site.wait_online(agent.name)
    site.muster("computer", "scan", agent.name, "/usr/share/common-licenses", "--watch", timeout=120).expect(0)


def shown():
    """The certificate that the manager's listener shows."""
    return ssl.get_server_certificate(("127.0.0.1", site.manager.port))


def signed_by(pem, root_pem):
    with open(site.path("root.pem"), "w", encoding="ascii") as file:
        file.write(root_pem)
    return run(["openssl", "verify", "-partial_chain", "-CAfile", site.path("root.pem")], stdin=pem.encode()).code == 0


def turned(before):
    """The next one issues, and all that the manager shows is of it."""
    wait_until("another authority issues", lambda: issuing() != before, 300)
    root = certificates(read(site.manager.ca))[0]
    assert roots(root) == [issuing()], "the one that issues stands first in ca.pem"
    wait_until("the listener's certificate is of it", lambda: signed_by(shown(), root))
    wait_until("the dialling one too", lambda: signed_by(read(site.manager.data, "front", "dial.pem"), root))
    return root


def renew():
    return site.muster("cert", "renew", "authority")


def followed():
    stays = add("stays", "listen_address = 127.0.0.71")
    add("away", "listen_address = 127.0.0.72").stop()
    listens = add("listens", "listen_address = 127.0.0.73")
    computer = json.loads(read(listens.data, "identity", "computer.json"))["id"]
    api("PUT", f"/api/v1/computers/{computer}/dial-address", {"dial_address": "127.0.0.73"})
    site.muster("computer", "set", "listens", "link.direction=manager-initiated").expect(0)
    wait_until("it is manager-initiated", lambda: row("listens")["direction"] == "manager-initiated")
    wait_until("away is offline", lambda: site.status_of("away") != "online", 180)
    before, certificate, old_ca = issuing(), read(stays.data, "identity", "cert.pem"), read(site.manager.ca)
    with open(site.path("old-ca.pem"), "w", encoding="ascii") as file:
        file.write(old_ca)
    renew().expect(0)
    again = renew()
    assert again.code != 0 and "already" in again.err, again
    turned(before)
    for agent in (stays, listens):
        wait_until(f"{agent.name} has both", lambda agent=agent: len(agent_roots(agent)) == 2)
        assert agent_roots(agent)[0] == before and issuing() in agent_roots(agent), agent_roots(agent)
    assert read(stays.data, "identity", "cert.pem") != certificate
    assert read(site.manager.data, "keys", "ca.key").count("BEGIN PRIVATE KEY") == 1, "the former key is gone"
    site.wait_events(937)
    site.wait_events(938)
    for agent in (stays, listens):
        work(agent)
    # Whoever has but the former one still believes the manager; whoever has but the new one does, too.
    with open(site.path("new-ca.pem"), "w", encoding="ascii") as file:
        file.write(certificates(read(site.manager.ca))[0])
    for name in ("old-ca.pem", "new-ca.pem"):
        run(["curl", "-s", "-f", "--cacert", site.path(name), site.manager.url + "/healthz"]).expect(0)


def away_comes_back():
    away = named("away")
    assert len(agent_roots(away)) == 1
    site.manager.stop()
    site.manager.start()
    away.start()
    work(away)
    wait_until("it has both", lambda: len(agent_roots(away)) == 2)


def enrolled_after():
    young = add("young", "listen_address = 127.0.0.74")
    assert issuing() in agent_roots(young)
    assert signed_by(read(young.data, "identity", "cert.pem"), certificates(read(site.manager.ca))[0])
    work(young)
    # The line of before is believed too: what the former authority signed leads on.
    late = add("late", "listen_address = 127.0.0.75", fingerprint=site.manager.identity["ca_fingerprint"])
    assert issuing() in agent_roots(late)
    work(late)
    line = api("GET", "/ca.pem").out
    assert roots(certificates(line)[0]) == [issuing()]


def killed():
    """At every step: what was begun is there, or was never begun."""
    for seconds in (0.02, 0.3, 4):
        before, known = issuing(), len(roots(read(site.manager.ca)))
        asking = threading.Thread(target=renew)
        asking.start()
        threading.Event().wait(seconds)
        site.manager.stop(signal.SIGKILL)
        asking.join()
        site.manager.start()
        if len(roots(read(site.manager.ca))) == known:
            again = renew()
            assert again.code == 0 or "already" in again.err, again
        turned(before)
        assert read(site.manager.data, "keys", "ca.key").count("BEGIN PRIVATE KEY") == 1
        for agent in site.agents:
            wait_until(f"{agent.name} knows it", lambda agent=agent: issuing() in agent_roots(agent), 120)
    for agent in site.agents:
        work(agent)


if __name__ == "__main__":
    with site:
        site.add_manager()
        site.api = run([program("muster-manager"), "token", "--data", site.manager.data]).expect(0).out.split()[-1]
        code = main([followed, away_comes_back, enrolled_after, killed])
    raise SystemExit(code)
