"""Routes: what each kind of target does with a packet, and which of a table's routes wins."""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import TypeVar

from sequester.proof.model import ListRef, Route, Target
from sequester.proof.space import Prefix

T = TypeVar("T")


class Exit(Enum):
    """What a route's target does with a packet."""

    INSIDE = "stays in the VPC, or ends at an endpoint whose policy is E3's matter"
    PUBLIC = "leaves, if the sender has a public address"
    LEAVES = "leaves to another network"
    ONE_WAY = "leaves; nobody can begin from outside"
    TRANSLATES = "leaves by the device's own route; nobody can begin from outside"
    FORWARDS = "goes on by the route table of the device's own subnet"
    HANDED_OVER = "goes to whatever answers behind an endpoint: appliances, which may send it anywhere"
    DROPS = "ends here"


TARGETS: dict[str, Exit] = {
    "local": Exit.INSIDE,
    "gateway-endpoint": Exit.INSIDE,
    "internet gateway": Exit.PUBLIC,
    "egress-only internet gateway": Exit.ONE_WAY,
    "NAT gateway": Exit.FORWARDS,
    "regional NAT gateway": Exit.TRANSLATES,
    "network interface": Exit.FORWARDS,
    "firewall or load balancer endpoint": Exit.HANDED_OVER,
    "transit gateway": Exit.LEAVES,
    "VPC peering connection": Exit.LEAVES,
    "virtual private gateway": Exit.LEAVES,
    "core network": Exit.LEAVES,
    "local gateway": Exit.LEAVES,
    "carrier gateway": Exit.LEAVES,
    "Oracle database network": Exit.LEAVES,
    "blackhole": Exit.DROPS,
}


def route_text(route: Route) -> str:
    return route.destination.id if isinstance(route.destination, ListRef) else str(route.destination)


def may_win(routes: Sequence[Route]) -> Sequence[Route]:
    """Of routes that are as narrow, those that may carry a packet: each that leads out, else the first.

    AWS takes a static route before that of a prefix list, and of two lists' routes one at random:
    https://docs.aws.amazon.com/vpc/latest/userguide/route-tables-priority.html
    """
    return [r for r in routes if TARGETS.get(r.target.kind) not in (Exit.INSIDE, Exit.DROPS)] or routes[:1]


def local_route(name: str, cidr: Prefix) -> Route:
    return Route(f"{name} local", cidr, Target("local", "local"))


def longest_prefix(axis: str, entries: Mapping[Prefix, T]) -> Iterator[tuple[int, int, T]]:
    """One sweep with a stack: prefixes nest or are disjoint, so the innermost open one wins."""
    open_: list[tuple[int, T]] = []
    at = 0
    for prefix, route in sorted(entries.items(), key=lambda item: (item[0].low, -item[0].end)):
        while open_ and open_[-1][0] <= prefix.low:
            end, winner = open_.pop()
            if at < end:
                yield at, end, winner
                at = end
        if open_ and at < prefix.low:
            yield at, prefix.low, open_[-1][1]
        at = max(at, prefix.low)
        open_.append((prefix.end, route))
    while open_:
        end, winner = open_.pop()
        if at < end:
            yield at, end, winner
            at = end
