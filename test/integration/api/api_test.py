#!/usr/bin/env python3
"""The REST API of a real muster-manager, each answer checked against the OpenAPI document.

usage: api_test.py MUSTER-MANAGER SEAL OPENAPI.JSON [TEST...]
"""
import concurrent.futures
import hashlib
import json
import sqlite3
import struct
import sys

import access
import administration
import commands
import files
import lists
import seeds
from one_by_one import one_by_one, tests_in
from world import V1, World


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
    earlier = [test for module in (access, lists, commands, files, administration) for test in tests_in(vars(module), "w")]
    sys.exit(one_by_one(earlier + tests_in(globals(), "w"), World(*sys.argv[1:4]), 4))
