"""What each attempt leaves in a log: one record as its sensor writes it, for every row of the sensor matrix (E8).

Formats: flow logs (VPC user guide, "Flow log records"), Resolver query logs (Route 53 developer guide, "Values that
appear in Resolver query logs"), audit.k8s.io/v1, aws-network-policy-agent's line, CloudTrail's network activity events,
and the door's and the supervisor's own lines.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sequester.proof.export import namespaces
from sequester.proof.model import Model, Sensor
from sequester.proof.selector import Selector

# The fields of a flow log that states no format.
_DEFAULT_FIELDS = (
    *("version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets"),
    *("bytes", "start", "end", "action", "log-status"),
)
# Endpoint service → the event source of the calls that its policy denies; the others leave no event.
NETWORK_EVENTS: Mapping[str, str] = {
    "bedrock-runtime": "bedrock.amazonaws.com",
    "dynamodb": "dynamodb.amazonaws.com",
    "ec2": "ec2.amazonaws.com",
    "kms": "kms.amazonaws.com",
    "lambda": "lambda.amazonaws.com",
    "s3": "s3.amazonaws.com",
    "sns": "sns.amazonaws.com",
}
_NODE = "system:node:ip-10-42-0-9.ec2.internal"


@dataclass(frozen=True, slots=True)
class Sighting:
    """A class of attempt as one sensor records it; `most`: after so many within a period it must have been told."""

    attempt: str
    message: str
    most: int = 1


def sightings(model: Model, selector: Selector, sensor: Sensor) -> Iterator[Sighting]:
    """Every class of attempt that a sensor alone sees."""
    match sensor.kind:
        case "flow log":
            yield from _flows(sensor)
        case "Resolver log":
            yield from _queries(sensor)
        case "NP agent log":
            yield Sighting("pod: packet denied by NetworkPolicy", _policy_line())
        case "K8s audit":
            yield from _requests(model, selector)
        case "CloudTrail VPCE":
            for source in sensor.scope.split(","):
                yield Sighting(f"endpoint of {source}: call denied by its policy", _call(source))
        case "door audit":
            yield from _fetches(model, sensor)
        case "seccomp event":
            yield from _calls_of_code(sensor)
        case _:
            return


def _flow(sensor: Sensor, **said: str) -> str:
    usual = {
        "version": "5", "account-id": "123456789012", "interface-id": "eni-0a1b2c3d4e5f60718", "srcaddr": "10.42.0.9",
        "dstaddr": "192.0.2.1", "srcport": "40000", "dstport": "443", "protocol": "6", "packets": "1", "bytes": "60",
        "start": "1800000000", "end": "1800000050", "action": "REJECT", "log-status": "OK", "tcp-flags": "2",
        "type": "IPv4", "flow-direction": "egress", "traffic-path": "-", "pkt-srcaddr": "10.42.0.9",
        "pkt-dstaddr": "192.0.2.1",
    }  # fmt: skip
    given = {**usual, **{name.replace("_", "-"): value for name, value in said.items()}}
    return " ".join(given.get(name, "-") for name in sensor.fields or _DEFAULT_FIELDS)


def _flows(sensor: Sensor) -> Iterator[Sighting]:
    what = "node: packet denied by SG/NACL"
    yield Sighting(f"{what} (tcp)", _flow(sensor))
    yield Sighting(f"{what} (udp)", _flow(sensor, protocol="17", tcp_flags="0", dstport="53"))
    yield Sighting(f"{what} (icmp)", _flow(sensor, protocol="1", tcp_flags="0", srcport="0", dstport="0"))
    six = {"type": "IPv6", "srcaddr": "2001:db8::9", "dstaddr": "2001:db8::1"}
    yield Sighting(f"{what} (IPv6)", _flow(sensor, protocol="17", tcp_flags="0", **six))


def _queries(sensor: Sensor) -> Iterator[Sighting]:
    record: dict[str, object] = {
        "version": "1.100000", "account_id": "123456789012", "region": "us-east-1", "vpc_id": sensor.scope,
        "query_timestamp": "2030-01-01T00:00:00Z", "query_name": "c2VjcmV0.collector.example.", "query_type": "TXT",
        "query_class": "IN", "rcode": "NXDOMAIN", "answers": [], "srcaddr": "10.42.0.9", "srcport": "51000",
        "transport": "UDP", "srcids": {"instance": "i-0a1b2c3d4e5f60718"},
    }  # fmt: skip
    yield Sighting("node: DNS to the VPC resolver", json.dumps({**record, "firewall_rule_action": "BLOCK"}))
    yield Sighting("node: DNS that no firewall rule matched", json.dumps({**record, "rcode": "NOERROR"}))


def _policy_line() -> str:
    return (
        "Node: ip-10-42-0-9.ec2.internal;SIP: 10.42.0.77;SPORT: 40000;DIP: 192.0.2.1;DPORT: 443;PROTOCOL: TCP;"
        "PolicyVerdict: DENY;Tier: NETWORK_POLICY"
    )


def _request(user: str, verb: str, resource: str, namespace: str, code: int, sub: str = "") -> str:
    reference = {"resource": resource, "apiVersion": "v1", **({"namespace": namespace} if namespace else {})}
    event: dict[str, object] = {
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "stage": "ResponseComplete",
        "auditID": "00000000-0000-4000-8000-000000000000", "requestURI": f"/api/v1/{resource}", "verb": verb,
        "user": {"username": user}, "sourceIPs": ["10.42.0.9"],
        "objectRef": {**reference, **({"subresource": sub} if sub else {})},
        "responseStatus": {"metadata": {}, "code": code},
    }  # fmt: skip
    return json.dumps(event)


def _requests(model: Model, selector: Selector) -> Iterator[Sighting]:
    for namespace in namespaces(model):
        role = selector.role_of_namespace(namespace)
        if not role:
            continue
        account = f"system:serviceaccount:{namespace}:{role}"
        yield Sighting(f"API: request of {account} forbidden", _request(account, "list", "secrets", "kube-system", 403))
        refused = _request(account, "create", "pods", namespace, 422)
        yield Sighting(f"API: request to {namespace} rejected", refused)
        told = _request("somebody", "create", "pods", namespace, 101, "exec")
        yield Sighting(f"API: exec in {namespace}", told)
    yield Sighting("API: forbidden request with a node's identity", _request(_NODE, "list", "secrets", "", 403), 5)
    changed = _request("somebody", "delete", "networkpolicies", "", 200)
    yield Sighting("API: a network policy is removed", changed)


def _call(source: str) -> str:
    event = {
        "eventVersion": "1.11", "userIdentity": {"type": "AWSAccount", "accountId": "999999999999"},
        "eventTime": "2030-01-01T00:00:00Z", "eventSource": source, "eventName": "Call", "awsRegion": "us-east-1",
        "sourceIPAddress": "10.42.0.77", "eventType": "AwsVpceEvent", "vpcEndpointId": "vpce-0a1b2c3d4e5f60718",
        "eventCategory": "NetworkActivity", "errorCode": "VpceAccessDenied",
    }  # fmt: skip
    return json.dumps(event)


def _fetches(model: Model, sensor: Sensor) -> Iterator[Sighting]:
    door = next((f for f in model.functions.values() if f.arn == sensor.scope), None)
    tenant = door.variable("DOOR_TENANT") if door else ""
    for rule, what, most in (
        ("allow.host", "denied fetch", 10),
        ("resolve.special", "fetch that only an attack makes", 3),
        ("inspect.secret", "secret on its way out", 1),
        ("budget.requests", "budget spent", 1),
        ("audit.unavailable", "a request that cannot be recorded", 1),
    ):
        line = {"event": "fetch", "tenant": tenant, "verdict": "denied", "rule": rule, "seq": 1}
        yield Sighting(f"door {door.name if door else ''}: {what}", json.dumps(line), most)


def _calls_of_code(sensor: Sensor) -> Iterator[Sighting]:
    """The supervisor's lines, as Fluent Bit ships a container's standard error."""
    for kind, action, what in (
        ("network", "denied", "connect or send denied by the filter"),
        ("kernel", "denied", "another denied system call"),
        ("supervisor", "denied", "the supervisor attacked"),
        ("process_storm", "observed", "process storm"),
        ("memory_growth", "observed", "memory spike"),
    ):
        event = {"sequester": 1, "kind": kind, "action": action, "noise": False, "count": 1, "syscall": "connect"}
        where = {"namespace_name": sensor.scope, "pod_name": "run-1", "container_name": "sandbox"}
        line = {"stream": "stderr", "event": event, "kubernetes": where}
        yield Sighting(f"pod of {sensor.scope}: {what}", json.dumps(line))
