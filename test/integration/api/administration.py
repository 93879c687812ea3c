"""Tokens, settings, hypervisors, networks: kept in order, also by several at the same time."""
import concurrent.futures

import seeds
from world import COMPUTER, V1, faults


def tokens_are_shown_once_and_revoked(w):
    made = w.call("POST", V1 + "/tokens", w.admin, {"name": "ci", "role": "viewer", "expires": "1h"}, expect=201).json
    listed = next(token for token in w.get("/tokens")["items"] if token["id"] == made["id"])
    assert "token" not in listed and listed["created_by"] == w.manager.identity["user"]
    w.call("GET", V1 + "/system", made["token"], expect=200)
    w.call("DELETE", f"{V1}/tokens/{made['id']}", w.admin, expect=204)
    w.call("GET", V1 + "/system", made["token"], expect=401)
    w.call("DELETE", f"{V1}/tokens/{made['id']}", w.admin, expect=404)
    database_text = open(w.manager.path("front", "muster.db"), "rb").read()
    assert made["token"].encode() not in database_text


def enrolment_tokens_are_made(w):
    body = {"name": "lab", "policy": "base", "group": "lab", "uses": 2, "expires": "1h", "appliance": True}
    made = w.call("POST", V1 + "/enrolment-tokens", w.admin, body, expect=201).json
    assert made["token"].startswith("mse_") and made["uses_left"] == 2 and made["group"] == "lab"
    assert made["appliance"] is True
    assert made["ca_fingerprint"] == w.get("/system")["ca_fingerprint"]
    assert made["id"] in [token["id"] for token in w.get("/enrolment-tokens")["items"]]
    w.call("DELETE", f"{V1}/enrolment-tokens/{made['id']}", w.admin, expect=204)
    w.call("POST", V1 + "/enrolment-tokens", w.admin, {"uses": 0}, expect=400)
    w.call("POST", V1 + "/enrolment-tokens", w.admin, {"appliance": "yes"}, expect=400)
    plain = w.call("POST", V1 + "/enrolment-tokens", w.admin, {}, expect=201).json
    assert plain["appliance"] is False
    w.call("DELETE", f"{V1}/enrolment-tokens/{plain['id']}", w.admin, expect=204)


def appliances_are_only_bidirectional(w):
    computer = f"{V1}/computers/{COMPUTER}"
    base = next(p["id"] for p in w.get("/policies")["items"] if p["name"] == "base")

    def direction():
        item = next(i for i in w.get(f"/computers/{COMPUTER}/settings")["items"] if i["name"] == "link.direction")
        shown = w.get("/computers/" + COMPUTER)
        assert shown["direction"] == item["value"]
        return shown["appliance"], item["value"], item["origin"], item["origin_kind"], item["own"], item["inherited"]

    def give(value, path=computer, **more):
        return w.call("PATCH", path, w.admin, {"settings": {"link.direction": value}, **more}).json

    assert direction() == (False, "bidirectional", "default", "default", False, "bidirectional")
    w.call("PATCH", computer, w.tokens["operator"], {"appliance": True}, expect=403)
    w.call("PATCH", computer, w.admin, {"appliance": "yes"}, expect=400)
    # marked while it has a direction of its own: refused, nothing changed
    give("agent-initiated")
    answer = w.call("PATCH", computer, w.admin, {"appliance": True}, expect=409).json
    assert "link.direction = agent-initiated of its own" in answer["detail"], answer
    assert direction()[:3] == (False, "agent-initiated", "computer")
    # both at once is possible; then the policy's choice does not reach it
    give(None, appliance=True)
    give("manager-initiated", f"{V1}/policies/{base}")
    assert direction() == (True, "bidirectional", "appliance", "appliance", False, "manager-initiated")
    answer = w.call("PATCH", computer, w.admin, {"settings": {"link.direction": "agent-initiated"}}, expect=409).json
    assert "appliances are only bidirectional: link.direction = agent-initiated cannot be set" in answer["detail"], answer
    history = w.get(f"/computers/{COMPUTER}/history")["items"]
    assert {"name": "appliance", "old": "no", "new": "yes"} in history[0]["changes"], history[0]
    # as it is after a restart; and back to how it was before, which takes the mark along
    assert w.manager.stop() == 0
    w.manager.start()
    assert direction()[:3] == (True, "bidirectional", "appliance")
    w.call("POST", computer + "/revert", w.admin, {"version": history[1]["version"]}, expect=200)
    assert direction()[:3] == (False, "agent-initiated", "computer")
    give(None)
    assert direction()[:3] == (False, "manager-initiated", "base")
    give(None, f"{V1}/policies/{base}")


def settings_change_all_or_none(w):
    for setting in w.get("/settings")["items"]:  # what is shown as the default is written as values are
        assert not setting["is_default"] or setting["value"] == setting["default"], setting
        assert setting["type"] != "choice" or setting["value"] in setting["allowed"].split(", "), setting
    before = {s["name"]: s["value"] for s in w.get("/settings")["items"]}
    answer = w.call("PATCH", V1 + "/settings", w.admin, {"quarantine.capacity": "5GB", "no.such": "1"}, expect=400)
    assert set(faults(answer)) == {"no.such"}
    assert {s["name"]: s["value"] for s in w.get("/settings")["items"]} == before
    w.call("PATCH", V1 + "/settings", w.admin, {"quarantine.capacity": "many"}, expect=400)
    changed = w.call("PATCH", V1 + "/settings", w.admin, {"quarantine.capacity": "5GB"}, expect=200).json
    setting = next(s for s in changed["items"] if s["name"] == "quarantine.capacity")
    assert setting["value"] == "5GB" and not setting["is_default"]
    changed = w.call("PATCH", V1 + "/settings", w.admin, {"quarantine.capacity": None}, expect=200).json
    assert {s["name"]: s["value"] for s in changed["items"]} == before


def hypervisors_are_kept_asked_and_removed(w):
    path = V1 + "/hypervisors"
    for uri in ("qemu:///session", "qemu+ext://h/system?command=x", "test:///../../keys/ca.key"):
        answer = w.call("POST", path, w.admin, {"name": "bad", "uri": uri}, expect=400)
        assert set(faults(answer)) == {"uri"}, answer.json
    made = w.call("POST", path, w.admin, {"name": "rack", "uri": "test:///default"}, expect=201).json
    one = f"{path}/{made['id']}"
    w.call("POST", path, w.admin, {"name": "rack", "uri": "test:///default"}, expect=409)
    tested = w.call("POST", one + "/test", w.admin, expect=200).json
    assert tested == {"connected": True, "machines": 1, "failure": ""}, tested
    shown = w.call("GET", one, w.tokens["viewer"], expect=200).json
    assert shown["state"] == "connected" and shown["machines"] == 1 and shown["listed"], shown
    for query in ("", "?unmatched=true"):
        machine, = w.call("GET", one + "/machines" + query, w.tokens["viewer"], expect=200).json["items"]
        assert machine["id"] == "6695eb01-f6a4-8304-79aa-97f2502e193f" and machine["computers"] == [], machine
        assert machine["name"] == "test" and machine["state"] == "running" and machine["since"], machine
    w.call("PATCH", one, w.admin, {"uri": "qemu:///session"}, expect=400)
    failed = w.call("PATCH", one, w.admin, {"uri": "test:///none.xml", "name": "other"}, expect=200).json
    assert failed["name"] == "other" and failed["uri"] == "test:///none.xml", failed
    tested = w.call("POST", one + "/test", w.admin, expect=200).json
    assert not tested["connected"] and "none.xml" in tested["failure"], tested
    off = w.call("PATCH", one, w.admin, {"enabled": False}, expect=200).json
    assert off["enabled"] is False, off
    w.call("POST", one + "/test", w.admin, expect=409)
    w.call("DELETE", one, w.admin, expect=204)
    for method, where in (("GET", one), ("DELETE", one), ("POST", one + "/test"), ("GET", one + "/machines")):
        w.call(method, where, w.admin, expect=404)
    for i in range(32):
        w.call("POST", path, w.admin, {"name": f"one of many {i}", "uri": "test:///default", "enabled": False}, expect=201)
    w.call("POST", path, w.admin, {"name": "too many", "uri": "test:///default"}, expect=409)
    for each in w.all_of("/hypervisors", 10)[0]:
        w.call("DELETE", f"{path}/{each['id']}", w.admin, expect=204)


# --- networks that the manager cannot reach ---

def changes_at_the_same_time_all_count(w):
    """Each names one member; none undoes what another one said meanwhile."""
    path = V1 + "/destinations"
    made = w.call("POST", path, w.admin, {"name": "race", "url": "smtp://localhost:2525", "from": "a@example.org",
                                          "to": ["b@example.org"], "enabled": False}, expect=201).json
    hypervisor = w.call("POST", V1 + "/hypervisors", w.admin,
                        {"name": "race", "uri": "test:///default", "enabled": False}).json
    rounds = [
        {"least_severity": ["warning", "info"][i % 2], "format": ["cef", "json"][i % 2], "facility": f"local{i % 8}",
         "user": f"user {i}", "from": f"from{i}@example.org", "to": [f"to{i}@example.org"], "name": f"race {i}",
         "url": f"smtp://localhost:{2600 + i}"} for i in range(12)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for each in rounds:
            answers = list(pool.map(lambda pair: w.call("PATCH", f"{path}/{made['id']}", w.admin, dict([pair])).status,
                                    each.items()))
            assert set(answers) == {200}, answers
            now = w.get("/destinations/" + made["id"])
            assert {name: now[name] for name in each} == each, (each, now)
    w.call("DELETE", f"{path}/{made['id']}", w.admin, expect=204)
    w.call("PATCH", f"{path}/{made['id']}", w.admin, {"name": "gone"}, expect=404)
    if "id" in hypervisor:
        w.call("DELETE", f"{V1}/hypervisors/{hypervisor['id']}", w.admin, expect=204)


def network_of(world):
    shown = world.get("/computers/" + COMPUTER)
    return shown["network"], shown["status_cause"]


def a_network_holds_for_the_computers_inside(w):
    assert w.get("/networks")["items"] == [] and network_of(w)[0] is None
    assert w.get("/computers/" + COMPUTER)["seen_from"] == seeds.SEEN_FROM
    made = w.call("POST", V1 + "/networks", w.admin,
                  {"name": "Ærø branch", "ranges": ["198.51.100.0-198.51.100.255", "2001:DB8::/32"]}, expect=201)
    network = made.json
    assert network["ranges"] == ["198.51.100.0/24", "2001:db8::/32"]
    assert (network["heartbeat"], network["heartbeat_minutes"], network["offline_minutes"],
            network["poll_minutes"]) == (True, 10, 60, None)
    assert network["computers"] == 1 and network["version"] == 1 and made.headers["ETag"] == '"1"'
    assert network_of(w) == ("Ærø branch", "silent for longer than 60 min (network Ærø branch)")
    # where ranges overlap the smallest holds, at once
    smaller = w.call("POST", V1 + "/networks", w.admin, {"name": "desk", "ranges": [seeds.SEEN_FROM], "heartbeat": False,
                     "poll_minutes": 120, "offline_minutes": 129600}, expect=201).json
    assert network_of(w)[0] == "desk" and smaller["computers"] == 1
    assert [n["computers"] for n in w.get("/networks")["items"]] == [1, 0]
    items = {item["name"]: item for item in w.get(f"/computers/{COMPUTER}/settings")["items"]}
    assert {n for n in items if items[n]["origin_kind"] == "network"} == {
        "link.heartbeat_interval", "link.poll", "link.poll_interval", "network.offline_after"}
    assert (items["link.poll"]["value"], items["link.poll"]["inherited"]) == ("periodic", "held")
    assert items["link.poll_interval"]["value"] == "2h" and items["link.poll"]["origin"] == "network desk"
    assert (items["network.offline_after"]["value"], items["network.offline_after"]["inherited"]) == ("90d", "30m")
    path = f"{V1}/networks/{smaller['id']}"
    w.call("DELETE", path, w.admin, headers={"If-Match": '"9"'}, expect=412)
    w.call("DELETE", path, w.admin, headers={"If-Match": '"1"'}, expect=204)
    w.call("GET", path, w.admin, expect=404)
    assert network_of(w)[0] == "Ærø branch"
    path = f"{V1}/networks/{network['id']}"
    changed = w.call("PATCH", path, w.tokens["administrator"], {"ranges": ["10.0.0.0/8"], "poll_minutes": 10},
                     headers={"If-Match": '"1"'}, expect=200)
    assert changed.json["version"] == 2 and changed.json["computers"] == 0 and changed.json["poll_minutes"] == 10
    assert w.call("PATCH", path, w.admin, {"poll_minutes": None}, expect=200).json["poll_minutes"] is None
    answer = w.call("PATCH", path, w.admin, {"name": "x"}, headers={"If-Match": '"2"'}, expect=412)
    assert "its version is 3, not 2" in answer.json["detail"]
    assert network_of(w)[0] is None
    w.call("DELETE", path, w.admin, expect=204)
    actions = [(e["action"], e["object"]) for e in w.all_of("/audit", 1000)[0] if e["action"].startswith("network.")]
    assert actions[:2] == [("network.delete", network["id"]), ("network.change", network["id"])], actions


def what_no_network_can_be_is_said(w):
    def refused(body, name, words, status=400):
        answer = w.call("POST", V1 + "/networks", w.admin, {"name": "n", "ranges": ["10.0.0.0/8"], **body},
                        expect=status)
        text = faults(answer)[name] if name else answer.json["detail"]
        assert words in text, answer.json

    for member in ("heartbeat_minutes", "offline_minutes", "poll_minutes"):
        for value in (0, 129601, -1):
            refused({member: value}, member, "must be from 1 to 129600")
        refused({member: "10"}, member, "number")
    refused({"offline_minutes": 9}, "offline_minutes", "Give at least 10")
    refused({"heartbeat": False}, "poll_minutes", "is needed where heartbeats are off")
    refused({"heartbeat": "no"}, "heartbeat", "true or false")
    refused({"ranges": []}, "ranges", "must be from 1 to 64 entries")
    refused({"ranges": ["10.0.0.0/8", "garbage", "10.1.2.3/8"]}, "ranges[1]", "'garbage' is no IPv4 or IPv6 address")
    refused({"ranges": ["10.0.0.0/8", "garbage", "10.1.2.3/8"]}, "ranges[2]", "did you mean 10.0.0.0/8?")
    refused({"ranges": ["10.0.0.0/99"]}, "ranges[0]", "no number from 0 to 32")
    refused({"ranges": ["10.0.0.0/8", "10.0.0.0-10.255.255.255"]}, None, "10.0.0.0/8 is given twice", 409)
    refused({"name": ""}, "name", "1 to 100 bytes")
    assert w.get("/networks")["items"] == []
    one = w.call("POST", V1 + "/networks", w.admin, {"name": "one", "ranges": ["10.0.0.0/8"]}, expect=201).json
    refused({}, None, "10.0.0.0/8 belongs to two networks, one and n", 409)
    refused({"ranges": ["11.0.0.0/8"], "name": "ONE"}, None, "another network is called", 409)
    refused({"ranges": ["10.0.0.5-11.0.0.4"]}, None, "neither is the more specific", 409)
    assert len(w.get("/networks")["items"]) == 1
    w.call("DELETE", f"{V1}/networks/{one['id']}", w.admin, expect=204)
    w.call("DELETE", f"{V1}/networks/{one['id']}", w.admin, expect=404)
    w.call("PATCH", f"{V1}/networks/{one['id']}", w.admin, {"name": "x"}, expect=404)
