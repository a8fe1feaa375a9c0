"""Network policies as the Kubernetes documentation explains them, each example with what its pods may reach.

https://kubernetes.io/docs/concepts/services-networking/network-policies/ and the cases of the conformance suite
(test/e2e/network/netpol). Asked of the prover, which decides over all pods of a namespace, and of one packet at a time.
"""

from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from sequester.proof.facts import BadFactError
from sequester.proof.labels import selects
from sequester.proof.model import Model
from sequester.proof.netpol import Policy, by_namespace, egress_of, policies, policy, unselected
from sequester.proof.simulate import policy_lets
from sequester.proof.space import SCTP, TCP, UDP, prefix
from sequester.proof.verdict import Packet

Labels = dict[str, str]


def written(text: str) -> tuple[dict[str, Any], ...]:
    head = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
    return tuple(
        {**head, "metadata": {"name": f"p{i}", "namespace": "default"}, "spec": spec}
        for i, spec in enumerate(yaml.safe_load_all(text))
    )


@dataclass(frozen=True)
class Example:
    """`reaches`/`not_`: (labels, address, protocol, port) of packets that the policies let through, and that not."""

    name: str
    text: str
    reaches: tuple[tuple[Labels, str, int, int], ...] = ()
    not_: tuple[tuple[Labels, str, int, int], ...] = ()


ANY: Labels = {}
DB: Labels = {"role": "db"}
EXAMPLES = (
    Example("default deny all ingress leaves egress open", "podSelector: {}\npolicyTypes: [Ingress]",
            ((ANY, "203.0.113.1", TCP, 443), (ANY, "2001:db8::1", UDP, 53))),
    Example("allow all ingress leaves egress open", "podSelector: {}\ningress: [{}]\npolicyTypes: [Ingress]",
            ((ANY, "203.0.113.1", TCP, 443),)),
    Example("default deny all egress", "podSelector: {}\npolicyTypes: [Egress]", (),
            ((ANY, "203.0.113.1", TCP, 443), (DB, "2001:db8::1", UDP, 53), (ANY, "10.0.0.1", SCTP, 1))),
    Example("allow all egress", "podSelector: {}\negress: [{}]\npolicyTypes: [Egress]",
            ((ANY, "203.0.113.1", TCP, 443), (ANY, "2001:db8::1", SCTP, 9))),
    Example("default deny all", "podSelector: {}\npolicyTypes: [Ingress, Egress]", (), ((ANY, "10.0.0.1", TCP, 1),)),
    Example("test-network-policy: for db pods only, one block and one port",
            "podSelector: {matchLabels: {role: db}}\npolicyTypes: [Ingress, Egress]\n"
            "egress: [{to: [{ipBlock: {cidr: 10.0.0.0/24}}], ports: [{protocol: TCP, port: 5978}]}]",
            ((DB, "10.0.0.7", TCP, 5978), (ANY, "203.0.113.1", TCP, 443)),
            ((DB, "10.0.0.7", TCP, 5979), (DB, "10.0.1.7", TCP, 5978), (DB, "10.0.0.7", UDP, 5978))),
    Example("a range of ports by endPort",
            "podSelector: {matchLabels: {role: db}}\npolicyTypes: [Egress]\n"
            "egress: [{to: [{ipBlock: {cidr: 10.0.0.0/24}}], ports: [{protocol: TCP, port: 32000, endPort: 32768}]}]",
            ((DB, "10.0.0.1", TCP, 32000), (DB, "10.0.0.1", TCP, 32768)),
            ((DB, "10.0.0.1", TCP, 31999), (DB, "10.0.0.1", TCP, 32769))),
    Example("except takes away", "podSelector: {}\npolicyTypes: [Egress]\n"
            "egress: [{to: [{ipBlock: {cidr: 172.17.0.0/16, except: [172.17.1.0/24]}}]}]",
            ((ANY, "172.17.2.1", TCP, 1), (ANY, "172.17.0.255", UDP, 9)), ((ANY, "172.17.1.1", TCP, 1), (ANY, "172.18.0.1", TCP, 1))),
    Example("another rule gives back what except took", "podSelector: {}\npolicyTypes: [Egress]\negress:\n"
            "- to: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]\n- to: [{ipBlock: {cidr: 10.1.2.3/32}}]",
            ((ANY, "10.1.2.3", TCP, 1),), ((ANY, "10.1.2.4", TCP, 1),)),
    Example("policies add up", "podSelector: {}\npolicyTypes: [Egress]\n---\npodSelector: {matchLabels: {role: db}}\n"
            "policyTypes: [Egress]\negress: [{to: [{ipBlock: {cidr: 10.0.0.0/24}}]}]",
            ((DB, "10.0.0.1", TCP, 1),), ((ANY, "10.0.0.1", TCP, 1), (DB, "10.0.1.1", TCP, 1))),
    Example("an egress rule makes a policy of egress, without policyTypes",
            "podSelector: {}\negress: [{to: [{ipBlock: {cidr: 10.0.0.0/24}}]}]",
            ((ANY, "10.0.0.1", TCP, 1),), ((ANY, "10.0.1.1", TCP, 1),)),
    Example("without policyTypes and egress rules it is one of ingress", "podSelector: {}\ningress: []",
            ((ANY, "203.0.113.1", TCP, 1),)),
    Example("ports alone are ports of everybody", "podSelector: {}\npolicyTypes: [Egress]\negress: [{ports: [{port: 53, protocol: UDP}]}]",
            ((ANY, "203.0.113.1", UDP, 53),), ((ANY, "203.0.113.1", TCP, 53),)),
    Example("a protocol without a port is all its ports", "podSelector: {}\npolicyTypes: [Egress]\negress: [{ports: [{protocol: UDP}]}]",
            ((ANY, "10.0.0.1", UDP, 1), (ANY, "10.0.0.1", UDP, 65535)), ((ANY, "10.0.0.1", TCP, 1),)),
    Example("TCP is the protocol of a port that names none", "podSelector: {}\npolicyTypes: [Egress]\negress: [{ports: [{port: 80}]}]",
            ((ANY, "10.0.0.1", TCP, 80),), ((ANY, "10.0.0.1", UDP, 80), (ANY, "10.0.0.1", SCTP, 80))),
    Example("SCTP", "podSelector: {}\npolicyTypes: [Egress]\negress: [{ports: [{protocol: SCTP, port: 7}]}]",
            ((ANY, "10.0.0.1", SCTP, 7),), ((ANY, "10.0.0.1", TCP, 7),)),
    Example("IPv6 blocks", "podSelector: {}\npolicyTypes: [Egress]\n"
            "egress: [{to: [{ipBlock: {cidr: '2001:db8::/32', except: ['2001:db8:1::/48']}}]}]",
            ((ANY, "2001:db8::1", TCP, 1),), ((ANY, "2001:db8:1::1", TCP, 1), (ANY, "10.0.0.1", TCP, 1))),
    Example("expressions select: In, NotIn, Exists", "podSelector: {matchExpressions: [{key: role, operator: In, values: [db, web]}]}\n"
            "policyTypes: [Egress]", ((ANY, "203.0.113.1", TCP, 1),), ((DB, "203.0.113.1", TCP, 1), ({"role": "web"}, "203.0.113.1", TCP, 1))),
    Example("NotIn selects pods without the label", "podSelector: {matchExpressions: [{key: role, operator: NotIn, values: [db]}]}\n"
            "policyTypes: [Egress]", ((DB, "203.0.113.1", TCP, 1),), ((ANY, "203.0.113.1", TCP, 1),)),
    Example("an empty list of peers is everybody", "podSelector: {}\npolicyTypes: [Egress]\negress: [{to: []}]",
            ((ANY, "203.0.113.1", TCP, 1),)),
)  # fmt: skip


def packet(address: str, protocol: int, port: int) -> Packet:
    place = prefix(address)
    return Packet("pods:default", place.axis, place.low, protocol << 16 | port)


def lets(example: Example, labels: Labels, one: Packet) -> bool:
    return policy_lets(Model("", "", manifests=written(example.text)), "default", labels, one)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_an_example_of_the_documentation(example: Example) -> None:
    """One pod, one packet."""
    for labels, address, protocol, port in example.reaches:
        assert lets(example, labels, packet(address, protocol, port)), (labels, address)
    for labels, address, protocol, port in example.not_:
        assert not lets(example, labels, packet(address, protocol, port)), (labels, address)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.name)
def test_the_prover_misses_nothing_that_some_pod_may_send(example: Example) -> None:
    """Over all labels: what any pod reaches is in the prover's set, and what no pod here reaches is outside of it."""
    allowed, _ = egress_of("default", by_namespace(policies(written(example.text))))

    def inside(one: Packet) -> bool:
        return any(
            a.axis == one.axis and a.low <= one.address < a.end and any(x <= one.service < y for x, y in a.services)
            for a in allowed
        )

    for labels, address, protocol, port in example.reaches:
        assert inside(packet(address, protocol, port)), (labels, address)
    everyone = (ANY, DB, {"role": "web"}, {"role": "other"})
    for _, address, protocol, port in example.not_:
        if not any(lets(example, labels, packet(address, protocol, port)) for labels in everyone):
            assert not inside(packet(address, protocol, port)), address


# From the documentation's passage on selectors: one peer with both selectors is "and", two peers are "or".
BOTH = "podSelector: {}\npolicyTypes: [Ingress]\ningress: [{from: [{namespaceSelector: {matchLabels: {user: alice}}, podSelector: {matchLabels: {role: client}}}]}]"
EITHER = "podSelector: {}\npolicyTypes: [Ingress]\ningress: [{from: [{namespaceSelector: {matchLabels: {user: alice}}}, {podSelector: {matchLabels: {role: client}}}]}]"


def test_selectors_of_one_peer_are_joined_and_those_of_two_are_not() -> None:
    (both,), (either,) = (tuple(map(policy, written(text))) for text in (BOTH, EITHER))
    assert len(_peers(both)) == 1
    assert len(_peers(either)) == 2


def _peers(one: Policy) -> tuple[Any, ...]:
    assert one.ingress
    return one.ingress[0].peers or ()


def test_several_namespaces_by_expression() -> None:
    selector = {"matchExpressions": [{"key": "namespace", "operator": "In", "values": ["frontend", "backend"]}]}
    assert selects(selector, {"namespace": "frontend"})
    assert not selects(selector, {"namespace": "other"})
    assert not selects(selector, {})


def test_a_namespace_by_its_own_name() -> None:
    assert selects({"matchLabels": {"kubernetes.io/metadata.name": "prod"}}, {"kubernetes.io/metadata.name": "prod"})


@pytest.mark.parametrize(
    ("selectors", "covered"),
    [
        ([{}], True),
        ([{"matchLabels": {"a": "1"}}], False),
        ([{"matchExpressions": [{"key": "a", "operator": "Exists"}]}, {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}], True),
        ([{"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}], True),
        ([{"matchLabels": {"a": "1"}}, {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}], False),
        ([{"matchLabels": {"a": "other"}}, {"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}], False),
    ],
)  # fmt: skip
def test_selectors_that_together_leave_no_pod_out(selectors: list[dict[str, Any]], covered: bool) -> None:
    assert (unselected(selectors) is None) is covered


@pytest.mark.parametrize(
    "text",
    [
        "podSelector: {}\negress: [{to: [{}]}]",
        "podSelector: {}\negress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}]",
        "podSelector: {}\negress: [{to: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/8]}}]}]",
        "podSelector: {}\negress: [{ports: [{protocol: ICMP}]}]",
        "podSelector: {}\negress: [{ports: [{port: 80, endPort: 79}]}]",
        "podSelector: {}\npolicyTypes: [Outward]",
        "podSelector: {}\negres: [{}]",
        "podSelector: {}\negress: [{from: [{podSelector: {}}]}]",
        "podSelector: {}\negress: [{to: [{podSelector: {matchLabel: {a: b}}}]}]",
        "podSelector: {}\negress: [{ports: [{Port: 80}]}]",
        "podSelector: {matchExpressions: [{key: a, operator: Like, values: [b]}]}\npolicyTypes: [Egress]",
    ],
)
def test_what_an_api_server_refuses_is_refused(text: str) -> None:
    with pytest.raises(BadFactError):
        egress_of("default", by_namespace(policies(written(text))))
