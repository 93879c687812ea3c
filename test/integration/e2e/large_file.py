#!/usr/bin/env python3
"""One very large detection through everything, and what each process takes for it.

Found, taken into the vault, uploaded, downloaded as a zip, the endpoint's copy
lost, restored from the manager's: the same bytes at each end, no process grows
by more than 32 MB, and agent and manager answer all the while.

usage: large_file.py [--bytes N] [--result FILE]    (FILE: a line of JSON with the figures)
"""
import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

from installation import EICAR, SIGNATURES, Agent, Site, main, program, wait_until

MIB = 1 << 20
GROWTH_MAX = 32 * MIB
ANSWER_MAX_S = 5.0  # far above what a loop that does not block needs; or ten times what a small file takes
ROLES = (("keys", r"role keys"), ("front", r"role front"), ("manager", r"muster-manager run"), ("link", r"role link"),
         ("guard", r"muster-agent run"), ("scan", r"muster-agent-scan"))

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--bytes", type=int, default=200 * MIB)
arguments.add_argument("--result")
given = arguments.parse_args()
del sys.argv[1:]
# What a sanitizer keeps of freed memory is no growth of ours.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
patience = 120 + given.bytes // MIB
site = Site()


def children(pid):
    found = [pid]
    for task in os.listdir("/proc"):
        if task.isdigit():
            try:
                with open(f"/proc/{task}/stat") as stat:
                    parent = int(stat.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            if parent == pid:
                found += children(int(task))
    return found


def role_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            line = file.read().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return None
    for role, pattern in ROLES:
        if re.search(pattern, line):
            return role
    return None


def peak_of(pid):
    try:
        with open(f"/proc/{pid}/status") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


class Watch:
    """The most memory that each role had since it was told to begin anew."""

    def __init__(self, roots):
        self.roots, self.most, self.base = roots, {}, {}
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def look(self):
        now = {}
        for root in self.roots():
            for pid in children(root):
                role = role_of(pid)
                if role:
                    now[role] = max(now.get(role, 0), peak_of(pid))
        for role, bytes_now in now.items():
            self.most[role] = max(self.most.get(role, 0), bytes_now)
        return now

    def run(self):
        while not self.end.wait(0.1):
            self.look()

    def begin(self):
        """The peak that the kernel keeps becomes what is there now; scan workers that come later are compared with
        the most that one had until now."""
        before = self.look()
        for root in self.roots():
            for pid in children(root):
                if role_of(pid):
                    with open(f"/proc/{pid}/clear_refs", "w") as file:
                        file.write("5")
        self.base = self.look()
        self.base["scan"] = before.get("scan", self.most.get("scan", 0))
        self.most = dict(self.base)

    def growth(self):
        self.look()
        return {role: self.most[role] - self.base.get(role, self.most[role]) for role in sorted(self.most)}


class Answers:
    """Asks agent and manager again and again; the longest that each took."""

    def __init__(self, agent):
        self.agent, self.longest, self.count = agent, {"status": 0.0, "api": 0.0}, 0
        self.failed = []
        self.end = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def ask(self, name, question):
        began = time.monotonic()
        code = question()
        if code != 0:
            self.failed.append(name)
        self.longest[name] = max(self.longest[name], time.monotonic() - began)

    def run(self):
        while not self.end.wait(0.1):
            self.ask("status", lambda: self.agent("status").code)
            self.ask("api", lambda: site.muster("computer", "list").code)
            self.count += 1

    def stop(self):
        self.end.set()
        self.thread.join()


def make_file(path, size):
    """Bytes that do not repeat, so that nothing on the way can make them small. Their MD5 and SHA-256."""
    md5, sha256 = hashlib.md5(), hashlib.sha256()
    source = subprocess.Popen(["openssl", "enc", "-aes-128-ctr", "-K", "00" * 16, "-iv", "00" * 16, "-in", "/dev/zero"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    left = size
    with open(path, "wb") as file:
        while left:
            piece = source.stdout.read(min(left, MIB))
            file.write(piece)
            md5.update(piece)
            sha256.update(piece)
            left -= len(piece)
    source.kill()
    source.wait()
    source.stdout.close()
    return md5.hexdigest(), sha256.hexdigest()


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unzipped_sha256(path):
    with subprocess.Popen(["7z", "x", "-so", "-pinfected", path], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as unzip:
        digest = hashlib.file_digest(unzip.stdout, "sha256").hexdigest()
    assert unzip.returncode == 0, "the zip cannot be read"
    return digest


def download(item, path):
    """The most memory that the CLI had."""
    env = dict(os.environ, XDG_CONFIG_HOME=site.path("cli"), HOME=site.path("cli"), MUSTER_SERVER=site.manager.url,
               MUSTER_CA=site.manager.ca)
    process = subprocess.Popen([program("muster"), "quarantine", "download", item, "--file", path], env=env,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    assert process.returncode == 0, errors
    return usage.ru_maxrss * 1024


def item_of(path):
    def find():
        items = [item for item in site.json("quarantine", "list", "--limit", "1000") if item["path"] == path]
        return items[0] if items else None

    return wait_until(f"{path} in quarantine", find, patience)


def uploaded(item):
    return wait_until("the upload", lambda: site.json("quarantine", "show", item)["uploaded"], patience)


def forget_own_copy(agent, item):
    os.unlink(os.path.join(agent.data, "vault", item + ".vault"))


class Timed:
    def __init__(self, seconds, name):
        self.seconds, self.name = seconds, name

    def __enter__(self):
        self.began = time.monotonic()

    def __exit__(self, *rest):
        self.seconds[self.name] = round(time.monotonic() - self.began, 2)


def once(agent, path, sha256, seconds):
    """The whole way; the most memory of the CLI."""
    zipped = site.path("item.zip")
    with Timed(seconds, "scan and vault"):
        site.muster("computer", "scan", "one", path, "--watch", timeout=patience).expect(0)
    assert not os.path.exists(path)
    item = item_of(path)
    assert item["sha256"] == sha256 and item["state"] == "held", item
    with Timed(seconds, "upload"):
        uploaded(item["id"])
    with Timed(seconds, "download"):
        memory = download(item["id"], zipped)
    assert unzipped_sha256(zipped) == sha256
    os.unlink(zipped)
    forget_own_copy(agent, item["id"])
    with Timed(seconds, "fetch and restore"):
        site.muster("quarantine", "restore", item["id"], "--watch", timeout=patience).expect(0)
    assert sha256_of(path) == sha256
    return memory


def small_things_go_on(agent, path, seconds):
    """While the large file is on its way into the vault, another item is restored."""
    small = os.path.join(site.files(), "small")
    with open(small, "wb") as file:
        file.write(EICAR)
    agent("scan", small, timeout=patience).expect(1)
    item = item_of(small)["id"]
    with subprocess.Popen(agent_command("scan", path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as scan:
        wait_until("the beginning of taking it", lambda: hidden(path), patience)
        with Timed(seconds, "a small restore meanwhile"):
            site.muster("quarantine", "restore", item, "--watch", timeout=patience).expect(0)
        meanwhile = hidden(path)
        assert scan.wait(patience) == 1
    assert meanwhile or given.bytes < 1024 * MIB, "the large file was in the vault before the small one was restored"
    assert os.path.exists(small)
    restored = item_of(path)["id"]
    site.muster("quarantine", "restore", restored, "--watch", timeout=patience).expect(0)


def agent_command(*words):
    return [program("muster-agent"), *words, "--data", site.agents[0].data]


def hidden(path):
    """It has left its place, and is not in the vault yet."""
    return any(name.startswith(".muster-") for name in os.listdir(os.path.dirname(path)))


def a_stop_does_not_wait(agent, path, sha256):
    """Told to stop in the middle of taking it, the agent ends soon, and the file is back where it was."""
    with subprocess.Popen(agent_command("scan", path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as scan:
        wait_until("the beginning of taking it", lambda: hidden(path), patience)
        began = time.monotonic()
        agent.stop(signal.SIGTERM)
        took = time.monotonic() - began
        scan.wait(patience)
    print(f"the agent took {took:.1f} s to end")
    assert not hidden(path) and sha256_of(path) == sha256, "it took the file to its end first"
    agent.start()
    # It was on the plan of a scan that goes on now.
    wait_until("the scan that goes on", lambda: not os.path.exists(path) and not hidden(path), patience)


def set_up(directory, size):
    signatures = site.path("signatures")
    shutil.copytree(SIGNATURES, signatures)
    path = os.path.join(directory, "large")
    md5, sha256 = make_file(path, size)
    with open(os.path.join(signatures, "large.hdb"), "w") as file:
        file.write(f"{md5}:{size}:Muster.Test.Large\n")
    os.chmod(signatures, 0o755)
    for name in os.listdir(signatures):
        os.chmod(os.path.join(signatures, name), 0o644)
    agent = Agent(site.directory, "one")
    with open(os.path.join(agent.data, "agent.ini"), "w") as file:
        file.write(f"[scan]\nsignatures = {signatures}\nmax_file_size = 2GB\nmax_unpacked_size = 8GB\n"
                   "max_file_time = 1h\n")
    site.agents.append(agent)
    site.activate(agent).expect(0)
    agent.start()
    site.wait_online("one")
    site.muster("settings", "set", "quarantine.max_file_size=4GB", "quarantine.capacity=20GB").expect(0)
    site.muster("computer", "set", "one", "quarantine.max_file_size=4GB", "scan.max_file_size=2GB").expect(0)
    wait_until("the settings in force", lambda: site.json("computer", "show", "one")["config_state"] == "applied")
    return agent, path, sha256


def large_file():
    place = site.files()
    agent, path, sha256 = set_up(place, given.bytes)
    watch = Watch(lambda: [each.process.pid for each in (site.manager, agent) if each.process])
    seconds, ignored = {}, {}
    warm = os.path.join(place, "warm")
    with open(warm, "wb") as file:
        file.write(EICAR)
    before = Answers(agent)
    usual = once(agent, warm, hashlib.sha256(EICAR).hexdigest(), ignored)
    before.stop()
    os.unlink(warm)
    watch.begin()
    answers = Answers(agent)
    command_line = once(agent, path, sha256, seconds) - usual
    answers.stop()
    growth = dict(watch.growth(), cli=command_line)
    small_things_go_on(agent, path, seconds)
    a_stop_does_not_wait(agent, path, sha256)
    watch.end.set()
    print("growth, MB:", {role: round(more / MIB, 1) for role, more in growth.items()})
    print("seconds:", seconds)
    print("longest answer, s:", {name: round(value, 2) for name, value in answers.longest.items()}, "of", answers.count)
    if given.result:
        with open(given.result, "w") as file:
            json.dump({"bytes": given.bytes, "growth": growth, "seconds": seconds, "longest": answers.longest,
                       "longest_small": before.longest}, file)
    assert {"front", "keys", "guard", "link", "scan"} <= set(growth), growth
    assert max(growth.values()) < GROWTH_MAX, growth
    assert not answers.failed, answers.failed
    for name, longest in answers.longest.items():
        assert longest < max(ANSWER_MAX_S, 10 * before.longest[name]), (answers.longest, before.longest)
    assert answers.count > 2


with site:
    site.add_manager()
    code = main([large_file])
sys.exit(code)
