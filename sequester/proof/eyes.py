"""Claim E8: each class of attempt is recorded, its record counted, the count alarmed on, and somebody told.

A filter's pattern is judged by running it on the record that the attempt leaves (records.py); an alarm by whether the
least that must be told sets it off.
"""

import json
from collections.abc import Iterator
from functools import lru_cache

from sequester.eyes.comparison import PatternError
from sequester.eyes.pattern import FilterPattern
from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding, Findings
from sequester.proof.export import sandbox_namespaces
from sequester.proof.iam.condition import Truth, Value
from sequester.proof.iam.document import Statement, statements
from sequester.proof.iam.request import Region, allowed, covers, reaches
from sequester.proof.model import Alarm, MetricFilter, Model, Sensor
from sequester.proof.records import NETWORK_EVENTS, Sighting, sightings
from sequester.proof.responders import responders
from sequester.proof.selector import Selector
from sequester.proof.verdict import Hop, Verdict, Witness

# Kind of sensor → what it alone sees. The IMDS of a node is seen by none: that row of the matrix is stated, not proved.
KINDS = {
    "flow log": "packets of nodes that groups or ACLs deny",
    "Resolver log": "names that nodes ask for",
    "NP agent log": "packets of pods that network policies deny",
    "K8s audit": "requests that the API server refuses",
    "CloudTrail VPCE": "calls that endpoint policies deny",
}
# Sensors whose silence must be told too: an attack may begin with them.
_HEARTBEATS = frozenset({"flow log", "Resolver log", "K8s audit"})
_LONGEST_PERIOD_SECONDS = 300
_MOST_DATAPOINTS = 3
_COUNTS_UP = frozenset({"GreaterThanOrEqualToThreshold", "GreaterThanThreshold"})
_SUMS = frozenset({"Sum", "SampleCount"})
_TELLS = "cloudwatch.amazonaws.com"
_WRITES_AS = {"flow log": "vpc-flow-logs.amazonaws.com", "CloudTrail VPCE": "cloudtrail.amazonaws.com"}
_LONGEST_SILENCE_SECONDS = 3600
_ASSUMED = (
    "sensors write records of the documented form; what ships the containers' lines to their log group runs",
    "no sensor sees a node's requests to its own metadata service: flow logs leave them out",
    "no sensor sees calls that the endpoints of ecr, sts, logs, eks and eks-auth deny",
)


def eyes(model: Model, selector: Selector) -> Verdict:
    findings = Findings()
    if not model.vpcs and not model.clusters:
        findings.doubts.append("neither a VPC nor a cluster is in the facts")
        return findings.verdict("E8", model, selector, _ASSUMED)
    for kind, what in KINDS.items():
        findings.take(_kind(model, selector, kind, what))
    findings.take(_scopes(model))
    for sensor in (*_doors(model), *_containers(model, selector)):
        findings.take(_sensor(model, selector, sensor))
    findings.take(_shipped(model, selector))
    findings.take(_topics(model))
    findings.take(responders(model))
    return findings.verdict("E8", model, selector, _ASSUMED)


def _kind(model: Model, selector: Selector, kind: str, what: str) -> Iterator[Finding]:
    those = [s for s in model.watch.sensors if s.kind == kind]
    whole = [s for s in those if s.complete]
    if not whole:
        gap = those[0].gap if those else "is not there"
        yield Witness(
            f"nobody sees {what}",
            (Hop(those[0].name if those else kind, gap),),
            f"add a {kind} that records everything of its kind",
            absent=not those,
        )
    for sensor in whole:
        yield from _sensor(model, selector, sensor)


def _scopes(model: Model) -> Iterator[Finding]:
    """Every VPC with nodes, every cluster, every endpoint whose denials are recorded at all."""
    seen = {(s.kind, s.scope) for s in model.watch.sensors if s.complete}
    homes = {model.subnets[k].vpc for p in model.places.values() if p.role for k in p.subnets if k in model.subnets}
    wanted = [(kind, vpc) for vpc in sorted(homes) for kind in ("flow log", "Resolver log")]
    wanted += [(kind, cluster) for cluster in model.clusters for kind in ("K8s audit", "NP agent log")]
    for kind, scope in wanted:
        if (kind, scope) not in seen and any(k == kind for k, _ in seen):
            yield Witness(f"nobody sees {KINDS[kind]} in {scope}", (Hop(kind, f"not of {scope}"),), f"add a {kind}")
    recorded = {s for kind, scope in seen if kind == "CloudTrail VPCE" for s in scope.split(",")}
    for source in sorted({NETWORK_EVENTS[e.service] for e in model.endpoints if e.service in NETWORK_EVENTS}):
        if source not in recorded and "*" not in recorded and recorded:
            yield Witness(
                f"nobody sees calls that the endpoint of {source} denies",
                (Hop("the trail", f"no selector of network activity events of {source}"),),
                f"add a selector for {source}, with errorCode VpceAccessDenied",
            )


def _doors(model: Model) -> Iterator[Sensor]:
    for one in model.functions.values():
        if one.door:
            yield Sensor(one.name, "door audit", one.arn, one.log_group, complete=True)


def _containers(model: Model, selector: Selector) -> Iterator[Sensor]:
    """Where filters look for what the supervisors of a sandbox namespace say; nowhere if no filter does."""
    looked_at = {f.log_group for f in model.watch.filters if "namespace_name" in f.pattern}
    for namespace in sandbox_namespaces(model, selector):
        sink = next(iter(sorted(looked_at)), "the containers' log group")
        yield Sensor(f"supervisor of {namespace}", "seccomp event", namespace, sink, complete=True)


def _shipped(model: Model, selector: Selector) -> Iterator[Finding]:
    """What supervisors in sandboxes say on stderr leaves the node, to where filters look."""
    if not sandbox_namespaces(model, selector):
        return
    sinks = {sensor.sink for sensor in _containers(model, selector)}
    good = [one for one in model.watch.shippers if one.complete and one.sink in sinks]
    if good:
        yield Obligation(good[0].name, f"ships what sandboxes' supervisors say to {good[0].sink}")
        return
    one = next(iter(model.watch.shippers), None)
    how = (one.gap or f"ships to {one.sink}, where no filter looks") if one else "is not there"
    yield Witness(
        "what sandboxed code tries stays on the node",
        (Hop(one.name if one else "the log shipper", how),),
        "deploy a log shipper on sandbox nodes that writes to the containers' log group",
        absent=one is None,
    )


def _sensor(model: Model, selector: Selector, sensor: Sensor) -> Iterator[Finding]:
    lost = _lost(model, sensor)
    if lost:
        yield lost
        return
    for sighting in sightings(model, selector, sensor):
        yield _told(model, sensor, sighting)
    if sensor.kind in _HEARTBEATS:
        yield _silence(model, sensor)


def _lost(model: Model, sensor: Sensor) -> Finding | None:
    """Whether its records fail to arrive where filters can read them."""
    group = model.watch.groups.get(sensor.sink)
    if group is None:
        return f"{sensor.name} writes to {sensor.sink}, which is not in the facts"
    if group.klass not in ("", "STANDARD"):
        how = f"of class {group.klass}, which metric filters do not read"
        return Witness(f"{sensor.name} is not counted", (Hop(sensor.sink, how),), f"make {sensor.sink} STANDARD")
    if group.key and not _key_lets(model, group.key, "logs."):
        how = f"its key {group.key} does not let CloudWatch Logs use it"
        return Witness(f"{sensor.name} cannot write", (Hop(sensor.sink, how),), f"let logs use {group.key}")
    if sensor.role:
        writer = model.identities.get(sensor.role)
        if writer is None:
            return f"{sensor.name} writes with {sensor.role}, which is not in the facts"
        service = _WRITES_AS.get(sensor.kind, "")
        trusted = statements(writer.trust, writer.name) if writer.trust else ()
        if not any(s.allow and {f"Service:{service}", "*"} & {*(s.principals or ())} for s in trusted):
            how = f"does not trust {service}"
            return Witness(
                f"{sensor.name} cannot write", (Hop(writer.name, how),), f"let {service} assume {writer.name}"
            )
        document = [s for name, raw in writer.policies for s in statements(raw, name)]
        region = Region(
            "logs:PutLogEvents", f"arn:aws:logs:{model.region}:{model.account}:log-group:{sensor.sink}*", {}
        )
        if not writer.unread and allowed(document, region).truth is Truth.FALSE:
            how = f"may not put records into {sensor.sink}"
            return Witness(f"{sensor.name} cannot write", (Hop(writer.name, how),), f"allow it to {writer.name}")
    return None


def _key_lets(model: Model, key: str, service: str) -> bool:
    """Whether a key's policy lets a service use it; a key whose policy is not in the facts is taken to."""
    if key in model.watch.disabled_keys:
        return False
    policies = [p for p in model.resource_policies if p.resource == key]
    return not policies or any(
        s.allow and any(p.startswith(f"Service:{service}") for p in s.principals or ())
        for p in policies
        for s in statements(p.document, p.name)
    )


def _told(model: Model, sensor: Sensor, sighting: Sighting) -> Finding:
    counting = [f for f in model.watch.filters if f.log_group == sensor.sink and _counts(f, sighting.message)]
    if not counting:
        return _unanswered(sensor, sighting.attempt, f"no metric filter of {sensor.sink} counts its record")
    metrics = {f.metric for f in counting}
    alarms = [a for a in model.watch.alarms if metrics & set(a.metrics)]
    if not alarms:
        return _unanswered(sensor, sighting.attempt, f"no alarm watches what {counting[0].name} counts")
    why = [_mute(model, a, sighting.most, counting) for a in alarms]
    if "" in why:
        return Obligation(f"{sensor.name}: {sighting.attempt}", f"{alarms[why.index('')].name} tells")
    return _unanswered(sensor, sighting.attempt, f"{alarms[0].name} {why[0]}")


@lru_cache(maxsize=4096)
def _pattern(text: str) -> FilterPattern:
    return FilterPattern(text)


def _counts(one: MetricFilter, message: str) -> bool:
    try:
        found = _pattern(one.pattern).match(message) is not None
        return found and float(one.value) >= 1  # a field's value may be less, or no number: that is told of nobody
    except (PatternError, ValueError):
        return False


def _mute(model: Model, alarm: Alarm, most: int, counting: list[MetricFilter]) -> str:
    """Why an alarm does not tell of `most` records within one period; the empty text if it does."""
    if not alarm.enabled:
        return "has its actions disabled"
    heard = [a for a in alarm.actions if a in model.watch.topics or _ours_elsewhere(model, a)]
    if not heard:
        return f"tells nobody of this deployment ({', '.join(alarm.actions) or 'no action'})"
    if not any(_acts(model, action) for action in alarm.actions):
        return f"tells no function that acts: {_idle(model, alarm)}"
    if alarm.comparison not in _COUNTS_UP or alarm.statistic not in _SUMS:
        return f"compares otherwise ({alarm.statistic} {alarm.comparison})"
    least = alarm.threshold if alarm.threshold is not None else float("inf")
    if least > most or (least == most and alarm.comparison == "GreaterThanThreshold"):
        return f"waits for more than {most} ({alarm.comparison} {least:g})"
    if alarm.period > _LONGEST_PERIOD_SECONDS or alarm.datapoints > _MOST_DATAPOINTS:
        return f"looks at {alarm.datapoints} periods of {alarm.period} s"
    if {name for name, _ in alarm.dimensions} != {d for f in counting for d in f.dimensions}:
        return "looks at other dimensions"
    if alarm.unit and alarm.unit not in {f.unit for f in counting}:
        return f"looks at records in {alarm.unit} only"
    return ""


def _acts(model: Model, action: str) -> bool:
    """Whether a function runs when an alarm takes this action: told by the topic or by itself, let in, able to run."""
    if ":function:" in action:
        return _runs(model, action, "lambda.alarms.cloudwatch.amazonaws.com")
    return any(
        one.topic == action
        and one.protocol == "lambda"
        and not one.filtered
        and _runs(model, one.endpoint, "sns.amazonaws.com")
        for one in model.watch.subscriptions
    )


def _runs(model: Model, arn: str, service: str) -> bool:
    for key, one in model.functions.items():
        if arn == key or arn.startswith(f"{key}:"):
            called = {key, one.name, key.rpartition(":function:")[2]}
            named = (json.dumps(p.document, default=str) for p in model.resource_policies if p.resource in called)
            let_in = any(f'"{service}"' in policy for policy in named) or any(
                b.function in called and b.kind == f"permission for {service}" for b in model.bindings
            )
            return let_in and one.concurrency != 0
    return False


def _idle(model: Model, alarm: Alarm) -> str:
    told = [one for one in model.watch.subscriptions if one.topic in alarm.actions]
    functions = [one.endpoint for one in told if one.protocol == "lambda"]
    if not functions:
        return f"{', '.join(one.protocol for one in told) or 'nobody'} is subscribed to its topic"
    if all(one.filtered for one in told if one.protocol == "lambda"):
        return f"its subscription tells {functions[0]} of some messages only: it has a filter policy"
    return f"{functions[0]} is not there, may not run, or does not let the topic in"


def _ours_elsewhere(model: Model, action: str) -> bool:
    """A function of this deployment, or a mend of EC2's own."""
    return action in model.functions or action.rpartition(":")[0] in model.functions


def _silence(model: Model, sensor: Sensor) -> Finding:
    metric = ("AWS/Logs", "IncomingLogEvents")
    for alarm in model.watch.alarms:
        if metric in alarm.metrics and ("LogGroupName", sensor.sink) in alarm.dimensions:
            told = alarm.enabled and any(a in model.watch.topics or _ours_elsewhere(model, a) for a in alarm.actions)
            soon = alarm.period * alarm.datapoints <= _LONGEST_SILENCE_SECONDS
            if told and soon and alarm.comparison.startswith("LessThan") and alarm.missing == "breaching":
                return Obligation(f"{sensor.name}: it stops", f"{alarm.name} tells")
    return _unanswered(sensor, "it stops", f"no alarm tells when {sensor.sink} gets no records")


def _topics(model: Model) -> Iterator[Finding]:
    """Alarms can publish: the topic's policy and its key let CloudWatch."""
    used = {a for alarm in model.watch.alarms for a in alarm.actions}
    for arn, key in model.watch.topics.items():
        if arn not in used:
            continue
        own = [s for p in model.resource_policies if p.resource == arn for s in statements(p.document, p.name)]
        lets = all(_publishes(model, alarm, arn, own) for alarm in model.watch.alarms if arn in alarm.actions)
        if not lets or (key and not _key_lets(model, key, _TELLS)):
            how = "its policy does not let CloudWatch publish" if not lets else f"its key {key} does not let CloudWatch"
            yield Witness(f"no alarm reaches {arn}", (Hop(arn, how),), f"let {_TELLS} use {arn} and its key")
        else:
            yield Obligation(arn, "CloudWatch may publish to it")


def _publishes(model: Model, alarm: Alarm, topic: str, own: list[Statement]) -> bool:
    """Whether a topic's policy lets CloudWatch publish for this alarm; a topic without one is its owner's alone."""
    said = {"aws:securetransport": "true", "aws:sourceaccount": model.account, "aws:sourcearn": alarm.arn}
    publish = Region("sns:Publish", topic, {key: Value(text) for key, text in said.items()})
    if any(not s.allow and covers(s, publish) is Truth.TRUE for s in own):
        return False
    return not own or any(
        s.allow and f"Service:{_TELLS}" in (s.principals or ()) and reaches(s, publish)[0] is not Truth.FALSE
        for s in own
    )


def _unanswered(sensor: Sensor, what: str, how: str) -> Witness:
    return Witness(
        f"{sensor.name} sees {what}, and nobody is told",
        (Hop(sensor.name, f"writes to {sensor.sink}"), Hop(sensor.sink, how)),
        f"count and alarm on {sensor.sink}",
        absent=True,
    )
