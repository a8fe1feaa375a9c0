"""The address plan: which addresses each tier has in each availability zone. Pure: settings in, literals out.

The VPC's range is cut by tier, and each tier's share into eight equal slots; the n-th zone has the n-th slot, so a
zone that is appended moves nobody, and a tier stays one range however many zones it has. With 10.42.0.0/16:

    tier      its range        first zone       what is in it
    sandbox   10.42.0.0/17     10.42.0.0/20     sandbox nodes and pods
    system    10.42.128.0/18   10.42.128.0/21   system nodes, agents, CoreDNS
    endpoint  10.42.192.0/19   10.42.192.0/24   .16 to .23: what sandbox nodes may call; .24 to .31: system nodes only
    control   10.42.224.0/19   10.42.224.0/28   the EKS control plane's interfaces (AWS wants 6 free addresses)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Network, collapse_addresses
from typing import Final


class Tier(StrEnum):
    """What a subnet is for. Each has its own network ACL, and each subnet its own route table."""

    SANDBOX = "sandbox"
    SYSTEM = "system"
    ENDPOINT = "endpoint"
    CONTROL = "control"


SMALLEST_VPC_PREFIX: Final = 20
LARGEST_VPC_PREFIX: Final = 16
MOST_ZONES: Final = 6
"""No region has more; two of the eight slots stay free."""

ENDPOINT_BLOCK_OF: Final = {Tier.SANDBOX: 2, Tier.SYSTEM: 3}
"""Which /29 of an endpoint subnet holds the endpoints that a tier's nodes may call. System nodes may call both."""
_ENDPOINT_BLOCK_PREFIX: Final = 29
_SHORTEST_PREFIX: Final = {Tier.ENDPOINT: 24, Tier.CONTROL: 28}
_IPV6_SUBNET_PREFIX: Final = 64


@dataclass(frozen=True)
class Place:
    """The addresses of one subnet."""

    tier: Tier
    zone: str
    cidr: IPv4Network
    ipv6_cidr: IPv6Network | None = None


@dataclass(frozen=True)
class Plan:
    """All subnets, by tier and zone, in the order of tiers and then zones."""

    cidr: IPv4Network
    ipv6_cidr: IPv6Network | None
    places: Mapping[tuple[Tier, str], Place]
    ranges: Mapping[Tier, tuple[IPv4Network, ...]]
    """What filters allow for a tier: as few ranges as hold its subnets and nothing of another tier."""

    def cidrs(self, tier: Tier) -> tuple[IPv4Network, ...]:
        """A tier's subnets."""
        return tuple(place.cidr for place in self.places.values() if place.tier == tier)

    def endpoint_blocks(self, tier: Tier) -> tuple[IPv4Network, ...]:
        """Where the endpoints that a tier's nodes may call are: a /29 in each zone, or for system nodes both."""
        blocks = [endpoint_block(cidr, tier) for cidr in self.cidrs(Tier.ENDPOINT)]
        if tier == Tier.SYSTEM:
            blocks += self.endpoint_blocks(Tier.SANDBOX)
        return tuple(sorted(collapse_addresses(blocks)))

    @property
    def zones(self) -> tuple[str, ...]:
        """The availability zones, in the order of the settings."""
        return tuple(dict.fromkeys(zone for _, zone in self.places))

    @property
    def resolver(self) -> IPv4Address:
        """The VPC's own resolver: the range's base plus two (Amazon VPC user guide, "Amazon DNS server")."""
        return self.cidr[2]


def endpoint_block(cidr: IPv4Network, tier: Tier) -> IPv4Network:
    """A /29 of an endpoint subnet; see ENDPOINT_BLOCK_OF."""
    first = cidr.network_address + ENDPOINT_BLOCK_OF[tier] * 2 ** (32 - _ENDPOINT_BLOCK_PREFIX)
    return IPv4Network((first, _ENDPOINT_BLOCK_PREFIX))


def plan(cidr: IPv4Network, zones: Iterable[str], ipv6_cidr: IPv6Network | None = None) -> Plan:
    """Cut a range between /16 and /20 for up to six zones."""
    ordered = tuple(zones)
    if not LARGEST_VPC_PREFIX <= cidr.prefixlen <= SMALLEST_VPC_PREFIX or len(ordered) > MOST_ZONES:
        raise ValueError(f"{cidr} cannot be cut for {len(ordered)} zones")
    sandbox, rest = cidr.subnets()
    system, last = rest.subnets()
    endpoint, control = last.subnets()
    ranges = dict(zip(Tier, (sandbox, system, endpoint, control), strict=True))
    v6 = {} if ipv6_cidr is None else _cut_v6(ipv6_cidr)
    places = {
        (tier, zone): Place(tier, zone, _slot(tier, range_, index), v6.get((tier, index)))
        for tier, range_ in ranges.items()
        for index, zone in enumerate(ordered)
    }
    return Plan(cidr, ipv6_cidr, places, {tier: (range_,) for tier, range_ in ranges.items()})


def read_off(cidr: IPv4Network, subnets: Mapping[tuple[Tier, str], IPv4Network]) -> Plan:
    """The plan of subnets that are there already, by tier and zone."""
    places = {(tier, zone): Place(tier, zone, subnet) for (tier, zone), subnet in subnets.items()}
    ranges = {tier: tuple(collapse_addresses(p.cidr for p in places.values() if p.tier == tier)) for tier in Tier}
    return Plan(cidr, None, places, ranges)


def _slot(tier: Tier, range_: IPv4Network, index: int) -> IPv4Network:
    """The index-th eighth of a tier's range; endpoints and the control plane need but the start of theirs."""
    eighth = list(range_.subnets(prefixlen_diff=3))[index]
    return IPv4Network((eighth.network_address, max(eighth.prefixlen, _SHORTEST_PREFIX.get(tier, 0))))


def _cut_v6(cidr: IPv6Network) -> dict[tuple[Tier, int], IPv6Network]:
    """One /64 a subnet; the subnet number is the tier's place times 16 plus the zone's."""
    size = 2 ** (128 - _IPV6_SUBNET_PREFIX)
    return {
        (tier, index): IPv6Network((cidr.network_address + (16 * place + index) * size, _IPV6_SUBNET_PREFIX))
        for place, tier in enumerate(Tier)
        for index in range(MOST_ZONES)
    }
