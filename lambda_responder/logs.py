"""Reads the records behind an alarm; and whose an address was, from the audit log, where nodes report it."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from .config import Config
from .incident import Incident
from .subject import NODE_USER, Address, Pod, Record, Subject, pod_of

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

MOST_READ: Final = 10_000
"""Of one pattern; a flood must not keep the function busy. That it was cut short is said."""
MOST_KEPT: Final = 200
MOST_SUBJECTS: Final = 100
"""Of one incident: each costs requests, and who may write records may name many."""
_LONGEST_POD_SECONDS: Final = 24 * 3600
_REUSED_SECONDS: Final = 60  # the VPC CNI gives an address to another pod after 30


@dataclass(frozen=True)
class Findings:
    """What to keep as evidence, who did it, and whether records were left unread."""

    records: tuple[Record, ...]
    subjects: tuple[Subject, ...]
    cut_short: bool


def findings(logs: "CloudWatchLogsClient", incident: Incident, read: Callable[[Record], Iterable[Subject]]) -> Findings:
    """The events that the alarm's own filters matched.

    Kept are the first MOST_KEPT, and the first record of everybody else: one who floods hides nobody.
    """
    kept: list[Record] = []
    who: dict[Subject, None] = {}
    cut_short = False
    for pattern in incident.wire.patterns:
        number = 0
        for record in _search(
            logs, incident.wire.log_group, incident.wire.streams, pattern, incident.since, incident.until
        ):
            number += 1
            new = [subject for subject in read(record) if subject not in who]
            cut_short |= len(who) + len(new) > MOST_SUBJECTS
            who.update(dict.fromkeys(new[: MOST_SUBJECTS - len(who)]))
            if new or len(kept) < MOST_KEPT:
                kept.append(record)
        cut_short |= number >= MOST_READ
    return Findings(tuple(sorted(kept, key=lambda record: record.at)), tuple(who), cut_short)


@dataclass(frozen=True)
class Holder:
    """Who had an address: a pod of a tenant's, or None for any other, and the node that it was on, by name."""

    pod: Pod | None
    node: str


def holders(logs: "CloudWatchLogsClient", config: Config, address: Address) -> list[Holder]:
    """Who had the address then: one, or several where it changed hands at about that time; none if nobody told.

    Kubelets report their pods' addresses and their own with them, and may report for pods of their own node only. By
    the API server's own streams: a node that was broken into may write others into the group.
    """
    pattern = (
        '{ $.objectRef.resource = "pods" && $.objectRef.subresource = "status" && $.user.username = "system:node:*"'
        f' && ($.requestObject.status.podIP = "{address.ip}" || $.requestObject.status.hostIP = "{address.ip}") }}'
    )
    since, until = address.at - _LONGEST_POD_SECONDS, address.at + _REUSED_SECONDS
    seen: dict[Holder, tuple[float, float]] = {}
    for record in _search(logs, config.audit_log_group, config.audit_streams, pattern, since, until):
        if holder := _holder(config, record, address.ip):
            first, _ = seen.get(holder, (record.at, record.at))
            seen[holder] = (first, record.at)
    latest = max((last for _, last in seen.values() if last <= address.at), default=0.0)
    return [
        holder
        for holder, (first, last) in seen.items()
        if last >= latest or abs(first - address.at) <= _REUSED_SECONDS or abs(last - address.at) <= _REUSED_SECONDS
    ]


def _holder(config: Config, record: Record, ip: str) -> Holder | None:
    event: dict[str, Any] = json.loads(record.message)
    node = NODE_USER.match(event["user"]["username"])
    if not record.stream.startswith(config.audit_streams) or node is None:
        return None
    reference, own = event["objectRef"], event["requestObject"]["status"].get("podIP") == ip
    return Holder(pod_of(config, reference.get("namespace", ""), reference.get("name", "")) if own else None, node[1])


def _search(
    logs: "CloudWatchLogsClient", group: str, streams: str, pattern: str, since: float, until: float
) -> Iterator[Record]:
    """Other streams of the group are left out by CloudWatch already: who floods those hides nothing."""
    paginator = logs.get_paginator("filter_log_events")
    about = {"logGroupName": group, **({"logStreamNamePrefix": streams} if streams else {})}
    pages = paginator.paginate(
        **cast("Any", about),
        filterPattern=pattern,
        startTime=int(since * 1000),
        endTime=int(until * 1000),
        PaginationConfig={"MaxItems": MOST_READ},
    )
    for page in pages:
        for event in page["events"]:
            yield Record(event.get("message", ""), event.get("timestamp", 0) / 1000, event.get("logStreamName", ""))
