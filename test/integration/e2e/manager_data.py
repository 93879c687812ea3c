#!/usr/bin/env python3
"""Damage to a manager's data directory and settings: named, and nothing made anew in its place."""
import os
import shutil
import socket
import subprocess

from installation import Manager, Site, main, program, run, wait_until

site = Site()


def manager_copy(name):
    """A data directory of its own, as init made it."""
    copy = Manager(site.directory, name, site.template.port)
    shutil.copytree(site.template.data, copy.data, copy_function=shutil.copy2)
    for directory, names, files in os.walk(site.template.data):
        for each in names + files + ["."]:
            original = os.path.join(directory, each)
            owner = os.stat(original)
            os.chown(os.path.join(copy.data, os.path.relpath(original, site.template.data)), owner.st_uid, owner.st_gid)
    return copy


def run_fails(manager, *words):
    """`run` ends by itself with 1 and says these words."""
    return run(manager.arguments).expect(1, *words)


def database_lost():
    manager = manager_copy("lost")
    database = os.path.join(manager.data, "front", "muster.db")
    os.rename(database, database + ".away")
    run_fails(manager, "muster.db is missing")
    assert not os.path.exists(database), "a new database took the place of the lost one"
    run([program("muster-manager"), "token", "--data", manager.data]).expect(1, "muster.db")
    os.rename(database + ".away", database)
    os.truncate(database, 0)
    run_fails(manager, "restore a backup")
    assert os.path.getsize(database) == 0
    run([program("muster-manager"), "token", "--data", manager.data]).expect(1, "restore a backup")


def database_damaged():
    manager = manager_copy("damaged")
    database = os.path.join(manager.data, "front", "muster.db")
    size = os.path.getsize(database)
    with open(database, "r+b") as file:
        file.seek(size // 3)
        file.write(os.urandom(16384))
    run_fails(manager, "restore a backup")
    os.truncate(database, size // 2)
    run_fails(manager, "restore a backup")
    with open(database, "wb") as file:
        file.write(os.urandom(size))
    run_fails(manager, "restore a backup")


def keys_damaged():
    # Without the CA's key or the server authentication key it runs, and signs nothing: doc/decisions/0015, server_key.py.
    for name in ("front/tls.key", "front/tls.pem", "ca.pem"):
        manager = manager_copy("keys-" + os.path.basename(name))
        with open(os.path.join(manager.data, name), "wb") as file:
            file.write(os.urandom(100))
        run_fails(manager, os.path.basename(name))
        os.remove(os.path.join(manager.data, name))
        run_fails(manager, os.path.basename(name))


def settings():
    manager = manager_copy("settings")
    path = os.path.join(manager.data, "manager.ini")
    with open(path) as file:
        lines = file.read().count("\n")
    with open(path, "a") as file:
        file.write("[network]\nfoo = 1\nagent_port = 99999\n[nonsense]\nx = y\ngarbage line\n")
    for more in ([], ["--check-config"]):
        run(manager.arguments + more).expect(
            1, f"manager.ini:{lines + 2}: [network] foo: no such setting", f"manager.ini:{lines + 3}: [network] agent_port",
            f"manager.ini:{lines + 5}: [nonsense] x: no such section", f"manager.ini:{lines + 6}: ")
    os.remove(path)
    run_fails(manager, "muster-manager init")


def port_in_use():
    manager = manager_copy("port")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", manager.port))
        other.listen()
        run_fails(manager, f"port {manager.port}", "another program has this port", "listen")
    first = manager_copy("port-first")
    first.identity = site.template.identity
    first.url = site.template.url
    first.start()
    try:
        run_fails(manager, f"port {manager.port}", "another program has this port")
        # The same data directory twice: the cause is named, not only the port.
        run_fails(first, "a manager runs already", "in use by process")
        assert first.running()
        run([program("muster-manager"), "init", "--data", first.data]).expect(1, "Nothing was changed")
    finally:
        assert first.stop() == 0


def two_at_once():
    """Of two that are started together one runs; the other one starts nothing, and says who has the directory."""
    manager = manager_copy("twice")
    manager.identity, manager.url = site.template.identity, site.template.url
    for each in range(3):
        logs = [site.path(f"twice-{each}-{one}.log") for one in "ab"]
        both = []
        for log in logs:
            with open(log, "wb") as file:
                both.append(subprocess.Popen(manager.arguments, stdout=file, stderr=file))
        try:
            loser = wait_until("one gives up", lambda: next((one for one in both if one.poll() is not None), None))
            winner = next(one for one in both if one is not loser)
            with open(logs[both.index(loser)], encoding="utf-8") as file:
                said = file.read()
            assert loser.returncode == 1 and "a manager runs already" in said, said
            assert f"process {winner.pid} on {socket.gethostname()}" in said, said
            assert "started" not in said, said
            wait_until("the other one serves", lambda: run(["curl", "-s", "-f", "--cacert", manager.ca,
                                                            manager.url + "/healthz"]).code == 0)
        finally:
            for one in both:
                if one.poll() is None:
                    one.terminate()
                one.wait(60)


if __name__ == "__main__":
    with site:
        site.template = Manager(site.directory, "template").init()
        code = main([database_lost, database_damaged, keys_damaged, settings, port_in_use, two_at_once])
    raise SystemExit(code)
