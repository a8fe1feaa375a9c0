"""From sensors' records to what was done about them: filters, alarms, the topic, the responder; all read back.

>>> record = SensorRecord(Sensor.SUPERVISOR, shipped(event, namespace="research-sandbox", pod="run-1"), time.time())
>>> [(one.row.id, one.seconds) for one in fired(Watch.read(cloud.client), names, ["research"], [record])]
[('network-call', 111.0)]
>>> respond(cloud, names, [record], watch.described["sequester-network-call-research"]).acts
(Act('delete_pod', 'pod research-sandbox/run-1', 'done'),)
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from infra.names import Names
from infra.sensors import EVALUATION_SECONDS, SOURCES
from infra.tripwire_table import Tripwire
from infra.tripwires import wires
from lambda_responder.inside import Api
from lambda_responder.ledger import CHAIN
from lambda_responder.outside import UnfinishedError
from sequester.cloud import EmbeddedCloud
from sequester.eyes.alarm import State, evaluate
from sequester.eyes.metric import Event, Sample, samples
from sequester.eyes.records import SensorRecord
from sequester.eyes.responder import NODE, Noted, deployed_responder
from sequester.eyes.watch import Watch

_STREAM: Final = f"{NODE}-0"  # of the node that `Noted` says every pod is on
_LATEST_SECONDS: Final = 3600  # nothing is evaluated later than this after the last record has arrived


@dataclass(frozen=True)
class Fired:
    """An alarm that went off: for which row and tenant, and when (seconds since the epoch)."""

    alarm: str
    row: Tripwire
    tenant: str | None
    attempt_at: float
    at: float

    @property
    def seconds(self) -> float:
        """From the attempt to the alarm, with the record delivered as late as its sensor may."""
        return self.at - self.attempt_at


def fired(watch: Watch, names: Names, tenants: Sequence[str], records: Iterable[SensorRecord]) -> list[Fired]:
    """The alarms that these records set off, earliest first.

    Each record counts at its own time and is seen when it arrives, which is the worst case of both; CloudWatch
    evaluates once a minute. Alarms on silence are not asked: see `sequester.eyes.evaluate`.
    """
    told = list(records)
    if not told:
        return []
    known = {wire.name(names.name): wire for wire in wires(tenants)}
    counted = _counted(watch, names, told)
    found: list[Fired] = []
    for name, alarm in watch.alarms.items():
        own = [(sample, arrives) for sample, arrives in counted if sample.name == alarm.metric]
        if not own or name not in known:
            continue
        first = min(sample.time for sample, _ in own)
        last = max(arrives for _, arrives in own) + alarm.period_seconds * alarm.periods
        now = math.ceil(first / EVALUATION_SECONDS) * EVALUATION_SECONDS
        while now <= last + EVALUATION_SECONDS and now - first < _LATEST_SECONDS:
            seen = [sample for sample, arrives in own if arrives <= now]
            if evaluate(alarm, alarm.datapoints(seen, now)) is State.ALARM:
                wire = known[name]
                found.append(Fired(name, wire.row, wire.tenant, first, now))
                break
            now += EVALUATION_SECONDS
    return sorted(found, key=lambda one: (one.at, one.alarm))


def _counted(watch: Watch, names: Names, records: Sequence[SensorRecord]) -> list[tuple[Sample, float]]:
    """What the deployed filters make of the records, each with the time at which it is known."""
    return [
        (sample, record.arrives)
        for record in records
        for metric_filter in watch.filters.get(record.log_group(names), [])
        for sample in samples([Event(record.at, record.message)], metric_filter)
    ]


@dataclass(frozen=True)
class Act:
    """One entry of the responder's chain: what to whom, and how it went (`done`, `refused`, `failed`, `dry run`...)."""

    act: str
    subject: str
    outcome: str


@dataclass(frozen=True)
class Answer:
    """What was done about one alarm. `functions`: who was told; empty if nobody was, and then nothing was done.

    `requests`: to the Kubernetes API, where no API server was given and they were only noted.
    """

    alarm: str
    functions: tuple[str, ...]
    acts: tuple[Act, ...] = ()
    evidence: tuple[str, ...] = ()
    requests: tuple[tuple[str, str], ...] = ()
    unfinished: str = ""


def respond(
    cloud: EmbeddedCloud,
    names: Names,
    records: Iterable[SensorRecord],
    described: Mapping[str, Any],
    kubernetes: Api | None = None,
) -> Answer:
    """Write the records, put the alarm into ALARM, and let the functions that its topic tells do what they do.

    described: the alarm as `Watch.described` has it. The records' times must be of the last hours.
    """
    _write(cloud, names, records)
    name: str = described["AlarmName"]
    cloud.client("cloudwatch").set_alarm_state(
        AlarmName=name, StateValue="ALARM", StateReason="Threshold Crossed: 1 datapoint was greater than the threshold"
    )
    api = kubernetes or Noted()
    functions = subscribed(cloud, described)
    before, kept = _chain(cloud, functions), _evidence(cloud, functions)
    unfinished: list[str] = []
    for function, topic in functions.items():
        try:
            deployed_responder(cloud, function, api).handle(notification(described, topic))
        except UnfinishedError as error:  # Lambda would deliver the event again
            unfinished.append(str(error))
    after = _chain(cloud, functions)[len(before) :]
    return Answer(
        name,
        tuple(functions),
        tuple(_act(entry) for entry in after if entry.get("kind") in ("outcome", "dry run", "limit")),
        tuple(sorted(_evidence(cloud, functions) - kept)),
        tuple(api.requests) if isinstance(api, Noted) else (),
        "; ".join(unfinished),
    )


def subscribed(cloud: EmbeddedCloud, described: Mapping[str, Any]) -> dict[str, str]:
    """The functions that the alarm's topics tell and may invoke, by name, each with its topic."""
    found: dict[str, str] = {}
    actions: list[str] = described.get("AlarmActions", []) if described.get("ActionsEnabled", True) else []
    for action in actions:
        listed = cloud.client("sns").list_subscriptions_by_topic(TopicArn=action)["Subscriptions"]
        for each in listed:
            function = str(each["Endpoint"]).rpartition(":function:")[2]
            if each["Protocol"] == "lambda" and _may_invoke(cloud, function, action):
                found[function] = action
    return found


def _may_invoke(cloud: EmbeddedCloud, function: str, topic: str) -> bool:
    client = cloud.client("lambda")
    try:
        policy = json.loads(client.get_policy(FunctionName=function)["Policy"])
    except client.exceptions.ResourceNotFoundException:
        return False
    return any(
        statement["Principal"].get("Service") == "sns.amazonaws.com"
        and statement["Condition"]["ArnLike"]["AWS:SourceArn"] == topic
        for statement in policy["Statement"]
    )


def notification(described: Mapping[str, Any], topic: str) -> dict[str, object]:
    """What Lambda is given when CloudWatch tells a topic of an alarm.

    https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html and, for the message,
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    message = {
        "AlarmName": described["AlarmName"],
        "AlarmDescription": described.get("AlarmDescription", ""),
        "AWSAccountId": topic.split(":")[4],
        "NewStateValue": "ALARM",
        "NewStateReason": described.get("StateReason", ""),
        "StateChangeTime": now,
        "Region": topic.split(":")[3],
        "AlarmArn": described["AlarmArn"],
        "OldStateValue": "OK",
        "AlarmActions": list(described.get("AlarmActions", [])),
        "Trigger": {"MetricName": described["MetricName"], "Namespace": described["Namespace"]},
    }
    notice: dict[str, object] = {
        "Type": "Notification",
        "MessageId": "00000000-0000-4000-8000-000000000000",
        "TopicArn": topic,
        "Subject": f"ALARM: {described['AlarmName']!r}",
        "Message": json.dumps(message),
        "Timestamp": now,
        "MessageAttributes": {},
    }
    return {"Records": [{"EventVersion": "1.0", "EventSource": "aws:sns", "Sns": notice}]}


def _write(cloud: EmbeddedCloud, names: Names, records: Iterable[SensorRecord]) -> None:
    logs = cloud.client("logs")
    for record in records:
        stream = SOURCES[record.sensor].stream + _STREAM
        where = {"logGroupName": record.log_group(names), "logStreamName": stream}
        if not logs.describe_log_streams(logGroupName=where["logGroupName"], logStreamNamePrefix=stream)["logStreams"]:
            logs.create_log_stream(**where)
        logs.put_log_events(**where, logEvents=[{"timestamp": int(record.at * 1000), "message": record.message}])


def _chain(cloud: EmbeddedCloud, functions: Iterable[str]) -> list[dict[str, Any]]:
    """The audit chain of the responders behind `functions`, in order."""
    s3 = cloud.client("s3")
    return [
        json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        for bucket in _buckets(cloud, functions)
        for key in _keys(s3, bucket, f"audit/{CHAIN}/")
    ]


def _evidence(cloud: EmbeddedCloud, functions: Iterable[str]) -> set[str]:
    s3 = cloud.client("s3")
    return {key for bucket in _buckets(cloud, functions) for key in _keys(s3, bucket, "evidence/")}


def _buckets(cloud: EmbeddedCloud, functions: Iterable[str]) -> set[str]:
    return {deployed_responder(cloud, function, Noted()).config.bucket for function in functions}


def _keys(s3: Any, bucket: str, prefix: str) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [each["Key"] for page in pages for each in page.get("Contents", [])]


def _act(entry: Mapping[str, Any]) -> Act:
    how = entry.get("outcome") or entry["kind"]
    return Act(str(entry.get("act", "")), str(entry.get("subject", "")), str(how))
