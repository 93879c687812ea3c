"""A real manager, real agents and the real CLI in a directory of their own.

MUSTER_BIN names the directory, or several separated by ':', that hold the programs.
"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SIGNATURES = os.path.normpath(os.path.join(HERE, "../../../data/signatures"))
# In two halves, so that this file is not itself a detection.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
PATIENCE = 120


def program(name):
    for directory in os.environ.get("MUSTER_BIN", "").split(":"):
        path = os.path.join(directory, name)
        if directory and os.access(path, os.X_OK):
            return path
    raise SystemExit(f"MUSTER_BIN holds no {name}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(what, question, seconds=PATIENCE):
    """Asks until the answer is true; the answer. Waits for a state, never for time alone."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not happen within {seconds} s")
        time.sleep(0.05)


class Ended:
    """What a program that ended said."""

    def __init__(self, arguments, done):
        self.arguments = arguments
        self.code = done.returncode
        self.out = done.stdout.decode("utf-8", "surrogateescape")
        self.err = done.stderr.decode("utf-8", "surrogateescape")

    @property
    def json(self):
        return json.loads(self.out)

    def __str__(self):
        shown = " ".join(map(repr, self.arguments))
        return f"{shown}\nexit {self.code}\n--- output\n{self.out[-3000:]}\n--- errors\n{self.err[-3000:]}"

    def expect(self, code, *words):
        """The exit code, and words that its output must hold."""
        assert self.code == code, f"expected exit {code}: {self}"
        for word in words:
            assert word in self.out + self.err, f"expected {word!r}: {self}"
        assert "Sanitizer" not in self.err, str(self)
        return self


def run(arguments, env=None, stdin=b"", timeout=PATIENCE):
    merged = dict(os.environ, **(env or {}))
    done = subprocess.run(arguments, input=stdin, capture_output=True, env=merged, timeout=timeout)
    return Ended(arguments, done)


class Daemon:
    """A program that stays; its log is a file."""

    def __init__(self, arguments, log):
        self.log = log
        self.arguments = arguments
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def text(self):
        with open(self.log, "rb") as log:
            return log.read().decode("utf-8", "replace")

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, number=signal.SIGTERM):
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self.process = None
        return code

    def wait(self, seconds=PATIENCE):
        code = self.process.wait(seconds)
        self.process = None
        return code


class Manager(Daemon):
    def __init__(self, directory, name="manager", port=None):
        self.data = os.path.join(directory, name)
        self.port = port or free_port()
        super().__init__([program("muster-manager"), "run", "--data", self.data], self.data + ".log")

    def init(self, *more):
        made = run([program("muster-manager"), "init", "--data", self.data, "--listen", f"127.0.0.1:{self.port}",
                    "--name", "localhost", "-o", "json", *more])
        made.expect(0)
        self.identity = made.json
        self.url = f"https://localhost:{self.port}"
        return self

    @property
    def ca(self):
        return os.path.join(self.data, "ca.pem")

    def healthy(self):
        if not self.running():
            raise AssertionError("the manager ended:\n" + self.text()[-3000:])
        return run(["curl", "-s", "-f", "--cacert", self.ca, self.url + "/healthz"]).code == 0

    def start(self):
        super().start()
        wait_until("the manager's start", self.healthy)
        return self


class Agent(Daemon):
    def __init__(self, directory, name):
        self.name = name
        self.data = os.path.join(directory, name)
        os.makedirs(self.data, exist_ok=True)
        with open(os.path.join(self.data, "agent.ini"), "w") as file:
            file.write(f"[scan]\nsignatures = {SIGNATURES}\n")
        super().__init__([program("muster-agent"), "run", "--data", self.data], self.data + ".log")

    def __call__(self, *words, **more):
        return run([program("muster-agent"), *words, "--data", self.data], **more)

    def answers(self):
        if not self.running():
            raise AssertionError("the agent ended:\n" + self.text()[-3000:])
        return self("status", "-o", "json").code == 0

    def start(self):
        super().start()
        wait_until("the agent's start", self.answers)
        return self

    def stop(self, number=signal.SIGTERM):
        code = super().stop(number)
        return code


class Site:
    """A manager with a signed-in administrator, and the agents that were asked for."""
    keep = False

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="muster-e2e-", dir=os.environ.get("TMPDIR", "/tmp"))
        os.chmod(self.directory, 0o755)
        self.agents = []
        self.manager = None

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        for agent in self.agents:
            agent.stop()
        if self.manager:
            self.manager.stop()
        if kind is None and not Site.keep:
            shutil.rmtree(self.directory)
        else:
            print("kept for a look:", self.directory, file=sys.stderr)

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def files(self, name="files"):
        path = self.path(name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o755)
        return path

    def add_manager(self, lines=""):
        """lines: of manager.ini, each section's behind what `init` wrote of it."""
        self.manager = Manager(self.directory).init()
        if lines:
            path = os.path.join(self.manager.data, "manager.ini")
            with open(path, encoding="utf-8") as file:
                text = file.read()
            section, rest = lines.split("\n", 1)
            assert section + "\n" in text, text
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.replace(section + "\n", section + "\n" + rest, 1))
        self.manager.start()
        self.muster("login", "--user", self.manager.identity["user"], "--password-file", "-",
                    stdin=self.manager.identity["password"].encode() + b"\n").expect(0)
        return self.manager

    def muster(self, *words, **more):
        env = {"XDG_CONFIG_HOME": self.path("cli"), "HOME": self.path("cli")}
        if self.manager:
            env.update(MUSTER_SERVER=self.manager.url, MUSTER_CA=self.manager.ca)
        env.update(more.pop("env", {}))
        return run([program("muster"), *words], env=env, **more)

    def json(self, *words):
        return self.muster(*words, "-o", "json").expect(0).json

    def token(self, *more):
        return self.json("token", "create", "--enrolment", "--expires", "1h", *more)["token"]

    def activate(self, agent, *more, token=None):
        return agent("activate", self.manager.url, "--token", token or self.token("--uses", "1"),
                     "--ca-fingerprint", self.manager.identity["ca_fingerprint"], "--name", agent.name, *more)

    def add_agent(self, name="one", online=True):
        agent = Agent(self.directory, name)
        self.agents.append(agent)
        self.activate(agent).expect(0)
        if online:
            agent.start()
            self.wait_online(name)
        return agent

    def status_of(self, name):
        return self.json("computer", "show", name)["status"]

    def wait_online(self, name):
        wait_until(f"{name} online", lambda: self.status_of(name) == "online")

    def wait_events(self, number, count=1, computer=None):
        words = ["event", "list", "--type", str(number), "--limit", "1000"]
        words += ["--computer", computer] if computer else []

        def enough():
            events = self.json(*words)
            return events if len(events) >= count else None

        return wait_until(f"{count} events {number}", enough)


def main(tests):
    """Runs each test; those named on the command line, or all."""
    chosen = [test for test in tests if len(sys.argv) < 2 or test.__name__ in sys.argv[1:]]
    failed = 0
    for test in chosen:
        began = time.monotonic()
        try:
            test()
            print(f"[       OK ] {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception:  # a test may fail by anything
            import traceback
            traceback.print_exc()
            print(f"[  FAILED  ] {test.__name__}", flush=True)
            failed += 1
            Site.keep = True
    if failed:
        print(f"[  FAILED  ] {failed} test(s).")
        return 1
    print(f"[  PASSED  ] {len(chosen)} test(s).")
    return 0
