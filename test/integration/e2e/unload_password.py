#!/usr/bin/env python3
"""The unload password: set by policy, asked for on the computer, kept over kills, told of, and never shown."""
import json
import os
import signal
import subprocess

from installation import Site, main, wait_until

FIRST, SECOND, WRONG = "correct horse battery", "staple in the haystack", "not this one, 4711"
# What is never shown: passwords, right and wrong ones, and how a hash begins.
SECRETS = (FIRST, SECOND, WRONG, "$argon2id")
SETTING = "agent.unload_password"

site = Site()


def set_password(subject, password, kind="policy"):
    return site.muster(kind, "set", subject, SETTING, "--password-file", "-", stdin=password.encode() + b"\n")


def asks(agent):
    return agent("status", "-o", "json").json.get("unload_password")


def wait_asks(agent, whether):
    wait_until(f"{agent.name} asks for a password: {whether}", lambda: asks(agent) == whether)


def wait_applied(name):
    wait_until(f"{name} has its configuration", lambda: site.json("computer", "show", name)["config_state"] == "applied")


def link_of(agent):
    found = subprocess.run(["pgrep", "-f", f"role link --data {agent.data}"], capture_output=True).stdout.split()
    return int(found[0]) if found else None


def given(agent, *words, password):
    """As people give it where others cannot see it."""
    return agent(*words, "--password-file", "-", stdin=password.encode() + b"\n")


def no_secret_in(text, what):
    for secret in SECRETS:
        assert secret not in text, f"{what} shows {secret!r}: {text[:3000]}"


def told(count):
    return site.wait_events(5020, count, "one")


def set_by_policy():
    agent = site.add_agent("one")
    assert asks(agent) is False
    set_password("base", "short").expect(1, "8 to 256 bytes")
    site.muster("policy", "set", "base", SETTING).expect(2, "no terminal", "--password-file")
    site.muster("policy", "set", "base", "link.poll=held", "--password-file", "/dev/null").expect(2, "NAME alone")
    set_password("base", FIRST).expect(0, "set")
    wait_asks(agent, True)
    agent("status").expect(0, "Password   asked for")
    wait_applied("one")
    # The same again is no change: nobody is contacted.
    version = site.json("policy", "show", "base")["version"]
    set_password("base", FIRST).expect(0)
    assert site.json("policy", "show", "base")["version"] == version
    described = json.dumps({"policies": [{"name": "base", "settings": {SETTING: FIRST}}]}).encode()
    site.muster("policy", "apply", "-f", "-", "--yes", stdin=described).expect(0, "Nothing changes")
    # Written down without the password: its hash is taken, and what an export says of it keeps it.
    exported = site.muster("policy", "export").expect(0)
    no_secret_in(exported.out, "an export")
    assert next(each for each in exported.json["policies"] if each["name"] == "base")["settings"][SETTING] == "set"
    site.muster("policy", "apply", "-f", "-", "--yes", stdin=exported.out.encode()).expect(0, "Nothing changes")
    hashed = site.muster("policy", "hash-password", "--password-file", "-", stdin=SECOND.encode() + b"\n").expect(0)
    by_hash = {"policies": [{"name": "base", "settings": {SETTING: hashed.out.strip()}}]}
    done = site.muster("policy", "apply", "-f", "-", "--yes", stdin=json.dumps(by_hash).encode()).expect(0, "Applied")
    no_secret_in(done.out, "an applied hash")
    set_password("base", SECOND).expect(0)
    version = site.json("policy", "show", "base")["version"]
    site.muster("policy", "apply", "-f", "-", "--yes", stdin=exported.out.encode()).expect(0, "Nothing changes")
    assert site.json("policy", "show", "base")["version"] == version
    set_password("base", FIRST).expect(0)
    wait_applied("one")
    for wrong in ("$argon2id$v=19$m=4194304,t=9,p=1$c2FsdHNhbHQ$aGFzaA", "$argon2id$nonsense", "$argon2i$v=19$m=1,t=1"):
        described = json.dumps({"policies": [{"name": "base", "settings": {SETTING: wrong}}]}).encode()
        site.muster("policy", "apply", "-f", "-", "--yes", stdin=described).expect(1, "muster policy hash-password")
    described = json.dumps({"policies": [{"name": "New", "settings": {SETTING: "set"}}]}).encode()
    site.muster("policy", "apply", "-f", "-", "--yes", stdin=described).expect(1, "there is none yet")
    site.muster("policy", "hash-password", "--password-file", "-", stdin=b"short\n").expect(2, "8 to 256 bytes")
    # What is shown of it is no password.
    site.muster("policy", "set", "base", SETTING + "=set").expect(1, "8 to 256 bytes")


def refused_without_and_with_another():
    agent = site.agents[0]
    agent("stop").expect(1, "unload password", "--password-file")
    agent("uninstall", "--yes").expect(1, "unload password")
    agent("trust", os.path.join(site.manager.data, "server-authentication.pub")).expect(1, "unload password")
    move = ("move", "--manager", "localhost:1", "--token", site.token(), "--ca-fingerprint",
            site.manager.identity["ca_fingerprint"])
    agent(*move).expect(1, "unload password")
    agent("stop", "--password", WRONG, "--password-file", "-").expect(2, "two ways")
    given(agent, "stop", password=WRONG).expect(1, "not the unload password")
    agent("trust", os.path.join(site.manager.data, "server-authentication.pub"), "--password", WRONG).expect(
        1, "not the unload password")
    assert agent.running()
    events = told(2)
    assert {event["fields"]["action"] for event in events} == {"stop the agent", "trust another key"}, events
    assert all(event["severity"] == "warning" and event["fields"]["user"] == "root" for event in events), events
    # The right one does it, and takes the wrong ones back.
    given(agent, "trust", os.path.join(site.manager.data, "server-authentication.pub"), password=FIRST).expect(0)
    given(agent, "stop", password=FIRST).expect(0)
    assert agent.wait() == 0


def asked_for_offline():
    agent = site.agents[0]
    public = os.path.join(site.manager.data, "server-authentication.pub")
    agent("reset", "--yes").expect(1, "unload password")
    agent("trust", public).expect(1, "unload password")
    given(agent, "reset", "--yes", password=WRONG).expect(1, "not the unload password")
    assert os.path.exists(os.path.join(agent.data, "identity", "computer.json"))
    given(agent, "trust", public, password=FIRST).expect(0)
    # In force before the manager is reached, and told as soon as it is.
    assert site.manager.stop() == 0
    agent.start()
    assert asks(agent) is True
    agent("stop").expect(1, "unload password")
    site.manager.start()
    events = told(3)
    assert any(event["fields"]["action"] == "reset the agent" for event in events), events


def guessing_is_slow():
    agent = site.agents[0]
    site.wait_online("one")
    for _ in range(5):
        given(agent, "stop", password=WRONG).expect(1, "not the unload password")
    limited = ("too many wrong unload passwords", "try again in")
    given(agent, "stop", password=FIRST).expect(1, *limited)
    link = link_of(agent)
    os.kill(link, signal.SIGKILL)
    wait_until("another link", lambda: link_of(agent) not in (None, link) and agent("status").code == 0)
    given(agent, "stop", password=FIRST).expect(1, *limited)
    agent.stop(signal.SIGKILL)
    wait_until("the roles' end", lambda: link_of(agent) is None)
    given(agent, "reset", "--yes", password=FIRST).expect(1, *limited)
    agent.start()
    given(agent, "stop", password=FIRST).expect(1, *limited)
    told(8)
    # Whoever knows it gets through when the time is over.
    wait_until("the right one again", lambda: given(agent, "stop", password=FIRST).code == 0)
    assert agent.wait() == 0
    agent.start()


def policies_decide():
    agent = site.agents[0]
    site.wait_online("one")
    set_password("one", SECOND, kind="computer").expect(0)
    wait_applied("one")
    given(agent, "stop", password=SECOND).expect(0)
    assert agent.wait() == 0
    agent.start()
    # A version of before, with the password that it had; and none at all for this computer.
    versions = [entry["version"] for entry in site.json("policy", "history", "base")]
    set_password("base", SECOND).expect(0)
    site.muster("policy", "revert", "base", str(max(versions))).expect(0)
    site.muster("computer", "unset", "one", SETTING).expect(0)
    site.wait_online("one")
    wait_applied("one")
    given(agent, "stop", password=FIRST).expect(0)
    assert agent.wait() == 0
    agent.start()
    site.muster("computer", "set", "one", SETTING + "=").expect(0)
    wait_asks(agent, False)
    agent("stop").expect(0)
    assert agent.wait() == 0
    agent.start()
    site.wait_online("one")


def never_shown():
    agent = site.agents[0]
    set_password("one", SECOND, kind="computer").expect(0)
    site.muster("policy", "create", "Other").expect(0)
    set_password("Other", SECOND).expect(0)
    wait_asks(agent, True)
    for words in (("policy", "show", "base"), ("policy", "history", "base"), ("computer", "history", "one"),
                  ("computer", "effective", "one"), ("policy", "diff", "base", "Other"), ("policy", "overrides"),
                  ("policy", "settings"), ("audit", "list", "--limit", "1000"), ("event", "list", "--limit", "1000"),
                  ("computer", "show", "one"), ("policy", "tree")):
        for form in ("json", "table", "csv"):
            shown = site.muster(*words, "-o", form).expect(0)
            no_secret_in(shown.out + shown.err, " ".join(words))
    effective = site.json("computer", "effective", "one")
    row = next(each for each in effective if each["name"] == SETTING)
    assert row["value"] == "set" and row["origin"] == "computer" and row["inherited"] == "set", row
    assert any(each["setting"] == SETTING and each["value"] == "set" for each in site.json("policy", "overrides"))
    described = json.dumps({"policies": [{"name": "Other", "settings": {SETTING: FIRST}}]}).encode()
    dry = site.muster("policy", "apply", "-f", "-", "--dry-run", "-o", "json", stdin=described).expect(0)
    no_secret_in(dry.out, "a dry run")
    assert SETTING in dry.out, dry
    for words in (("settings",), ("status",), ("events",)):
        for form in ("json", "text"):
            no_secret_in(agent(*words, "-o", form).expect(0).out, " ".join(words))
    shown = next(each for each in agent("settings", "-o", "json").json if each["name"] == SETTING)
    assert shown["value"] == "set" and shown["locked"], shown
    no_secret_in(agent.text(), "the agent's log")
    no_secret_in(site.manager.text(), "the manager's log")
    # Passwords themselves are nowhere on disk; hashes where they are kept.
    for directory, _, names in os.walk(site.directory):
        for name in names:
            path = os.path.join(directory, name)
            if not os.path.isfile(path) or os.path.islink(path):
                continue
            with open(path, "rb") as file:
                content = file.read()
            for secret in SECRETS[:3]:
                assert secret.encode() not in content, f"{path} holds a password"
            if b"$argon2id" in content:
                kept = path[len(site.directory):]
                assert kept.startswith("/manager/front/muster.db") or kept == "/one/link/configuration", kept


if __name__ == "__main__":
    with site:
        site.add_manager()
        code = main([set_by_policy, refused_without_and_with_another, asked_for_offline, guessing_is_slow,
                     policies_decide, never_shown])
    raise SystemExit(code)
