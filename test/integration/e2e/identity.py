#!/usr/bin/env python3
"""Agents that take another identity: of another manager, to which they move, or of their own, when they are copies."""
import os
import shutil
import signal
import subprocess

from installation import EICAR, Agent, Manager, Site, free_port, main, program, run, wait_until

site = Site()
other = Site()
older = Site()


def add_manager(where, lines):
    """As Site.add_manager(), with lines of manager.ini."""
    where.manager = Manager(where.directory).init()
    with open(os.path.join(where.manager.data, "manager.ini"), "a", encoding="utf-8") as file:
        file.write(lines)
    where.manager.start()
    where.muster("login", "--user", where.manager.identity["user"], "--password-file", "-",
                 stdin=where.manager.identity["password"].encode() + b"\n").expect(0)


def where_to(**changed):
    options = {"--manager": f"localhost:{other.manager.port}", "--token": None,
               "--ca-fingerprint": other.manager.identity["ca_fingerprint"]}
    options.update(changed)
    options["--token"] = options["--token"] or other.token("--uses", "1")
    return [word for pair in options.items() for word in pair]


def ordered(**changed):
    """The same for `muster computer move`, whose own --token is the API's."""
    return ["--enrolment-token" if word == "--token" else word for word in where_to(**changed)]


def processes(agent):
    """The agent's processes, by its data directory."""
    found = run(["pgrep", "-f", agent.data]).out.split()
    return [int(pid) for pid in found if int(pid) != os.getpid()]


def kill(agent):
    for pid in processes(agent):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    agent.process.wait()
    agent.process = None


def is_online(where, name):
    found = where.json("computer", "list", "--name", name)
    return len(found) == 1 and found[0]["status"] == "online"


def has_left(name):
    return site.json("computer", "show", name)["status"] == "unmanaged"


def expect_moved(agent, name):
    wait_until(f"{name} online at the other manager", lambda: is_online(other, name))
    wait_until(f"{name} gone from the first", lambda: has_left(name))
    shown = site.json("computer", "show", name)
    assert shown["status_cause"] == f"moved to {other.manager.url}", shown
    site.wait_events(718, computer=name)
    other.wait_events(704, computer=name)
    other.wait_events(4040, computer=name)
    wait_until("the farewell", lambda: not os.path.exists(os.path.join(agent.data, "link", "former")))
    assert not os.path.exists(os.path.join(agent.data, "link", "candidate"))
    with open(os.path.join(agent.data, "agent.ini"), encoding="utf-8") as file:
        assert other.manager.url in file.read()


def moves_by_hand():
    agent = site.add_agent("hand")
    agent("move", *where_to()).expect(0, "has taken this computer")
    expect_moved(agent, "hand")
    wait_until("the agent's answer", agent.answers)
    status = agent("status", "-o", "json").json
    assert status["manager"] == other.manager.url, status
    wait_until("its connection", lambda: agent("status", "-o", "json").json["connected"])
    # Restarted, it is where it was.
    agent.stop()
    agent.start()
    wait_until("hand online again", lambda: is_online(other, "hand"))
    other.wait_events(5000, 2, "hand")
    for where in (site, other):
        assert not where.json("event", "list", "--type", "5010", "--computer", "hand"), "a move is no failure of a role"


def set_address_of_manager(agent, url):
    path = os.path.join(agent.data, "agent.ini")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(f"url = {url}" if line.startswith("url = ") else line for line in text.splitlines()) + "\n")


def follows_its_managers_address():
    agent = site.add_agent("readdressed")
    agent.stop()
    url = site.manager.url.replace("localhost", "127.0.0.1")
    set_address_of_manager(agent, url)
    agent.start()
    wait_until("its connection", lambda: agent("status", "-o", "json").json["connected"])
    assert agent("status", "-o", "json").json["manager"] == url
    assert "exchange.failed" not in agent.text(), "another way than its own dial"
    # Somebody else at the address is not its manager, whatever agent.ini says.
    agent.stop()
    set_address_of_manager(agent, other.manager.url)
    agent.start()
    wait_until("the refusal", lambda: "an authority that is not trusted here" in agent.text())
    assert "readdressed" not in [computer["name"] for computer in other.json("computer", "list")]
    agent.stop()
    set_address_of_manager(agent, site.manager.url)
    agent.start()
    wait_until("its connection again", lambda: agent("status", "-o", "json").json["connected"])


def moves_by_order():
    agents = [site.add_agent("order-1"), site.add_agent("order-2")]
    site.muster("computer", "move", "order-*", *ordered(**{"--token": other.token("--uses", "2")})).expect(0)
    for agent in agents:
        expect_moved(agent, agent.name)
        command = site.json("command", "list", "--computer", agent.name, "--kind", "move")[0]
        assert command["state"] == "succeeded", command
        assert "token" not in command["arguments"], command


def order_of(name):
    """What became of the last order to move."""
    return wait_until("the order's end", lambda: [c for c in site.json("command", "list", "--computer", name, "--kind", "move")
                                                  if c["state"] not in ("pending", "sent", "running")])[0]


def moves_by_order_without_a_token():
    """A group, where the other manager needs no token of those that it expects; who is refused stays, and both say why."""
    agents = {}
    for name in ("branch-1", "branch-2"):
        agents[name] = Agent(site.directory, name)
        site.agents.append(agents[name])
        site.activate(agents[name], token=site.token("--uses", "1", "--group", "branch")).expect(0)
        agents[name].start()
    alone = site.add_agent("alone")
    where = ["--manager", f"localhost:{other.manager.port}", "--ca-fingerprint", other.manager.identity["ca_fingerprint"]]
    site.muster("computer", "move", "alone", *where[:2]).expect(2, "--ca-fingerprint")
    site.muster("computer", "move", "alone", *where, "--enrolment-token", "nonsense").expect(2, "begins with mse_")
    site.muster("computer", "move", *where).expect(2, "--group")

    def refused(name, why):
        command = order_of(name)
        assert command["state"] == "failed" and why in command["result"]["text"], command
        told = other.wait_events(705)
        assert [event for event in told if event["fields"]["name"] == name and why in event["fields"]["cause"]], told
        assert site.status_of(name) == "online"
        assert not [one for one in other.json("computer", "list", "--name", name) if one["status"] == "online"]

    # It takes nobody without a token: the order ends, and nothing has changed.
    site.muster("computer", "move", "--group", "branch", *where).expect(0, "move issued to 2 computers")
    for name in agents:
        refused(name, "enrolment.without_token")
    # It expects one of them.
    other.muster("settings", "set", "enrolment.without_token=expected").expect(0)
    other.muster("computer", "add", "branch-1", "--address", "127.0.0.1").expect(0)
    site.muster("computer", "move", "--group", "branch", *where).expect(0)
    expect_moved(agents["branch-1"], "branch-1")
    assert order_of("branch-1")["state"] == "succeeded"
    refused("branch-2", "muster computer add")
    # It takes them all; and one with a token that is asked for none.
    other.muster("settings", "set", "enrolment.without_token=yes").expect(0)
    site.muster("computer", "move", "branch-2", *where).expect(0)
    expect_moved(agents["branch-2"], "branch-2")
    site.muster("computer", "move", "alone", *where, "--enrolment-token", other.token("--uses", "1", "--group", "given")).expect(0)
    expect_moved(alone, "alone")
    assert other.json("computer", "show", "alone")["group"] == "given"
    other.muster("settings", "set", "enrolment.without_token=no").expect(0)


def stays_when_it_cannot():
    agent = site.add_agent("stays")
    before = sorted(os.listdir(os.path.join(agent.data, "identity")))
    agent("move", *where_to(**{"--manager": "localhost:1"})).expect(1, "localhost")
    agent("move", *where_to(**{"--ca-fingerprint": "0" * 64})).expect(1)
    agent("move", *where_to(**{"--token": site.token("--uses", "1")})).expect(1)
    agent("move", *where_to(**{"--token": "nonsense"})).expect(2)
    agent("move", *where_to(**{"--manager": f"localhost:{site.manager.port}"})).expect(1, "already")
    agent("heartbeat").expect(0)
    assert sorted(os.listdir(os.path.join(agent.data, "identity"))) == before
    site.muster("computer", "move", "stays", *ordered(**{"--manager": "localhost:1"})).expect(0)
    failed = wait_until("the order's end", lambda: [c for c in site.json("command", "list", "--computer", "stays")
                                                    if c["state"] == "failed"])
    assert failed[0]["result"]["text"], failed
    assert site.status_of("stays") == "online"
    assert not other.json("computer", "list", "--name", "stays")


def moves_without_a_token_where_it_is_expected():
    """As specification 30-trust writes it: move --manager HOST:PORT --trust FILE."""
    key = other.path("manager.pub")
    other.muster("cert", "export", key).expect(0)
    words = ["move", "--manager", f"localhost:{other.manager.port}", "--trust", key]
    agent = site.add_agent("bare")
    agent(*words).expect(1, "muster token create", "enrolment.without_token")
    other.muster("settings", "set", "enrolment.without_token=expected").expect(0)
    agent(*words).expect(1, "muster computer add")
    other.muster("computer", "add", "bare", "--address", "192.0.2.77").expect(0)
    agent(*words).expect(1, "expected from this address")  # another one waits under this name
    waits = other.json("computer", "show", "bare")["id"]
    other.muster("computer", "address", "bare", "127.0.0.1").expect(0)
    agent(*words).expect(0, "has taken this computer")
    expect_moved(agent, "bare")
    assert other.json("computer", "show", "bare")["id"] == waits
    # Nobody takes its place in this way, and nobody takes that of one that was sent away.
    other.muster("settings", "set", "enrolment.without_token=yes", "enrolment.same_name=reactivate").expect(0)
    thief = Agent(site.directory, "thief")
    site.agents.append(thief)
    bare = ["activate", other.manager.url, "--ca-fingerprint", other.manager.identity["ca_fingerprint"]]
    thief(*bare, "--name", "bare").expect(1, "takes an enrolment token")
    other.muster("computer", "revoke", "bare").expect(0)
    thief(*bare, "--name", "bare").expect(1, "revoked here")
    thief(*bare, "--name", "free", "--policy", "base").expect(1, "without an enrolment token")
    thief(*bare, "--name", "free").expect(0)
    other.muster("settings", "set", "enrolment.without_token=no", "enrolment.same_name=number").expect(0)


def moves_over_tls_12():
    """The other manager has a listener for each profile without TLS 1.3: its key is proven all the same, or the agent
    says that they have nothing in common, and stays."""
    rows = {row["name"]: row for row in site.json("tls", "profiles")}
    profiles = [name for name, row in rows.items() if "TLS 1.2" in str(row["versions"]) and "TLS 1.3" not in str(row["versions"])
                and row["served"]]
    assert {"strong-12", "compat-10.0", "legacy-9.6"} <= set(profiles), rows
    ports = {name: free_port() for name in profiles}
    older.manager = Manager(older.directory).init(*[word for port in ports.values() for word in ("--listen", f"127.0.0.1:{port}")])
    lines = "tls_profiles = modern, " + ", ".join(f"{port}: {name}" for name, port in ports.items())
    path = os.path.join(older.manager.data, "manager.ini")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("[network]\n", f"[network]\n{lines}\nlegacy_tls = accept-risk\n", 1))
    older.manager.start()
    older.muster("login", "--user", older.manager.identity["user"], "--password-file", "-",
                 stdin=older.manager.identity["password"].encode() + b"\n").expect(0)
    key = older.path("manager.pub")
    older.muster("cert", "export", key).expect(0)
    wrong = site.path("first.pub")
    site.muster("cert", "export", wrong).expect(0)
    for name, port in ports.items():
        agent = site.add_agent(f"over-{name}")
        words = ["move", "--manager", f"localhost:{port}", "--token", older.token("--uses", "1"), "--trust"]
        agent(*words, wrong).expect(1)
        if rows[name]["legacy"] or rows[name]["fips"]:
            agent(*words, key).expect(1, "TLS")
            assert site.status_of(agent.name) == "online"
        else:
            agent(*words, key).expect(0, "has taken this computer")
            wait_until(f"{agent.name} online there", lambda: is_online(older, agent.name))
        agent.stop()


def killed_at_any_moment():
    """Killed when this is in its log: it is whole, and belongs to exactly one manager; then the move is done."""
    for number, moment in enumerate(["move.begun", "move.decided", "link.starts_anew"]):
        name = f"killed-{number}"
        agent = site.add_agent(name)
        token = other.token("--uses", "1")
        asking = subprocess.Popen([program("muster-agent"), "move", *where_to(**{"--token": token}), "--data", agent.data],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(moment, lambda: moment in agent.text())
        kill(agent)
        asking.wait()
        agent.start()
        manager = wait_until("an identity", lambda: agent("status", "-o", "json").json["manager"])
        if manager == site.manager.url:
            wait_until("it is where it was", lambda: is_online(site, name))
            agent("move", *where_to(**{"--token": token})).expect(0)  # the same attempt: its token is not used twice
        expect_moved(agent, name)
        agent.stop()


def several_are_left_and_told_over_kills():
    """It moves on before the managers that it left could be told, killed in each move and while it takes leave: each is
    told once it is there again, whatever becomes of the others, and once."""
    agent = site.add_agent("wanders")
    wait_until("all told", lambda: agent("status", "-o", "json").json["events_waiting"] == 0)
    formers = lambda: sorted(name for name in os.listdir(os.path.join(agent.data, "link")) if name.startswith("former"))

    def move_on(here, there, online):
        here.manager.stop()
        token = there.token("--uses", "1")
        words = ["--manager", f"localhost:{there.manager.port}", "--token", token, "--ca-fingerprint",
                 there.manager.identity["ca_fingerprint"]]
        agent("move", *words).expect(0, "has taken this computer")
        kill(agent)  # decided: the next start is the other one's
        agent.start()
        wait_until("wanders online there", online)

    move_on(site, other, lambda: is_online(other, "wanders"))
    assert formers() == ["former"], formers()
    move_on(other, older, lambda: is_online(older, "wanders"))
    assert formers() == ["former", "former.1"], formers()
    for _ in range(3):
        kill(agent)
        agent.start()
        assert formers() == ["former", "former.1"], formers()
    # The second is told while the first is away; killed as soon as that is said, perhaps before it is noted.
    said = agent.text().count("farewell.said")
    other.manager.start()
    wait_until("the word to the second", lambda: agent.text().count("farewell.said") > said)
    kill(agent)
    agent.start()
    wait_until("one that is left", lambda: formers() == ["former"])
    assert other.json("computer", "show", "wanders")["status"] == "unmanaged"
    site.manager.start()
    wait_until("the first was told", lambda: has_left("wanders"))
    wait_until("none is left", lambda: not formers())
    for where in (site, other):
        assert len(where.wait_events(718, computer="wanders")) == 1
    assert is_online(older, "wanders")
    agent.stop()


def what_the_old_manager_has_not_got_moves_along():
    """Found and done while the old manager is away: the other one gets all of it, once, the files too; when the old one
    is back, it is told where its computer went."""
    agent = site.add_agent("away")
    wait_until("all told", lambda: agent("status", "-o", "json").json["events_waiting"] == 0)
    site.manager.stop()
    place = site.files("away-files")
    found = [os.path.join(place, f"found-{number}") for number in range(3)]
    for path in found:
        with open(path, "wb") as file:
            file.write(EICAR)
    agent("scan", place).expect(1, "3 detections")
    assert agent("status", "-o", "json").json["events_waiting"] > 0
    agent("move", *where_to()).expect(0)
    wait_until("away online at the other manager", lambda: is_online(other, "away"))
    events = other.wait_events(2000, count=3, computer="away")
    assert sorted(event["fields"]["file"] for event in events) == found, events
    items = wait_until("the files", lambda: [item for item in other.json("quarantine", "list", "--computer", "away")
                                             if item["state"] == "held"])
    wait_until("all files", lambda: len([item for item in other.json("quarantine", "list", "--computer", "away")
                                         if item["state"] == "held"]) == 3)
    assert {item["path"] for item in items} <= set(found), items
    other.muster("quarantine", "restore", items[0]["id"], "--watch").expect(0)
    assert os.path.exists(items[0]["path"])
    assert len(other.json("event", "list", "--type", "2000", "--computer", "away")) == 3
    other.wait_events(4040, computer="away")
    site.manager.start()
    wait_until("the old one was told", lambda: has_left("away"), 180)
    site.wait_events(718, computer="away")
    assert site.json("computer", "show", "away")["status_cause"] == f"moved to {other.manager.url}"


def a_copy_gets_an_identity_of_its_own():
    agent = site.add_agent("original")
    agent("heartbeat").expect(0)
    copy = Agent(site.directory, "copy")
    shutil.rmtree(copy.data)
    shutil.copytree(agent.data, copy.data, ignore=lambda directory, names: ["agent.sock"] if "agent.sock" in names else [])
    for directory, names, files in os.walk(agent.data):
        for name in ["."] + names + files:
            path = os.path.join(directory, name)
            twin = os.path.join(copy.data, os.path.relpath(path, agent.data))
            if os.path.lexists(twin):
                facts = os.lstat(path)
                os.chown(twin, facts.st_uid, facts.st_gid, follow_symlinks=False)
    site.agents.append(copy)
    copy.start()

    def apart():
        for one in (agent, copy):
            one("heartbeat")
        return is_online(site, "original-2")

    wait_until("an identity of its own", apart, 120)
    assert site.status_of("original") == "online"
    site.wait_events(717, computer="original")
    site.wait_events(717, computer="original-2")
    site.wait_events(4040, computer="original-2")
    mine, theirs = (one("status", "-o", "json").json["computer"] for one in (agent, copy))
    assert mine != theirs
    copy("heartbeat").expect(0)
    agent("heartbeat").expect(0)
    assert not os.path.exists(os.path.join(copy.data, "link", "former"))
    with open(os.path.join(agent.data, "identity", "key.pem"), encoding="ascii") as one:
        with open(os.path.join(copy.data, "identity", "key.pem"), encoding="ascii") as another:
            assert one.read() != another.read()


if __name__ == "__main__":
    with site, other, older:
        add_manager(site, "\n[exchange]\nclone_settle = 1s\n")
        add_manager(other, "")
        code = main([moves_by_hand, follows_its_managers_address, moves_by_order, moves_by_order_without_a_token, moves_without_a_token_where_it_is_expected, moves_over_tls_12,
                     several_are_left_and_told_over_kills, stays_when_it_cannot, killed_at_any_moment,
                     what_the_old_manager_has_not_got_moves_along, a_copy_gets_an_identity_of_its_own])
    raise SystemExit(code)
