"""A real muster-agent on a data directory of its own, and what its commands say."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time

# In two halves, so that this file is not itself a detection.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
SIGNATURES = "44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test-Signature\n"
PATIENCE_S = 90


def wait_for(what, condition):
    """Until condition() is true; returns what it gave."""
    end = time.monotonic() + PATIENCE_S
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {PATIENCE_S} s: {what}")
        time.sleep(0.1)


class Agent:
    def __init__(self, program):
        self.program = program
        self.directory = tempfile.mkdtemp(prefix="muster-agent-test-")
        os.chmod(self.directory, 0o755)
        self.data = os.path.join(self.directory, "data")
        self.files = os.path.join(self.directory, "files")
        os.mkdir(self.files)
        self.process = None
        self.lines = []

    def path(self, *names):
        return os.path.join(self.data, *names)

    def command(self, *words):
        """Exit status, standard output, standard error."""
        result = subprocess.run([self.program, *words, "--data", self.data], capture_output=True, timeout=300,
                                check=False)
        out, err = result.stdout.decode(errors="replace"), result.stderr.decode(errors="replace")
        assert "Sanitizer" not in err and "runtime error" not in err, err
        return result.returncode, out, err

    def ask(self, *words, status=0):
        """A command that must end with this status; its JSON."""
        code, out, err = self.command(*words, "-o", "json")
        assert code == status, (words, code, out, err)
        return json.loads(out)

    def activate(self, url, token, fingerprint, *more):
        return self.command("activate", url, "--token", token, "--ca-fingerprint", fingerprint, *more)

    def add_signatures(self):
        os.makedirs(self.path("signatures"), exist_ok=True)
        with open(self.path("signatures", "test.hdb"), "w", encoding="ascii") as file:
            file.write(SIGNATURES)

    def start(self):
        self.process = subprocess.Popen([self.program, "run", "--data", self.data], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True, errors="replace")
        threading.Thread(target=self._read_log, args=(self.process,), daemon=True).start()
        self.wait_running()

    def wait_running(self):
        wait_for("the agent's answer to status", lambda: self.command("status")[0] == 0)

    def _read_log(self, process):
        for line in process.stderr:
            self.lines.append(line)

    def status(self):
        return self.ask("status")

    def stop(self):
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.process = None
        return code

    def role_pid(self, role):
        """The process id of a role of this agent, None if there is none now."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if words[1:3] == [b"role", role.encode()] and self.data.encode() in words:
                return int(pid)
        return None

    def kill_role(self, role):
        pid = self.role_pid(role)
        if pid:
            os.kill(pid, signal.SIGKILL)
        return pid

    def kill(self):
        """The whole agent without a warning."""
        self.process.kill()
        self.process.wait(60)
        self.process = None

    def bait(self, count, prefix="bait"):
        """Test files that will be detected; their paths."""
        paths = []
        for i in range(count):
            path = os.path.join(self.files, f"{prefix}-{i:04}.com")
            with open(path, "wb") as file:
                file.write(EICAR)
            paths.append(path)
        return paths

    def check_log(self):
        text = "".join(self.lines)
        assert "Sanitizer" not in text and "runtime error" not in text, text[-6000:]

    def remove(self):
        if self.process:
            self.stop()
        shutil.rmtree(self.directory)
