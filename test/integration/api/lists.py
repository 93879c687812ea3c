"""Pages, filters, hostile text, and what is wrong with a request, told all at once."""
import seeds
from world import COMPUTER, NOBODY, V1, faults


def pages_hold_each_event_once(w):
    path = f"/events?until={w.get('/events/' + seeds.text_of(seeds.make_id(249, seeds.NOW_US - 10**9 + 4 * 10**6)))['time']}"
    whole, _ = w.all_of(path, 1000)
    small, pages = w.all_of(path, 7)
    assert whole == small and len(whole) == 200 and pages == 29
    keys = [(event["happened"], event["id"]) for event in whole]
    assert keys == sorted(keys, reverse=True)


def pages_stay_while_rows_come(w):
    first = w.get("/events?limit=50")
    w.manager.sign_in()
    second = w.get("/events?limit=50&cursor=" + first["next"])
    assert not {e["id"] for e in first["items"]} & {e["id"] for e in second["items"]}
    again = w.get("/events?limit=50&cursor=" + first["next"])
    assert again == second


def filters_filter(w):
    assert {e["severity"] for e in w.all_of("/events?severity=error", 1000)[0]} == {"error"}
    found = w.all_of(f"/events?type=2000&computer={COMPUTER}", 1000)[0]
    assert found and {(e["type_id"], e["type"], e["computer"]) for e in found} == {(2000, "malware_detected", COMPUTER)}
    assert "/tmp/a\\x0ab" in found[0]["text"] and "Eicar" in found[0]["text"], found[0]
    names = lambda query: [c["name"] for c in w.get("/computers?" + query)["items"]]
    assert names("name=web-0*") == ["Web-01", "web-02"]
    assert names("name=web-01") == ["Web-01"]
    assert names("name=web-0%25") == [] and names("name=web_0*") == []
    assert names("group=web&limit=2") == ["Web-01", "web\\x0a\\x1b[31m\"</script>"]
    assert names("name=alpha&policy=base") == ["alpha"] and names("policy=other") == []
    assert w.get(f"/quarantine?computer={seeds.text_of(seeds.COMPUTERS[0])}")["items"] == []


def hostile_text_is_shown_escaped(w):
    computer = w.get("/computers/" + seeds.text_of(seeds.COMPUTERS[4]))
    assert computer["name"] == "web\\x0a\\x1b[31m\"</script>"
    item = w.get("/quarantine/" + seeds.text_of(seeds.ITEM))
    assert item["path"] == "/tmp/evil\\x0a\\xff\\xfe \\xe2\\x80\\xae.exe"


def faults_are_listed_all_at_once(w):
    answer = w.call("GET", V1 + "/events?limit=0&colour=red&since=now&computer=1", w.admin, expect=400)
    assert set(faults(answer)) == {"limit", "colour", "since", "computer"}
    answer = w.call("POST", f"{V1}/computers/{COMPUTER}/commands", w.admin, {"kind": "x", "path": "/", "paths": ["a"]},
                    expect=400)
    assert set(faults(answer)) == {"kind", "path", "paths[0]"}
    other = w.get("/commands?limit=1")
    assert other["next"] is None or w.call("GET", V1 + "/events?cursor=" + other["next"], w.admin).status == 400
    assert set(faults(w.call("GET", V1 + "/events?cursor=00", w.admin, expect=400))) == {"cursor"}


def bodies_are_limited(w):
    post = lambda body, expect, **headers: w.call("POST", V1 + "/tokens", w.admin, body, headers, expect=expect)
    post(b"{", 400)
    post(b"[]", 400)
    post(b'{"name":"a","name":"b","role":"viewer"}', 400)
    post(b'{"a":' * 40 + b"1" + b"}" * 40, 413)
    post(b'{"name":"\xff","role":"viewer"}', 400)
    post(b'{"name":"' + b"a" * (1 << 20) + b'"}', 413)
    post(b"{}", 415, **{"Content-Type": "text/plain"})
    post({"name": "a", "role": "viewer", "expires": "2001-01-01T00:00:00Z"}, 400)
    w.call("GET", V1 + "/system", w.admin, body={}, expect=400)


def unknown_things_are_said_to_be(w):
    w.call("GET", "/", w.admin, expect=404)
    w.call("GET", V1 + "/nothing", w.admin, expect=404)
    assert w.call("PUT", V1 + "/computers", w.admin, expect=405).headers["Allow"] == "GET, POST"
    head = w.manager.raw("HEAD", V1 + "/computers", headers={"Authorization": "Bearer " + w.admin})
    assert head.status == 200 and int(head.headers["Content-Length"]) > 2 and head.body == b""
    assert w.manager.raw("HEAD", V1 + "/events/stream", headers={"Authorization": "Bearer " + w.admin}).status == 405
    for what in ("computers", "commands", "events", "quarantine"):
        assert "id" in w.call("GET", f"{V1}/{what}/{NOBODY}", w.admin, expect=404).json["detail"]
        w.call("GET", f"{V1}/{what}/xyz", w.admin, expect=404)
