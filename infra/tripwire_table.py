"""Every class of attempt: who sees it, what counts it, when it alarms, and what is done then (claim E8).

From this table come the metric filters and alarms (`infra.tripwires`), the responder's configuration, the runbooks and
the page on time to alarm. Where no sensor exists the row says so: the report shows it instead of leaving it out.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final, Literal

from infra.names import Names
from infra.sensors import EVALUATION_SECONDS, SOURCES, Sensor
from infra.settings.tripwires import Level
from infra.tripwire_patterns import (
    BEGUN,
    EGRESS,
    ITSELF,
    LEFT,
    SYN,
    TCP,
    Declared,
    answered,
    audit,
    blocked,
    by_others,
    changed,
    door,
    filled,
    flow,
    supervisor,
)

METRIC_NAMESPACE: Final = "Sequester/Tripwires"

Severity = Literal["low", "medium", "high", "critical"]


@dataclass(frozen=True)
class Tripwire:
    """One class of attempt.

    `patterns` count into one metric; what stands for what, see `infra.tripwire_patterns`. `periods` periods
    with at least `threshold` events alarm. `silent_group` is for rows that alarm on *no* events.
    `response` is what is done at most, under the stack's own setting. `reason` is for rows without a sensor.
    """

    id: str
    attempt: str
    sensor: Sensor
    severity: Severity
    response: Level
    patterns: tuple[str, ...] = ()
    per_tenant: bool = False
    threshold: int = 1
    period_seconds: int = 60
    periods: int = 1
    silent_group: Sensor | None = None
    reason: str = ""

    @property
    def missing(self) -> str:
        """No record means no attempt; but a sensor that writes nothing at all is broken, or was broken."""
        return "breaching" if self.silent_group else "notBreaching"

    @property
    def evaluated_periods(self) -> int:
        """How far an alarm looks back: a record may be counted in its own minute and come as late as its sensor may.

        An alarm sees `Period` times `EvaluationPeriods` and no more
        (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation-window.html), so one period
        would be over before a flow log of it arrives. A sensor's silence has no late record.
        """
        if self.silent_group or self.sensor is Sensor.NONE:
            return self.periods
        late = SOURCES[self.sensor].delivery_seconds + EVALUATION_SECONDS
        return self.periods + ceil(late / self.period_seconds) + 1

    @property
    def worst_seconds(self) -> int | None:
        """From the attempt to the alarm at worst: delivery, whole periods, evaluation. None without a sensor."""
        if self.sensor is Sensor.NONE:
            return None
        delivery = SOURCES[self.sensor].delivery_seconds
        return delivery + self.period_seconds * self.periods + EVALUATION_SECONDS

    def alarm_name(self, stack: str, tenant: str | None) -> str:
        return "-".join([stack, self.id, *([tenant] if tenant else [])])


# A body made so that it cannot be inspected: once is a mistake, again and again is none.
_SHAPED = ('"inspect.undecodable"', '"inspect.limit"')
HOSTS_OWN_FAILURES: Final = frozenset(
    {"resolve.failed", "connect.failed", "connect.tls", "response.malformed", "response.encoding", "response.timeout"}
)
"""Denials that no tripwire counts: any server may be at fault by itself."""

# Copies rules into Kubernetes' own roles, as each role that says so comes and goes.
_AGGREGATOR: Final = "system:serviceaccount:kube-system:clusterrole-aggregation-controller"

_CONTROLLERS: Final = "system:serviceaccount:kube-system:*"
_KINDS: Final = "customresourcedefinitions"  # without its kind, no policy endpoint is left

TRIPWIRES: Final = (
    Tripwire(
        "packet-left",
        "node: packet let out of the VPC other than by the S3 gateway",
        Sensor.FLOW,
        "critical",
        "isolate",
        (
            flow(**EGRESS, traffic_path=LEFT),
            flow(**EGRESS, traffic_path="@ = 7", pkt_dst_aws_service="@ != S3"),
            # A transit gateway, a NAT gateway or an appliance has an interface in the VPC: that is path 1, like any
            # neighbour, and what AWS has no number for is `-`. There the address tells.
            flow(**EGRESS, traffic_path="@ != 7*", pkt_dstaddr="OUTSIDE"),
        ),
    ),
    Tripwire(
        "packet-rejected",
        "node: packet denied by SG/NACL",
        Sensor.FLOW,
        "high",
        "isolate",
        (  # a TCP packet that opens nothing is the tail of a connection that the group has forgotten
            flow(action="@ = REJECT", protocol=f"@ = {TCP}", tcp_flags=SYN),
            flow(action="@ = REJECT", protocol=f"@ != {TCP}"),
        ),
    ),
    Tripwire(
        "flow-skipped",
        "node: more traffic than the flow log can record",
        Sensor.FLOW,
        "medium",
        "observe",  # such a record has neither address nor instance, and AWS may be at fault
        (flow(log_status="@ = SKIPDATA"),),
    ),
    Tripwire(
        "name-blocked", "node: DNS to the VPC resolver", Sensor.RESOLVER, "high", "isolate", (blocked(),)
    ),
    Tripwire(
        "name-unlisted",
        "node: DNS that the firewall did not block though no list has the name",
        Sensor.RESOLVER,
        "critical",
        "isolate",
        # A rule that only alerts is logged, and lets the query through.
        ('{ ($.firewall_rule_action NOT EXISTS || $.firewall_rule_action != "BLOCK") && UNLISTED }',),
    ),
    Tripwire(
        "policy-denied",
        "pod: packet denied by NetworkPolicy",
        Sensor.POLICY_AGENT,
        "medium",
        "contain",
        ('"SIP: " "PolicyVerdict: DENY" -"auditID"',),  # no request to the API server can write such a line
    ),
    Tripwire(
        "network-call",
        "pod: connect/send denied by filter (other families: socket)",
        Sensor.SUPERVISOR,
        "medium",
        "contain",
        (supervisor("network"),),
        per_tenant=True,
    ),
    Tripwire(
        "kernel-call",
        "pod: other denied system call",
        Sensor.SUPERVISOR,
        "high",
        "contain",
        (supervisor("trace", "namespace", "kernel", "memory", "device", "foreign_abi", "unlisted", "resource"),),
        per_tenant=True,
    ),
    Tripwire(
        "supervisor-attacked",
        "pod: the supervisor itself is attacked or blinded",
        Sensor.SUPERVISOR,
        "high",
        "contain",
        (supervisor("blind", "supervisor"),),
        per_tenant=True,
    ),
    Tripwire(
        "process-storm",
        "pod: process storm",
        Sensor.SUPERVISOR,
        "medium",
        "contain",
        (supervisor("process_storm", action="observed"),),
        per_tenant=True,
    ),
    Tripwire(
        "memory-growth",
        "pod: memory spike, as of encoding or compressing data",
        Sensor.SUPERVISOR,
        "low",
        "observe",
        (supervisor("memory_growth", action="observed"),),
        per_tenant=True,
    ),
    Tripwire(
        "api-refused",
        "API: forbidden or rejected request",
        Sensor.AUDIT,
        "high",
        "contain",
        (audit("$.responseStatus.code = 403 || $.responseStatus.code = 422"),),
        per_tenant=True,
    ),
    Tripwire(
        "api-exec",
        "API: exec, port forward or debug container in a tenant's namespace",
        Sensor.AUDIT,
        "high",
        "contain",
        (
            audit(
                '$.objectRef.subresource = "exec" || $.objectRef.subresource = "portforward"'
                ' || $.objectRef.subresource = "ephemeralcontainers" || $.objectRef.subresource = "proxy"',
                BEGUN,  # such a request is complete only when the session ends
            ),
            (  # by way of the node's kubelet, which names the namespace in the path only
                f'{{ $.kind = "Event" && {BEGUN} && $.objectRef.resource = "nodes"'
                ' && $.objectRef.subresource = "proxy"'
                ' && ($.requestURI = "*/TENANT-sandbox/*" || $.requestURI = "*/TENANT-agent/*") }'
            ),
        ),
        per_tenant=True,
    ),
    Tripwire(
        "node-refused",
        "API: forbidden request with a node's identity",
        Sensor.AUDIT,
        "high",
        "isolate",
        (
            answered('$.responseStatus.code = 403 && $.user.username = "system:node:*"'),
            # Or by none, by which somebody on a node looks about.
            answered('$.responseStatus.code = 403 && $.user.username = "system:anonymous"'),
        ),
        threshold=5,  # a kubelet that starts is refused now and then, while its node object is new
        period_seconds=300,
    ),
    Tripwire(
        "nobody-refused",
        "API: requests with no identity, or with a token that is not valid",
        Sensor.AUDIT,
        "medium",
        "observe",
        (answered("$.responseStatus.code = 401"),),
        # A kubelet whose token ran out is refused once for each thing that it watches
        # (https://github.com/awslabs/amazon-eks-ami/issues/166); two kubelets at once are not twenty.
        threshold=20,
        period_seconds=300,
    ),
    Tripwire(
        "policy-changed",
        "API: a network policy, an admission control, a namespace or what enforces them is changed",
        Sensor.AUDIT,
        "medium",
        "observe",
        (
            # A new one counts, too: network policies only add, so it lets out what no other does; a webhook may edit.
            changed(
                ("*networkpolicies", "policyendpoints", "*admissionpolic*", "*webhookconfigurations", _KINDS), ITSELF
            ),
            # Labels say which standard and which policies hold in a namespace.
            changed(("namespaces",), f'{ITSELF} && $.verb != "create"'),
            # The CNI, its policy agent and CoreDNS. Controllers there write what they found, and the autoscaler.
            changed(
                ("daemonsets", "deployments", "configmaps"), f'{ITSELF} && $.objectRef.namespace = "kube-system"',
                "system:apiserver", _CONTROLLERS,
            ),
        ),
    ),
    Tripwire(
        "rights-changed",
        "API: rights are granted, an identity is borrowed, or a node is marked anew",
        Sensor.AUDIT,
        "medium",
        "observe",
        (
            changed(("*roles", "*rolebindings", "apiservices"), ITSELF, "system:apiserver", _AGGREGATOR),
            by_others('$.impersonatedUser.username = "*"'),
            changed(
                ("serviceaccounts",), '$.objectRef.subresource = "token"', "system:node:*",
                "system:kube-controller-manager",
            ),
            # Taints and labels keep sandboxes on their nodes. Kubelets mark their own, controllers those that fail.
            changed(
                ("nodes",), f'{ITSELF} && $.verb != "create"', "system:node:*", _CONTROLLERS,
                "RESPONDER",
            ),
        ),
    ),
    Tripwire(
        "endpoint-denied",
        "endpoint (ec2, s3, lambda, bedrock, dynamodb, sns, kms): call denied by its policy",
        Sensor.TRAIL,
        "high",
        "contain",
        ('{ $.eventCategory = "NetworkActivity" && $.errorCode = "VpceAccessDenied" }',),
    ),
    Tripwire(
        "door-denied",
        "door: denied fetch",
        Sensor.DOOR,
        "low",
        "observe",
        (door('"allow.*"', *_SHAPED),),
        per_tenant=True,
        threshold=10,  # agents try hosts that are not allowed; ten in five minutes is a search for one that is
        period_seconds=300,
    ),
    Tripwire(
        "door-probed",
        "door: request that only an attack makes (parser tricks, special addresses)",
        Sensor.DOOR,
        "high",
        "contain",
        (door('"url.*"', '"request.*"', '"resolve.special"', '"connect.peer"', '"redirect.*"'),),
        per_tenant=True,
        threshold=3,
        period_seconds=300,
    ),
    Tripwire(
        "door-secret",
        "door: secret, canary or credential on its way out",
        Sensor.DOOR,
        "critical",
        "contain",
        (door('"inspect.secret"', '"inspect.canary"', '"inspect.credential"', '"response.credential"'),),
        per_tenant=True,
    ),
    Tripwire(
        "door-spent",
        "door: budget spent",
        Sensor.DOOR,
        "medium",
        "observe",
        (door('"budget.*"'),),
        per_tenant=True,
    ),
    Tripwire(
        "door-unrecorded",
        "door: a request cannot be recorded, or the door failed",
        Sensor.DOOR,
        "high",
        "observe",
        (door('"*.unavailable"', '"door.failed"', '"door.config"', '"door.credential"'), '{ $.event = "failure" }'),
        per_tenant=True,
    ),
    Tripwire(
        "door-closed",
        "door: fetch after the door was closed",
        Sensor.DOOR,
        "low",
        "observe",
        (door('"door.halted"'),),
        per_tenant=True,
    ),
    *(
        Tripwire(
            f"silent-{name}",
            f"sensor: the {sensor} stops",
            Sensor.INGESTION,
            "high",
            "observe",
            silent_group=sensor,
            period_seconds=300,
            periods=periods,
        )
        for name, sensor, periods in (
            ("flow", Sensor.FLOW, 3),
            ("resolver", Sensor.RESOLVER, 6),  # nodes' resolvers cache
            ("audit", Sensor.AUDIT, 3),
        )
    ),
    Tripwire(
        "none-metadata", "node: IMDS", Sensor.NONE, "medium", "observe",
        reason="flow logs leave IMDS out; pods are kept from it by nftables and a hop limit of 1 (claim E6)",
    ),
    Tripwire(
        "none-endpoint", "endpoint (ecr, sts, logs, eks, eks-auth): call denied by its policy", Sensor.NONE, "medium",
        "observe",
        reason="CloudTrail has no network activity events for these services",
    ),
    Tripwire(
        "none-silence", "sensor: the seccomp event, NP agent log or door audit stops", Sensor.NONE, "medium", "observe",
        reason="a cluster without attempts writes none: run the drill on a schedule, it is their heartbeat",
    ),
)  # fmt: skip


def patterns(row: Tripwire, names: Names, tenant: str | None, declared: Declared) -> tuple[str, ...]:
    """A row's filter patterns for this stack."""
    return tuple(filled(pattern, names, tenant, declared) for pattern in row.patterns)
