#!/usr/bin/env python3
"""The server authentication key as an administrator has it: rolled over, lost, and agents that do not trust it."""
import csv
import io
import os
import shutil
import signal

from installation import Agent, Manager, Site, main, program, run, wait_until

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
    add("there")
    away = add("away")
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
    wait_until("all have followed", lambda: key()["agents"] == len(site.agents))  # the manager was killed just now
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


def repaired_by_hand():
    """muster-agent trust: running or not, without any network; a file that is no key changes nothing."""
    public = os.path.join(site.directory, "manager.pub")
    site.muster("cert", "export", public).expect(0)
    site.muster("cert", "export", public).expect(1, "is there already")
    ordered = site.json("command", "list", "--computer", "there", "--state", "pending")
    assert ordered, "an order waits for the agent that does not trust us"
    there, away = [next(agent for agent in site.agents if agent.name == name) for name in ("there", "away")]
    rubbish = os.path.join(site.directory, "rubbish.pub")
    with open(rubbish, "w", encoding="ascii") as file:
        file.write("no key\n")
    there("trust", rubbish).expect(1, "not the manager's public key")
    there("trust", rubbish + ".not").expect(1, "there is no file")
    there("trust").expect(2)
    there("trust", public).expect(0, key()["fingerprint"])
    wait_until("the one that runs is healed", lambda: trusts("there", key()["fingerprint"]))
    wait_until("what waited for it is done",
               lambda: site.json("command", "show", ordered[0]["id"])["state"] == "succeeded")
    away.stop()
    away("trust", public).expect(0)
    away.start()
    wait_until("the one that did not run is healed", lambda: trusts("away", key()["fingerprint"]))
    late = next(agent for agent in site.agents if agent.name == "late")
    late("trust", public).expect(0)
    wait_until("none is left", lambda: key()["mismatched"] == 0)
    wait_until("the alert ends by itself", lambda: not [
        alert for alert in site.json("alert", "list", "--state", "open")
        if alert["type"] == "invalid_server_certificate"])
    assert not mismatched_rows()


PASSWORD = b"a long password\n"


def cert(*words, password=PASSWORD):
    return site.muster("cert", *words, "--password-file", "-", stdin=password)


def backed_up():
    """A backup opens with its password alone, whole and unaltered; nothing is overwritten without --force."""
    path = os.path.join(site.directory, "keys.backup")
    cert("backup", path, password=b"short\n").expect(1, "8")
    cert("backup", path).expect(0, "apart from each other")
    assert os.stat(path).st_mode & 0o777 == 0o600
    cert("backup", path).expect(1, "is there already")
    with open(path, "rb") as file:
        whole = file.read()
    damaged = os.path.join(site.directory, "damaged.backup")
    for content, words in ((whole[:-1], ["not whole"]), (whole + b"x", ["follows the end"]),
                           (b"rubbish", ["not a backup"]), (b"", ["not a backup"]),
                           (whole[:200] + bytes([whole[200] ^ 1]) + whole[201:], ["altered"])):
        with open(damaged, "wb") as file:
            file.write(content)
        cert("restore", damaged).expect(1, *words)
    cert("restore", path, password=b"another password\n").expect(1, "the password is wrong")
    cert("restore", path + ".not").expect(1, "not")
    cert("restore", path).expect(0)  # the same key: nothing to overwrite
    assert key()["keys"][0]["backed_up"] is not None and key()["mismatched"] == 0
    site.muster("cert", "create").expect(0)
    wait_until("all have followed", lambda: key()["agents"] == len(site.agents))
    cert("restore", path).expect(1, "--force")
    assert key()["agents"] == len(site.agents)
    log = site.manager.text()
    assert PASSWORD.decode().strip() not in log and "PRIVATE KEY" not in log
    audit = str(site.json("audit", "list", "--limit", "50"))
    assert "server_key.back_up" in audit and PASSWORD.decode().strip() not in audit
    os.remove(path)
    cert("backup", path).expect(0)
    return path


def key_lost():
    """The key's file is gone: the manager runs, shows every agent as mismatched, signs nothing, makes no other key."""
    path = os.path.join(site.manager.data, "keys", "server-authentication.key")
    before = key()["fingerprint"]
    site.manager.stop()
    os.remove(path)
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
    cert("restore", os.path.join(site.directory, "keys.backup")).expect(0, before)
    assert key()["present"] and key()["fingerprint"] == before
    wait_until("none is mismatched, none was started again", lambda: key()["mismatched"] == 0)
    obeys("there")
    assert events(934)


def imported():
    """A private key from elsewhere: over a key that is present only with --force, and agents follow."""
    path = os.path.join(site.directory, "other.pem")
    run(["openssl", "genpkey", "-algorithm", "ED25519", "-out", path]).expect(0)
    former = key()["fingerprint"]
    site.muster("cert", "import", path).expect(1, "--force")
    assert key()["fingerprint"] == former
    run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
         path + ".ec"]).expect(0)
    site.muster("cert", "import", path + ".ec", "--force").expect(1, path + ".ec", "not an Ed25519 key", "openssl genpkey")
    public = os.path.join(site.directory, "public.pem")
    site.muster("cert", "export", public).expect(0)
    site.muster("cert", "import", public, "--force").expect(1, public, "a public key")
    run(["openssl", "pkey", "-in", path, "-aes256", "-passout", "pass:x", "-out", path + ".locked"]).expect(0)
    site.muster("cert", "import", path + ".locked", "--force").expect(1, "under a password", "openssl pkey")
    site.muster("cert", "import", site.manager.ca, "--force").expect(1, "a certificate")
    assert key()["fingerprint"] == former
    site.muster("cert", "import", path, "--force").expect(0)
    assert key()["fingerprint"] != former
    wait_until("all follow", lambda: key()["agents"] == len(site.agents))
    os.remove(os.path.join(site.directory, "keys.backup"))
    cert("backup", os.path.join(site.directory, "keys.backup")).expect(0)


def restoring(manager, backup):
    return [program("muster-manager"), "init", "--data", manager.data, "--listen", f"127.0.0.1:{manager.port}",
            "--restore", backup, "--password-file", "-"]


def on_a_new_machine():
    """The manager's machine is lost; its keys' backup and its database make a manager that keeps the fleet."""
    old, backup = site.manager, os.path.join(site.directory, "keys.backup")
    before = key()["fingerprint"]
    database = os.path.join(site.directory, "muster.db")
    old.stop()
    shutil.copyfile(os.path.join(old.data, "front", "muster.db"), database)
    shutil.rmtree(old.data)
    new = Manager(site.directory, "manager-again", old.port)
    command = restoring(new, backup) + ["-o", "json"]
    run(command, stdin=b"another password\n").expect(1, "the password is wrong")
    # Set up anew without its keys it is a manager that the agents do not know, and they say what helps.
    other = Manager(site.directory, "other-manager", old.port).init()
    other.start()
    for agent in site.agents:
        agent("heartbeat").expect(1, "an authority that is not trusted here", "muster-manager init --restore")
        agent("status").expect(0, "Next ", "muster-manager init --restore", before)
    other.stop()
    assert not os.path.exists(os.path.join(new.data, "manager.ini"))
    new.identity = run(command, stdin=PASSWORD).expect(0).json
    assert new.identity["ca_fingerprint"] == old.identity["ca_fingerprint"]
    assert new.identity["agent_port"] == old.identity["agent_port"] and new.identity["name"] == "localhost"
    new.url = f"https://localhost:{new.port}"
    # As rsync and mv leave it: another file, and whoever brought it is its owner.
    os.remove(os.path.join(new.data, "front", "muster.db"))
    shutil.copyfile(database, os.path.join(new.data, "front", "muster.db"))
    if os.geteuid() == 0:
        os.chown(os.path.join(new.data, "front", "muster.db"), 0, 0)
    site.manager = new
    new.start()
    wait_until("the key is known", lambda: key()["present"])
    assert key()["fingerprint"] == before and key()["mismatched"] == 0
    for agent in site.agents:
        obeys(agent.name)
    site.muster("cert", "create").expect(0)
    wait_until("and follow its next key", lambda: key()["agents"] == len(site.agents))
    # A manager that is another one does not take this backup.
    stranger = Manager(site.directory, "stranger-manager").init()
    stranger.start()
    try:
        token = run([program("muster-manager"), "token", "--data", stranger.data]).expect(0).out.strip()
        site.muster("cert", "restore", backup, "--password-file", "-", stdin=PASSWORD,
                    env={"MUSTER_SERVER": stranger.url, "MUSTER_CA": stranger.ca, "MUSTER_TOKEN": token}
                    ).expect(1, "another manager", "--restore")
    finally:
        stranger.stop()


def an_older_backup_with_the_last_database():
    """The key that comes back is one of before: it was restored, not made, and the agents of the last one are named."""
    backup, last = os.path.join(site.directory, "older.backup"), key()["fingerprint"]
    cert("backup", backup).expect(0)
    site.muster("cert", "create").expect(0)
    wait_until("all follow", lambda: key()["agents"] == len(site.agents))
    after, created, restored = key()["fingerprint"], len(events(932)), len(events(934))
    old = site.manager
    old.stop()
    new = Manager(site.directory, "manager-older", old.port)
    run(restoring(new, backup), stdin=PASSWORD).expect(0)
    new.url = f"https://localhost:{new.port}"
    shutil.copyfile(os.path.join(old.data, "front", "muster.db"), os.path.join(new.data, "front", "muster.db"))
    site.manager = new
    new.start()
    wait_until("it is told", lambda: len(events(934)) == restored + 1)
    assert len(events(932)) == created
    rows = {row["fingerprint"]: row for row in key()["keys"]}
    assert rows[last]["origin"] == "restored" and rows[last]["standing"] == "present", rows
    assert key()["mismatched"] == len(site.agents) and rows[after]["standing"] == "mismatched", rows
    # The last one's machine is found again: its database as it was, its keys too.
    new.stop()
    site.manager = old
    old.start()
    wait_until("none is mismatched", lambda: key()["present"] and key()["mismatched"] == 0)


def without_its_database():
    """Only the keys were kept: the agents are let in again by one setting, and say what they wait for until then."""
    backup = os.path.join(site.directory, "last.backup")
    cert("backup", backup).expect(0)
    site.manager.stop()
    new = Manager(site.directory, "manager-without-database", site.manager.port)
    made = run(restoring(new, backup), stdin=PASSWORD).expect(0, "enrolment.reactivate_unknown", "muster.db").out
    password = next(line.split()[1] for line in made.splitlines() if line.startswith("  password"))
    new.url = f"https://localhost:{new.port}"
    site.manager = new
    new.start()
    site.muster("login", "--user", "admin", "--password-file", "-", "--ca", new.ca, stdin=password.encode() + b"\n").expect(0)
    for agent in site.agents:
        agent("heartbeat")
        wait_until("the refusal", lambda: agent("status", "-o", "json").json["not_on_record"])
        agent("status").expect(0, "muster settings set enrolment.reactivate_unknown=yes", "10 minutes")
    site.muster("settings", "set", "enrolment.reactivate_unknown=yes").expect(0)
    for agent in site.agents:
        agent("heartbeat")
        wait_until("it is here", lambda: [c["status"] for c in site.json("computer", "list", "--name", agent.name)] == ["online"])
        obeys(agent.name)


if __name__ == "__main__":
    with site:
        site.add_manager()
        code = main([roll_over, orders_of_the_old_key, without_roll_over, repaired_by_hand, backed_up, key_lost, imported,
                     on_a_new_machine, an_older_backup_with_the_last_database, without_its_database])
    raise SystemExit(code)
