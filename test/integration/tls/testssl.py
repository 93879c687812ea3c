#!/usr/bin/env python3
"""testssl.sh on the default listener: nothing above "info" but what is not in our hands.

usage: testssl.py MUSTER-MANAGER

Takes some minutes, nearly all of them testssl.sh's own (it is a shell script).
"""
import collections
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
import manager as managers  # noqa: E402

WAIT_S = 3000
FINDINGS_LEAST = 100  # a run that was cut short finds nothing wrong either

# doc/threat-model.md says why.
NOT_OURS = {"cert_revocation", "DNS_CAArecord"}


def findings(manager, directory):
    path = os.path.join(directory, "findings.json")
    done = subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "off", "--ip", "127.0.0.1", "--nodns", "none",
                           "--jsonfile", path, "--add-ca", manager.path("ca.pem"), f"localhost:{manager.port}"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=WAIT_S)
    with open(path, encoding="utf-8") as file:
        return json.load(file), done.stdout


def main():
    manager = managers.Manager(sys.argv[1])
    try:
        manager.start()
        with tempfile.TemporaryDirectory() as directory:
            rows, shown = findings(manager, directory)
    finally:
        manager.remove()
    assert len(rows) >= FINDINGS_LEAST, f"only {len(rows)} findings:\n{shown}"
    counted = collections.Counter(row["severity"] for row in rows)
    print(", ".join(f"{severity} {count}" for severity, count in counted.most_common()))
    for row in rows:
        if row["severity"] == "WARN":
            print("testssl.sh could not find out:", row["id"], row["finding"])
    bad = [row for row in rows if row["severity"] not in ("OK", "INFO", "WARN") and row["id"] not in NOT_OURS]
    assert not bad, json.dumps(bad, indent=1) + "\n" + shown
    print("ok")


if __name__ == "__main__":
    main()
