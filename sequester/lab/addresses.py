"""Concrete addresses for what the facts only place in a subnet: the first free ones, so that worlds are alike."""

from collections.abc import Iterable, Iterator, Mapping

from sequester.lab.rules import UntranslatableError
from sequester.proof.model import Model, Place, Subnet
from sequester.proof.space import BITS, Prefix

_RESERVED = 4
"""The first addresses of a subnet are AWS's: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html."""


class Pool:
    """Hands out single addresses of subnets; addresses that facts fix are taken from the start."""

    def __init__(self, model: Model) -> None:
        self._taken = {a for place in model.places.values() for a in place.addresses}
        self._next: dict[Prefix, Iterator[Prefix]] = {}

    def of(self, subnet: Subnet) -> tuple[Prefix, ...]:
        """One new address of each of the subnet's ranges."""
        return tuple(self._one(subnet, cidr) for cidr in subnet.cidrs)

    def _one(self, subnet: Subnet, cidr: Prefix) -> Prefix:
        for address in self._next.setdefault(cidr, _hosts(cidr)):
            if address not in self._taken:
                self._taken.add(address)
                return address
        raise UntranslatableError(f"{subnet.name}: no free address is left in {cidr}")


def _hosts(cidr: Prefix) -> Iterator[Prefix]:
    return (host(cidr.axis, low) for low in range(cidr.low + _RESERVED, cidr.end - 1))


def host(axis: str, address: int) -> Prefix:
    return Prefix(axis, address, BITS[axis])


def bare(address: Prefix) -> str:
    """Without the length."""
    return str(address).partition("/")[0]


def fixed(place: Place, subnet: Subnet) -> tuple[Prefix, ...]:
    """The addresses that the facts give a place in a subnet."""
    return tuple(a for a in place.addresses if a.length == BITS[a.axis] and any(c.covers(a) for c in subnet.cidrs))


def joined(addresses: Iterable[Prefix], axis: str) -> str:
    """As an nftables set, or nothing."""
    found = [bare(a) for a in addresses if a.axis == axis]
    return f"{{ {', '.join(found)} }}" if found else ""


def grouped(pairs: Iterable[tuple[str, Prefix]]) -> Mapping[str, tuple[Prefix, ...]]:
    found: dict[str, list[Prefix]] = {}
    for key, address in pairs:
        found.setdefault(key, []).append(address)
    return {key: tuple(those) for key, those in found.items()}
