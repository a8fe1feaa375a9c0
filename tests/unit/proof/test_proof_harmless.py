"""Edits that look alarming and open nothing: the claim stays proved, and the second program agrees."""

from collections.abc import Callable

import pytest
from proof_ways_out import FAMILIES
from proof_world import World
from ways_edits import (
    ACCOUNT,
    ANY4,
    BOTH,
    OURS,
    SANDBOX,
    WORLDS,
    Rows,
    acl_rule,
    addon,
    allow,
    allowing,
    based,
    block,
    egress_rule,
    endpoint,
    gateway,
    may,
    nat,
    open_acls,
    open_groups,
    open_routes,
    policy,
    public,
    route,
    statement,
    with_v6,
)  # fmt: skip

from infra.settings.cluster import ClusterSettings
from infra.settings.tenants import TenantSettings
from infra.warm_pool import warm_pool
from sequester.proof.check import check
from sequester.proof.prove import facts_for, prove
from sequester.proof.verdict import Proved

HARMLESS: Rows = {name: row for family in FAMILIES for name, row in family.HARMLESS.items()} | {
    "an internet gateway without a route": ("E1", "by_routes", gateway),
    "a NAT gateway without a route": ("E1", "by_routes", nat),
    "a default route for a table nobody has": ("E1", "by_routes", lambda w: gateway(w).with_(
        "ec2/routeTable:RouteTable", "x", "rtb-x", vpcId=w.vpc.id, routes=[{**ANY4, "gatewayId": "igw-1"}])),
    "an open main table that no subnet uses": ("E1", "by_routes", lambda w: gateway(w).set(
        "DefaultRouteTable", "sequester", routes=[{**ANY4, "gatewayId": "igw-1"}])),
    "a route to an internet gateway, no public address": ("E1", "blueprint", lambda w: route(
        open_acls(open_groups(gateway(w))), destinationCidrBlock="0.0.0.0/0", gatewayId="igw-1")),
    "a NAT gateway whose subnet leads nowhere": ("E1", "by_routes", lambda w: route(
        nat(w).set("RouteTable", "public", routes=[]), destinationCidrBlock="0.0.0.0/0", natGatewayId="nat-1")),
    "a NAT gateway behind a shut ACL": ("E1", "by_routes", lambda w: route(
        nat(w).set("NetworkAcl", "public", egress=[]), destinationCidrBlock="0.0.0.0/0", natGatewayId="nat-1")),
    "NAT that routes back to itself": ("E1", "by_routes", lambda w: route(nat(w).set(
        "RouteTable", "public", routes=[{**ANY4, "natGatewayId": "nat-1"}]), destinationCidrBlock="0.0.0.0/0", natGatewayId="nat-1")),
    "an interface that drops what is not its own": ("E1", "by_routes", lambda w: route(w.with_(
        "ec2/networkInterface:NetworkInterface", "eni", "eni-1", subnetId=w.subnet("system").id, securityGroups=[w.group("system-node")]),
        destinationCidrBlock="0.0.0.0/0", networkInterfaceId="eni-1")),
    "IPv4 by an egress-only gateway": ("E1", "by_routes", lambda w: route(w, destinationCidrBlock="0.0.0.0/0", egressOnlyGatewayId="e")),
    "an IPv6 route without IPv6": ("E1", "blueprint", lambda w: route(
        open_acls(open_groups(public(gateway(w)))), destinationIpv6CidrBlock="::/0", gatewayId="igw-1")),
    "IPv6 to NAT beyond its range": ("E1", "by_routes", lambda w: route(nat(w), destinationIpv6CidrBlock="2001:db8::/32", natGatewayId="nat-1")),
    "a default route that is local": ("E1", "by_routes", lambda w: route(w, destinationCidrBlock="10.42.0.0/24", gatewayId="local")),
    "an empty prefix list to a gateway": ("E1", "by_routes", lambda w: route(gateway(w).with_(
        "ec2/managedPrefixList:ManagedPrefixList", "pl", "pl-1", entries=[]), destinationPrefixListId="pl-1", gatewayId="igw-1")),
    "a peering nobody routes to": ("E1", "by_routes", lambda w: w.with_("ec2/vpcPeeringConnection:VpcPeeringConnection", "p")),
    "an open group nobody holds": ("E1", "by_groups", lambda w: w.with_("ec2/securityGroup:SecurityGroup", "x", "sg-x", egress=[
        {"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}], ingress=[])),
    "all egress, within the VPC": ("E1", "by_groups", lambda w: egress_rule(w, ipProtocol="-1", cidrIpv4="10.42.0.0/16")),
    "all egress, to a group": ("E1", "by_groups", lambda w: egress_rule(
        w, ipProtocol="-1", referencedSecurityGroupId=w.group("sandbox-endpoint"))),
    "egress to an empty list": ("E1", "by_groups", lambda w: egress_rule(w.with_(
        "ec2/managedPrefixList:ManagedPrefixList", "pl", "pl-1", entries=[]), ipProtocol="-1", prefixListId="pl-1")),
    "ingress from inside": ("E1", "by_groups", lambda w: w.with_("vpc/securityGroupIngressRule:SecurityGroupIngressRule", "i",
        securityGroupId=w.group("sandbox-node"), ipProtocol="-1", cidrIpv4="10.42.0.0/16")),
    "ingress from anywhere without a route": ("E1", "by_routes", lambda w: w.with_("vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        "i", securityGroupId=w.group("sandbox-node"), ipProtocol="-1", cidrIpv4="0.0.0.0/0")),
    "an allow after the deny": ("E1", "by_acls", lambda w: acl_rule(w, "x", 20)),
    "an allow for the VPC before the deny": ("E1", "by_acls", lambda w: acl_rule(w, "x", 5, cidrBlock="10.42.0.0/16")),
    "ingress open, egress shut": ("E1", "by_acls", lambda w: acl_rule(w, "x", 5, egress=False)),
    "open groups and ACLs": ("E1", "blueprint", lambda w: open_acls(open_groups(w))),
    "open routes and ACLs": ("E1", "blueprint", lambda w: open_acls(open_routes(w))),
    "IPv6 ranges": ("E1", "blueprint", with_v6),
    "an ingress policy for sandboxes": ("E1", "blueprint", lambda w: w.apply(policy("in", types=("Ingress",), ingress=[{}]))),
    "an egress policy elsewhere": ("E1", "blueprint", lambda w: w.apply(policy("x", namespace="default", egress=[{}]))),
    "another policy that allows nothing": ("E1", "blueprint", lambda w: w.apply(policy("x", egress=[]))),
    "an address outside that no node can send to": ("E1", "blueprint", allow(block("203.0.113.0/24"))),
    "all but everything": ("E1", "blueprint", allow(block("203.0.113.0/24", "203.0.113.0/25", "203.0.113.128/25"))),
    "an agent may ask a documentation address": ("E1", "blueprint", lambda w: w.apply(
        policy("x", namespace="research-agent", egress=[block("198.51.100.0/24")]))),
    "two policies that cover every pod": ("E1", "blueprint", lambda w: w.unapply("NetworkPolicy", "deny-all", SANDBOX).apply(
        policy("a", select={"matchExpressions": [{"key": "x", "operator": "Exists"}]}, egress=[]),
        policy("b", select={"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]}, egress=[]))),
    "a listed name of AWS": ("E2", "blueprint", allowing("sts.us-east-1.amazonaws.com")),
    "a block before": ("E2", "blueprint", lambda w: w.with_("route53/resolverFirewallRule:ResolverFirewallRule", "x", action="BLOCK",
        priority=1, firewallDomainListId=w.id("ResolverFirewallDomainList", "sequester-allowed"),
        firewallRuleGroupId=w.id("ResolverFirewallRuleGroup", "sequester-dns"))),
    "an inbound resolver endpoint": ("E2", "blueprint", lambda w: w.with_("route53/resolverEndpoint:ResolverEndpoint", "i", direction="INBOUND")),
    "every action, both accounts": ("E3", "blueprint", endpoint("logs", statement("*", StringEquals=BOTH))),
    "every action on our resources by name": ("E3", "blueprint", endpoint("logs", statement("logs:*", f"arn:aws:logs:us-east-1:{ACCOUNT}:*", StringEquals=OURS))),
    "allow all, deny what is not ours": ("E3", "blueprint", endpoint("logs", statement("*", StringEquals=OURS),
        statement("*", effect="Deny", StringNotEquals={"aws:ResourceAccount": ACCOUNT}))),
    "only denies": ("E3", "blueprint", endpoint("logs", statement("*", effect="Deny"))),
    "a call of another service": ("E3", "blueprint", endpoint("logs", statement("s3:PutObject"))),
    "our login": ("E3", "blueprint", endpoint("ecr.api", statement("ecr:GetAuthorizationToken", StringEquals=OURS))),
    "more reads for nodes": ("E4", "blueprint", may("ec2:DescribeVolumes", "ecr:BatchGetImage")),
    "an add-on setting more": ("E5", "blueprint", lambda w: addon(w, "WARM_PREFIX_TARGET", "2")),
    "metadata off": ("E6", "blueprint", lambda w: w.set("LaunchTemplate", "sequester-sandbox", metadataOptions={"httpEndpoint": "disabled"})),
}  # fmt: skip


@pytest.mark.parametrize("name", HARMLESS)
def test_what_opens_nothing_stays_proved(world: World, name: str) -> None:
    claim, base, edit = HARMLESS[name]
    WORLDS[id(world)] = world
    model = edit(based(id(world), base)).model()
    verdict = prove(model, [claim])[claim]
    assert isinstance(verdict, Proved), verdict
    check(facts_for(model, claim), verdict.certificate)


def test_there_are_enough() -> None:
    assert len(HARMLESS) >= 40


def test_an_action_that_is_denied_again_does_no_harm(world: World) -> None:
    allowing_all: Callable[[World], World] = may("lambda:InvokeFunction")
    denied = allowing_all(world).with_(
        "iam/rolePolicy:RolePolicy", "deny", role="sequester-sandbox-node",
        policy={"Statement": [{"Effect": "Deny", "Action": "lambda:*", "Resource": "*"}]},
    )  # fmt: skip
    verdict = prove(denied.model(), ["E4"])["E4"]
    assert not hasattr(verdict, "witness"), verdict


def test_a_warm_pool_keeps_every_claim(world: World) -> None:
    image = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/sequester/sandbox@sha256:{'0' * 64}"
    settings = TenantSettings(warm_pool=3, image=image)
    pool = warm_pool("research", settings, ClusterSettings())
    assert pool
    verdicts = prove(world.apply(*pool).model())
    assert {
        claim: type(verdict).__name__ for claim, verdict in verdicts.items() if not isinstance(verdict, Proved)
    } == {}
