"""Quarantine goes on while an alarm stands, finishes what it began, and ends when a person releases the tenant."""

import json
from collections.abc import Iterator

import pytest
from quarantine import CONTAINERS, DOOR, FLOW, World, supervisor_event, world
from sensor_records import flow

from lambda_responder import logs
from lambda_responder.aws_acts import RefusedError
from lambda_responder.outside import UnfinishedError

SWEEP = {"sweep": True}


@pytest.fixture
def at() -> Iterator[World]:
    with world() as made:
        yield made


def attempt(at: World, pod: str) -> None:
    at.kubernetes.add_pod("research-sandbox", pod)
    at.write(CONTAINERS, supervisor_event("research-sandbox", pod))


def secret(at: World, seconds_from_now: float = 0) -> None:
    record = {"event": "fetch", "tenant": "research", "verdict": "denied"}
    at.write(DOOR.format("research"), record, at.now + seconds_from_now)


def test_who_tries_while_the_alarm_stands_is_ended_too_and_the_first_is_not_ended_twice(at: World) -> None:
    attempt(at, "first")
    at.responder().handle(at.alarm("sequester-network-call-research"))
    attempt(at, "second")  # the alarm does not change, so nobody is told
    at.responder().handle(SWEEP)
    at.responder().handle(SWEEP)
    ended = [record["subject"] for record in at.chain if record.get("outcome") == "done"]
    assert ended == ["pod research-sandbox/first", "pod research-sandbox/second"]
    assert at.kubernetes.objects == {}


def test_without_the_sweep_the_second_goes_on(at: World) -> None:
    attempt(at, "first")
    at.responder().handle(at.alarm("sequester-network-call-research"))
    attempt(at, "second")
    assert [path.rpartition("/")[2] for path in at.kubernetes.objects] == ["second"]


def test_an_alarm_whose_message_was_lost_is_answered(at: World) -> None:
    attempt(at, "run-1")
    at.alarm("sequester-network-call-research")
    at.responder().handle(SWEEP)
    assert at.done() == ["delete_pod"]


def test_a_sweep_in_peace_does_nothing(at: World) -> None:
    attempt(at, "run-1")
    at.alarm("sequester-network-call-research", state="OK")
    at.responder().handle(SWEEP)
    assert at.chain == []
    assert at.objects("evidence/") == []


def test_what_was_begun_is_finished_though_the_alarm_is_over(at: World) -> None:
    secret(at)
    at.fault = lambda service, _: service == "iam"
    with pytest.raises(UnfinishedError, match="revoke_sessions"):
        at.responder().handle(at.alarm("sequester-door-secret-research"))
    at.alarm("sequester-door-secret-research", state="OK")
    at.fault = lambda *_: False
    at.responder().handle(SWEEP)
    assert at.revoked("research")
    assert sorted(at.done()) == ["close_door", "delete_association", "revoke_sessions"]
    before = len(at.chain)
    at.responder().handle(SWEEP)
    assert len(at.chain) == before, "finished is finished"


def test_what_keeps_failing_is_said_once(at: World) -> None:
    secret(at)
    at.fault = lambda service, _: service == "iam"
    at.alarm("sequester-door-secret-research")
    for _ in range(5):
        with pytest.raises(UnfinishedError):
            at.responder().handle(SWEEP)
    assert [record["act"] for record in at.chain if record.get("outcome") == "failed"] == ["revoke_sessions"]
    assert at.calls.count(("sns", "Publish")) == 1


def test_one_alarms_failure_keeps_nobody_from_the_next(at: World) -> None:
    at.write(FLOW, flow(instance_id=at.node()))
    at.alarm("sequester-packet-left")
    attempt(at, "run-1")
    at.alarm("sequester-network-call-research")
    at.fault = lambda _, operation: operation == "DescribeInstances"
    with pytest.raises(UnfinishedError, match="packet-left"):
        at.responder().handle(SWEEP)
    assert at.kubernetes.objects.keys() & {"/api/v1/namespaces/research-sandbox/pods/run-1"} == set()


def test_a_flood_hides_nobody(at: World) -> None:
    for number in range(logs.MOST_KEPT + 50):
        at.write(CONTAINERS, supervisor_event("research-sandbox", "loud"), at.now - 60 + number / 10)
    at.kubernetes.add_pod("research-sandbox", "loud")
    attempt(at, "quiet")
    at.responder().handle(at.alarm("sequester-network-call-research"))
    assert at.kubernetes.objects == {}
    [kept] = [each for each in at.objects("evidence/") if isinstance(each, list)]
    assert len(kept) == logs.MOST_KEPT + 1


def test_a_flood_that_is_not_read_to_its_end_is_said(at: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MOST_READ", 10)
    for number in range(30):
        at.write(CONTAINERS, supervisor_event("research-sandbox", "loud"), at.now - number)
    at.responder().handle(at.alarm("sequester-network-call-research"))
    assert ("sns", "Publish") in at.calls


def released(at: World) -> dict[str, object]:
    return at.responder().handle({"release": "research", "by": "arn:aws:iam::123456789012:user/alice", "why": "tested"})


def test_release_opens_what_was_closed_and_says_who_and_why(at: World) -> None:
    secret(at)
    at.responder().handle(at.alarm("sequester-door-secret-research"))
    assert at.halted("research")
    assert released(at)["associated"] is False, "pulumi up makes the association again"
    assert not at.halted("research")
    assert not at.revoked("research")
    asked, outcome = at.chain[-2:]
    assert (asked["kind"], outcome["outcome"]) == ("release", "done")
    for record in (asked, outcome):
        assert (record["by"], record["why"]) == ("arn:aws:iam::123456789012:user/alice", "tested")


def test_what_was_seen_before_the_release_closes_nothing_again(at: World) -> None:
    secret(at)
    at.responder().handle(at.alarm("sequester-door-secret-research"))
    released(at)
    at.responder().handle(SWEEP)  # the alarm stands still
    assert not at.halted("research")


def test_what_is_tried_after_the_release_closes_it_again_under_the_same_alarm(at: World) -> None:
    secret(at)
    at.responder().handle(at.alarm("sequester-door-secret-research"))
    released(at)
    secret(at, seconds_from_now=30)
    at.responder().handle(SWEEP)
    assert at.halted("research")
    assert at.revoked("research")


def test_a_release_is_recorded_before_anything_is_opened(at: World) -> None:
    secret(at)
    at.responder().handle(at.alarm("sequester-door-secret-research"))
    at.calls.clear()
    released(at)
    order = [operation for _, operation in at.calls]
    assert order.index("PutObject") < order.index("DetachRolePolicy")


def test_a_release_that_cannot_be_recorded_opens_nothing(at: World) -> None:
    secret(at)
    at.responder().handle(at.alarm("sequester-door-secret-research"))
    at.fault = lambda service, _: service == "s3"
    with pytest.raises(Exception, match="made to fail"):
        released(at)
    assert at.halted("research")
    assert at.revoked("research")


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"release": "nobody", "by": "alice", "why": "x"}, "no tenant here: use one of research, support"),
        ({"release": "", "by": "alice", "why": "x"}, "no tenant"),
        ({"release": ["research"], "by": "alice", "why": "x"}, "no tenant"),
        ({"release": "research", "why": "x"}, "say who"),
        ({"release": "research", "by": "alice"}, "say who"),
        ({"release": "research", "by": "alice", "why": "  "}, "say who"),
        ({"release": "research", "by": "alice", "why": "x" * 501}, "say who"),
    ],
)
def test_a_release_says_whom_who_and_why(at: World, event: dict[str, object], said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        at.responder().handle(event)
    assert at.chain == []


def test_what_a_person_writes_stays_one_record(at: World) -> None:
    why = 'x"}\n{"kind": "outcome", "outcome": "done"}\u202e'
    at.responder().handle({"release": "research", "by": "alice", "why": why})
    assert [record["why"] for record in at.chain] == [why, why]
    assert json.dumps(at.chain[0]).isascii()
