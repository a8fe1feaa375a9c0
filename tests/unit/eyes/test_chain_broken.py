"""Where a link between a record and an act is missing, nothing is done, and the chain says so."""

import pytest
from deployed import NAMES, TENANTS, deployed
from sensor_records import ATTEMPTS, connect

from sequester.cloud import Edit
from sequester.eyes.chain import fired, respond


def test_an_alarm_of_one_period_would_be_over_before_a_flow_log_comes() -> None:
    def one_period(type_: str, name: str, inputs: dict[str, object]) -> dict[str, object]:
        return inputs | {"evaluationPeriods": 1} if name == "sequester-packet-left" else inputs

    [attempt] = [each for each in ATTEMPTS if each.name == "accepted out by traffic path 8"]
    with deployed(Edit(change=one_period)) as cloud:
        assert cloud.timed(attempt.group, attempt.records, 1_800_000_000.0) == []


@pytest.mark.parametrize(
    ("link", "called"),
    [
        ("aws:sns/topicSubscription:TopicSubscription", "sequester-responder"),
        ("aws:lambda/permission:Permission", "sequester-responder-alarms"),
    ],
)
def test_an_unhooked_responder_does_nothing(link: str, called: str) -> None:
    def without(type_: str, name: str, inputs: dict[str, object]) -> dict[str, object] | None:
        return None if type_ == link and name == called else inputs

    with deployed(Edit(change=without)) as cloud:
        record = connect()
        [one] = fired(cloud.watch, NAMES, TENANTS, [record])
        answer = respond(cloud.cloud, NAMES, [record], cloud.watch.described[one.alarm])
    assert answer.functions == answer.acts == ()
