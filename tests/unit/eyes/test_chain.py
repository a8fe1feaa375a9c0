"""From a sensor's record to what was done about it, through everything that is deployed."""

from collections.abc import Iterator

import pytest
from deployed import NAMES, TENANTS, Deployed, deployed
from sensor_records import ATTEMPTS, Attempt, connect

from sequester.eyes.chain import Act, Fired, fired, respond
from sequester.eyes.records import SensorRecord
from sequester.eyes.responder import Noted, NotOursError, deployed_responder


@pytest.fixture(scope="module")
def cloud() -> Iterator[Deployed]:
    with deployed() as found:
        yield found


def fire(cloud: Deployed, record: SensorRecord) -> Fired:
    [one] = fired(cloud.watch, NAMES, TENANTS, [record])
    return one


@pytest.mark.parametrize("second", [0, 1, 30, 59])
@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_the_alarm_comes_within_the_time_that_is_stated(cloud: Deployed, attempt: Attempt, second: int) -> None:
    found = cloud.timed(attempt.group, attempt.records, 1_800_000_000.0 + second)
    assert {one.alarm.removeprefix("sequester-") for one in found} == attempt.fires
    for one in found:
        assert one.row.worst_seconds is not None
        assert 0 < one.seconds <= one.row.worst_seconds, one


def test_a_record_becomes_an_alarm_a_message_and_an_act(cloud: Deployed) -> None:
    record = connect()
    one = fire(cloud, record)
    assert (one.row.id, one.tenant) == ("network-call", "research")
    answer = respond(cloud.cloud, NAMES, [record], cloud.watch.described[one.alarm])
    assert answer.functions == ("sequester-responder",)
    assert answer.acts == (Act("delete_pod", "pod research-sandbox/run-1", "done"),)
    pod = "/api/v1/namespaces/research-sandbox/pods/run-1"
    asked = [method for method, path in answer.requests if path == pod]
    assert asked == ["GET", "GET", "PATCH", "DELETE"]  # of which node it is, evidence, the label, the end
    assert len(answer.evidence) == 2  # the records, and the pod
    assert not answer.unfinished


def test_other_code_is_not_taken_for_ours(cloud: Deployed) -> None:
    with pytest.raises(NotOursError, match="sequester-responder-inside"):
        deployed_responder(cloud.cloud, "sequester-responder-inside", Noted())


def test_nothing_recorded_sets_nothing_off(cloud: Deployed) -> None:
    assert fired(cloud.watch, NAMES, TENANTS, []) == []
