"""The manager of the API's tests, with computers, events and files in it."""
import seeds
from manager import Manager

CONTENT = b"malware for a test\n" * 20000
EXPIRED, REVOKED, STRANGER = (seeds.make_token(word) for word in ("expired", "revoked", "stranger"))
COMPUTER = seeds.text_of(seeds.COMPUTERS[1])
NOBODY = "01900000-0000-7000-8000-000000000000"
COMMAND_ISSUED = 1200
V1 = "/api/v1"


class World:
    """One manager for all tests; each test leaves it usable for the next."""

    def __init__(self, program, seal, document):
        self.manager = Manager(program)
        self.committed_document = document
        try:
            self.begin(seal)
        except BaseException:
            self.manager.remove()
            raise

    def close(self):
        self.manager.remove()

    def begin(self, seal):
        with self.manager.database() as database:
            seeds.add_computers(database)
            seeds.add_events(database)
            seeds.add_quarantine(database, self.manager, seal, CONTENT)
            seeds.add_tokens(database, {EXPIRED: ("administrator", seeds.NOW_US - 1, None),
                                        REVOKED: ("administrator", seeds.NOW_US + 10**12, seeds.NOW_US)})
        database.close()
        self.manager.settle()
        self.manager.start()
        self.call = self.manager.call
        self.admin = self.manager.sign_in()
        self.tokens = {role: self.token(role) for role in ("viewer", "operator", "administrator", "auditor")}

    def token(self, role):
        return self.call("POST", V1 + "/tokens", self.admin, {"name": role + " of tests", "role": role},
                         expect=201).json["token"]

    def get(self, path, expect=200):
        return self.call("GET", V1 + path, self.admin, expect=expect).json

    def all_of(self, path, limit):
        items, cursor, pages = [], "", 0
        while True:
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit={limit}{cursor}")
            assert len(page["items"]) <= limit
            items += page["items"]
            pages += 1
            if page["next"] is None:
                return items, pages
            cursor = "&cursor=" + page["next"]


def faults(answer):
    return {fault["name"]: fault["reason"] for fault in answer.json.get("errors", [])}
