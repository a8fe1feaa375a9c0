"""Reads the records behind an alarm; and whose an address was, from the audit log, where nodes report it."""

import json
from typing import TYPE_CHECKING, Final, cast

from .config import Config
from .incident import Incident
from .subject import Address, Pod, Record, pod_of

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

MOST_RECORDS: Final = 200
"""Enough to tell who did it; a flood must not keep the function busy."""
_LONGEST_POD_SECONDS: Final = 24 * 3600
_REUSED_SECONDS: Final = 60  # the VPC CNI gives an address to another pod after 30


def records(logs: "CloudWatchLogsClient", incident: Incident) -> list[Record]:
    """The events that the alarm's own filters matched, at most MOST_RECORDS."""
    found: list[Record] = []
    for pattern in incident.wire.patterns:
        found += _search(logs, incident.wire.log_group, pattern, incident.since, incident.until)
    return sorted(found, key=lambda record: record.at)[:MOST_RECORDS]


def pods_at(logs: "CloudWatchLogsClient", config: Config, address: Address) -> list[Pod]:
    """The pods that had the address then: one, or several where it changed hands at about that time."""
    pattern = (
        '{ $.objectRef.resource = "pods" && $.objectRef.subresource = "status"'
        f' && $.requestObject.status.podIP = "{address.ip}" && $.user.username = "system:node:*" }}'
    )
    since, until = address.at - _LONGEST_POD_SECONDS, address.at + _REUSED_SECONDS
    seen: dict[Pod, tuple[float, float]] = {}
    for record in _search(logs, config.audit_log_group, pattern, since, until):
        reference = cast("dict[str, dict[str, str]]", json.loads(record.message))["objectRef"]
        pod = pod_of(config, reference.get("namespace", ""), reference.get("name", ""))
        if pod:
            first, _ = seen.get(pod, (record.at, record.at))
            seen[pod] = (first, record.at)
    latest = max((last for _, last in seen.values() if last <= address.at), default=0.0)
    return [
        pod
        for pod, (first, last) in seen.items()
        if last >= latest or abs(first - address.at) <= _REUSED_SECONDS or abs(last - address.at) <= _REUSED_SECONDS
    ]


def _search(logs: "CloudWatchLogsClient", group: str, pattern: str, since: float, until: float) -> list[Record]:
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group,
        filterPattern=pattern,
        startTime=int(since * 1000),
        endTime=int(until * 1000),
        PaginationConfig={"MaxItems": MOST_RECORDS},
    )
    return [
        Record(event.get("message", ""), event.get("timestamp", 0) / 1000, event.get("logStreamName", ""))
        for page in pages
        for event in page["events"]
    ]
