#!/usr/bin/env python3
"""Agent and manager in two network namespaces: delay, loss, a cut line, all under load.

usage: network.py [--seed S] [--cuts N]

A bridge in a third namespace (this program, on two raw sockets) carries the
frames between them, late and not all of them; then the line is cut and put
together again several times while scans, restores and deletes go on, and all
counts are compared exactly. Needs the right to make network namespaces and
raw sockets; without it the test is skipped.
"""
import argparse
import fcntl
import heapq
import os
import random
import select
import socket
import struct
import subprocess
import sys
import threading
import time

import account
from load import Load
from world import SKIPPED, Agent, Failure, Manager, World, wait_until

DELAY_S, JITTER_S, LOSS = 0.02, 0.03, 0.02
AGENT, MANAGER = "10.213.77.2", "10.213.77.1"
SIOCETHTOOL, ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO = 0x8946, 0x17, 0x1F, 0x24
EVERY_FRAME = 0x0003
CLONE_NEWNET = 0x40000000


def run(*words):
    return subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def must(*words):
    done = run(*words)
    if done.returncode != 0:
        raise PermissionError(f"{' '.join(words)}: {done.stderr.strip()}")


def no_offload(name):
    """Whole frames with their checksums, as they would be on a wire."""
    import array
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for what in (ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO):
            value = array.array("B", struct.pack("II", what, 0))
            request = struct.pack("16sP", name.encode(), value.buffer_info()[0])
            try:
                fcntl.ioctl(any_socket, SIOCETHTOOL, request)
            except OSError:
                pass


def in_namespace(name, work):
    """Runs work() in a namespace; this thread alone goes there and comes back."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net", "rb") as home, open(f"/run/netns/{name}", "rb") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
            raise PermissionError("setns")
        try:
            return work()
        finally:
            libc.setns(home.fileno(), CLONE_NEWNET)


class Line:
    """Carries frames between two interfaces; may be cut."""

    def __init__(self, chance):
        self.chance, self.up, self.stopping = chance, True, False
        self.prefix = f"muster{os.getpid()}"
        self.names = {end: f"{self.prefix}-{end}" for end in ("agent", "manager", "middle")}
        self.sockets, self.carried, self.lost = [], 0, 0
        self.thread = threading.Thread(target=self._carry, daemon=True)

    def make(self):
        for name in self.names.values():
            must("ip", "netns", "add", name)
        for end, address in (("agent", AGENT), ("manager", MANAGER)):
            inner, outer = f"mv{end[0]}i", f"mv{end[0]}o"
            must("ip", "-n", self.names[end], "link", "add", "name", inner, "type", "veth", "peer", "name", outer,
                 "netns", self.names["middle"])
            must("ip", "-n", self.names[end], "addr", "add", f"{address}/24", "dev", inner)
            must("ip", "-n", self.names[end], "link", "set", inner, "up")
            must("ip", "-n", self.names[end], "link", "set", "lo", "up")
            must("ip", "-n", self.names["middle"], "link", "set", outer, "up")
            in_namespace(self.names[end], lambda name=inner: no_offload(name))
            self.sockets.append(in_namespace(self.names["middle"], lambda name=outer: self._open(name)))
        self.thread.start()

    @staticmethod
    def _open(name):
        no_offload(name)
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_FRAME))
        raw.bind((name, EVERY_FRAME))
        raw.setblocking(False)
        return raw

    def _take(self, index, late):
        while True:
            try:
                frame, address = self.sockets[index].recvfrom(65536)
            except BlockingIOError:
                return
            if address[2] == socket.PACKET_OUTGOING:
                continue
            if not self.up or self.chance.random() < LOSS:
                self.lost += 1
                continue
            self.carried += 1
            due = time.monotonic() + DELAY_S + self.chance.random() * JITTER_S
            heapq.heappush(late, (due, self.carried, 1 - index, frame))

    def _carry(self):
        late = []
        while not self.stopping:
            wait = max(0, late[0][0] - time.monotonic()) if late else 0.2
            ready = select.select(self.sockets, [], [], min(wait, 0.2))[0]
            for raw in ready:
                self._take(self.sockets.index(raw), late)
            while late and late[0][0] <= time.monotonic():
                _, _, index, frame = heapq.heappop(late)
                try:
                    self.sockets[index].send(frame)
                except OSError:
                    self.lost += 1

    def remove(self):
        self.stopping = True
        if self.thread.is_alive():
            self.thread.join()
        for raw in self.sockets:
            raw.close()
        for name in self.names.values():
            run("ip", "netns", "del", name)


class ManagerThere(Manager):
    """Asked from its own namespace: people's requests do not cross the bad line."""

    def once(self, method, path, body=None, headers=None, timeout=20):
        return in_namespace(self.namespace, lambda: super(ManagerThere, self).once(method, path, body, headers, timeout))


def start(world, line):
    ManagerThere.namespace = line.names["manager"]
    world.manager = ManagerThere(world.directory, MANAGER, ("ip", "netns", "exec", line.names["manager"]))
    world.manager.up()
    world.agent = Agent(world.directory, world.manager, world.signatures,
                        prefix=("ip", "netns", "exec", line.names["agent"]))
    world.agent.activate()
    world.agent.up()


def unnoticed(world, line, chance):
    """Too short for anybody to give up."""
    line.up = False
    time.sleep(chance.uniform(0.2, 4))  # how long it is cut is the test's input


def noticed(world, line, chance):
    """Until the agent says that it has no manager; it goes on protecting."""
    line.up = False
    wait_until("the agent's notice of the cut", lambda: not (world.agent.ask("status") or {"connected": 1})["connected"])


def cut(world, load, line, chance, how):
    """Cut under load, and whole again."""
    load.begin()
    before = load.batches
    wait_until("some work", lambda: load.batches >= before + 2)
    how(world, line, chance)
    if how is noticed:
        directory = load.make_batch(chance)
        world.agent.ask("scan", directory)
        left = [made.path for made in load.made.values() if made.path.startswith(directory) and made.is_there()]
        if left:
            raise Failure(f"not found while the line was cut: {left}")
    line.up = True
    before = load.batches
    wait_until("work again", lambda: load.batches >= before + 1)
    load.finish()
    account.settle(world)
    books = account.check(world, load)
    load.forget_ended(books)
    return books


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--cuts", type=int, default=1)
    arguments.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    given = arguments.parse_args()
    print(f"seed {given.seed}", flush=True)
    world, failed = World("network"), True
    line, chance = Line(random.Random(f"{given.seed} line")), random.Random(f"{given.seed} cuts")
    try:
        try:
            line.make()
        except (PermissionError, FileNotFoundError) as error:
            failed = False
            print(f"skipped: no right to make network namespaces ({error})")
            return SKIPPED
        start(world, line)
        load = Load(world, given.seed)
        for number in range(given.cuts):
            books = cut(world, load, line, chance, unnoticed if number % 2 else noticed)
            print(f"cut {number + 1}: {len(books.events)} events, {len(books.commands)} commands,"
                  f" {len(books.items)} items, all counts exact; {line.carried} frames carried, {line.lost} lost",
                  flush=True)
        failed = False
        print("[  PASSED  ] 1 test(s).")
    except Failure as failure:
        print(f"{failure}\nalone: {' '.join(sys.argv)} --seed {given.seed}\n[  FAILED  ] 1 test(s).")
    finally:
        world.end(failed)
        line.remove()
    return 1 if failed else 0


sys.exit(main())
