"""The thinnest path through the door: one fetch, recorded before and after."""

import base64

from door_lane import HOST, Lane

from sequester.loopback import http


def test_an_allowed_fetch_arrives_and_is_recorded_before_and_after(lane: Lane) -> None:
    lane.upstream.reply = http(b'{"ok": true}', headers={"Content-Type": "application/json", "Set-Cookie": "a=b"})
    answer = lane.fetch(f"https://{HOST}/v1/items?q=x", headers={"Accept": "application/json"}, request_id="r-1")
    assert "denied" not in answer, answer
    assert base64.b64decode(answer["body_b64"]) == b'{"ok": true}'
    assert answer["status"] == 200
    assert not answer["truncated"]
    assert "set-cookie" not in answer["headers"]
    assert answer["headers"]["x-content-type-options"] == "nosniff"
    (received,) = lane.upstream.received
    assert received.startswith(b"GET /v1/items?q=x HTTP/1.1\r\nhost: api.example.test\r\n")
    intent, outcome = lane.records()
    assert (intent["kind"], intent["host"], intent["path"], intent["request_id"]) == (
        "intent",
        HOST,
        "/v1/items",
        "r-1",
    )
    assert (outcome["kind"], outcome["intent"], outcome["status"]) == ("outcome", intent["seq"], 200)
    assert answer["audit"]["seq"] == outcome["seq"] == 2
