#!/usr/bin/env python3
"""Agents installed over SSH: the system's ssh against real SSH servers on this machine.

Each server is a computer: a port, host key and configuration of its own, and
the agent's directories below one of its own. Names and passwords of people who
sign in there are in files that are seen in a mount namespace alone; where there
is none, what needs them is left out, and said.
"""
import os
import shutil
import subprocess

from computers import Computer, installing, make_package, site
from installation import free_port, program, run, wait_until

SSHD = "/usr/sbin/sshd"
PASSWORD = "correct horse battery"


def keygen(path, *more):
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path, *more]).expect(0)
    return path


class Place:
    """What all servers share: keys of those who sign in, and people with passwords where that is possible."""

    def __init__(self):
        self.directory = site.path("ssh")
        os.makedirs(self.directory, mode=0o755)
        self.key = keygen(self.path("key"))
        self.stranger = keygen(self.path("stranger"))
        os.makedirs("/run/sshd", exist_ok=True)
        self.namespace = self.make_people()
        for name, text in (("password", PASSWORD), ("wrong", "not it")):
            with open(self.path(name), "w") as file:
                file.write(text + "\n")
            os.chmod(self.path(name), 0o600)

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def make_people(self):
        """root with a password, and two others of whom one may use sudo; the words that begin a program among them."""
        crypted = run(["openssl", "passwd", "-6", "-stdin"], stdin=PASSWORD.encode() + b"\n").expect(0).out.strip()
        self.home = self.path("home")
        os.makedirs(self.home, mode=0o755)
        people = {"root": (0, "/root"), "deployer": (54321, self.home), "nobodyelse": (54322, self.home)}
        for name in ("passwd", "shadow"):
            with open("/etc/" + name) as file:
                lines = [line for line in file if line.split(":")[0] not in people]
            for person, (number, home) in people.items():
                lines.append(f"{person}:x:{number}:{number}::{home}:/bin/sh\n" if name == "passwd"
                             else f"{person}:{crypted}:19000:0:99999:7:::\n")
            with open(self.path(name), "w") as file:
                file.writelines(lines)
            os.chmod(self.path(name), 0o644 if name == "passwd" else 0o600)
        with open(self.path("sudoers"), "w") as file:
            file.write("Defaults env_keep += \"MUSTER_PREFIX MUSTER_DATA MUSTER_BIN MUSTER_SERVICE MUSTER_NAME TMPDIR\"\n"
                       "root ALL=(ALL) ALL\ndeployer ALL=(ALL) ALL\n")
        os.chmod(self.path("sudoers"), 0o440)
        binds = " && ".join(f"mount --bind {self.path(name)} /etc/{name}" for name in ("passwd", "shadow", "sudoers"))
        words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", binds + ' && exec "$@"', "sh"]
        if shutil.which("sudo") and run([*words, "true"]).code == 0:
            return words
        print("no mount namespace or no sudo here: sign-in by password and sudo are left out")
        return []


class Host:
    """An SSH server, and the computer behind it."""

    def __init__(self, name, sudo=False, **env):
        self.name = name
        self.port = free_port()
        self.computer = Computer(name, **env)
        self.directory = place.path(name)
        os.makedirs(self.directory)
        self.key = keygen(os.path.join(self.directory, "host_key"))
        shown = {key: value for key, value in self.computer.env.items()
                 if key.startswith("MUSTER_") or key in ("TMPDIR", "PATH")}
        setting = " ".join(f'"{key}={value}"' for key, value in shown.items() if key != "MUSTER_REPORT")
        config = os.path.join(self.directory, "config")
        authorized = os.path.join(self.directory, "authorized")
        shutil.copy(place.key + ".pub", authorized)
        with open(config, "w") as file:
            file.write(f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.key}\nPidFile none\n"
                       f"AuthorizedKeysFile {authorized}\nStrictModes no\nPermitRootLogin yes\nUsePAM no\n"
                       f"PasswordAuthentication yes\nMaxStartups 100\nUseDNS no\nSetEnv {setting}\n")
        self.process = None
        self.arguments = [*place.namespace, SSHD, "-D", "-e", "-f", config]

    def start(self):
        with open(os.path.join(self.directory, "log"), "ab") as log:
            self.process = subprocess.Popen(self.arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_until("the SSH server", self.answers)
        hosts.append(self)
        return self

    def answers(self):
        return "ssh-ed25519" in run(["ssh-keyscan", "-p", str(self.port), "127.0.0.1"]).out

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def known(self, key=None):
        """A known_hosts file with this server's key, or another's."""
        path = os.path.join(self.directory, "known_hosts")
        with open((key or self.key) + ".pub") as public, open(path, "w") as file:
            file.write(f"[127.0.0.1]:{self.port} {' '.join(public.read().split()[:2])}\n")
        return path

    def fingerprint(self):
        return run(["ssh-keygen", "-lf", self.key + ".pub"]).expect(0).out.split()[1]

    def install(self, *words, key=None, known=None, **more):
        how = ["--known-hosts", known or self.known()] if "--host-key-fingerprint" not in words else []
        how += [] if "--password-file" in words else ["--identity-file", key or place.key]
        user = [] if "--user" in words else ["--user", "root"]
        return site.muster("computer", "install", "127.0.0.1", "--port", str(self.port), *user, *how, *words,
                           timeout=300, **more)


hosts = []
place = None


def row_of(ended, code=0):
    rows = ended.expect(code).json
    assert len(rows) == 1, rows
    return rows[0]


def tokens_left():
    return [token for token in site.json("token", "list", "--enrolment") if not token["revoked"]]


def by_key():
    host = Host("bykey").start()
    ended = host.install("--group", "remote")
    ended.expect(0, "127.0.0.1: Connecting", "127.0.0.1: Fetching the agent", "installed", "bykey")
    site.wait_online("bykey")
    shown = site.json("computer", "show", "bykey")
    assert shown["group"] == "remote", shown
    # Again: nothing is done; and no token is left for anybody.
    row = row_of(host.install("-o", "json"))
    assert row["result"] == "unchanged" and row["computer"] == shown["id"] and row["cause"] is None, row
    assert not tokens_left(), tokens_left()
    make_package("9-remote")
    row = row_of(host.install("-o", "json"))
    assert row["result"] == "updated" and row["agent_version"] == "9-remote", row
    site.wait_online("bykey")


def host_keys():
    host = Host("hostkeys").start()
    other = keygen(os.path.join(host.directory, "other"))
    row = row_of(host.install("-o", "json", known=host.known(other)), 1)
    assert row["result"] == "failed" and row["cause"] == "host_key", row
    row = row_of(host.install("-o", "json", known="/dev/null"), 1)
    assert row["cause"] == "host_key", row
    # By fingerprint: another one ends it before anybody signs in.
    print_of_other = run(["ssh-keygen", "-lf", other + ".pub"]).expect(0).out.split()[1]
    host.install("--host-key-fingerprint", print_of_other).expect(1, "its host keys are others", host.fingerprint())
    host.install("--host-key-fingerprint", "SHA256:abc").expect(2, "ssh-keygen -lf")
    with open(os.path.join(host.directory, "log")) as log:
        assert "Accepted" not in log.read()
    assert not host.computer.installed()
    row = row_of(host.install("--host-key-fingerprint", host.fingerprint(), "-o", "json"))
    assert row["result"] == "installed", row
    assert not [name for name in os.listdir("/tmp") if name.startswith("muster-known-hosts-")]


def not_let_in():
    host = Host("closed").start()
    row = row_of(host.install("-o", "json", key=place.stranger), 1)
    assert row["cause"] == "denied", row
    row = row_of(host.install("--password-file", place.path("wrong"), "-o", "json"), 1)
    assert row["cause"] == "denied", row
    assert not tokens_left()


def by_password():
    if not place.namespace:
        return
    host = Host("bypassword").start()
    row = row_of(host.install("--password-file", place.path("password"), "-o", "json"))
    assert row["result"] == "installed", row
    # From standard input just as well.
    row = row_of(host.install("--password-file", "-", "-o", "json", stdin=PASSWORD.encode() + b"\n"))
    assert row["result"] == "unchanged", row


def by_sudo():
    if not place.namespace:
        return
    host = Host("bysudo").start()
    os.chown(host.computer.env["TMPDIR"], 54321, 54321)
    os.chmod(host.computer.env["TMPDIR"], 0o777)
    # Not root, and no sudo asked for; sudo without its password; one who may not; then properly.
    deployer = ("--user", "deployer")
    row = row_of(host.install(*deployer, "-o", "json"), 1)
    assert row["cause"] == "script" and "needs root" in row["detail"], row
    row = row_of(host.install(*deployer, "--sudo", "-o", "json"), 1)
    assert row["result"] == "failed" and row["cause"] == "script", row
    row = row_of(host.install("--user", "nobodyelse", "--sudo", "--password-file", place.path("password"), "-o", "json"), 1)
    assert "sudoers" in row["detail"] and PASSWORD not in str(row), row
    assert not host.computer.installed()
    row = row_of(host.install(*deployer, "--sudo", "--sudo-password-file", place.path("password"), "-o", "json"))
    assert row["result"] == "installed", row
    row = row_of(host.install(*deployer, "--sudo", "--password-file", place.path("password"), "-o", "json"))
    assert row["result"] == "unchanged", row


def nobody_there():
    row = row_of(site.muster("computer", "install", "127.0.0.1", "--port", str(free_port()), "--user", "root",
                             "--known-hosts", "/dev/null", "--identity-file", place.key, "-o", "json"), 1)
    assert row["cause"] == "unreachable", row
    row = row_of(site.muster("computer", "install", "nowhere.invalid", "--user", "root", "--known-hosts", "/dev/null",
                             "--identity-file", place.key, "-o", "json", timeout=120), 1)
    assert row["cause"] == "unreachable", row
    for words, reason in ((["--", "-oProxyCommand=id"], "no host name"), (["a;b"], "no host name"), (["a", "--user", "-x"], "no user name"),
                          (["a", "--parallel", "0"], "--parallel"), (["a", "--timeout", "x"], "--timeout"),
                          (["a", "b", "--host-key-fingerprint", "SHA256:x"], "one host"),
                          (["a", "--sudo-password-file", "x"], "--sudo"),
                          (["a", "--identity-file", place.key, "--password-file", "x"], "not both")):
        site.muster("computer", "install", *words).expect(2, reason)


def half_way():
    """The script ends in the middle, and the connection does: told, and the next run goes on from there."""
    host = Host("halfway", MUSTER_WAIT="1").start()
    packages = os.path.join(site.manager.data, "packages")
    archive = os.path.join(packages, "muster-agent-linux-x86_64.tar.gz")
    with open(archive, "r+b") as file:
        file.seek(2000)
        byte = file.read(1)
        file.seek(2000)
        file.write(bytes([byte[0] ^ 1]))
    row = row_of(host.install("-o", "json"), 1)
    assert row["cause"] == "script" and "SHA-256 differs" in row["detail"], row
    make_package("9-remote")
    slow = Host("slow", PATH=slow_path()).start()
    row = row_of(slow.install("--timeout", "3s", "-o", "json"), 1)
    assert row["cause"] == "timed_out", row
    host.computer.env["MUSTER_WAIT"] = "60"
    again = Host("again").start()
    for each in (host, slow, again):
        each.stop()
    broken = Host("broken", PATH=broken_path(again)).start()
    row = row_of(broken.install("-o", "json"), 1)
    assert row["cause"] in ("broken", "script"), row


def slow_path():
    """A PATH in which tar takes for ever."""
    directory = place.path("slowly")
    os.makedirs(directory)
    with open(os.path.join(directory, "tar"), "w") as file:
        file.write("#!/bin/sh\nexec sleep 20\n")
    os.chmod(os.path.join(directory, "tar"), 0o755)
    return directory + ":/usr/sbin:/usr/bin:/sbin:/bin"


def broken_path(host):
    """One in which tar ends the SSH connection that it is run over."""
    directory = place.path("breaking")
    os.makedirs(directory)
    with open(os.path.join(directory, "tar"), "w") as file:
        file.write("#!/bin/sh\np=$$\nwhile [ \"$p\" -gt 1 ]; do\n"
                   "p=$(awk '{ print $4 }' /proc/$p/stat)\n"
                   "grep -q '^sshd' /proc/$p/comm && { kill -9 $p; exit 1; }\ndone\n")
    os.chmod(os.path.join(directory, "tar"), 0o755)
    return directory + ":/usr/sbin:/usr/bin:/sbin:/bin"


def several():
    """Side by side; those that fail do not keep the others back, and the exit code tells."""
    one = Host("several").start()
    known = one.known()
    with open(known, "a") as file:
        file.write(f"[localhost]:{one.port} {open(one.key + '.pub').read()}")
    words = ["computer", "install", "127.0.0.1", "root@localhost", "nowhere.invalid", "--port", str(one.port), "--user", "root",
             "--known-hosts", known, "--identity-file", place.key, "--parallel", "2"]
    rows = site.muster(*words, "-o", "json", timeout=300).expect(1, "1 of 3 failed").json
    assert [row["host"] for row in rows] == ["127.0.0.1", "localhost", "nowhere.invalid"], rows
    # Both names are one computer: one run waits for the other.
    assert sorted(row["result"] for row in rows) == ["failed", "installed", "unchanged"], rows
    table = site.muster(*words, timeout=300).expect(1).out
    assert "HOST" in table and "unreachable" in table, table


def seen_by_others():
    """No argument of any program, here or there, holds token or password."""
    if not place.namespace:
        return
    host = Host("watched").start()
    seen = []
    process = subprocess.Popen([program("muster"), "computer", "install", "127.0.0.1", "--port", str(host.port), "--user",
                                "root", "--known-hosts", host.known(), "--password-file", place.path("password")],
                               env=dict(os.environ, XDG_CONFIG_HOME=site.path("cli"), MUSTER_SERVER=site.manager.url,
                                        MUSTER_CA=site.manager.ca), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        for number in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{number}/cmdline", "rb") as file:
                    seen.append(file.read())
            except OSError:
                pass
    assert process.wait() == 0
    everything = b"\n".join(set(seen))
    assert b"ssh\0" in everything and b"activate" in everything
    assert b"mse_" not in everything and PASSWORD.encode() not in everything


def make_place():
    global place
    place = Place()
    make_package("8-remote")


def stop_hosts():
    for each in hosts:
        each.stop()


if __name__ == "__main__":
    if not os.access(SSHD, os.X_OK):
        print("this needs an SSH server's program")
        raise SystemExit(77)
    raise SystemExit(installing([by_key, host_keys, not_let_in, by_password, by_sudo, nobody_there, half_way, several,
                                 seen_by_others], begin=make_place, end=stop_hosts))
