#!/usr/bin/python3
"""Events on their way out of a real manager: rsyslog over UDP, TCP and TLS, mail, webhooks.

usage: delivery_test.py MUSTER-MANAGER MUSTER API-TESTS-DIRECTORY [TEST...]
"""
import email
import email.policy
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, sys.argv[3])
from manager import Manager, free_port  # noqa: E402
from one_by_one import one_by_one, tests_in  # noqa: E402
import receivers  # noqa: E402

V1 = "/api/v1"
PATIENCE_S = 90


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"never: {what}")
        time.sleep(0.05)
    return found


class World:
    def __init__(self, manager, muster):
        self.manager = Manager(manager)
        self.muster = muster
        self.directory = self.manager.directory
        self.count = 0
        self.ports = {name: free_port() for name in ("udp", "tcp", "tls", "smtp", "plain", "hook")}
        receivers.make_certificates(self.directory)
        self.syslog = receivers.Rsyslog(self.directory, self.ports["udp"], self.ports["tcp"], self.ports["tls"])
        self.syslog.start()
        self.manager.start()
        self.admin = self.manager.sign_in()

    def close(self):
        self.syslog.stop()
        self.manager.remove()

    def cli(self, *arguments, text=None, expect=0):
        environment = dict(os.environ, MUSTER_SERVER=f"https://localhost:{self.manager.port}",
                           MUSTER_CA=self.manager.path("ca.pem"), MUSTER_TOKEN=self.admin)
        done = subprocess.run([self.muster, *arguments], input=text, env=environment, text=True, timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        assert done.returncode == expect, (arguments, done.returncode, done.stdout, done.stderr)
        return done.stdout if expect == 0 else done.stderr

    def happening(self):
        """Makes an event that is forwarded; returns the word by which it is known again."""
        self.count += 1
        name = f"person-{self.count}-"
        self.manager.call("POST", V1 + "/users", self.admin, {"name": name, "role": "viewer"}, expect=201)
        return f"User {name} was created"

    def arrived(self, sentence, through):
        return wait_for(lambda: [line for line in self.syslog.lines()
                                 if sentence in line and line.startswith(through)], f"{sentence} by {through}")

    def courier(self):
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as words:
                    if words.read().split(b"\0")[1:5] == [b"role", b"courier", b"--data", self.manager.data.encode()]:
                        return int(pid)
            except OSError:
                pass
        return None

    def show(self, name):
        return json.loads(self.cli("-o", "json", "destination", "show", name))


def test_syslog_over_udp_tcp_and_tls(world):
    ca = os.path.join(world.directory, "ca.pem")
    world.cli("destination", "create", "by-udp", f"udp://127.0.0.1:{world.ports['udp']}")
    world.cli("destination", "create", "by-tcp", f"tcp://localhost:{world.ports['tcp']}", "--format", "json",
              "--facility", "local4")
    world.cli("destination", "create", "by-tls", f"tls://localhost:{world.ports['tls']}", "--authority", ca)
    wait_for(lambda: "delivered" in world.cli("destination", "test", "by-tcp"), "rsyslog listens")
    sentence = world.happening()
    line = world.arrived(sentence, "imudp")[0]
    assert line.split("|")[0] == "imudp 134 localhost muster user_created", line
    assert "|CEF:0|Muster|Manager|" in line.replace("| CEF", "|CEF"), line
    line = world.arrived(sentence, "imptcp")[0]
    assert line.split("|")[0] == "imptcp 166 localhost muster user_created", line
    event = json.loads(line.split("|", 1)[1])
    assert event["type_id"] == 650 and event["fields"]["role"] == "viewer", event
    world.arrived(sentence, "imtcp")
    wait_for(lambda: world.show("by-tls")["delivered"] > 0, "the delivery is counted")
    assert world.show("by-tls")["failing_since"] is None


def test_nothing_is_lost_while_the_receiver_and_the_manager_are_away(world):
    world.syslog.stop()
    sentences = [world.happening() for _ in range(5)]
    wait_for(lambda: world.show("by-tcp")["failing_since"], "the failure is shown")
    assert "refused" in world.show("by-tcp")["failure"] or "connect" in world.show("by-tcp")["failure"]
    world.manager.process.send_signal(signal.SIGKILL)
    world.manager.process.wait(60)
    world.manager.process = None
    world.manager.start()
    sentences += [world.happening() for _ in range(5)]
    world.syslog.start()
    for sentence in sentences:
        world.arrived(sentence, "imptcp")
        world.arrived(sentence, "imtcp")
    wait_for(lambda: world.show("by-tcp")["failing_since"] is None, "it works again")
    assert world.show("by-tcp")["failure"] == ""


def test_a_killed_courier_is_replaced(world):
    pid = wait_for(world.courier, "a courier runs")
    os.kill(pid, signal.SIGKILL)
    world.arrived(world.happening(), "imtcp")
    assert wait_for(world.courier, "another courier") != pid


def test_the_courier_is_confined(world):
    pid = wait_for(world.courier, "a courier runs")
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        facts = dict(line.split(":\t", 1) for line in status.read().splitlines() if ":\t" in line)
    if os.geteuid() == 0:
        assert facts["Uid"].split()[0] != "0", facts["Uid"]
    assert int(facts["CapEff"], 16) == 0 and facts["NoNewPrivs"] == "1" and facts["Seccomp"] == "2"
    sockets = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    for table in ("tcp", "tcp6"):
        with open(f"/proc/net/{table}", encoding="ascii") as rows:
            listening = {f"socket:[{row.split()[9]}]" for row in rows.read().splitlines()[1:] if row.split()[3] == "0A"}
        assert not sockets & listening


def test_a_receiver_whose_certificate_is_not_trusted_gets_nothing(world):
    world.cli("destination", "create", "stranger", f"tls://localhost:{world.ports['tls']}")
    error = world.cli("destination", "test", "stranger", expect=1)
    assert "certificate" in error.lower(), error
    world.cli("destination", "set", "stranger", "--url", f"udp://no-such-host.invalid:{world.ports['udp']}")
    error = world.cli("destination", "test", "stranger", expect=1)
    assert "no-such-host.invalid" in error, error
    world.cli("destination", "delete", "stranger", "--yes")


def test_mail_over_starttls(world):
    box = receivers.Mailbox(world.ports["smtp"], world.directory, True)
    box.controller.start()
    try:
        world.cli("destination", "create", "mail", f"smtp://localhost:{world.ports['smtp']}", "--content", "events",
                  "--from", "muster@example.org", "--to", "ops@example.org", "--to", "night@example.org", "--user",
                  "muster", "--password-file", "-", "--authority", os.path.join(world.directory, "ca.pem"),
                  text="mail secret\n")
        world.cli("destination", "test", "mail")
        assert box.recipients[0] == ["ops@example.org", "night@example.org"]
        sentence = world.happening()
        wait_for(lambda: any(sentence in text for text in map(body_of, box.mails)), "the mail")
        message = email.message_from_string(box.mails[0], policy=email.policy.default)
        assert message["From"] == "Muster <muster@example.org>" and message["Auto-Submitted"] == "auto-generated"
        world.cli("destination", "set", "mail", "--password-file", "-", text="wrong\n")
        error = world.cli("destination", "test", "mail", expect=1)
        assert "denied" in error.lower() or "authent" in error.lower() or "login" in error.lower(), error
    finally:
        box.controller.stop()
    world.cli("destination", "delete", "mail", "--yes")


def body_of(text):
    return email.message_from_string(text, policy=email.policy.default).get_content()


def test_mail_is_not_sent_in_clear_unless_told_so(world):
    box = receivers.Mailbox(world.ports["plain"], world.directory, False)
    box.controller.start()
    try:
        world.cli("destination", "create", "plain", f"smtp://localhost:{world.ports['plain']}", "--from", "a@b.c",
                  "--to", "d@e.f")
        error = world.cli("destination", "test", "plain", expect=1)
        assert "TLS" in error or "SSL" in error, error
        assert not box.mails
        world.cli("destination", "set", "plain", "--url", f"smtp-plain://localhost:{world.ports['plain']}")
        world.cli("destination", "test", "plain")
        assert "A test message for plain" in body_of(box.mails[0])
    finally:
        box.controller.stop()
    world.cli("destination", "delete", "plain", "--yes")


def test_a_webhook_is_signed_and_tried_again(world):
    hook = receivers.Hook(world.ports["hook"], world.directory, [500, 503])
    try:
        world.cli("destination", "create", "hook", f"https://localhost:{world.ports['hook']}/in", "--content", "events",
                  "--secret-file", "-", "--authority", os.path.join(world.directory, "ca.pem"), text="hook secret\n")
        sentence = world.happening()
        headers, body = wait_for(lambda: [post for post in hook.posts if sentence.encode() in post[1]], "the post")[0]
        moment, digest = headers["Muster-Signature"].split(",")
        expected = hmac.new(b"hook secret", moment[2:].encode() + b"." + body, hashlib.sha256).hexdigest()
        assert digest == "v1=" + expected
        posted = json.loads(body)
        assert posted["manager"] == "localhost" and posted["events"][0]["type"] in ("user_created", "destination_failing")
        assert world.show("hook")["failing_since"] is None
    finally:
        hook.stop()
    world.cli("destination", "delete", "hook", "--yes")


def test_bad_destinations_are_refused_with_the_member_that_is_wrong(world):
    good = {"name": "x", "url": "udp://127.0.0.1:514"}
    mail = {"name": "x", "url": "smtps://mail.example", "from": "a@b.c", "to": ["d@e.f"]}
    for body, member in (
            ({**good, "url": "gopher://x"}, "url"), ({**good, "url": "udp://x"}, "url"),
            ({**good, "url": "tls://"}, "url"), ({**good, "url": "http://example.org/"}, "url"),
            ({**good, "url": "https://user:secret@example.org/"}, "url"), ({**good, "facility": "kern"}, "facility"),
            ({**good, "secret": "s"}, "secret"), ({**good, "to": ["d@e.f"]}, "to"), ({**mail, "to": []}, "to"),
            ({**mail, "to": ["a@b\r\nBcc: c@d"]}, "to"), ({**mail, "from": "nobody"}, "from"),
            ({**mail, "url": "smtp-plain://mail.example", "user": "u", "password": "p"}, "user"),
            ({**good, "format": "xml"}, "format"), ({**good, "surprise": 1}, "surprise")):
        answer = world.manager.call("POST", V1 + "/destinations", world.admin, body, expect=400)
        assert [error["name"] for error in answer.json["errors"]] == [member], (body, answer.json)
    answer = world.manager.call("POST", V1 + "/destinations", world.admin, {**good, "name": "by-udp"}, expect=409)
    viewer = world.manager.call("POST", V1 + "/tokens", world.admin, {"name": "v", "role": "viewer"}).json["token"]
    world.manager.call("GET", V1 + "/destinations", viewer, expect=403)
    world.manager.call("GET", V1 + "/destinations/01900000-0000-7000-8000-000000000000", world.admin, expect=404)
    world.manager.call("POST", V1 + "/destinations/01900000-0000-7000-8000-000000000000/test", world.admin, expect=404)


def test_secrets_are_never_shown(world):
    made = world.manager.call("POST", V1 + "/destinations", world.admin,
                              {"name": "quiet", "url": "https://localhost:1/", "secret": "SECRET-ONE", "enabled": False},
                              expect=201).json
    assert made["has_secret"] and "secret" not in made
    world.manager.call("PATCH", V1 + "/destinations/" + made["id"], world.admin, {"secret": "SECRET-TWO"}, expect=200)
    everything = json.dumps(world.manager.call("GET", V1 + "/audit", world.admin).json) + "".join(
        world.manager.lines) + json.dumps(world.manager.call("GET", V1 + "/destinations", world.admin).json)
    assert "SECRET" not in everything and "(not shown)" in everything
    world.cli("destination", "delete", "quiet", "--yes")


if __name__ == "__main__":
    sys.exit(one_by_one(tests_in(globals(), "world"), World(sys.argv[1], sys.argv[2]), 4))
