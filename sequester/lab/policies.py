"""From NetworkPolicies to nftables: one chain a pod and direction, as a network policy agent on its node holds them.

https://kubernetes.io/docs/concepts/services-networking/network-policies/ read anew, on concrete pods with concrete
labels and addresses: the proof asks about all of them at once, and the two are held against each other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sequester.lab.rules import DENIAL_GROUP, UntranslatableError, comment, log, peer_match
from sequester.proof.facts import items, mapping, text
from sequester.proof.space import Prefix, prefix

Manifest = Mapping[str, object]
_NUMBERS = {"TCP": 6, "UDP": 17, "SCTP": 132}
_DIRECTIONS = {"Egress": ("egress", "to", "daddr"), "Ingress": ("ingress", "from", "saddr")}


@dataclass(frozen=True)
class Pod:
    """A pod of the lab. `services`: addresses of the cluster's services that lead to it."""

    namespace: str
    name: str
    labels: Mapping[str, str]
    addresses: tuple[Prefix, ...]
    ports: Mapping[str, int] = field(default_factory=dict[str, int])
    """Named container ports."""
    services: tuple[Prefix, ...] = ()


@dataclass(frozen=True)
class Cluster:
    """All pods and policies, and the labels of namespaces."""

    pods: tuple[Pod, ...]
    manifests: tuple[Manifest, ...]

    def policies(self, namespace: str) -> Iterator[Manifest]:
        for one in self.manifests:
            api = str(one.get("apiVersion", "")).partition("/")[0]
            meta = mapping(one.get("metadata"), "metadata")
            ours = (meta.get("namespace") or "default") == namespace
            if ours and one.get("kind") == "NetworkPolicy" and api == "networking.k8s.io":
                yield one

    def namespace_labels(self, namespace: str) -> dict[str, str]:
        """With the one that the API server sets by itself."""
        own: dict[str, str] = {"kubernetes.io/metadata.name": namespace}
        for one in self.manifests:
            meta = mapping(one.get("metadata"), "metadata")
            if one.get("kind") == "Namespace" and meta.get("name") == namespace:
                own |= {str(k): str(v) for k, v in mapping(meta.get("labels"), "labels").items()}
        return own


def lines(cluster: Cluster, pod: Pod, direction: str, *, strict: bool = False) -> list[str]:
    """What a pod may send (`Egress`) or get (`Ingress`), as rules that return; what falls through is denied.

    strict: the CNI's enforcing mode, in which a pod that no policy selects has no network.
    """
    governing = [p for p in cluster.policies(pod.namespace) if _governs(p, direction) and _selects(p, pod)]
    if not governing and not strict:
        return ["return"]
    found = ["ct state established,related return"]
    for one in governing:
        spec = mapping(one.get("spec"), "spec")
        name = f"{pod.namespace}/{text(mapping(one.get('metadata'), 'metadata').get('name'), 'name')}"
        key, peers, side = _DIRECTIONS[direction]
        for raw in items(spec.get(key), key):
            rule = mapping(raw, name)
            matches = _rule(cluster, pod.namespace, rule, items(rule.get(peers), peers), side)
            found += [f"{match}return{comment(name)}" for match in matches]
    return [*found, f"{log('DENY', DENIAL_GROUP)} drop"]


def _governs(policy: Manifest, direction: str) -> bool:
    spec = mapping(policy.get("spec"), "spec")
    types = items(spec.get("policyTypes"), "policyTypes")
    if types:
        return direction in types
    return direction == "Ingress" or bool(spec.get("egress"))


def _selects(policy: Manifest, pod: Pod) -> bool:
    return selected(mapping(mapping(policy.get("spec"), "spec").get("podSelector"), "podSelector"), pod.labels)


def selected(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches: all of its parts must."""
    for key, value in mapping(selector.get("matchLabels"), "matchLabels").items():
        if labels.get(key) != str(value):
            return False
    for raw in items(selector.get("matchExpressions"), "matchExpressions"):
        one = mapping(raw, "matchExpressions")
        key, operator = text(one.get("key"), "key"), one.get("operator")
        values = {str(v) for v in items(one.get("values"), "values")}
        there = key in labels
        held = {
            "In": there and labels.get(key) in values,
            "NotIn": not there or labels.get(key) not in values,
            "Exists": there,
            "DoesNotExist": not there,
        }.get(str(operator))
        if held is None:
            raise UntranslatableError(f"label selector: operator {operator} is not known")
        if not held:
            return False
    return True


def _rule(cluster: Cluster, namespace: str, rule: Manifest, peers: Sequence[object], side: str) -> Iterator[str]:
    ports = [mapping(p, "port") for p in items(rule.get("ports"), "ports")]
    if not peers:
        yield from (_port(p, {}) for p in ports) if ports else ("",)
        return
    for raw in peers:
        peer = mapping(raw, "peer")
        if peer.get("ipBlock") is not None:
            block = mapping(peer.get("ipBlock"), "ipBlock")
            cidr = prefix(text(block.get("cidr"), "cidr"))
            holes = [str(prefix(str(h))) for h in items(block.get("except"), "except")]
            family = "ip" if cidr.axis == "4" else "ip6"
            outside = f"{family} {side} != {{ {', '.join(holes)} }} " if holes else ""
            for port in [_port(p, {}) for p in ports] if ports else [""]:
                yield f"{peer_match(cidr, side)}{outside}{port}"
            continue
        for pod in cluster.pods:
            if _is_peer(cluster, namespace, peer, pod):
                for address in (*pod.addresses, *(pod.services if side == "daddr" else ())):
                    for port in [_port(p, pod.ports) for p in ports] if ports else [""]:
                        yield f"{peer_match(address, side)}{port}"


def _is_peer(cluster: Cluster, namespace: str, peer: Manifest, pod: Pod) -> bool:
    spaces = peer.get("namespaceSelector")
    if spaces is None:
        if pod.namespace != namespace:
            return False
    elif not selected(mapping(spaces, "namespaceSelector"), cluster.namespace_labels(pod.namespace)):
        return False
    return selected(mapping(peer.get("podSelector"), "podSelector"), pod.labels)


def _port(port: Manifest, named: Mapping[str, int]) -> str:
    protocol = str(port.get("protocol") or "TCP")
    if protocol not in _NUMBERS:
        raise UntranslatableError(f"network policy: protocol {protocol} is none of {', '.join(_NUMBERS)}")
    match = f"meta l4proto {_NUMBERS[protocol]} "
    first = port.get("port")
    if first is None:
        return match
    if isinstance(first, str) and not first.isdigit():
        # A name is what the destination's pod calls so; where none does, the rule matches nothing.
        return f"{match}th dport {named[first]} " if first in named else f"{match}th dport 0 th dport 1 "
    last = port.get("endPort")
    return f"{match}th dport {first} " if last in (None, first) else f"{match}th dport {first}-{last} "
