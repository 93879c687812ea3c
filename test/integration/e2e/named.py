#!/usr/bin/env python3
"""What is made, changed and removed by name: destinations, hypervisors, networks, the same way each."""
from installation import Site, main

site = Site()

# The noun, the words that make one, an option that changes it with its value, the member that says so, and how it goes.
NOUNS = (
    ("destination", "create", ("udp://127.0.0.1:20514",), "--severity", "error", "least_severity", "delete"),
    ("hypervisor", "add", ("qemu+tls://nowhere.invalid/system",), "--uri", "xen+tls://nowhere.invalid/system", "uri", "remove"),
    ("network", "add", ("192.0.2.0/24",), "--offline", "2h", "offline_minutes", "remove"),
)
SWITCHED = ("destination", "hypervisor")
INVALID = b"caf\xe9"  # no UTF-8


def made_and_changed():
    for noun, make, words, option, value, member, _ in NOUNS:
        made = site.json(noun, make, "one", *words)
        assert made["name"] == "one" and site.json(noun, "show", "ONE") == site.json(noun, "show", made["id"]), made
        site.muster(noun, make, "one", *words).expect(1)  # the name is taken
        changed = site.json(noun, "set", "one", option, value, "--name", "other")
        assert changed["id"] == made["id"] and changed["name"] == "other", changed
        assert changed[member] == {"2h": 120}.get(value, value), changed
        assert [row["name"] for row in site.json(noun, "list")] == ["other"]


def wrong_usage():
    for noun, make, words, *_ in NOUNS:
        site.muster(noun, "set", "other").expect(2, "nothing to change was given", f"muster {noun} set --help")
        site.muster(noun, "set", "other", "--name", INVALID).expect(2, "--name must be UTF-8")
        site.muster(noun, make, INVALID, *words).expect(2, "the name must be UTF-8")
        site.muster(noun, "set", "nobody", "--name", "x").expect(1, f"no {noun} is called 'nobody'")
    for noun in SWITCHED:
        site.muster(noun, "set", "other", "--enable", "--disable").expect(2, "not both")
        assert site.json(noun, "set", "other", "--disable")["enabled"] is False
        assert site.json(noun, "show", "other")["enabled"] is False
        assert site.json(noun, "set", "other", "--enable")["enabled"] is True


def tried():
    site.muster("destination", "set", "other", "--url", "tcp://nowhere.invalid:20514").expect(0)
    site.muster("destination", "test", "other").expect(1, "other: ")
    site.muster("hypervisor", "set", "other", "--disable").expect(0)
    site.muster("hypervisor", "test", "other").expect(1, "disabled")


def removed():
    for noun, *_, remove in NOUNS:
        site.muster(noun, remove, "other", "--yes").expect(0, "removed: other")
        site.muster(noun, remove, "other", "--yes").expect(1, f"no {noun} is called 'other'")
        assert site.json(noun, "list") == []
    told = [entry["action"] for entry in site.json("audit", "list", "--limit", "100")]
    for noun, *_ in NOUNS:
        assert f"{noun}.create" in told and f"{noun}.change" in told and f"{noun}.delete" in told, told


if __name__ == "__main__":
    with site:
        site.add_manager()
        code = main([made_and_changed, wrong_usage, tried, removed])
    raise SystemExit(code)
