"""From an SNS message to an incident that is believed only as far as CloudWatch itself confirms it."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from .config import Config, Wire

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.type_defs import MetricAlarmTypeDef

EARLIER_SECONDS: Final = 60
_ID_LENGTH: Final = 24


@dataclass(frozen=True)
class Incident:
    """One time that an alarm went off; the same for every message about it.

    Seconds since the epoch: `began`, when the alarm changed; records from `since` to `until` are looked at.
    """

    id: str
    alarm: str
    wire: Wire
    began: float
    since: float
    until: float


def alarm_names(event: Mapping[str, object], topic: str) -> list[str]:
    """The alarms that the SNS records of an invocation name. What is not a message of our topic is not read."""
    names: list[str] = []
    records = event.get("Records")
    for record in cast("list[object]", records) if isinstance(records, list) else []:
        found = cast("Mapping[str, object]", record).get("Sns") if isinstance(record, Mapping) else None
        if not isinstance(found, Mapping):
            continue
        notice = cast("Mapping[str, object]", found)
        if notice.get("TopicArn") != topic:
            continue
        try:
            message: object = json.loads(str(notice.get("Message")))
        except (ValueError, RecursionError):
            continue
        if isinstance(message, dict):
            name = cast("dict[str, object]", message).get("AlarmName")
            if isinstance(name, str):
                names.append(name)
    return names


def confirmed(cloudwatch: "CloudWatchClient", config: Config, name: str) -> Incident | None:
    """The incident behind an alarm's name, by CloudWatch's own word; None if it is not ours or not in alarm."""
    if name not in config.wires:
        return None
    described = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    return next(_incidents(config, [one for one in described if one.get("AlarmName") == name]), None)


def in_alarm(cloudwatch: "CloudWatchClient", config: Config) -> list[Incident]:
    """Of every alarm of ours that is in ALARM now."""
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=f"{config.stack}-", StateValue="ALARM", AlarmTypes=["MetricAlarm"]
    )
    return [incident for page in pages for incident in _incidents(config, page["MetricAlarms"])]


def _incidents(config: Config, described: "Iterable[MetricAlarmTypeDef]") -> Iterator[Incident]:
    for alarm in described:
        name, wire = alarm.get("AlarmName", ""), config.wires.get(alarm.get("AlarmName", ""))
        at = alarm.get("StateTransitionedTimestamp") or alarm.get("StateUpdatedTimestamp")
        if wire is not None and at is not None and alarm.get("StateValue") == "ALARM":
            yield incident(name, wire, at.timestamp())


def incident(name: str, wire: Wire, began: float) -> Incident:
    """The incident of an alarm that changed then."""
    digest = hashlib.sha256(f"{name}\n{began}".encode()).hexdigest()[:_ID_LENGTH]
    return Incident(digest, name, wire, began, began - wire.window_seconds, began + EARLIER_SECONDS)
