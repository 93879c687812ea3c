#!/usr/bin/env python3
"""How long the agent of a revoked computer stays in, once the API has answered: a poll that is held, and a connection
that the manager has dialled. Prints the figures; the bound that it asserts is generous."""
import datetime
import http.client
import json
import os
import socket
import ssl
import statistics
import threading
import time

from installation import Site, main, run, wait_until

ROUNDS = 5
GENEROUS_S = 20

site = Site()


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def told(what, rounds):
    """rounds: asked, answered, cut. A cut before the answer is one after less than nothing."""
    after_answer = sorted(round(1000 * (cut - answer)) for _, answer, cut in rounds)
    after_asking = sorted(round(1000 * (cut - asked)) for asked, _, cut in rounds)
    print(f"{what}: cut {statistics.median(after_answer):.0f} ms after the answer to revoke (median), {after_answer[-1]} at "
          f"most; {statistics.median(after_asking):.0f} and {after_asking[-1]} after it was asked; {len(rounds)} rounds",
          flush=True)
    assert after_answer[-1] < 1000 * GENEROUS_S, after_answer


def answered(computer):
    """Revokes; when it was asked for, and when the answer was there."""
    context = ssl.create_default_context(cafile=site.manager.ca)
    connection = http.client.HTTPSConnection("localhost", site.manager.port, context=context, timeout=60)
    connection.connect()
    asked = time.time()
    connection.request("POST", f"/api/v1/computers/{computer}/revoke", "", {"Authorization": f"Bearer {site.api}"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
    end = time.time()
    connection.close()
    return asked, end


def id_of(name):
    return site.json("computer", "show", name)["id"]


def dial(computer):
    """Says where it is dialled, which the manager does at once."""
    run(["curl", "-s", "-f", "--cacert", site.manager.ca, "-X", "PUT", "-H", f"Authorization: Bearer {site.api}",
         "-H", "Content-Type: application/json", "-d", '{"dial_address": "127.0.0.1"}',
         f"{site.manager.url}/api/v1/computers/{computer}/dial-address"]).expect(0)


def lines(agent, event):
    found = []
    for line in agent.text().splitlines():
        try:
            line = json.loads(line)
        except ValueError:
            continue
        if line.get("event") == event:
            found.append(line)
    return found


def a_held_poll_is_cut():
    rounds = []
    for number in range(ROUNDS):
        name = f"poll-{number}"
        agent = site.add_agent(name)
        wait_until("its poll", lambda: site.json("computer", "show", name)["connected"])
        before = len(lines(agent, "exchange.failed"))
        asked, end = answered(id_of(name))
        wait_until("the cut", lambda: len(lines(agent, "exchange.failed")) > before)
        failed = lines(agent, "exchange.failed")[before]
        assert "revoked" in failed["error"], failed
        rounds.append((asked, end, moment(failed["time"])))
        agent.stop()
    told("held poll", rounds)


class Stand:
    """Stands where an agent was, with its identity: takes the manager's connection and never answers."""

    def __init__(self, agent, port):
        identity = os.path.join(agent.data, "identity")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(identity, "cert.pem"), os.path.join(identity, "key.pem"))
        context.load_verify_locations(os.path.join(identity, "ca.pem"))
        context.verify_mode = ssl.CERT_REQUIRED
        self.listener = socket.create_server(("127.0.0.1", port))
        self.listener.settimeout(60)
        self.context = context

    def take(self):
        """A connection over which the manager has begun to talk."""
        while True:
            plain, _ = self.listener.accept()
            try:
                connection = self.context.wrap_socket(plain, server_side=True)
                if connection.recv(65536):
                    return connection
            except OSError:
                plain.close()

    @staticmethod
    def wait_end(connection):
        connection.settimeout(60)
        try:
            while connection.recv(65536):
                pass
        except OSError:
            pass
        return time.time()


def a_dialled_connection_is_cut():
    rounds = []
    for number in range(ROUNDS):
        name = f"dialled-{number}"
        agent = site.add_agent(name)
        wait_until("its port", lambda: agent("status", "-o", "json").json["link"]["listening"])
        wait_until("the manager's word", lambda: site.json("computer", "show", name)["listen_port"] > 0)
        port = site.json("computer", "show", name)["listen_port"]
        agent.stop()
        stand = Stand(agent, port)
        computer = id_of(name)
        dial(computer)
        connection = stand.take()
        ends = []
        watch = threading.Thread(target=lambda: ends.append(Stand.wait_end(connection)))
        watch.start()
        asked, end = answered(computer)
        watch.join(90)
        assert ends, "the connection was not cut"
        rounds.append((asked, end, ends[0]))
        connection.close()
        stand.listener.close()
    told("dialled connection", rounds)


if __name__ == "__main__":
    with site:
        site.add_manager()
        site.api = site.json("token", "create", "--role", "administrator")["token"]
        code = main([a_held_poll_is_cut, a_dialled_connection_is_cut])
    raise SystemExit(code)
