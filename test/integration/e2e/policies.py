#!/usr/bin/env python3
"""Policies: inherited, overridden, delivered to agents, refused whole, reverted, kept over kills."""
import json
import os
import signal
import sqlite3
import ssl
import urllib.error
import urllib.request

from installation import Site, main, wait_until

site = Site()


def effective(computer, setting):
    found, = [each for each in site.json("computer", "effective", computer) if each["name"] == setting]
    return found["value"], found["origin"]


def state(computer):
    shown = site.json("computer", "show", computer)
    return shown["config_state"], shown["config_fingerprint"]


def applied(computer, before=None):
    """In force, and another than before."""
    wait_until(f"{computer} applied", lambda: state(computer)[0] == "applied" and state(computer)[1] != before)
    return state(computer)[1]


def sent(computer):
    return len(site.json("event", "list", "--type", "720", "--computer", computer))


def api(method, path, body=None, **headers):
    """Status, headers, JSON."""
    request = urllib.request.Request(f"{site.manager.url}/api/v1{path}", method=method,
                                     data=None if body is None else json.dumps(body).encode())
    request.add_header("Authorization", f"Bearer {site.admin}")
    request.add_header("Content-Type", "application/json")
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    context = ssl.create_default_context(cafile=site.manager.ca)
    try:
        with urllib.request.urlopen(request, context=context) as answer:
            text = answer.read()
            return answer.status, answer.headers, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.loads(error.read())


def policy_id(name):
    found, = [each["id"] for each in site.json("policy", "list") if each["name"] == name]
    return found


def inherited_and_overridden():
    site.muster("policy", "create", "Servers").expect(0)
    site.muster("policy", "create", "Web", "--parent", "servers").expect(0)
    site.muster("policy", "create", "servers").expect(1, "there is a policy of this name: Servers")
    site.muster("computer", "assign", "one", "web").expect(0)
    site.muster("computer", "assign", "two", "Servers").expect(0)
    one = applied("one")
    assert effective("one", "scan.cpu_limit") == ("100", "default")
    site.muster("policy", "set", "base", "scan.cpu_limit=80").expect(0)
    assert effective("one", "scan.cpu_limit") == ("80", "base")
    one = applied("one", one)
    applied("two")
    site.muster("policy", "set", "Web", "scan.cpu_limit=60", "scan.exclude_paths=/b,/a/").expect(0)
    assert effective("one", "scan.cpu_limit") == ("60", "Web")
    assert effective("one", "scan.exclude_paths") == ("/a,/b", "Web")
    assert effective("two", "scan.cpu_limit") == ("80", "base")
    one = applied("one", one)
    site.muster("computer", "set", "one", "scan.cpu_limit=40").expect(0)
    assert effective("one", "scan.cpu_limit") == ("40", "computer")
    one = applied("one", one)
    overrides = site.json("policy", "overrides", "--setting", "scan.cpu_limit")
    assert sorted((each["kind"], each["name"], each["value"]) for each in overrides) == [
        ("computer", "one", "40"), ("policy", "Web", "60"), ("policy", "base", "80")], overrides
    site.muster("computer", "unset", "one", "scan.cpu_limit").expect(0)
    assert effective("one", "scan.cpu_limit") == ("60", "Web")
    applied("one", one)
    shown = site.muster("policy", "show", "Web").expect(0).out
    assert "Inherited (held)" in shown and "Inherited (/a" not in shown, shown


def those_unaffected_are_not_contacted():
    applied("two")
    before_one, before_two = sent("one"), sent("two")
    print_one = state("one")[1]
    site.muster("policy", "set", "Web", "link.poll_interval=2m").expect(0)
    applied("one", print_one)
    wait_until("event 720", lambda: sent("one") > before_one)
    # What the manager alone applies is no news for agents.
    site.muster("policy", "set", "base", "link.missed_heartbeats=5").expect(0)
    assert state("two")[0] == "applied" and state("one")[0] == "applied"
    assert sent("two") == before_two, "the other agent was contacted"
    site.muster("policy", "unset", "base", "link.missed_heartbeats").expect(0)


def refused_whole():
    before = site.json("policy", "show", "Web")
    refused = site.muster("policy", "set", "Web", "link.poll=held", "scan.cpu_lmit=10", "scan.max_file_size=0")
    refused.expect(1, "scan.cpu_lmit: there is no such setting; did you mean scan.cpu_limit?",
                   "scan.max_file_size: allowed: 1KB to 2GB")
    assert site.json("policy", "show", "Web") == before
    site.muster("policy", "move", "Servers", "Web").expect(1, "the tree would become a circle")
    site.muster("policy", "move", "base", "Web").expect(1, "the base policy cannot be moved")
    site.muster("policy", "delete", "Web", "--yes").expect(1, "1 computer is assigned to it")
    site.muster("policy", "delete", "Servers", "--yes").expect(1, "1 policy stands below it")
    site.muster("computer", "assign", "one", "nowhere").expect(1, "there is no policy 'nowhere'")
    site.muster("token", "create", "--enrolment", "--policy", "nowhere").expect(1, "no policy 'nowhere'")
    assert site.json("policy", "show", "Web") == before

    path = f"/policies/{policy_id('Web')}"
    status, headers, shown = api("GET", path)
    assert status == 200 and headers["ETag"] == f'"{shown["version"]}"', headers
    status, _, problem = api("PATCH", path, {"settings": {"link.poll": 5, "nonsense": "1", "scan.cpu_limit": [1]}})
    assert status == 400 and {each["name"] for each in problem["errors"]} == {"scan.cpu_limit"}, problem
    status, _, problem = api("PATCH", path, {"settings": {"link.poll": 5, "nonsense": "1", "scan.cpu_limit": 50}})
    assert status == 400 and {each["name"] for each in problem["errors"]} == {"link.poll", "nonsense"}, problem
    assert api("PATCH", path, {"settings": {"scan.cpu_limit": 50}}, If_Match='"1"')[0] == 412
    assert api("PATCH", path, {"settings": {"scan.cpu_limit": 50}}, If_Match="nonsense")[0] == 400
    assert site.json("policy", "show", "Web") == before
    status, headers, shown = api("PATCH", path, {"settings": {"scan.cpu_limit": 50}}, If_Match=headers["ETag"])
    assert status == 200 and headers["ETag"] == f'"{before["version"] + 1}"', headers
    viewer = site.json("token", "create", "--name", "looks", "--role", "operator")["token"]
    site.muster("policy", "set", "Web", "scan.cpu_limit=1", "--token", viewer).expect(1, "administrator")
    site.muster("policy", "tree", "--token", viewer).expect(0, "Web")


def history_and_revert():
    first = site.json("policy", "show", "Web")["version"]
    site.muster("policy", "set", "Web", "scan.cpu_limit=20", "scan.max_file_size=50MB").expect(0)
    site.muster("policy", "rename", "Web", "Web servers").expect(0)
    site.muster("policy", "move", "Web servers", "base").expect(0)
    assert site.json("computer", "show", "one")["policy"] == "Web servers"
    entries = site.json("policy", "history", "Web servers")
    assert [each["version"] for each in entries[:3]] == [first + 3, first + 2, first + 1], entries
    assert {(each["name"], each["old"], each["new"]) for each in entries[2]["changes"]} == {
        ("scan.cpu_limit", "50", "20"), ("scan.max_file_size", None, "50MB")}, entries[2]
    site.muster("policy", "revert", "Web servers", str(first)).expect(0)
    shown = site.json("policy", "show", "Web")
    assert shown["parent"] == "Servers" and shown["version"] == first + 4, shown
    values = {each["name"]: each for each in shown["settings"]}
    assert values["scan.cpu_limit"]["value"] == "50" and not values["scan.max_file_size"]["own"], values
    event, = site.wait_events(353)
    assert event["fields"]["policy"] == "Web" and event["fields"]["version"] == str(first), event
    audit = site.json("audit", "list", "--action", "policy.revert")
    changes = {each["name"]: (each["old"], each["new"]) for each in json.loads(audit[0]["detail"])["changes"]}
    assert changes["scan.cpu_limit"] == ("20", "50") and changes["name"] == ("Web servers", "Web"), audit
    site.muster("policy", "revert", "Web", "999").expect(1, "it has no version 999")
    site.muster("computer", "set", "two", "link.poll_interval=3m").expect(0)
    site.muster("computer", "revert", "two", "2").expect(0)
    assert effective("two", "link.poll_interval")[1] != "computer"


def as_a_file_describes():
    path = site.path("policies.json")
    wanted = {"policies": [{"name": "Laptops", "parent": "base", "settings": {"link.missed_heartbeats": "unlimited"}},
                           {"name": "Field", "parent": "Laptops", "settings": {"scan.exclude_paths": ["/a,b", "/c"]}}]}
    with open(path, "w", encoding="utf-8") as out:
        json.dump(wanted, out)
    site.muster("policy", "apply", "-f", path, "--dry-run").expect(0, "Field (new): ")
    assert "Laptops" not in [each["name"] for each in site.json("policy", "list")]
    done = site.muster("policy", "apply", "-f", path, "--yes").expect(0, "Applied.")
    assert "Laptops (new): name: Laptops; parent: base; link.missed_heartbeats: unlimited (was inherited)" in done.out, done.out
    field = {each["name"]: each for each in site.json("policy", "show", "Field")["settings"]}
    assert field["scan.exclude_paths"]["value"] == "/a\\x2cb,/c", field
    assert field["link.missed_heartbeats"]["origin"] == "Laptops", field
    site.muster("policy", "apply", "-f", path, "--yes").expect(0, "Nothing changes.")
    before = site.json("policy", "list")
    wanted["policies"][0]["settings"] = {"link.poll": "periodic"}
    wanted["policies"][1]["settings"] = {"no.such": "1"}
    with open(path, "w", encoding="utf-8") as out:
        json.dump(wanted, out)
    site.muster("policy", "apply", "-f", path, "--yes").expect(1, "no.such: there is no such setting")
    assert site.json("policy", "list") == before
    difference = site.json("policy", "diff", "base", "Laptops")
    assert [each["name"] for each in difference] == ["link.missed_heartbeats"], difference
    site.muster("policy", "delete", "Field", "--yes").expect(0)


def deleted_and_restored():
    """A deleted policy comes back as it was, with its id and history; not over another's name, nor below nothing."""
    site.muster("policy", "create", "Shops").expect(0)
    site.muster("policy", "create", "Tills", "--parent", "Shops").expect(0)
    site.muster("policy", "set", "Tills", "scan.cpu_limit=30", "scan.exclude_paths=/a,/b").expect(0)
    before = site.json("policy", "show", "Tills")
    for name in ("Tills", "Shops"):
        site.muster("policy", "delete", name, "--yes").expect(0)
    gone = {each["name"]: each for each in site.json("policy", "deleted")}
    assert gone["Tills"]["id"] == before["id"] and gone["Tills"]["overrides"] == 2, gone
    assert gone["Tills"]["parent"] == "Shops" and gone["Shops"]["parent"] == "base", gone
    site.muster("policy", "restore", "Tills").expect(1, "there is no policy 'Shops'", "another parent")
    site.muster("policy", "create", "shops").expect(0)
    site.muster("policy", "restore", "Shops").expect(1, "there is a policy of this name")
    site.muster("policy", "restore", "Shops", "--name", "Old shops").expect(0)
    site.muster("policy", "restore", "nobody").expect(1, "muster policy deleted")
    site.muster("policy", "restore", before["id"], "--parent", "Old shops").expect(0)
    after = site.json("policy", "show", "Tills")
    assert after["id"] == before["id"] and after["settings"] != [], after
    own = lambda shown: {each["name"]: each["value"] for each in shown["settings"] if each["own"]}
    assert own(after) == own(before) and after["parent"] == "Old shops", after
    assert after["version"] == before["version"] + 2, after
    assert [each["action"] for each in site.json("policy", "history", "Tills")] == [
        "restore", "delete", "change", "create"]
    site.muster("policy", "restore", before["id"]).expect(1, "nothing is to be restored")
    site.muster("policy", "revert", "Tills", str(before["version"] + 1)).expect(1, "it has no version")
    site.muster("policy", "revert", "Tills", "1").expect(0)  # from before it was deleted
    first = site.json("policy", "show", "Tills")
    assert own(first) == {} and first["parent"] == "shops", first
    assert len(site.wait_events(354, 2)) == 2
    for name in ("Tills", "Old shops", "shops"):
        site.muster("policy", "delete", name, "--yes").expect(0)


def kept_over_kills_and_upgrades():
    tree = site.json("policy", "list")
    settings = site.json("computer", "effective", "one")
    fingerprint = applied("one")
    site.manager.stop(signal.SIGKILL)
    site.manager.start()
    site.wait_online("one")
    applied("two")
    kept = site.json("policy", "list")
    assert [(each["id"], each["parent"], each["overrides"]) for each in kept] == [
        (each["id"], each["parent"], each["overrides"]) for each in tree], kept
    assert site.json("computer", "effective", "one") == settings
    assert state("one") == ("applied", fingerprint)

    # Names were free before there were policies.
    site.manager.stop()
    database = os.path.join(site.manager.data, "front", "muster.db")
    owner = os.stat(database)
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE computer SET policy = 'Old place' WHERE name = 'one'")
        connection.execute("UPDATE computer SET policy = 'not\x01a name' WHERE name = 'two'")
    connection.close()
    for name in os.listdir(os.path.dirname(database)):
        if name.startswith("muster.db"):
            os.chown(os.path.join(os.path.dirname(database), name), owner.st_uid, owner.st_gid)
    site.manager.start()
    assert site.json("computer", "show", "one")["policy"] == "Old place"
    assert site.json("computer", "show", "two")["policy"] == "base"
    assert "Old place" in [each["name"] for each in site.json("policy", "list")]
    log = site.manager.text()
    assert "policy.created_at_upgrade" in log and "policy.renamed_at_upgrade" in log, log[-2000:]


def heartbeats_are_the_policys():
    site.wait_online("two")
    before = state("two")[1]
    site.muster("policy", "set", "base", "link.heartbeat_interval=10s", "link.missed_heartbeats=0").expect(0)
    applied("two", before)  # until it knows, its silence is measured by the interval that it goes by
    site.agents[1].stop(signal.SIGKILL)
    wait_until("offline", lambda: site.status_of("two") == "offline", 40)
    site.muster("policy", "unset", "base", "link.heartbeat_interval", "link.missed_heartbeats").expect(0)
    site.agents[1].start()
    site.wait_online("two")


if __name__ == "__main__":
    with site:
        site.add_manager()
        site.admin = site.json("token", "create", "--role", "administrator", "--name", "test")["token"]
        for each in ("one", "two"):
            site.add_agent(each)
        code = main([inherited_and_overridden, those_unaffected_are_not_contacted, refused_whole, history_and_revert,
                     as_a_file_describes, deleted_and_restored, heartbeats_are_the_policys, kept_over_kills_and_upgrades])
    raise SystemExit(code)
