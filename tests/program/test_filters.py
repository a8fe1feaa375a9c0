"""Security groups and network ACLs, read back: exactly the design's connections, in both layers."""

from collections import Counter
from ipaddress import IPv4Address
from typing import Any

import pytest

from infra.filters import FLOWS, NACL_RULES_PER_DIRECTION, acls, check_quota
from infra.settings import SettingsError
from infra.settings.addresses import Tier, plan
from infra.settings.values import IPv4Network
from sequester.readback.acl import Packet, passes

TCP, UDP = "6", "17"


def test_no_group_names_a_range(network: Any) -> None:
    rules = network.cloud.client("ec2").describe_security_group_rules()["SecurityGroupRules"]
    mine = {group.id for group in network.observed.groups}
    assert [r for r in rules if r["GroupId"] in mine and (r.get("CidrIpv4") or r.get("CidrIpv6"))] == []


def test_each_flow_is_stated_on_both_sides(network: Any) -> None:
    rules = {
        (group.name.removeprefix("sequester-"), rule.egress, rule.peer.removeprefix("sequester-"), rule.first_port)
        for group in network.observed.groups
        for rule in group.rules
        if rule.kind == "group"
    }
    assert rules == {(f.source, True, f.target, f.port) for f in FLOWS} | {
        (f.target, False, f.source, f.port) for f in FLOWS
    }


@pytest.mark.parametrize(
    ("packet", "arrives"),
    [
        pytest.param(Packet(True, IPv4Address("10.42.192.16"), TCP, 443), True, id="endpoint of nodes"),
        pytest.param(Packet(True, IPv4Address("10.42.192.24"), TCP, 443), False, id="door's endpoint"),
        pytest.param(Packet(True, IPv4Address("10.42.192.16"), TCP, 80), False, id="endpoint, another port"),
        pytest.param(Packet(True, IPv4Address("10.42.192.16"), UDP, 443), False, id="endpoint, QUIC"),
        pytest.param(Packet(True, IPv4Address("10.42.224.5"), TCP, 443), True, id="API server"),
        pytest.param(Packet(True, IPv4Address("10.42.128.9"), TCP, 53), False, id="CoreDNS"),
        pytest.param(Packet(True, IPv4Address("10.42.0.9"), TCP, 443), False, id="another sandbox node"),
        pytest.param(Packet(False, IPv4Address("10.42.224.5"), TCP, 10250), True, id="kubelet, from the API server"),
        pytest.param(Packet(False, IPv4Address("10.42.128.9"), TCP, 10250), False, id="kubelet, from an agent's node"),
        pytest.param(Packet(True, IPv4Address("203.0.113.9"), TCP, 443), True, id="S3, which an ACL cannot name"),
        pytest.param(Packet(True, IPv4Address("203.0.113.9"), UDP, 53), False, id="a resolver outside"),
    ],
)
def test_sandbox_acl(network: Any, packet: Packet, arrives: bool) -> None:
    sandbox = next(s.id for s in network.observed.subnets if s.tier == Tier.SANDBOX)
    (acl,) = [a for a in network.observed.acls if sandbox in a.subnets]
    assert passes(acl, packet) is arrives


def test_with_s3s_ranges_the_acl_lets_nothing_else_out() -> None:
    ranges = (IPv4Network("52.216.0.0/15"),)
    (outside,) = [
        rule.cidr
        for rule in acls(plan(IPv4Network("10.42.0.0/16"), ["a", "b"]), ranges)[Tier.SANDBOX].egress
        if rule.action == "allow" and not rule.cidr.subnet_of(IPv4Network("10.42.0.0/16"))
    ]
    assert outside == ranges[0]


@pytest.mark.parametrize("zones", range(2, 7))
def test_acls_fit_their_quota_in_any_number_of_zones(zones: int) -> None:
    for acl in acls(plan(IPv4Network("10.0.0.0/16"), map(str, range(zones)))).values():
        assert max(len(acl.ingress), len(acl.egress)) <= NACL_RULES_PER_DIRECTION


def test_every_subnet_has_its_tiers_acl(network: Any) -> None:
    tiers = {s.id: s.tier for s in network.observed.subnets}
    held = [Counter(tiers[subnet] for subnet in acl.subnets) for acl in network.observed.acls if not acl.default]
    assert sorted(held, key=str) == sorted(({tier: 2} for tier in Tier), key=str)


def test_what_does_not_fit_the_quota_is_refused_before_anything_is_made() -> None:
    made = plan(IPv4Network("10.42.0.0/16"), ["a", "b"])
    ranges = [IPv4Network(f"52.{216 + i}.0.0/16") for i in range(16)]
    check_quota(made, ranges[:14])
    with pytest.raises(SettingsError, match="sandbox tier needs 21 network ACL rules, AWS allows 20"):
        check_quota(made, ranges)
