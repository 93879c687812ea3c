"""A real muster-manager in a directory of its own, and calls to its API.

Every answer is checked against the OpenAPI document that the manager serves:
its status, its content type and its body.
"""
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import tempfile
import threading

import schema

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
}


PROBLEM = {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        return json.loads(self.body.decode("utf-8", "strict"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Manager:
    def __init__(self, program):
        self.program = program
        self.directory = tempfile.mkdtemp(prefix="muster-api-")
        os.chmod(self.directory, 0o755)
        self.data = os.path.join(self.directory, "manager")
        self.port = free_port()
        made = subprocess.run(
            [program, "init", "--data", self.data, "--listen", f"127.0.0.1:{self.port}", "--name", "localhost",
             "-o", "json"], check=True, stdout=subprocess.PIPE, text=True)
        self.identity = json.loads(made.stdout)
        self.process = None
        self.document = None
        self.lines = []

    def path(self, *names):
        return os.path.join(self.data, *names)

    def database(self):
        """The database, as a rule while the manager does not run; what it holds is given back to its owner by settle()."""
        return sqlite3.connect(self.path("front", "muster.db"))

    def settle(self):
        """Gives everything below front/ to whom front/ belongs."""
        owner = os.stat(self.path("front"))
        for directory, _, files in os.walk(self.path("front")):
            for name in files:
                os.chown(os.path.join(directory, name), owner.st_uid, owner.st_gid)

    def start(self):
        self.process = subprocess.Popen([self.program, "run", "--data", self.data], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, errors="replace")
        started = threading.Event()
        self.reader = threading.Thread(target=self._read_log, args=(started,), daemon=True)
        self.reader.start()
        if not started.wait(60) or self.process.poll() is not None:
            raise RuntimeError("the manager did not start:\n" + "".join(self.lines))
        context = ssl.create_default_context(cafile=self.path("ca.pem"))
        self.context = context
        self.document = self.raw("GET", "/api/v1/openapi.json").json

    def _read_log(self, started):
        for line in self.process.stdout:
            self.lines.append(line)
            if '"front.started"' in line:
                started.set()
        started.set()

    def stop(self):
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        self.process = None
        self.reader.join(60)
        reports = [line for line in self.lines if "Sanitizer" in line or "runtime error:" in line]
        if reports:
            raise AssertionError("".join(self.lines[self.lines.index(reports[0]):][:60]))
        return status

    def remove(self):
        self.stop()
        shutil.rmtree(self.directory)

    def connection(self):
        return http.client.HTTPSConnection("localhost", self.port, context=self.context, timeout=60)

    def raw(self, method, path, body=None, headers=None):
        connection = self.connection()
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def call(self, method, path, token=None, body=None, headers=None, expect=None):
        """One call, checked against the document. body: bytes as they are, anything else as JSON."""
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = "Bearer " + token
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
            if not isinstance(body, bytes):
                body = json.dumps(body).encode()
        answer = self.raw(method, path, body, headers)
        self.check(method, path.split("?")[0], answer)
        if expect is not None and answer.status != expect:
            raise AssertionError(f"{method} {path}: {answer.status}, not {expect}: {answer.body[:2000]!r}")
        return answer

    def check(self, method, path, answer):
        for name, value in SECURITY_HEADERS.items():
            if answer.headers.get(name) != value:
                raise AssertionError(f"{method} {path}: {name} is {answer.headers.get(name)!r}")
        if answer.headers.get("Set-Cookie"):
            raise AssertionError("a cookie")
        operation = schema.operation_of(self.document, method, path)
        if operation is None and answer.status not in (404, 405):
            raise AssertionError(f"{method} {path} is not in the document, but answers {answer.status}")
        responses = operation["responses"] if operation else {"default": PROBLEM}
        if str(answer.status) not in responses and answer.status < 400:
            raise AssertionError(f"{method} {path}: {answer.status} is not in the document")
        if path == "/readyz" and answer.status == 503:
            return
        expected = responses.get(str(answer.status)) or responses["default"]
        if "content" not in expected:
            if answer.body:
                raise AssertionError(f"{method} {path}: a body that is not in the document")
            return
        if answer.headers["Content-Type"] not in expected["content"]:
            raise AssertionError(f"{method} {path}: {answer.headers['Content-Type']} is not in the document")
        content = expected["content"][answer.headers["Content-Type"]]
        if content["schema"]:
            schema.check(self.document, content["schema"], answer.json, f"{method} {path}")
        if answer.status >= 400 and answer.json["status"] != answer.status:
            raise AssertionError("the problem's status is not the answer's")

    def sign_in(self):
        body = {"user": self.identity["user"], "password": self.identity["password"]}
        return self.call("POST", "/api/v1/sessions", body=body, expect=201).json["token"]

    def events(self, token, query="", last=None):
        """The stream of events: a connection and its answer, to be read with next_event()."""
        connection = self.connection()
        headers = {"Authorization": "Bearer " + token}
        if last:
            headers["Last-Event-ID"] = last
        connection.request("GET", "/api/v1/events/stream" + query, headers=headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        assert answer.headers["Content-Type"] == "text/event-stream"
        return connection, answer


def next_event(answer):
    """The next event of a stream: (id, data)."""
    identity = None
    while True:
        line = answer.readline().decode()
        if not line:
            raise AssertionError("the stream ended")
        if line.startswith("id: "):
            identity = line[4:].strip()
        if line.startswith("data: "):
            return identity, json.loads(line[6:])
