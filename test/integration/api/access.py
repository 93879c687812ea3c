"""Who may call what: sessions, tokens, roles, wrong passwords, users."""
import concurrent.futures
import http.client
import json
import time

from world import EXPIRED, REVOKED, STRANGER, COMPUTER, NOBODY, V1, faults


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
