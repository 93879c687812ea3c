#!/usr/bin/env python3
"""The file of a key vanishes, is damaged or replaced under a running manager: it says so, works on, can be backed up, and
has the file again when it is put back or written anew; whatever is killed meanwhile."""
import os
import shutil
import signal

from installation import Site, main, run, wait_until

site = Site()
PASSWORD = b"a long password\n"
NAMES = ("keys/ca.key", "keys/server-authentication.key")
CA, SERVER = NAMES


def path(name, *more):
    return os.path.join(site.manager.data, *name.split("/")) + "".join(more)


def content(name, *more):
    with open(path(name, *more), "rb") as file:
        return file.read()


def put(name, what):
    """As an administrator does it, who is root: what keys may not even read."""
    with open(path(name, ".put"), "wb") as file:
        os.chmod(path(name, ".put"), 0o600)
        file.write(what)
    os.rename(path(name, ".put"), path(name))


def cert(*words, **more):
    return site.muster("cert", *words, "--password-file", "-", stdin=PASSWORD, **more)


def alerts(kind="key_file_lost"):
    return [alert for alert in site.json("alert", "list", "--state", "open") if alert["type"] == kind]


def in_order():
    return site.json("system", "show")["key_files_in_order"]


def events(number):
    return len(site.json("event", "list", "--type", str(number), "--limit", "1000"))


def part(role):
    """The pid of a role of the manager."""
    listed = run(["pgrep", "-P", str(site.manager.process.pid), "-f", f"role {role} "]).out.split()
    return int(listed[0]) if listed else None


def obeys():
    site.wait_online("there")
    site.muster("computer", "scan", "there", "/usr/share/common-licenses", "--watch", timeout=120).expect(0)


def is_lost(name, why):
    wait_until(f"{name}: it is said", lambda: any(name in alert["text"] and why in alert["text"] for alert in alerts()))
    alert = next(alert for alert in alerts() if name in alert["text"])
    assert alert["severity"] == "critical" and "muster cert backup" in alert["text"], alert
    assert not in_order()
    for words in (("cert", "list"), ("cert", "show")):
        site.muster(*words).expect(0, "THE FILE OF A KEY IS LOST", name, why, "muster cert backup", "muster cert rewrite")


def is_back():
    wait_until("it is said to be back", lambda: in_order() and not alerts())
    assert "IS LOST" not in site.muster("cert", "list").expect(0).err
    obeys()
    site.muster("cert", "renew", "server").expect(0)


def starts_again():
    """With what is in the files alone."""
    assert site.manager.stop() == 0
    site.manager.start()
    wait_until("both keys", lambda: all(site.json("system", "show")[key] for key in
                                        ("authority_present", "server_authentication_present")))
    is_back()


def gone_and_written_anew():
    for count, name in enumerate(NAMES, 1):
        keys, before = part("keys"), content(name)
        os.unlink(path(name))
        is_lost(name, "No such file")
        obeys()
        site.muster("cert", "rewrite").expect(0, "hold what the manager works with")
        is_back()
        # Of what `init` wrote, a key alone, the certificates are there now, too.
        assert before.strip() in content(name) and part("keys") == keys
        assert events(941) == events(942) == count
    assert any(entry["action"] == "key_files.write" for entry in site.json("audit", "list", "--limit", "20"))
    starts_again()


def gone_and_put_back():
    keys = part("keys")
    whole = {name: content(name) for name in NAMES}
    for name in NAMES:
        os.unlink(path(name))
    for name in NAMES:
        is_lost(name, "No such file")
    assert len(alerts()) == 2
    for name in NAMES:
        put(name, whole[name])
    is_back()
    assert part("keys") == keys, "the role that had the keys in memory was ended"
    starts_again()


def backed_up_from_memory():
    """And nothing but the backup is left afterwards."""
    fingerprint = site.json("system", "show")["ca_fingerprint"]
    key = site.json("cert", "show")["fingerprint"]
    for name in NAMES:
        os.unlink(path(name))
        is_lost(name, "No such file")
    cert("backup", site.path("keys.backup")).expect(0)
    os.kill(part("keys"), signal.SIGKILL)
    wait_until("both are missing", lambda: not site.json("system", "show")["authority_present"] and
               not site.json("system", "show")["server_authentication_present"])
    wait_until("the other alert is in place", lambda: alerts("authority_missing") and not alerts())
    cert("restore", site.path("keys.backup")).expect(0, "restored")
    wait_until("the authority is back", lambda: not alerts("authority_missing"))
    is_back()
    assert site.json("system", "show")["ca_fingerprint"] == fingerprint and site.json("cert", "show")["fingerprint"] == key
    starts_again()


def restored_while_in_memory():
    """Whoever has a backup may use it: what it holds is what is in memory, and is written. A person's own key likewise."""
    whole = {name: content(name) for name in NAMES}
    for name in NAMES:
        os.unlink(path(name))
        is_lost(name, "No such file")
    cert("restore", site.path("keys.backup")).expect(0, "restored")
    is_back()
    assert {name: content(name) for name in NAMES} == whole
    with open(site.path("own.key"), "wb") as file:
        file.write(whole[SERVER])
    put(SERVER, b"something else")
    is_lost(SERVER, "does not hold what this manager works with")
    cert("restore", site.path("keys.backup")).expect(1, "not touched", "--force")
    site.muster("cert", "import", site.path("own.key")).expect(1, "not touched", "--force")
    os.unlink(path(SERVER))
    site.muster("cert", "import", site.path("own.key")).expect(0)
    is_back()
    assert content(SERVER) == whole[SERVER]


def replaced_by_others():
    """What somebody has put there is not used, and not thrown away."""
    other = b"-----BEGIN PRIVATE KEY-----\nnot a key at all\n-----END PRIVATE KEY-----\n"
    for name in NAMES:
        whole = content(name)
        put(name, other)
        is_lost(name, "does not hold what this manager works with")
        site.muster("cert", "rewrite").expect(1, "not touched", "--force")
        # A change of the key would write it, too.
        site.muster(*(("cert", "create") if name == SERVER else ("cert", "renew", "authority"))).expect(
            1, "cert rewrite --force")
        assert content(name) == other
        site.muster("cert", "rewrite", "--force").expect(0)
        is_back()
        assert content(name, ".replaced") == other and whole.strip() in content(name)
        whole = content(name)
        # Another time: the first one is still there.
        with open(path(name), "r+b") as file:
            file.truncate(40)
        is_lost(name, "does not hold what this manager works with")
        site.muster("cert", "rewrite", "--force").expect(0)
        is_back()
        assert content(name, ".replaced") == other and content(name, ".replaced.2") == whole[:40]
    starts_again()


def open_to_others():
    os.chmod(path(CA), 0o644)
    is_lost(CA, "make it 0600")
    os.chmod(path(CA), 0o600)
    is_back()


def killed():
    """Everything at once, between the loss and what mends it: told once, and nothing is made up."""
    whole, before = content(CA), events(941)
    os.unlink(path(CA))
    is_lost(CA, "No such file")
    site.manager.stop(signal.SIGKILL)
    site.manager.start()
    wait_until("the authority is missing", lambda: alerts("authority_missing") and not alerts())
    assert events(941) == before + 1 and not os.path.exists(path(CA)), "another key was made silently"
    put(CA, whole)
    wait_until("it is taken up", lambda: site.json("system", "show")["authority_present"])
    is_back()
    # Front alone: what keys has in memory is told again, not anew.
    os.unlink(path(CA))
    is_lost(CA, "No such file")
    os.kill(part("front"), signal.SIGKILL)
    wait_until("it answers", site.manager.healthy)
    wait_until("it is known again", lambda: not in_order())
    assert len(alerts()) == 1 and events(941) == before + 2
    site.muster("cert", "rewrite").expect(0)
    is_back()
    assert content(CA) == whole


def folder_gone():
    """Nothing can be written then: what to do is said. One that is put back with its files is written in again."""
    whole, folder, keys = {name: content(name) for name in NAMES}, path("keys"), part("keys")
    fingerprint, owner = site.json("system", "show")["ca_fingerprint"], os.stat(path("keys"))
    shutil.rmtree(folder)
    for name in NAMES:
        is_lost(name, "No such file")
    site.muster("cert", "rewrite").expect(1, "the folder keys/ is gone", "muster cert backup")
    cert("backup", site.path("folder.backup")).expect(0)
    os.mkdir(folder, 0o700)
    os.chown(folder, owner.st_uid, owner.st_gid)
    put(CA, whole[CA])
    wait_until("one is back", lambda: len(alerts()) == 1)
    assert part("keys") == keys, "the key that was in memory alone is lost"
    put(SERVER, whole[SERVER])
    is_back()
    wait_until("it was started anew", lambda: part("keys") not in (None, keys))
    is_back()
    site.muster("cert", "create").expect(0)
    # With nothing but the backup of before.
    site.manager.stop()
    shutil.rmtree(folder)
    site.manager.start()
    cert("restore", site.path("folder.backup")).expect(0)
    wait_until("both are there", lambda: site.json("system", "show")["authority_present"])
    assert site.json("system", "show")["ca_fingerprint"] == fingerprint and stat_of(folder) == (owner.st_uid, 0o700)


def stat_of(name):
    facts = os.stat(name)
    return facts.st_uid, facts.st_mode & 0o777


def never_both():
    """A missing key that is put back ends the role: not while the other one is in its memory alone."""
    whole = {name: content(name) for name in NAMES}
    site.manager.stop()
    os.unlink(path(SERVER))
    site.manager.start()
    wait_until("it is missing", lambda: not site.json("system", "show")["server_authentication_present"])
    os.unlink(path(CA))
    is_lost(CA, "No such file")
    keys = part("keys")
    put(SERVER, whole[SERVER])
    wait_until("it is seen", lambda: "keys.not_taken_up" in site.manager.text())
    assert part("keys") == keys
    site.muster("cert", "rewrite").expect(0)
    wait_until("the other one is taken up", lambda: site.json("system", "show")["server_authentication_present"])
    is_back()
    assert content(CA) == whole[CA] and content(SERVER) == whole[SERVER]


def public_ones():
    """What is no secret is simply there again."""
    for name in ("ca.pem", "server-authentication.pub"):
        before = content(name)
        os.unlink(path(name))
        wait_until(f"{name} is there", lambda name=name: os.path.exists(path(name)))
        assert content(name) == before
        with open(path(name), "wb") as file:
            file.write(b"damaged\n")
        wait_until(f"{name} is whole", lambda name=name, before=before: content(name) == before)
    obeys()


if __name__ == "__main__":
    with site:
        site.add_manager()
        site.add_agent("there")
        code = main([gone_and_written_anew, gone_and_put_back, backed_up_from_memory, restored_while_in_memory, replaced_by_others, open_to_others,
                     killed, never_both, public_ones, folder_gone])
    raise SystemExit(code)
