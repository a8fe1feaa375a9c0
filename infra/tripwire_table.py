"""Every class of attempt: who sees it, what counts it, when it alarms, and what is done then (claim E8).

From this table come the metric filters and alarms (`infra.tripwires`), the responder's configuration, the runbooks and
the page on time to alarm. Where no sensor exists the row says so: the report shows it instead of leaving it out.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final, Literal

from infra.logs import FLOW_FIELDS
from infra.names import Names
from infra.sensors import EVALUATION_SECONDS, SOURCES, Sensor
from infra.settings.tripwires import Level

METRIC_NAMESPACE: Final = "Sequester/Tripwires"

Severity = Literal["low", "medium", "high", "critical"]


@dataclass(frozen=True)
class Tripwire:
    """One class of attempt.

    `patterns` count into one metric; in those of a `per_tenant` row TENANT stands for the tenant. `periods` periods
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


def _flow(**conditions: str) -> str:
    """A space-delimited pattern on our flow log format: field (with `_`) → condition, in which `@` is the field."""
    names = [field.replace("-", "_") for field in FLOW_FIELDS]
    if unknown := sorted(set(conditions) - set(names)):
        raise ValueError(f"{', '.join(unknown)}: not in our flow log format: use one of {', '.join(names)}")
    return f"[{', '.join(conditions.get(name, name).replace('@', name) for name in names)}]"


def _supervisor(*kinds: str, action: str = "denied") -> str:
    """Events of the supervisor, as the log shipper wraps them; what code prints on stdout is another stream."""
    of_kind = " || ".join(f'$.event.kind = "{kind}"' for kind in kinds)
    namespace = '$.kubernetes.namespace_name = "TENANT-sandbox"'
    return (
        f'{{ $.stream = "stderr" && {namespace} && $.event.sequester = 1 && $.event.action = "{action}"'
        f" && $.event.noise IS FALSE && ({of_kind}) }}"
    )


_OVER, _BEGUN = '$.stage = "ResponseComplete"', '($.stage = "ResponseStarted" || $.stage = "ResponseComplete")'


def _audit(condition: str, stage: str = _OVER) -> str:
    """Requests to the Kubernetes API by the tenant's identities, or to its namespaces."""
    tenant = (
        '$.user.username = "system:serviceaccount:TENANT-agent:*" || '
        '$.user.username = "system:serviceaccount:TENANT-sandbox:*" || '
        '$.objectRef.namespace = "TENANT-agent" || $.objectRef.namespace = "TENANT-sandbox"'
    )
    return f'{{ $.kind = "Event" && {stage} && ({condition}) && ({tenant}) }}'


def _door(*rules: str) -> str:
    return f'{{ $.event = "fetch" && $.verdict = "denied" && ({" || ".join(f"$.rule = {rule}" for rule in rules)}) }}'


# A body made so that it cannot be inspected: once is a mistake, again and again is none.
_SHAPED = ('"inspect.undecodable"', '"inspect.limit"')
HOSTS_OWN_FAILURES: Final = frozenset(
    {"resolve.failed", "connect.failed", "connect.tls", "response.malformed", "response.encoding", "response.timeout"}
)
"""Denials that no tripwire counts: any server may be at fault by itself."""

# What Amazon Linux asks for by itself on a node without these endpoints. Exact names: none can carry a message.
_NODES_ASK_FOR = ("ssm", "ssmmessages", "ec2messages")
_TIME_SERVERS = tuple(f"{number}.amazon.pool.ntp.org." for number in range(4))


def _blocked() -> str:
    known = [f'$.query_name != "{name}.REGION.amazonaws.com."' for name in _NODES_ASK_FOR]
    known += [f'$.query_name != "{name}"' for name in _TIME_SERVERS]
    return f'{{ $.firewall_rule_action = "BLOCK" && {" && ".join(known)} }}'


_LEFT = "@ = 2 || @ = 3 || @ = 4 || @ = 5 || @ = 6 || @ = 8"  # internet, peering, VPN, another region, ...
_EGRESS = {"flow_direction": "@ = egress", "action": "@ = ACCEPT"}
_TCP = "6"
# SYN, or SYN and ACK, with whatever FIN and RST came in the same minute: the field is all of them together.
_SYN = " || ".join(f"@ = {flags}" for flags in (2, 3, 6, 7, 18, 19, 22, 23))

TRIPWIRES: Final = (
    Tripwire(
        "packet-left",
        "node: packet let out of the VPC other than by the S3 gateway",
        Sensor.FLOW,
        "critical",
        "isolate",
        (
            _flow(**_EGRESS, traffic_path=_LEFT),
            _flow(**_EGRESS, traffic_path="@ = 7", pkt_dst_aws_service="@ != S3"),
        ),
    ),
    Tripwire(
        "packet-rejected",
        "node: packet denied by SG/NACL",
        Sensor.FLOW,
        "high",
        "isolate",
        (  # a TCP packet that opens nothing is the tail of a connection that the group has forgotten
            _flow(action="@ = REJECT", protocol=f"@ = {_TCP}", tcp_flags=_SYN),
            _flow(action="@ = REJECT", protocol=f"@ != {_TCP}"),
        ),
    ),
    Tripwire(
        "name-blocked", "node: DNS to the VPC resolver", Sensor.RESOLVER, "high", "isolate", (_blocked(),)
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
        (_supervisor("network"),),
        per_tenant=True,
    ),
    Tripwire(
        "kernel-call",
        "pod: other denied system call",
        Sensor.SUPERVISOR,
        "high",
        "contain",
        (_supervisor("trace", "namespace", "kernel", "memory", "device", "foreign_abi", "unlisted", "resource"),),
        per_tenant=True,
    ),
    Tripwire(
        "supervisor-attacked",
        "pod: the supervisor itself is attacked or blinded",
        Sensor.SUPERVISOR,
        "high",
        "contain",
        (_supervisor("blind", "supervisor"),),
        per_tenant=True,
    ),
    Tripwire(
        "process-storm",
        "pod: process storm",
        Sensor.SUPERVISOR,
        "medium",
        "contain",
        (_supervisor("process_storm", action="observed"),),
        per_tenant=True,
    ),
    Tripwire(
        "memory-growth",
        "pod: memory spike, as of encoding or compressing data",
        Sensor.SUPERVISOR,
        "low",
        "observe",
        (_supervisor("memory_growth", action="observed"),),
        per_tenant=True,
    ),
    Tripwire(
        "api-refused",
        "API: forbidden or rejected request",
        Sensor.AUDIT,
        "high",
        "contain",
        (_audit("$.responseStatus.code = 403 || $.responseStatus.code = 422"),),
        per_tenant=True,
    ),
    Tripwire(
        "api-exec",
        "API: exec, port forward or debug container in a tenant's namespace",
        Sensor.AUDIT,
        "high",
        "contain",
        (
            _audit(
                '$.objectRef.subresource = "exec" || $.objectRef.subresource = "portforward"'
                ' || $.objectRef.subresource = "ephemeralcontainers" || $.objectRef.subresource = "proxy"',
                _BEGUN,  # such a request is complete only when the session ends
            ),
            (  # by way of the node's kubelet, which names the namespace in the path only
                f'{{ $.kind = "Event" && {_BEGUN} && $.objectRef.resource = "nodes"'
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
            (
                '{ $.kind = "Event" && $.stage = "ResponseComplete" && $.responseStatus.code = 403'
                ' && $.user.username = "system:node:*" }'
            ),
            (  # or with none, by which somebody on a node looks about
                '{ $.kind = "Event" && $.stage = "ResponseComplete" && ($.responseStatus.code = 401'
                ' || $.responseStatus.code = 403 && $.user.username = "system:anonymous") }'
            ),
        ),
        threshold=5,  # a kubelet that starts is refused now and then, while its node object is new
        period_seconds=300,
    ),
    Tripwire(
        "policy-changed",
        "API: a network policy or an admission policy is changed or removed",
        Sensor.AUDIT,
        "medium",
        "observe",
        (
            (
                '{ $.kind = "Event" && $.stage = "ResponseComplete" && $.responseStatus.code < 300'
                ' && ($.objectRef.resource = "networkpolicies" || $.objectRef.resource = "validatingadmissionpolic*")'
                ' && ($.verb = "update" || $.verb = "patch" || $.verb = "delete*") }'
            ),
            (  # policies only add: a new one lets out what no other does
                '{ $.kind = "Event" && $.stage = "ResponseComplete" && $.responseStatus.code < 300'
                ' && $.objectRef.resource = "networkpolicies" && $.verb = "create" }'
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
        (_door('"allow.*"', *_SHAPED),),
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
        (_door('"url.*"', '"request.*"', '"resolve.special"', '"connect.peer"', '"redirect.*"'),),
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
        (_door('"inspect.secret"', '"inspect.canary"', '"inspect.credential"', '"response.credential"'),),
        per_tenant=True,
    ),
    Tripwire(
        "door-spent",
        "door: budget spent",
        Sensor.DOOR,
        "medium",
        "observe",
        (_door('"budget.*"'),),
        per_tenant=True,
    ),
    Tripwire(
        "door-unrecorded",
        "door: a request cannot be recorded, or the door failed",
        Sensor.DOOR,
        "high",
        "observe",
        (_door('"*.unavailable"', '"door.failed"', '"door.config"', '"door.credential"'), '{ $.event = "failure" }'),
        per_tenant=True,
    ),
    Tripwire(
        "door-closed",
        "door: fetch after the door was closed",
        Sensor.DOOR,
        "low",
        "observe",
        (_door('"door.halted"'),),
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


def patterns(row: Tripwire, names: Names, tenant: str | None, listed: tuple[str, ...]) -> tuple[str, ...]:
    """A row's filter patterns for this stack. listed: the names that nodes may resolve, with `*.` for all below."""
    unlisted = " && ".join(f'$.query_name != "{name}."' for name in listed)
    return tuple(
        pattern.replace("TENANT", tenant or "").replace("REGION", names.region).replace("UNLISTED", unlisted)
        for pattern in row.patterns
    )
