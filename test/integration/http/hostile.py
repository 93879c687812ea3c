#!/usr/bin/env python3
"""Thousands of slow and broken clients at once, each held open until the server ends it.

usage: hostile.py PORT [--clients N] [--seconds S] [--share KIND=N...]

Opens N connections of all kinds in turn, opens one again two seconds after the
server ended it, for S seconds; then waits until the server has ended every one.
The last line is JSON: for each kind how many were opened and ended, and the
longest time one lasted; "left" are those the server never ended.
"""
import argparse
import heapq
import json
import os
import resource
import select
import socket
import ssl
import struct
import sys
import time

AGAIN_S = 2.0
READ_AFTER_S = 40.0  # those that read nothing look by then whether the server has ended it
GIVE_UP_S = 135.0  # after the last was opened; the longest time limit of the server, of idle connections, is 120 s
HOST = b"Host: localhost\r\n"
GET = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
OPENS_AT_ONCE = 50


def hello():
    """The bytes with which a TLS client begins."""
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


HELLO = hello()


class Client:
    """begin: sent first. drip: sent a byte a second after it. tls: after a handshake. then: what follows at once."""
    def __init__(self, kind, begin=b"", drip=b"", tls=False, then="", reads=True):
        self.kind, self.begin, self.drip, self.tls, self.then, self.reads = kind, begin, drip, tls, then, reads


KINDS = [
    Client("silent"),
    Client("half a hello", begin=HELLO[:len(HELLO) // 2]),
    Client("hello and no more", begin=HELLO),
    Client("hello by the byte", begin=HELLO[:5], drip=HELLO[5:]),
    Client("garbage", begin=os.urandom(512)),
    Client("plain HTTP", begin=GET),
    Client("reset", begin=HELLO, then="reset"),
    Client("slow head", begin=b"GET /healthz HTTP/1.1\r\nX: ", drip=b"a" * 1000, tls=True),
    Client("slow body", begin=b"POST /api/v1/sessions HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
           b"Content-Length: 4000\r\n\r\n", drip=b" " * 1000, tls=True),
    Client("half a body", begin=b"POST /api/v1/sessions HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
           b"Content-Length: 4000\r\n\r\n{", tls=True),
    Client("reads nothing", begin=(b"GET /api/v1/openapi.json HTTP/1.1\r\n" + HOST + b"\r\n") * 100, tls=True, reads=False),
    Client("half closed", begin=GET, tls=True, then="shut"),
    Client("half closed in a head", begin=GET[:20], tls=True, then="shut"),
    Client("junk behind a request", begin=GET + b"\x00\xff junk\r\n" * 50, tls=True),
    Client("reset in an answer", begin=GET * 20, tls=True, then="reset"),
]


class Connection:
    def __init__(self, crowd, client):
        self.crowd, self.client = crowd, client
        self.opened = time.monotonic()
        self.socket = socket.socket()
        if not client.reads:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.setblocking(False)
        self.socket.connect_ex(("127.0.0.1", crowd.port))
        self.tls, self.out, self.begun, self.shut, self.dripped = None, b"", False, False, 0
        self.reads = client.reads
        if not self.reads:
            crowd.later(READ_AFTER_S, self.read_at_last)
        if client.tls:
            self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = crowd.context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
            self.shake()
        else:
            self.begin()

    def say(self, data):
        if self.tls:
            self.tls.write(data)
            self.out += self.outgoing.read()
        else:
            self.out += data

    def begin(self):
        self.begun = True
        if self.client.begin:
            self.say(self.client.begin)
        if self.client.drip:
            self.crowd.later(1.0, self.drip)

    def drip(self):
        if self.socket is not None and self.dripped < len(self.client.drip):
            self.say(self.client.drip[self.dripped:self.dripped + 1])
            self.dripped += 1
            self.send()
            self.crowd.later(1.0, self.drip)

    def read_at_last(self):
        self.reads = True
        self.watch()

    def shake(self):
        try:
            self.tls.do_handshake()
            ready = True
        except ssl.SSLWantReadError:
            ready = False
        except ssl.SSLError:
            self.end()
            return
        self.out += self.outgoing.read()
        if ready:
            self.begin()

    def send(self):
        try:
            while self.out:
                sent = self.socket.send(self.out)
                self.out = self.out[sent:]
        except BlockingIOError:
            pass
        except OSError:
            self.end()
            return
        if not self.out and self.begun and self.client.then == "shut" and not self.shut:
            self.shut = True
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:
                self.end()
                return
        if not self.out and self.begun and self.client.then == "reset":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.end()
            return
        self.watch()

    def watch(self):
        if self.socket is not None:
            self.crowd.watch(self, bool(self.out), self.reads or not self.begun)

    def on_event(self, events):
        if events & (select.EPOLLERR | select.EPOLLHUP) and not events & select.EPOLLIN:
            self.end()
            return
        if events & select.EPOLLIN and not self.receive():
            self.end()
            return
        if self.socket is not None:
            self.send()

    def receive(self):
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        if self.tls and not self.begun:
            self.incoming.write(data)
            self.shake()
        return True

    def end(self):
        if self.socket is not None:
            self.crowd.forget(self)
            self.socket.close()
            self.socket = None


class Crowd:
    def __init__(self, given):
        self.port, self.given = given.port, given
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.poll, self.connections, self.timers = select.epoll(), {}, []
        self.count = 0
        self.figures = {client.kind: {"opened": 0, "ended": 0, "longest_s": 0.0} for client in KINDS}
        self.until = time.monotonic() + given.seconds

    def later(self, seconds, function):
        self.count += 1
        heapq.heappush(self.timers, (time.monotonic() + seconds, self.count, function))

    def open(self, client):
        if time.monotonic() > self.until:
            return
        self.figures[client.kind]["opened"] += 1
        connection = Connection(self, client)
        if connection.socket is not None:
            self.connections[connection.socket.fileno()] = connection
            self.poll.register(connection.socket.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def watch(self, connection, writes, reads):
        number = connection.socket.fileno()
        if number in self.connections:
            self.poll.modify(number, (select.EPOLLOUT if writes else 0) | (select.EPOLLIN if reads else 0))

    def forget(self, connection):
        number = connection.socket.fileno()
        if self.connections.pop(number, None):
            self.poll.unregister(number)
        figure = self.figures[connection.client.kind]
        figure["ended"] += 1
        figure["longest_s"] = max(figure["longest_s"], round(time.monotonic() - connection.opened, 1))
        self.later(AGAIN_S, lambda: self.open(connection.client))

    def run_timers(self):
        now = time.monotonic()
        while self.timers and self.timers[0][0] <= now:
            heapq.heappop(self.timers)[2]()

    def run(self):
        waiting = [KINDS[number % len(KINDS)] for number in range(self.given.clients)]
        told = False
        while True:
            now = time.monotonic()
            for client in waiting[:OPENS_AT_ONCE]:
                self.open(client)
            del waiting[:OPENS_AT_ONCE]
            if not waiting and not told:
                told = True
                print(f"ready {len(self.connections)}", flush=True)
            if now > self.until and (not self.connections or now > self.until + GIVE_UP_S):
                break
            for number, events in self.poll.poll(0.02 if waiting else 0.1, 512):
                connection = self.connections.get(number)
                if connection:
                    connection.on_event(events)
            self.run_timers()
        kinds = {}
        for connection in self.connections.values():
            kinds[connection.client.kind] = kinds.get(connection.client.kind, 0) + 1
        print(json.dumps({"kinds": self.figures, "left": kinds}), flush=True)
        return 1 if kinds else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--clients", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=40)
    given = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, given.clients + 100)), hard))
    return Crowd(given).run()


sys.exit(main())
