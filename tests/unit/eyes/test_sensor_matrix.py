"""Every cell of the sensor matrix, in both directions: who is said to see it sets its alarm off, and nobody else."""

from collections.abc import Iterator

import pytest
from deployed import NAMES, Deployed, deployed, sensor_of
from sensor_records import ATTEMPTS, FLOW, TRAIL, flow, trail

from infra.sensor_matrix import COLUMNS, MATRIX, Row
from infra.sensors import Sensor
from infra.tripwire_table import TRIPWIRES

ROWS = {row.id: row for row in TRIPWIRES}
SEEN = [row for row in MATRIX if row.seen_by]

# What a sensor that does not see an attempt has of it, where it has anything: an ordinary packet to an endpoint, an
# allowed call. For "no packet", "never reaches the ENI" and "not logged" there is no record that could be made.
INSTEAD = {
    "ACCEPT": (FLOW, flow(dstaddr="10.42.192.16")),
    "allowed": (TRAIL, trail(code=None, source="lambda.amazonaws.com")),
}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Deployed]:
    with deployed() as found:
        yield found


@pytest.mark.parametrize("row", SEEN, ids=lambda row: row.attempt)
def test_who_is_said_to_see_it_sets_its_alarm_off(cloud: Deployed, row: Row) -> None:
    for tripwire in row.tripwires:
        own = [a for a in ATTEMPTS if any(name.startswith(tripwire) for name in a.fires)]
        assert own, tripwire
        for attempt in own:
            assert {sensor_of(attempt.group, record) for record in attempt.records} == {row.seen_by}, attempt.name
            assert any(name.startswith(tripwire) for name in cloud.fired(attempt.group, attempt.records)), attempt.name


@pytest.mark.parametrize(
    ("row", "sensor"),
    [(row, sensor) for row in MATRIX for sensor in COLUMNS if sensor is not row.seen_by],
    ids=lambda value: value.attempt if isinstance(value, Row) else str(value),
)
def test_who_does_not_see_it_is_not_credited_with_it(cloud: Deployed, row: Row, sensor: Sensor) -> None:
    assert sensor not in {ROWS[tripwire].sensor for tripwire in row.tripwires}
    if (said := row.misses.get(sensor)) in INSTEAD:
        group, record = INSTEAD[said]
        assert cloud.fired(group, [record] * 20) == set(), "what it records instead is no attempt to it"


def test_every_tripwire_is_in_the_matrix_once() -> None:
    listed = [tripwire for row in MATRIX for tripwire in row.tripwires]
    alarmed = [row.id for row in TRIPWIRES if row.sensor in COLUMNS]
    assert sorted(listed) == sorted(alarmed)
    for row in SEEN:
        assert {ROWS[tripwire].sensor for tripwire in row.tripwires} == {row.seen_by}


def test_what_nobody_sees_is_said_by_the_table_too() -> None:
    blind = {row.attempt for row in MATRIX if row.seen_by is None}
    assert blind <= {row.attempt for row in TRIPWIRES if row.sensor is Sensor.NONE}


@pytest.mark.parametrize("service", ["ecr", "sts", "logs", "eks", "eks-auth"])
def test_no_network_activity_is_asked_of_services_that_have_none(cloud: Deployed, service: str) -> None:
    """The trail would refuse them; the row says that nobody sees these denials."""
    [trail_name] = [each["Name"] for each in cloud.cloud.client("cloudtrail").list_trails()["Trails"]]
    selectors = cloud.cloud.client("cloudtrail").get_event_selectors(TrailName=trail_name)["AdvancedEventSelectors"]
    sources = {
        value
        for selector in selectors
        for field in selector["FieldSelectors"]
        if field["Field"] == "eventSource"
        for value in field.get("Equals", [])
    }
    assert sources
    assert f"{service}.amazonaws.com" not in sources
    assert NAMES.name in trail_name
