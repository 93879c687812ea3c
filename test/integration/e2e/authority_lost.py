#!/usr/bin/env python3
"""The key of the certificate authority is gone: the manager serves, says so, certifies nothing, and takes it back."""
import json
import os
import shutil
import sqlite3

from installation import Agent, Site, main, run, wait_until

site = Site()
PASSWORD = b"a long password\n"


def key(*more):
    return os.path.join(site.manager.data, "keys", "ca.key" + "".join(more))


def cert(*words):
    return site.muster("cert", *words, "--password-file", "-", stdin=PASSWORD)


def present():
    return site.json("system", "show")["authority_present"]


def alerts(state="open"):
    return [alert for alert in site.json("alert", "list", "--state", state) if alert["type"] == "authority_missing"]


def authority():
    return next(row for row in site.json("cert", "list") if row["name"] == "authority")


def obeys(name):
    site.wait_online(name)
    site.muster("computer", "scan", name, "/usr/share/common-licenses", "--watch", timeout=120).expect(0)


def due(name):
    """Its certificate is to be renewed now: as if it had been given long ago."""
    with sqlite3.connect(os.path.join(site.manager.data, "front", "muster.db"), timeout=30) as connection:
        connection.execute("UPDATE computer SET certificate_not_after = (unixepoch() + 86400) * 1000000 WHERE name = ?",
                           (name,))


def certificate(agent):
    with open(os.path.join(agent.data, "identity", "cert.pem"), encoding="ascii") as file:
        return file.read()


def is_lost(why):
    """The manager runs without it; whoever has a certificate goes on."""
    site.manager.start()
    wait_until("it is said", lambda: len(alerts()) == 1)
    assert not present()
    alert = alerts()[0]
    assert alert["severity"] == "critical" and why in alert["text"] and "muster cert restore" in alert["text"], alert
    assert why in authority()["problem"]
    site.muster("cert", "list").expect(0, "NO CERTIFICATE CAN BE ISSUED", "muster cert restore")
    obeys("there")
    for name in ("server", "dialling", "authority"):
        site.muster("cert", "renew", name).expect(1, "No certificate can be issued", "muster cert restore")
    stranger = Agent(site.directory, "stranger")
    site.activate(stranger).expect(1, "can issue no certificates now")
    cert("backup", site.path("empty.backup")).expect(1, "muster cert restore")
    assert not os.path.exists(site.path("empty.backup"))


def is_back(fingerprint):
    wait_until("it is taken up", present)
    wait_until("the alert is over", lambda: not alerts())
    assert authority()["fingerprint"] == fingerprint and authority()["problem"] is None
    site.muster("cert", "renew", "server").expect(0)
    obeys("there")


def deleted_and_put_back():
    fingerprint, agent = authority()["fingerprint"], site.agents[0]
    before = certificate(agent)
    cert("backup", site.path("keys.backup")).expect(0)
    site.manager.stop()
    due("there")
    os.rename(key(), site.path("ca.key"))
    is_lost("No such file")
    assert not os.path.exists(key()), "another key was made silently"
    wait_until("the agent's renewal is refused", lambda: "can issue no certificates now" in agent.text())
    assert certificate(agent) == before
    # Told once, over restarts as well.
    site.manager.stop()
    is_lost("No such file")
    assert len(site.wait_events(939)) == 1 and len(alerts()) == 1
    # As an administrator does it, who is root: the keys role could not even read it by itself.
    shutil.copyfile(site.path("ca.key"), key(".put"))
    os.chmod(key(".put"), 0o600)
    os.rename(key(".put"), key())
    is_back(fingerprint)
    assert len(site.wait_events(940)) == 1
    site.manager.stop()
    site.manager.start()
    wait_until("the agent's certificate is renewed", lambda: certificate(agent) != before, 180)
    obeys("there")


def damaged_and_restored():
    fingerprint = authority()["fingerprint"]
    site.manager.stop()
    with open(key(), "r+b") as file:
        file.truncate(100)
    is_lost("ca.key")
    cert("restore", site.path("keys.backup")).expect(0, "restored")
    is_back(fingerprint)
    assert os.path.exists(key(".replaced")), "what is left of the key is not thrown away"
    assert any(entry["action"] == "authority.restore" for entry in site.json("audit", "list", "--limit", "20"))
    site.manager.stop()
    site.manager.start()
    wait_until("it is still there", present)
    site.add_agent("newcomer")
    obeys("newcomer")


def of_others():
    """A key that is whole, and not ours, is not taken: what it signs nobody would believe."""
    fingerprint = authority()["fingerprint"]
    with open(site.manager.ca, encoding="ascii") as file:
        known = file.read()
    other = site.path("other")
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
         other + ".key", "-out", other + ".pem", "-days", "100", "-subj", "/CN=Muster",
         "-addext", "basicConstraints=critical,CA:TRUE"]).expect(0)
    site.manager.stop()
    os.rename(key(), site.path("ours.key"))
    with open(key(), "w", encoding="ascii") as file:
        os.chmod(key(), 0o600)
        for name in (other + ".key", other + ".pem"):
            with open(name, encoding="ascii") as part:
                file.write(part.read())
    is_lost("not of the authority")
    with open(site.manager.ca, encoding="ascii") as file:
        assert file.read() == known, "ca.pem is of another authority"
    os.rename(site.path("ours.key"), key())
    is_back(fingerprint)


def server_key_damaged():
    """The other key: what cannot be read is as what is not there."""
    path = os.path.join(site.manager.data, "keys", "server-authentication.key")
    site.manager.stop()
    shutil.copyfile(path, site.path("server.key"))
    with open(path, "r+b") as file:
        file.truncate(20)
    site.manager.start()
    wait_until("it is noticed", lambda: site.json("system", "show")["server_authentication_present"] is False)
    site.muster("computer", "scan", "there", "/etc/hostname").expect(1, "server-authentication.key", "muster cert restore")
    with open(path, "r+b") as file, open(site.path("server.key"), "rb") as whole:
        file.write(whole.read())
    wait_until("it is taken up", lambda: site.json("system", "show")["server_authentication_present"])
    obeys("there")


if __name__ == "__main__":
    with site:
        site.add_manager()
        site.add_agent("there")
        code = main([deleted_and_put_back, damaged_and_restored, of_others, server_key_damaged])
    raise SystemExit(code)
