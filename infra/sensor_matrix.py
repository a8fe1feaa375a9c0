"""Who sees what, and who does not: each attempt against each sensor, so that none is credited with what it misses."""

from dataclasses import dataclass, field
from typing import Final

from infra.sensors import Sensor

COLUMNS: Final = (
    Sensor.FLOW,
    Sensor.RESOLVER,
    Sensor.POLICY_AGENT,
    Sensor.SUPERVISOR,
    Sensor.AUDIT,
    Sensor.TRAIL,
    Sensor.DOOR,
)


@dataclass(frozen=True)
class Row:
    """One kind of attempt: the sensor that sees it (None if none does), by which tripwires, and what others have of it.

    `misses`: sensor → what it records of the attempt instead, or why nothing; the rest record nothing at all.
    """

    attempt: str
    seen_by: Sensor | None
    tripwires: tuple[str, ...] = ()
    misses: dict[Sensor, str] = field(default_factory=dict[Sensor, str])

    def cell(self, sensor: Sensor) -> str:
        return "**yes**" if sensor is self.seen_by else self.misses.get(sensor, "–")


MATRIX: Final = (
    Row(
        "pod: connect/send denied by filter (other families: socket)",
        Sensor.SUPERVISOR,
        ("network-call",),
        {Sensor.FLOW: "no packet"},
    ),
    Row(
        "pod: packet denied by NetworkPolicy",
        Sensor.POLICY_AGENT,
        ("policy-denied",),
        {Sensor.FLOW: "never reaches the ENI"},
    ),
    Row("node: packet denied by SG/NACL", Sensor.FLOW, ("packet-rejected",)),
    Row("node: packet let out of the VPC", Sensor.FLOW, ("packet-left",)),
    Row("node: more traffic than the flow log can record", Sensor.FLOW, ("flow-skipped",)),
    Row(
        "node: DNS to the VPC resolver",
        Sensor.RESOLVER,
        ("name-blocked", "name-unlisted"),
        {Sensor.FLOW: "not logged"},
    ),
    Row("node: IMDS", None, (), {Sensor.FLOW: "not logged"}),
    Row(
        "endpoint (ec2, s3, lambda, bedrock, dynamodb, sns, kms): call denied by its policy",
        Sensor.TRAIL,
        ("endpoint-denied",),
        {Sensor.FLOW: "ACCEPT"},
    ),
    Row(
        "endpoint (ecr, sts, logs, eks, eks-auth): call denied by its policy",
        None,
        (),
        {Sensor.FLOW: "ACCEPT", Sensor.TRAIL: "none"},
    ),
    Row(
        "API: forbidden or rejected request",
        Sensor.AUDIT,
        ("api-refused", "api-exec", "node-refused", "nobody-refused", "policy-changed", "rights-changed"),
        {Sensor.FLOW: "ACCEPT"},
    ),
    Row(
        "process storm, memory spike, other denied system call",
        Sensor.SUPERVISOR,
        ("process-storm", "memory-growth", "kernel-call", "supervisor-attacked"),
    ),
    Row(
        "door: denied fetch, budget spent",
        Sensor.DOOR,
        ("door-denied", "door-probed", "door-secret", "door-spent", "door-unrecorded", "door-closed"),
        {Sensor.FLOW: "ACCEPT", Sensor.TRAIL: "allowed"},
    ),
)


def markdown() -> str:
    """The matrix as a table."""
    head = ["attempt", *map(str, COLUMNS)]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join([row.attempt, *map(row.cell, COLUMNS)])} |" for row in MATRIX]
    return "\n".join(lines)
