"""The checker's look-ups: what rules say about one packet, found by the prefix of its address.

Every peer in the facts is a prefix, and an address lies in at most one prefix of each size. So it is looked for once
under each size that occurs, and rules that do not speak of it are never touched.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, TypeAlias

from sequester.proof.certificate import Piece

SPACE = 256 << 16
"""Services: IP protocol number × 65,536 ports."""
NODE_GROUPS = ("node group", "auto scaling group")
HOSTS = (*NODE_GROUPS, "instance")
"""Kinds of places: what makes nodes, and what pods run on."""
ENDS = {"4": 1 << 32, "6": 1 << 128}

Facts: TypeAlias = Mapping[str, Any]
"""Parsed JSON, as proof/export.py writes it; its parts are looked up, never trusted to be there."""
Span: TypeAlias = tuple[int, int]
"""Half-open: [first, last)."""
Edges: TypeAlias = list[int]
"""Ranges as one ascending list of where they begin and end: of these an odd number lies at or before what is inside."""


class RefusedError(ValueError):
    """The certificate does not hold for these facts."""


class Prefixes:
    """Some prefixes of one axis."""

    def __init__(self, those: Set[Span]) -> None:
        self._those = those
        for low, end in those:
            size = end - low
            if size < 1 or size & (size - 1) or low % size:
                raise RefusedError(f"addresses {low} to {end} are no prefix")
        self._sizes = sorted({end - low for low, end in those})
        self.edges: Edges = sorted({edge for span in those for edge in span})

    def at(self, address: int) -> Iterator[Span]:
        """Each prefix that holds the address, the narrowest first."""
        for size in self._sizes:
            low = address - address % size
            if (low, low + size) in self._those:
                yield low, low + size


class Rules:
    """What lets packets through on one axis: (prefix, services, holes in the prefix) each."""

    def __init__(self, rules: Iterable[tuple[Span, Iterable[Sequence[int]], tuple[Span, ...]]]) -> None:
        self._rules: dict[Span, list[tuple[Span, Iterable[Sequence[int]], tuple[Span, ...]]]] = {}
        bored: set[int] = set()
        for rule in rules:
            self._rules.setdefault(rule[0], []).append(rule)
            bored.update(edge for hole in rule[2] for edge in hole)
        self._joined: dict[Span, list[tuple[Edges, Prefixes]]] = {}
        self._prefixes = Prefixes(self._rules.keys())
        self.edges: Edges = sorted(bored.union(self._prefixes.edges)) if bored else self._prefixes.edges

    def at(self, address: int) -> Iterator[Edges]:
        """The services that each prefix that holds the address lets through."""
        for prefix in self._prefixes.at(address):
            if prefix not in self._joined:
                self._joined[prefix] = self._join(prefix)
            for services, holes in self._joined[prefix]:
                if not any(holes.at(address)):
                    yield services

    def _join(self, prefix: Span) -> list[tuple[Edges, Prefixes]]:
        by_holes: dict[tuple[Span, ...], list[Span]] = {}
        for _, services, holes in self._rules[prefix]:
            by_holes.setdefault(holes, []).extend((first, last) for first, last in services)
        return [(joined(services), Prefixes(frozenset(holes))) for holes, services in by_holes.items()]

    def lets(self, address: int, service: int) -> bool:
        return any(holds(services, service) for services in self.at(address))


def joined(spans: Iterable[Span]) -> Edges:
    """The ranges, with those that overlap or touch as one."""
    edges: Edges = []
    for first, last in sorted(spans):
        if edges and first <= edges[-1]:
            edges[-1] = max(edges[-1], last)
        elif first < last:
            edges += (first, last)
    return edges


def holds(edges: Edges, service: int) -> bool:
    return bisect_right(edges, service) % 2 == 1


def inside(edges: Edges, first: int, last: int) -> Edges:
    """The edges between `first` and `last`, both left out."""
    return edges[bisect_right(edges, first) : bisect_left(edges, last)]


def rows(piece: Piece, *those: Edges) -> list[int]:
    """One address for each part of a piece in which no rule begins or ends."""
    return sorted({piece.low, *(edge for edges in those for edge in inside(edges, piece.low, piece.end))})


def columns(piece: Piece, those: Iterable[Edges]) -> list[int]:
    """One service likewise."""
    return sorted({piece.first, *(edge for edges in those for edge in inside(edges, piece.first, piece.last))})


class Peers:
    """What the rules of security groups, routes and ACLs name: addresses, prefix lists and groups."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._members: dict[str, dict[tuple[str, int, int], None]] = {}
        self._groups: dict[tuple[str, str, bool], Rules] = {}
        for place in facts["places"].values():
            subnets = [facts["subnets"][key] for key in place["subnets"] if key in facts["subnets"]]
            own = place["addresses"] or [cidr for subnet in subnets for cidr in subnet["cidrs"]]
            for group in place["groups"]:
                self._members.setdefault(group, {}).update(dict.fromkeys(map(tuple, own)))

    def spans(self, peer: list[Any], axis: str) -> list[Span]:
        """The ranges of a peer on an axis; on the axis of a list that AWS keeps any public prefix may match."""
        if peer[0] == "group":
            if peer[1] not in self.facts["groups"]:
                raise RefusedError(f"the members of security group {peer[1]} are not in the facts")
            return [(low, end) for on, low, end in self._members.get(peer[1], ()) if on == axis]
        if peer[0] == "list":
            if peer[1] not in self.facts["lists"]:
                raise RefusedError(f"the entries of prefix list {peer[1]} are not in the facts")
            entries = self.facts["lists"][peer[1]]
            if entries is None:
                return [(0, 1)] if peer[1] == axis else []
            return [(low, end) for on, low, end in entries if on == axis]
        if peer[0] == axis:
            return [(peer[1], peer[2])]
        return [(0, 1)] if axis not in ENDS else []

    def group(self, key: str, axis: str, *, egress: bool) -> Rules:
        """What one security group lets out, or in."""
        if key not in self.facts["groups"]:
            raise RefusedError(f"the rules of security group {key} are not in the facts")
        if (key, axis, egress) not in self._groups:
            rules = [rule for rule in self.facts["groups"][key] if rule[0] is egress]
            self._groups[key, axis, egress] = Rules(
                (span, rule[2], ()) for rule in rules for span in self.spans(rule[1], axis)
            )
        return self._groups[key, axis, egress]

    def groups(self, place: Facts, axis: str, *, egress: bool) -> list[Rules]:
        return [self.group(key, axis, egress=egress) for key in place["groups"]]

    def public(self, place: Facts, subnet: str) -> bool:
        return self.facts["subnets"][subnet]["public"] if place["public"] is None else place["public"]
