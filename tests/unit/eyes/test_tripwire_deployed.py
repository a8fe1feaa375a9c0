"""The alarms that are deployed, read back from the cloud, see every attempt and stay silent in a working hour."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
from deployed import NAMES, TENANTS, Deployed, deployed
from sensor_records import ATTEMPTS, FORGERIES, WORKING_HOUR, Attempt, door

from infra.sensors import Sensor
from infra.tripwire_table import HOSTS_OWN_FAILURES, TRIPWIRES
from infra.tripwires import wires
from lambda_proxy.denial import RULES
from sequester.eyes import Event, Sample, State, evaluate


@pytest.fixture(scope="module")
def cloud() -> Iterator[Deployed]:
    with deployed() as found:
        yield found


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_an_attempt_sets_off_its_alarm_and_no_other(cloud: Deployed, attempt: Attempt) -> None:
    assert cloud.fired(attempt.group, attempt.records) == attempt.fires


def test_every_row_with_a_sensor_has_an_attempt() -> None:
    tried = {name for attempt in ATTEMPTS for name in attempt.fires}
    rows = {wire.name("x").removeprefix("x-") for wire in wires(("research",)) if not wire.row.silent_group}
    assert rows <= tried


def test_every_denial_of_the_door_counts_somewhere_or_is_named(cloud: Deployed) -> None:
    filters = cloud.watch.filters[NAMES.door_log_group("research")]
    uncounted = {rule for rule in RULES if all(each.pattern.match(door(rule)) is None for each in filters)}
    assert uncounted == HOSTS_OWN_FAILURES


def test_a_working_hour_is_silent(cloud: Deployed) -> None:
    for group in {group for group, _ in WORKING_HOUR}:
        told = [record for at, record in WORKING_HOUR if at == group]
        assert cloud.fired(group, told) == set(), group


@pytest.mark.parametrize(("group", "record"), FORGERIES)
def test_a_forged_record_sets_off_nothing(cloud: Deployed, group: str, record: str) -> None:
    assert cloud.fired(group, [record] * 20) == set()


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_without_its_filters_the_attempt_sets_nothing_off(cloud: Deployed, attempt: Attempt) -> None:
    own = {f"sequester-{name}" for name in attempt.fires}
    left = {group: [each for each in filters if each.name not in own] for group, filters in cloud.watch.filters.items()}
    assert replace(cloud, watch=replace(cloud.watch, filters=left)).fired(attempt.group, attempt.records) == set()


@pytest.mark.parametrize("group", [NAMES.flow_log_group, NAMES.resolver_log_group, NAMES.cluster_log_group])
def test_a_sensor_that_stops_sets_its_own_alarm_off(cloud: Deployed, group: str) -> None:
    [alarm] = [a for a in cloud.watch.alarms.values() if ("LogGroupName", group) in a.dimensions]
    now = 1_800_000_000.0
    alive = [Sample("AWS/Logs", "IncomingLogEvents", alarm.dimensions, now - at, 5.0) for at in range(0, 3600, 60)]
    assert evaluate(alarm, alarm.datapoints(alive, now)) is State.OK
    assert evaluate(alarm, alarm.datapoints(alive, now + 7200)) is State.ALARM
    assert evaluate(alarm, alarm.datapoints([], now)) is State.ALARM, "never wrote at all"


def test_no_record_is_no_attempt(cloud: Deployed) -> None:
    states = cloud.states(NAMES.flow_log_group, [Event(0, "")], 1_800_000_000)
    assert {s for name, s in states.items() if "-silent-" not in name} == {State.OK}


def test_cloudwatch_would_take_the_patterns(cloud: Deployed) -> None:
    for group, filters in cloud.watch.filters.items():
        assert len(filters) <= 100, group  # metric filters a log group
        assert sum(each.pattern.regexes > 0 for each in filters) <= 5, group


def test_every_alarm_tells_the_topic_and_has_a_runbook(cloud: Deployed) -> None:
    topic = NAMES.arn("sns", "sequester-alarms")
    for name, alarm in cloud.watch.described.items():
        assert alarm["AlarmActions"] == [topic], name
        assert "docs/runbooks/" in alarm["AlarmDescription"], name
        assert alarm["TreatMissingData"] == ("breaching" if "-silent-" in name else "notBreaching"), name


def test_a_tenants_composite_has_all_of_its_alarms_and_no_other(cloud: Deployed) -> None:
    composites = {
        each["AlarmName"]: each["AlarmRule"]
        for each in cloud.cloud.client("cloudwatch").describe_alarms()["CompositeAlarms"]
    }
    assert set(composites) == {f"sequester-tenant-{tenant}" for tenant in TENANTS}
    for tenant in TENANTS:
        own = {wire.name("sequester") for wire in wires(TENANTS) if wire.tenant == tenant}
        assert set(re.findall(r'ALARM\("(.*?)"\)', composites[f"sequester-tenant-{tenant}"])) == own


def test_the_topic_is_encrypted_and_speaks_to_our_alarms_only(cloud: Deployed) -> None:
    sns = cloud.cloud.client("sns")
    attributes = sns.get_topic_attributes(TopicArn=NAMES.arn("sns", "sequester-alarms"))["Attributes"]
    assert attributes["KmsMasterKeyId"]
    policy = json.loads(attributes["Policy"])
    for statement in policy["Statement"]:
        if statement["Effect"] == "Allow":
            assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": NAMES.account}
    protocols = Counter(each["Protocol"] for each in sns.list_subscriptions()["Subscriptions"])
    assert protocols == {"email": 1, "lambda": 1}


def test_rows_without_a_sensor_say_why() -> None:
    for row in TRIPWIRES:
        assert (row.sensor is Sensor.NONE) == bool(row.reason) == (row.worst_seconds is None), row.id
