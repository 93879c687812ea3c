#!/usr/bin/env python3
"""Virtual machines: what a hypervisor (libvirt's own test driver) says of them, and what becomes of their computers."""
import os
import signal
import socket
import subprocess
import uuid

from installation import Agent, Site, main, wait_until

site = Site()
WEB = uuid.UUID("6695eb01-f6a4-8304-79aa-97f2502e193e")
STRANGER = uuid.UUID("11111111-2222-4333-8444-555555555555")
DOMAIN = """  <domain type='test'><name>{name}</name><uuid>{id}</uuid><memory>8192</memory><os><type>hvm</type></os>
    <test:runstate>{state}</test:runstate></domain>
"""
RUNNING, SHUT_OFF = 1, 5


def swapped(machine):
    """As firmware with the other byte order has it."""
    return uuid.UUID(bytes=machine.bytes_le)


def lab(**machines):
    """What the hypervisor is to say from now on."""
    text = "<node xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>\n"
    for name, (machine, state) in machines.items():
        text += DOMAIN.format(name=name, id=machine, state=state)
    path = os.path.join(site.manager.data, "hypervisor", "lab.xml")
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text + "</node>\n")
    os.rename(path + ".new", path)


def ask(**machines):
    lab(**machines)
    site.muster("hypervisor", "test", "lab").expect(0, f"lab tells {len(machines)} machines")


def hypervisor(name="lab"):
    return site.json("hypervisor", "show", name)


def computer(name):
    return site.json("computer", "show", name)


def open_alerts(name):
    return [alert["type"] for alert in site.json("alert", "list", "--state", "open", "--computer", name)]


def role():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as words:
                if words.read().split(b"\0")[1:5] == [b"role", b"hypervisor", b"--data", site.manager.data.encode()]:
                    return int(pid)
        except OSError:
            pass
    return None


def certificates():
    """What TLS needs, in the role's directory."""
    directory = os.path.join(site.manager.data, "hypervisor")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=directory, stderr=subprocess.DEVNULL)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "cacert.pem", "-days", "2",
            "-subj", "/CN=authority of a test")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "clientkey.pem", "-out", "client.csr", "-subj",
            "/CN=manager")
    with open(os.path.join(directory, "extensions"), "w", encoding="ascii") as extensions:
        extensions.write("basicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-in", "client.csr", "-CA", "cacert.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out",
            "clientcert.pem", "-days", "2", "-extfile", "extensions")
    owner = os.stat(directory)
    for name in os.listdir(directory):
        os.chown(os.path.join(directory, name), owner.st_uid, owner.st_gid)


def add(name, machine=None):
    agent = Agent(site.directory, name)
    if machine:
        with open(os.path.join(agent.data, "agent.ini"), "a", encoding="utf-8") as file:
            file.write(f"[link]\nmachine_uuid = {machine}\n")
    site.agents.append(agent)
    site.activate(agent).expect(0)
    agent.start()
    site.wait_online(name)
    return agent


def refused_uris():
    for uri, reason in (("qemu+ext://host/system?command=/bin/sh", "is reached by"), ("qemu:///session", "/system"),
                        ("test:///etc/passwd", "hypervisor/"), ("qemu+ssh://u@h/system?keyfile=/x", "no options")):
        site.muster("hypervisor", "add", "bad", uri).expect(1, reason)
    assert site.json("hypervisor", "list") == []


def a_hypervisor_tells_its_machines():
    site.web = add("web", swapped(WEB))
    site.plain = add("plain")
    site.muster("policy", "set", "base", "link.heartbeat_interval=10s", "link.missed_heartbeats=0").expect(0)
    site.muster("hypervisor", "add", "lab", "test:///lab.xml").expect(0)
    wait_until("the missing file is told", lambda: hypervisor()["state"] == "failed" and
               "lab.xml" in hypervisor()["failure"])
    site.wait_events(1320)
    ask(web=(WEB, RUNNING), stranger=(STRANGER, SHUT_OFF))
    shown = hypervisor()
    assert shown["state"] == "connected" and shown["machines"] == 2 and shown["failure"] == "", shown
    site.wait_events(1321)
    machines = site.json("hypervisor", "machines", "lab")
    assert [each["name"] for each in machines] == ["stranger", "web"], machines
    assert machines[0]["state"] == "shut_off" and machines[0]["computers"] == [], machines
    assert [each["name"] for each in machines[1]["computers"]] == ["web"], machines
    assert [each["id"] for each in site.json("hypervisor", "machines", "lab", "--unmatched")] == [str(STRANGER)]
    shown = computer("web")
    assert shown["machine_uuid"] == str(swapped(WEB)) and shown["machine"]["name"] == "web", shown
    assert shown["machine"]["hypervisor_name"] == "lab" and shown["machine"]["state"] == "running", shown
    assert computer("plain")["machine"] is None


def a_stopped_machine_is_no_alert():
    for agent in (site.web, site.plain):
        agent.stop(signal.SIGKILL)
    ask(web=(WEB, SHUT_OFF))
    shown = wait_until("web is stopped", lambda: computer("web")["status"] == "vm_stopped" and computer("web"))
    assert shown["status_cause"] == "virtual machine shut off" and shown["status_since"], shown
    # By the same arithmetic the other one is offline.
    wait_until("plain is offline", lambda: open_alerts("plain") == ["computer_offline"])
    assert open_alerts("web") == [] and computer("web")["status"] == "vm_stopped"
    assert [each["name"] for each in site.json("computer", "list", "--state", "vm_stopped")] == ["web"]
    figures = site.json("system", "show")
    assert figures["vm_stopped"] == 1, figures
    assert sum(figures[status] for status in ("online", "offline", "vm_stopped", "unknown")) == figures["computers"]
    event, = site.wait_events(732, computer="web")
    assert event["fields"] == {"offline_error": "no"}, event


def the_setting_makes_it_one():
    site.muster("computer", "set", "web", "link.offline_error_inactive_vm=yes").expect(0)
    wait_until("an alert", lambda: open_alerts("web") == ["computer_offline"])
    assert computer("web")["status"] == "vm_stopped"
    site.muster("computer", "set", "web", "link.offline_error_inactive_vm=no").expect(0)
    wait_until("the alert's end", lambda: open_alerts("web") == [])
    assert computer("web")["status"] == "vm_stopped"


def a_restart_keeps_it():
    since = computer("web")["status_since"]
    for number in (signal.SIGKILL, signal.SIGTERM):
        site.manager.stop(number)
        site.manager.start()
        shown = computer("web")
        assert shown["status"] == "vm_stopped" and shown["status_since"] == since, shown
    wait_until("the hypervisor is asked again", lambda: hypervisor()["state"] == "connected")
    assert computer("web")["status"] == "vm_stopped" and open_alerts("web") == []
    assert len(site.wait_events(732, computer="web")) == 2  # the second ended the alert


def an_alert_ends_with_the_stop():
    """Its silence was an error; then the hypervisor tells why."""
    site.plain.start()
    site.wait_online("plain")
    site.plain.stop()
    with open(os.path.join(site.plain.data, "agent.ini"), "r+", encoding="utf-8") as file:
        text = file.read() + f"[link]\nmachine_uuid = {STRANGER}\n"
        file.seek(0)
        file.write(text)
    site.plain.start()
    wait_until("it says which machine it is", lambda: computer("plain")["machine_uuid"] == str(STRANGER))
    site.plain.stop(signal.SIGKILL)
    wait_until("it is offline", lambda: open_alerts("plain") == ["computer_offline"])
    ask(web=(WEB, SHUT_OFF), other=(STRANGER, SHUT_OFF))
    wait_until("it is stopped", lambda: computer("plain")["status"] == "vm_stopped" and open_alerts("plain") == [])


def one_that_runs_again():
    ask(web=(WEB, RUNNING), other=(STRANGER, SHUT_OFF))
    shown = wait_until("it runs", lambda: computer("web")["status"] != "vm_stopped" and computer("web"))
    assert (shown["status"], shown["status_cause"]) in (
        ("unknown", "virtual machine runs again, not heard yet"), ("offline", "heartbeats missed")), shown
    site.web.start()
    site.wait_online("web")
    wait_until("no alert stays", lambda: open_alerts("web") == [])


def its_agent_is_believed():
    """The hypervisor says stopped; the agent speaks."""
    site.web.stop()
    ask(web=(WEB, SHUT_OFF), other=(STRANGER, SHUT_OFF))
    wait_until("it is stopped", lambda: computer("web")["status"] == "vm_stopped")
    site.web.start()
    site.wait_online("web")
    site.muster("hypervisor", "test", "lab").expect(0)
    assert computer("web")["status"] == "online"


def a_role_that_dies_is_replaced_and_nothing_is_forgotten():
    before = wait_until("the role runs", role)
    with open(f"/proc/{before}/status", encoding="ascii") as status:
        facts = dict(line.split(":\t", 1) for line in status.read().splitlines() if ":\t" in line)
    if os.geteuid() == 0:
        assert facts["Uid"].split()[0] != "0", facts["Uid"]
    assert int(facts["CapEff"], 16) == 0 and facts["NoNewPrivs"] == "1" and facts["Seccomp"] == "2", facts
    os.kill(before, signal.SIGKILL)
    wait_until("another role", lambda: role() not in (None, before))
    wait_until("it is connected", lambda: hypervisor()["state"] == "connected")
    assert computer("plain")["status"] == "vm_stopped" and open_alerts("plain") == []


def other_keys_take_another_connection():
    """The test driver reads its file when it is connected to: what it says shows which connection is asked."""
    directory = os.path.join(site.manager.data, "hypervisor")
    ask(first=(STRANGER, RUNNING))

    def names():
        return [each["name"] for each in site.json("hypervisor", "machines", "lab")]

    def asked_again(times):
        for _ in range(times):
            listed = hypervisor()["listed"]
            wait_until("it is asked again", lambda: hypervisor()["listed"] != listed)

    lab(second=(STRANGER, RUNNING))
    # As an administrator replaces a key: beside it, and renamed.
    for name, text in (("id", "another key\n"), ("clientkey.pem", "another one\n")):
        path = os.path.join(directory, name)
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(path + ".new", path)
        wait_until("the other connection", lambda: names() == ["second"])
        assert hypervisor()["state"] == "connected"
        lab(first=(STRANGER, RUNNING))
        os.remove(path)  # that is another one, too
        wait_until("the one without it", lambda: names() == ["first"])
        lab(second=(STRANGER, RUNNING))
    asked_again(2)
    assert names() == ["first"], "it was connected to anew without a reason"
    ask(web=(WEB, SHUT_OFF), other=(STRANGER, SHUT_OFF))


def one_that_never_answers_holds_up_nobody():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        site.muster("hypervisor", "add", "mute", f"qemu+tls://127.0.0.1:{port}/system").expect(0)
        wait_until("what is missing is told", lambda: "cacert.pem" in hypervisor("mute")["failure"])
        certificates()
        wait_until("its silence is told", lambda: hypervisor("mute")["failure"] == "it does not answer", 180)
        site.muster("hypervisor", "test", "lab").expect(0)
        assert hypervisor()["state"] == "connected"
        site.muster("hypervisor", "remove", "mute", "--yes").expect(0)


def one_that_is_removed_tells_nothing():
    site.muster("hypervisor", "set", "lab", "--disable").expect(0)
    assert hypervisor()["state"] == "disabled" and hypervisor()["machines"] == 0
    shown = wait_until("nothing is known", lambda: computer("plain")["status"] != "vm_stopped" and computer("plain"))
    assert shown["machine"] is None, shown
    wait_until("it is offline", lambda: open_alerts("plain") == ["computer_offline"])
    site.muster("hypervisor", "test", "lab").expect(1, "disabled")
    site.muster("hypervisor", "set", "lab", "--enable").expect(0)
    wait_until("it is stopped", lambda: computer("plain")["status"] == "vm_stopped" and open_alerts("plain") == [])
    site.muster("hypervisor", "remove", "lab", "--yes").expect(0)
    wait_until("nothing is known", lambda: computer("plain")["status"] != "vm_stopped")
    actions = {entry["action"] for entry in site.json("audit", "list", "--limit", "200")}
    assert {"hypervisor.create", "hypervisor.change", "hypervisor.delete"} <= actions, actions


if __name__ == "__main__":
    with site:
        site.add_manager()
        wait_until("the role's directory", lambda: os.path.isdir(os.path.join(site.manager.data, "hypervisor")))
        code = main([refused_uris, a_hypervisor_tells_its_machines, a_stopped_machine_is_no_alert,
                     the_setting_makes_it_one, a_restart_keeps_it, an_alert_ends_with_the_stop, one_that_runs_again,
                     its_agent_is_believed, a_role_that_dies_is_replaced_and_nothing_is_forgotten,
                     other_keys_take_another_connection, one_that_never_answers_holds_up_nobody, one_that_is_removed_tells_nothing])
    raise SystemExit(code)
