"""Rows put into a manager's database before it starts: what agents would have reported, hostile names included."""
import hashlib
import json
import os
import subprocess
import time

HOSTILE_NAME = "web\n\x1b[31m\"</script>"
HOSTILE_PATH = b"/tmp/evil\n\xff\xfe \xe2\x80\xae.exe"
NOW_US = int(time.time()) * 1000000
EVENTS = 250


def make_id(number, moment_us=NOW_US):
    """A UUIDv7 of a moment, the rest a number."""
    value = (moment_us // 1000) << 80 | 7 << 76 | 2 << 62 | number
    return value.to_bytes(16, "big")


def text_of(identity):
    digits = identity.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


COMPUTERS = [make_id(i, NOW_US - 10**9) for i in range(1, 6)]
NAMES = ["alpha", "beta", "Web-01", "web-02", HOSTILE_NAME]
SEEN_FROM = "198.51.100.9"  # the second computer's connections
ITEM, ITEM_NOT_HERE = make_id(1001), make_id(1002)


def add_computers(database):
    component = {"name": "scan", "state": "working", "version": "0.1.0", "detail": "", "facts": {"signatures": "2"}}
    for number, (identity, name) in enumerate(zip(COMPUTERS, NAMES)):
        database.execute(
            "INSERT INTO computer (id, name, group_name, certificate_fingerprint, certificate_not_after, enrolled,"
            " components, patterns, addresses, last_heard, status, status_since, agent_version, seen_from)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (identity, name, "web" if number >= 2 else "", hashlib.sha256(identity).digest(), NOW_US + 10**13,
             NOW_US - 10**9, json.dumps([component]), "27000", json.dumps(["192.0.2.7"]),
             NOW_US - 10**8 if number else None, "offline" if number else "unknown", NOW_US - 10**8, "0.1.0",
             SEEN_FROM if number == 1 else ""))


def add_events(database):
    """Many at the same moment, so that paging must fall back on the id."""
    for i in range(EVENTS):
        moment = NOW_US - 10**9 + i // 50 * 10**6
        kind, severity = ((2000, "warning"), (2003, "info"), (1000, "error"))[i % 3]
        fields = {"file": "/tmp/a\\x0ab", "detection": "Eicar"} if kind == 2000 else {}
        database.execute(
            "INSERT INTO event (id, computer, number, time, received, type, severity, fields) VALUES (?,?,?,?,?,?,?,?)",
            (make_id(i, moment), COMPUTERS[i % 2], i + 1, moment, moment, kind, severity, json.dumps(fields)))


def add_quarantine(database, manager, seal, content):
    sealed = manager.path("front", "quarantine", text_of(ITEM))
    made = subprocess.run([seal, text_of(ITEM), os.fsdecode(HOSTILE_PATH), sealed], input=content, check=True,
                          stdout=subprocess.PIPE)
    size = os.path.getsize(sealed)
    for identity, key, stored in ((ITEM, bytes.fromhex(made.stdout.decode().strip()), size), (ITEM_NOT_HERE, None, 0)):
        database.execute(
            "INSERT INTO quarantine_item (id, computer, path, sha256, size, detection, quarantined, sealed_size,"
            " stored_bytes, sealed_key, uploaded) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            (identity, COMPUTERS[1], HOSTILE_PATH, hashlib.sha256(content).digest(), len(content), "Eicar",
             NOW_US, stored, stored, key, NOW_US if stored else None))


def add_tokens(database, tokens):
    """tokens: {text: (role, expires, revoked)}."""
    for number, (text, (role, expires, revoked)) in enumerate(tokens.items()):
        database.execute(
            "INSERT INTO api_token (id, secret_sha256, name, role, created, expires, revoked) VALUES (?,?,?,?,?,?,?)",
            (make_id(5000 + number), hashlib.sha256(text.encode()).digest(), "seed", role, NOW_US, expires, revoked))


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def make_token(seed):
    """A well-formed API token: prefix, 36 characters, CRC-32C in base 62."""
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    text = "mst_" + "".join(alphabet[byte % 62] for byte in hashlib.sha512(seed.encode()).digest()[:36])
    crc, digits = crc32c(text.encode()), ""
    for _ in range(6):
        digits = alphabet[crc % 62] + digits
        crc //= 62
    return text + digits
