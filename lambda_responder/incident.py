"""From an SNS message to an incident that is believed only as far as CloudWatch itself confirms it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from .config import Config, Wire

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

_EARLIER_SECONDS: Final = 60
_ID_LENGTH: Final = 24


@dataclass(frozen=True)
class Incident:
    """One time that an alarm went off; the same for every message about it. Times in seconds since the epoch."""

    id: str
    alarm: str
    wire: Wire
    since: float
    until: float


def alarm_names(event: Mapping[str, object], topic: str) -> list[str]:
    """The alarms that the SNS records of an invocation name. What is not a message of our topic is not read."""
    names: list[str] = []
    for record in cast("list[Mapping[str, Mapping[str, object]]]", event.get("Records") or []):
        notice = record.get("Sns") or {}
        if notice.get("TopicArn") != topic:
            continue
        try:
            message: object = json.loads(str(notice.get("Message")))
        except ValueError:
            continue
        if isinstance(message, dict):
            name = cast("dict[str, object]", message).get("AlarmName")
            if isinstance(name, str):
                names.append(name)
    return names


def confirmed(cloudwatch: "CloudWatchClient", config: Config, name: str) -> Incident | None:
    """The incident behind an alarm's name, by CloudWatch's own word; None if it is not ours or not in alarm."""
    wire = config.wires.get(name)
    if wire is None:
        return None
    for alarm in cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm"])["MetricAlarms"]:
        if alarm.get("AlarmName") != name or alarm.get("StateValue") != "ALARM":
            continue
        at = alarm.get("StateTransitionedTimestamp") or alarm.get("StateUpdatedTimestamp")
        if at is None:
            continue
        digest = hashlib.sha256(f"{name}\n{at.timestamp()}".encode()).hexdigest()[:_ID_LENGTH]
        return Incident(digest, name, wire, at.timestamp() - wire.window_seconds, at.timestamp() + _EARLIER_SECONDS)
    return None
