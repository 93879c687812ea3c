#!/usr/bin/env python3
"""What a real muster-manager answers to hostile HTTP, beside what nginx answers.

usage: http_cases.py MUSTER-MANAGER [--table]

--table prints the cases with both answers as the table of doc/http-cases.md.
"""
import concurrent.futures
import os
import re
import resource
import shutil
import socket
import ssl
import statistics
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
from cases import CASES, HALF_CLOSED, HOST
from manager import Manager, free_port
from nginx import Nginx
from one_by_one import passes

CLOSING = b"GET /healthz HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
QUIET_S = 1.0  # a server that says nothing for so long waits for more: the sending half is shut then
LIMIT_S = 20
IDLE, ESTABLISHED, HALF_SENT = 1000, 800, 200


class World:
    def __init__(self, program):
        self.manager = Manager(program)
        self.directory = tempfile.mkdtemp(prefix="muster-http-")
        self.nginx = None
        try:
            self.begin()
        except BaseException:
            self.remove()
            raise

    def begin(self):
        for name in ("tls.pem", "tls.key"):
            shutil.copyfile(self.manager.path("front", name), os.path.join(self.directory, name))
        self.nginx = Nginx(shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin"), free_port(),
                           os.path.join(self.directory, "tls.pem"), os.path.join(self.directory, "tls.key"))
        self.manager.start()
        self.nginx.wait()
        self.token = self.manager.sign_in().encode()

    def remove(self):
        self.manager.remove()
        if self.nginx:
            self.nginx.remove()
        shutil.rmtree(self.directory)

    def connect(self, port, timeout=LIMIT_S):
        raw = socket.create_connection(("127.0.0.1", port), timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.manager.context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=True)


# --- one exchange ---

def receive(connection, patience):
    """What comes until the end, or until nothing comes for `patience` seconds: (bytes, ended)."""
    received = b""
    connection.settimeout(patience)
    while True:
        try:
            piece = connection.recv(65536)
        except (TimeoutError, socket.timeout):
            return received, False
        except (ConnectionError, ssl.SSLError):
            return received, True
        if not piece:
            return received, True
        received += piece


def shut_sending_half(connection):
    """TCP's FIN without TLS's close notification, as a process that dies leaves it."""
    try:
        socket.socket.shutdown(connection, socket.SHUT_WR)
    except OSError:
        pass


def exchange(world, port, sent, half_close):
    connection = world.connect(port)
    try:
        try:
            connection.sendall(sent)
        except (ConnectionError, ssl.SSLError):
            pass  # the server has refused already
        if half_close:
            shut_sending_half(connection)
        received, ended = receive(connection, LIMIT_S if half_close else QUIET_S)
        if not ended:
            shut_sending_half(connection)
            rest, ended = receive(connection, LIMIT_S)
            received += rest
        if not ended:
            raise AssertionError("the connection was left open")
        return received
    finally:
        connection.close()


def statuses(received):
    """The statuses of the answers in order, framed by their lengths."""
    found = []
    while received:
        head, separator, rest = received.partition(b"\r\n\r\n")
        match = re.match(rb"HTTP/1\.[01] (\d{3})", head)
        if not match or not separator:
            found.append("?")
            break
        found.append(match.group(1).decode())
        length = re.search(rb"(?im)^content-length: (\d+)", head)
        if length:
            received = rest[int(length.group(1)):]
        elif re.search(rb"(?im)^transfer-encoding: chunked", head):
            received = rest.partition(b"0\r\n\r\n")[2]
        else:
            received = rest
    return " ".join(found) or "-"


def taken(answer):
    """How many messages a server took for good ones: refusals of framing do not count."""
    return sum(status[0] == "2" or status in ("401", "403", "404", "405") for status in answer.split())


def ask_both(world, case, half_close):
    name, sent, _, _ = case
    for_manager = sent.replace(b"/post", b"/api/v1/enrolment-tokens").replace(b"TOKEN", world.token)
    closing = b"" if half_close else CLOSING
    ours = statuses(exchange(world, world.manager.port, for_manager + closing, half_close))
    theirs = statuses(exchange(world, world.nginx.port, sent + closing, half_close))
    return name, ours, theirs


# --- tests ---

def answers(world):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda case: ask_both(world, case, False), CASES))
        return rows + list(pool.map(lambda case: ask_both(world, case, True), HALF_CLOSED))


def each_case_is_answered_as_expected_and_no_laxer_than_nginx(world):
    wrong = []
    for (name, _, expected, why), (_, ours, theirs) in zip(CASES + HALF_CLOSED, answers(world)):
        if ours not in expected.split("|"):
            wrong.append(f"{name}: {ours}, expected {expected} (nginx: {theirs})")
        elif taken(ours) > taken(theirs) and not why:
            wrong.append(f"{name}: taken ({ours}), though nginx refuses it ({theirs})")
    assert not wrong, "\n" + "\n".join(wrong)


def plain_http_is_refused(world):
    with socket.create_connection(("127.0.0.1", world.manager.port), LIMIT_S) as plain:
        plain.sendall(CLOSING)
        received, ended = receive(plain, LIMIT_S)
    assert ended and not received.startswith(b"HTTP/"), received


PATIENCE_S = 180  # a busy machine ends them late, but ends them


def raise_open_files(wanted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))


def api_latencies(world, count):
    connection = world.manager.connection()
    spans = []
    for _ in range(count):
        begun = time.monotonic()
        connection.request("GET", "/api/v1/computers?limit=10",
                           headers={"Authorization": "Bearer " + world.token.decode()})
        answer = connection.getresponse()
        answer.read()
        spans.append(time.monotonic() - begun)
        assert answer.status == 200, answer.status
    connection.close()
    return sorted(spans)


def idle_connections_do_not_disturb_the_api(world):
    raise_open_files(4096)
    before = api_latencies(world, 50)
    connections = [socket.create_connection(("127.0.0.1", world.manager.port), LIMIT_S) for _ in range(IDLE)]
    try:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            connections += pool.map(lambda _: world.connect(world.manager.port), range(ESTABLISHED + HALF_SENT))
        for connection in connections[-HALF_SENT:]:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: local")
        during = api_latencies(world, 200)
    finally:
        for connection in connections:
            connection.close()
    print(f"an API call, median: {1000 * statistics.median(before):.1f} ms alone, "
          f"{1000 * statistics.median(during):.1f} ms beside {len(connections)} idle connections; "
          f"99 of 100 within {1000 * during[int(len(during) * 0.99)]:.1f} ms")
    # Generous, and measured on the same busy machine: a server that walks its connections is far beyond this.
    assert during[int(len(during) * 0.99)] < max(1.0, 30 * before[-1]), (before[-5:], during[-5:])


def slow_heads_and_bodies_are_cut_off(world):
    """A byte now and then does not keep a connection: 15 s for a head, 30 s of silence in a body."""
    begun = time.monotonic()
    head = world.connect(world.manager.port)
    head.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
    body = world.connect(world.manager.port)
    body.sendall(b"POST /api/v1/enrolment-tokens HTTP/1.1\r\n" + HOST + b"Authorization: Bearer " + world.token +
                 b"\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{")
    head_answer, ended = b"", False
    while not ended and time.monotonic() - begun < PATIENCE_S:
        try:
            head.sendall(b"a")
        except (ConnectionError, ssl.SSLError):
            pass
        piece, ended = receive(head, 1.0)
        head_answer += piece
    head_s = time.monotonic() - begun
    assert ended and statuses(head_answer) in ("408", "-"), (head_answer, ended)
    assert head_s > 14, head_s
    answer, ended = receive(body, PATIENCE_S)
    body_s = time.monotonic() - begun
    assert ended and statuses(answer) in ("408", "-"), (answer, ended)
    assert body_s > 29, body_s


TESTS = [each_case_is_answered_as_expected_and_no_laxer_than_nginx, plain_http_is_refused,
         idle_connections_do_not_disturb_the_api, slow_heads_and_bodies_are_cut_off]


def print_table(world):
    print("| case | Muster | nginx | |\n|---|---|---|---|")
    for (_, _, _, why), (name, ours, theirs) in zip(CASES + HALF_CLOSED, answers(world)):
        mark = why or ("" if taken(ours) == taken(theirs) else "stricter")
        print(f"| {name} | {ours} | {theirs} | {mark} |")


def main():
    arguments = sys.argv[1:]
    if not arguments or arguments[0] == "--help":
        print(__doc__)
        return 2 if not arguments else 0
    world = World(arguments[0])
    try:
        if "--table" in arguments:
            print_table(world)
            return 0
        results = [passes(test, world) for test in TESTS]
        status = world.manager.stop()
        results.append(status == 0)
        print(f"[  PASSED  ] {sum(results)} test(s).")
        if not all(results):
            print(f"[  FAILED  ] {results.count(False)} test(s), listed above")
        return 0 if all(results) else 1
    finally:
        world.remove()


sys.exit(main())
