#!/usr/bin/env python3
"""Orders that somebody recorded, played to the same computer's agent by whoever holds the manager's TLS key: after a
restart, after its state was lost, and after it was installed anew. None is obeyed, and each is told of."""
import glob
import http.server
import os
import sqlite3
import ssl
import threading

from installation import EICAR, Site, main, wait_until

site = Site()


def field(number, value):
    """A field of protobuf, of bytes or a number."""
    def varint(left):
        out = b""
        while left > 127:
            out += bytes([left & 127 | 128])
            left >>= 7
        return out + bytes([left])

    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


class Impostor:
    """Has the manager's address and its TLS key, and what it recorded; not the key that orders are signed with."""
    def __init__(self, envelope):
        reply = field(1, 1) + field(4, envelope)
        self.played = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                found = self.path == "/agent/v1/exchange"
                body = reply if found else b""
                self.send_response(200 if found else 503)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                outer.played += found

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(site.manager.data, "front", "tls.pem"),
                                os.path.join(site.manager.data, "front", "tls.key"))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", site.manager.port), Handler)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def recorded():
    """The last order as it was sent: the agent's run and all."""
    with sqlite3.connect(f"file:{site.manager.data}/front/muster.db?mode=ro", uri=True) as database:
        return database.execute("SELECT envelope FROM command ORDER BY issued DESC LIMIT 1").fetchone()[0]


def refusals(agent):
    return [event["fields"] for event in agent("events", "-o", "json").json if event["type_id"] == 4030]


def plant(name):
    place = site.files(name)
    with open(os.path.join(place, "bait"), "wb") as file:
        file.write(EICAR)
    return place


def played(agent, envelope, bait):
    """Played over and over until the agent has told of it; the real manager hears of it afterwards."""
    site.manager.stop()
    with Impostor(envelope) as impostor:
        agent.start()
        wait_until("a refusal", lambda: impostor.played > 1 and refusals(agent))
        assert refusals(agent)[0]["code"] == "replayed", refusals(agent)
    agent.stop()
    assert os.path.exists(bait), "a recorded order was obeyed"
    before = len(site_events())
    site.manager.start()
    agent.start()
    site.wait_online(agent.name)
    wait_until("the event at the manager", lambda: len(site_events()) > before)
    assert "another run of this agent" in site_events()[0]["fields"]["cause"], site_events()
    # What the manager itself orders is obeyed.
    site.muster("computer", "scan", agent.name, "/usr/share/common-licenses", "--watch").expect(0)


def site_events():
    if not site.manager.running():
        return refused_before[0]
    refused_before[0] = site.json("event", "list", "--type", "4030", "--limit", "1000")
    return refused_before[0]


refused_before = [[]]


def an_order_to_scan(agent, place):
    site.muster("computer", "scan", agent.name, place, "--watch")
    assert not os.path.exists(os.path.join(place, "bait")), "the order itself was not carried out"
    envelope = recorded()
    plant(os.path.basename(place))
    site_events()
    return envelope


def after_a_restart_or_a_loss_of_its_state():
    agent = site.add_agent("kept")
    place = plant("kept-files")
    envelope = an_order_to_scan(agent, place)
    agent.stop()
    for path in glob.glob(os.path.join(agent.data, "link", "*.log")):
        os.unlink(path)
    played(agent, envelope, os.path.join(place, "bait"))


def after_an_installation_anew():
    site.muster("settings", "set", "enrolment.same_name=reactivate").expect(0)
    agent = site.add_agent("anew")
    place = plant("anew-files")
    envelope = an_order_to_scan(agent, place)
    before = site.json("computer", "show", "anew")["id"]
    agent.stop()
    agent("reset", "--yes").expect(0)
    site.activate(agent).expect(0)
    assert site.json("computer", "show", "anew")["id"] == before
    played(agent, envelope, os.path.join(place, "bait"))


if __name__ == "__main__":
    with site:
        site.add_manager()
        code = main([after_a_restart_or_a_loss_of_its_state, after_an_installation_anew])
    raise SystemExit(code)
