"""Claim E8: for each kind of sensor: it is there, it misses nothing of its kind, something counts, an alarm tells."""

from collections.abc import Iterator

from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding, Findings
from sequester.proof.model import Model, Sensor
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
_ASSUMED = (
    "a filter's pattern counts what its sensor writes: evaluated against recorded events elsewhere, not here",
    "no sensor sees a node's requests to its own metadata service (flow logs leave them out)",
)


def eyes(model: Model, selector: Selector) -> Verdict:
    findings = Findings()
    if not model.vpcs and not model.clusters:
        findings.doubts.append("neither a VPC nor a cluster is in the facts")
        return findings.verdict("E8", model, selector, _ASSUMED)
    for kind, what in KINDS.items():
        findings.take(_sensor(model, kind, what))
    return findings.verdict("E8", model, selector, _ASSUMED)


def _sensor(model: Model, kind: str, what: str) -> Iterator[Finding]:
    those = [s for s in model.sensors if s.kind == kind]
    whole = [s for s in those if s.complete]
    if not whole:
        gap = those[0].gap if those else "is not there"
        yield Witness(
            f"nobody sees {what}",
            (Hop(those[0].name if those else kind, gap),),
            f"add a {kind} that records everything of its kind",
            absent=not those,
        )
        return
    for sensor in whole:
        yield _alarmed(model, sensor, what)


def _alarmed(model: Model, sensor: Sensor, what: str) -> Finding:
    metrics = {f.metric for f in model.filters if f.log_group == sensor.sink}
    if not metrics:
        return _unanswered(sensor, what, f"no metric filter reads {sensor.sink}")
    alarms = [a for a in model.alarms if metrics & set(a.metrics)]
    if not alarms:
        return _unanswered(sensor, what, f"no alarm watches what is counted in {sensor.sink}")
    answered = [a for a in alarms if a.enabled and a.actions]
    if not answered:
        return _unanswered(sensor, what, f"{alarms[0].name} has no action, or is disabled")
    return Obligation(sensor.name, f"{len(answered)} alarms with actions on {sensor.sink}")


def _unanswered(sensor: Sensor, what: str, how: str) -> Witness:
    return Witness(
        f"{sensor.name} sees {what}, and nobody is told",
        (Hop(sensor.name, f"writes to {sensor.sink}"), Hop(sensor.sink, how)),
        f"count and alarm on {sensor.sink}",
        absent=True,
    )
