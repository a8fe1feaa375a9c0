"""Reads back what watches and answers, and checks it: who is told, who acts, what that may do (claim E8)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from infra.names import Names
from infra.responder_config import deny_policy_arn, outside_name
from infra.settings import Settings
from infra.tripwires import topic_name, wires
from infra.viewer import bucket_name
from sequester.readback.control import Control, Finding, Mistakes, judge
from sequester.readback.observe import Client
from sequester.render.headers import HEADERS

_EVENTS, _TOPICS = "events.amazonaws.com", "sns.amazonaws.com"


@dataclass(frozen=True)
class ViewerSeen:
    """`config` of the distribution, its `headers` as sent, and the bucket's policy and public access block."""

    config: Mapping[str, Any]
    headers: Mapping[str, str]
    policy: Mapping[str, Any]
    block: Mapping[str, bool]


@dataclass(frozen=True)
class EyesSeen:
    """Alarms by name; the topic's attributes and subscribers (protocol, endpoint); the responder and its clock.

    callers: the function's permissions, service → source. denied: the policy that quarantine attaches.
    """

    settings: Settings
    alarms: Mapping[str, Mapping[str, Any]]
    topic: Mapping[str, Any]
    subscribers: Sequence[tuple[str, str]]
    concurrency: int | None
    callers: Mapping[str, str]
    sweep: Mapping[str, Any]
    swept: Sequence[Mapping[str, Any]]
    denied: Mapping[str, Any]
    rights: Sequence[Mapping[str, Any]]
    viewer: ViewerSeen | None

    @property
    def names(self) -> Names:
        return Names.of(self.settings)

    @property
    def responder(self) -> str:
        return self.names.arn("lambda", f"function:{outside_name(self.names)}")

    @property
    def topic_arn(self) -> str:
        return self.names.arn("sns", topic_name(self.names))


def observe_eyes(client: Client, settings: Settings) -> EyesSeen:
    """Everything by describe calls; what is not there is empty."""
    names = Names.of(settings)
    topic, function, rule = (
        names.arn("sns", topic_name(names)),
        outside_name(names),
        f"{outside_name(names)}-sweep",
    )
    functions, iam, events = client("lambda"), client("iam"), client("events")
    listed = client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    rules = {one["Name"]: one for one in events.list_rules(NamePrefix=rule)["Rules"]}
    return EyesSeen(
        settings=settings,
        alarms={
            each["AlarmName"]: each
            for page in client("cloudwatch").get_paginator("describe_alarms").paginate()
            for each in page["MetricAlarms"]
        },
        topic=client("sns").get_topic_attributes(TopicArn=topic)["Attributes"],
        subscribers=[(each["Protocol"], each["Endpoint"]) for each in listed],
        concurrency=functions.get_function_concurrency(FunctionName=function).get("ReservedConcurrentExecutions"),
        callers=_callers(functions, function),
        sweep=rules.get(rule, {}),
        swept=events.list_targets_by_rule(Rule=rule)["Targets"] if rule in rules else [],
        denied=_policy(iam, deny_policy_arn(names)),
        rights=_rights(iam, function),
        viewer=_viewer(client, names) if settings.viewer else None,
    )


def _callers(functions: Any, function: str) -> dict[str, str]:
    try:
        policy = json.loads(functions.get_policy(FunctionName=function)["Policy"])
    except functions.exceptions.ResourceNotFoundException:
        return {}
    return {
        one["Principal"]["Service"]: one.get("Condition", {}).get("ArnLike", {}).get("AWS:SourceArn", "")
        for one in policy["Statement"]
    }


def _policy(iam: Any, arn: str) -> Mapping[str, Any]:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    return cast("Mapping[str, Any]", json.loads(document) if isinstance(document, str) else document)


def _rights(iam: Any, role: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        found += iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]
    return found


def _viewer(client: Client, names: Names) -> ViewerSeen:
    cloudfront, s3, bucket = client("cloudfront"), client("s3"), bucket_name(names)
    items = cloudfront.list_distributions()["DistributionList"].get("Items", [])
    [identity] = [one["Id"] for one in items if one["Comment"] == f"{names.name}-viewer"]
    config = cloudfront.get_distribution_config(Id=identity)["DistributionConfig"]
    policy = config["DefaultCacheBehavior"]["ResponseHeadersPolicyId"]
    answer = cloudfront.get_response_headers_policy(Id=policy)["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]
    security = answer.get("SecurityHeadersConfig", {})
    sent = {each["Header"]: each["Value"] for each in answer.get("CustomHeadersConfig", {}).get("Items", [])}
    if "ContentSecurityPolicy" in security:
        sent["Content-Security-Policy"] = security["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    return ViewerSeen(
        config,
        sent,
        json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]),
        s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
    )


def check_eyes(seen: EyesSeen) -> list[Finding]:
    """Every way in which what watches and answers is not as designed; empty if it is."""
    return judge(EYES_CONTROLS, seen)


def _alarms(seen: EyesSeen) -> Mistakes:
    for wire in wires(sorted(seen.settings.tenants)):
        name = wire.name(seen.names.name)
        found = seen.alarms.get(name)
        if found is None:
            yield name, f"is not there: nobody is told of {wire.row.attempt}"
        elif seen.topic_arn not in found.get("AlarmActions", []) or not found.get("ActionsEnabled", True):
            yield name, "tells nobody"


def _late(seen: EyesSeen) -> Mistakes:
    for wire in wires(sorted(seen.settings.tenants)):
        found = seen.alarms.get(wire.name(seen.names.name), {})
        periods = found.get("EvaluationPeriods", wire.row.evaluated_periods)
        if periods < wire.row.evaluated_periods:
            yield wire.name(seen.names.name), f"looks back {periods} periods: a late record is not seen"


def _encrypted(seen: EyesSeen) -> Mistakes:
    if not seen.topic.get("KmsMasterKeyId"):
        yield seen.topic_arn, "is not encrypted by a key of ours"


def _publishers(seen: EyesSeen) -> Mistakes:
    """Alarms and findings of this account; nobody without TLS."""
    for statement in _statements(json.loads(seen.topic.get("Policy") or "{}")):
        bound = statement.get("Condition", {}).get("StringEquals", {}).get("aws:SourceAccount")
        if statement["Effect"] == "Allow" and bound != seen.names.account:
            yield seen.topic_arn, f"{statement.get('Sid', 'a statement')} lets others than this account publish"


def _told(seen: EyesSeen) -> Mistakes:
    if ("lambda", seen.responder) not in seen.subscribers:
        yield seen.topic_arn, "does not tell the responder"
    if seen.callers.get(_TOPICS) != seen.topic_arn:
        yield seen.responder, "does not let the topic in"
    if seen.concurrency is not None and seen.concurrency < 1:
        yield seen.responder, "may not run: its reserved concurrency is 0"


def _swept(seen: EyesSeen) -> Mistakes:
    rule = seen.names.arn("events", f"rule/{outside_name(seen.names)}-sweep")
    if seen.sweep.get("State") != "ENABLED" or seen.sweep.get("ScheduleExpression") != "rate(1 minute)":
        yield rule, "does not look again every minute while an alarm stands"
    if [(t["Arn"], t.get("Input")) for t in seen.swept] != [(seen.responder, '{"sweep": true}')]:
        yield rule, "does not ask the responder"
    if seen.callers.get(_EVENTS) != rule:
        yield seen.responder, "does not let the clock in"


def _denies(seen: EyesSeen) -> Mistakes:
    if [(s["Effect"], s.get("Action"), s.get("Resource")) for s in _statements(seen.denied)] != [("Deny", "*", "*")]:
        yield deny_policy_arn(seen.names), "does not deny everything: sessions of a quarantined agent go on"


def _rights_bound(seen: EyesSeen) -> Mistakes:
    function = outside_name(seen.names)
    for statement in (one for one in seen.rights if one["Effect"] == "Allow"):
        conditions = cast("Mapping[str, Mapping[str, Any]]", statement.get("Condition", {}))
        keys = {key for condition in conditions.values() for key in condition}
        for action in _many(statement["Action"]):
            if "*" in action:
                yield function, f"{statement['Sid']} allows {action}"
            elif action in _BOUND_BY and _BOUND_BY[action] not in keys:
                yield function, f"{statement['Sid']} allows {action} on more than this stack's"


_BOUND_BY: Final = {
    "iam:AttachRolePolicy": "iam:PolicyARN",
    "iam:DetachRolePolicy": "iam:PolicyARN",
    "ec2:TerminateInstances": "aws:ResourceTag/eks:cluster-name",
    "dynamodb:UpdateItem": "dynamodb:LeadingKeys",
}
"""What could free or end more than it should: the condition that keeps it to what is ours."""


def _shown(seen: EyesSeen) -> Iterator[tuple[str, str]]:
    viewer = seen.viewer
    if viewer is None:
        return
    behaviour, bucket = viewer.config["DefaultCacheBehavior"], bucket_name(seen.names)
    if not behaviour["TrustedKeyGroups"]["Enabled"] or behaviour["ViewerProtocolPolicy"] != "https-only":
        yield bucket, "is shown without a signed URL, or without TLS"
    if not all(viewer.block.values()):
        yield bucket, "may be made public"


def _headers(seen: EyesSeen) -> Mistakes:
    if seen.viewer:
        policy = seen.viewer.headers.get("Content-Security-Policy")
        if policy != HEADERS["Content-Security-Policy"]:
            yield bucket_name(seen.names), "is shown without our content security policy: documents can call out"


def _stored(seen: EyesSeen) -> Mistakes:
    if seen.viewer and seen.settings.viewer:
        wanted = {"ArnNotLike": {"aws:PrincipalArn": list(seen.settings.viewer.writers)}}
        denials = [s for s in _statements(seen.viewer.policy) if s["Effect"] == "Deny" and s.get("Condition") == wanted]
        if not any("s3:PutObject" in _many(s["Action"]) for s in denials):
            yield bucket_name(seen.names), "takes documents from others than the named writers"


def _statements(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = document.get("Statement", [])
    return cast("list[Mapping[str, Any]]", found if isinstance(found, list) else [found])


def _many(value: object) -> list[str]:
    return [str(v) for v in cast("list[object]", value)] if isinstance(value, list) else [str(value)]


EYES_CONTROLS: Final = (
    Control("alarms-tell", "every class of attempt that a sensor sees has an alarm that tells", "E8", _alarms),
    Control("alarms-wait", "an alarm looks back as far as its record may be late", "E8", _late),
    Control("topic-encrypted", "what alarms say is encrypted by a key of ours", "E8", _encrypted),
    Control("topic-publishers", "only this account's alarms and findings speak to the topic", "E8", _publishers),
    Control("responder-told", "an alarm makes the responder run", "E8", _told),
    Control("responder-clock", "who tries while an alarm stands is answered, too", "E8", _swept),
    Control("quarantine-denies", "a quarantined agent's sessions can do nothing", "E8", _denies),
    Control("responder-rights", "quarantine reaches this stack's roles and nodes only", "E8", _rights_bound),
    Control("viewer-signed", "documents are shown by signed URL, over TLS, from a private bucket", "E8", _shown),
    Control("viewer-policy", "what is shown can call nobody", "E8", _headers),
    Control("viewer-writers", "only named roles store what is shown", "E8", _stored),
)
