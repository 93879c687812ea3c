#!/usr/bin/env python3
"""New computers from one pasted line: the line, the script it fetches, packages; and whoever stands between."""
import fcntl
import http.server
import os
import re
import shutil
import ssl
import threading
import time

from computers import PACKAGE, Computer, installing, line, make_package, site
from installation import HERE, Manager, free_port, program, run, wait_until

SCRIPT = os.path.normpath(os.path.join(HERE, "../../../src/manager/front/install.sh"))


def tools_without(computer, *left_out, **instead):
    """A PATH that holds all programs but some, and others in place of some."""
    directory = os.path.join(computer.root, "path")
    os.makedirs(directory)
    for place in ("/usr/bin", "/bin", "/usr/sbin", "/sbin"):
        for name in os.listdir(place):
            if name not in left_out and name not in instead and not os.path.lexists(os.path.join(directory, name)):
                os.symlink(os.path.join(place, name), os.path.join(directory, name))
    for name, text in instead.items():
        with open(os.path.join(directory, name), "w") as file:
            file.write("#!/bin/sh\n" + text + "\n")
        os.chmod(os.path.join(directory, name), 0o755)
    return directory


# --- what is asked of the manager ---

def no_package_yet():
    refused = site.muster("deployment", "script").expect(1, "no package of the agent for linux-x86_64", "scripts/package-agent")
    assert refused.err.count("no package of the agent") == 1, refused
    site.muster("deployment", "script", "--login", "--cron").expect(2, "not both")
    site.muster("deployment", "script", "--uses", "0").expect(2, "--uses")


def the_line():
    make_package()
    made = site.json("deployment", "script", "--policy", "base", "--group", "web", "--uses", "3", "--expires", "2h")
    assert made["uses_left"] == 3 and made["group"] == "web" and made["agent_version"] == "1.0-test", made
    assert site.manager.identity["ca_fingerprint"] in made["script"] and made["token"] in made["script"]
    assert made["script"].count("\n") == 1
    assert any(each["id"] == made["id"] for each in site.json("token", "list", "--enrolment"))
    audit = site.json("audit", "list", "--action", "deployment.create")
    assert audit and made["token"] not in str(audit)
    assert site.json("deployment", "script")["uses_left"] == 1
    assert site.json("deployment", "script", "--platform", "linux")["platform"] == "linux-x86_64"
    site.muster("deployment", "script", "--platform", "linux-m68k").expect(1, "no package of the agent for linux-m68k")
    site.muster("deployment", "script", "--platform", "../keys").expect(1)
    site.muster("deployment", "script", "--policy", "nowhere").expect(1, "no policy")
    for url in ("http://x:1", "https://x/y", "https://x;id", "https://$(id)", "https://-x"):
        site.muster("deployment", "script", "--url", url).expect(1, "address")
    cron = line("--cron").splitlines()
    # Cron cuts longer lines, reads % as a new line, and shows arguments to everybody: the token is not among them.
    assert len(cron[-1]) < 998 and "%" not in cron[-1] and "mse_" not in cron[-1], cron
    assert re.fullmatch(r"\d+ [0-5] \* \* \* root .*", cron[-1]), cron
    viewer = site.json("token", "create", "--role", "operator", "--expires", "1h")["token"]
    site.muster("deployment", "script", env={"MUSTER_TOKEN": viewer}).expect(1)


# --- pasted ---

def from_nothing():
    computer = Computer("pasted")
    text = line("--group", "web")
    computer.paste(text).expect(0, "Fetching the agent 1.0-test", "is installed", "muster-result installed 1.0-test")
    site.wait_online("pasted")
    shown = site.json("computer", "show", "pasted")
    assert shown["group"] == "web", shown
    assert computer.status()["connected"]
    assert os.path.realpath(os.path.join(computer.env["MUSTER_BIN"], "muster-agent")).startswith(computer.root)
    # Once more: nothing changes, though the token is used up.
    computer.paste(text).expect(0, "Nothing to do", "muster-result unchanged")
    assert site.json("computer", "show", "pasted")["id"] == shown["id"]
    # Stopped, it is started; and quiet where there is nothing to say.
    computer.stop()
    computer.paste(text).expect(0, "muster-result started")
    site.wait_online("pasted")
    # Another version takes the place of this one; the identity stays.
    make_package("1.1-test")
    computer.paste(text).expect(0, "Restarting", "muster-result updated 1.1-test")
    site.wait_online("pasted")
    assert site.json("computer", "show", "pasted")["id"] == shown["id"]


def updated():
    """The login form does the same, quietly: installs, leaves alone, updates."""
    computer = Computer("login")
    tools = tools_without(computer, logger=f"cat >> {computer.root}/told")
    text = line("--login", "--uses", "5")
    assert text.rstrip().endswith("&")

    def told():
        with open(os.path.join(computer.root, "told")) as file:
            return file.read()

    def login():
        # The shell ends; what it began goes on behind it.
        open(os.path.join(computer.root, "told"), "w").close()
        run(["sh"], env={**computer.env, "PATH": tools, "MUSTER_REPORT": ""}, stdin=text.encode() + b"wait\n",
            timeout=300).expect(0)
        return told()

    assert "is installed; this computer is login" in login()
    site.wait_online("login")
    identity = site.json("computer", "show", "login")["id"]
    assert login() == "", told()
    before = computer.version()
    make_package("1.2-test")
    assert "1.2-test is updated" in login(), told()
    assert computer.version() != before
    site.wait_online("login")
    assert site.json("computer", "show", "login")["id"] == identity
    versions = os.listdir(os.path.join(computer.env["MUSTER_PREFIX"], "versions"))
    assert len(versions) == 2, versions
    # A run that meets another one leaves at once.
    with open(os.path.join(computer.env["MUSTER_PREFIX"], ".lock")) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert login() == "", told()


def units_of_before():
    """The unit that an earlier version wrote is written anew, without a restart of the agent; somebody's own is kept."""
    computer = Computer("unit")
    agent = os.path.join(computer.env["MUSTER_PREFIX"], "current", "bin", "muster-agent")
    data, unit, calls = computer.env["MUSTER_DATA"], os.path.join(computer.root, "unit"), os.path.join(computer.root, "calls")
    loaded, deadly = os.path.join(computer.root, "loaded"), os.path.join(computer.root, "deadly")
    tools = tools_without(computer, systemctl=f"""
if [ "$1" = show ]; then
  [ {unit} -nt {loaded} ] && echo NeedDaemonReload=yes || echo NeedDaemonReload=no
  exit 0
fi
echo "$*" >>{calls}
case "$1" in
daemon-reload) [ ! -e {deadly} ] || {{ rm {deadly}; kill -9 $PPID; exit 1; }}; touch {loaded} ;;
start) setsid {agent} run --data {data} >>{data}/agent.log 2>&1 </dev/null & ;;
stop) {agent} stop --data {data} ;;
esac""")

    def paste():
        open(calls, "w").close()
        return computer.paste(text, PATH=tools, MUSTER_SERVICE="systemd", MUSTER_UNIT=unit)

    def read(path):
        with open(path) as file:
            return file.read()

    text = line()
    paste().expect(0, "is installed")
    site.wait_online("unit")
    now, pid = read(unit), computer.status()["pid"]
    assert "\nRestart=on-failure\n" in now and "start muster-agent.service" in read(calls), (now, read(calls))
    assert f"unit {unit}\n" in read(os.path.join(computer.env["MUSTER_PREFIX"], "installation"))
    assert unit not in paste().expect(0, "Nothing to do").out and read(calls) == ""
    before = "".join(each for each in now.splitlines(True) if not each.startswith("#"))
    with open(unit, "w") as file:
        file.write(before.replace("on-failure", "always"))
    paste().expect(0, f"{unit} is written anew", "muster-result unchanged")
    assert read(unit) == now and read(calls) == "daemon-reload\n", read(calls)
    assert computer.status()["pid"] == pid
    # Killed when it is written and systemd is not told yet: the next run tells it, and the one after that does nothing.
    with open(unit, "w") as file:
        file.write(before.replace("on-failure", "always"))
    open(deadly, "w").close()
    assert paste().code != 0 and not os.path.exists(deadly) and read(unit) == now
    paste().expect(0, f"{unit} is written anew", "muster-result unchanged")
    assert read(unit) == now and read(calls) == "daemon-reload\n", read(calls)
    paste().expect(0, "Nothing to do")
    assert read(calls) == "" and computer.status()["pid"] == pid
    with open(unit, "a") as file:
        file.write("MemoryMax=1G\n")
    paste().expect(0, "MemoryMax=1G) and stays as it is")
    assert read(unit) == now + "MemoryMax=1G\n" and read(calls) == ""


def cron_file():
    """As cron reads it: assignments are the environment, the last line goes to /bin/sh -c."""
    computer = Computer("cron")
    lines = line("--cron").splitlines()
    env = dict(each.split("=", 1) for each in lines if re.match(r"[A-Z_]+=", each))
    command = lines[-1].split(" root ", 1)[1]
    ended = run(["/bin/sh", "-c", command], env={**computer.env, **env, "MUSTER_REPORT": ""}, timeout=300)
    ended.expect(0, "this computer is cron")
    site.wait_online("cron")
    assert run(["/bin/sh", "-c", command], env={**computer.env, **env, "MUSTER_REPORT": ""}, timeout=300).expect(0).out == ""


# --- what can be wrong with the computer ---

def with_other_shells():
    """bash, and wget in place of curl."""
    computer = Computer("wget")
    if shutil.which("wget"):
        path = tools_without(computer, "curl")
        computer.paste(line(), shell="bash", PATH=path).expect(0, "is installed")
        site.wait_online("wget")
    else:
        computer.paste(line(), shell="bash").expect(0, "is installed")


def unfit_computers():
    text = line("--uses", "10")
    computer = Computer("bare")
    computer.paste(text, PATH=tools_without(computer, "curl", "wget")).expect(1, "nothing was installed")
    computer = Computer("nouser")
    os.chown(computer.env["TMPDIR"], 65534, 65534)
    ended = run(["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "sh"], env=computer.env,
                stdin=text.encode(), timeout=120)
    ended.expect(1, "needs root")
    computer = Computer("motorola")
    path = tools_without(computer, uname='case $1 in -m) echo m68k;; *) echo Linux;; esac')
    computer.paste(text, PATH=path).expect(1, "no package of the agent for linux-m68k")
    computer = Computer("notools")
    computer.paste(text, PATH=tools_without(computer, "flock")).expect(1, "programs are missing: flock")
    for each in ("bare", "nouser", "motorola", "notools"):
        assert not os.path.exists(site.path("computers", each, "opt", "current")), each


def full_disk():
    computer = Computer("full")
    prefix = computer.env["MUSTER_PREFIX"]
    os.makedirs(prefix)
    mounted = run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", prefix])
    if mounted.code != 0:
        print("no mounts here: a df that says so stands for a full disk")
        path = tools_without(computer, df="echo F; echo none 1024 1000 24 98% /")
        computer.paste(line(), PATH=path).expect(1, "make room on that disk")
        return
    try:
        computer.paste(line()).expect(1, "make room on that disk", prefix)
        # Room that goes away meanwhile: the download itself fails, and leaves nothing behind.
        path = tools_without(computer, df="echo F; echo none 1 1 99999999 1% /")
        computer.paste(line(), PATH=path).expect(1, "disk")
        assert set(os.listdir(prefix)) <= {".lock", "versions"}, os.listdir(prefix)
    finally:
        run(["umount", prefix])


def broken_version():
    """An update whose agent does not run: the version before stays, and goes on running."""
    computer = Computer("kept")
    text = line()
    computer.paste(text).expect(0, "is installed")
    site.wait_online("kept")
    directory = site.path("broken")
    os.makedirs(directory)
    shutil.copy(program("muster-agent-scan"), directory)
    with open(os.path.join(directory, "muster-agent"), "w") as file:
        file.write("#!/bin/sh\necho no such instruction >&2\nexit 1\n")
    os.chmod(os.path.join(directory, "muster-agent"), 0o755)
    before = computer.version()
    packages = os.path.join(site.manager.data, "packages")
    run([PACKAGE, "--bin", directory, "--output", packages, "--version", "2-broken"], timeout=120).expect(0)
    computer.paste(text).expect(1, "does not run on this computer", "no such instruction")
    assert computer.version() == before and computer.status()["connected"]
    # One that starts and ends: put back.
    with open(os.path.join(directory, "muster-agent"), "w") as file:
        file.write(f"#!/bin/sh\ncase $1 in run) exit 1;; esac\nexec {program('muster-agent')} \"$@\"\n")
    run([PACKAGE, "--bin", directory, "--output", packages, "--version", "3-broken"], timeout=120).expect(0)
    computer.paste(text, MUSTER_WAIT="5").expect(1, "version before is in place again")
    assert computer.version() == before
    site.wait_online("kept")
    make_package("1.3-test")


# --- tokens ---

def tokens():
    expired = line("--expires", "1s")
    made = time.time()
    revoked = site.json("deployment", "script")
    site.muster("token", "revoke", "--enrolment", revoked["id"]).expect(0)
    wait_until("the token's expiry", lambda: time.time() > made + 1.1)
    Computer("expired").paste(expired).expect(1, "could not be activated", "has expired")
    Computer("revoked").paste(revoked["script"]).expect(1, "revoked")
    once = line("--uses", "1")
    first = Computer("first")
    first.paste(once).expect(0)
    second = Computer("second")
    second.paste(once).expect(1, "used as often as it may be")
    # With a new line it goes on from there.
    second.paste(line()).expect(0, "this computer is second")
    site.wait_online("second")


# --- whoever stands between ---

def tampered():
    """Archive or manifest that are not what they say."""
    packages = os.path.join(site.manager.data, "packages")
    archive = os.path.join(packages, "muster-agent-linux-x86_64.tar.gz")
    with open(archive, "r+b") as file:
        file.seek(1000)
        byte = file.read(1)
        file.seek(1000)
        file.write(bytes([byte[0] ^ 1]))
    computer = Computer("tampered")
    computer.paste(line()).expect(1, "SHA-256 differs", "nothing was installed")
    assert not computer.installed()
    text = line()
    with open(archive, "ab") as file:
        file.write(b"x")
    site.muster("deployment", "script").expect(1, "not of the size")
    computer.paste(text).expect(1, "not of the size")
    with open(archive.replace(".tar.gz", ".manifest"), "a") as file:
        file.write("version twice\n")
    site.muster("deployment", "script").expect(1, "version", "twice")
    make_package("1.4-test")


class Between:
    """Somebody else's server at an address that the line names: each path's answer as given."""

    def __init__(self, certificate, key, answers):
        self.asked = asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                body = answers.get(self.path)
                self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *words):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *rest):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def false_authority(directory):
    """A CA of somebody else, and a certificate for localhost by it."""
    os.makedirs(directory)

    def made(*words):
        run(["openssl", *words]).expect(0)

    ca, key = os.path.join(directory, "ca.pem"), os.path.join(directory, "ca.key")
    made("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout", key,
         "-out", ca, "-subj", "/CN=Muster CA")
    leaf, leaf_key, request = (os.path.join(directory, name) for name in ("leaf.pem", "leaf.key", "leaf.csr"))
    made("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", leaf_key, "-out", request,
         "-subj", "/CN=localhost")
    extensions = os.path.join(directory, "extensions")
    with open(extensions, "w") as file:
        file.write("subjectAltName=DNS:localhost\n")
    made("x509", "-req", "-in", request, "-CA", ca, "-CAkey", key, "-CAcreateserial", "-days", "2", "-out", leaf,
         "-extfile", extensions)
    return ca, leaf, leaf_key


def man_in_the_middle():
    """A false manager: with its own CA; with the true one's certificate in front of its own; hidden before it."""
    ca, leaf, leaf_key = false_authority(site.path("false"))
    with open(ca, "rb") as file:
        false = file.read()
    with open(site.manager.ca, "rb") as file:
        true = file.read()
    body = b"".join(each + b"\n" for each in true.splitlines() if b"-----" not in each)
    proof = site.path("executed")
    answers = {"/agent/v1/install.sh": f"#!/bin/sh\ntouch {proof}\n".encode()}
    offers = {
        "its own": false,
        "the true one, then its own": true + false,
        "its own, then the true one": false + true,
        "the true one as a preamble": body + false,
        "the preamble ended by what no decoder takes": body + b"!\n" + false,
        "the true one in one PEM with its own": true.replace(b"-----END", false + b"-----END", 1),
        "nothing": b"",
        "not PEM": os.urandom(3000),
        "a page": b"<html>sign in to the network</html>" * 100,
    }
    for name, offer in offers.items():
        answers["/ca.pem"] = offer
        with Between(leaf, leaf_key, answers) as between:
            url = f"https://localhost:{between.port}"
            computer = Computer("between-" + str(between.port))
            text = line("--url", url)
            ended = computer.paste(text)
            assert ended.code != 0, f"{name}: {ended}"
            # Where the true certificate was taken out, nothing else of that server was believed with it.
            assert "/agent/v1/install.sh" not in between.asked, f"{name}: {between.asked}"
            assert not os.path.exists(proof), f"{name}: what came was executed"
            assert not os.path.exists(computer.env["MUSTER_PREFIX"]), name
            if offer is false:
                ended.expect(1, "did not give the CA certificate with this fingerprint", "nothing was installed")


def another_manager():
    """A computer that belongs to another manager stays there."""
    other = Manager(site.directory, "other").init().start()
    try:
        shutil.copytree(os.path.join(site.manager.data, "packages"), os.path.join(other.data, "packages"),
                        dirs_exist_ok=True)
        computer = Computer("faithful")
        computer.paste(line()).expect(0)
        identity = computer.status()["computer"]
        token = run([program("muster-manager"), "token", "--data", other.data]).expect(0).out.strip()
        env = {"MUSTER_SERVER": other.url, "MUSTER_CA": other.ca, "MUSTER_TOKEN": token}
        theirs = site.muster("deployment", "script", env=env).expect(0).out
        computer.paste(theirs).expect(1, "belongs to " + site.manager.url)
        assert computer.status()["computer"] == identity
    finally:
        other.stop()


def the_manager_is_away():
    url = f"https://localhost:{free_port()}"
    Computer("away").paste(line("--url", url)).expect(1, "nothing was installed")
    # Of a name that the certificate has not, curl says so.
    ended = Computer("misnamed").paste(line("--url", f"https://127.0.0.2:{site.manager.port}"))
    assert ended.code != 0 and not os.path.exists(site.path("computers", "misnamed", "opt")), str(ended)


def what_is_served():
    def get(path):
        return run(["curl", "-s", "-o", site.path("got"), "-w", "%{http_code}", "--path-as-is", "--cacert",
                    site.manager.ca, site.manager.url + path]).out

    assert get("/agent/v1/install.sh") == "200"
    with open(site.path("got")) as got, open(SCRIPT) as source:
        assert got.read() == source.read()
    assert get("/agent/v1/manifests/linux-x86_64") == "200"
    for path in ("/agent/v1/packages/linux-m68k", "/agent/v1/packages/..", "/agent/v1/packages/../keys/ca.key",
                 "/agent/v1/packages/%2e%2e%2fmanager.ini", "/agent/v1/manifests/", "/agent/v1/packages/" + "a" * 64):
        assert get(path) == "404", path
    target = os.path.join(site.manager.data, "packages", "muster-agent-linux-link.tar.gz")
    os.symlink(os.path.join(site.manager.data, "manager.ini"), target)
    shutil.copy(os.path.join(site.manager.data, "packages", "muster-agent-linux-x86_64.manifest"),
                target.replace(".tar.gz", ".manifest"))
    assert get("/agent/v1/packages/linux-link") != "200"


if __name__ == "__main__":
    raise SystemExit(installing([no_package_yet, the_line, from_nothing, updated, units_of_before, cron_file, with_other_shells,
                                 unfit_computers, full_disk, broken_version, tokens, tampered, man_in_the_middle,
                                 another_manager, the_manager_is_away, what_is_served]))
