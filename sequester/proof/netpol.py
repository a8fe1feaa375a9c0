"""What Kubernetes network policies let pods send: https://kubernetes.io/docs/concepts/services-networking/network-policies/

Policies only add, so the question "can any pod of a namespace send this?" falls apart into one question a rule, plus:
is there a pod that no policy selects? Labels are the submitter's choice, so that is asked over all labels.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from sequester.proof.facts import BadFactError, items, mapping, only, text
from sequester.proof.labels import is_possible, requirements, selects, told_apart
from sequester.proof.space import (
    EVERY_SERVICE,
    PROTOCOL_NUMBERS,
    Prefix,
    Services,
    intersection,
    prefix,
    services,
    subtract,
    union,
    whole,
)

# More distinct label assignments than this are not tried; the claim is then Unknown.
_MOST_ASSIGNMENTS = 50_000


@dataclass(frozen=True, slots=True)
class Block:
    cidr: Prefix
    holes: tuple[Prefix, ...]

    def ranges(self) -> Iterator[tuple[str, int, int]]:
        for low, end in subtract(self.cidr.axis, self.cidr.low, self.cidr.end, self.holes):
            yield self.cidr.axis, low, end


@dataclass(frozen=True, slots=True)
class Pods:
    """A peer by selectors: pods somewhere in the cluster. `namespaces` None: the policy's own namespace."""

    namespaces: Mapping[str, object] | None
    pods: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Rule:
    """`peers` None: every destination."""

    name: str
    peers: tuple[Block | Pods, ...] | None
    services: Services


@dataclass(frozen=True, slots=True)
class Policy:
    """One NetworkPolicy. `egress` / `ingress` are None where the policy does not govern that direction."""

    namespace: str
    name: str
    selector: Mapping[str, object]
    egress: tuple[Rule, ...] | None
    ingress: tuple[Rule, ...] | None


@dataclass(frozen=True, slots=True)
class Allowed:
    """Destinations of one rule: [low, end) on an axis with services; `pods` where the peer was given by selectors."""

    axis: str
    low: int
    end: int
    services: Services
    rule: str
    pods: bool = False


def policies(manifests: Iterable[Mapping[str, object]]) -> tuple[Policy, ...]:
    """Every NetworkPolicy among the manifests. Raises BadFactError for one that an API server would refuse."""
    return tuple(policy(m) for m in manifests if is_policy(m))


def by_namespace(every: Iterable[Policy]) -> Mapping[str, Sequence[Policy]]:
    found: dict[str, list[Policy]] = {}
    for one in every:
        found.setdefault(one.namespace, []).append(one)
    return found


def is_policy(manifest: Mapping[str, object]) -> bool:
    return manifest.get("kind") == "NetworkPolicy" and str(manifest.get("apiVersion", "")).startswith(
        "networking.k8s.io/"
    )


def policy(manifest: Mapping[str, object]) -> Policy:
    meta, spec = mapping(manifest.get("metadata"), "metadata"), mapping(manifest.get("spec"), "spec")
    namespace, name = text(meta.get("namespace") or "default", "namespace"), text(meta.get("name"), "metadata.name")
    where = f"{namespace}/{name}"
    only(spec, ("podSelector", "policyTypes", "ingress", "egress"), where)
    egress = [
        _rule(f"{where} egress[{i}]", r, "to") for i, r in enumerate(items(spec.get("egress"), f"{where} egress"))
    ]
    ingress = [
        _rule(f"{where} ingress[{i}]", r, "from") for i, r in enumerate(items(spec.get("ingress"), f"{where} ingress"))
    ]
    # Without policyTypes: ingress always, egress only if there is an egress rule.
    types = [str(t) for t in items(spec.get("policyTypes"), f"{where} policyTypes")]
    types = types or ["Ingress", *(["Egress"] if egress else [])]
    if not set(types) <= {"Ingress", "Egress"}:
        raise BadFactError(f"{where}: policyTypes {types} names something else than Ingress and Egress")
    selector = mapping(spec.get("podSelector"), f"{where} podSelector")
    return Policy(
        namespace,
        name,
        selector,
        tuple(egress) if "Egress" in types else None,
        tuple(ingress) if "Ingress" in types else None,
    )


def _rule(name: str, raw: object, peer_key: str) -> Rule:
    rule = only(mapping(raw, name), (peer_key, "ports"), name)
    peers = items(rule.get(peer_key), f"{name} {peer_key}")
    ports = items(rule.get("ports"), f"{name} ports")
    served = (
        union(*(_port(f"{name} ports[{i}]", mapping(p, name)) for i, p in enumerate(ports))) if ports else EVERY_SERVICE
    )
    # An empty list of peers means every destination, and so does an absent one.
    return Rule(name, tuple(_peer(name, mapping(p, name)) for p in peers) or None, served)


def _port(where: str, port: Mapping[str, object]) -> Services:
    protocol = str(only(port, ("protocol", "port", "endPort"), where).get("protocol") or "TCP")
    number = PROTOCOL_NUMBERS.get(protocol.lower())
    if number is None or protocol not in ("TCP", "UDP", "SCTP"):
        raise BadFactError(f"{where}: protocol {protocol} is none of TCP, UDP, SCTP")
    low, high = port.get("port"), port.get("endPort")
    if low is None:
        return services(number)
    if isinstance(low, str) and not low.isdigit():
        return services(number)  # a named port is whatever the destination pod calls so
    try:
        first = int(str(low))
        last = first if high is None else int(str(high))
    except ValueError as error:
        raise BadFactError(f"{where}: port {low!r} to {high!r} is not a range of numbers") from error
    if not 0 <= first <= last <= 0xFFFF:
        raise BadFactError(f"{where}: ports {first} to {last} are not within 0 to 65535")
    return services(number, first, last)


def _peer(where: str, peer: Mapping[str, object]) -> Block | Pods:
    block = only(peer, ("ipBlock", "podSelector", "namespaceSelector"), where).get("ipBlock")
    if block is not None:
        if peer.get("podSelector") is not None or peer.get("namespaceSelector") is not None:
            raise BadFactError(f"{where}: a peer is either an ipBlock or selectors")
        block = only(mapping(block, where), ("cidr", "except"), f"{where} ipBlock")
        try:
            cidr = prefix(text(block.get("cidr"), f"{where} cidr"))
            holes = tuple(prefix(str(h)) for h in items(block.get("except"), f"{where} except"))
        except ValueError as error:
            raise BadFactError(f"{where}: {error}") from error
        if not all(cidr.covers(hole) for hole in holes):
            raise BadFactError(f"{where}: an except is not within {cidr}")
        return Block(cidr, holes)
    spaces = peer.get("namespaceSelector")
    if spaces is None and peer.get("podSelector") is None:
        raise BadFactError(f"{where}: an empty peer selects nothing an API server accepts")
    pods = mapping(peer.get("podSelector"), where)
    for one in (pods, mapping(spaces, where)):
        requirements(one)  # one that is malformed is refused
    return Pods(None if spaces is None else mapping(spaces, where), pods)


def unselected(selectors: Sequence[Mapping[str, object]]) -> dict[str, str] | None:
    """Labels of a pod that none of these selectors selects; None if every possible pod is selected by one."""
    if any(not requirements(s) for s in selectors):
        return None
    mentioned = told_apart(selectors)
    total = 1
    for values in mentioned.values():
        total *= len(values)
    if total > _MOST_ASSIGNMENTS:
        raise BadFactError(
            f"{len(selectors)} pod selectors over {len(mentioned)} labels are too many to decide together"
        )
    keys = sorted(mentioned)
    for choice in product(*(mentioned[key] for key in keys)):
        labels = {key: value for key, value in zip(keys, choice, strict=True) if value is not None}
        if not any(selects(selector, labels) for selector in selectors):
            return labels
    return None


def egress_of(namespace: str, every: Mapping[str, Sequence[Policy]]) -> tuple[list[Allowed], str | None]:
    """What pods of a namespace may send, over all labels, and (or None) the pod that nothing restricts.

    `every`: the policies of each namespace.
    """
    ours = [p for p in every.get(namespace, ()) if p.egress is not None]
    free = unselected([p.selector for p in ours])
    if free is not None:
        pod = f"a pod of {namespace} with labels {free or '{}'}"
        everything = [
            Allowed(axis, 0, whole(axis).end, EVERY_SERVICE, f"no policy selects {pod}") for axis in ("4", "6")
        ]
        return everything, pod
    choosing = (p for p in ours if is_possible(p.selector))
    return [allowed for p in choosing for rule in p.egress or () for allowed in _destinations(rule)], None


def _destinations(rule: Rule) -> Iterator[Allowed]:
    if rule.peers is None:
        for axis in ("4", "6"):
            yield Allowed(axis, 0, whole(axis).end, rule.services, rule.name)
        return
    for peer in rule.peers:
        if isinstance(peer, Block):
            for axis, low, end in peer.ranges():
                yield Allowed(axis, low, end, rule.services, rule.name)
        else:
            for axis in ("4", "6"):
                yield Allowed(axis, 0, whole(axis).end, rule.services, rule.name, pods=True)


def narrowed(allowed: Allowed, low: int, end: int, served: Services) -> Allowed | None:
    low, end, left = max(low, allowed.low), min(end, allowed.end), intersection(allowed.services, served)
    return Allowed(allowed.axis, low, end, left, allowed.rule, allowed.pods) if low < end and left else None
