"""Budgets: never over-spent, whatever runs at once; and the kill switch."""

import itertools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from door_lane import HOST, TABLE, Lane, configuration

from lambda_proxy import budget
from lambda_proxy.audit import Chain, Link
from lambda_proxy.budget import Allowance, Budget, Limits
from lambda_proxy.denial import DeniedError

PLENTY = Limits(10**6, 10**9, 10**9)


def spent(lane: Lane) -> dict[str, int]:
    """Meter → spent, without the number of the window."""
    items = lane.items()
    return {
        str(item["item"].get("S")).rsplit("#", 1)[0]: int(item["spent"].get("N", "0"))
        for item in items
        if "spent" in item
    }


def budget_of(**limits: object) -> dict[str, object]:
    plenty = {"requests_per_minute": 10**6, "bytes_out_per_day": 10**9, "bytes_in_per_day": 10**9}
    return {"budget": {**plenty, "unreadable_bytes_per_day": 10**6, "hosts": {}, **limits}}


@pytest.mark.usefixtures("endless_windows")
def test_what_is_spent_is_what_was_sent_and_received(lane: Lane) -> None:
    answer = lane.fetch(f"https://{HOST}/v1/items?q=abc", headers={"x-a": "bc"}, max_bytes=1000)
    assert answer["status"] == 200
    sent = len("GET") + len(f"https://{HOST}/v1/items?q=abc") + len("x-a") + len("bc") + 4
    assert spent(lane) == {"requests#all": 1, "out#all": sent, "in#all": len(b"ok")}


NOTHING_COMES: list[tuple[str, dict[str, Any]]] = [
    ("inspect.secret", {"headers": {"x-key": "AKIA" + "QZ4XWJ7N5TRB2VKD"}}),
    ("resolve.failed", {"url": "https://nowhere.wild.example.test/v1/x"}),
    ("resolve.special", {"url": "https://inside.wild.example.test/v1/x"}),
    ("audit.unavailable", {}),
]


@pytest.mark.parametrize(("rule", "request_"), NOTHING_COMES, ids=lambda case: case if isinstance(case, str) else "")
def test_what_cannot_have_come_is_given_back(
    lane: Lane, rule: str, request_: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    lane.names |= {"nowhere.wild.example.test": [], "inside.wild.example.test": ["10.0.0.1"]}
    if rule == "audit.unavailable":

        def lost(*_: object) -> Link:
            raise DeniedError(rule)

        monkeypatch.setattr(Chain, "append", lost)
    assert lane.fetch(**request_)["denied"]["rule"] == rule
    assert spent(lane)["in#all"] == 0
    assert spent(lane)["requests#all"] == 1


def test_what_may_have_come_is_kept(lane: Lane) -> None:
    """A server that says nonsense could otherwise send any amount."""
    lane.upstream.reply = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc"
    assert lane.fetch(max_bytes=1000)["denied"]["rule"] == "response.malformed"
    assert spent(lane)["in#all"] == 1000


@pytest.mark.usefixtures("endless_windows")
def test_the_limit_itself_may_be_spent_and_nothing_more(lane: Lane) -> None:
    lane.configure(configuration(**budget_of(requests_per_minute=3)))
    assert [("status" in lane.fetch()) for _ in range(5)] == [True, True, True, False, False]
    assert len(lane.upstream.received) == 3


@pytest.mark.usefixtures("endless_windows")
def test_a_host_s_own_budget_does_not_touch_another_s(lane: Lane) -> None:
    own = {"requests_per_minute": 1, "bytes_out_per_day": 10**6, "bytes_in_per_day": 10**9}
    lane.configure(configuration(**budget_of(hosts={HOST: own})))
    assert "status" in lane.fetch()
    assert lane.fetch()["denied"]["rule"] == "budget.requests"
    assert "status" in lane.fetch("https://other.example.test/public/x")


def test_a_new_window_starts_anew(lane: Lane) -> None:
    now = [60_000.0]
    metered = Budget(lane.clients.dynamodb, TABLE, lane.tenant, lambda: now[0])
    allowance = Allowance(Limits(1, 10**6, 10**6), 0, {})
    metered.reserve(allowance, HOST, 1, 1)
    with pytest.raises(DeniedError, match=r"budget\.requests"):
        metered.reserve(allowance, HOST, 1, 1)
    now[0] += 60
    metered.reserve(allowance, HOST, 1, 1)


@pytest.mark.usefixtures("endless_windows")
def test_a_denied_reservation_takes_nothing(lane: Lane) -> None:
    metered = Budget(lane.clients.dynamodb, TABLE, lane.tenant)
    with pytest.raises(DeniedError, match=r"budget\.bytes_in"):
        metered.reserve(Allowance(Limits(10, 1000, 1000), 0, {}), HOST, 900, 1001)
    metered.reserve(Allowance(Limits(10, 1000, 1000), 0, {}), HOST, 900, 1000)
    with pytest.raises(DeniedError, match=r"budget\.bytes_out"):
        metered.reserve(Allowance(Limits(10, 1000, 2000), 0, {}), HOST, 101, 0)
    assert spent(lane) == {"requests#all": 1, "out#all": 900, "in#all": 1000}


def test_the_kill_switch_closes_the_door_and_opens_it_again(lane: Lane) -> None:
    key = {"tenant": {"S": lane.tenant}, "item": {"S": budget.CONTROL_ITEM}}
    assert "status" in lane.fetch()
    lane.clients.dynamodb.put_item(TableName=TABLE, Item={**key, "halted": {"S": "quarantined"}})
    assert lane.fetch()["denied"]["rule"] == "door.halted"
    assert len(lane.upstream.received) == 1
    lane.clients.dynamodb.delete_item(TableName=TABLE, Key=key)
    assert "status" in lane.fetch()


def test_thirty_two_callers_at_once_do_not_over_spend(lane: Lane, moto_lock: threading.Lock) -> None:
    limit, callers, each = 20, 32, 2
    allowance = Allowance(Limits(limit, 10**6, 10**6), 0, {})
    granted: list[int] = []
    barrier = threading.Barrier(callers)

    def call() -> None:
        metered = Budget(lane.clients.dynamodb, TABLE, lane.tenant, lambda: 60_000.0)
        barrier.wait()
        for _ in range(each):
            try:
                metered.reserve(allowance, HOST, 10, 10)
            except DeniedError as denied:
                assert denied.rule == "budget.requests"
            else:
                granted.append(1)

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(granted) == limit
    assert spent(lane)["requests#all"] == limit


def test_without_the_condition_callers_over_spend(lane: Lane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        budget, "WITHIN_LIMIT", "attribute_not_exists(spent) OR attribute_exists(spent) OR :room = :room"
    )
    lane.configure(configuration(**budget_of(requests_per_minute=3)))
    assert ["status" in lane.fetch() for _ in range(5)] == [True] * 5


# A model of the conditional expressions: each transaction of `Budget` is one atomic step (DynamoDB's transactions are
# serializable), `settle` is another; all interleavings of three callers are gone through.


@dataclass(frozen=True)
class Caller:
    """One fetch: reserves `reserve` bytes, of which `arrive` come."""

    reserve: int
    arrive: int


def interleavings(steps: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Every order of steps in which each caller's own stay in order."""
    yield from set(itertools.permutations([caller for caller, count in enumerate(steps) for _ in range(count)]))


@pytest.mark.parametrize("limit", [5, 9, 12, 20])
def test_no_interleaving_of_reserve_and_settle_over_spends(limit: int) -> None:
    callers = (Caller(5, 2), Caller(6, 6), Caller(4, 0))
    orders = list(interleavings([2] * len(callers)))
    assert len(orders) == 90
    for order in orders:
        total, arrived, holding = 0, 0, dict[int, int]()
        done: list[int] = []
        for index in order:
            caller = callers[index]
            if index not in done:
                done.append(index)
                if total <= limit - caller.reserve:  # spent <= :room
                    total += caller.reserve
                    holding[index] = caller.reserve
            elif index in holding:
                arrived += caller.arrive
                total -= caller.reserve - caller.arrive  # ADD spent :unused
            assert arrived <= total <= limit


def test_the_model_s_condition_is_the_one_in_the_code() -> None:
    assert budget.WITHIN_LIMIT == "attribute_not_exists(spent) OR spent <= :room"
    assert budget.NOT_HALTED == "attribute_not_exists(halted)"


def test_a_check_before_the_write_would_over_spend() -> None:
    """Positive control of the model: read first and write later, and some interleaving spends more than there is."""
    limit, amount = 9, 5
    over = False
    for order in interleavings([2, 2]):
        total, allowed = 0, dict[int, bool]()
        for index in order:
            if index not in allowed:
                allowed[index] = total <= limit - amount
            elif allowed[index]:
                total += amount
        over = over or total > limit
    assert over
