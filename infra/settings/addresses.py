"""The address plan: which addresses each tier has in each availability zone. Pure: settings in, literals out.

The VPC's range is cut into eight equal blocks; the n-th zone has the n-th block, so a zone that is appended moves
nobody. A block holds, from its start: half for sandbox nodes and pods, a quarter for system nodes and pods, an eighth
for endpoints, an eighth for the control plane. With 10.42.0.0/16 and the first zone:

    10.42.0.0/20    sandbox     4091 addresses
    10.42.16.0/21   system      2043
    10.42.24.0/24   endpoint    .16 to .23 for what sandbox nodes may call, .24 to .31 for system nodes only
    10.42.28.0/28   control     network interfaces of the EKS control plane (AWS wants at least 6 free addresses)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Network
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
"""No region has more; two of the eight blocks stay free."""

ENDPOINT_BLOCK_OF: Final = {Tier.SANDBOX: 2, Tier.SYSTEM: 3}
"""Which /29 of an endpoint subnet holds the endpoints that a tier's nodes may call. System nodes may call both."""
_ENDPOINT_BLOCK_PREFIX: Final = 29
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

    def cidrs(self, tier: Tier) -> tuple[IPv4Network, ...]:
        """A tier's subnets."""
        return tuple(place.cidr for place in self.places.values() if place.tier == tier)

    def endpoint_block(self, tier: Tier, zone: str) -> IPv4Network:
        """The /29 of a zone's endpoint subnet whose endpoints this tier's nodes may call."""
        return endpoint_block(self.places[Tier.ENDPOINT, zone].cidr, tier)

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
    blocks = list(cidr.subnets(prefixlen_diff=3))
    cuts = [_cut(blocks[index]) for index in range(len(ordered))]
    v6 = {} if ipv6_cidr is None else _cut_v6(ipv6_cidr)
    return Plan(
        cidr,
        ipv6_cidr,
        {
            (tier, zone): Place(tier, zone, cuts[index][tier], v6.get((tier, index)))
            for tier in Tier
            for index, zone in enumerate(ordered)
        },
    )


def _cut(block: IPv4Network) -> dict[Tier, IPv4Network]:
    sandbox, rest = block.subnets()
    system, last = rest.subnets()
    endpoint, control = last.subnets()
    return {
        Tier.SANDBOX: sandbox,
        Tier.SYSTEM: system,
        Tier.ENDPOINT: IPv4Network((endpoint.network_address, max(endpoint.prefixlen, 24))),
        Tier.CONTROL: IPv4Network((control.network_address, 28)),
    }


def _cut_v6(cidr: IPv6Network) -> dict[tuple[Tier, int], IPv6Network]:
    """One /64 a subnet; the subnet number is the tier's place times 16 plus the zone's."""
    size = 2 ** (128 - _IPV6_SUBNET_PREFIX)
    return {
        (tier, index): IPv6Network((cidr.network_address + (16 * place + index) * size, _IPV6_SUBNET_PREFIX))
        for place, tier in enumerate(Tier)
        for index in range(MOST_ZONES)
    }
