#!/usr/bin/env python3
"""Hosts that ask for packages and hardly read them, beside computers that are being installed."""
import hashlib
import http.client
import os
import socket
import ssl

from installation import Site, main, wait_until

PLACES = 64  # src/manager/front/downloads.h
PATH = "/agent/v1/packages/linux-x86_64"
SIZE = 12 << 20  # more than any buffers of the two ends hold

site = Site()


def put_package():
    content = os.urandom(SIZE)
    place = os.path.join(site.manager.data, "packages", "muster-agent-linux-x86_64")
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place + ".tar.gz", "wb") as file:
        file.write(content)
    with open(place + ".manifest", "w", encoding="ascii") as file:
        file.write(f"version 1\nsha256 {hashlib.sha256(content).hexdigest()}\nbytes {SIZE}\nunpacked {SIZE}\n")
    return content


class Reader:
    """Has asked, and reads no more than the answer's first bytes until it is told to."""
    context = None

    def __init__(self, address):
        Reader.context = Reader.context or ssl.create_default_context(cafile=site.manager.ca)
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 << 10)
        plain.settimeout(60)
        plain.bind((address, 0))
        plain.connect(("127.0.0.1", site.manager.port))
        self.socket = self.context.wrap_socket(plain, server_hostname="localhost")
        self.socket.sendall(f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        self.answer = http.client.HTTPResponse(self.socket, method="GET")
        self.answer.begin()
        self.status = self.answer.status

    def rest(self):
        """What comes of it; less than was said if it was cut off."""
        try:
            return self.answer.read()
        except http.client.IncompleteRead as error:
            return error.partial

    def close(self):
        self.socket.close()


def download(address):
    reader = Reader(address)
    body = reader.rest() if reader.status == 200 else b""
    reader.close()
    return reader.status, body


def one_host_keeps_nobody_waiting():
    content = put_package()
    slow = [Reader("127.0.0.1") for _ in range(PLACES)]
    assert all(reader.status == 200 for reader in slow)
    assert download("127.0.0.1")[0] == 503, "more places than there are"
    # Whoever comes from elsewhere is served at once, one after the other and several together.
    for _ in range(3):
        assert download("127.0.0.2") == (200, content)
    others = [Reader(f"127.0.0.{host}") for host in range(3, 9)]
    assert [reader.status for reader in others] == [200] * 6
    assert all(reader.rest() == content for reader in others)
    # Some of the slow ones had to go, and have not got it whole; those that are left do, when they read.
    whole = [len(reader.rest()) == SIZE for reader in slow]
    assert PLACES - 10 <= sum(whole) < PLACES, whole
    for reader in slow + others:
        reader.close()
    wait_until("places for all", lambda: download("127.0.0.1") == (200, content))


if __name__ == "__main__":
    with site:
        site.add_manager()
        code = main([one_host_keeps_nobody_waiting])
    raise SystemExit(code)
