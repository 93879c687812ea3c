"""Exact counts: what the agent recorded, what the manager stored, what the load did.

settle() waits until neither end has anything under way; check() then compares.
Every difference is told, not only the first.
"""
import json
import os
import struct
from collections import Counter

from load import ENDED
from world import Failure, wait_until

SETTLE_S = 240
FOUND, QUARANTINED, RESTORED, DELETED, WORKER_FAILED = 2000, 2020, 2021, 2022, 2006
SCAN_STARTED, SCAN_ENDS = 2002, {2003: "succeeded", 2004: "cancelled", 2005: "failed"}
ISSUED, FINISHED, RECEIVED, DROPPED, DAMAGED = 1200, 1201, 4004, 6009, 6010


def last_number(agent):
    """The highest number that the agent has given to an event, from its spool."""
    with open(os.path.join(agent.data, "link", "spool.log"), "rb") as file:
        content = file.read()
    at, last = 0, 0
    while at + 8 <= len(content):
        size = struct.unpack_from("<I", content, at)[0]
        record = content[at + 8:at + 8 + size]
        if record[:1] == b"H":
            last = max(last, struct.unpack_from("<Q", record, 3)[0] - 1)
        elif record[:1] in (b"E", b"M"):  # the latter has a mark before its id
            last = max(last, struct.unpack_from("<Q", record, 9 if record[:1] == b"E" else 17)[0])
        at += 8 + size
    return last


class Books:
    """Both ends' records, read once both are quiet."""

    def __init__(self, world):
        manager, computer = world.manager, bytes.fromhex(world.agent.id.replace("-", ""))
        self.events = [(number, kind, json.loads(fields)) for number, kind, fields in manager.rows(
            "SELECT number, type, fields FROM event WHERE computer = ? ORDER BY number", computer)]
        self.commands = {as_id(row[0]): dict(zip(("kind", "arguments", "state", "result"), row[1:]))
                         for row in manager.rows("SELECT id, kind, arguments, state, result FROM command")}
        self.items = {as_id(row[0]): dict(zip(("path", "state", "sealed", "stored", "uploaded"),
                                              [bytes.fromhex(row[1]).decode()] + row[2:]))
                      for row in manager.rows("SELECT id, path, state, sealed_size, stored_bytes, uploaded"
                                              " FROM quarantine_item")}
        self.vault = {name[:-6] for name in os.listdir(os.path.join(world.agent.data, "vault"))
                      if name.endswith(".vault")}
        self.of_type = {}
        for _, kind, fields in self.events:
            self.of_type.setdefault(kind, []).append(fields)

    def count(self, kind, field):
        return Counter(fields.get(field) for fields in self.of_type.get(kind, []))


def as_id(text):
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def unsettled(world, endings=(".intent", ".ending")):
    """What guard still has to tell or undo."""
    return [name for name in os.listdir(os.path.join(world.agent.data, "vault")) if name.endswith(endings)]


def ends_not_told(world):
    """Items that ended in the vault, of which the manager has not heard: link has not got the notice yet, or not told."""
    ended = {name[:-6] for name in os.listdir(os.path.join(world.agent.data, "vault")) if name.endswith(".ended")}
    held = {as_id(row[0]) for row in world.manager.rows("SELECT id FROM quarantine_item WHERE state = 'held'")}
    return sorted(ended & held)


def quiet(world):
    if unsettled(world):  # first: what it becomes is on its way then, and seen below
        return False
    status = world.agent.ask("status")
    if not status or not status["connected"] or status["events_waiting"] or status["uploads_waiting"] \
            or status["scans"]:
        return False
    if not world.manager.ready():
        return False
    if world.manager.get(f"/computers/{world.agent.id}")["config_state"] in ("pending", "sent"):
        return False  # it is sent again, and makes an event
    open_states = ",".join(f"'{state}'" for state in ENDED)
    if world.manager.rows(f"SELECT count(*) FROM command WHERE state NOT IN ({open_states})")[0][0]:
        return False
    if world.manager.rows("SELECT count(*) FROM quarantine_item WHERE uploaded IS NULL AND state = 'held'")[0][0]:
        return False
    if ends_not_told(world):
        return False
    stored = world.manager.rows("SELECT max(number) FROM event")[0][0]
    return stored == last_number(world.agent)


def settle(world, seconds=SETTLE_S):
    try:
        wait_until("both ends quiet", lambda: quiet(world), seconds)
    except Failure as failure:
        status = world.agent.ask("status")
        commands = world.manager.rows("SELECT kind, state, arguments FROM command WHERE state NOT IN"
                                      " ('succeeded', 'failed', 'cancelled', 'timed_out')")
        items = world.manager.rows("SELECT path, state, sealed_size, stored_bytes FROM quarantine_item"
                                   " WHERE uploaded IS NULL AND state = 'held'")
        raise Failure(f"{failure}\nstatus {status}\nopen commands {commands}\nitems not uploaded {items}\n"
                      f"left in the vault {unsettled(world)}, not told {ends_not_told(world)}\n"
                      f"the agent's last event {last_number(world.agent)},"
                      f" stored {world.manager.rows('SELECT max(number) FROM event')}") from failure


def check_events(books, world, wrong):
    numbers = [number for number, _, _ in books.events if number is not None]
    if numbers != list(range(1, last_number(world.agent) + 1)):
        missing = sorted(set(range(1, last_number(world.agent) + 1)) - set(numbers))
        wrong.append(f"the agent recorded {last_number(world.agent)} events, {len(numbers)} are stored"
                     f" (highest {numbers[-1]}); missing {missing[:20]}")
    for kind, expected in ((DROPPED, 0), (DAMAGED, books.damaged)):
        if len(books.of_type.get(kind, [])) != expected:
            wrong.append(f"events {kind}: {books.of_type.get(kind)}, expected were {expected}")


def check_files(books, load, wrong):
    """Each infected file: found once, and then in the vault or back in its place; or still there, and we know why."""
    found, quarantined = books.count(FOUND, "file"), books.count(QUARANTINED, "file")
    failed = books.count(WORKER_FAILED, "file")
    for path, made in load.made.items():
        items = [item for item in books.items.values() if item["path"] == path]
        if books.troubled:
            found[path] -= sum(fields["file"] == path and fields["result"].startswith("failed")
                               for fields in books.of_type.get(FOUND, []))
        if found[path] != quarantined[path] or found[path] != len(items) or found[path] > 1:
            wrong.append(f"{path}: {found[path]} times found, {quarantined[path]} times quarantined,"
                         f" {len(items)} items")
        if not items:
            if not made.is_there():
                wrong.append(f"{path} is gone, and not in quarantine")
            elif not failed[path] and not load.may_be_missed(path, books) and not books.troubled:
                wrong.append(f"{path} is infected, was scanned, and is still there")
        elif items[0]["state"] == "restored":
            if not made.is_there() or not made.is_whole():
                wrong.append(f"{path} was restored, and is not there as it was")
        elif made.is_there():
            wrong.append(f"{path} is there, and its item is {items[0]['state']}")
    for fields in books.of_type.get(FOUND, []):
        if fields["result"] != "quarantined" and not books.troubled:
            wrong.append(f"not quarantined: {fields}")


def check_items(books, world, wrong):
    restored, deleted = books.count(RESTORED, "item"), books.count(DELETED, "item")
    for item, facts in books.items.items():
        expected = {"held": (0, 0), "restored": (1, 0), "deleted": (0, 1)}[facts["state"]]
        if (restored[item], deleted[item]) != expected:
            wrong.append(f"item {item} is {facts['state']}; events tell {restored[item]} times restored,"
                         f" {deleted[item]} times deleted")
        if (facts["state"] == "held") != (item in books.vault):
            wrong.append(f"item {item} is {facts['state']}, the vault has {'it' if item in books.vault else 'it not'}")
        elif facts["state"] == "held":
            check_copy(item, facts, world, wrong)
    for item in books.vault - set(books.items):
        wrong.append(f"the manager does not know item {item} of the vault")
    # Where calls failed, a file may have refused to go; guard's next start removes it.
    left = unsettled(world, (".intent", ".ending") if books.troubled else (".intent", ".ending", ".mark", ".tmp"))
    if left:
        wrong.append(f"left in the vault: {left}")


def check_copy(item, facts, world, wrong):
    """The manager's copy is the sealed file, byte for byte."""
    with open(os.path.join(world.agent.data, "vault", item + ".vault"), "rb") as file:
        ours = file.read()
    try:
        with open(os.path.join(world.manager.data, "front", "quarantine", item), "rb") as file:
            theirs = file.read()
    except FileNotFoundError:
        theirs = b""
    if ours != theirs or facts["stored"] != facts["sealed"] or facts["sealed"] != len(ours):
        wrong.append(f"item {item}: {len(ours)} bytes in the vault, {len(theirs)} at the manager,"
                     f" {facts['stored']} of {facts['sealed']} in the database")


def check_commands(books, load, wrong):
    counts = {kind: books.count(kind, "command") for kind in (FINISHED, RECEIVED, SCAN_STARTED, *SCAN_ENDS)}
    # One that was cancelled before it was sent has the issue of its cancel too.
    counts[ISSUED] = Counter(fields["command"] for fields in books.of_type.get(ISSUED, [])
                             if fields["kind"] == books.commands[fields["command"]]["kind"])
    for command in set(load.issued) - set(books.commands):
        wrong.append(f"command {command} {load.issued[command]} was confirmed, and is not stored")
    for command in set(books.commands) - set(load.issued):
        wrong.append(f"command {command} {books.commands[command]} is there, and nobody asked for it: made twice")
    for command, facts in books.commands.items():
        name = f"{facts['kind']} {command} ({facts['state']}, {facts['result']})"
        if counts[ISSUED][command] != 1 or counts[FINISHED][command] != 1 or counts[RECEIVED][command] > 1:
            wrong.append(f"{name}: {counts[ISSUED][command]} events of its issue,"
                         f" {counts[FINISHED][command]} of its end, {counts[RECEIVED][command]} of its arrival")
        check_end(command, facts, name, books, load, wrong)
        if facts["kind"] == "scan":
            check_scan(command, facts, name, counts, books.troubled, wrong)
    for fields in books.of_type.get(FINISHED, []):
        if fields["state"] != books.commands[fields["command"]]["state"]:
            wrong.append(f"event {fields}, but the command is {books.commands[fields['command']]['state']}")


def check_end(command, facts, name, books, load, wrong):
    """The state it says is the one the world shows."""
    arguments, state = json.loads(facts["arguments"]), facts["state"]
    if books.troubled and state == "failed" and json.loads(facts["result"]).get("code") in ("space", "io"):
        return  # said so, and the world's state is checked by itself
    if facts["kind"] in ("restore", "delete"):
        if state != "succeeded" or books.items[arguments["target"]]["state"] != facts["kind"].rstrip("e") + "ed":
            wrong.append(f"{name}: its item is {books.items[arguments['target']]['state']}")
    elif facts["kind"] == "heartbeat" and state != "succeeded":
        wrong.append(name)
    elif facts["kind"] == "scan":
        if state != "succeeded" and not (state == "cancelled" and command in load.cancelled(books)):
            wrong.append(name)
    elif state == "failed" and json.loads(facts["result"]).get("code") not in ("state", "not_found"):
        wrong.append(name)
    elif state not in ("succeeded", "failed"):
        wrong.append(name)


def check_scan(command, facts, name, counts, troubled, wrong):
    ends = {kind: counts[kind][command] for kind in SCAN_ENDS}
    began = counts[SCAN_STARTED][command]
    never_began = not any(ends.values()) and began == 0
    if never_began and (facts["state"] == "cancelled" or (facts["state"] == "failed" and troubled)):
        return
    # Where the agent could not write, one may have failed for want of telling that it begins.
    if began != 1 and not (began == 0 and (facts["state"] == "cancelled" or troubled and facts["state"] == "failed")):
        wrong.append(f"{name}: {began} events of its start")
    if any(ends[kind] != (1 if state == facts["state"] else 0) for kind, state in SCAN_ENDS.items()):
        wrong.append(f"{name}: events of its end {ends}")


def check(world, load, troubled=False, damaged=0):
    """Raises Failure with every difference; the books when there is none. troubled: the agent could not write for a
    while, so commands may have failed and files may be still where they were, if that was said. damaged: how often
    the agent had to tell that a file of its own was damaged."""
    books, wrong = Books(world), []
    books.troubled, books.damaged = troubled, damaged
    check_events(books, world, wrong)
    check_files(books, load, wrong)
    check_items(books, world, wrong)
    check_commands(books, load, wrong)
    if wrong:
        raise Failure("\n".join(wrong))
    return books
