"""The checker's own examples of what attempts leave in logs (E8): by the sensor's kind, attempt → line, and how many.

Written from the same documents as the prover's, with other values: a reason that names an alarm holds only if that
alarm tells of this line.
"""

# Facts are parsed JSON: their parts are looked up, never trusted to be there.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from sequester.proof.check_reasons import Facts, namespaces_of, role_of

# Of a flow log that states no format, the fields that matter here are in these places.
_PLAIN: dict[int, str] = {0: "version", 7: "protocol", 12: "action", 13: "log-status"}


class Left(NamedTuple):
    """An attempt, what it leaves, and after how many somebody must have been told."""

    attempt: str
    line: str
    most: int = 1


def left(model: Facts, selector: Facts, sensor: Any) -> Iterator[Left]:
    """Every attempt that a sensor alone sees."""
    kind = sensor["kind"]
    if kind == "flow log":
        yield from _flows(list(sensor["fields"]) or [_PLAIN.get(i, "") for i in range(14)])
    if kind == "Resolver log":
        asked = {"query_name": "a.exfil.test.", "query_type": "NULL", "rcode": "NOERROR", "vpc_id": sensor["scope"]}
        yield Left("node: DNS to the VPC resolver", json.dumps({**asked, "firewall_rule_action": "BLOCK"}))
        yield Left("node: DNS that no firewall rule matched", json.dumps(asked))
    if kind == "NP agent log":
        said = "Node: n;SIP: 10.0.0.8;SPORT: 1025;DIP: 198.51.100.7;DPORT: 80;PROTOCOL: UDP;PolicyVerdict: DENY"
        yield Left("pod: packet denied by NetworkPolicy", said.replace("UDP", "TCP"))
    if kind == "K8s audit":
        yield from _requests(model, selector)
    if kind == "CloudTrail VPCE":
        for source in sensor["scope"].split(","):
            event = {"eventSource": source, "eventCategory": "NetworkActivity", "errorCode": "VpceAccessDenied"}
            yield Left(f"endpoint of {source}: call denied by its policy", json.dumps(event))


def _flows(fields: list[str]) -> Iterator[Left]:
    usual = {"version": "5", "action": "REJECT", "log-status": "OK", "type": "IPv4", "flow-direction": "ingress"}
    for name, more in {
        "tcp": {"protocol": "6", "tcp-flags": "2"},
        "udp": {"protocol": "17", "tcp-flags": "0"},
        "icmp": {"protocol": "1", "tcp-flags": "0"},
        "IPv6": {"protocol": "17", "tcp-flags": "0", "type": "IPv6", "srcaddr": "2001:db8::7"},
    }.items():
        said = {**usual, **more}
        yield Left(f"node: packet denied by SG/NACL ({name})", " ".join(said.get(field, "-") for field in fields))


def _requests(model: Facts, selector: Facts) -> Iterator[Left]:
    def event(user: str, verb: str, on: dict[str, str], code: int) -> str:
        whole = {"kind": "Event", "stage": "ResponseComplete", "verb": verb, "requestURI": "/api/v1/x"}
        return json.dumps({**whole, "user": {"username": user}, "objectRef": on, "responseStatus": {"code": code}})

    yield Left(
        "API: forbidden request with a node's identity", event("system:node:x", "get", {"resource": "pods"}, 403), 5
    )
    yield Left("API: a network policy is removed", event("x", "delete", {"resource": "networkpolicies"}, 200))
    for name in namespaces_of(model):
        role = role_of(selector, name)
        if role:
            account = f"system:serviceaccount:{name}:{role}"
            pods = {"resource": "pods", "namespace": name}
            yield Left(f"API: request of {account} forbidden", event(account, "get", {"resource": "nodes"}, 403))
            yield Left(f"API: request to {name} rejected", event(account, "create", pods, 422))
            yield Left(f"API: exec in {name}", event("x", "get", {**pods, "subresource": "exec"}, 101))


def of_door(name: str) -> Iterator[Left]:
    for rule, attempt, most in (
        ("allow.method", "denied fetch", 10),
        ("resolve.special", "fetch that only an attack makes", 3),
        ("inspect.secret", "secret on its way out", 1),
        ("budget.requests", "budget spent", 1),
        ("audit.unavailable", "a request that cannot be recorded", 1),
    ):
        yield Left(f"door {name}: {attempt}", json.dumps({"event": "fetch", "verdict": "denied", "rule": rule}), most)


def of_supervisor(namespace: str) -> Iterator[Left]:
    for kind, action, attempt in (
        ("network", "denied", "connect or send denied by the filter"),
        ("kernel", "denied", "another denied system call"),
        ("supervisor", "denied", "the supervisor attacked"),
        ("process_storm", "observed", "process storm"),
        ("memory_growth", "observed", "memory spike"),
    ):
        event = {"sequester": 1, "kind": kind, "action": action, "noise": False, "syscall": "sendto"}
        line = {"stream": "stderr", "event": event, "kubernetes": {"namespace_name": namespace, "pod_name": "p"}}
        yield Left(f"pod of {namespace}: {attempt}", json.dumps(line))
