"""The space of packets: where to (an address on an axis) times what (a service), as integers and half-open ranges.

An *axis* is ``"4"``, ``"6"``, or the id of a prefix list that AWS keeps (its addresses are in no plan, so the whole
list is one point of its own axis). A *service* is one integer: the IP protocol number in the high bits, and the port,
or ICMP type × 256 + code, in the low 16. So TCP 443 is ``6 << 16 | 443``, "everything" is one range, and a rule of any
kind is a rectangle: a prefix times a range of services. Prefixes are laminar: two of them nest or are disjoint.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from itertools import pairwise
from typing import TypeAlias

Services: TypeAlias = tuple[tuple[int, int], ...]
"""Disjoint ascending half-open ranges of services."""

BITS = {"4": 32, "6": 128}
_PORT_BITS = 16
_PROTOCOLS = 256
EVERY_SERVICE: Services = ((0, _PROTOCOLS << _PORT_BITS),)
NO_SERVICE: Services = ()

TCP, UDP, SCTP, ICMP, ICMPV6 = 6, 17, 132, 1, 58
# Names that AWS, Kubernetes and people use. https://www.iana.org/assignments/protocol-numbers/
PROTOCOL_NUMBERS = {"tcp": TCP, "udp": UDP, "sctp": SCTP, "icmp": ICMP, "icmpv6": ICMPV6, "ipv6-icmp": ICMPV6}
_PROTOCOL_NAMES = {TCP: "tcp", UDP: "udp", SCTP: "sctp", ICMP: "icmp", ICMPV6: "icmpv6"}
# The protocols whose rules may name ports. AWS and Kubernetes ignore port fields for all others.
PORTED = frozenset({TCP, UDP, SCTP})


@dataclass(frozen=True, slots=True, order=True)
class Prefix:
    """A CIDR block on an axis. On the axis of an AWS-kept prefix list the only prefix is (axis, 0, 0)."""

    axis: str
    low: int
    length: int

    @property
    def end(self) -> int:
        """The first address after the block."""
        return self.low + (1 << (BITS.get(self.axis, 0) - self.length))

    def covers(self, other: "Prefix") -> bool:
        return self.axis == other.axis and self.low <= other.low and other.end <= self.end

    def overlaps(self, other: "Prefix") -> bool:
        return self.axis == other.axis and self.low < other.end and other.low < self.end

    def __contains__(self, address: int) -> bool:
        return self.low <= address < self.end

    def __str__(self) -> str:
        return f"{show_address(self.axis, self.low)}/{self.length}" if self.axis in BITS else self.axis


def prefix(text: str) -> Prefix:
    """A CIDR block or a single address; host bits are cleared, as AWS does. Raises ValueError on anything else."""
    network = ip_network(text.strip(), strict=False)
    return Prefix(str(network.version), int(network.network_address), network.prefixlen)


def whole(axis: str) -> Prefix:
    return Prefix(axis, 0, 0)


def show_address(axis: str, address: int) -> str:
    if axis == "4":
        return str(IPv4Address(address))
    if axis == "6":
        return str(IPv6Address(address))
    return f"any address of {axis}"


def services(protocol: int, low: int = 0, high: int = 0xFFFF) -> Services:
    """All of a protocol, or its ports `low` to `high`, both included; no service if `low` > `high`."""
    base = protocol << _PORT_BITS
    return ((base | low, (base | high) + 1),) if 0 <= low <= high <= 0xFFFF else NO_SERVICE


def icmp(protocol: int, kind: int, code: int) -> Services:
    """ICMP of one type and code; -1 stands for every one."""
    if kind == -1:
        return services(protocol)
    return (
        services(protocol, kind << 8, kind << 8 | 0xFF)
        if code == -1
        else services(protocol, kind << 8 | code, kind << 8 | code)
    )


def show_service(service: int) -> str:
    protocol, low = service >> _PORT_BITS, service & 0xFFFF
    name = _PROTOCOL_NAMES.get(protocol, f"protocol {protocol}")
    if protocol in PORTED:
        return f"{name} port {low}"
    if protocol in (ICMP, ICMPV6):
        return f"{name} type {low >> 8} code {low & 0xFF}"
    return name


def show_services(those: Services) -> str:
    return ", ".join(map(_show_range, those)) or "nothing"


def _show_range(span: tuple[int, int]) -> str:
    low, end = span
    if span == EVERY_SERVICE[0]:
        return "everything"
    first, last = low >> _PORT_BITS, (end - 1) >> _PORT_BITS
    if first != last:
        return f"{show_service(low)} to {show_service(end - 1)}"
    name = _PROTOCOL_NAMES.get(first, f"protocol {first}")
    if (low & 0xFFFF, end & 0xFFFF) == (0, 0):
        return name
    if first not in PORTED or end - low == 1:
        return show_service(low) if end - low == 1 else f"{show_service(low)} to {show_service(end - 1)}"
    return f"{name} ports {low & 0xFFFF}-{(end - 1) & 0xFFFF}"


def preferred(those: Services) -> int:
    """One service of a non-empty set, the most telling one: HTTPS, DNS, a TCP port, else the first."""
    for likely in (TCP << _PORT_BITS | 443, UDP << _PORT_BITS | 53, TCP << _PORT_BITS | 80):
        if any(low <= likely < end for low, end in those):
            return likely
    for low, end in those:
        start = max(low, TCP << _PORT_BITS | 1)
        if start < min(end, (TCP + 1) << _PORT_BITS):
            return start
    return those[0][0]


def union(*sets: Services) -> Services:
    """Linear after one sort of all ranges."""
    merged: list[tuple[int, int]] = []
    for low, end in sorted(span for one in sets for span in one):
        if merged and low <= merged[-1][1]:
            if end > merged[-1][1]:
                merged[-1] = (merged[-1][0], end)
        else:
            merged.append((low, end))
    return tuple(merged)


def intersection(left: Services, right: Services) -> Services:
    out: list[tuple[int, int]] = []
    i = j = 0
    while i < len(left) and j < len(right):
        low, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if low < end:
            out.append((low, end))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(out)


def difference(left: Services, right: Services) -> Services:
    out: list[tuple[int, int]] = []
    j = 0
    for low, end in left:
        while j < len(right) and right[j][1] <= low:
            j += 1
        at, k = low, j
        while k < len(right) and right[k][0] < end:
            if right[k][0] > at:
                out.append((at, right[k][0]))
            at = max(at, right[k][1])
            k += 1
        if at < end:
            out.append((at, end))
    return tuple(out)


@dataclass(frozen=True, slots=True)
class Segment:
    """A range of addresses [low, end) on an axis in which the same services go through."""

    axis: str
    low: int
    end: int
    services: Services


def cuts(axis: str, prefixes: Iterable[Prefix]) -> list[int]:
    """The ascending addresses at which a predicate over these prefixes may change, from 0 to the end of the axis."""
    at = {0, 1 << BITS.get(axis, 0)}
    for one in prefixes:
        if one.axis == axis:
            at.add(one.low)
            at.add(one.end)
    return sorted(at)


def spans(axis: str, prefixes: Iterable[Prefix]) -> Iterator[tuple[int, int]]:
    """The axis cut at every boundary of the prefixes."""
    at = cuts(axis, prefixes)
    return pairwise(at)


def covered(at: Sequence[int], those: Iterable[tuple[int, int, Services]]) -> Iterator[tuple[int, int, Services]]:
    """Between each two of the ascending cuts, the union of the services of the ranges that cover it.

    Every end of a range is among the cuts. Of equal sets of services that are open at once only one is looked at.
    """
    opened: dict[int, list[Services]] = {}
    closed: dict[int, list[Services]] = {}
    for low, end, served in those:
        opened.setdefault(low, []).append(served)
        closed.setdefault(end, []).append(served)
    open_: Counter[Services] = Counter()
    here = NO_SERVICE
    for low, end in pairwise(at):
        if low in opened or low in closed:
            open_ += Counter(opened.get(low, ()))
            open_ -= Counter(closed.get(low, ()))
            here = union(*open_)
        yield low, end, here


def subtract(axis: str, low: int, end: int, holes: Iterable[Prefix]) -> Iterator[tuple[int, int]]:
    """What is left of [low, end) outside of the holes."""
    for hole in sorted((h for h in holes if h.axis == axis), key=lambda h: h.low):
        if hole.end <= low:
            continue
        if hole.low >= end:
            break
        if hole.low > low:
            yield low, hole.low
        low = max(low, hole.end)
    if low < end:
        yield low, end
