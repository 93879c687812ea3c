"""A real manager and a real agent in a directory of their own, for tests that hurt them.

Programs are found through MUSTER_BIN (directories, separated by colons). Nothing here waits for time to pass: it
waits for a state, with a limit.
"""
import argparse
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE_S = 240  # of a machine that others load; a verdict must not depend on it
V1 = "/api/v1"
SKIPPED = 77
ENDED = 137  # the exit status with which fault.c ends a process

# In parts, so that this file is not itself a detection. Test signatures find
# it anywhere in a file, so that each file can have a content of its own.
MARK = b"MUSTER-FAULT-" + b"TEST-DETECTION-" + b"7c1f5a"
SIGNATURE = "Muster.Fault.Test"


class Failure(Exception):
    """What must hold did not."""


def program(name):
    for directory in os.environ.get("MUSTER_BIN", "").split(":"):
        path = os.path.join(directory, name)
        if directory and os.path.isfile(path):
            return path
    print(f"MUSTER_BIN must name the directories of the programs; it has no {name}", file=sys.stderr)
    sys.exit(1)


def wait_until(what, condition, seconds=PATIENCE_S):
    """The condition's first true value."""
    give_up = time.monotonic() + seconds
    pause = 0.01
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > give_up:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# --- processes ---

def children():
    """Every process: pid to (parent's pid, command line)."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if fields[0] != "Z":
            found[int(name)] = (int(fields[1]), [word.decode("utf-8", "replace") for word in words])
    return found


def below(pid):
    """All that descend from a process: pid to (parent, command line)."""
    every, found, edge = children(), {}, {pid}
    while edge:
        edge = {child for child, (parent, _) in every.items() if parent in edge and child not in found}
        found.update({child: every[child] for child in edge})
    return found


def armed(directory, role, calls, number, times=1, action=0):
    """The environment of a program in which one fault will be met, as fault.c says; directory: whose file arms it."""
    shim, file = os.environ.get("MUSTER_FAULT_SHIM", ""), os.path.join(directory, "armed")
    if not os.path.isfile(shim):
        raise Failure("MUSTER_FAULT_SHIM must name the library made of fault.c")
    with open(file, "w", encoding="ascii"):
        pass
    os.chmod(directory, 0o777)  # a role removes the file as its own user
    return {"LD_PRELOAD": shim, "MUSTER_FAULT": f"{role} {calls} {number} {times} {action} {file}",
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


class Daemon:
    """A program that is started, killed and started again; its output goes into one file."""

    def __init__(self, arguments, log, environment=None, prefix=()):
        self.arguments, self.log, self.environment, self.prefix = arguments, log, environment, list(prefix)
        self.process = None

    def start(self):
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(self.prefix + self.arguments, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=out, env={**os.environ, **(self.environment or {})})

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(PATIENCE_S)
        self.process = None
        return status

    def kill(self):
        """kill -9, and its descendants with it: as when a machine fails."""
        victims = list(below(self.process.pid))
        self.process.kill()
        self.process.wait()
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process = None


class KeptRunning:
    """While it lasts a program that ended is started again, as a supervisor of the whole program would do."""

    def __init__(self, daemon):
        self.daemon, self.stopping = daemon, threading.Event()
        self.ends = 0  # of the program itself, by the shim
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def run(self):
        while not self.stopping.wait(0.1):
            if not self.daemon.running():
                self.ends += self.daemon.process.returncode == ENDED
                self.daemon.start()


# --- the two ends ---

def read_as_owner(path, query, values, pipe):
    owner = os.stat(path)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    rows = [[c.hex() if isinstance(c, bytes) else c for c in row] for row in database.execute(query, values)]
    database.close()
    with os.fdopen(pipe, "w", encoding="utf-8") as out:
        json.dump(rows, out)


class Manager(Daemon):
    def __init__(self, directory, address="127.0.0.1", prefix=(), environment=None, data=None):
        self.data = data or os.path.join(directory, "manager")
        self.address, self.port = address, free_port()
        self.made = self._init(prefix)
        super().__init__([program("muster-manager"), "run", "--data", self.data],
                         os.path.join(directory, "manager.log"), environment, prefix)
        self.context = ssl.create_default_context(cafile=os.path.join(self.data, "ca.pem"))
        self.context.check_hostname = False
        self.token = None

    def _init(self, prefix):
        made = subprocess.run([*prefix, program("muster-manager"), "init", "--data", self.data, "--listen",
                               f"{self.address}:{self.port}", "--name", self.address, "-o", "json"], check=True,
                              stdout=subprocess.PIPE)
        return json.loads(made.stdout)

    def up(self):
        """Starts it, waits for it, and has a token."""
        self.start()
        wait_until("the manager's start", lambda: self.ready() or not self.running())
        if not self.running():
            raise Failure("the manager did not start:\n" + self.log_text()[-2000:])
        if self.token is None:
            told = subprocess.run([*self.prefix, program("muster-manager"), "token", "--data", self.data,
                                   "--expires", "24h"], check=True, stdout=subprocess.PIPE, text=True)
            self.token = told.stdout.strip()

    def ready(self):
        try:
            return self.once("GET", "/readyz")[0] == 200
        except OSError:
            return False
        except http.client.HTTPException:
            return False

    def once(self, method, path, body=None, headers=None, timeout=20):
        """One request, no second try: (status, JSON or bytes)."""
        connection = http.client.HTTPSConnection(self.address, self.port, context=self.context, timeout=timeout)
        try:
            everything = {"Authorization": "Bearer " + self.token} if self.token else {}
            everything.update(headers or {})
            if body is not None:
                body = json.dumps(body)
                everything["Content-Type"] = "application/json"
            connection.request(method, path, body, everything)
            answer = connection.getresponse()
            content = answer.read()
            if "json" in (answer.headers["Content-Type"] or ""):
                content = json.loads(content)
            return answer.status, content
        finally:
            connection.close()

    def get(self, path):
        """A read, tried until the manager answers."""
        def ask():
            try:
                status, content = self.once("GET", V1 + path)
            except (OSError, http.client.HTTPException, ValueError):
                return None
            return [content] if status == 200 else None
        return wait_until(f"an answer to GET {path}", ask)[0]

    def all_of(self, path):
        items, cursor = [], ""
        while True:
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit=1000{cursor}")
            items += page["items"]
            if page["next"] is None:
                return items
            cursor = "&cursor=" + page["next"]

    def rows(self, query, *values):
        """From the database itself, read as the user to whom it belongs, so that no file of it changes hands."""
        path = os.path.join(self.data, "front", "muster.db")
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.close(ours)
                read_as_owner(path, query, values, theirs)
                os._exit(0)
            except BaseException as error:  # pylint: disable=broad-except
                print("the database could not be read:", error, file=sys.stderr)
                os._exit(1)
        os.close(theirs)
        with os.fdopen(ours, "rb") as pipe:
            told = pipe.read()
        if os.waitpid(child, 0)[1] != 0:
            raise Failure("the database could not be read")
        return json.loads(told)

    def part(self, role):
        """The pid of a role, or None; "supervisor" is the program itself."""
        if not self.running():
            return None
        if role == "supervisor":
            return self.process.pid
        for pid, (_, words) in below(self.process.pid).items():
            if words[1:3] == ["role", role]:
                return pid
        return None


class Agent(Daemon):
    def __init__(self, directory, manager, signatures, settings="", prefix=(), environment=None, data=None):
        self.data = data or os.path.join(directory, "agent")
        self.manager = manager
        os.makedirs(self.data, exist_ok=True)
        with open(os.path.join(self.data, "agent.ini"), "w", encoding="utf-8") as file:
            file.write(f"[scan]\nsignatures = {signatures}\nworkers = 2\n"
                       f"{settings or '[link]'}\nheartbeat_interval = 10s\n")
        super().__init__([program("muster-agent"), "run", "--data", self.data],
                         os.path.join(directory, "agent.log"), environment, prefix)
        self.id = None

    def activate(self):
        token = self.manager.once("POST", V1 + "/enrolment-tokens", {"uses": 1, "expires": "1h"})
        if token[0] != 201:
            raise Failure(f"no enrolment token: {token}")
        told = subprocess.run([*self.prefix, program("muster-agent"), "activate",
                               f"https://{self.manager.address}:{self.manager.port}", "--token", token[1]["token"],
                               "--ca-fingerprint", self.manager.made["ca_fingerprint"], "--data", self.data],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if told.returncode != 0:
            raise Failure("activate: " + told.stdout)
        with open(os.path.join(self.data, "identity", "computer.json"), encoding="utf-8") as file:
            self.id = json.load(file)["id"]

    def ask(self, *words):
        """A local command's JSON, or None when no agent answers."""
        told = subprocess.run([program("muster-agent"), *words, "--data", self.data, "-o", "json"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=PATIENCE_S)
        try:
            return json.loads(told.stdout) if told.returncode == 0 else None
        except ValueError:
            return None

    def up(self):
        self.start()
        wait_until("the agent's link", lambda: (self.ask("status") or {}).get("connected"))

    def part(self, role):
        """The pid of a role, or None. "guard" is the program itself, "starter" its own child."""
        if not self.running():
            return None
        if role == "guard":
            return self.process.pid
        every = below(self.process.pid)
        scans = {pid for pid, (_, words) in every.items() if words[0].endswith("muster-agent-scan")}
        for pid, (parent, words) in every.items():
            is_scan = pid in scans
            kind = ("worker" if parent in scans else "scan") if is_scan else \
                "starter" if parent == self.process.pid else "link"
            if kind == role and words != [""]:
                return pid
        return None


class World:
    """Both ends and a place for files; removed at the end unless something failed."""

    def __init__(self, name):
        self.directory = tempfile.mkdtemp(prefix=f"muster-{name}-")
        os.chmod(self.directory, 0o755)
        self.signatures = os.path.join(self.directory, "signatures")
        self.files = os.path.join(self.directory, "files")
        os.mkdir(self.files)
        self._write_signatures()
        self.manager = self.agent = None

    def _write_signatures(self):
        source = os.environ.get("MUSTER_SOURCE") or os.path.join(os.path.dirname(__file__), "../../..")
        shutil.copytree(os.path.join(source, "data/signatures"), self.signatures)
        with open(os.path.join(self.signatures, "fault.ndb"), "w", encoding="ascii") as file:
            file.write(f"{SIGNATURE}:0:*:{MARK.hex()}\n")

    def both(self, settings=""):
        """settings: lines of agent.ini, the last ones of [link]."""
        self.manager = Manager(self.directory)
        self.manager.up()
        self.agent = Agent(self.directory, self.manager, self.signatures, settings)
        self.agent.activate()
        self.agent.up()

    def end(self, failed):
        for daemon in (self.agent, self.manager):
            if daemon is not None and daemon.running():
                daemon.kill() if failed else daemon.stop()
        if failed and not os.environ.get("MUSTER_TIDY"):
            print(f"what was left is in {self.directory}", file=sys.stderr)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


class Quietly(threading.Thread):
    """A thread whose failure is raised by join_or_raise()."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.error = work, None

    def run(self):
        try:
            self.work()
        except BaseException as error:  # handed on
            self.error = error

    def join_or_raise(self):
        self.join()
        if self.error is not None:
            raise self.error


class Part:
    """K/N: each N-th of a list, from the K-th on, so that every part is of all kinds that the list has."""

    def __init__(self, text):
        number, count = text.split("/")
        self.first, self.step = int(number) - 1, int(count)
        if not 0 <= self.first < self.step:
            raise ValueError(text)

    def of(self, whole):
        return whole[self.first::self.step]


def main(name, description, run, **options):
    """A test's program: run(world, given) in a world of its own. given has the seed, and each option by its name: a
    switch where the default is False, or of the default's type. Returns its exit status."""
    arguments = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in options.items():
        how = {"action": "store_true"} if default is False else {"type": type(default), "default": default}
        arguments.add_argument("--" + option, **how)
    arguments.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    given = arguments.parse_args()
    print(f"seed {given.seed}", flush=True)
    world, failed = World(name), True
    try:
        run(world, given)
        failed = False
        print("[  PASSED  ] 1 test(s).")
    except Failure as failure:
        print(f"{failure}\nalone: {' '.join(sys.argv)} --seed {given.seed}\n[  FAILED  ] 1 test(s).")
    finally:
        world.end(failed)
    return 1 if failed else 0
