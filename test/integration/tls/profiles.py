#!/usr/bin/env python3
"""Every suite of every TLS profile, tried on a real manager with real clients:
accepted by the profiles that have it, refused by the others.

usage: profiles.py MUSTER-MANAGER MUSTER

One manager listens on a port for each profile that this OpenSSL can serve. OpenSSL's own client
offers one version and one suite at a time and must get an answer, or must not; Debian's sslscan
must find the same. What cannot be served is refused at the start with the reason.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
import manager as managers  # noqa: E402

WAIT_S = 120
RSA_TAKEN = '"certificate.taken","name":"server-rsa"'

# The specification's table, written a second time: 80-ports-tls.md. Names as there; OpenSSL's beside them.
SUITES = {
    "ECDHE_ECDSA_AES256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE_ECDSA_AES128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE_ECDSA_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE_RSA_AES256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE_RSA_AES128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE_RSA_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE_RSA_AES256_CBC_SHA384": "ECDHE-RSA-AES256-SHA384",
    "ECDHE_RSA_AES128_CBC_SHA256": "ECDHE-RSA-AES128-SHA256",
    "RSA_AES256_CBC_SHA256": "AES256-SHA256",
    "RSA_AES128_CBC_SHA256": "AES128-SHA256",
    "RSA_AES128_GCM_SHA256": "AES128-GCM-SHA256",
    "RSA_AES256_CBC_SHA": "AES256-SHA",
    "RSA_AES128_CBC_SHA": "AES128-SHA",
    "RSA_3DES_EDE_CBC_SHA": "DES-CBC3-SHA",
}
OF_13 = {"TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"}
STRONG = {"ECDHE_RSA_AES256_GCM_SHA384", "ECDHE_RSA_AES128_GCM_SHA256", "ECDHE_RSA_AES256_CBC_SHA384",
          "ECDHE_RSA_AES128_CBC_SHA256"}
PROFILES = {
    "modern": ({"1.2", "1.3"}, {
        "ECDHE_ECDSA_AES256_GCM_SHA384", "ECDHE_ECDSA_AES128_GCM_SHA256", "ECDHE_ECDSA_CHACHA20_POLY1305_SHA256",
        "ECDHE_RSA_AES256_GCM_SHA384", "ECDHE_RSA_AES128_GCM_SHA256", "ECDHE_RSA_CHACHA20_POLY1305_SHA256"}),
    "strong-12": ({"1.2"}, STRONG),
    "fips-12": ({"1.2"}, {"ECDHE_RSA_AES256_CBC_SHA384", "ECDHE_RSA_AES128_CBC_SHA256", "RSA_AES256_CBC_SHA256",
                          "RSA_AES128_CBC_SHA256"}),
    "compat-10.0": ({"1.2"}, STRONG | {"RSA_AES256_CBC_SHA256", "RSA_AES128_CBC_SHA256"}),
    "legacy-9.6": ({"1.0", "1.2"}, {"RSA_AES256_CBC_SHA256", "RSA_AES128_GCM_SHA256", "RSA_AES128_CBC_SHA256",
                                    "RSA_AES256_CBC_SHA", "RSA_AES128_CBC_SHA"}),
    "legacy-9.6-3des": ({"1.0"}, {"RSA_AES256_CBC_SHA", "RSA_3DES_EDE_CBC_SHA", "RSA_AES128_CBC_SHA"}),
    "legacy-9.5": ({"1.0"}, {"RSA_AES256_CBC_SHA", "RSA_AES128_CBC_SHA"}),
}
FLAGS = {"1.0": "-tls1", "1.1": "-tls1_1", "1.2": "-tls1_2", "1.3": "-tls1_3"}


def expected(profile):
    """{(version, OpenSSL's name of the suite)} that a listener with this profile accepts."""
    versions, suites = PROFILES[profile]
    found = {("1.3", suite) for suite in OF_13 if "1.3" in versions}
    for version in versions - {"1.3"}:
        for suite in suites:
            if version == "1.2" or suite.endswith("_SHA"):  # the others came with TLS 1.2
                found.add((version, SUITES[suite]))
    return found


def offers():
    """What OpenSSL's client here can offer at all."""
    for version in ("1.0", "1.1", "1.2"):
        for suite in SUITES.values():
            if suite != SUITES["RSA_3DES_EDE_CBC_SHA"] and (version == "1.2" or suite.endswith("-SHA")):
                yield version, suite
    for suite in sorted(OF_13):
        yield "1.3", suite


def openssl_gets_an_answer(manager, port, version, suite, *more):
    """True if a request made with this version and suite alone is answered."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", FLAGS[version], "-CAfile", manager.path("ca.pem"),
               "-verify_return_error", "-verify_hostname", "localhost", "-quiet", "-no_ign_eof"]
    command += ["-ciphersuites", suite] if version == "1.3" else ["-cipher", suite + ":@SECLEVEL=0"]
    done = subprocess.run(command + ["-ign_eof", *more], input=b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=WAIT_S)
    answered = done.stdout.startswith(b"HTTP/1.1 200 ")
    # By the server's alert; or by its answer in TLS 1.0, the next below 1.1 that it has.
    if not answered and not any(word in done.stderr for word in (b"alert", b"unsupported protocol")):
        raise AssertionError(f"{version} {suite}: neither answered nor refused: {done.stderr.decode()}")
    return answered


def sslscan_finds(port):
    done = subprocess.run(["sslscan", "--no-colour", "--xml=-", "--no-fallback", "--no-renegotiation", "--no-heartbleed",
                           "--no-compression", "--no-groups", f"127.0.0.1:{port}"], stdout=subprocess.PIPE, check=True,
                          timeout=WAIT_S)
    scan = xml.etree.ElementTree.fromstring(done.stdout)
    return {(cipher.get("sslversion").replace("TLSv", ""), cipher.get("cipher")) for cipher in scan.iter("cipher")}


# --- a manager and its settings ---

def set_network(manager, **settings):
    """Puts settings into [network] of manager.ini; None takes one out."""
    with open(manager.path("manager.ini"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    section, kept = None, []
    for line in lines:
        if line.startswith("["):
            section = line
        name = line.split("=")[0].strip()
        if section != "[network]" or name not in settings:
            kept.append(line)
    place = kept.index("[network]") + 1
    kept[place:place] = [f"{name} = {value}" for name, value in settings.items() if value is not None]
    with open(manager.path("manager.ini"), "w", encoding="utf-8") as file:
        file.write("\n".join(kept) + "\n")


def refusal(manager, *arguments):
    done = subprocess.run([manager.program, "run", "--data", manager.data, *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=WAIT_S)
    assert done.returncode == 1, (done.returncode, done.stdout)
    return done.stdout


def is_refused(manager, settings, *words):
    """At the start and by --check-config alike, with these words."""
    set_network(manager, **settings)
    for arguments in ((), ("--check-config",)):
        said = refusal(manager, *arguments)
        for word in words:
            assert word in said, (settings, word, said)
    set_network(manager, **{name: None for name in settings})


def wait_for_line(manager, text):
    give_up = time.monotonic() + WAIT_S
    while not any(text in line for line in list(manager.lines)):
        assert time.monotonic() < give_up, text + " was not logged:\n" + "".join(manager.lines)
        time.sleep(0.02)


def wait_for_alerts(manager, token, state, count):
    give_up = time.monotonic() + WAIT_S
    while True:
        found = manager.call("GET", f"/api/v1/alerts?type=legacy_tls&state={state}", token, expect=200).json["items"]
        if len(found) == count:
            return found
        assert time.monotonic() < give_up, found
        time.sleep(0.05)


# --- the tests ---

def what_may_not_be_served_is_refused(manager):
    is_refused(manager, {"tls_profiles": "modern, moderner"}, "[network] tls_profiles", "there is no TLS profile \"moderner\"")
    is_refused(manager, {"tls_profiles": "modern 4: strong-12"}, "nothing listens on port 4:")
    is_refused(manager, {"tls_profiles": "modern 70000: strong-12"}, "there is no port 70000")
    is_refused(manager, {"tls_profiles": f"{manager.port}:"}, "no TLS profile is named")
    is_refused(manager, {"tls_profiles": "modern legacy-9.5 legacy-9.6"}, "legacy-9.6 legacy-9.5", "legacy_tls = accept-risk")
    is_refused(manager, {"tls_profiles": "fips-12 modern"}, "a FIPS profile needs a port of its own")


def what_openssl_lacks_is_refused(manager, served):
    for name, row in served.items():
        if not row["served"]:
            is_refused(manager, {"tls_profiles": name, "legacy_tls": "accept-risk"}, f"TLS profile {name} cannot be served",
                       row["cause"])
    assert not served["legacy-9.6-3des"]["served"], "Debian's OpenSSL has 3DES again: try it"


def ready(manager):
    answer = manager.call("GET", "/readyz")
    return answer.status, answer.json["status"]


def without_rsa(manager, **settings):
    set_network(manager, **settings)
    for name in ("tls-rsa.key", "tls-rsa.pem"):
        if os.path.exists(manager.path("front", name)):
            os.unlink(manager.path("front", name))
    manager.lines.clear()


def start_with_keys_stopped(manager):
    """Nothing is signed before the process whose number is returned goes on. None: it was done already."""
    stopped = []

    def stop():
        wait_for_line(manager, '"which":"keys"')
        line = next(line for line in list(manager.lines) if '"which":"keys"' in line)
        stopped.append(int(re.search(r'"pid":(\d+)', line[line.index('"which":"keys"'):])[1]))
        os.kill(stopped[0], signal.SIGSTOP)

    thread = threading.Thread(target=stop)
    thread.start()
    manager.start()
    thread.join()
    if any(RSA_TAKEN in line for line in list(manager.lines)):
        os.kill(stopped[0], signal.SIGCONT)
        return None
    return stopped[0]


def nobody_is_refused_at_a_first_start(manager):
    """Before there is an RSA certificate a listener that needs it lets wait whoever comes; the others serve."""
    old, new = managers.free_port(), manager.port
    settings = {"listen": f"127.0.0.1:{new}, 127.0.0.1:{old}", "tls_profiles": f"modern, {old}: strong-12"}
    keys = None
    while keys is None:
        without_rsa(manager, **settings)
        keys = start_with_keys_stopped(manager)
        if keys is None:
            manager.stop()
    suite = SUITES["ECDHE_RSA_AES128_GCM_SHA256"]
    asked = []
    early = threading.Thread(target=lambda: asked.append(openssl_gets_an_answer(manager, old, "1.2", suite)))
    early.start()
    with socket.create_connection(("127.0.0.1", old), 20) as silent:
        assert ready(manager) == (503, f"port {old} waits for its certificate with an RSA key")
        token = manager.sign_in()
        rows = {row["port"]: row for row in manager.call("GET", "/api/v1/ports", token, expect=200).json["items"]}
        assert "takes nobody before its certificate" in rows[old]["detail"] and rows[new]["detail"] == "", rows
        silent.setblocking(False)
        try:
            assert silent.recv(1) and False, "it was answered, or closed"
        except BlockingIOError:
            pass
    assert not asked
    os.kill(keys, signal.SIGCONT)
    early.join()
    assert asked == [True], "who came early was refused"
    assert ready(manager) == (200, "ok")
    rows = {row["port"]: row for row in manager.call("GET", "/api/v1/ports", token, expect=200).json["items"]}
    assert rows[old]["detail"] == "" and rows[old]["state"] == "listening", rows
    manager.stop()


def what_cannot_be_made_holds_up_nobody_else(manager):
    """Without the authority's key there is no RSA certificate: a port for both kinds serves those that need none."""
    old, new = managers.free_port(), manager.port
    without_rsa(manager, listen=f"127.0.0.1:{new}, 127.0.0.1:{old}", tls_profiles=f"modern strong-12, {old}: strong-12")
    os.rename(manager.path("keys", "ca.key"), manager.path("ca.key.away"))
    manager.start()
    wait_for_line(manager, '"front.listener_opened"')
    assert ready(manager) == (503, f"port {old} waits for its certificate with an RSA key")
    assert not openssl_gets_an_answer(manager, new, "1.2", SUITES["ECDHE_RSA_AES128_GCM_SHA256"])
    os.rename(manager.path("ca.key.away"), manager.path("keys", "ca.key"))
    manager.stop()
    manager.start()
    assert openssl_gets_an_answer(manager, old, "1.2", SUITES["ECDHE_RSA_AES128_GCM_SHA256"])
    assert openssl_gets_an_answer(manager, new, "1.2", SUITES["ECDHE_RSA_AES128_GCM_SHA256"])
    assert ready(manager) == (200, "ok")
    manager.stop()


def a_console_is_served_with_the_kind_of_key_that_it_needs(manager):
    """Its certificate is the only one on its port: for strong-12 one with an RSA key, made anew where there is another."""
    console, suite = managers.free_port(), SUITES["ECDHE_RSA_AES256_GCM_SHA384"]
    set_network(manager, listen=f"127.0.0.1:{manager.port}", console_listen=f"127.0.0.1:{console}", tls_profiles=None)
    manager.start()
    wait_for_line(manager, '"certificate.taken","name":"console"')
    assert not openssl_gets_an_answer(manager, console, "1.2", suite)
    manager.stop()
    manager.lines.clear()
    set_network(manager, tls_profiles=f"modern, {console}: strong-12")
    manager.start()
    assert openssl_gets_an_answer(manager, console, "1.2", suite)
    assert sslscan_finds(console) == expected("strong-12")
    assert not openssl_gets_an_answer(manager, manager.port, "1.2", suite), "agents' own is not its affair"
    manager.stop()
    manager.lines.clear()
    manager.start()
    assert openssl_gets_an_answer(manager, console, "1.2", suite)
    assert not any('"certificate.taken"' in line for line in manager.lines), "it was made a third time"
    manager.stop()
    # An administrator's is not replaced: one that nobody could connect with is refused.
    ours = {name: open(manager.path("front", name), "rb").read() for name in ("console.key", "console.pem")}
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    manager.path("front", "console.key"), "-out", manager.path("front", "console.pem"), "-days", "3", "-subj",
                    "/CN=own.example"], check=True, capture_output=True)
    manager.settle()
    said = refusal(manager)
    assert all(word in said for word in ("front/console.pem has a key of kind EC", f"port {console} are for RSA keys alone",
                                         "bring a certificate with an RSA key")), said
    for name, before in ours.items():
        with open(manager.path("front", name), "wb") as file:
            file.write(before)
    set_network(manager, console_listen=None, tls_profiles=None)


def each_profile_accepts_its_own(manager, ports):
    for name, port in ports.items():
        wanted = expected(name)
        for offer in offers():
            got = openssl_gets_an_answer(manager, port, *offer)
            assert got == (offer in wanted), f"{name}, {offer}: {'accepted' if got else 'refused'}"
        found = sslscan_finds(port)
        assert found == wanted, (name, "sslscan: too many", found - wanted, "missing", wanted - found)


def an_ordinary_manager_has_one_certificate(manager):
    wanted = {(version, suite) for version, suite in expected("modern") if "RSA" not in suite}
    assert sslscan_finds(manager.port) == wanted
    for group, accepted in (("X25519", True), ("P-256", True), ("ffdhe2048", False), ("ffdhe8192", False)):
        got = openssl_gets_an_answer(manager, manager.port, "1.3", "TLS_AES_128_GCM_SHA256", "-groups", group)
        assert got == accepted, group
    assert not os.path.exists(manager.path("front", "tls-rsa.key"))
    rows = manager.call("GET", "/api/v1/alerts?type=legacy_tls", manager.sign_in(), expect=200).json["items"]
    assert rows == []


def profiles_by_command(program, manager, token):
    environment = dict(os.environ, MUSTER_SERVER=f"https://localhost:{manager.port}", MUSTER_CA=manager.path("ca.pem"),
                       MUSTER_TOKEN=token)
    done = subprocess.run([program, "tls", "profiles", "-o", "json"], env=environment, stdout=subprocess.PIPE, check=True,
                          timeout=WAIT_S)
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert list(rows) == list(PROFILES)
    for name, row in rows.items():
        assert set(row["versions"]) == {"TLS " + version for version in PROFILES[name][0]}, row
        assert set(row["suites"]) == PROFILES[name][1], row
    return rows


def main():
    program, command = sys.argv[1:3]
    manager = managers.Manager(program)
    try:
        what_may_not_be_served_is_refused(manager)
        manager.start()
        rows = profiles_by_command(command, manager, manager.sign_in())
        an_ordinary_manager_has_one_certificate(manager)
        manager.stop()
        what_openssl_lacks_is_refused(manager, rows)
        nobody_is_refused_at_a_first_start(manager)
        what_cannot_be_made_holds_up_nobody_else(manager)
        a_console_is_served_with_the_kind_of_key_that_it_needs(manager)

        ports = {name: managers.free_port() for name, row in rows.items() if row["served"]}
        ports["modern"] = manager.port
        listen = ", ".join(f"127.0.0.1:{port}" for port in ports.values())
        own = ", ".join(f"{port}: {name}" for name, port in ports.items() if name != "modern")
        set_network(manager, listen=listen, tls_profiles="modern, " + own, legacy_tls="accept-risk")
        without_rsa(manager)
        manager.start()
        wait_for_line(manager, '"tls.legacy_profiles"')
        each_profile_accepts_its_own(manager, {name: port for name, port in ports.items() if name != "modern"})
        wait_for_line(manager, RSA_TAKEN)  # the port of modern waited for none
        each_profile_accepts_its_own(manager, {"modern": manager.port})
        token = manager.sign_in()
        for name, row in profiles_by_command(command, manager, token).items():
            assert row["enabled"] == (name in ports), row
            assert row["listeners"] == ([f"127.0.0.1:{ports[name]}"] if name in ports else []), row
        assert manager.call("GET", "/api/v1/system", token, expect=200).json["legacy_tls"] is True
        alert = wait_for_alerts(manager, token, "open", 1)[0]
        assert "legacy-9.6 legacy-9.5" in alert["text"] and not alert["dismissible"], alert
        manager.stop()

        # The RSA certificate is there from the first moment now; one port takes what any of its profiles does.
        manager.lines.clear()
        set_network(manager, listen=f"127.0.0.1:{manager.port}", tls_profiles="modern, compat-10.0", legacy_tls=None)
        manager.start()
        assert sslscan_finds(manager.port) == expected("modern") | expected("compat-10.0")
        assert not any(RSA_TAKEN in line or "tls.legacy" in line for line in manager.lines)
        token = manager.sign_in()
        wait_for_alerts(manager, token, "resolved", 1)
        wait_for_alerts(manager, token, "open", 0)
        manager.stop()

        # A certificate without its key: made anew.
        set_network(manager, tls_profiles=None, rsa_certificate="yes")
        os.unlink(manager.path("front", "tls-rsa.key"))
        manager.start()
        wait_for_line(manager, RSA_TAKEN)
        assert openssl_gets_an_answer(manager, manager.port, "1.2", SUITES["ECDHE_RSA_AES128_GCM_SHA256"])
        assert sslscan_finds(manager.port) == expected("modern")
    finally:
        if manager.process:
            manager.stop()
        shutil.rmtree(manager.directory)
    print("ok")


if __name__ == "__main__":
    main()
