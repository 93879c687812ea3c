#!/usr/bin/env python3
"""Each event arrives once: of an agent that was set back to an earlier state of its disk, and of a copy of an agent,
which both number their events as those were numbered that the manager has."""
import collections
import os
import shutil

from installation import EICAR, Agent, Site, main, run, wait_until

DETECTED = "2000"
site = Site()


def copy_disk(source, target):
    """All that an agent has on its disk, in the place of another's."""
    shutil.rmtree(target, ignore_errors=True)
    run(["cp", "-a", source, target]).expect(0)


def infect(*names):
    paths = []
    for name in names:
        os.makedirs(site.files(name), exist_ok=True)
        paths.append(os.path.join(site.files(name), "eicar.com"))
        with open(paths[-1], "wb") as file:
            file.write(EICAR)
    return paths


def find(agent, *names):
    """The agent comes upon a file of each name."""
    paths = infect(*names)
    for path in paths:
        agent("scan", path)
    return paths


def told():
    """How often the manager was told of each file, by whomever."""
    events = site.json("event", "list", "--type", DETECTED, "--limit", "1000")
    return collections.Counter(event["fields"]["file"] for event in events)


def expect_once(paths):
    wait_until("all files told", lambda: all(told()[path] > 0 for path in paths))
    counts = told()
    assert all(counts[path] == 1 for path in paths), counts


def waiting(agent):
    return agent("status", "-o", "json").json["events_waiting"]


def what_is_found_after_a_set_back_is_told():
    agent = site.add_agent("set-back")
    paths = find(agent, "before")
    expect_once(paths)
    wait_until("nothing waiting", lambda: waiting(agent) == 0)
    agent.stop()
    copy_disk(agent.data, agent.data + ".kept")
    for turn in range(2):
        agent.start()
        found = find(agent, *(f"future-{turn}-{i}" for i in range(3)))
        paths += found
        expect_once(found)
        agent.stop()
        copy_disk(agent.data + ".kept", agent.data)
    agent.start()
    paths += find(agent, "at-last")
    expect_once(paths)
    assert site.json("computer", "list", "--name", "set-back*")[0]["name"] == "set-back"
    assert len(site.json("computer", "list", "--name", "set-back*")) == 1  # it is no copy
    agent.stop()


def what_two_with_one_identity_find_is_told_once():
    agent = site.add_agent("model")
    paths = find(agent, "common")
    expect_once(paths)
    site.manager.stop()
    paths += find(agent, "unsent-0", "unsent-1")  # on the disk, and in the copy
    wait_until("events waiting", lambda: waiting(agent) > 0)
    agent.stop()
    copy = Agent(site.directory, "copy")
    copy_disk(agent.data, copy.data)
    site.manager.start()
    site.agents.append(copy)
    for one in (agent, copy):
        one.start()

    turns = 0

    def apart():
        nonlocal turns
        turns += 1
        for one in (agent, copy):
            paths.extend(find(one, f"{os.path.basename(one.data)}-{turns}"))
            one("heartbeat")
        return len(site.json("computer", "list", "--name", "model-2", "--state", "online")) == 1

    wait_until("an identity of its own", apart, 180)
    for i in range(2):
        for one in (agent, copy):
            paths += find(one, f"after-{os.path.basename(one.data)}-{i}")
    expect_once(paths)
    site.wait_events(717, computer="model")


if __name__ == "__main__":
    with site:
        site.add_manager("[exchange]\nclone_settle = 1s\n")
        code = main([what_is_found_after_a_set_back_is_told, what_two_with_one_identity_find_is_told_once])
    raise SystemExit(code)
