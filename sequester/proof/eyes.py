"""Claim E8: each class of attempt is recorded, its record counted, the count alarmed on, and somebody told.

A filter's pattern is judged by running it on the record that the attempt leaves (records.py); an alarm by whether the
least that must be told sets it off.
"""

from collections.abc import Iterator
from functools import lru_cache

from sequester.eyes.comparison import PatternError
from sequester.eyes.pattern import FilterPattern
from sequester.proof.arriving import lost
from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding, Findings
from sequester.proof.ending import ended
from sequester.proof.export import sandbox_namespaces
from sequester.proof.model import MetricFilter, Model, Sensor
from sequester.proof.records import NETWORK_EVENTS, Sighting, sightings
from sequester.proof.responders import responders, swept
from sequester.proof.selector import Selector
from sequester.proof.telling import heard, mute, topics
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
    findings.take(topics(model))
    findings.take(responders(model))
    findings.take(swept(model))
    findings.take(ended(model, selector))
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
            gap = f"keeps lines of level {one.drops} and above only" if one.drops else ""
            yield Sensor(one.name, "door audit", one.arn, one.log_group, not gap, gap, (), (one.role,))


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
    away = lost(model, good[0]) if good else None
    if away:
        yield away
        return
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
    away = lost(model, sensor) if sensor.complete else f"{sensor.name} {sensor.gap}: its records state no level"
    if away:
        yield away
        return
    for sighting in sightings(model, selector, sensor):
        yield _told(model, sensor, sighting)
    if sensor.kind in _HEARTBEATS:
        yield _silence(model, sensor)


def _told(model: Model, sensor: Sensor, sighting: Sighting) -> Finding:
    counting = [f for f in model.watch.filters if f.log_group == sensor.sink and _counts(f, sighting.message)]
    if not counting:
        return _unanswered(sensor, sighting.attempt, f"no metric filter of {sensor.sink} counts its record")
    metrics = {f.metric for f in counting}
    alarms = [a for a in model.watch.alarms if metrics & set(a.metrics)]
    if not alarms:
        return _unanswered(sensor, sighting.attempt, f"no alarm watches what {counting[0].name} counts")
    why = [mute(model, a, sighting.most, counting) for a in alarms]
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


def _silence(model: Model, sensor: Sensor) -> Finding:
    metric = ("AWS/Logs", "IncomingLogEvents")
    for alarm in model.watch.alarms:
        if metric in alarm.metrics and ("LogGroupName", sensor.sink) in alarm.dimensions:
            told = alarm.enabled and heard(model, alarm)
            soon = alarm.period * alarm.datapoints <= _LONGEST_SILENCE_SECONDS
            if told and soon and alarm.comparison.startswith("LessThan") and alarm.missing == "breaching":
                return Obligation(f"{sensor.name}: it stops", f"{alarm.name} tells")
    return _unanswered(sensor, "it stops", f"no alarm tells when {sensor.sink} gets no records")


def _unanswered(sensor: Sensor, what: str, how: str) -> Witness:
    return Witness(
        f"{sensor.name} sees {what}, and nobody is told",
        (Hop(sensor.name, f"writes to {sensor.sink}"), Hop(sensor.sink, how)),
        f"count and alarm on {sensor.sink}",
        absent=True,
    )
