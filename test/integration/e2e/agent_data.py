#!/usr/bin/env python3
"""Enrolment refused for each cause; damage to an agent's data directory and settings."""
import os
import time

from installation import Agent, Site, free_port, main, run, wait_until

site = Site()


def activate(agent, token, *more, url=None, fingerprint=None, code=1):
    return agent("activate", url or site.manager.url, "--token", token, "--ca-fingerprint",
                 fingerprint or site.manager.identity["ca_fingerprint"], *more)


def refused_enrolments():
    agent = Agent(site.directory, "refused")
    token = site.token()
    expired = site.json("token", "create", "--enrolment", "--expires", "1s")["token"]
    made = time.time()
    revoked = site.json("token", "create", "--enrolment")
    site.muster("token", "revoke", "--enrolment", revoked["id"]).expect(0)
    viewer = site.json("token", "create", "--role", "viewer", "--expires", "1h")["token"]
    activate(agent, "x").expect(2, "begins with mse_")
    activate(agent, viewer).expect(2, "not an enrolment token")
    activate(agent, token[:-4] + ("aaaa" if token[-4:] != "aaaa" else "bbbb")).expect(2, "mistyped")
    activate(agent, token, fingerprint="00").expect(2, "64 hexadecimal digits")
    activate(agent, token, fingerprint="0" * 64).expect(1, "compare the fingerprint")
    activate(agent, token, url=site.manager.url.replace("https", "http")).expect(2, "https://")
    activate(agent, token, url=f"https://localhost:{free_port()}").expect(1, "Connection refused", "check that the manager runs")
    activate(agent, token, url="https://nowhere.invalid:4343").expect(1, "name service")
    activate(agent, revoked["token"]).expect(1, "revoked")
    wait_until("the token's expiry", lambda: time.time() > made + 1.1)
    activate(agent, expired).expect(1, "expired")
    activate(agent, token, "--name", "a\nb").expect(1, "--name")
    agent("activate", site.manager.url).expect(2, "--ca-fingerprint is missing")
    agent("activate", site.manager.url, "--ca-fingerprint",
          site.manager.identity["ca_fingerprint"]).expect(1, "an enrolment token is needed", "--token")
    assert site.json("computer", "list") == []
    once = site.token("--uses", "1")
    activate(agent, once).expect(0, "Next: muster-agent run")
    # The same agent again is no second use; another one is.
    activate(agent, once).expect(0, "already")
    activate(Agent(site.directory, "second"), once).expect(1, "as often as it may")
    activate(Agent(site.directory, "third"), token, "--name", site.json("computer", "list")[0]["name"]).expect(0)
    names = [computer["name"] for computer in site.json("computer", "list")]
    assert len(set(names)) == 2, names
    causes = [event["fields"]["cause"] for event in site.wait_events(705, 4)]
    assert any("revoked" in cause for cause in causes) and any("expired" in cause for cause in causes), causes


def settings():
    agent = Agent(site.directory, "settings")
    activate(agent, site.token()).expect(0)
    path = os.path.join(agent.data, "agent.ini")
    with open(path) as file:
        good = file.read()
    lines = good.count("\n")
    with open(path, "a") as file:
        file.write("[link]\nheartbeat_interval = 1s\npol = held\n[scan]\nworkers = 1000\nfoo\n")
    for more in ([], ["--check-config"]):
        run(agent.arguments + more).expect(
            1, f"agent.ini:{lines + 2}: [link] heartbeat_interval = 1s: allowed: 10s to 1d",
            f"agent.ini:{lines + 3}: [link] pol: no such setting", f"agent.ini:{lines + 5}: [scan] workers",
            f"agent.ini:{lines + 6}: ", "4 problems")
    with open(path, "w") as file:
        file.write(good.replace("#schedule = off", "schedule = daily 25:00")
                   .replace("#exclude_paths = ", "exclude_paths = relative").replace("link_user = ", "link_user = nobody-has-this-"))
    for more in ([], ["--check-config"]):
        run(agent.arguments + more).expect(1, "[scan] schedule", "'relative' is not an absolute path", "[process] link_user",
                                           "3 problems")


def damaged_logs():
    agent = site.add_agent("damaged")
    site.muster("computer", "heartbeat", "damaged", "--watch").expect(0)
    assert agent.stop() == 0
    for name in ("spool.log", "journal.log"):
        path = os.path.join(agent.data, "link", name)
        owner = os.stat(path)
        with open(path, "r+b") as file:
            file.truncate(owner.st_size - 3)
            file.write(os.urandom(300))
    agent.start()
    site.wait_online("damaged")
    damaged = [event["text"] for event in site.wait_events(6010, 2, "damaged")]
    assert any("spool" in text for text in damaged) and any("journal" in text for text in damaged), damaged
    site.muster("computer", "heartbeat", "damaged", "--watch").expect(0)
    run(agent.arguments).expect(1, "runs already")
    assert agent.stop() == 0
    # Of an outbox that nothing can be read of, what is there is set aside and told; the agent goes on.
    outbox = os.path.join(agent.data, "guard", "outbox.log")
    with open(outbox, "wb") as file:
        file.write(os.urandom(300))
    with open(os.path.join(agent.data, "guard", "verdicts.cache"), "wb") as file:
        file.write(os.urandom(300))
    agent.start()
    site.wait_online("damaged")
    damaged = [event["text"] for event in site.wait_events(6010, 3, "damaged")]
    assert any("outbox" in text for text in damaged), damaged
    assert os.path.exists(outbox + ".damaged")
    site.muster("computer", "scan", "damaged", "/usr/share/common-licenses", "--watch").expect(0)
    assert agent.stop() == 0
    for name in ("key.pem", "cert.pem", "computer.json"):
        path = os.path.join(agent.data, "identity", name)
        with open(path, "rb") as file:
            good = file.read()
        with open(path, "r+b") as file:
            file.truncate(len(good) // 2)
        run(agent.arguments, timeout=20).expect(1, "damaged")
        if name != "cert.pem":
            with open(path, "r+b") as file:
                file.write(good)
    # A damaged identity is no identity: a new one takes its place.
    before = site.json("computer", "show", "damaged")["id"]
    site.activate(agent).expect(0, "Activated")
    agent.start()
    status = wait_until("the connection", lambda: (lambda now: now["connected"] and now)(agent("status", "-o", "json").json))
    assert status["computer"] != before
    assert site.json("computer", "show", status["computer"])["status"] == "online"


if __name__ == "__main__":
    with site:
        site.add_manager()
        code = main([refused_enrolments, settings, damaged_logs])
    raise SystemExit(code)
