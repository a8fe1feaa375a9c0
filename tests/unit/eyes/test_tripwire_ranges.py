"""What leaves the VPC is told from its address: the range as texts, since filters know no ranges."""

from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network

import pytest
from deployed import NAMES
from sensor_records import flow

from infra.tripwire_patterns import Declared, within
from infra.tripwire_table import TRIPWIRES, patterns
from sequester.eyes import FilterPattern

[LEFT] = [row for row in TRIPWIRES if row.id == "packet-left"]


def left(networks: tuple[str, ...], address: str) -> bool:
    told = patterns(LEFT, NAMES, None, Declared(("ec2.us-east-1.amazonaws.com",), networks))
    return any(FilterPattern(pattern).match(flow(dstaddr=address)) is not None for pattern in told)


@pytest.mark.parametrize("prefix", range(16, 21))
def test_no_address_of_the_vpc_has_left(prefix: int) -> None:
    network = ip_network(f"10.42.240.0/{prefix}", strict=False)
    step = network.num_addresses // 64
    assert not any(left((str(network),), str(network[number * step])) for number in range(64))
    assert not left((str(network),), str(network.broadcast_address))


@pytest.mark.parametrize(
    ("network", "outside"),
    [
        ("10.42.0.0/16", ("10.41.255.255", "10.43.0.0", "110.42.0.1", "10.4.2.1", "192.0.2.1", "2001:db8::1")),
        ("10.42.16.0/20", ("10.42.15.255", "10.42.32.0", "10.42.1.1", "10.42.160.1", "10.42.170.1", "192.0.2.1")),
        ("10.42.128.0/17", ("10.41.0.1", "10.43.128.1")),  # rounded: its neighbours in 10.42.0.0/16 pass for its own
        ("2001:db8:1:5600::/56", ("2001:db8:2:5600::1", "2001:db8:11:5600::1", "2001:db8::1")),
    ],
)
def test_the_next_address_has(network: str, outside: tuple[str, ...]) -> None:
    assert [address for address in outside if not left(("10.99.0.0/16", network), address)] == []


def test_a_range_that_would_be_too_long_is_rounded_up_and_never_down() -> None:
    for prefix in range(8, 29):
        network = ip_network(f"10.42.16.0/{prefix}", strict=False)
        texts = within(str(network))
        assert len(texts) <= 16
        assert all(any(fnmatchcase(str(end), text) for text in texts) for end in (network[0], network[-1])), prefix


@pytest.mark.parametrize("address", ["2001:db8:1:5600::1", "2001:db8:1:56ff:a:b:c:d"])
def test_ipv6_of_the_vpc_has_not_left(address: str) -> None:
    assert not left(("10.42.0.0/16", "2001:db8:1:5600::/56"), str(ip_address(address)))
    assert left(("10.42.0.0/16",), address), "a VPC without IPv6 has none"
