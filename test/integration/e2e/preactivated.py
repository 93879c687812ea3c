#!/usr/bin/env python3
"""Agents that wait for one manager, which dials and activates them."""
import http.client
import os
import signal
import socket
import ssl
import subprocess
import threading

from installation import Agent, Site, free_port, main, program, run, wait_until

site = Site()
other = Site()


def key_of(where):
    """The file that `muster cert export` writes."""
    path = where.path("manager.pub")
    if not os.path.exists(path):
        where.muster("cert", "export", path).expect(0)
    return path


def prepare(name, where=site):
    agent = Agent(site.directory, name)
    agent.port = free_port()
    agent("prepare", "--trust", key_of(where), "--listen-port", str(agent.port)).expect(0, "alone")
    site.agents.append(agent)
    agent.start()
    wait_until("its port", lambda: agent("status", "-o", "json").json["link"]["listening"])
    return agent


def activate(agent, *options, where=site):
    return where.muster("computer", "activate", f"127.0.0.1:{agent.port}", *options, "-o", "json")


def is_online(name, where=site):
    found = where.json("computer", "list", "--name", name)
    return len(found) == 1 and found[0]["status"] == "online"


def works_by_hand():
    agent = prepare("plain")
    status = agent("status").expect(0, "prepared, not activated").out
    assert str(agent.port) in status, status
    agent("heartbeat").expect(1, "not activated")
    agent("ports", "--check").expect(0, "listening", "off")
    computer = activate(agent, "--name", "plain", "--group", "floor 1").expect(0).json
    assert computer["name"] == "plain" and computer["group"] == "floor 1", computer
    assert computer["dial_address"] == "127.0.0.1", computer
    wait_until("plain online", lambda: is_online("plain"))
    site.wait_events(704, computer="plain")
    agent("heartbeat").expect(0)
    assert not os.path.exists(os.path.join(agent.data, "identity", "prepared.pub"))
    assert not site.json("event", "list", "--type", "4040", "--computer", "plain"), "it had no other identity before"
    # Once more changes nothing.
    again = activate(agent).expect(0).json
    assert again["id"] == computer["id"], again
    assert len(site.json("computer", "list", "--name", "plain")) == 1
    # It does what it is told.
    site.muster("computer", "heartbeat", "plain", "--watch").expect(0)
    assert not site.json("event", "list", "--type", "5010", "--computer", "plain"), "nor did a role fail"



# --- who is refused, and with which words ---

def refusals_say_what_to_do():
    nobody = f"127.0.0.1:{free_port()}"
    site.muster("computer", "activate", nobody).expect(1, "nobody answers")
    site.muster("computer", "activate", "no-such-host.invalid").expect(1, "nobody answers")
    site.muster("computer", "activate", f"localhost:{site.manager.port}").expect(1, "not a Muster agent")
    site.muster("computer", "activate", "127.0.0.1:0").expect(2)
    agent = prepare("refused")
    activate(agent, "--policy", "no such policy").expect(1, "no policy")
    site.muster("settings", "set", "enrolment.same_name=refuse").expect(0)
    activate(agent, "--name", "plain").expect(1, "name is enrolled already")
    site.muster("settings", "set", "enrolment.same_name=number").expect(0)
    # Who may activate by itself does not count for those that the manager dials.
    site.muster("settings", "set", "enrolment.allowed=known").expect(0)
    assert activate(agent, "--name", "refused").expect(0).json["name"] == "refused"
    site.muster("settings", "set", "enrolment.allowed=any").expect(0)
    wait_until("refused online", lambda: is_online("refused"))
    site.wait_events(705)


def another_manager_is_refused():
    agent = prepare("mine")
    activate(agent, where=other).expect(1, "another server authentication key", "muster cert export")
    assert not other.json("computer", "list")
    site.muster("computer", "add", "mine", "--address", "127.0.0.1").expect(0)
    computer = activate(agent, "--name", "mine").expect(0).json
    wait_until("mine online", lambda: is_online("mine"))
    # The one that waited under this name is it.
    assert len(site.json("computer", "list", "--name", "mine")) == 1, computer
    other.muster("computer", "add", "mine", "--address", "127.0.0.1").expect(0)
    wait_until("its port", lambda: agent("status", "-o", "json").json["link"]["listening"])
    activate(agent, "--name", "mine", where=other).expect(1, "activated with another manager")
    shown = wait_until("the status", lambda: [c for c in other.json("computer", "list", "--name", "mine")
                                              if c["status"] == "deactivation_required"])
    assert "another manager" in shown[0]["status_cause"], shown
    # Removed there and prepared for the other one, it is that one's.
    agent("stop").expect(0)
    agent.wait()
    agent("reset", "--yes").expect(0)
    agent("prepare", "--trust", key_of(other)).expect(0)
    agent.start()
    wait_until("its port", lambda: agent("status", "-o", "json").json["link"]["listening"])
    activate(agent, "--name", "mine", where=other).expect(0)
    wait_until("mine online there", lambda: is_online("mine", other))


# --- what strangers learn ---

def ask(agent, method, path, body=None):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", agent.port, context=context, timeout=20)
    connection.request(method, path, body)
    answer = connection.getresponse()
    said = answer.status, answer.read()
    connection.close()
    return said


def strangers_all_get_the_same_answer():
    agent = prepare("strange")
    before = agent("status", "-o", "json").json["link"]["refused"]
    said = {ask(agent, method, path, body) for method, path, body in (
        ("GET", "/", None), ("POST", "/manager/v1/activation", b""), ("POST", "/manager/v1/activation", b"\x08\x01"),
        ("POST", "/manager/v1/activation", os.urandom(8000)), ("POST", "/manager/v1/identity", b"\x08\x01"),
        ("PUT", "/manager/v1/activation", b"x"), ("POST", "/manager/v1/exchange", b""), ("GET", "/healthz", None))}
    assert len(said) == 1 and next(iter(said))[0] == 403, said
    assert agent("status", "-o", "json").json["link"]["refused"] == before + 8
    # What is no TLS at all, and what says nothing, is counted or closed, and the manager is still let in.
    with socket.create_connection(("127.0.0.1", agent.port)) as noise:
        noise.sendall(b"GET / HTTP/1.1\r\n\r\n")
    held = [socket.create_connection(("127.0.0.1", agent.port)) for _ in range(3)]
    activate(agent, "--name", "strange").expect(0)
    for one in held:
        one.close()
    wait_until("strange online", lambda: is_online("strange"))


# --- somebody between ---

def copy(source, sink, left):
    """Passes pieces on until `left` says that there are to be no more."""
    try:
        while True:
            piece = source.recv(65536)
            if not piece or not left():
                break
            sink.sendall(piece)
    except OSError:
        pass
    for end in (source, sink):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Between:
    """Passes connections on to an agent, as they are, or in TLS of its own; cuts each after `pieces`."""

    def __init__(self, agent, pieces=None, tls=False):
        self.agent, self.pieces, self.tls = agent, pieces, tls
        self.passed = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def left(self):
        self.passed += 1
        return self.pieces is None or self.passed <= self.pieces

    def serve(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.agent.port))
                if self.tls:
                    near, far = self.terminate(near, far)
            except OSError:
                near.close()
                continue
            for ends in ((near, far), (far, near)):
                threading.Thread(target=copy, args=(*ends, self.left), daemon=True).start()

    @staticmethod
    def terminate(near, far):
        key = site.path("between.pem")
        if not os.path.exists(key):
            run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                 "-subj", "/CN=between", "-keyout", key, "-out", key + ".crt"]).expect(0)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(key + ".crt", key)
        client = ssl.create_default_context()
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
        return server.wrap_socket(near, server_side=True), client.wrap_socket(far)

    def close(self):
        self.listener.close()


def a_proof_cannot_be_passed_on():
    agent = prepare("relayed")
    between = Between(agent, tls=True)
    site.muster("computer", "activate", f"127.0.0.1:{between.port}").expect(1, "another server authentication key")
    between.close()
    assert "did not prove its server authentication key over this connection" in agent.text()
    assert not site.json("computer", "list", "--name", "relayed")
    activate(agent, "--name", "relayed").expect(0)
    wait_until("relayed online", lambda: is_online("relayed"))


def cut_off_at_any_moment():
    """The connection ends after so many pieces; the same again, straight, gives one computer."""
    agent = prepare("cut")
    ids = set()
    for pieces in range(0, 9):
        between = Between(agent, pieces)
        ended = site.muster("computer", "activate", f"127.0.0.1:{between.port}", "--name", "cut", "-o", "json")
        between.close()
        assert ended.code in (0, 1), ended
        ids.update(computer["id"] for computer in site.json("computer", "list", "--name", "cut*"))
        if agent.running() and "prepared.activated" in agent.text():
            break
    wait_until("an answer", agent.answers)
    wait_until("its port", lambda: agent("status", "-o", "json").json.get("link", {}).get("listening"))
    computer = activate(agent, "--name", "cut").expect(0).json
    ids.add(computer["id"])
    assert len(ids) == 1, ids
    wait_until("cut online", lambda: is_online("cut"))


def two_at_once():
    """Two administrators activate one agent at the same moment: one computer, which works."""
    agent = prepare("twice")
    env = {**os.environ, "XDG_CONFIG_HOME": site.path("cli"), "HOME": site.path("cli"), "MUSTER_SERVER": site.manager.url,
           "MUSTER_CA": site.manager.ca}
    asking = [subprocess.Popen([program("muster"), "computer", "activate", f"127.0.0.1:{agent.port}", "--name", "twice"],
                               env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(4)]
    if 0 not in [one.wait(120) for one in asking]:  # each was cut off by another: to do the same again is what they say
        wait_until("an answer", agent.answers)
        wait_until("its port", lambda: agent("status", "-o", "json").json.get("link", {}).get("listening"))
        activate(agent, "--name", "twice").expect(0)
    wait_until("twice online", lambda: is_online("twice"))
    assert len(site.json("computer", "list", "--name", "twice*")) == 1
    agent("heartbeat").expect(0)


def kill(daemon, pattern):
    for pid in run(["pgrep", "-f", pattern]).out.split():
        if int(pid) != os.getpid():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
    daemon.process.wait()
    daemon.process = None


def killed_at_any_moment():
    """Either side is killed when this is in its log; the same again gives the same computer."""
    moments = [("agent", "prepared.manager_proven"), ("agent", "prepared.activated"), ("agent", "link.starts_anew"),
               ("manager", "activation.enrolled"), ("manager", "activation.done")]
    for number, (end, moment) in enumerate(moments):
        name = f"killed-{number}"
        agent = prepare(name)
        daemon = agent if end == "agent" else site.manager
        seen = daemon.text().count(moment)
        asking = subprocess.Popen([program("muster"), "computer", "activate", f"127.0.0.1:{agent.port}", "--name", name],
                                  env={**os.environ, "XDG_CONFIG_HOME": site.path("cli"), "HOME": site.path("cli"),
                                       "MUSTER_SERVER": site.manager.url, "MUSTER_CA": site.manager.ca},
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(moment, lambda: daemon.text().count(moment) > seen)
        kill(daemon, agent.data if end == "agent" else site.manager.data)
        asking.wait()
        daemon.start()
        before = [computer["id"] for computer in site.json("computer", "list", "--name", name)]
        wait_until("its port", lambda: agent("status", "-o", "json").json.get("link", {}).get("listening"))
        computer = activate(agent, "--name", name).expect(0).json
        assert before in ([], [computer["id"]]), (moment, before, computer)
        wait_until(f"{name} online", lambda: is_online(name))
        assert len(site.json("computer", "list", "--name", f"{name}*")) == 1
        agent.stop()


# --- agents that dial ---

def prepared_ones_activate_themselves_with_their_manager_alone():
    agent = Agent(site.directory, "itself")
    site.agents.append(agent)
    agent("prepare", "--trust", key_of(site), "--listen-port", str(free_port())).expect(0)
    token = other.token("--uses", "1")
    agent("activate", other.manager.url, "--token", token).expect(1, "another server authentication key")
    agent("activate", other.manager.url, "--token", token, "--ca-fingerprint",
          other.manager.identity["ca_fingerprint"]).expect(1, "another server authentication key")
    # Its token was told to nobody.
    assert other.json("token", "list", "--enrolment")[0]["uses_left"] == 1
    agent("activate", site.manager.url, "--token", site.token("--uses", "1"), "--ca-fingerprint", "0" * 64).expect(1)
    agent("activate", site.manager.url, "--token", site.token("--uses", "1"), "--name", "itself").expect(0)
    agent.start()
    wait_until("itself online", lambda: is_online("itself"))
    # Where nothing was prepared, nothing is believed without a fingerprint.
    bare = Agent(site.directory, "bare")
    bare("activate", site.manager.url, "--token", token).expect(2, "--ca-fingerprint")


def keys_that_followed_are_followed():
    agent = prepare("followed")
    site.muster("cert", "create").expect(0)
    site.muster("cert", "create").expect(0)
    activate(agent, "--name", "followed").expect(0)
    wait_until("followed online", lambda: is_online("followed"))
    shown = site.json("computer", "show", "followed")
    assert shown["certificate_match"], shown


def moves_to_whoever_proves_the_key():
    agent = site.add_agent("mover")
    port = free_port()
    words = ["--manager", f"localhost:{other.manager.port}", "--token", other.token("--uses", "1"),
             "--listen-port", str(port)]
    agent("move", *words).expect(2, "--ca-fingerprint or --trust")
    agent("move", *words, "--trust", key_of(site)).expect(1, "another server authentication key")
    agent("heartbeat").expect(0)
    assert site.status_of("mover") == "online"
    agent("move", *words, "--trust", key_of(other)).expect(0, "has taken this computer")
    wait_until("mover online at the other manager", lambda: is_online("mover", other))
    wait_until("its port", lambda: agent("status", "-o", "json").json["link"]["port"] == port)
    wait_until("the manager's word", lambda: other.json("computer", "show", "mover")["listen_port"] == port)
    # And back, by both.
    agent("move", "--manager", f"localhost:{site.manager.port}", "--token", site.token("--uses", "1"), "--trust",
          key_of(site), "--ca-fingerprint", site.manager.identity["ca_fingerprint"]).expect(0)
    wait_until("mover online again", lambda: is_online("mover"))


def the_deactivated_are_told_what_they_wait_for():
    agent = site.add_agent("waiting")
    site.muster("computer", "deactivate", "waiting").expect(0)
    wait_until("the refusal", lambda: agent("status", "-o", "json").json["deactivated"])
    agent("status").expect(0, "muster computer reactivate waiting")
    assert "reset" not in agent("status").out
    # It has the fleet's port, being the first on this machine. Where it can be dialled it is told at once, and goes on
    # asking by itself.
    site.muster("computer", "address", "waiting", "127.0.0.1").expect(0)
    site.muster("computer", "reactivate", "waiting").expect(0, "within 10 minutes", "at once where it can be dialled")
    wait_until("waiting online", lambda: is_online("waiting"))
    wait_until("its own requests", lambda: not agent("status", "-o", "json").json["deactivated"])
    site.muster("computer", "heartbeat", "waiting", "--watch").expect(0)


if __name__ == "__main__":
    with site, other:
        site.add_manager()
        other.add_manager()
        code = main([the_deactivated_are_told_what_they_wait_for, works_by_hand, refusals_say_what_to_do,
                     another_manager_is_refused, strangers_all_get_the_same_answer, a_proof_cannot_be_passed_on, cut_off_at_any_moment, two_at_once, killed_at_any_moment,
                     prepared_ones_activate_themselves_with_their_manager_alone, keys_that_followed_are_followed,
                     moves_to_whoever_proves_the_key])
    raise SystemExit(code)
