#!/usr/bin/env python3
"""The manager's own certificates as an administrator has them."""
import datetime
import http.client
import os
import shutil
import ssl
import subprocess

from installation import PATIENCE, Site, free_port, main, program, run, wait_until

site = Site()


def certificates():
    return {row["name"]: row for row in site.json("cert", "list")}


def of_openssl(path, *what):
    done = subprocess.run(["openssl", "x509", "-in", path, "-noout", *what], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def listed():
    """What the list says is what OpenSSL's own tool says of the files."""
    rows = wait_until("all of them", lambda: len(certificates()) == 4 and certificates())
    assert set(rows) == {"authority", "server", "dialling", "console"}, rows
    for row in rows.values():
        path = os.path.join(site.manager.data, row["file"])
        assert of_openssl(path, "-fingerprint", "-sha256").split("=")[1].replace(":", "").lower() == row["fingerprint"]
        assert of_openssl(path, "-subject", "-nameopt", "RFC2253") == "subject=" + row["subject"], row
        assert of_openssl(path, "-issuer", "-nameopt", "RFC2253") == "issuer=" + row["issuer"], row
        end = datetime.datetime.strptime(of_openssl(path, "-enddate"), "notAfter=%b %d %H:%M:%S %Y GMT")
        assert moment(row["not_after"]) == end.replace(tzinfo=datetime.timezone.utc), row
        left = end.replace(tzinfo=datetime.timezone.utc) - datetime.datetime.now(datetime.timezone.utc)
        assert abs(row["days_left"] - left.days) <= 1 and not row["own"], row
    assert rows["authority"]["subject"] == rows["server"]["issuer"] == rows["dialling"]["issuer"]
    assert rows["console"]["issuer"] == rows["server"]["issuer"]
    wait_until("the console's is shown", lambda: on_console() == rows["console"]["fingerprint"])
    ports = site.json("ports", "--check")
    assert [row for row in ports if row["port"] == site.console and row["state"] == "listening"], ports
    site.muster("cert", "list").expect(0, "CERTIFICATE", "server", "DAYS LEFT")
    lines = site.muster("cert", "list", "-o", "csv").expect(0).out.splitlines()
    assert len(lines) == 5 and lines[0].startswith("name,not_after,days_left,renews_itself"), lines


def shown(*more, port=None):
    """SHA-256 of the certificate that a client is shown and OpenSSL has verified; None: it has not."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port or site.manager.port}", "-CAfile",
                           site.manager.ca, "-verify_return_error", "-verify_hostname", "localhost", *more],
                          stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode != 0:
        return None
    done = subprocess.run(["openssl", "x509", "-noout", "-fingerprint", "-sha256"], input=done.stdout,
                          capture_output=True, check=True)
    return done.stdout.decode().split("=")[1].strip().replace(":", "").lower()


def path(*names):
    return os.path.join(site.manager.data, *names)


def connections():
    """The sockets that the agents' link roles have open, by what no other socket will ever have."""
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read()
            if b"role\0link" not in words or site.directory.encode() not in words:
                continue
            found |= {os.readlink(f"/proc/{name}/fd/{fd}") for fd in os.listdir(f"/proc/{name}/fd")}
        except OSError:
            continue
    return {each for each in found if each.startswith("socket:")}


def renewed_on_demand():
    """Another key and certificate, taken up at once; the connection that an agent holds stays."""
    site.add_agent("one")
    before, held = certificates()["server"], connections()
    assert held, "the agent holds a connection"
    assert shown() == before["fingerprint"]
    answer = site.json("cert", "renew")
    after = certificates()["server"]
    assert answer["fingerprint"] == after["fingerprint"] != before["fingerprint"], (answer, after)
    assert after["subject"] == before["subject"] and after["not_after"] >= before["not_after"]
    wait_until("it is shown", lambda: shown() == after["fingerprint"])
    site.muster("computer", "scan", "one", "/usr/share/common-licenses/BSD", "--watch").expect(0)
    assert connections() >= held, "the connection was cut"
    assert site.wait_events(936)[0]["fields"]["expires"][:10] == after["not_after"][:10]
    assert [row for row in site.json("audit", "list") if row["action"] == "certificate.renew"]
    # One file holds both; the other one is a copy for people.
    with open(path("front", "tls.key"), encoding="ascii") as file:
        text = file.read()
    assert text.count("PRIVATE KEY") == 2 and text.count("BEGIN CERTIFICATE") == 1
    assert of_openssl(path("front", "tls.key"), "-fingerprint") == of_openssl(path("front", "tls.pem"), "-fingerprint")
    assert os.stat(path("front", "tls.key")).st_mode & 0o777 == 0o600
    site.muster("cert", "renew", "server-rsa").expect(1, "not in use")
    site.muster("cert", "renew", "nothing").expect(1, "no certificate of this name")
    site.muster("cert", "renew", "../users").expect(2)
    dialling = certificates()["dialling"]["fingerprint"]
    assert site.json("cert", "renew", "dialling")["fingerprint"] != dialling


def cut_between_the_files():
    """The copy of before is still there, or none: the pair in the key's file counts, and the copy is made again."""
    with open(path("front", "tls.pem"), "rb") as file:
        stale = file.read()
    site.muster("cert", "renew").expect(0)
    now = certificates()["server"]["fingerprint"]
    for copy in (stale, None):
        site.manager.stop()
        os.unlink(path("front", "tls.pem"))
        if copy:
            with open(path("front", "tls.pem"), "wb") as file:
                file.write(copy)
        site.manager.start()
        assert shown() == now == certificates()["server"]["fingerprint"]
        wait_until("the copy is right", lambda: os.path.exists(path("front", "tls.pem")) and of_openssl(
            path("front", "tls.pem"), "-fingerprint", "-sha256").split("=")[1].replace(":", "").lower() == now)
    site.wait_online("one")


def make_own(days, name="own"):
    """A certificate of an authority that is not Muster's: (key file, certificate file)."""
    key, certificate = site.path(name + ".key"), site.path(name + ".pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    key, "-out", certificate, "-days", str(days), "-subj", f"/CN={name}.example", "-addext",
                    "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    return key, certificate


def put(key, certificate, name="console"):
    """As an administrator does: to whom front/ belongs, readable by nobody else."""
    owner = os.stat(path("front"))
    for source, name, mode in ((certificate, name + ".pem", 0o644), (key, name + ".key", 0o600)):
        with open(source, "rb") as file, open(path("front", name + ".put"), "wb") as out:
            out.write(file.read())
        os.chown(path("front", name + ".put"), owner.st_uid, owner.st_gid)
        os.chmod(path("front", name + ".put"), mode)
        os.rename(path("front", name + ".put"), path("front", name))


def fingerprint_of(certificate):
    return of_openssl(certificate, "-fingerprint", "-sha256").split("=")[1].replace(":", "").lower()


def ours_of_the_console():
    ours = site.path("ours.key"), site.path("ours.pem")
    for name, source in zip(ours, ("console.key", "console.pem")):
        shutil.copyfile(path("front", source), name)
    return ours


def on_console(*more):
    return shown(*more, port=site.console)


def another_kind_of_key(key, certificate):
    """From EC to RSA and back, each alone: whoever takes no other kind is shown nothing, not the one before. A
    connection under way stays."""
    rsa_only, ec_only = (("-tls1_2", "-cipher", kind) for kind in ("aRSA", "aECDSA"))
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", site.path("rsa.key"), "-out",
         site.path("rsa.pem"), "-days", "3", "-subj", "/CN=rsa.example", "-addext", "subjectAltName=DNS:localhost"]).expect(0)
    rsa = site.path("rsa.pem")
    with Held(site.console) as held:
        put(site.path("rsa.key"), rsa)
        wait_until("it is served", lambda: on_console("-CAfile", rsa) == fingerprint_of(rsa))
        assert on_console("-CAfile", rsa, *rsa_only) == fingerprint_of(rsa)
        assert on_console("-CAfile", certificate, *ec_only) is None, "the one before is still shown"
        assert certificates()["console"]["problem"] is None and certificates()["console"]["key"] == "RSA"
        assert held.answers(), "the connection under way was cut"
    # One that no listener could show is not taken.
    run(["openssl", "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", site.path("weak.key"), "-out",
         site.path("weak.pem"), "-days", "3", "-subj", "/CN=weak.example"]).expect(0)
    put(site.path("weak.key"), site.path("weak.pem"))
    wait_until("it is said", lambda: "is not used" in (certificates()["console"]["problem"] or ""))
    site.muster("cert", "list").expect(0, "Certificate console: ", "key too small")
    assert on_console("-CAfile", rsa) == fingerprint_of(rsa)
    put(key, certificate)
    wait_until("the one before is served again", lambda: on_console("-CAfile", certificate) == fingerprint_of(certificate))
    assert on_console("-CAfile", rsa, *rsa_only) is None


class Held:
    """A connection that asks again and again."""

    def __init__(self, port):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=PATIENCE)

    def answers(self):
        kept = self.connection.sock
        self.connection.request("GET", "/healthz")
        answer = self.connection.getresponse()
        answer.read()
        return answer.status == 200 and (kept is None or self.connection.sock is kept)

    def __enter__(self):
        assert self.answers() and self.connection.sock is not None
        return self

    def __exit__(self, *rest):
        self.connection.close()


def one_of_another_authority():
    """It is served on the console's listener as soon as it is there, and stays: only whoever brought it replaces it.
    Agents never see it."""
    ours = ours_of_the_console()
    key, certificate = make_own(3)
    put(key, certificate)
    fingerprint, held = fingerprint_of(certificate), connections()
    wait_until("it is served", lambda: on_console("-CAfile", certificate) == fingerprint)
    assert shown() == certificates()["server"]["fingerprint"] != fingerprint
    done = subprocess.run(["curl", "-s", "-f", "--cacert", certificate, f"https://localhost:{site.console}/api/v1/openapi.json"],
                          capture_output=True)
    assert done.returncode == 0 and b"openapi" in done.stdout[:200], done
    row = certificates()["console"]
    assert row["own"] and not row["renews_itself"] and row["renews_at"] is None and row["days_left"] in (2, 3), row
    site.muster("cert", "renew", "console").expect(1, "of another authority", "console.pem")
    with open(path("front", "console.key"), "rb") as now, open(key, "rb") as brought:
        assert now.read() == brought.read()
    with open(path("front", "console.pem"), "w", encoding="ascii") as file:
        file.write("no certificate\n")
    wait_until("what is wrong is logged", lambda: "certificate.files_not_used" in site.manager.text())
    wait_until("and shown", lambda: "is not used" in (certificates()["console"]["problem"] or ""))
    assert connections() >= held, "the agent's connection was cut"
    another_kind_of_key(key, certificate)  # starts the manager again
    alert = next(row for row in site.json("alert", "list") if row["type"] == "certificate_expires")
    assert alert["state"] == "open" and alert["severity"] == "critical", alert
    put(*ours)
    wait_until("ours is served again", on_console)
    assert on_console() == certificates()["console"]["fingerprint"]
    assert certificates()["console"]["problem"] is None
    assert not certificates()["console"]["own"]
    site.wait_online("one")


def agents_are_never_locked_out():
    """One that they do not trust is refused on their listener, with the reason and what to do."""
    before = shown()
    put(*make_own(300, "lockout"), "tls")
    wait_until("it is refused", lambda: "they would be locked out" in site.manager.text())
    assert shown() == before
    site.muster("computer", "heartbeat", "one", "--watch").expect(0)
    site.muster("cert", "renew", "server").expect(0)  # ours again, in its place
    wait_until("it is shown", lambda: shown() not in (None, before))
    assert of_openssl(path("front", "tls.key"), "-issuer") == of_openssl(path("front", "dial.key"), "-issuer")
    before = shown()
    site.manager.stop()
    put(*make_own(300, "lockout"), "tls")
    run([program("muster-manager"), "run", "--data", site.manager.data]).expect(1, "locked out", "console_listen")
    run([program("muster-manager"), "certificate", "--data", site.manager.data]).expect(0, "tls.key")
    site.manager.start()
    assert shown() not in (None, before)
    site.wait_online("one")
    # Made anew beside a manager that runs: it is taken up.
    before = shown()
    run([program("muster-manager"), "certificate", "--data", site.manager.data]).expect(0)
    wait_until("it is taken up", lambda: shown() not in (None, before))
    # Nor is one that is gone an obstacle.
    site.manager.stop()
    for name in ("tls.key", "tls.pem"):
        os.unlink(path("front", name))
    run([program("muster-manager"), "run", "--data", site.manager.data]).expect(1, "muster-manager certificate")
    run([program("muster-manager"), "certificate", "--data", site.manager.data]).expect(0)
    site.manager.start()
    site.wait_online("one")


def gone_while_it_runs():
    """What is the manager's own is there again, key and copy; an administrator's is not made up."""
    for name, shows in (("tls", shown), ("console", on_console)):
        before = wait_until("it is shown", shows)
        for lost in ((name + ".key",), (name + ".pem",), (name + ".key", name + ".pem")):
            for file in lost:
                os.unlink(path("front", file))
            wait_until("it is there again", lambda lost=lost: all(os.path.exists(path("front", file)) for file in lost))
        assert shows() == before and fingerprint_of(path("front", name + ".pem")) == before
        assert fingerprint_of(path("front", name + ".key")) == before
        assert os.stat(path("front", name + ".key")).st_mode & 0o777 == 0o600
        assert not [row for row in certificates().values() if row["problem"]]
    ours = ours_of_the_console()
    key, certificate = make_own(300, "gone")
    put(key, certificate)
    wait_until("it is served", lambda: on_console("-CAfile", certificate) == fingerprint_of(certificate))
    os.unlink(path("front", "console.key"))
    wait_until("it is said", lambda: "is not used" in (certificates()["console"]["problem"] or ""))
    assert not os.path.exists(path("front", "console.key"))
    assert on_console("-CAfile", certificate) == fingerprint_of(certificate)
    put(*ours)
    wait_until("ours is served again", on_console)
    site.manager.stop()
    site.manager.start()
    wait_until("they are served", lambda: on_console() and shown())
    site.wait_online("one")


def what_cannot_be_used_is_told_and_left_alone():
    """At the start: what is wrong, with which file, and how it is mended. No file that somebody brought is written over."""
    ours = ours_of_the_console()
    key, certificate = make_own(300, "brought")
    other, _ = make_own(300, "another")
    made = {name: site.path("brought-" + name) for name in ("der.pem", "der.key", "locked.key", "both.p12")}
    for words in (["x509", "-in", certificate, "-outform", "DER", "-out", made["der.pem"]],
                  ["pkey", "-in", key, "-outform", "DER", "-out", made["der.key"]],
                  ["pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", made["locked.key"]],
                  ["pkcs12", "-export", "-in", certificate, "-inkey", key, "-passout", "pass:", "-out", made["both.p12"]]):
        run(["openssl", *words]).expect(0)
    site.manager.stop()
    for brought_key, brought_certificate, words in (
            (other, certificate, ["do not belong together"]),
            (None, certificate, ["console.pem is there without its key, front/console.key"]),
            (key, None, ["console.key is there without its certificate, front/console.pem"]),
            (key, made["der.pem"], ["console.pem", "openssl x509 -inform DER"]),
            (made["der.key"], certificate, ["console.key", "openssl pkey -inform DER"]),
            (made["locked.key"], certificate, ["console.key", "under a password", "openssl pkey -in"]),
            (key, made["both.p12"], ["console.pem", "openssl pkcs12 -nokeys"])):
        put(brought_key or key, brought_certificate or certificate)
        brought = {"console.key": brought_key, "console.pem": brought_certificate}
        for name in brought:
            if not brought[name]:
                os.unlink(path("front", name))
        run([program("muster-manager"), "run", "--data", site.manager.data]).expect(1, "where neither of the two files is", *words)
        for name, source in brought.items():
            assert os.path.exists(path("front", name)) == bool(source), name
            if source:
                with open(source, "rb") as before, open(path("front", name), "rb") as now:
                    assert before.read() == now.read(), name
    put(*ours)
    put(other, path("front", "tls.pem"), "tls-other")
    os.rename(path("front", "tls.key"), site.path("tls.key"))
    os.rename(path("front", "tls-other.key"), path("front", "tls.key"))
    os.unlink(path("front", "tls-other.pem"))
    run([program("muster-manager"), "run", "--data", site.manager.data]).expect(1, "do not belong together", "muster-manager certificate")
    os.rename(site.path("tls.key"), path("front", "tls.key"))
    site.manager.start()
    # Nor while it runs: by itself, or because somebody asks for another one.
    put(made["locked.key"], certificate)
    wait_until("it is said", lambda: "under a password" in (certificates()["console"]["problem"] or ""))
    site.muster("cert", "renew", "console").expect(1, "under a password")
    with open(made["locked.key"], "rb") as before, open(path("front", "console.key"), "rb") as now:
        assert before.read() == now.read()
    assert on_console() == certificates()["console"]["fingerprint"]
    put(*ours)
    wait_until("ours is in its place", lambda: not certificates()["console"]["problem"])
    site.wait_online("one")


def told_before_the_end():
    """One event a stage, one alert while it lasts, over restarts too; both end with the certificate."""
    ours = ours_of_the_console()

    def alerts():
        return [row for row in site.json("alert", "list") if row["type"] == "certificate_expires"]

    def stages():
        return [row["fields"]["stage"] for row in site.json("event", "list", "--type", "935")]

    assert not alerts() or alerts()[0]["state"] == "resolved"
    before, told = len(alerts()), len(stages())
    for days, severity, stage in ((30, "warning", "soon"), (3, "critical", "critical")):
        key, certificate = make_own(days, f"own{days}")
        put(key, certificate)
        wait_until("it is served", lambda: on_console("-CAfile", certificate))
        alert = wait_until("the alert", lambda: [row for row in alerts()
                                                 if row["state"] == "open" and row["severity"] == severity])[0]
        assert "certificate console" in alert["text"] and not alert["dismissible"], alert
        assert len(alerts()) == before + 1
        told += 1
        assert len(stages()) == told and stages()[0] == stage, stages()
        site.manager.stop()
        site.manager.start()
        assert len(alerts()) == before + 1 and len(stages()) == told
    put(*ours)
    wait_until("ours is served again", on_console)
    wait_until("the alert is over", lambda: alerts()[0]["state"] == "resolved")
    assert len(alerts()) == before + 1 and len(stages()) == told
    site.wait_online("one")


if __name__ == "__main__":
    with site:
        site.console = free_port()
        site.add_manager(f"[network]\nconsole_listen = 127.0.0.1:{site.console}\n")
        code = main([listed, renewed_on_demand, cut_between_the_files, one_of_another_authority,
                     agents_are_never_locked_out, gone_while_it_runs, what_cannot_be_used_is_told_and_left_alone, told_before_the_end])
    raise SystemExit(code)
