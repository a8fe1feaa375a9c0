"""Records in the formats that the sensors write: attacks with the alarms that they must set off, and a working hour."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deployed import NAMES

from infra.logs import FLOW_FIELDS
from infra.sensors import Sensor
from sequester.eyes.records import SensorRecord, shipped

FLOW, RESOLVER, CLUSTER = NAMES.flow_log_group, NAMES.resolver_log_group, NAMES.cluster_log_group
CONTAINERS = NAMES.container_log_group
TRAIL = "/sequester/sequester/trail"
DOOR = NAMES.door_log_group("research")


def flow(**fields: str) -> str:
    usual = {
        "version": "5", "account-id": "123456789012", "interface-id": "eni-0a1b2c3d4e5f60718", "srcaddr": "10.42.0.9",
        "dstaddr": "10.42.24.24", "srcport": "40000", "dstport": "443", "protocol": "6", "packets": "10",
        "bytes": "840", "start": "1800000000", "end": "1800000050", "action": "ACCEPT", "log-status": "OK",
        "vpc-id": "vpc-0a1b2c3d4e5f60718", "subnet-id": "subnet-0a1b2c3d4e5f60718",
        "instance-id": "i-0a1b2c3d4e5f60718", "tcp-flags": "2", "type": "IPv4", "flow-direction": "egress",
        "traffic-path": "1",
    }  # fmt: skip
    given = {name.replace("_", "-"): value for name, value in fields.items()}
    whole = {**usual, **given}
    usual |= {"pkt-srcaddr": whole["srcaddr"], "pkt-dstaddr": whole["dstaddr"]}
    assert given.keys() <= set(FLOW_FIELDS)
    return " ".join({**usual, **given}.get(field, "-") for field in FLOW_FIELDS)


def nothing_of(status: str) -> str:
    """As AWS's own examples of records without data: the interface and the time, and no more."""
    known = {"version": "5", "account-id": "123456789012", "interface-id": "eni-0a1b2c3d4e5f60718"}
    known |= {"start": "1800000000", "end": "1800000050", "log-status": status}
    return " ".join(known.get(field, "-") for field in FLOW_FIELDS)


def resolver(name: str, **more: str) -> str:
    record = {
        "version": "1.100000", "account_id": "123456789012", "region": "us-east-1", "vpc_id": "vpc-0a1b2c3d4e5f60718",
        "query_timestamp": "2026-11-23T23:00:00Z", "query_name": name, "query_type": "A", "query_class": "IN",
        "rcode": "NOERROR", "answers": [], "srcaddr": "10.42.0.9", "srcport": "51000", "transport": "UDP",
        "srcids": {"instance": "i-0a1b2c3d4e5f60718"},
    }  # fmt: skip
    return json.dumps({**record, **more})


def blocked(name: str) -> str:
    return resolver(
        name,
        rcode="NXDOMAIN",
        firewall_rule_action="BLOCK",
        firewall_rule_group_id="rslvr-frg-0a1b2c3d",
        firewall_domain_list_id="rslvr-fdl-0a1b2c3d",
    )


def agent_line(verdict: str, destination: str = "192.0.2.1") -> str:
    return (
        f"Node: ip-10-42-0-9.ec2.internal;SIP: 10.42.0.77;SPORT: 40000;DIP: {destination};DPORT: 443;"
        f"PROTOCOL: TCP;PolicyVerdict: {verdict};Tier: NETWORK_POLICY"
    )


def audit(user: str, verb: str, resource: str, namespace: str | None, code: int, **more: str) -> str:
    reference = {"resource": resource, "apiVersion": "v1", **more}
    if namespace:
        reference["namespace"] = namespace
    return json.dumps(
        {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "Request",
            "auditID": "00000000-0000-4000-8000-000000000000",
            "stage": "ResponseComplete",
            "requestURI": f"/api/v1/{resource}",
            "verb": verb,
            "user": {"username": user},
            "sourceIPs": ["10.42.0.9"],
            "objectRef": reference,
            "responseStatus": {"metadata": {}, "code": code},
        }
    )


def supervisor(kind: str, action: str = "denied", **more: object) -> dict[str, Any]:
    return {"sequester": 1, "kind": kind, "action": action, "noise": False, "count": 1, **more}


def _shipped(event: dict[str, Any], stream: str = "stderr", namespace: str = "research-sandbox") -> str:
    return shipped(event, namespace=namespace, pod="run-1", stream=stream)


def connect(pod: str = "run-1") -> SensorRecord:
    """A connection that the supervisor refused now."""
    line = shipped(supervisor("network", syscall="connect"), namespace="research-sandbox", pod=pod)
    return SensorRecord(Sensor.SUPERVISOR, line, time.time())


def door(rule: str | None, **more: object) -> str:
    verdict = "denied" if rule else "allowed"
    return json.dumps({"event": "fetch", "tenant": "research", "verdict": verdict, "rule": rule, "seq": 1, **more})


def trail(code: str | None = "VpceAccessDenied", source: str = "s3.amazonaws.com") -> str:
    event: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": {"type": "AWSAccount", "accountId": "999999999999"},
        "eventTime": "2026-11-23T23:00:00Z",
        "eventSource": source,
        "eventName": "GetObject",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "10.42.0.77",
        "eventType": "AwsVpceEvent",
        "vpcEndpointId": "vpce-0a1b2c3d4e5f60718",
        "eventCategory": "NetworkActivity",
    }
    return json.dumps({**event, **({"errorCode": code} if code else {})})


def trail_by(role: str) -> str:
    """A call of a session of the role."""
    who = {"type": "AssumedRole", "sessionContext": {"sessionIssuer": {"type": "Role", "arn": role}}}
    return json.dumps({**json.loads(trail()), "userIdentity": who, "sourceIPAddress": "192.0.2.1"})


def begun(record: str, uri: str = "") -> str:
    """The audit event of a long request when its answer has begun."""
    event = json.loads(record)
    return json.dumps({**event, "stage": "ResponseStarted", "requestURI": uri or event["requestURI"]})


def borrowed(name: str) -> str:
    """The audit event of a request under another's name."""
    event = json.loads(audit("alice", "list", "pods", "other", 200))
    return json.dumps({**event, "impersonatedUser": {"username": name}})


WALLS = (
    *((resource, "other") for resource in ("networkpolicies", "policyendpoints")),
    *((resource, None) for resource in ("clusternetworkpolicies", "customresourcedefinitions", "namespaces")),
    *((f"{edits}admissionpolicies", None) for edits in ("validating", "mutating")),
    *((f"{edits}admissionpolicybindings", None) for edits in ("validating", "mutating")),
    *((f"{edits}webhookconfigurations", None) for edits in ("validating", "mutating")),
    *((resource, "kube-system") for resource in ("daemonsets", "deployments", "configmaps")),
)

AGENT, SANDBOX = "system:serviceaccount:research-agent:agent", "system:serviceaccount:research-sandbox:sandbox"
NODE = "system:node:ip-10-42-0-9.ec2.internal"


@dataclass(frozen=True)
class Attempt:
    name: str
    group: str
    records: Sequence[str]
    fires: frozenset[str]


def _one(name: str, group: str, record: str, *fires: str, times: int = 1) -> Attempt:
    return Attempt(name, group, [record] * times, frozenset(fires))


ATTEMPTS = (
    *(
        _one(f"accepted out by traffic path {path}", FLOW, flow(dstaddr="192.0.2.1", traffic_path=path), "packet-left")
        for path in ("2", "3", "4", "5", "6", "8")
    ),
    _one(
        "gateway endpoint of another service",
        FLOW,
        flow(traffic_path="7", pkt_dst_aws_service="DYNAMODB"),
        "packet-left",
    ),
    *(
        _one(
            f"accepted to {address} by traffic path {path}",
            FLOW,
            flow(dstaddr=address, traffic_path=path, type=kind),
            "packet-left",
        )
        for address, kind in (("192.0.2.1", "IPv4"), ("10.43.0.9", "IPv4"), ("2001:db8::1", "IPv6"))
        for path in ("1", "-")  # a transit gateway's or a NAT gateway's interface; none of AWS's numbers
    ),
    _one(
        "the node's own address in front of another",
        FLOW,
        flow(dstaddr="10.42.24.9", pkt_dstaddr="192.0.2.1"),
        "packet-left",
    ),
    _one("more traffic than can be recorded", FLOW, nothing_of("SKIPDATA"), "flow-skipped"),
    _one("connection refused by the group", FLOW, flow(action="REJECT", dstaddr="192.0.2.1"), "packet-rejected"),
    *(
        _one(f"connection refused, flags {flags}", FLOW, flow(action="REJECT", tcp_flags=flags), "packet-rejected")
        for flags in ("3", "6", "7", "18", "19", "22", "23")
    ),
    _one("datagram refused", FLOW, flow(action="REJECT", protocol="17", tcp_flags="0"), "packet-rejected"),
    _one("ping refused", FLOW, flow(action="REJECT", protocol="1", tcp_flags="0"), "packet-rejected"),
    _one(
        "v6 refused", FLOW, flow(action="REJECT", type="IPv6", dstaddr="2001:db8::1", protocol="58"), "packet-rejected"
    ),
    _one("scan from another subnet", FLOW, flow(action="REJECT", flow_direction="ingress"), "packet-rejected"),
    _one("tunnel by DNS", RESOLVER, blocked("c2VjcmV0.attacker.example.com."), "name-blocked"),
    _one("data under a name nodes ask for", RESOLVER, blocked("c2VjcmV0.ssm.us-east-1.amazonaws.com."), "name-blocked"),
    _one("the firewall is gone", RESOLVER, resolver("attacker.example.com."), "name-unlisted"),
    _one(
        "the firewall only alerts",
        RESOLVER,
        resolver("attacker.example.com.", firewall_rule_action="ALERT"),
        "name-unlisted",
    ),
    _one("another region's service", RESOLVER, resolver("sqs.eu-west-1.amazonaws.com."), "name-unlisted"),
    _one("denied by a NetworkPolicy", CLUSTER, agent_line("DENY"), "policy-denied"),
    _one("connect", CONTAINERS, _shipped(supervisor("network", syscall="connect")), "network-call-research"),
    *(
        _one(f"{kind} call", CONTAINERS, _shipped(supervisor(kind)), "kernel-call-research")
        for kind in ("trace", "namespace", "kernel", "memory", "device", "foreign_abi", "unlisted", "resource")
    ),
    _one("blinding", CONTAINERS, _shipped(supervisor("blind")), "supervisor-attacked-research"),
    _one("attack on the supervisor", CONTAINERS, _shipped(supervisor("supervisor")), "supervisor-attacked-research"),
    _one("fork bomb", CONTAINERS, _shipped(supervisor("process_storm", "observed")), "process-storm-research"),
    _one("memory spike", CONTAINERS, _shipped(supervisor("memory_growth", "observed")), "memory-growth-research"),
    _one(
        "agent reads secrets",
        CLUSTER,
        audit(AGENT, "list", "secrets", "support-agent", 403),
        "api-refused-research",
        "api-refused-support",
    ),
    _one("agent reads nodes", CLUSTER, audit(AGENT, "list", "nodes", None, 403), "api-refused-research"),
    _one(
        "sandbox's identity", CLUSTER, audit(SANDBOX, "list", "pods", "research-sandbox", 403), "api-refused-research"
    ),
    _one(
        "pod refused by admission",
        CLUSTER,
        audit(AGENT, "create", "pods", "research-sandbox", 422),
        "api-refused-research",
    ),
    _one(
        "exec",
        CLUSTER,
        audit("alice", "create", "pods", "research-sandbox", 101, subresource="exec"),
        "api-exec-research",
    ),
    *(
        _one(
            f"{subresource} that has begun",
            CLUSTER,
            begun(audit("alice", "get", "pods", "research-sandbox", 101, subresource=subresource)),
            "api-exec-research",
        )
        for subresource in ("exec", "portforward", "proxy")
    ),
    _one(
        "proxy to a service",
        CLUSTER,
        audit("alice", "get", "services", "research-agent", 200, subresource="proxy"),
        "api-exec-research",
    ),
    _one(
        "exec by way of the kubelet",
        CLUSTER,
        begun(
            audit("alice", "create", "nodes", None, 101, subresource="proxy"),
            "/api/v1/nodes/n/proxy/exec/research-sandbox/run-1/sandbox?command=sh",
        ),
        "api-exec-research",
    ),
    _one(
        "debug container",
        CLUSTER,
        audit("alice", "patch", "pods", "research-sandbox", 200, subresource="ephemeralcontainers"),
        "api-exec-research",
    ),
    _one(
        "port forward",
        CLUSTER,
        audit("alice", "create", "pods", "research-sandbox", 101, subresource="portforward"),
        "api-exec-research",
    ),
    _one(
        "kubelet's stolen certificate",
        CLUSTER,
        audit(NODE, "list", "secrets", "kube-system", 403),
        "node-refused",
        times=5,
    ),
    _one(
        "requests with no identity",
        CLUSTER,
        audit("system:anonymous", "list", "pods", None, 403),
        "node-refused",
        times=5,
    ),
    _one("requests with a bad token", CLUSTER, audit("", "list", "pods", None, 401), "nobody-refused", times=20),
    *(
        _one(f"{verb} of {resource}", CLUSTER, audit("alice", verb, resource, namespace, 200), "policy-changed")
        for resource, namespace in WALLS
        for verb in ("create", "update", "patch", "delete", "deletecollection")
        if resource != "namespaces" or verb != "create"
    ),
    *(
        _one(f"{verb} of {resource}", CLUSTER, audit("alice", verb, resource, None, 200), "rights-changed")
        for resource in ("roles", "clusterroles", "rolebindings", "clusterrolebindings", "apiservices", "nodes")
        for verb in ("create", "update", "patch", "delete", "deletecollection")
        if resource != "nodes" or verb != "create"
    ),
    _one("a borrowed name", CLUSTER, borrowed("bob"), "rights-changed"),
    _one(
        "a service account's token",
        CLUSTER,
        audit("alice", "create", "serviceaccounts", "other", 201, subresource="token"),
        "rights-changed",
    ),
    *(
        _one(
            f"{resource} by a stolen account of the system",
            CLUSTER,
            audit("system:serviceaccount:kube-system:coredns", "patch", resource, "other", 200),
            row,
        )
        for resource, row in (("networkpolicies", "policy-changed"), ("rolebindings", "rights-changed"))
    ),
    _one("foreign bucket through our endpoint", TRAIL, trail(), "endpoint-denied"),
    _one("foreign function through our endpoint", TRAIL, trail(source="lambda.amazonaws.com"), "endpoint-denied"),
    *(
        _one(f"door: {rule} again and again", DOOR, door(rule), "door-denied-research", times=10)
        for rule in ("inspect.undecodable", "inspect.limit")
    ),
    _one("search for an open host", DOOR, door("allow.host"), "door-denied-research", times=10),
    *(
        _one(f"door: {rule}", DOOR, door(rule), "door-probed-research", times=3)
        for rule in (
            "url.malformed",
            "url.userinfo",
            "request.header",
            "resolve.special",
            "redirect.limit",
            "connect.peer",
        )
    ),
    *(
        _one(f"door: {rule}", DOOR, door(rule), "door-secret-research")
        for rule in ("inspect.secret", "inspect.canary", "inspect.credential", "response.credential")
    ),
    *(
        _one(f"door: {rule}", DOOR, door(rule), "door-spent-research")
        for rule in ("budget.requests", "budget.bytes_out", "budget.bytes_in", "budget.entropy")
    ),
    *(
        _one(f"door: {rule}", DOOR, door(rule), "door-unrecorded-research")
        for rule in (*("audit.unavailable", "inspect.unavailable", "door.failed", "door.config", "door.credential"),)
    ),
    _one(
        "door: unforeseen failure",
        DOOR,
        json.dumps({"event": "failure", "tenant": "research", "error": "KeyError"}),
        "door-unrecorded-research",
    ),
    _one("door: used after it was closed", DOOR, door("door.halted"), "door-closed-research"),
)

# What one writes to look like another sensor, or like nothing: it must not count as an attempt of that kind.
FORGERIES = (
    (CONTAINERS, _shipped(supervisor("network"), stream="stdout")),  # code prints what looks like an event
    (CONTAINERS, _shipped(supervisor("network", noise=True))),  # libc's own call at start
    (CONTAINERS, _shipped(supervisor("network"), namespace="kube-system")),
    (CLUSTER, audit("alice", "get", "SIP: 10.42.0.77;PolicyVerdict: DENY", "other", 404)),
)

# An hour of a working cluster: nodes join, pull, resolve, ship logs; agents run sandboxes and fetch.
WORKING_HOUR: tuple[tuple[str, str], ...] = (
    *((FLOW, flow(dstaddr=address)) for address in ("10.42.24.10", "10.42.24.11", "10.42.24.12")),
    (FLOW, flow(flow_direction="ingress", srcport="443", traffic_path="-")),
    (FLOW, flow(dstaddr="52.216.0.1", traffic_path="7", pkt_dst_aws_service="S3")),  # layers, by the gateway
    (FLOW, flow(action="REJECT", tcp_flags="4")),  # a reset after the group forgot the connection
    (FLOW, flow(action="REJECT", tcp_flags="17")),
    (FLOW, nothing_of("NODATA")),  # an interface without traffic
    *((FLOW, flow(dstaddr=link)) for link in ("169.254.170.23", "224.0.0.22", "fe80::1", "ff02::2")),
    (FLOW, flow(dstaddr="10.42.255.254", traffic_path="-")),
    *((RESOLVER, resolver(name)) for name in ("ec2.us-east-1.amazonaws.com.", "AB12.gr7.us-east-1.eks.amazonaws.com.")),
    (RESOLVER, resolver("ip-10-42-0-9.ec2.internal.")),
    *((RESOLVER, blocked(f"{name}.us-east-1.amazonaws.com.")) for name in ("ssm", "ssmmessages", "ec2messages")),
    (RESOLVER, blocked("2.amazon.pool.ntp.org.")),
    (CLUSTER, agent_line("ACCEPT", "10.42.24.24")),
    (CLUSTER, audit(NODE, "create", "nodes", None, 201)),
    (CLUSTER, audit(NODE, "get", "nodes", None, 404)),
    (CLUSTER, audit(NODE, "get", "configmaps", "kube-system", 403)),  # while the node is new
    (CLUSTER, audit(AGENT, "create", "jobs", "research-sandbox", 201)),
    (CLUSTER, audit(AGENT, "create", "pods", "research-sandbox", 101, subresource="attach")),
    (CLUSTER, audit(AGENT, "delete", "jobs", "research-sandbox", 200)),
    (CLUSTER, audit(AGENT, "get", "pods", "research-sandbox", 404)),
    (CLUSTER, audit("system:kube-scheduler", "create", "pods", "research-sandbox", 201, subresource="binding")),
    (CLUSTER, audit("system:kube-controller-manager", "create", "pods", "research-sandbox", 201)),
    (CLUSTER, begun(audit(AGENT, "watch", "pods", "research-sandbox", 200))),
    (CLUSTER, begun(audit(AGENT, "create", "pods", "research-sandbox", 101, subresource="attach"))),
    (CLUSTER, begun(audit("metrics", "get", "nodes", None, 200, subresource="proxy"), "/api/v1/nodes/n/proxy/metrics")),
    (CLUSTER, audit("system:anonymous", "get", "livez", None, 200)),
    # A token that has just run out: https://github.com/awslabs/amazon-eks-ami/issues/166. A kubelet watches these.
    *((CLUSTER, audit("", "list", kind, None, 401)) for kind in ("nodes", "services", "pods", "csidrivers")),
    *((CLUSTER, audit("", "get", kind, None, 401)) for kind in ("runtimeclasses", "leases", "nodes")),
    # What EKS and Kubernetes' own controllers change by themselves.
    *(
        (CLUSTER, audit("eks:network-policy-controller", verb, "policyendpoints", "research-agent", 200))
        for verb in ("create", "update", "patch", "delete")
    ),
    (CLUSTER, audit("eks:addon-manager", "patch", "daemonsets", "kube-system", 200)),
    (CLUSTER, audit("eks:addon-manager", "patch", "clusterroles", None, 200)),
    (CLUSTER, audit("eks:network-policy-controller", "patch", "networkpolicies", "research-agent", 200)),
    (
        CLUSTER,
        audit(
            "system:serviceaccount:kube-system:clusterrole-aggregation-controller", "patch", "clusterroles", None, 200
        ),
    ),
    (CLUSTER, audit("system:apiserver", "update", "apiservices", None, 200)),
    (
        CLUSTER,
        audit("system:kube-controller-manager", "create", "serviceaccounts", "kube-system", 201, subresource="token"),
    ),
    (CLUSTER, audit(NODE, "create", "serviceaccounts", "research-agent", 201, subresource="token")),
    (CLUSTER, audit(NODE, "patch", "nodes", None, 200)),
    (CLUSTER, audit(NODE, "patch", "nodes", None, 200, subresource="status")),
    (CLUSTER, audit("system:serviceaccount:kube-system:node-controller", "patch", "nodes", None, 200)),
    (
        CLUSTER,
        audit("system:serviceaccount:kube-system:cluster-autoscaler", "update", "configmaps", "kube-system", 200),
    ),
    (
        CLUSTER,
        audit(
            "system:serviceaccount:kube-system:namespace-controller",
            "update",
            "namespaces",
            None,
            200,
            subresource="finalize",
        ),
    ),
    (
        CLUSTER,
        audit(
            "system:kube-controller-manager", "update", "validatingadmissionpolicies", None, 200, subresource="status"
        ),
    ),
    (
        CLUSTER,
        audit("arn:aws:sts::123456789012:assumed-role/sequester-responder-inside/s", "patch", "nodes", None, 200),
    ),
    (CLUSTER, audit("alice", "patch", "rolebindings", "other", 403)),  # in no tenant's namespace, and refused
    (RESOLVER, resolver("ec2.us-east-1.amazonaws.com.", firewall_rule_action="ALERT")),
    *((FLOW, flow(action="REJECT", tcp_flags=flags)) for flags in ("0", "1", "5")),
    *((DOOR, door("connect.failed")) for _ in range(12)),  # a host that is down
    (CLUSTER, audit("eks:k8s-metrics", "list", "networkpolicies", None, 200)),
    (CLUSTER, "I1123 23:00:00.000000      10 controller.go:131] sync done"),
    (CONTAINERS, _shipped(supervisor("exec", "observed"))),
    (CONTAINERS, _shipped(supervisor("end", "observed"))),
    (
        CONTAINERS,
        json.dumps({"stream": "stdout", "log": "hello", "kubernetes": {"namespace_name": "research-sandbox"}}),
    ),
    *((DOOR, door(None, status=200)) for _ in range(20)),
    *((DOOR, door("allow.path")) for _ in range(3)),
    (DOOR, "START RequestId: 00000000-0000-4000-8000-000000000000 Version: 3"),
    (DOOR, "REPORT RequestId: 00000000-0000-4000-8000-000000000000 Duration: 12.3 ms"),
)
