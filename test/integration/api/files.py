"""Streams of events, and quarantined files."""
import os
import shutil
import subprocess
import tempfile

import seeds
from manager import next_event
from world import CONTENT, COMPUTER, NOBODY, V1


def events_stream_and_resume(w):
    connection, answer = w.manager.events(w.admin, "?type=660")
    w.manager.sign_in()
    first, event = next_event(answer)
    assert event["type_id"] == 660 and event["id"] == first
    connection.close()
    for _ in range(3):
        w.manager.sign_in()
    connection, answer = w.manager.events(w.admin, "?type=660", last=first)
    missed = [next_event(answer)[0] for _ in range(3)]
    connection.close()
    listed = [e["id"] for e in w.get("/events?type=660&limit=3")["items"]]
    assert missed == listed[::-1], (missed, listed)


def a_stream_replays_from_the_beginning_in_batches(w):
    connection, answer = w.manager.events(w.admin, f"?computer={COMPUTER}&after={NOBODY}")
    got = [next_event(answer)[0] for _ in range(seeds.EVENTS // 2)]
    connection.close()
    assert len(set(got)) == seeds.EVENTS // 2


def a_stream_ends_with_its_token(w):
    token = w.manager.sign_in()
    connection, answer = w.manager.events(token)
    w.call("DELETE", V1 + "/sessions/current", token, expect=204)
    w.manager.sign_in()
    rest = answer.read()
    connection.close()
    assert b"data:" not in rest, rest
    w.call("GET", V1 + "/events/stream", w.admin, headers={"Last-Event-ID": "x"}, expect=400)


# --- quarantine ---

def a_file_comes_in_a_zip_with_a_password(w):
    item = seeds.text_of(seeds.ITEM)
    for query, password in (("", "infected"), ("?password=other%20word", "other word")):
        answer = w.call("GET", f"{V1}/quarantine/{item}/file{query}", w.admin, expect=200)
        assert b"malware for a test" not in answer.body
        directory = tempfile.mkdtemp(prefix="muster-zip-")
        try:
            archive = os.path.join(directory, "a.zip")
            with open(archive, "wb") as file:
                file.write(answer.body)
            subprocess.run(["7z", "x", "-y", "-p" + password, "-o" + directory, archive], check=True,
                           stdout=subprocess.DEVNULL)
            os.unlink(archive)
            (name,) = os.listdir(directory)
            assert name.startswith("evil"), name
            with open(os.path.join(directory, name), "rb") as file:
                assert file.read() == CONTENT
        finally:
            shutil.rmtree(directory)
    w.call("GET", f"{V1}/quarantine/{seeds.text_of(seeds.ITEM_NOT_HERE)}/file", w.admin, expect=409)
    assert "quarantine.download" in [entry["action"] for entry in w.get("/audit?limit=5")["items"]]


def an_altered_file_is_not_given_as_whole(w):
    sealed = w.manager.path("front", "quarantine", seeds.text_of(seeds.ITEM))
    with open(sealed, "r+b") as file:
        file.seek(-30, os.SEEK_END)
        byte = file.read(1)
        file.seek(-30, os.SEEK_END)
        file.write(bytes([byte[0] ^ 1]))
    try:
        answer = w.call("GET", f"{V1}/quarantine/{seeds.text_of(seeds.ITEM)}/file", w.admin)
        assert answer.status != 200 or b"PK\x05\x06" not in answer.body[-200:]
    finally:
        with open(sealed, "r+b") as file:
            file.seek(-30, os.SEEK_END)
            file.write(byte)


def an_item_is_restored_and_deleted_by_command(w):
    item = seeds.text_of(seeds.ITEM)
    made = w.call("POST", f"{V1}/quarantine/{item}/restore", w.tokens["operator"], {"overwrite": True}, expect=201).json
    assert made["kind"] == "restore" and made["computer"] == COMPUTER
    w.call("POST", f"{V1}/quarantine/{item}/restore", w.tokens["viewer"], {}, expect=403)
    w.call("POST", f"{V1}/commands/{made['id']}/cancel", w.admin, expect=201)
    made = w.call("DELETE", f"{V1}/quarantine/{seeds.text_of(seeds.ITEM_NOT_HERE)}", w.admin, expect=200).json
    assert made["kind"] == "delete"
