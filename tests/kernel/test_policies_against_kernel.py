"""Random NetworkPolicies: what the proof says that pods of a namespace may send is what a node's kernel lets them send.

One pod for each label that could make a difference, so that "any pod" is asked of real ones. Peers that are given by
selectors are wider in the proof (any address may be a pod's): there the kernel must not let through what it denies.
"""

import os
import random
from typing import Any

import pytest
from kernel_questions import inside, is_probeable, is_routable
from random_networks import OUTSIDE as PREFIXES
from random_networks import PROBED

from sequester.lab import policies as translator
from sequester.lab.addresses import host
from sequester.lab.build import built
from sequester.lab.parts import OUTSIDE, Options, PodRequest, pod_space
from sequester.lab.probes import Probe, Prober
from sequester.lab.topology import topology
from sequester.proof import netpol
from sequester.proof.model import (
    Model,
    Nacl,
    NaclRule,
    Place,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityRule,
    Subnet,
    Target,
    Vpc,
)
from sequester.proof.simulate import simulate
from sequester.proof.space import BITS, EVERY_SERVICE, prefix, whole
from sequester.proof.verdict import Packet

pytestmark = [pytest.mark.lane("kernel", "root", "nft", "ip"), pytest.mark.xdist_group("kernel-proof")]

ROUNDS = 20 if os.environ.get("SEQUESTER_LANES") == "all" else 4
QUESTIONS = 250
SPACE = "a-sandbox"
# Every labelling that selectors over one key with two values can tell apart.
LABELS: tuple[dict[str, str], ...] = ({}, {"app": "x"}, {"app": "y"}, {"app": "z"})
_OWN = (prefix("10.0.0.0/24"), prefix("2001:db8:1::/64"))
BLOCKS = [str(p) for p in PREFIXES if p.length]


def selector(r: random.Random) -> dict[str, Any]:
    return r.choice(
        [
            {},
            {"matchLabels": {"app": r.choice("xy")}},
            {"matchExpressions": [{"key": "app", "operator": r.choice(["Exists", "DoesNotExist"])}]},
            {"matchExpressions": [{"key": "app", "operator": r.choice(["In", "NotIn"]), "values": ["x", "y"]}]},
        ]
    )


def peer(r: random.Random) -> dict[str, Any]:
    if r.random() < 0.2:
        return r.choice([{"podSelector": {}}, {"namespaceSelector": {}}, {"namespaceSelector": {}, "podSelector": {}}])
    cidr = prefix(r.choice(BLOCKS))
    within = [b for b in BLOCKS if cidr.covers(prefix(b)) and prefix(b) != cidr]
    holes = r.sample(within, min(len(within), r.randint(0, 2)))
    return {"ipBlock": {"cidr": str(cidr), **({"except": holes} if holes else {})}}


def port(r: random.Random) -> dict[str, Any]:
    first = r.choice([53, 443, 1000, 5000, 65000])
    return r.choice(
        [
            {"port": first},
            {"protocol": r.choice(["TCP", "UDP", "SCTP"]), "port": first},
            {"protocol": "UDP"},
            {"protocol": "TCP", "port": first, "endPort": min(first + r.randint(0, 1000), 65535)},
        ]
    )


def policy(r: random.Random, name: str) -> dict[str, Any]:
    def rule() -> dict[str, Any]:
        peers, ports = [peer(r) for _ in range(r.randint(0, 2))], [port(r) for _ in range(r.randint(0, 2))]
        return {**({"to": peers} if peers else {}), **({"ports": ports} if ports else {})}

    rules = [rule() for _ in range(r.randint(0, 3))]
    types = r.choice([["Egress"], ["Egress"], ["Ingress", "Egress"], ["Ingress"], None])
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": r.choice([SPACE, SPACE, SPACE, "other"])},
        "spec": {
            "podSelector": selector(r),
            **({"policyTypes": types} if types else {}),
            **({"egress": rules} if rules else {}),
        },
    }


def open_network(manifests: tuple[dict[str, Any], ...]) -> Model:
    """Nothing but policies holds a packet back."""
    cidrs = _OWN
    directions = [(egress, axis) for egress in (True, False) for axis in ("4", "6")]
    gateway = Target("internet gateway", "igw")
    return Model(
        "123456789012",
        "us-east-1",
        vpcs={"v": Vpc("v", "v", cidrs)},
        subnets={"s": Subnet("s", "s", "v", cidrs, "t", "a")},
        tables={"t": RouteTable("t", "t", "v", tuple(Route("out", whole(a), gateway) for a in ("4", "6")))},
        nacls={"a": Nacl("a", "a", tuple(NaclRule("all", 1, e, True, whole(a), EVERY_SERVICE) for e, a in directions))},
        groups={
            "g": SecurityGroup("g", "g", tuple(SecurityRule("all", e, whole(a), EVERY_SERVICE) for e, a in directions))
        },
        places={"n": Place("n", "n", "node group", ("s",), ("g",), public=True, role="sandbox", guarded=True)},
        manifests=manifests,
    )


def disagreements(seed: int) -> list[str]:
    r = random.Random(seed)
    manifests = tuple(policy(r, f"p{i}") for i in range(r.randint(1, 4)))
    model = open_network(manifests)
    pods = [PodRequest(SPACE, f"pod-{i}", labels, "n") for i, labels in enumerate(LABELS)]
    top = topology(model, Options(pods=pods, shared_addresses=False))
    edges = {(p.axis, a) for p in map(prefix, BLOCKS) for a in (p.low - 1, p.low + 1, p.end - 2, p.end) if a > 0}
    every = [
        (axis, a, s) for axis, a in sorted(edges) if a < 1 << BITS[axis] for s in PROBED
        if is_routable(axis, a) and is_probeable(axis, s) and not any(host(axis, a).overlaps(c) for c in _OWN)
    ]  # fmt: skip
    asked = r.sample(every, QUESTIONS)
    allowed, _ = netpol.egress_of(SPACE, netpol.by_namespace(netpol.policies(manifests)))
    with built(top) as spaces, Prober(spaces, [OUTSIDE]) as prober:
        sent = [
            (i, Probe(pod_space(key), source, host(axis, address), service, 20_000 + i))
            for i, (axis, address, service) in enumerate(asked)
            for key, pod in top.pods.items()
            for source in pod.addresses
            if source.axis == axis
        ]
        arrived = [False] * len(asked)
        for (i, _), where in zip(sent, prober.arrivals([p for _, p in sent]), strict=True):
            arrived[i] = arrived[i] or OUTSIDE in where
    found: list[str] = []
    for (axis, address, service), went in zip(asked, arrived, strict=True):
        rules = [a for a in allowed if a.axis == axis and a.low <= address < a.end and inside(a.services, service)]
        walked = simulate(model, Packet(f"pods:{SPACE}", axis, address, service)).arrived
        text = f"seed {seed}: {host(axis, address)} {service >> 16}:{service & 0xFFFF}"
        if went and not (rules and walked):
            found.append(f"{text} is let through, and said to be denied")
        if not went and any(not a.pods for a in rules):
            found.append(f"{text} is denied, and said to be let through by {rules[0].rule}")
        if bool(rules) != walked:
            found.append(f"{text}: the simulator does not say the same")
    return found


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_the_proof_and_the_kernel_read_policies_alike(seed: int) -> None:
    assert not disagreements(seed)


@pytest.mark.parametrize(
    ("name", "owner", "attribute", "wrong"),
    [
        ("exceptions are forgotten", netpol, "subtract", lambda axis, low, end, holes: iter([(low, end)])),
        ("every pod is selected", netpol, "unselected", lambda selectors: None),
        ("ports are forgotten", netpol, "_port", lambda where, port: EVERY_SERVICE),
        ("the kernel's rules forget ports", translator, "_port", lambda port, named: ""),
        ("the kernel's rules select no pod", translator, "_selects", lambda policy, pod: False),
    ],
)  # fmt: skip
def test_a_wrong_reading_is_told(
    name: str, owner: Any, attribute: str, wrong: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, attribute, wrong)
    assert any(disagreements(seed) for seed in range(6)), name
