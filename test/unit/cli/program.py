#!/usr/bin/env python3
"""The program `muster` against a small HTTPS server: what goes over the wire,
what is printed, how it exits, and how each way of not getting through is told.

usage: program.py MUSTER
"""
import json
import os
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

MUSTER = os.path.abspath(sys.argv[1])
WORK = tempfile.TemporaryDirectory(prefix="muster-cli-")
ID = "019a1b2c-3d4e-7f50-8a6b-%012d"


def make_certificate(name, subject, days="2", not_before=None, issuer=None):
    """NAME.pem and NAME.key; signed by issuer, by itself if there is none."""
    path = os.path.join(WORK.name, name)
    run = lambda *a: subprocess.run(["openssl", *a], check=True, capture_output=True)
    extension = f"subjectAltName={subject}" if issuer else "basicConstraints=critical,CA:TRUE"
    run("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path + ".key",
        "-out", path + ".csr", "-subj", "/CN=" + name)
    with open(path + ".ext", "w", encoding="ascii") as out:
        out.write(extension + "\n")
    signer = ["-CA", os.path.join(WORK.name, issuer + ".pem"), "-CAkey", os.path.join(WORK.name, issuer + ".key"),
              "-CAcreateserial"] if issuer else ["-signkey", path + ".key"]
    run("x509", "-req", "-in", path + ".csr", "-out", path + ".pem", "-extfile", path + ".ext", "-days", days, *signer)
    return path


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, value=None, kind="application/json", headers=()):
        body = b"" if value is None else value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in headers:
            self.send_header(name, text)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def problem(self, status, detail, headers=()):
        self.answer(status, {"type": "about:blank", "title": "No", "status": status, "detail": detail},
                    "application/problem+json", headers)

    def handle_any(self):
        url = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        size = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(size)) if size else None
        self.server.seen.append((self.command, url.path, query, body, self.headers.get("Authorization")))
        route = self.server.routes.get((self.command, url.path.removeprefix("/api/v1")))
        if route is None:
            self.problem(404, "There is no such thing.")
        else:
            route(self, query, body)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = handle_any


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, certificate):
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate + ".pem", certificate + ".key")
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.routes, self.seen = {}, []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request, client_address):
        pass

    @property
    def url(self):
        return "https://127.0.0.1:%d" % self.server_address[1]


def computer(number, name):
    return {"id": ID % number, "name": name, "status": "online", "status_cause": "", "group": "", "policy": "base",
            "last_heard": "2026-11-21T20:08:06.123Z"}


class Program(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        make_certificate("ca", "")
        make_certificate("other", "")
        cls.good = make_certificate("good", "IP:127.0.0.1", issuer="ca")
        cls.ca = os.path.join(WORK.name, "ca.pem")

    def setUp(self):
        self.server = Server(self.good)
        self.home = tempfile.mkdtemp(dir=WORK.name)

    def tearDown(self):
        self.server.shutdown()
        self.server.server_close()

    def muster(self, *arguments, server=None, ca=None, token="secret", stdin="", **environment):
        variables = {"PATH": os.environ["PATH"], "HOME": self.home, "MUSTER_SERVER": server or self.server.url,
                     "MUSTER_CA": ca or self.ca, "MUSTER_TOKEN": token, **environment}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if name in os.environ:
                variables[name] = os.environ[name]
        variables = {k: v for k, v in variables.items() if v}
        return subprocess.run([MUSTER, *arguments], input=stdin, capture_output=True, text=True, env=variables,
                              timeout=60, check=False)

    def expect(self, done, code, stderr=""):
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertIn(stderr, done.stderr)

    def page(self, *items, following=None):
        return lambda request, query, body: request.answer(200, {"items": list(items), "next": following})

    def test_types_of_events_in_the_language_of_the_person(self):
        self.server.routes[("GET", "/event-types")] = self.page(
            {"type_id": 5003, "type": "agent_stopped", "text": "The agent stopped.", "text_ja": "停止しました。"},
            {"type_id": 1, "type": "of_an_older_manager", "text": "Older."})
        for variables, expected in (({"LANG": "ja_JP.UTF-8"}, "停止しました。"), ({"LANG": "en_GB.UTF-8"}, "stopped."),
                                    ({"LANG": "ja_JP.UTF-8", "LC_ALL": "C.UTF-8"}, "stopped."),
                                    ({"LC_MESSAGES": "ja"}, "停止しました。"), ({"LANG": "jam"}, "stopped.")):
            told = self.muster("event", "types", **variables)
            self.expect(told, 0)
            self.assertIn(expected, told.stdout)
            self.assertIn("Older.", told.stdout)

    # --- what others change meanwhile ---

    def changed_meanwhile(self, theirs):
        """A policy that somebody else changes between our look and our change; what the PATCHes asked for."""
        state, asked = {"version": 7, "scan.cpu_limit": "50", "link.poll": "held"}, []

        def show(request, query, body):
            request.answer(200, {"id": ID % 1, "name": "Web", "version": state["version"], "settings": [
                {"name": name, "value": state[name], "own": True} for name in ("scan.cpu_limit", "link.poll")]})

        def change(request, query, body):
            asked.append((request.headers.get("If-Match"), body))
            if len(asked) == 1:
                state.update(theirs)
            if request.headers.get("If-Match") != '"%d"' % state["version"]:
                return request.problem(412, "it was changed meanwhile")
            state.update(body["settings"])
            return show(request, query, body)

        self.server.routes[("GET", "/policies/" + ID % 1)] = show
        self.server.routes[("PATCH", "/policies/" + ID % 1)] = change
        return state, asked

    def test_a_change_is_sent_for_the_version_that_was_seen(self):
        state, asked = self.changed_meanwhile({})
        self.expect(self.muster("policy", "set", ID % 1, "scan.cpu_limit=20"), 0)
        self.assertEqual(asked, [('"7"', {"settings": {"scan.cpu_limit": "20"}})])
        self.assertEqual(state["scan.cpu_limit"], "20")

    def test_what_somebody_else_changed_beside_it_stays(self):
        state, asked = self.changed_meanwhile({"version": 8, "link.poll": "periodic"})
        self.expect(self.muster("policy", "set", ID % 1, "scan.cpu_limit=20"), 0)
        self.assertEqual([each[0] for each in asked], ['"7"', '"8"'])
        self.assertEqual((state["scan.cpu_limit"], state["link.poll"]), ("20", "periodic"))

    def test_what_somebody_else_just_set_is_not_overwritten(self):
        state, asked = self.changed_meanwhile({"version": 8, "scan.cpu_limit": "99"})
        self.expect(self.muster("policy", "set", ID % 1, "scan.cpu_limit=20"), 1,
                    "somebody else changed it just now (version 8, was 7)")
        self.assertEqual((len(asked), state["scan.cpu_limit"]), (1, "99"))

    # --- getting through ---

    def test_causes_are_told_apart(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.expect(self.muster("system", "show", server="https://127.0.0.1:%d" % free.getsockname()[1]), 1,
                        "no connection; is the manager running")
        self.expect(self.muster("system", "show", server="https://nowhere.invalid:1"), 1, "does not resolve")
        self.expect(self.muster("system", "show", ca=os.path.join(WORK.name, "other.pem")), 1, "is not signed by")
        self.expect(self.muster("system", "show", ca="/nonexistent.pem"), 1, "cannot be read")
        bad = os.path.join(WORK.name, "bad.pem")
        with open(bad, "w", encoding="ascii") as out:
            out.write("no certificate\n")
        self.expect(self.muster("system", "show", ca=bad), 1, "cannot be read as PEM")

    def test_a_certificate_for_another_name(self):
        other = Server(make_certificate("elsewhere", "DNS:elsewhere.example", issuer="ca"))
        self.expect(self.muster("system", "show", server=other.url), 1, "is for another name")
        self.assertEqual(other.seen, [])
        other.server_close()

    def test_an_expired_certificate(self):
        path = make_certificate("old", "IP:127.0.0.1", days="-1", issuer="ca")
        other = Server(path)
        self.expect(self.muster("system", "show", server=other.url), 1, "has expired")
        other.server_close()

    def test_something_that_is_not_tls(self):
        with socket.socket() as plain:
            plain.bind(("127.0.0.1", 0))
            plain.listen()
            def talk():
                connection, _ = plain.accept()
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.close()
            threading.Thread(target=talk, daemon=True).start()
            self.expect(self.muster("system", "show", server="https://127.0.0.1:%d" % plain.getsockname()[1]), 1,
                        "TLS handshake failed")

    def test_answers_that_are_no_manager(self):
        self.server.routes["GET", "/system"] = lambda request, *_: request.answer(200, b"<html>", "text/html")
        self.expect(self.muster("system", "show"), 1, "not JSON")
        self.server.routes["GET", "/users"] = lambda request, *_: request.answer(200, {"users": 1})
        self.expect(self.muster("user", "list"), 1, "not a list")

    def test_refusals(self):
        self.server.routes["GET", "/system"] = lambda request, *_: request.problem(401, "The token has expired.")
        self.expect(self.muster("system", "show"), 1, "The token has expired; sign in with `muster login`")
        self.server.routes["GET", "/system"] = lambda request, *_: request.problem(
            503, "Too many.", [("Retry-After", "7")])
        self.expect(self.muster("system", "show"), 1, "(in 7 s)")

    # --- signing in ---

    def test_login_is_remembered_and_kept_private(self):
        self.server.routes["POST", "/sessions"] = lambda request, query, body: request.answer(
            201, {"token": "session-token", "expires": "2026-11-22T00:00:00.000Z", "role": "operator"})
        self.server.routes["GET", "/system"] = lambda request, *_: request.answer(200, {"name": "m"})
        self.server.routes["DELETE", "/sessions/current"] = lambda request, *_: request.answer(204)
        self.expect(self.muster("login", "--user", "anna", "--password-file", "-", token="", stdin="pass word\n"), 0)
        self.assertEqual(self.server.seen[-1][3], {"user": "anna", "password": "pass word"})
        file = os.path.join(self.home, ".config/muster/session.json")
        self.assertEqual(stat.S_IMODE(os.stat(file).st_mode), 0o600)
        with open(file, encoding="utf-8") as session:
            self.assertNotIn("pass word", session.read())
        alone = {"MUSTER_SERVER": "", "MUSTER_CA": "", "token": ""}
        self.expect(self.muster("system", "show", **alone), 0)
        self.assertEqual(self.server.seen[-1][4], "Bearer session-token")
        os.chmod(file, 0o644)
        self.expect(self.muster("system", "show", **alone), 1, "nobody else can read")
        os.chmod(file, 0o600)
        self.expect(self.muster("logout", **alone), 0)
        self.assertEqual(self.server.seen[-1][:2], ("DELETE", "/api/v1/sessions/current"))
        self.assertFalse(os.path.exists(file))
        self.expect(self.muster("system", "show", **alone), 2, "which manager?")

    def test_a_token_goes_to_no_other_manager(self):
        self.server.routes["POST", "/sessions"] = lambda request, *_: request.answer(201, {"token": "t1"})
        self.expect(self.muster("login", "--user", "a", "--password-file", "-", token="", stdin="p\n"), 0)
        other = Server(self.good)
        self.muster("system", "show", server=other.url, token="")
        self.assertEqual([seen[4] for seen in other.seen], [None])
        other.server_close()

    def test_no_terminal_to_ask(self):
        self.expect(self.muster("login", token=""), 2, "--user")

    # --- lists ---

    def test_lists_page_by_themselves(self):
        def pages(request, query, body):
            at = int(query.get("cursor", "0"))
            request.answer(200, {"items": [computer(at, "c%d" % at)], "next": str(at + 1) if at < 4 else None})
        self.server.routes["GET", "/computers"] = pages
        done = self.muster("computer", "list", "-o", "json")
        self.expect(done, 0)
        self.assertEqual([c["name"] for c in json.loads(done.stdout)], ["c0", "c1", "c2", "c3", "c4"])
        done = self.muster("computer", "list", "--limit", "2", "-o", "json")
        self.assertEqual(len(json.loads(done.stdout)), 2)
        self.assertEqual(self.server.seen[-2][2]["limit"], "2")
        done = self.muster("computer", "list", "-o", "csv")
        self.assertEqual(len(done.stdout.splitlines()), 6)
        self.assertTrue(done.stdout.startswith("name,status,"))
        done = self.muster("computer", "list")
        self.assertEqual(len(done.stdout.splitlines()), 6)
        self.assertIn("2026-11-21 20:08:06", done.stdout)

    def test_empty_lists(self):
        self.server.routes["GET", "/computers"] = self.page()
        done = self.muster("computer", "list", "-o", "json")
        self.assertEqual(json.loads(done.stdout), [])
        done = self.muster("computer", "list")
        self.expect(done, 0, "No computers.")
        self.assertEqual(done.stdout, "")

    def test_filters_are_passed_on(self):
        self.server.routes["GET", "/computers"] = self.page(computer(7, "web 1"))
        self.server.routes["GET", "/events"] = self.page()
        self.expect(self.muster("event", "list", "--computer", "web 1", "--type", "2000", "--since",
                                "2026-11-21T08:00:00+01:00", "--limit", "5"), 0)
        query = self.server.seen[-1][2]
        self.assertEqual(query, {"computer": ID % 7, "type": "2000", "since": "2026-11-21T07:00:00.000Z", "limit": "5"})
        self.expect(self.muster("event", "list", "--since", "2h"), 0)
        self.assertRegex(self.server.seen[-1][2]["since"], r"^\d{4}-.*Z$")
        self.expect(self.muster("event", "list", "--since", "yesterday"), 2, "expected a moment")
        self.expect(self.muster("event", "list", "--limit", "0"), 2, "whole number")

    # --- names ---

    def test_names(self):
        self.server.routes["GET", "/computers"] = self.page(computer(1, "web1"), computer(2, "web1"))
        self.expect(self.muster("computer", "show", "web1"), 1, "2 computers are called 'web1'")
        self.expect(self.muster("computer", "show", "web1"), 1, ID % 2)
        self.server.routes["GET", "/computers"] = self.page(computer(1, "WEB1"), computer(2, "web1"))
        self.server.routes["GET", "/computers/" + ID % 2] = lambda request, *_: request.answer(200, computer(2, "web1"))
        self.expect(self.muster("computer", "show", "web1"), 0)
        self.expect(self.muster("computer", "show", ID % 2), 0)
        self.server.routes["GET", "/computers"] = self.page()
        self.expect(self.muster("computer", "show", "web9"), 1, "no computer is called 'web9'")
        self.expect(self.muster("command", "show", "../users"), 2, "is not an id")

    # --- commands ---

    def command(self, state, progress=None, result=None):
        return {"id": ID % 9, "kind": "scan", "computer": ID % 1, "computer_name": "web1", "state": state,
                "issued": "2026-11-21T20:00:00.000Z", "progress": progress or {}, "result": result or {}}

    def serve_scan(self, *states):
        left = list(states)
        self.server.routes["GET", "/computers"] = self.page(computer(1, "web1"))
        self.server.routes["POST", "/computers/%s/commands" % (ID % 1)] = lambda request, *_: request.answer(
            201, self.command("pending"))
        self.server.routes["GET", "/commands/" + ID % 9] = lambda request, *_: request.answer(
            200, left.pop(0) if len(left) > 1 else left[0])

    def test_a_scan_is_watched_to_its_end(self):
        done = {"files_total": 10, "files_done": 10, "bytes_total": 100, "bytes_done": 100, "elapsed_ms": 7000,
                "detections": 1}
        self.serve_scan(self.command("sent"),
                        self.command("running", {"counting": True, "files_total": 3}),
                        self.command("running", {**done, "files_done": 5, "bytes_done": 50}),
                        self.command("succeeded", done))
        self.server.routes["GET", "/quarantine"] = self.page(
            {"path": "/tmp/a\u001b[2J", "detection": "Eicar", "state": "held", "id": ID % 5})
        done = self.muster("computer", "scan", "web1", "/tmp", "/x\ny", "--exclude", "/tmp/b", "--watch")
        self.expect(done, 0)
        posted = [seen for seen in self.server.seen if seen[0] == "POST"][0]
        self.assertEqual(posted[3], {"kind": "scan", "paths": ["/tmp", "/x\\x0ay"], "exclude": ["/tmp/b"]})
        self.assertIn("scan on web1 succeeded: 10 files, 100 B in 0:07, 1 detection", done.stdout)
        self.assertIn("/tmp/a\\x1b[2J", done.stdout)
        self.assertIn("Eicar", done.stdout)
        self.assertIn("50%: 5/10 files", done.stderr)
        self.assertNotIn("\x1b", done.stdout + done.stderr)

    def test_results_are_exit_codes(self):
        self.serve_scan(self.command("failed", result={"code": "io", "text": "no such path"}))
        self.expect(self.muster("computer", "scan", "web1", "/x", "--watch"), 1, "scan on web1 failed: no such path")
        self.serve_scan(self.command("cancelled"))
        self.expect(self.muster("command", "watch", ID % 9), 1, "cancelled")
        self.serve_scan(self.command("timed_out"))
        done = self.muster("command", "watch", ID % 9, "-o", "json")
        self.expect(done, 1, "timed out")
        self.assertEqual(json.loads(done.stdout)["state"], "timed_out")

    def test_a_scan_without_watching(self):
        self.serve_scan(self.command("pending"))
        done = self.muster("computer", "scan", "web1")
        self.expect(done, 0)
        self.assertEqual(done.stdout, "scan issued: command %s\n" % (ID % 9))
        done = self.muster("computer", "scan", "web1", "-o", "json")
        self.assertEqual(json.loads(done.stdout)["id"], ID % 9)
        self.expect(self.muster("computer", "scan", "web1", "relative"), 2, "begins with /")

    def test_one_order_for_all_that_fit(self):
        self.server.routes["GET", "/computers"] = self.page(computer(1, "web1"), computer(2, "web2"))
        answer = {"items": [{"id": ID % 8, "computer": ID % 1}, {"id": ID % 9, "computer": ID % 2}], "left_out": []}
        self.server.routes["POST", "/commands"] = lambda request, *_: request.answer(201, answer)
        done = self.muster("computer", "scan", "web*", "/srv")
        self.expect(done, 0)
        self.assertIn("scan issued to 2 computers", done.stdout)
        listed, posted = self.server.seen[-2:]
        self.assertEqual(listed[2]["name"], "web*")
        self.assertEqual(posted[3], {"kind": "scan", "paths": ["/srv"], "exclude": [], "computers": [ID % 1, ID % 2]})
        done = self.muster("computer", "heartbeat", "*", "-o", "json")
        self.assertEqual(json.loads(done.stdout), answer)
        answer["left_out"].append(answer["items"].pop()["computer"])
        done = self.muster("computer", "scan", "web?")
        self.expect(done, 1, "1 left out, deleted meanwhile or with too many open commands: " + ID % 2)
        self.assertIn("scan issued to 1 computer;", done.stdout)
        self.expect(self.muster("computer", "scan", "web*", "--watch"), 2, "--watch follows one command")
        self.server.routes["GET", "/computers"] = self.page()
        self.expect(self.muster("computer", "scan", "db*"), 1, "no computer's name fits 'db*'")

    def test_a_move_says_who_and_where_to(self):
        where = ["--manager", "other:4343", "--ca-fingerprint", "ab" * 32]
        asked = len(self.server.seen)
        self.expect(self.muster("computer", "move", *where), 2, "COMPUTER or --group")
        self.expect(self.muster("computer", "move", "web1", *where[:2]), 2, "--manager and --ca-fingerprint")
        self.expect(self.muster("computer", "move", "web1", *where[:3], "abc"), 2, "--ca-fingerprint")
        self.expect(self.muster("computer", "move", "web1", *where, "--enrolment-token", "mst_x"), 2, "begins with mse_")
        self.assertEqual(len(self.server.seen), asked)
        self.server.routes["GET", "/computers"] = self.page(computer(1, "web1"))
        answer = {"items": [{"id": ID % 8, "computer": ID % 1}], "left_out": []}
        self.server.routes["POST", "/commands"] = lambda request, *_: request.answer(201, answer)
        self.server.routes["POST", "/computers/" + ID % 1 + "/commands"] = lambda request, *_: request.answer(201, answer["items"][0])
        done = self.muster("computer", "move", "--group", "branch", "web*", "web1", *where)
        self.expect(done, 0)
        self.assertIn("move issued to 1 computer;", done.stdout)
        listed, posted, listed_again, posted_again, _, one = self.server.seen[-6:]
        body = {"kind": "move", "manager": "https://other:4343", "ca_fingerprint": "ab" * 32}
        self.assertEqual(listed[2]["group"], "branch")
        self.assertEqual(posted[3], {**body, "computers": [ID % 1]})
        self.assertEqual(listed_again[2]["name"], "web*")
        self.assertEqual(posted_again[3], {**body, "computers": [ID % 1]})
        self.assertEqual(one[3], body)
        self.server.routes["GET", "/computers"] = self.page()
        self.expect(self.muster("computer", "move", "--group", "none", *where), 1, "no computer is in the group 'none'")

    # --- the rest ---

    def test_tokens(self):
        self.server.routes["POST", "/enrolment-tokens"] = lambda request, *_: request.answer(201, {"token": "T1"})
        done = self.muster("token", "create", "--enrolment", "--uses", "3", "--expires", "24h", "-o", "json")
        self.expect(done, 0)
        self.assertEqual(json.loads(done.stdout)["token"], "T1")
        self.assertEqual(self.server.seen[-1][3], {"uses": 3, "expires": "24h"})
        self.expect(self.muster("token", "create"), 2, "--role is needed")
        self.expect(self.muster("token", "create", "--role", "viewer", "--uses", "3"), 2, "--enrolment")
        self.expect(self.muster("token", "create", "--enrolment", "--uses", "x"), 2, "whole number")

    def test_settings(self):
        answer = {"items": [{"name": "a.b", "value": "=2", "default": "1", "is_default": False, "type": "number"}],
                  "next": None}
        self.server.routes["PATCH", "/settings"] = lambda request, *_: request.answer(200, answer)
        done = self.muster("settings", "set", "a.b==2", "c=", "-o", "json")
        self.expect(done, 0)
        self.assertEqual(self.server.seen[-1][3], {"a.b": "=2", "c": ""})
        self.assertEqual(json.loads(done.stdout)[0]["name"], "a.b")
        answer["items"].append({"name": "c.d", "value": "5", "default": "5", "is_default": True, "type": "number"})
        done = self.muster("settings", "set", "a.b==2")  # people see what they changed alone
        self.expect(done, 0)
        self.assertIn("a.b", done.stdout)
        self.assertNotIn("c.d", done.stdout)
        self.expect(self.muster("settings", "unset", "a.b"), 0)
        self.assertEqual(self.server.seen[-1][3], {"a.b": None})
        self.expect(self.muster("settings", "set", "novalue"), 2, "NAME=VALUE")

    def test_memberships_of_several(self):
        ids = {"one": ID % 1, "two": ID % 2, "three": ID % 3}
        self.server.routes["GET", "/computers"] = lambda request, query, _: request.answer(
            200, {"items": [{"id": ids[name], "name": name} for name in [query.get("name")] if name in ids], "next": None})
        done = {"status": "unmanaged", "status_cause": "deactivated by anna"}
        for name in ids:
            self.server.routes["POST", f"/computers/{ids[name]}/deactivate"] = lambda request, *_: request.answer(200, done)
        # A slip in a name: nothing is done at all.
        self.expect(self.muster("computer", "deactivate", "one", "nobody", "three"), 1, "nothing was done: no computer is called 'nobody'")
        self.assertFalse([seen for seen in self.server.seen if seen[0] == "POST"])
        # One that is refused keeps no other from its turn.
        self.server.routes["POST", f"/computers/{ids['two']}/deactivate"] = lambda request, *_: request.answer(
            409, {"detail": "the computer is not activated"})
        ended = self.muster("computer", "deactivate", "one", "two", "three")
        self.expect(ended, 1, "two: the computer is not activated")
        self.expect(ended, 1, "1 of 3")
        self.assertIn("three: unmanaged", ended.stdout)

    def test_move_is_followed(self):
        computer, command = ID % 1, ID % 7
        self.server.routes["GET", f"/computers/{computer}"] = lambda request, *_: request.answer(200, {"id": computer})
        self.server.routes["POST", f"/computers/{computer}/commands"] = lambda request, *_: request.answer(
            202, {"id": command, "kind": "move", "state": "pending"})
        self.server.routes["GET", f"/commands/{command}"] = lambda request, *_: request.answer(
            200, {"id": command, "kind": "move", "state": "failed", "computer_name": "web1",
                  "result": {"text": "the other manager refused"}})
        self.expect(self.muster("computer", "move", computer, "--manager", "other:4343", "--ca-fingerprint", "0" * 64,
                                "--watch"), 1, "the other manager refused")

    def test_download(self):
        content = os.urandom(300000)
        path = "/quarantine/%s/file" % (ID % 5)
        self.server.routes["GET", path] = lambda request, *_: request.answer(200, content, "application/zip")
        file = os.path.join(self.home, "out.zip")
        self.expect(self.muster("quarantine", "download", ID % 5, "--file", file), 0)
        with open(file, "rb") as made:
            self.assertEqual(made.read(), content)
        self.expect(self.muster("quarantine", "download", ID % 5, "--file", file), 1, "is there already")
        self.expect(self.muster("quarantine", "download", ID % 5, "--file", file, "--force"), 0)
        self.server.routes["GET", path] = lambda request, *_: request.problem(409, "Its file is not here.")
        missing = os.path.join(self.home, "none.zip")
        self.expect(self.muster("quarantine", "download", ID % 5, "--file", missing), 1, "Its file is not here.")
        self.assertFalse(os.path.exists(missing))

    def test_tail_goes_on_after_a_break(self):
        resumed = []
        def stream(request, query, body):
            last = request.headers.get("Last-Event-ID")
            resumed.append(last)
            number = 1 if last is None else int(last[-1]) + 1
            event = {"id": ID % number, "type_id": 2000, "time": "2026-11-21T20:08:06.123Z", "text": "e%d" % number}
            request.send_response(200)
            request.send_header("Content-Type", "text/event-stream")
            request.end_headers()
            request.wfile.write(b": hello\n\nid: %d\ndata: %s\n\ndata: {\"missed\": 1}\n\n"
                                % (number, json.dumps(event).encode()))
            request.close_connection = True
        self.server.routes["GET", "/events/stream"] = stream
        done = self.muster("event", "tail", "--limit", "2", "-o", "json")
        self.expect(done, 0)
        self.assertEqual([json.loads(line)["text"] for line in done.stdout.splitlines()], ["e1", "e2"])
        self.assertEqual(resumed, [None, "1"])

    def test_usage(self):
        self.expect(self.muster(), 2, "nothing to do")
        self.expect(self.muster("--help"), 0)
        self.assertRegex(self.muster("--version").stdout, r"^muster \d+\.\d+\.\d+\n$")
        done = subprocess.run(["bash", "-n"], input=self.muster("completion", "bash").stdout, text=True, check=False)
        self.assertEqual(done.returncode, 0)
        done = subprocess.run(["bash", "-c", '"$1" manual | head -1; exit ${PIPESTATUS[0]}', "-", MUSTER],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.stderr, "")
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([MUSTER, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("standard output", done.stderr)


def main():
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Program)
    result = unittest.TextTestRunner(verbosity=1).run(suite)
    failed = len(result.failures) + len(result.errors)
    # As cmocka closes, for the count of the test runner.
    print("[  PASSED  ] %d test(s)." % (result.testsRun - failed))
    if failed:
        print("[  FAILED  ] %d test(s), listed below:" % failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
