"""Commands for one computer and for many, and requests that are repeated."""
import concurrent.futures
import contextlib
import hashlib
import hmac
import json
import os

import seeds
from world import COMPUTER, NOBODY, COMMAND_ISSUED, V1, faults


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
