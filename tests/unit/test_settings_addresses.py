"""The address plan: tiers never overlap, zones never move, and every subnet is big enough."""

from ipaddress import IPv4Network, IPv6Network

from hypothesis import given, settings
from hypothesis import strategies as st

from infra.settings.addresses import ENDPOINT_BLOCK_OF, MOST_ZONES, Tier, endpoint_block, plan

RANGES = st.builds(
    lambda prefix, number: IPv4Network((10 * 2**24 + (number << (32 - prefix)), prefix)),
    st.integers(16, 20),
    st.integers(0, 255),
)
ZONES = st.integers(2, MOST_ZONES).map(lambda n: [f"us-east-1{z}" for z in "abcdef"[:n]])


@settings(max_examples=60, deadline=None)
@given(RANGES, ZONES)
def test_subnets_are_disjoint_inside_and_in_their_tiers_range(cidr: IPv4Network, zones: list[str]) -> None:
    made = plan(cidr, zones)
    every = [place.cidr for place in made.places.values()]
    assert len(every) == len(Tier) * len(zones)
    assert not any(one.overlaps(other) for i, one in enumerate(every) for other in every[i + 1 :])
    for place in made.places.values():
        (own,) = [tier for tier, ranges in made.ranges.items() if any(place.cidr.subnet_of(r) for r in ranges)]
        assert own == place.tier
    for tier in ENDPOINT_BLOCK_OF:
        for subnet in made.cidrs(Tier.ENDPOINT):
            assert endpoint_block(subnet, tier).subnet_of(subnet)


@settings(max_examples=40, deadline=None)
@given(RANGES, ZONES)
def test_a_zone_that_is_appended_moves_nobody(cidr: IPv4Network, zones: list[str]) -> None:
    before, after = plan(cidr, zones[:-1]), plan(cidr, zones)
    assert all(after.places[key] == place for key, place in before.places.items())


@settings(max_examples=40, deadline=None)
@given(RANGES, ZONES)
def test_every_subnet_is_big_enough(cidr: IPv4Network, zones: list[str]) -> None:
    least = {Tier.SANDBOX: 128, Tier.SYSTEM: 64, Tier.ENDPOINT: 64, Tier.CONTROL: 16}
    for place in plan(cidr, zones).places.values():
        assert place.cidr.num_addresses >= least[place.tier]


def test_ipv6_subnets_are_disjoint() -> None:
    made = plan(IPv4Network("10.42.0.0/16"), [f"us-east-1{z}" for z in "abcdef"], IPv6Network("fd00:42::/56"))
    subnets = [place.ipv6_cidr for place in made.places.values()]
    assert len(set(subnets)) == len(subnets)
    assert all(s is not None and s.prefixlen == 64 and s.subnet_of(IPv6Network("fd00:42::/56")) for s in subnets)
