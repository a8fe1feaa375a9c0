"""A release while quarantine is under way, a flood of records, an act that fails for long: none of them undoes it."""

from collections.abc import Iterator

import pytest
from quarantine import CONTAINERS, DOOR, World, supervisor_event, world

from lambda_responder.outside import UnfinishedError

SWEEP = {"sweep": True}


@pytest.fixture
def at() -> Iterator[World]:
    with world() as made:
        yield made


def secret(at: World, seconds_ago: float = 0) -> None:
    record = {"event": "fetch", "tenant": "research", "verdict": "denied"}
    at.write(DOOR.format("research"), record, at.now - seconds_ago)


def test_whenever_a_person_releases_what_is_open_stays_open() -> None:
    """During each call of the quarantine in turn."""
    number, calls = 0, 1
    while (number := number + 1) <= calls:
        with world() as at:
            secret(at, 5)
            event = at.alarm("sequester-door-secret-research")
            counted = 0

            def releases(_service: str, _operation: str, number: int = number, at: World = at) -> bool:
                nonlocal counted
                counted += 1
                if counted == number:
                    at.responder().handle({"release": "research", "by": "alice", "why": "tested"})
                return False

            at.fault = releases
            try:
                at.responder().handle(event)
            except UnfinishedError as error:
                assert "released meanwhile" in str(error)
            at.fault = lambda *_: False
            calls = max(calls, counted if number == 1 else calls)
            at.responder().handle(SWEEP)
            where = at.asked[number - 1][:2]
            assert not at.halted("research"), f"call {number} ({where})"
            assert not at.revoked("research"), f"call {number} ({where})"
    assert number > 20, "released in the middle, too"


def test_what_is_tried_after_a_release_in_the_middle_closes_it(at: World) -> None:
    secret(at, 5)
    event = at.alarm("sequester-door-secret-research")

    def releases(_service: str, operation: str) -> bool:
        if operation == "AttachRolePolicy":
            at.fault = lambda *_: False
            at.responder().handle({"release": "research", "by": "alice", "why": "tested"})
            secret(at, -30)
        return False

    at.fault = releases
    with pytest.raises(UnfinishedError, match="released meanwhile"):
        at.responder().handle(event)
    at.responder().handle(SWEEP)
    assert at.halted("research")
    assert at.revoked("research")


def test_a_flood_costs_no_request_for_each_of_its_records(at: World) -> None:
    def requests(records: int) -> int:
        for number in range(records):
            secret(at, number / 100)
        at.calls.clear()
        at.responder(level="observe").handle(at.alarm("sequester-door-secret-research"))
        return at.calls.count(("dynamodb", "GetItem"))

    few = requests(2)
    assert requests(150) <= few + 5


def test_what_fails_for_long_is_not_given_up_and_starves_nobody(at: World) -> None:
    at.kubernetes.add_pod("research-sandbox", "run-1")
    at.write(CONTAINERS, supervisor_event("research-sandbox", "run-1"))
    at.alarm("sequester-network-call-research")
    at.kubernetes.fails = dict.fromkeys(range(1, 100), 503)
    responder = at.responder(actions_per_hour=3)
    for _ in range(6):
        with pytest.raises(UnfinishedError):
            responder.handle(SWEEP)
    at.kubernetes.fails = {}
    responder.handle(SWEEP)
    assert at.done() == ["delete_pod"]
    secret(at)
    responder.handle(at.alarm("sequester-door-secret-research"))
    assert len(at.done()) == 3, "one for the pod and two of three for the door: the limit still holds"
