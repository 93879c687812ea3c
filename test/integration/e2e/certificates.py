#!/usr/bin/env python3
"""The manager's own certificates as an administrator has them."""
import datetime
import os
import subprocess

from installation import Site, main

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
    rows = certificates()
    assert set(rows) == {"authority", "server", "dialling"}, rows
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
    site.muster("cert", "list").expect(0, "CERTIFICATE", "server", "DAYS LEFT")
    lines = site.muster("cert", "list", "-o", "csv").expect(0).out.splitlines()
    assert len(lines) == 4 and lines[0].startswith("name,not_after,days_left,renews_itself"), lines


if __name__ == "__main__":
    with site:
        site.add_manager()
        code = main([listed])
    raise SystemExit(code)
