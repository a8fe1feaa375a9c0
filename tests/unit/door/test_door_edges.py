"""Edges of time and of configurations: windows are those of UTC, and each hop is decided by what holds then."""

import datetime
import json
import time
from collections.abc import Mapping

import pytest
from door_lane import CONFIG, HOST, OTHER_HOST, TABLE, Lane, configuration, rule

from lambda_proxy import budget
from lambda_proxy.budget import Allowance, Budget, Limits
from lambda_proxy.config import FRESH_SECONDS, STALE_SECONDS, ConfigurationSource
from lambda_proxy.denial import DeniedError
from sequester.loopback import http

MANY = 10**6
MIDNIGHT = datetime.datetime(2026, 3, 29, tzinfo=datetime.UTC).timestamp()  # clocks in Europe change in this night


def metered(lane: Lane, now: list[float]) -> Budget:
    return Budget(lane.clients.dynamodb, TABLE, lane.tenant, lambda: now[0])


def allowance(requests: int = MANY, out: int = MANY, into: int = MANY) -> Allowance:
    return Allowance(Limits(requests, out, into), 0, {})


def spent(lane: Lane, name: str) -> Mapping[int, int]:
    """Of one meter: start of the window → spent."""
    seconds = 60 if name.startswith("requests") else 86_400
    items = lane.items()
    found = {str(item["item"].get("S")): int(item["spent"].get("N", "0")) for item in items}
    return {int(key.rpartition("#")[2]) * seconds: n for key, n in found.items() if key.startswith(name)}


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Kiritimati"])
def test_a_day_is_a_day_of_utc_wherever_the_clock_hangs(lane: Lane, zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        now = [MIDNIGHT - 0.001]
        mine = metered(lane, now)
        mine.reserve(allowance(out=10), HOST, 10, 0)
        with pytest.raises(DeniedError, match=r"budget\.bytes_out"):
            mine.reserve(allowance(out=10), HOST, 1, 0)
        now[0] = MIDNIGHT
        mine.reserve(allowance(out=10), HOST, 10, 0)
        now[0] = MIDNIGHT + 86_399.999
        with pytest.raises(DeniedError, match=r"budget\.bytes_out"):
            mine.reserve(allowance(out=10), HOST, 1, 0)
        assert spent(lane, "out") == {MIDNIGHT - 86_400: 10, MIDNIGHT: 10}
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("moved", [1.0, 86_400.0, -1.0, -3600.0, -86_400.0], ids=lambda s: f"by {s:.0f} s")
def test_what_did_not_come_is_given_back_to_its_own_day(lane: Lane, moved: float) -> None:
    """Over midnight, long after, and when the clock goes backwards in between."""
    now = [MIDNIGHT - 0.5]
    mine = metered(lane, now)
    held = mine.reserve(allowance(), HOST, 1, 1000)
    now[0] += moved
    mine.reserve(allowance(), HOST, 1, 1000)
    before = spent(lane, "in")
    mine.settle(held, 300)
    day = int(MIDNIGHT - 86_400)
    assert spent(lane, "in") == {**before, day: before[day] - 700}


def test_a_clock_that_goes_back_and_forth_spends_each_minute_once(lane: Lane) -> None:
    now = [MIDNIGHT]
    mine, granted = metered(lane, now), 0
    for moved in (0, 60, -60, 60, -60, 0, 60):
        now[0] += moved
        for _ in range(3):
            try:
                mine.reserve(allowance(requests=2), HOST, 1, 0)
            except DeniedError:
                continue
            granted += 1
    assert (granted, set(spent(lane, "requests").values())) == (2 * len(spent(lane, "requests")), {2})


def test_a_meter_that_has_expired_and_is_still_there_counts(lane: Lane) -> None:
    """DynamoDB takes an item some days after it expired: until then it is read like any other."""
    now = [MIDNIGHT]
    mine = metered(lane, now)
    mine.reserve(allowance(out=10), HOST, 10, 0)
    key = {"tenant": {"S": lane.tenant}, "item": {"S": f"out#all#{int(MIDNIGHT) // 86_400}"}}
    lane.clients.dynamodb.update_item(
        TableName=TABLE,
        Key=key,
        UpdateExpression="SET expires = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )
    with pytest.raises(DeniedError, match=r"budget\.bytes_out"):
        mine.reserve(allowance(out=10), HOST, 1, 0)
    assert int(MIDNIGHT) + 2 * 86_400 <= int(budget.Meter("", "", 86_400, 0, 0).expires(MIDNIGHT))


def test_a_settlement_of_a_meter_that_is_gone_makes_no_new_one(lane: Lane) -> None:
    now = [MIDNIGHT]
    mine = metered(lane, now)
    held = mine.reserve(allowance(), HOST, 1, 1000)
    for item in held.items:
        lane.clients.dynamodb.delete_item(TableName=TABLE, Key={"tenant": {"S": lane.tenant}, "item": {"S": item}})
    mine.settle(held, 0)
    assert spent(lane, "in") == {}


@pytest.mark.parametrize("came", [1000, 1001, 10**12])
def test_more_than_was_reserved_gives_nothing_back(lane: Lane, came: int) -> None:
    mine = metered(lane, [MIDNIGHT])
    held = mine.reserve(allowance(), HOST, 1, 1000)
    mine.settle(held, came)
    assert set(spent(lane, "in").values()) == {1000}


def redirected(lane: Lane, meanwhile: object) -> dict[str, object]:
    """A fetch that is sent on to /v1/there; `meanwhile` is called when the first answer is on its way."""

    def reply(request: bytes) -> bytes:
        if b"/v1/there" in request:
            return http(b"there")
        meanwhile()  # type: ignore[operator]
        return http(b"", "302 Found", {"Location": "/v1/there"})

    lane.upstream.reply = reply
    return lane.fetch()


def test_a_door_that_is_closed_between_two_hops_stays_closed(lane: Lane) -> None:
    key = {"tenant": {"S": lane.tenant}, "item": {"S": budget.CONTROL_ITEM}}
    assert redirected(lane, lambda: None)["status"] == 200
    dynamodb = lane.clients.dynamodb
    answer = redirected(lane, lambda: dynamodb.put_item(TableName=TABLE, Item={**key, "halted": {"S": "by hand"}}))
    assert answer["denied"]["rule"] == "door.halted"  # type: ignore[index]
    assert len(lane.upstream.received) == 3
    assert [record["kind"] for record in lane.records()[-3:]] == ["intent", "outcome", "denial"]


def test_rules_that_change_between_two_hops_hold_for_the_second(lane: Lane) -> None:
    now = [0.0]

    def put(**changes: object) -> None:
        raw = json.dumps({**configuration(**changes), "tenant": lane.tenant}).encode()
        lane.clients.s3.put_object(Bucket=CONFIG, Key=lane.tenant, Body=raw)
        now[0] += FRESH_SECONDS

    source = ConfigurationSource(lane.clients.s3, CONFIG, lane.tenant, lane.tenant, lambda: now[0])
    object.__setattr__(lane.door, "configurations", source)
    put()
    assert redirected(lane, lambda: None)["status"] == 200
    answer = redirected(lane, lambda: put(allow=[rule(OTHER_HOST)]))
    assert answer["denied"]["rule"] == "allow.host"  # type: ignore[index]
    assert len(lane.upstream.received) == 3
    first, last = lane.records()[-3], lane.records()[-1]
    assert (first["kind"], last["kind"], last["rule"]) == ("intent", "denial", "allow.host")


BAD = {
    "deleted": None,
    "empty": b"",
    "no JSON": b"{",
    "no object": b"[]",
    "no text": b"\xff\xfe\x00",
    "deep": b"[" * 100_000,
    "too large": b" " * (1024 * 1024) + b"{}",
    "another version": json.dumps({**configuration(), "version": 2}).encode(),
    "version true": json.dumps({**configuration(), "version": True}).encode(),
    "a limit that is no number": json.dumps(
        {**configuration(), "budget": {"requests_per_minute": float("nan")}}
    ).encode(),
    "another tenant's": json.dumps({**configuration(), "tenant": "another"}).encode(),
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
def test_whatever_becomes_of_the_configuration_the_last_good_one_holds_for_a_while(
    lane: Lane, body: bytes | None
) -> None:
    now = [0.0]
    source = ConfigurationSource(lane.clients.s3, CONFIG, lane.tenant, lane.tenant, lambda: now[0])
    lane.configure(configuration())
    good = source.current()
    if body is None:
        lane.clients.s3.delete_object(Bucket=CONFIG, Key=lane.tenant)
    else:
        whose = body if b'"tenant"' in body else body.replace(b'{"', b'{"tenant": "%s", "' % lane.tenant.encode(), 1)
        lane.clients.s3.put_object(Bucket=CONFIG, Key=lane.tenant, Body=whose)
    for at, known in ((FRESH_SECONDS, True), (STALE_SECONDS - 1, True), (STALE_SECONDS, False), (10**9, False)):
        now[0] = at
        if known:
            assert source.current() is good
        else:
            with pytest.raises(DeniedError, match=r"door\.config"):
                source.current()
    lane.configure(configuration())
    assert source.current().digest == good.digest
