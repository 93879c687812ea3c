#!/usr/bin/env python3
"""Hostile files and paths: scanned, named without harm, quarantined, put back, or refused with the cause."""
import os
import socket
import stat
import subprocess

from installation import EICAR, Site, main, wait_until

site = Site()
HOSTILE = [b"new\nline", b"bad\xff\xfe", b"esc\x1b[31mred\x1b]0;pwn\x07", "rtl\u202egpj.exe".encode(), b"-rf", b"--data=x",
           b"%n%s", b"'; rm -rf x", b"x" * 255, b" ", b"back\\x5c", "\u00e9".encode(), b'quote"']


def put(directory, name, content=EICAR):
    path = os.path.join(os.fsencode(directory), name if isinstance(name, bytes) else os.fsencode(name))
    with open(path, "wb") as file:
        file.write(content)
    return path


def scan(*paths, code=0):
    """A scan by the manager, to its end."""
    return site.muster("computer", "scan", "one", *paths, "--watch", "-o", "json").expect(code).json


def held(path):
    """The item that holds the file that was at path, once the manager knows it."""
    def find():
        items = site.json("quarantine", "list", "--state", "held", "--limit", "1000")
        found = [item["id"] for item in items if item["path"] == path]
        return found[0] if found else None

    return wait_until(f"{path} in quarantine", find)


def quarantine(path):
    put(os.path.dirname(path), os.path.basename(path))
    assert scan(path)["progress"]["detections"] == 1
    assert not os.path.exists(path)
    return held(path)


def restore(item, *more):
    return site.muster("quarantine", "restore", item, "--watch", *more)


def hostile_names():
    place = site.files("names")
    for name in HOSTILE:
        put(place, name)
    ended = site.agent("scan", place).expect(1, f"{len(HOSTILE)} detections")
    for line in ended.out.splitlines():
        assert line.isprintable(), repr(line)
    assert os.listdir(place) == []
    shown = site.muster("event", "list", "--type", "2000", "--limit", "1000").expect(0).out
    assert all(line.isprintable() for line in shown.splitlines()), "an event's text is not printable"
    wait_until("all items", lambda: len(site.json("quarantine", "list", "--limit", "1000")) >= len(HOSTILE))
    for item in site.json("quarantine", "list", "--limit", "1000"):
        restore(item["id"]).expect(0)
    assert sorted(os.listdir(os.fsencode(place))) == sorted(HOSTILE)
    for name in HOSTILE:
        with open(os.path.join(os.fsencode(place), name), "rb") as file:
            assert file.read() == EICAR


def odd_files():
    place = site.files("odd")
    os.mkfifo(os.path.join(place, "fifo"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.join(place, "socket"))
    if os.geteuid() == 0:
        os.mknod(os.path.join(place, "zero"), 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    os.symlink("/etc/passwd", os.path.join(place, "link"))
    os.symlink(".", os.path.join(place, "loop"))
    with open(os.path.join(place, "sparse"), "wb") as file:
        file.write(EICAR)
        file.truncate(1 << 40)
    unreadable = put(place, "unreadable")
    os.chmod(unreadable, 0)
    # So deep that its path cannot be said in one call.
    deep = os.open(place, os.O_RDONLY)
    for number in range(25):
        name = f"{number:02}".ljust(200, "d")
        os.mkdir(name, dir_fd=deep)
        below = os.open(name, os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = below
    os.close(os.open("eicar", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=deep))
    os.close(deep)
    command = scan(place)
    assert command["progress"]["detections"] == 1, command
    assert command["progress"]["not_fully_scanned"] == 1, command
    assert command["progress"]["errors"] == 1, command
    assert command["result"]["path"].startswith(place) and "longer than" in command["result"]["text"], command
    limits = site.wait_events(2001)
    assert limits[0]["fields"]["file"] == os.path.join(place, "sparse"), limits
    assert {"link", "loop", "fifo", "socket", "sparse"} < set(os.listdir(place)) and "unreadable" not in os.listdir(place)
    assert "root" in open("/etc/passwd").read()


def wrong_paths():
    place = site.files("wrong")
    fifo = os.path.join(place, "fifo")
    os.mkfifo(fifo)
    clean = os.fsdecode(put(place, "clean", b"nothing"))
    for path, cause in (("/nonexistent", "No such file"), (clean + "/x", "Not a directory"), ("/proc", "excluded"),
                        (fifo, "neither a file nor a directory"), (site.agent.data, "excluded")):
        command = site.muster("computer", "scan", "one", path, "--watch")
        command.expect(1, "failed", path, cause)
    command = scan("/nonexistent", clean)
    assert command["state"] == "succeeded" and command["result"]["files"] == "1", command
    assert command["result"]["path"] == "/nonexistent" and "No such file" in command["result"]["text"], command
    site.muster("computer", "scan", "one", "relative").expect(2, "begins with /")
    site.muster("computer", "scan", "nobody", "/tmp").expect(1, "nobody")
    site.agent("scan", "/nonexistent").expect(1, "/nonexistent", "No such file")
    odd = site.agent("scan", b"/nonexistent/\xff\x1b[31m\n").expect(1, "\\xff\\x1b[31m\\x0a")
    assert odd.err.count("\n") == 1
    site.agent("scan", "/proc").expect(1, "/proc: it is excluded")
    site.agent("scan").expect(2, "needs PATH")
    events = site.wait_events(2005)
    assert any("/nonexistent" in event["text"] for event in events), events


def restores():
    place = site.files("restores")
    path = os.path.join(place, "eicar")
    item = quarantine(path)
    with open(path, "w") as file:
        file.write("mine")
    restore(item).expect(1, "something stands at its path")
    assert open(path).read() == "mine"
    site.agent("quarantine", "restore", item).expect(1, "something stands at its path")
    restore(item, "--overwrite").expect(0)
    assert open(path, "rb").read() == EICAR
    wait_until("the item's state", lambda: site.json("quarantine", "show", item)["state"] == "restored")
    os.remove(path)
    restore(item).expect(1, "restored before")
    site.agent("quarantine", "restore", item).expect(1, "restored before")
    assert not os.path.exists(path)
    restore("01a20014-1139-7605-89fd-7250689a734e").expect(1, "no such item")
    restore("xyz").expect(2, "is not an id")


def restores_into_strange_places():
    place = site.files("strange")
    parent = os.path.join(place, "parent")
    os.mkdir(parent, 0o755)
    item = quarantine(os.path.join(parent, "eicar"))
    os.rmdir(parent)
    restore(item).expect(1, "does not exist any more")
    elsewhere = site.files("elsewhere")
    os.symlink(elsewhere, parent)
    restore(item).expect(1, "a symbolic link stands in the path")
    assert os.listdir(elsewhere) == []
    os.remove(parent)
    os.mkdir(parent, 0o755)
    restore(item).expect(0)
    assert os.listdir(parent) == ["eicar"]


def read_only():
    place = site.files("read-only")
    if subprocess.run(["mount", "-t", "tmpfs", "none", place]).returncode != 0:
        print("no right to mount here: the read-only file system is left out")
        return
    try:
        item = quarantine(os.path.join(place, "eicar"))
        put(place, "other")
        subprocess.run(["mount", "-o", "remount,ro", "none", place], check=True)
        restore(item).expect(1, "Read-only file system")
        scan(place)
        failed = [event for event in site.wait_events(2000) if event["fields"]["file"].endswith("/other")]
        assert failed and "mounted read-only" in failed[0]["fields"]["result"], failed
        assert os.listdir(place) == ["other"]
        subprocess.run(["mount", "-o", "remount,rw", "none", place], check=True)
        restore(item).expect(0)
    finally:
        subprocess.run(["umount", place], check=True)


if __name__ == "__main__":
    with site:
        site.add_manager()
        site.agent = site.add_agent("one")
        code = main([hostile_names, odd_files, wrong_paths, restores, restores_into_strange_places, read_only])
    raise SystemExit(code)
