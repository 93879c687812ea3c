#!/usr/bin/env python3
"""The first sign-in: whom the CLI believes, and what it says when it does not."""
import os
import stat

from installation import Site, free_port, main

site = Site()


def login(*words, **more):
    """Without anything remembered or given in the environment."""
    env = {"XDG_CONFIG_HOME": site.path(more.pop("config", "fresh")), "MUSTER_SERVER": "", "MUSTER_CA": ""}
    return site.muster(*words, env=env, **more)


def password():
    return site.manager.identity["password"].encode() + b"\n"


def sign_in(*words, **more):
    return login("login", "--user", site.manager.identity["user"], "--password-file", "-", *words,
                 stdin=more.pop("stdin", password()), **more)


def by_fingerprint():
    fingerprint = site.manager.identity["ca_fingerprint"]
    sign_in("--server", site.manager.url, "--ca-fingerprint", fingerprint.upper()).expect(0, "signed in")
    kept = site.path("fresh", "muster", "ca.pem")
    with open(kept, "rb") as ours, open(site.manager.ca, "rb") as theirs:
        assert ours.read() == theirs.read()
    assert stat.S_IMODE(os.stat(site.path("fresh", "muster", "session.json")).st_mode) == 0o600
    # Nothing needs to be given from now on.
    login("computer", "list", "-o", "json").expect(0)
    login("logout").expect(0)


def another_fingerprint():
    wrong = "0" * 64
    ended = sign_in("--server", site.manager.url, "--ca-fingerprint", wrong, config="wrong")
    ended.expect(1, "another CA certificate", site.manager.identity["ca_fingerprint"])
    assert not os.path.exists(site.path("wrong", "muster")), "something was kept of a manager that is not believed"
    sign_in("--server", site.manager.url, "--ca-fingerprint", "abc", config="wrong").expect(2, "64 hexadecimal digits")
    sign_in("--server", site.manager.url, "--ca", site.manager.ca, "--ca-fingerprint", wrong,
            config="wrong").expect(2, "not both")
    sign_in("--ca-fingerprint", wrong, config="wrong").expect(2, "which manager?")


def nobody_known():
    # Neither CA nor fingerprint: the password is not sent to somebody unknown.
    sign_in("--server", site.manager.url, config="none").expect(1, "not signed by", "--ca-fingerprint")
    sign_in("--server", f"https://localhost:{free_port()}", "--ca", site.manager.ca,
            config="none").expect(1, "is the manager running")
    sign_in("--server", f"http://localhost:{site.manager.port}", config="none").expect(2, "https://")
    sign_in("--server", site.manager.url, "--ca", "/dev/null", config="none").expect(1, "--ca")
    wrong = sign_in("--server", site.manager.url, "--ca", site.manager.ca, config="none", stdin=b"wrong\n")
    wrong.expect(1, "name or the password is wrong")
    assert "muster login" not in wrong.err, str(wrong)  # which is what was just done


def tokens_for_the_api():
    env = {"XDG_CONFIG_HOME": site.path("none"), "MUSTER_TOKEN": "nonsense"}
    site.muster("computer", "list", env=env).expect(1, "not a token")
    env["MUSTER_TOKEN"] = ""
    site.muster("computer", "list", env=env).expect(1, "needs a token")
    made = site.json("token", "create", "--role", "viewer", "--expires", "1h")
    env["MUSTER_TOKEN"] = made["token"]
    site.muster("computer", "list", env=env).expect(0)
    site.muster("token", "create", "--enrolment", env=env).expect(1)
    site.muster("token", "revoke", made["id"]).expect(0)
    site.muster("computer", "list", env=env).expect(1, "revoked")


if __name__ == "__main__":
    with site:
        site.add_manager()
        code = main([by_fingerprint, another_fingerprint, nobody_known, tokens_for_the_api])
    raise SystemExit(code)
