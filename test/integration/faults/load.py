"""Work for a manager and an agent that are being hurt: scans of small trees in
which infected files appear, pauses, cancels, restores, deletes.

It keeps what it did and what came back; account.py compares that with what
both ends hold. Every request has an Idempotency-Key and is asked until it is
answered, as a careful script would.
"""
import hashlib
import http.client
import json
import os
import random
import threading
import uuid

from world import MARK, V1, Failure, Quietly, wait_until

ENDED = ("succeeded", "failed", "cancelled", "timed_out")
CLEAN_FILES = 40


class Made:
    """An infected file as it was made."""

    def __init__(self, path, content):
        self.path, self.sha256, self.size = path, hashlib.sha256(content).hexdigest(), len(content)
        self.facts = None  # mode, owner, time of modification

    def write(self, content, mode):
        with open(self.path, "wb") as file:
            file.write(content)
        os.chmod(self.path, mode)
        os.utime(self.path, ns=(1_500_000_000_000_000_000, 1_500_000_000_123_456_000))
        self.facts = self.look()

    def look(self):
        facts = os.lstat(self.path)
        return (facts.st_mode, facts.st_uid, facts.st_gid, facts.st_mtime_ns, facts.st_size)

    def is_there(self):
        return os.path.lexists(self.path)

    def is_whole(self):
        with open(self.path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest() == self.sha256 and self.look() == self.facts


class Load:
    def __init__(self, world, seed):
        self.world, self.seed = world, seed
        self.made = {}      # path to Made: all that may still be found
        self.issued = {}    # command to (kind, target)
        self.never_sent = set()  # cancelled at the manager
        self.refusals = []  # answers that asked to come back later
        self.asked = set()  # items that were asked to be restored or deleted
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.batches = 0
        self.common = os.path.join(world.files, "common")
        self._make_common()

    def _make_common(self):
        os.mkdir(self.common)
        for i in range(CLEAN_FILES):
            with open(os.path.join(self.common, f"clean-{i}"), "wb") as file:
                file.write(os.urandom(1 << (i % 17)))

    # --- asking ---

    def command(self, kind, **arguments):
        """Issues a command; its id, or None when the manager refuses it for a reason of its own."""
        key, body = uuid.uuid4().hex, {"kind": kind, **arguments}
        path = f"{V1}/computers/{self.world.agent.id}/commands"

        def ask():
            try:
                status, content = self.world.manager.once("POST", path, body, {"Idempotency-Key": key})
            except (OSError, http.client.HTTPException, ValueError):
                return None
            if status == 201:
                return content["id"]
            if status == 409 and content["title"] == "Under way":
                return None  # the first request lives on, though its connection does not
            if status in (404, 409):
                return "refused"
            if status >= 500 or status == 429:
                self.refusals.append((status, content))
                return None
            raise Failure(f"{kind} {arguments}: {status} {content}")
        answer = wait_until(f"an answer to {kind}", ask)
        if answer == "refused":
            return None
        with self.lock:
            if kind == "cancel" and answer == arguments["command"]:
                self.never_sent.add(answer)  # no command of its own was needed
            else:
                self.issued[answer] = (kind, arguments)
        return answer

    def state(self, command):
        return self.world.manager.get(f"/commands/{command}")["state"]

    def wait_ended(self, command):
        return wait_until(f"the end of command {command}",
                          lambda: self.state(command) in ENDED and self.state(command))

    # --- the two kinds of work ---

    def make_directory(self):
        with self.lock:
            self.batches += 1
            directory = os.path.join(self.world.files, f"batch-{self.batches}")
        os.mkdir(directory)
        return directory

    def make_bad(self, path, content, mode):
        made = Made(path, content)
        made.write(content, mode)
        with self.lock:
            self.made[path] = made

    def make_batch(self, chance):
        directory = self.make_directory()
        for i in range(chance.randint(1, 6)):
            content = chance.randbytes(chance.choice((10, 3000, 70000, 300000))) + MARK + chance.randbytes(20)
            self.make_bad(os.path.join(directory, f"bad-{i}"), content, chance.choice((0o644, 0o600, 0o4755)))
        for i in range(5):
            with open(os.path.join(directory, f"good-{i}"), "wb") as file:
                file.write(chance.randbytes(chance.randint(0, 100000)))
        return directory

    def scans(self):
        chance = random.Random(f"{self.seed} scans {self.batches}")
        while not self.stopping.is_set():
            scan = self.command("scan", paths=[self.make_batch(chance), self.common])
            if scan is None:
                raise Failure("a scan was refused")
            what = chance.random()
            if what < 0.15:
                self.command("cancel", command=scan)
            elif what < 0.3:
                if self.command("pause", command=scan) is not None:
                    self.command("resume", command=scan)
            self.wait_ended(scan)

    def custody(self):
        chance = random.Random(f"{self.seed} custody {self.batches}")
        while not self.stopping.is_set():
            items = [item for item in self.world.manager.get("/quarantine?state=held&limit=1000")["items"]
                     if item["id"] not in self.asked]
            if not items:
                self.stopping.wait(0.05)
                continue
            item = chance.choice(items)
            self.asked.add(item["id"])
            ask = self.command(chance.choice(("restore", "delete")), item=item["id"])
            if ask is not None and chance.random() < 0.7:
                self.wait_ended(ask)

    def contacts(self):
        while not self.stopping.is_set():
            self.wait_ended(self.command("heartbeat"))

    def begin(self):
        self.stopping.clear()
        self.threads = [Quietly(work) for work in (self.scans, self.custody, self.contacts)]
        for thread in self.threads:
            thread.start()

    def worked(self, batches):
        """So many have been made; what ended the work instead is raised."""
        for thread in self.threads:
            if thread.error is not None:
                raise thread.error
        return self.batches >= batches

    def finish(self):
        """No new work; what is under way ends."""
        self.stopping.set()
        for thread in self.threads:
            thread.join_or_raise()

    # --- for the account ---

    def cancelled(self, books):
        """Scans that somebody asked to cancel."""
        return self.never_sent | {json.loads(facts["arguments"]).get("target") for facts
                                  in books.commands.values() if facts["kind"] == "cancel"}

    def may_be_missed(self, path, books):
        """True for a file that no scan has gone through yet: its only scans were cancelled."""
        directory = os.path.dirname(path)
        return not any(facts["kind"] == "scan" and facts["state"] == "succeeded" and
                       directory in json.loads(facts["arguments"])["paths"] for facts in books.commands.values())

    def forget_ended(self, books):
        """Takes away the files that were checked to be back in their place, so that the next scan may cover all."""
        for item in books.items.values():
            made = self.made.get(item["path"])
            if made is not None and item["state"] == "restored" and made.is_there():
                os.unlink(item["path"])
                del self.made[item["path"]]
