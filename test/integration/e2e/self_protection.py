#!/usr/bin/env python3
"""What is killed comes back; what is secret is readable by its role alone; no role can be looked into."""
import os
import signal
import socket
import subprocess

from installation import EICAR, PATIENCE, Site, main, run, wait_until

site = Site()
NOBODY = 65534
# What others may see of a data directory: settings without secrets, signatures, where the socket is.
PUBLIC = ("agent.ini", "signatures", "run", "run/agent.sock")


# --- processes ---

def children(pid):
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True).stdout.split()
    return [int(each) for each in found]


def named(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
        with open(f"/proc/{pid}/comm") as file:
            return os.path.basename(words[0].decode()), words[1:3], file.read().strip()
    except OSError:
        return "", [], ""


def roles(agent):
    """guard, starter, link, scan, and the workers, as far as they are there."""
    found = {"guard": agent.process.pid, "worker": []}
    for starter in children(agent.process.pid):
        found["starter"] = starter
        for role in children(starter):
            name, words, _ = named(role)
            if words == [b"role", b"link"]:
                found["link"] = role
            elif name == "muster-agent-scan":
                found["scan"] = role
                found["worker"] = children(role)
    return found


def scans(agent, name):
    """A detection from end to end: walked, scanned, moved, told."""
    path = os.path.join(site.files(), name)
    with open(path, "wb") as file:
        file.write(EICAR)
    agent("scan", path).expect(1, "1 detections")
    assert not os.path.exists(path), "still there"


def connected(agent):
    ended = agent("status", "-o", "json")
    return ended.code == 0 and ended.json["connected"]


# --- killed ---

def roles_come_back():
    agent = site.add_agent("one")
    scans(agent, "first")
    for number, part in enumerate(("link", "scan", "worker", "link", "worker", "scan")):
        before = roles(agent)
        pid = before["worker"][0] if part == "worker" else before[part]
        os.kill(pid, signal.SIGKILL)
        wait_until(f"the end of {part}", lambda: not os.path.exists(f"/proc/{pid}"))
        wait_until(f"the link after {part}", lambda: connected(agent))
        scans(agent, f"after {part} {number}")
        after = roles(agent)
        assert after["guard"] == before["guard"] and after["starter"] == before["starter"], (before, after)
        assert pid not in [after["link"], after["scan"], *after["worker"]], (part, after)
        assert agent.running(), agent.text()[-2000:]
    events = site.wait_events(5010, 2, "one")
    assert any(event["fields"]["role"] == "link" for event in events), events


def without_guard_or_starter_nothing_stays():
    """The two that all others stand on: the agent ends with them, at once and whole, for its service manager to start."""
    agent = site.agents[0]
    for part in ("starter", "guard"):
        before = roles(agent)
        os.kill(before[part], signal.SIGKILL)
        assert agent.wait() != 0, part
        left = [pid for pid in (before["starter"], before["link"], before["scan"], *before["worker"])]
        wait_until("the end of all roles", lambda: not any(os.path.exists(f"/proc/{pid}") for pid in left))
        agent.start()
        wait_until("the link", lambda: connected(agent))
        scans(agent, f"after {part}")


def ended_by_a_signal():
    """As a service manager ends it, or whoever stands for one: no password is asked, and it is told."""
    agent = site.agents[0]
    assert agent.stop() == 0
    agent.start()
    wait_until("the link", lambda: connected(agent))
    assert any(event["fields"]["cause"] == "its guard ended" for event in site.wait_events(5003, 1, "one"))


# --- files ---

def as_user(uid, question):
    """The answer of question() to that user, who has no groups and no capabilities; an exception's text as such."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            answer = question()
        except Exception as problem:  # told to the parent
            answer = f"failed: {problem!r}"
        os.write(writer, "\n".join(answer if isinstance(answer, list) else [answer]).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answers:
        text = answers.read().decode()
    os.waitpid(child, 0)
    assert not text.startswith("failed:"), text
    return [each for each in text.split("\n") if each]


def everything_in(directory):
    found = []
    for place, directories, names in os.walk(directory):
        found += [os.path.relpath(os.path.join(place, name), directory) for name in [*directories, *names]]
    return found


def opened(directory, paths):
    """Those that can be read, listed or connected to."""
    readable = []
    for path in paths:
        whole = os.path.join(directory, path)
        try:
            if path.endswith(".sock"):
                with socket.socket(socket.AF_UNIX) as asker:
                    os.chdir(os.path.dirname(whole))
                    asker.connect(os.path.basename(whole))
            elif os.path.isdir(whole):
                os.listdir(whole)
            else:
                os.close(os.open(whole, os.O_RDONLY | os.O_NONBLOCK))
        except PermissionError:
            continue
        except FileNotFoundError:
            continue
        readable.append(path)
    return readable


def uid_of(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(next(line for line in file if line.startswith("Uid:")).split()[1])


def others_read_nothing():
    agent = site.agents[0]
    scans(agent, "kept in the vault")
    paths = everything_in(agent.data)
    for needed in ("identity/key.pem", "link/spool.log", "link/configuration", "guard/vault.key", "guard/outbox.log"):
        assert needed in paths, f"{needed} is not among {paths}"
    assert any(path.startswith("vault/") and path.endswith(".vault") for path in paths), paths
    assert "run/agent.sock" in opened(agent.data, paths), "root cannot connect: the question is wrong"
    running = roles(agent)
    link, scan = uid_of(running["link"]), uid_of(running["scan"])
    assert len({0, NOBODY, link, scan}) == 4, (link, scan)

    def readable(uid):
        return set(as_user(uid, lambda: opened(agent.data, paths)))

    others = {path for path in readable(NOBODY) if path not in PUBLIC and not path.startswith("signatures/")}
    assert not others, f"anybody can read {others}"
    assert "run/agent.sock" not in readable(NOBODY)
    secret = {path for path in readable(scan) if path.split("/")[0] in ("identity", "link", "guard", "vault")}
    assert not secret, f"the scan role can read {secret}"
    secret = {path for path in readable(link) if path.split("/")[0] in ("guard", "vault")}
    assert not secret, f"the link role can read {secret}"
    # The directory as the installation makes it is not listed either.
    fresh = site.path("fresh")
    assert os.path.isdir(agent.data)
    ended = agent.__class__(site.directory, "fresh")
    os.remove(os.path.join(fresh, "agent.ini"))
    os.rmdir(fresh)
    site.activate(ended).expect(0)
    assert as_user(NOBODY, lambda: opened(site.directory, ["fresh"])) == []


def the_managers_secrets():
    manager = site.manager.data
    paths = [path for path in everything_in(manager) if path.split("/")[0] in ("keys", "front")]
    assert "keys/ca.key" in paths and "front/muster.db" in paths and "front/tls.key" in paths, paths
    found = as_user(NOBODY, lambda: opened(manager, paths))
    assert not found, f"anybody can read {found}"


# --- memory ---

def looked_into(pid, uid):
    """Whether a process of the same user, without capabilities, may look into its memory."""
    return as_user(uid, lambda: opened(f"/proc/{pid}", ["environ", "mem"]))


def no_core(pid):
    with open(f"/proc/{pid}/limits") as file:
        line = next(line for line in file if line.startswith("Max core file size"))
    return line.split()[4:6] == ["0", "0"]


def nobody_looks_into_roles():
    agent = site.agents[0]
    scans(agent, "before a look")
    running = roles(agent)
    manager = children(site.manager.process.pid)
    assert len(manager) >= 2, manager
    for pid in [running["guard"], running["starter"], running["link"], running["scan"], *running["worker"], *manager]:
        assert no_core(pid), (pid, named(pid))
    for pid in [running["link"], running["scan"], *running["worker"], *manager]:
        uid = uid_of(pid)
        assert uid != 0, named(pid)
        assert looked_into(pid, uid) == [], f"{named(pid)} can be looked into"
        # The same question about a process that has no secrets is answered.
        open_one = subprocess.Popen(["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "sleep",
                                     str(10 * PATIENCE)])
        try:
            wait_until("its user", lambda: uid_of(open_one.pid) == uid and named(open_one.pid)[2] == "sleep")
            assert looked_into(open_one.pid, uid), "the question is wrong"
        finally:
            open_one.kill()
            open_one.wait()
    # Guard and its starter are root's; another root without the right to trace is kept out, too.
    for pid in (running["guard"], running["starter"]):
        run(["setpriv", "--bounding-set=-all", "--inh-caps=-all", "cat", f"/proc/{pid}/environ"]).expect(1)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("roles of their own need root")
        raise SystemExit(77)
    with site:
        site.add_manager()
        code = main([roles_come_back, without_guard_or_starter_nothing_stays, ended_by_a_signal, others_read_nothing,
                     the_managers_secrets, nobody_looks_into_roles])
    raise SystemExit(code)
