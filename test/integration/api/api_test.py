#!/usr/bin/env python3
"""The REST API of a real muster-manager, each answer checked against the OpenAPI document.

usage: api_test.py MUSTER-MANAGER SEAL OPENAPI.JSON [TEST...]
"""
import concurrent.futures
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

import seeds
from manager import Manager, next_event
from one_by_one import one_by_one, tests_in

CONTENT = b"malware for a test\n" * 20000
EXPIRED, REVOKED, STRANGER = (seeds.make_token(word) for word in ("expired", "revoked", "stranger"))
COMPUTER = seeds.text_of(seeds.COMPUTERS[1])
NOBODY = "01900000-0000-7000-8000-000000000000"
COMMAND_ISSUED = 1200
V1 = "/api/v1"


class World:
    """One manager for all tests; each test leaves it usable for the next."""

    def __init__(self, program, seal, document):
        self.manager = Manager(program)
        self.committed_document = document
        try:
            self.begin(seal)
        except BaseException:
            self.manager.remove()
            raise

    def close(self):
        self.manager.remove()

    def begin(self, seal):
        with self.manager.database() as database:
            seeds.add_computers(database)
            seeds.add_events(database)
            seeds.add_quarantine(database, self.manager, seal, CONTENT)
            seeds.add_tokens(database, {EXPIRED: ("administrator", seeds.NOW_US - 1, None),
                                        REVOKED: ("administrator", seeds.NOW_US + 10**12, seeds.NOW_US)})
        database.close()
        self.manager.settle()
        self.manager.start()
        self.call = self.manager.call
        self.admin = self.manager.sign_in()
        self.tokens = {role: self.token(role) for role in ("viewer", "operator", "administrator", "auditor")}

    def token(self, role):
        return self.call("POST", V1 + "/tokens", self.admin, {"name": role + " of tests", "role": role},
                         expect=201).json["token"]

    def get(self, path, expect=200):
        return self.call("GET", V1 + path, self.admin, expect=expect).json

    def all_of(self, path, limit):
        items, cursor, pages = [], "", 0
        while True:
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit={limit}{cursor}")
            assert len(page["items"]) <= limit
            items += page["items"]
            pages += 1
            if page["next"] is None:
                return items, pages
            cursor = "&cursor=" + page["next"]


def faults(answer):
    return {fault["name"]: fault["reason"] for fault in answer.json.get("errors", [])}


# --- who calls ---

def the_document_is_the_committed_one(w):
    with open(w.committed_document, encoding="utf-8") as file:
        assert w.manager.document == json.load(file)


def without_a_token_nothing_is_told(w):
    for path, operations in w.manager.document["paths"].items():
        for method, operation in operations.items():
            path_with_id = path.replace("{id}", NOBODY).replace("{name}", "none")
            answer = w.call(method.upper(), path_with_id)
            if operation.get("security") == []:
                assert answer.status != 401 or path == V1 + "/sessions", path
            else:
                assert answer.status == 401, (method, path, answer.status)
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def bad_tokens_are_told_apart(w):
    for token, words in ((EXPIRED, "expired"), (REVOKED, "revoked"), (STRANGER, "not known"), ("mst_x", "mistyped"),
                         (w.admin[:-1] + ("0" if w.admin[-1] != "0" else "1"), "mistyped")):
        answer = w.call("GET", V1 + "/system", token, expect=401)
        assert words in answer.json["detail"], (token, answer.json)
    answer = w.call("GET", V1 + "/system", headers={"Authorization": "Basic YTpi"}, expect=401)
    assert "Bearer" in answer.json["detail"]


def each_role_may_do_what_the_table_says(w):
    for path, operations in w.manager.document["paths"].items():
        for method, operation in operations.items():
            role_text = operation["description"]
            for role, token in w.tokens.items():
                if path.endswith("/stream") or path.endswith("/sessions/current"):
                    continue
                answer = w.call(method.upper(), path.replace("{id}", NOBODY).replace("{name}", "none"), token)
                may = allowed(role, method, role_text)
                assert (answer.status != 403) == may or path.endswith("/password"), (role, method, path, answer.status)


def allowed(role, method, role_text):
    if "anybody" in role_text or "any role" in role_text or role == "administrator":
        return True
    if "viewer or better, or auditor" in role_text:
        return True
    if "operator or better" in role_text:
        return role == "operator"
    return "administrator or auditor" in role_text and role == "auditor" and method == "get"


def a_session_begins_and_ends(w):
    token = w.manager.sign_in()
    who = w.call("GET", V1 + "/sessions/current", token, expect=200).json
    assert who["name"] == w.manager.identity["user"] and who["kind"] == "user" and who["role"] == "administrator"
    w.call("DELETE", V1 + "/sessions/current", token, expect=204)
    assert "ended" in w.call("GET", V1 + "/sessions/current", token, expect=401).json["detail"]


def wrong_passwords_lock_out(w):
    user = w.call("POST", V1 + "/users", w.admin, {"name": "victim", "role": "viewer"}, expect=201).json
    right = {"user": "victim", "password": user["password"]}
    w.call("POST", V1 + "/sessions", body=right, expect=201)
    for name in ("victim", "nobody at all"):
        answers = [w.call("POST", V1 + "/sessions", body={"user": name, "password": "wrong"}) for _ in range(6)]
        assert [answer.status for answer in answers] == [401] * 5 + [429], (name, [a.status for a in answers])
        assert len({answer.json["detail"] for answer in answers[:5]}) == 1
        assert int(answers[5].headers["Retry-After"]) > 0
    w.call("POST", V1 + "/sessions", body=right, expect=429)
    types = [event["type_id"] for event in w.get("/events?limit=20")["items"]]
    assert 603 in types and 664 in types and 660 in types, types
    # Whoever guessed is shut out there, and keeps nobody out elsewhere, whether or not the user was there before.
    assert w.get("/users")["items"][-1]["locked_until"] is None
    assert sign_in_from(w, "127.0.0.2", right) == 201
    w.call("PUT", f"{V1}/users/{user['id']}/password", w.admin, {"password": "another password"}, expect=204)
    w.call("DELETE", f"{V1}/users/{user['id']}", w.admin, expect=204)


def sign_in_from(w, address, body):
    """As any number of hosts would; one that comes while others are looked at comes again."""
    while True:
        connection = http.client.HTTPSConnection("localhost", w.manager.port, context=w.manager.context, timeout=60,
                                                 source_address=(address, 0))
        connection.request("POST", V1 + "/sessions", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        title = json.loads(answer.read()).get("title")
        connection.close()
        if title != "Busy":
            return answer.status


def guesses_from_many_addresses_are_bounded(w):
    """Fifty an hour for a name, from wherever they come. Where the user signed in before it still may."""
    user = w.call("POST", V1 + "/users", w.admin, {"name": "wanted", "role": "viewer"}, expect=201).json
    right = {"user": "wanted", "password": user["password"]}
    assert sign_in_from(w, "127.0.2.1", right) == 201
    looked_at = 0
    for host in range(1, 13):
        while sign_in_from(w, f"127.0.3.{host}", {"user": "wanted", "password": "wrong"}) == 401:
            looked_at += 1
    assert looked_at == 50, looked_at
    assert sign_in_from(w, "127.0.2.2", right) == 429
    shown = [one for one in w.get("/users?limit=100")["items"] if one["name"] == "wanted"]
    assert shown[0]["locked_until"] is not None
    # A wrong one there neither ends it for others, nor does the right one.
    assert sign_in_from(w, "127.0.2.1", {"user": "wanted", "password": "wrong"}) == 401
    assert sign_in_from(w, "127.0.2.1", right) == 201
    assert sign_in_from(w, "127.0.2.2", right) == 429
    locks = [event["fields"] for event in w.get("/events?type=603&limit=100")["items"]]
    assert {lock["count"] for lock in locks if lock["user"] == "wanted"} == {"5", "50"}, locks
    w.call("DELETE", f"{V1}/users/{user['id']}", w.admin, expect=204)


def guesses_at_the_same_time_are_counted_too(w):
    """As many as fit into the time that one takes to be looked at; nobody else waits for them."""
    user = w.call("POST", V1 + "/users", w.admin, {"name": "guessed", "role": "viewer"}, expect=201).json

    def guess(number):
        return w.call("POST", V1 + "/sessions", body={"user": "guessed", "password": f"wrong {number}"})

    with concurrent.futures.ThreadPoolExecutor(48) as pool:
        answers = list(pool.map(guess, range(96)))
    looked_at = [answer for answer in answers if answer.status == 401]
    assert 1 <= len(looked_at) <= 5, len(looked_at)
    assert {answer.status for answer in answers} <= {401, 429}, {answer.status for answer in answers}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers if answer.status == 429)
    w.call("DELETE", f"{V1}/users/{user['id']}", w.admin, expect=204)


def many_may_sign_in_at_once(w):
    """Each with the right password: what is refused for being too much at once is no failure, and comes back."""
    user = w.call("POST", V1 + "/users", w.admin, {"name": "busy", "role": "viewer"}, expect=201).json

    def sign_in(_):
        for _ in range(600):
            answer = w.call("POST", V1 + "/sessions", body={"user": "busy", "password": user["password"]})
            if answer.status == 201:
                return True
            assert answer.status == 429 and answer.headers["Retry-After"] == "1", answer.status
            time.sleep(0.1)
        return False

    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        assert all(pool.map(sign_in, range(24)))
    assert w.get("/users?limit=100")["items"][0]["locked_until"] is None
    w.call("DELETE", f"{V1}/users/{user['id']}", w.admin, expect=204)


def users_are_kept_in_order(w):
    made = w.call("POST", V1 + "/users", w.admin, {"name": "kim", "role": "operator", "password": "first password"},
                  expect=201).json
    assert "password" not in made
    w.call("POST", V1 + "/users", w.admin, {"name": "kim", "role": "viewer"}, expect=409)
    w.call("POST", V1 + "/users", w.admin, {"name": "short", "role": "viewer", "password": "short"}, expect=400)
    session = w.call("POST", V1 + "/sessions", body={"user": "kim", "password": "first password"}, expect=201).json
    own = f"{V1}/users/{made['id']}/password"
    assert "current" in faults(w.call("PUT", own, session["token"], {"password": "second password"}, expect=400))
    w.call("PUT", own, session["token"], {"password": "second password", "current": "wrong"}, expect=403)
    admin_id = next(user["id"] for user in w.get("/users")["items"] if user["name"] == w.manager.identity["user"])
    w.call("PUT", f"{V1}/users/{admin_id}/password", session["token"], {"password": "mine now 123"}, expect=403)
    w.call("PUT", own, session["token"], {"password": "second password", "current": "first password"}, expect=204)
    w.call("GET", V1 + "/system", session["token"], expect=401)
    w.call("DELETE", f"{V1}/users/{admin_id}", w.admin, expect=409)
    w.call("DELETE", f"{V1}/users/{made['id']}", w.admin, expect=204)
    w.call("DELETE", f"{V1}/users/{made['id']}", w.admin, expect=404)


SECRETS = ("unload pass phrase", "mail pass phrase", "webhook pass phrase", "$argon2")


def secrets_are_shown_to_nobody(w):
    """Passwords that administrators set: by no request, to no role, wherever they were put."""
    made = w.call("POST", V1 + "/policies", w.admin,
                  {"name": "secretive", "parent": "base", "settings": {"agent.unload_password": SECRETS[0]}}, expect=201).json
    w.call("PATCH", f"{V1}/policies/{made['id']}", w.admin, {"settings": {"agent.unload_password": SECRETS[0] + " 2"}}, expect=200)
    w.call("PATCH", f"{V1}/computers/{COMPUTER}", w.admin, {"settings": {"agent.unload_password": SECRETS[0] + " 3"}}, expect=200)
    w.call("POST", V1 + "/destinations", w.admin,
           {"name": "secret mail", "url": "smtp://mail.example:25", "user": "muster", "password": SECRETS[1],
            "from": "a@example.org", "to": ["b@example.org"], "enabled": False}, expect=201)
    w.call("POST", V1 + "/destinations", w.admin, {"name": "secret hook", "url": "https://hook.example/x",
                                                   "secret": SECRETS[2], "enabled": False}, expect=201)
    for url in ("https://user:webhook pass phrase@hook.example/x", "https://user:phrase@hook.example/x"):
        w.call("POST", V1 + "/destinations", w.admin, {"name": "in the address", "url": url}, expect=400)
    token = w.call("POST", V1 + "/enrolment-tokens", w.admin, {"uses": 3, "expires": "1h"}, expect=201).json["token"]
    looked_at = 0
    for role, given in w.tokens.items():
        ids = {}
        for path in sorted(path for path, operations in w.manager.document["paths"].items()
                           if "get" in operations and not path.endswith(("/stream", "/file"))):
            for each in [path.replace("{id}", one) for one in ids.get(path.split("/{")[0], ())] if "{id}" in path else [path]:
                answer = w.call("GET", each, given)
                text = answer.body.decode("utf-8", "replace")
                assert not [secret for secret in SECRETS + (token, given) if secret in text], (role, each)
                looked_at += answer.status == 200
                if path == each and answer.status == 200 and text.startswith('{"items":'):
                    ids[path] = [str(item["id"]) for item in answer.json["items"][:8] if "id" in item]
    assert looked_at > 100, looked_at


# --- lists ---

def pages_hold_each_event_once(w):
    path = f"/events?until={w.get('/events/' + seeds.text_of(seeds.make_id(249, seeds.NOW_US - 10**9 + 4 * 10**6)))['time']}"
    whole, _ = w.all_of(path, 1000)
    small, pages = w.all_of(path, 7)
    assert whole == small and len(whole) == 200 and pages == 29
    keys = [(event["time"], event["id"]) for event in whole]
    assert keys == sorted(keys, reverse=True)


def pages_stay_while_rows_come(w):
    first = w.get("/events?limit=50")
    w.manager.sign_in()
    second = w.get("/events?limit=50&cursor=" + first["next"])
    assert not {e["id"] for e in first["items"]} & {e["id"] for e in second["items"]}
    again = w.get("/events?limit=50&cursor=" + first["next"])
    assert again == second


def filters_filter(w):
    assert {e["severity"] for e in w.all_of("/events?severity=error", 1000)[0]} == {"error"}
    found = w.all_of(f"/events?type=2000&computer={COMPUTER}", 1000)[0]
    assert found and {(e["type_id"], e["type"], e["computer"]) for e in found} == {(2000, "malware_detected", COMPUTER)}
    assert "/tmp/a\\x0ab" in found[0]["text"] and "Eicar" in found[0]["text"], found[0]
    names = lambda query: [c["name"] for c in w.get("/computers?" + query)["items"]]
    assert names("name=web-0*") == ["Web-01", "web-02"]
    assert names("name=web-01") == ["Web-01"]
    assert names("name=web-0%25") == [] and names("name=web_0*") == []
    assert names("group=web&limit=2") == ["Web-01", "web\\x0a\\x1b[31m\"</script>"]
    assert names("name=alpha&policy=base") == ["alpha"] and names("policy=other") == []
    assert w.get(f"/quarantine?computer={seeds.text_of(seeds.COMPUTERS[0])}")["items"] == []


def hostile_text_is_shown_escaped(w):
    computer = w.get("/computers/" + seeds.text_of(seeds.COMPUTERS[4]))
    assert computer["name"] == "web\\x0a\\x1b[31m\"</script>"
    item = w.get("/quarantine/" + seeds.text_of(seeds.ITEM))
    assert item["path"] == "/tmp/evil\\x0a\\xff\\xfe \\xe2\\x80\\xae.exe"


def faults_are_listed_all_at_once(w):
    answer = w.call("GET", V1 + "/events?limit=0&colour=red&since=now&computer=1", w.admin, expect=400)
    assert set(faults(answer)) == {"limit", "colour", "since", "computer"}
    answer = w.call("POST", f"{V1}/computers/{COMPUTER}/commands", w.admin, {"kind": "x", "path": "/", "paths": ["a"]},
                    expect=400)
    assert set(faults(answer)) == {"kind", "path", "paths[0]"}
    other = w.get("/commands?limit=1")
    assert other["next"] is None or w.call("GET", V1 + "/events?cursor=" + other["next"], w.admin).status == 400
    assert set(faults(w.call("GET", V1 + "/events?cursor=00", w.admin, expect=400))) == {"cursor"}


def bodies_are_limited(w):
    post = lambda body, expect, **headers: w.call("POST", V1 + "/tokens", w.admin, body, headers, expect=expect)
    post(b"{", 400)
    post(b"[]", 400)
    post(b'{"name":"a","name":"b","role":"viewer"}', 400)
    post(b'{"a":' * 40 + b"1" + b"}" * 40, 413)
    post(b'{"name":"\xff","role":"viewer"}', 400)
    post(b'{"name":"' + b"a" * (1 << 20) + b'"}', 413)
    post(b"{}", 415, **{"Content-Type": "text/plain"})
    post({"name": "a", "role": "viewer", "expires": "2001-01-01T00:00:00Z"}, 400)
    w.call("GET", V1 + "/system", w.admin, body={}, expect=400)


def unknown_things_are_said_to_be(w):
    w.call("GET", "/", w.admin, expect=404)
    w.call("GET", V1 + "/nothing", w.admin, expect=404)
    assert w.call("PUT", V1 + "/computers", w.admin, expect=405).headers["Allow"] == "GET, POST"
    head = w.manager.raw("HEAD", V1 + "/computers", headers={"Authorization": "Bearer " + w.admin})
    assert head.status == 200 and int(head.headers["Content-Length"]) > 2 and head.body == b""
    assert w.manager.raw("HEAD", V1 + "/events/stream", headers={"Authorization": "Bearer " + w.admin}).status == 405
    for what in ("computers", "commands", "events", "quarantine"):
        assert "id" in w.call("GET", f"{V1}/{what}/{NOBODY}", w.admin, expect=404).json["detail"]
        w.call("GET", f"{V1}/{what}/xyz", w.admin, expect=404)


# --- commands ---

def a_command_is_made_and_cancelled(w):
    body = {"kind": "scan", "paths": ["/home", "/tmp/new\\x0aline"], "exclude": ["/home/x"], "timeout": "2h"}
    command = w.call("POST", f"{V1}/computers/{COMPUTER}/commands", w.tokens["operator"], body, expect=201).json
    assert command["state"] == "pending" and command["kind"] == "scan" and command["timeout"] == 7200
    assert command["issued_by"] == "operator of tests" and command["computer"] == COMPUTER
    assert command["computer_name"] == "beta"
    assert w.get("/commands/" + command["id"]) == command
    assert command["id"] in [c["id"] for c in w.get("/commands?state=pending&kind=scan")["items"]]
    ended = w.call("POST", f"{V1}/commands/{command['id']}/cancel", w.admin, expect=201).json
    assert ended["id"] == command["id"] and ended["state"] == "cancelled"
    w.call("POST", f"{V1}/commands/{command['id']}/cancel", w.admin, expect=409)
    w.call("POST", f"{V1}/commands/{NOBODY}/cancel", w.admin, expect=404)
    w.call("POST", f"{V1}/computers/{NOBODY}/commands", w.admin, {"kind": "heartbeat"}, expect=404)


def a_command_takes_only_what_belongs_to_it(w):
    path = f"{V1}/computers/{COMPUTER}/commands"
    assert set(faults(w.call("POST", path, w.admin, {"kind": "heartbeat", "paths": ["/"]}, expect=400))) == {"paths"}
    assert set(faults(w.call("POST", path, w.admin, {"kind": "restore"}, expect=400))) == {"item"}
    assert set(faults(w.call("POST", path, w.admin, {"kind": "pause", "item": NOBODY}, expect=400))) == {"command", "item"}
    other = seeds.text_of(seeds.COMPUTERS[0])
    restore = {"kind": "restore", "item": seeds.text_of(seeds.ITEM)}
    w.call("POST", f"{V1}/computers/{other}/commands", w.admin, restore, expect=404)
    made = w.call("POST", path, w.admin, restore, expect=201).json
    w.call("POST", f"{V1}/commands/{made['id']}/cancel", w.admin, expect=201)


def one_order_for_many_computers(w):
    path, many = V1 + "/commands", [seeds.text_of(one) for one in seeds.COMPUTERS]
    body = {"kind": "scan", "paths": ["/srv"], "computers": many + [NOBODY, many[0]], "timeout": 60}
    audited = len(w.all_of("/audit?action=command.issue_many", 1000)[0])
    answer = w.call("POST", path, w.tokens["operator"], body, {"Idempotency-Key": "for many"}, expect=201).json
    assert [item["computer"] for item in answer["items"]] == many and answer["left_out"] == [NOBODY]
    again = w.call("POST", path, w.tokens["operator"], body, {"Idempotency-Key": "for many"}, expect=201)
    assert again.json == answer and again.headers["Idempotency-Replayed"] == "true"
    for item in answer["items"]:
        command = w.get("/commands/" + item["id"])
        assert command["computer"] == item["computer"] and command["state"] == "pending" and command["timeout"] == 60
        assert command["arguments"]["paths"] == ["/srv"] and command["issued_by"] == "operator of tests"
        w.call("POST", f"{V1}/commands/{item['id']}/cancel", w.admin, expect=201)
    entries, _ = w.all_of("/audit?action=command.issue_many", 1000)
    assert len(entries) == audited + 1
    # The manager may be killed when all is done and before the answer is kept: the same request is made again.
    told = len(w.all_of("/events?type=" + str(COMMAND_ISSUED), 1000)[0])
    nobody = {"kind": "heartbeat", "computers": [NOBODY]}
    w.call("POST", path, w.tokens["operator"], nobody, {"Idempotency-Key": "for nobody"}, expect=201)
    with contextlib.closing(w.manager.database()) as database, database:
        database.execute("UPDATE idempotency SET status = 0, answer = NULL WHERE key IN ('for many', 'for nobody')")
    again = w.call("POST", path, w.tokens["operator"], body, {"Idempotency-Key": "for many"}, expect=201)
    assert again.json == answer and "Idempotency-Replayed" not in again.headers
    w.call("POST", path, w.tokens["operator"], nobody, {"Idempotency-Key": "for nobody"}, expect=201)
    assert len(w.all_of("/audit?action=command.issue_many", 1000)[0]) == audited + 2
    assert len(w.all_of("/events?type=" + str(COMMAND_ISSUED), 1000)[0]) == told + 1
    assert json.loads(entries[0]["detail"]) == {"kind": "scan", "computers": len(many) + 1, "paths": ["/srv"], "exclude": []}
    w.call("POST", path, w.tokens["viewer"], body, expect=403)


def orders_for_many_are_checked(w):
    path, one = V1 + "/commands", [COMPUTER]
    assert set(faults(w.call("POST", path, w.admin, {"kind": "heartbeat"}, expect=400))) == {"computers"}
    assert set(faults(w.call("POST", path, w.admin, {"kind": "heartbeat", "computers": []}, expect=400))) == {"computers"}
    assert set(faults(w.call("POST", path, w.admin, {"kind": "cancel", "computers": one}, expect=400))) == {"kind"}
    assert set(faults(w.call("POST", path, w.admin, {"kind": "scan", "computers": ["x"]}, expect=400))) == {"computers[0]"}
    assert set(faults(w.call("POST", path, w.admin, {"kind": "heartbeat", "computers": one, "paths": ["/"]}, expect=400))) == {"paths"}
    nobody = w.call("POST", path, w.admin, {"kind": "heartbeat", "computers": [NOBODY]}, expect=201).json
    assert nobody == {"items": [], "left_out": [NOBODY]}


def where_a_move_goes_is_looked_at_first(w):
    path, body = V1 + "/commands", {"kind": "move", "computers": [COMPUTER]}
    where = {"manager": "https://other.example:4343", "ca_fingerprint": "ab" * 32}
    refused = w.call("POST", path, w.admin, body, expect=400)
    assert set(faults(refused)) == {"manager", "ca_fingerprint"}
    for name, bad in (("manager", "other.example:4343"), ("manager", "https://other.example/path"), ("manager", "https://"),
                      ("ca_fingerprint", "x" * 64), ("token", "mse_short"), ("token", w.admin)):
        refused = w.call("POST", path, w.admin, {**body, **where, name: bad}, expect=400)
        assert set(faults(refused)) == {name}, (name, bad, refused.json)
        one = {"kind": "move", **where, name: bad}
        assert set(faults(w.call("POST", f"{V1}/computers/{COMPUTER}/commands", w.admin, one, expect=400))) == {name}
    assert "enrolment.without_token" in faults(w.call("POST", path, w.admin, {**body, **where, "token": "mse_short"}, expect=400))["token"]
    w.call("POST", path, w.tokens["operator"], {**body, **where}, expect=403)
    made = w.call("POST", path, w.admin, {**body, **where}, expect=201).json["items"]
    shown = w.get("/commands/" + made[0]["id"])
    assert shown["kind"] == "move" and shown["arguments"] == {"manager": where["manager"]}, shown
    w.call("POST", f"{V1}/commands/{made[0]['id']}/cancel", w.admin, expect=201)


def a_repeated_key_does_it_once(w):
    path = f"{V1}/computers/{COMPUTER}/commands"
    ask = lambda key, body, token=w.admin: w.call("POST", path, token, body, {"Idempotency-Key": key})
    before = len(w.all_of("/commands", 1000)[0])
    first, second = ask("one", {"kind": "heartbeat"}), ask("one", {"kind": "heartbeat"})
    assert first.status == second.status == 201 and first.body == second.body
    assert second.headers["Idempotency-Replayed"] == "true" and "Idempotency-Replayed" not in first.headers
    assert ask("one", {"kind": "scan"}).status == 422
    assert ask("one", {"kind": "heartbeat"}, w.tokens["operator"]).json["id"] != first.json["id"]
    assert ask("k" * 129, {"kind": "heartbeat"}).status == 400
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask("many", {"kind": "heartbeat"}), range(8)))
    assert {answer.status for answer in answers} <= {201, 409}
    assert len({answer.json["id"] for answer in answers if answer.status == 201}) == 1
    assert len(w.all_of("/commands", 1000)[0]) == before + 3
    # What was asked for is kept under a key that the database does not hold.
    path_of_key = os.path.join(w.manager.data, "front", "request.key")
    assert os.stat(path_of_key).st_mode & 0o777 == 0o600
    with open(path_of_key, "rb") as file:
        key = file.read()
    asked = b"\0".join([b"POST", V1.encode() + b"/computers/{id}/commands", COMPUTER.encode(),
                        json.dumps({"kind": "heartbeat"}).encode()])
    with contextlib.closing(w.manager.database()) as database:
        kept = {bytes(row[0]) for row in database.execute("SELECT request FROM idempotency WHERE key = 'one'")}
    assert hmac.digest(key, asked, "sha256") in kept
    assert hashlib.sha256(asked).digest() not in kept


# --- events as they come ---

def events_stream_and_resume(w):
    connection, answer = w.manager.events(w.admin, "?type=660")
    w.manager.sign_in()
    first, event = next_event(answer)
    assert event["type_id"] == 660 and event["id"] == first
    connection.close()
    for _ in range(3):
        w.manager.sign_in()
    connection, answer = w.manager.events(w.admin, "?type=660", last=first)
    missed = [next_event(answer)[0] for _ in range(3)]
    connection.close()
    listed = [e["id"] for e in w.get("/events?type=660&limit=3")["items"]]
    assert missed == listed[::-1], (missed, listed)


def a_stream_replays_from_the_beginning_in_batches(w):
    connection, answer = w.manager.events(w.admin, f"?computer={COMPUTER}&after={NOBODY}")
    got = [next_event(answer)[0] for _ in range(seeds.EVENTS // 2)]
    connection.close()
    assert len(set(got)) == seeds.EVENTS // 2


def a_stream_ends_with_its_token(w):
    token = w.manager.sign_in()
    connection, answer = w.manager.events(token)
    w.call("DELETE", V1 + "/sessions/current", token, expect=204)
    w.manager.sign_in()
    rest = answer.read()
    connection.close()
    assert b"data:" not in rest, rest
    w.call("GET", V1 + "/events/stream", w.admin, headers={"Last-Event-ID": "x"}, expect=400)


# --- quarantine ---

def a_file_comes_in_a_zip_with_a_password(w):
    item = seeds.text_of(seeds.ITEM)
    for query, password in (("", "infected"), ("?password=other%20word", "other word")):
        answer = w.call("GET", f"{V1}/quarantine/{item}/file{query}", w.admin, expect=200)
        assert b"malware for a test" not in answer.body
        directory = tempfile.mkdtemp(prefix="muster-zip-")
        try:
            archive = os.path.join(directory, "a.zip")
            with open(archive, "wb") as file:
                file.write(answer.body)
            subprocess.run(["7z", "x", "-y", "-p" + password, "-o" + directory, archive], check=True,
                           stdout=subprocess.DEVNULL)
            os.unlink(archive)
            (name,) = os.listdir(directory)
            assert name.startswith("evil"), name
            with open(os.path.join(directory, name), "rb") as file:
                assert file.read() == CONTENT
        finally:
            shutil.rmtree(directory)
    w.call("GET", f"{V1}/quarantine/{seeds.text_of(seeds.ITEM_NOT_HERE)}/file", w.admin, expect=409)
    assert "quarantine.download" in [entry["action"] for entry in w.get("/audit?limit=5")["items"]]


def an_altered_file_is_not_given_as_whole(w):
    sealed = w.manager.path("front", "quarantine", seeds.text_of(seeds.ITEM))
    with open(sealed, "r+b") as file:
        file.seek(-30, os.SEEK_END)
        byte = file.read(1)
        file.seek(-30, os.SEEK_END)
        file.write(bytes([byte[0] ^ 1]))
    try:
        answer = w.call("GET", f"{V1}/quarantine/{seeds.text_of(seeds.ITEM)}/file", w.admin)
        assert answer.status != 200 or b"PK\x05\x06" not in answer.body[-200:]
    finally:
        with open(sealed, "r+b") as file:
            file.seek(-30, os.SEEK_END)
            file.write(byte)


def an_item_is_restored_and_deleted_by_command(w):
    item = seeds.text_of(seeds.ITEM)
    made = w.call("POST", f"{V1}/quarantine/{item}/restore", w.tokens["operator"], {"overwrite": True}, expect=201).json
    assert made["kind"] == "restore" and made["computer"] == COMPUTER
    w.call("POST", f"{V1}/quarantine/{item}/restore", w.tokens["viewer"], {}, expect=403)
    w.call("POST", f"{V1}/commands/{made['id']}/cancel", w.admin, expect=201)
    made = w.call("DELETE", f"{V1}/quarantine/{seeds.text_of(seeds.ITEM_NOT_HERE)}", w.admin, expect=200).json
    assert made["kind"] == "delete"


# --- tokens, settings, audit, system ---

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


def pack_row(chain, number, time, kind, name, identity, texts):
    """The bytes that a link is the SHA-256 of (src/manager/front/journal.c, base/pack.h)."""
    packed = chain + struct.pack("<QQ", number, time) + (identity or bytes(16))
    for text in (kind, name, *texts):
        packed += struct.pack("<I", len(text.encode())) + text.encode()
    return packed


def check_chain(manager):
    """Computes the chain anew from the rows as they lie in the database."""
    with sqlite3.connect(f"file:{manager.path('front', 'muster.db')}?mode=ro", uri=True) as database:
        database.execute("PRAGMA query_only = 1")
        rows = database.execute("SELECT number, time, actor_kind, actor_name, actor_id, peer, action, object, detail,"
                                " outcome, chain FROM audit ORDER BY number").fetchall()
    database.close()
    chain = bytes(32)
    for number, time, kind, name, identity, *texts, stored in rows:
        chain = hashlib.sha256(pack_row(chain, number, time, kind, name, identity, texts)).digest()
        assert chain == stored, number


def every_change_is_in_the_audit_log(w):
    user = w.call("POST", V1 + "/users", w.admin, {"name": "traced", "role": "viewer"}, expect=201).json
    w.call("DELETE", f"{V1}/users/{user['id']}", w.admin, expect=204)
    token = w.call("POST", V1 + "/tokens", w.admin, {"name": "traced", "role": "viewer"}, expect=201).json
    w.call("DELETE", f"{V1}/tokens/{token['id']}", w.admin, expect=204)
    entries, _ = w.all_of("/audit", 1000)
    numbers = [entry["number"] for entry in entries]
    assert numbers == list(range(len(numbers), 0, -1))
    actions = {entry["action"] for entry in entries}
    assert {"session.create", "token.create", "token.revoke", "user.create", "user.delete"} <= actions, actions
    check_chain(w.manager)
    assert {e["action"] for e in w.all_of("/audit?action=token.create", 1000)[0]} == {"token.create"}
    assert w.call("GET", V1 + "/audit", w.tokens["auditor"], expect=200)


def the_audit_log_takes_rows_and_nothing_else(w):
    for change in ("DELETE FROM audit WHERE number = 1", "UPDATE audit SET actor_name = 'nobody' WHERE number = 1"):
        database = sqlite3.connect(w.manager.path("front", "muster.db"), timeout=30)
        try:
            database.execute(change)
            raise AssertionError(change)
        except sqlite3.IntegrityError as error:
            assert "append-only" in str(error)
        finally:
            database.close()


def the_system_tells_of_itself(w):
    system = w.get("/system")
    assert system["ca_fingerprint"].lower() == w.manager.identity["ca_fingerprint"].replace(":", "").lower()
    assert system["computers"] >= 4
    assert w.call("GET", "/healthz", expect=200).json == {"status": "ok"}
    assert w.call("GET", "/readyz", expect=200).json == {"status": "ok"}
    with open(w.manager.path("ca.pem"), "rb") as file:
        assert w.call("GET", "/ca.pem", expect=200).body == file.read()
    profiles = {row["name"]: row for row in w.get("/tls-profiles")["items"]}
    assert len(profiles) == 7 and [n for n, row in profiles.items() if row["enabled"]] == ["modern"]
    assert profiles["modern"]["listeners"] == [f"127.0.0.1:{w.manager.port}"] and not profiles["strong-12"]["listeners"]
    assert system["tls_profiles"] == ["modern"] and not system["legacy_tls"]
    assert all(row["served"] == (row["cause"] == "") for row in profiles.values())
    certificates = {row["name"]: row for row in w.get("/certificates")["items"]}
    assert certificates["authority"]["fingerprint"] == system["ca_fingerprint"].lower()
    assert certificates["server"]["days_left"] in (364, 365) and not certificates["server"]["own"]
    w.call("GET", "/metrics", w.tokens["viewer"], expect=200)
    lines = w.call("GET", "/metrics", expect=200).body.decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert float(values["muster_computers"]) == system["computers"]
    assert float(values["muster_store_commits_total"]) > 0
    assert float(values["muster_dials"]) <= float(values["muster_dials_highest"]) <= float(values["muster_dials_max"])
    assert any(name.startswith("muster_api_request_seconds_bucket") for name in values)
    assert any(name.startswith("muster_commands{") for name in values)


def clients_that_leave_do_no_harm(w):
    for _ in range(30):
        connection = w.manager.connection()
        connection.request("GET", V1 + "/events?limit=1000", headers={"Authorization": "Bearer " + w.admin})
        connection.sock.close()
    for path in ("/events/stream", f"/quarantine/{seeds.text_of(seeds.ITEM)}/file"):
        connection = w.manager.connection()
        connection.request("GET", V1 + path, headers={"Authorization": "Bearer " + w.admin})
        connection.sock.close()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: w.call("GET", V1 + "/computers", w.admin).status, range(200)))
    assert set(answers) <= {200, 503} and answers.count(200) > 0


def a_deleted_computer_is_gone(w):
    identity = seeds.text_of(seeds.COMPUTERS[0])
    w.call("DELETE", f"{V1}/computers/{identity}", w.tokens["operator"], expect=403)
    w.call("DELETE", f"{V1}/computers/{identity}", w.admin, expect=204)
    w.get("/computers/" + identity, expect=404)
    assert identity not in [computer["id"] for computer in w.get("/computers")["items"]]
    w.call("DELETE", f"{V1}/computers/{identity}", w.admin, expect=404)


def the_manager_stops_while_a_stream_is_open(w):
    connection, answer = w.manager.events(w.admin)
    assert w.manager.stop() == 0
    answer.read()
    connection.close()
    text = "".join(w.manager.lines)
    assert "Sanitizer" not in text and "runtime error" not in text, text[-4000:]
    errors = [json.loads(line) for line in w.manager.lines if '"level":"error"' in line]
    # an_altered_file_is_not_given_as_whole() is the one that is told
    assert {e["event"] for e in errors} <= {"api.download_cut_short"}, errors


if __name__ == "__main__":
    sys.exit(one_by_one(tests_in(globals(), "w"), World(*sys.argv[1:4]), 4))
