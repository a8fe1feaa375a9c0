"""Every known way out, as one edit each: a table a family.

The blueprint closes packets with three layers, so no edit of one layer opens anything (that is asked below too). Each
network edit is therefore made to a deployment in which one layer alone holds: `by_routes`, `by_groups`, `by_acls`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from proof_world import ACCOUNT, World

Change = Callable[[World], World]
ANY4, ANY6 = {"cidrBlock": "0.0.0.0/0"}, {"ipv6CidrBlock": "::/0"}


@dataclass(frozen=True)
class Case:
    name: str
    claim: str
    edit: Change
    base: str = "blueprint"


def table_ids(w: World) -> list[str]:
    return [w.table("sandbox", z).id for z in ("us-east-1a", "us-east-1b")]


def open_groups(w: World) -> World:
    for i, peer in enumerate(({"cidrIpv4": "0.0.0.0/0"}, {"cidrIpv6": "::/0"})):
        w = w.with_(
            "vpc/securityGroupEgressRule:SecurityGroupEgressRule",
            f"open-out-{i}",
            securityGroupId=w.group("sandbox-node"),
            ipProtocol="-1",
            **peer,
        )
    return w


def acl_rule(w: World, name: str, number: int, *, egress: bool = True, action: str = "allow", **more: object) -> World:
    acl = w.id("NetworkAcl", "sequester-sandbox")
    rule = {"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlock": "0.0.0.0/0", **more}
    if "ipv6CidrBlock" in more:
        rule.pop("cidrBlock")
    return w.with_(
        "ec2/networkAclRule:NetworkAclRule",
        name,
        networkAclId=acl,
        egress=egress,
        ruleNumber=number,
        ruleAction=action,
        **rule,
    )


def open_acls(w: World) -> World:
    for egress in (True, False):
        w = acl_rule(w, f"open-acl-4-{egress}", 1, egress=egress)
        w = acl_rule(w, f"open-acl-6-{egress}", 2, egress=egress, ipv6CidrBlock="::/0")
    return w


def with_v6(w: World) -> World:
    w = w.set("Vpc", "sequester", ipv6CidrBlock="2001:db8:42::/56")
    for n, zone in enumerate(("us-east-1a", "us-east-1b")):
        w = w.set("Subnet", w.subnet("sandbox", zone).name, ipv6CidrBlock=f"2001:db8:42:{n}::/64")
    return w


def public(w: World) -> World:
    interfaces = [dict(w.one("LaunchTemplate", "sequester-sandbox").properties["networkInterfaces"][0])]  # type: ignore[index]
    interfaces[0]["associatePublicIpAddress"] = "true"
    return w.set("LaunchTemplate", "sequester-sandbox", networkInterfaces=interfaces)


def gateway(w: World) -> World:
    return w.with_("ec2/internetGateway:InternetGateway", "igw", "igw-1", vpcId=w.vpc.id)


def route(w: World, name: str = "way-out", **properties: object) -> World:
    return w.with_("ec2/route:Route", name, routeTableId=w.table("sandbox").id, **properties)


def open_routes(w: World) -> World:
    return route(
        route(public(gateway(w)), "out4", destinationCidrBlock="0.0.0.0/0", gatewayId="igw-1"),
        "out6",
        destinationIpv6CidrBlock="::/0",
        gatewayId="igw-1",
    )


@cache
def based(world_id: int, base: str) -> World:
    w = WORLDS[world_id]
    return {
        "blueprint": lambda: w,
        "by_routes": lambda: with_v6(open_acls(open_groups(public(w)))),
        "by_groups": lambda: with_v6(open_acls(open_routes(w))),
        "by_acls": lambda: acl_rule(
            acl_rule(
                acl_rule(with_v6(open_groups(open_routes(w))), "shut4", 10, action="deny"),
                "shut6",
                11,
                action="deny",
                ipv6CidrBlock="::/0",
            ),
            "shut-in",
            10,
            egress=False,
            action="deny",
        ),
    }[base]()


WORLDS: dict[int, World] = {}


def nat(w: World, *, private: bool = False) -> World:
    """A NAT gateway in a public subnet of its own."""
    w = gateway(w).with_("ec2/subnet:Subnet", "public", "subnet-public", vpcId=w.vpc.id, cidrBlock="10.42.250.0/24")
    w = w.with_(
        "ec2/routeTable:RouteTable",
        "public",
        "rtb-public",
        vpcId=w.vpc.id,
        routes=[{**ANY4, "gatewayId": "igw-1"}, {**ANY6, "gatewayId": "igw-1"}],
    )
    w = w.with_(
        "ec2/routeTableAssociation:RouteTableAssociation", "public", subnetId="subnet-public", routeTableId="rtb-public"
    )
    w = w.with_(
        "ec2/networkAcl:NetworkAcl",
        "public",
        "acl-public",
        subnetIds=["subnet-public"],
        egress=[{"ruleNo": 1, "action": "allow", "protocol": "-1", "fromPort": 0, "toPort": 0, **ANY4}],
    )
    return w.with_(
        "ec2/natGateway:NatGateway",
        "nat",
        "nat-1",
        subnetId="subnet-public",
        connectivityType="private" if private else "public",
    )


def forwarder(w: World) -> World:
    """An instance that forwards (source/destination check off), in a public subnet."""
    w = nat(w).with_(
        "ec2/securityGroup:SecurityGroup",
        "forwarder",
        "sg-forwarder",
        vpcId=w.vpc.id,
        egress=[{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}],
        ingress=[{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["10.42.0.0/16"]}],
    )
    return w.with_(
        "ec2/instance:Instance",
        "forwarder",
        "i-forwarder",
        subnetId="subnet-public",
        sourceDestCheck=False,
        vpcSecurityGroupIds=["sg-forwarder"],
        associatePublicIpAddress=True,
    )


def inline(w: World, *routes: dict[str, Any]) -> World:
    return w.set("RouteTable", w.table("sandbox").name, routes=list(routes))


def main_table(w: World) -> World:
    """The subnet loses its association, and the main table leads out."""
    w = w.without("RouteTableAssociation", w.subnet("sandbox").name)
    return gateway(w).set("DefaultRouteTable", "sequester", routes=[{**ANY4, "gatewayId": "igw-1"}])


def egress_rule(w: World, name: str = "way-out", **properties: object) -> World:
    return w.with_(
        "vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        name,
        securityGroupId=w.group("sandbox-node"),
        **properties,
    )


def in_template(w: World, *groups: str) -> World:
    interfaces = [dict(w.one("LaunchTemplate", "sequester-sandbox").properties["networkInterfaces"][0])]  # type: ignore[index]
    interfaces[0]["securityGroups"] = [w.group("sandbox-node"), *groups] if groups else []
    return w.set("LaunchTemplate", "sequester-sandbox", networkInterfaces=interfaces)


ROUTES: dict[str, Change] = {
    "default to an internet gateway": lambda w: route(gateway(w), destinationCidrBlock="0.0.0.0/0", gatewayId="igw-1"),
    "a gateway that is not in the plan": lambda w: route(
        w, destinationCidrBlock="0.0.0.0/0", gatewayId="igw-elsewhere"
    ),
    "one half": lambda w: route(gateway(w), destinationCidrBlock="128.0.0.0/1", gatewayId="igw-1"),
    "other half": lambda w: route(gateway(w), destinationCidrBlock="0.0.0.0/1", gatewayId="igw-1"),
    "one host": lambda w: route(gateway(w), destinationCidrBlock="203.0.113.7/32", gatewayId="igw-1"),
    "IPv6 to an internet gateway": lambda w: route(gateway(w), destinationIpv6CidrBlock="::/0", gatewayId="igw-1"),
    "half of IPv6": lambda w: route(gateway(w), destinationIpv6CidrBlock="2000::/3", gatewayId="igw-1"),
    "egress-only gateway": lambda w: route(w, destinationIpv6CidrBlock="::/0", egressOnlyGatewayId="eigw-1"),
    "NAT gateway": lambda w: route(nat(w), destinationCidrBlock="0.0.0.0/0", natGatewayId="nat-1"),
    "NAT for one prefix": lambda w: route(nat(w), destinationCidrBlock="198.51.100.0/24", natGatewayId="nat-1"),
    "NAT64": lambda w: route(nat(w), destinationIpv6CidrBlock="64:ff9b::/96", natGatewayId="nat-1"),
    "transit gateway": lambda w: route(w, destinationCidrBlock="10.0.0.0/8", transitGatewayId="tgw-1"),
    "peering": lambda w: route(w, destinationCidrBlock="10.43.0.0/16", vpcPeeringConnectionId="pcx-1"),
    "VPN gateway": lambda w: route(w, destinationCidrBlock="192.0.2.0/24", gatewayId="vgw-1"),
    "carrier gateway": lambda w: route(w, destinationCidrBlock="0.0.0.0/0", carrierGatewayId="cagw-1"),
    "local gateway": lambda w: route(w, destinationCidrBlock="192.0.2.0/24", localGatewayId="lgw-1"),
    "core network": lambda w: route(
        w, destinationCidrBlock="192.0.2.0/24", coreNetworkArn="arn:aws:networkmanager::1:core"
    ),
    "forwarding instance": lambda w: route(
        forwarder(w), destinationCidrBlock="0.0.0.0/0", networkInterfaceId="i-forwarder"
    ),
    "prefix list of ours": lambda w: route(
        gateway(w).with_("ec2/managedPrefixList:ManagedPrefixList", "pl", "pl-1", entries=[{"cidr": "203.0.113.0/24"}]),
        destinationPrefixListId="pl-1",
        gatewayId="igw-1",
    ),
    "prefix list entry": lambda w: route(
        gateway(w)
        .with_("ec2/managedPrefixList:ManagedPrefixList", "pl", "pl-1", entries=[])
        .with_("ec2/managedPrefixListEntry:ManagedPrefixListEntry", "e", prefixListId="pl-1", cidr="203.0.113.0/24"),
        destinationPrefixListId="pl-1",
        gatewayId="igw-1",
    ),
    "inline in the table": lambda w: inline(gateway(w), {**ANY4, "gatewayId": "igw-1"}),
    "inline IPv6": lambda w: inline(gateway(w), {**ANY6, "gatewayId": "igw-1"}),
    "standalone beside inline": lambda w: route(
        inline(gateway(w)), destinationCidrBlock="0.0.0.0/0", gatewayId="igw-1"
    ),
    "missing association, open main table": main_table,
    "main table replaced": lambda w: (
        gateway(w)
        .without("RouteTableAssociation", w.subnet("sandbox").name)
        .with_(
            "ec2/routeTable:RouteTable", "other", "rtb-other", vpcId=w.vpc.id, routes=[{**ANY4, "gatewayId": "igw-1"}]
        )
        .with_("ec2/mainRouteTableAssociation:MainRouteTableAssociation", "m", vpcId=w.vpc.id, routeTableId="rtb-other")
    ),
    "another table for the subnet": lambda w: (
        gateway(w)
        .with_(
            "ec2/routeTable:RouteTable", "other", "rtb-other", vpcId=w.vpc.id, routes=[{**ANY4, "gatewayId": "igw-1"}]
        )
        .set("RouteTableAssociation", w.subnet("sandbox").name, routeTableId="rtb-other")
    ),
    "around the VPC's own range": lambda w: route(gateway(w), destinationCidrBlock="10.0.0.0/8", gatewayId="igw-1"),
}

GROUPS: dict[str, Change] = {
    "everything": lambda w: egress_rule(w, ipProtocol="-1", cidrIpv4="0.0.0.0/0"),
    "everything, IPv6": lambda w: egress_rule(w, ipProtocol="-1", cidrIpv6="::/0"),
    "HTTPS": lambda w: egress_rule(w, ipProtocol="tcp", fromPort=443, toPort=443, cidrIpv4="0.0.0.0/0"),
    "one port of one host": lambda w: egress_rule(
        w, ipProtocol="tcp", fromPort=8443, toPort=8443, cidrIpv4="203.0.113.9/32"
    ),
    "DNS by UDP": lambda w: egress_rule(w, ipProtocol="udp", fromPort=53, toPort=53, cidrIpv4="0.0.0.0/0"),
    "NTP": lambda w: egress_rule(w, ipProtocol="udp", fromPort=123, toPort=123, cidrIpv4="192.0.2.0/24"),
    "echo request": lambda w: egress_rule(w, ipProtocol="icmp", fromPort=8, toPort=0, cidrIpv4="0.0.0.0/0"),
    "every ICMP": lambda w: egress_rule(w, ipProtocol="icmp", fromPort=-1, toPort=-1, cidrIpv4="0.0.0.0/0"),
    "ICMPv6": lambda w: egress_rule(w, ipProtocol="icmpv6", fromPort=128, toPort=0, cidrIpv6="::/0"),
    "GRE by number": lambda w: egress_rule(w, ipProtocol="47", cidrIpv4="0.0.0.0/0"),
    "SCTP": lambda w: egress_rule(w, ipProtocol="132", fromPort=0, toPort=65535, cidrIpv4="0.0.0.0/0"),
    "half of the space": lambda w: egress_rule(w, ipProtocol="-1", cidrIpv4="128.0.0.0/1"),
    "a prefix list of ours": lambda w: egress_rule(
        w.with_("ec2/managedPrefixList:ManagedPrefixList", "pl", "pl-1", entries=[{"cidr": "203.0.113.0/24"}]),
        ipProtocol="tcp",
        fromPort=443,
        toPort=443,
        prefixListId="pl-1",
    ),
    "the older rule resource": lambda w: w.with_(
        "ec2/securityGroupRule:SecurityGroupRule",
        "old",
        type="egress",
        securityGroupId=w.group("sandbox-node"),
        protocol="tcp",
        fromPort=0,
        toPort=65535,
        cidrBlocks=["0.0.0.0/0"],
    ),
    "inline in the group": lambda w: w.set(
        "SecurityGroup",
        "sequester-sandbox-node",
        egress=[{"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["198.51.100.0/24"]}],
    ),
    "AWS's own egress rule": lambda w: w.set("SecurityGroup", "sequester-sandbox-node", egress=None),
    "a second group": lambda w: in_template(
        w.with_(
            "ec2/securityGroup:SecurityGroup",
            "two",
            "sg-two",
            vpcId=w.vpc.id,
            ingress=[],
            egress=[{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}],
        ),
        "sg-two",
    ),
    "no group: the cluster's own": lambda w: in_template(w),
    "ingress from outside": lambda w: w.with_(
        "vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        "in",
        ipProtocol="tcp",
        securityGroupId=w.group("sandbox-node"),
        fromPort=22,
        toPort=22,
        cidrIpv4="0.0.0.0/0",
    ),
}

ACLS: dict[str, Change] = {
    "everything, before": lambda w: acl_rule(w, "x", 5),
    "one port": lambda w: acl_rule(w, "x", 5, protocol="tcp", fromPort=443, toPort=443),
    "UDP": lambda w: acl_rule(w, "x", 5, protocol="17", fromPort=53, toPort=53),
    "split range": lambda w: acl_rule(w, "x", 5, cidrBlock="128.0.0.0/1", protocol="6", fromPort=1, toPort=1024),
    "ICMP": lambda w: acl_rule(w, "x", 5, protocol="icmp", icmpType=8, icmpCode=-1),
    "IPv6": lambda w: acl_rule(w, "x", 6, ipv6CidrBlock="::/0"),
    "a deny that leaves a hole": lambda w: w.set("NetworkAclRule", "shut4", cidrBlock="0.0.0.0/1"),
    "a deny of TCP only": lambda w: w.set("NetworkAclRule", "shut4", protocol="tcp", fromPort=0, toPort=442),
    "the deny comes too late": lambda w: acl_rule(w.set("NetworkAclRule", "shut4", ruleNumber=30000), "x", 20000),
    "an open ACL for the subnet": lambda w: w.with_(
        "ec2/networkAcl:NetworkAcl",
        "o",
        "acl-o",
        egress=[{"ruleNo": 1, "action": "allow", "protocol": "-1", "fromPort": 0, "toPort": 0, **ANY4}],
    ).set("NetworkAclAssociation", "sequester-sandbox-us-east-1a", networkAclId="acl-o"),
}

SANDBOX = "research-sandbox"


def policy(
    name: str, namespace: str = SANDBOX, types: tuple[str, ...] = ("Egress",), select: Any = None, **spec: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podSelector": select or {}, "policyTypes": list(types), **spec},
    }


def allow(*rules: dict[str, Any], **more: Any) -> Change:
    return lambda w: w.apply(policy("opened", egress=list(rules), **more))


def deny_all(change: Callable[[dict[str, Any]], object]) -> Change:
    return lambda w: w.edit("NetworkPolicy", "deny-all", SANDBOX, change)


def block(cidr: str, *holes: str) -> dict[str, Any]:
    return {"to": [{"ipBlock": {"cidr": cidr, **({"except": list(holes)} if holes else {})}}]}


def ports(*those: Any) -> list[dict[str, Any]]:
    return [{"protocol": p, "port": n} for p, n in those]


PODS: dict[str, Change] = {
    "no policy": lambda w: w.unapply("NetworkPolicy", "deny-all", SANDBOX),
    "selector typo": deny_all(lambda m: m["spec"].update(podSelector={"matchLabels": {"app": "sandbx"}})),
    "selector by expression": deny_all(
        lambda m: m["spec"].update(podSelector={"matchExpressions": [{"key": "app", "operator": "Exists"}]})
    ),
    "wrong namespace": deny_all(lambda m: m["metadata"].update(namespace="default")),
    "policyTypes without Egress": deny_all(lambda m: m["spec"].update(policyTypes=["Ingress"])),
    "policyTypes left out": deny_all(lambda m: [m["spec"].pop(k) for k in ("policyTypes", "egress")]),
    "an empty rule": allow({}),
    "a rule with ports only": allow({"ports": ports(("TCP", 443))}),
    "a rule with an empty to": allow({"to": [], "ports": ports(("UDP", 53))}),
    "the whole of IPv4": allow(block("0.0.0.0/0")),
    "the VPC": allow(block("10.42.0.0/16")),
    "all but the VPC, and a hole": allow(block("10.42.0.0/16", "10.42.0.0/17")),
    "an agent's pods": allow({"to": [{"namespaceSelector": {"matchLabels": {"sequester.dev/role": "agent"}}}]}),
    "every pod": allow({"to": [{"namespaceSelector": {}}]}),
    "its own namespace": allow({"to": [{"podSelector": {}}]}),
    "CoreDNS": allow(
        {
            "to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}],
            "ports": ports(("UDP", 53)),
        }
    ),
    "metadata": allow(block("169.254.169.254/32")),
    "a port range": allow({"to": [{"ipBlock": {"cidr": "10.42.0.0/16"}}], "ports": [{"port": 8000, "endPort": 9000}]}),
    "a named port": allow({"to": [{"ipBlock": {"cidr": "10.42.0.0/16"}}], "ports": [{"port": "https"}]}),
    "the service range": allow(block("172.20.0.0/16")),
    "two policies together": lambda w: w.unapply("NetworkPolicy", "deny-all", SANDBOX).apply(
        policy("a", select={"matchLabels": {"tier": "a"}}, egress=[]),
        policy("b", select={"matchLabels": {"tier": "b"}}, egress=[]),
    ),
    "for some labels only": allow(block("10.42.0.0/16"), select={"matchLabels": {"debug": "true"}}),
    "no rules on the node": lambda w: w.set("LaunchTemplate", "sequester-sandbox", userData=""),
    "IPv6 in pods": lambda w: addon(w, "DISABLE_POD_V6", "false"),
    "an agent anywhere": lambda w: open_groups(w).apply(
        policy("opened", namespace="research-agent", egress=[block("169.254.169.254/32")])
    ),
    "a tenant nobody closed": lambda w: w.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new-sandbox"}}
    ),
}


def addon(w: World, key: str, value: str | None) -> World:
    values = json.loads(w.one("Addon", "sequester-vpc-cni").properties["configurationValues"])  # type: ignore[arg-type]
    values["env"] = {k: v for k, v in {**values["env"], key: value}.items() if v is not None}
    return w.set("Addon", "sequester-vpc-cni", configurationValues=json.dumps(values))


def firewall(**change: object) -> Change:
    return lambda w: w.set("ResolverFirewallConfig", "sequester-dns", **change)


def allowing(*more: str) -> Change:
    kind, name = "ResolverFirewallDomainList", "sequester-allowed"
    return lambda w: w.set(kind, name, domains=[*cast("list[str]", w.one(kind, name).properties["domains"]), *more])


def corefile(change: Callable[[str], str]) -> Change:
    def edit(w: World) -> World:
        values = json.loads(w.one("Addon", "sequester-coredns").properties["configurationValues"])  # type: ignore[arg-type]
        return w.set(
            "Addon",
            "sequester-coredns",
            configurationValues=json.dumps({**values, "corefile": change(values["corefile"])}),
        )

    return edit


NAMES: dict[str, Change] = {
    "fail open": firewall(firewallFailOpen="ENABLED"),
    "every name allowed": allowing("*."),
    "a foreign name": allowing("collector.example.com"),
    "a foreign suffix": allowing("*.example.com"),
    "all of AWS": allowing("*.amazonaws.com"),
    "no block": lambda w: w.without("ResolverFirewallRule", "sequester-block"),
    "the block counts only": lambda w: w.set("ResolverFirewallRule", "sequester-block", action="ALERT"),
    "the block for one type": lambda w: w.set("ResolverFirewallRule", "sequester-block", qType="TXT"),
    "an earlier allow": lambda w: w.with_(
        "route53/resolverFirewallDomainList:ResolverFirewallDomainList", "x", "fdl-x", domains=["*"]
    ).with_(
        "route53/resolverFirewallRule:ResolverFirewallRule",
        "x",
        action="ALLOW",
        priority=1,
        firewallDomainListId="fdl-x",
        firewallRuleGroupId=w.id("ResolverFirewallRuleGroup", "sequester-dns"),
    ),
    "on another VPC": lambda w: w.set("ResolverFirewallRuleGroupAssociation", "sequester-dns", vpcId="vpc-other"),
    "another resolver": lambda w: w.set("VpcDhcpOptions", "sequester", domainNameServers=["198.51.100.53"]),
    "a second resolver": lambda w: w.set(
        "VpcDhcpOptions", "sequester", domainNameServers=["AmazonProvidedDNS", "198.51.100.53"]
    ),
    "an outbound endpoint": lambda w: w.with_(
        "route53/resolverEndpoint:ResolverEndpoint",
        "out",
        direction="OUTBOUND",
        ipAddresses=[{"subnetId": w.subnet("system").id}],
    ),
    "a forward": lambda w: w.with_(
        "route53/resolverRule:ResolverRule", "f", "rr-1", domainName=".", ruleType="FORWARD"
    ).with_("route53/resolverRuleAssociation:ResolverRuleAssociation", "f", resolverRuleId="rr-1", vpcId=w.vpc.id),
    "CoreDNS forwards all": corefile(lambda c: c + ".:53 {\n    forward . /etc/resolv.conf\n}\n"),
    "CoreDNS forwards elsewhere": corefile(lambda c: c.replace("forward . 10.42.0.2", "forward . 198.51.100.53")),
    "CoreDNS by default": lambda w: w.set("Addon", "sequester-coredns", configurationValues="{}"),
    "a pod may ask": allow({"to": [{"namespaceSelector": {}}], "ports": ports(("UDP", 53))}),
}


def endpoint(name: str, *statements: dict[str, Any]) -> Change:
    return lambda w: w.set(
        "VpcEndpoint", f"sequester-{name}", policy=json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    )


def statement(actions: Any, resources: Any = "*", effect: str = "Allow", **conditions: Any) -> dict[str, Any]:
    return {
        "Effect": effect,
        "Principal": "*",
        "Action": actions,
        "Resource": resources,
        **({"Condition": conditions} if conditions else {}),
    }


OURS = {"aws:PrincipalAccount": ACCOUNT}
BOTH = {**OURS, "aws:ResourceAccount": ACCOUNT}

ENDPOINTS: dict[str, Change] = {
    "AWS's default": lambda w: w.set("VpcEndpoint", "sequester-lambda", policy=None),
    "allow all": endpoint("lambda", statement("*")),
    "principal only": endpoint("lambda", statement("lambda:InvokeFunction", StringEquals=OURS)),
    "organisation without resource": endpoint(
        "logs", statement("logs:*", StringEquals={"aws:PrincipalAccount": ACCOUNT})
    ),
    "an open account": endpoint(
        "lambda", statement("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:*:function:door")
    ),
    "another account": endpoint(
        "lambda", statement("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:210987654321:function:x")
    ),
    "every bucket": endpoint("s3", statement("s3:GetObject", "arn:aws:s3:::*")),
    "a bucket by name": endpoint("s3", statement("s3:PutObject", "arn:aws:s3:::collector/*")),
    "writes to the layer bucket": endpoint(
        "s3", statement("s3:*", "arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*")
    ),
    "a bucket like the layer bucket": endpoint(
        "s3", statement("s3:GetObject", "arn:aws:s3:::prod-*-starport-layer-bucket/*")
    ),
    "every registry": endpoint(
        "ecr.dkr", statement("ecr:BatchGetImage", "arn:aws:ecr:us-east-1:*:repository/*", StringEquals=OURS)
    ),
    "writes to the add-on registry": endpoint(
        "ecr.dkr", statement("ecr:PutImage", "arn:aws:ecr:us-east-1:602401143452:repository/*")
    ),
    "anyone's login": endpoint("ecr.api", statement("ecr:GetAuthorizationToken")),
    "NotAction": endpoint(
        "logs", {"Effect": "Allow", "Principal": "*", "NotAction": "logs:DeleteLogGroup", "Resource": "*"}
    ),
    "NotResource": endpoint(
        "logs",
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "logs:PutLogEvents",
            "NotResource": "arn:aws:logs:us-east-1:210987654321:*",
        },
    ),
    "IfExists does not bind": endpoint(
        "logs", statement("logs:PutLogEvents", StringNotEqualsIfExists={"aws:ResourceAccount": "1"})
    ),
    "ForAllValues does not bind": endpoint(
        "s3",
        statement("s3:PutObject", "arn:aws:s3:::*", "Allow", **{"ForAllValues:StringLike": {"aws:PrincipalArn": "*"}}),
    ),
    "our VPC is no account": endpoint("logs", statement("logs:PutLogEvents", StringLike={"aws:SourceVpce": "*"})),
    "a deny beside the point": endpoint("logs", statement("logs:*"), statement("logs:DeleteLogGroup", effect="Deny")),
    "a deny of some callers": endpoint(
        "logs", statement("logs:*"), statement("*", effect="Deny", StringNotEquals=OURS)
    ),
    "a separate policy": lambda w: w.with_(
        "ec2/vpcEndpointPolicy:VpcEndpointPolicy",
        "p",
        vpcEndpointId=w.id("VpcEndpoint", "sequester-logs"),
        policy=json.dumps({"Statement": [statement("*")]}),
    ),
    "another endpoint": lambda w: w.with_(
        "ec2/vpcEndpoint:VpcEndpoint",
        "sqs",
        vpcId=w.vpc.id,
        vpcEndpointType="Interface",
        serviceName="com.amazonaws.us-east-1.sqs",
    ),
    "wildcard in the middle": endpoint("lambda", statement("lambda:Invoke*", "arn:aws:lambda:*:function:door")),
}


def may(*actions: str, resource: str = "*", **conditions: Any) -> Change:
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": list(actions),
                "Resource": resource,
                **({"Condition": conditions} if conditions else {}),
            }
        ],
    }
    return lambda w: w.with_(
        "iam/rolePolicy:RolePolicy", "more", role="sequester-sandbox-node", policy=json.dumps(document)
    )


def attach(arn: str) -> Change:
    return lambda w: w.with_(
        "iam/rolePolicyAttachment:RolePolicyAttachment", "more", role="sequester-sandbox-node", policyArn=arn
    )


def bind(kind: str, subject: dict[str, str]) -> Change:
    meta = {"name": "more", **({"namespace": SANDBOX} if kind == "RoleBinding" else {})}
    return lambda w: w.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": kind,
            "metadata": meta,
            "roleRef": {"kind": "ClusterRole", "name": "edit"},
            "subjects": [subject],
        }
    )


IDENTITIES: dict[str, Change] = {
    **{
        action: may(action)
        for action in (
            "lambda:InvokeFunction",
            "ec2:ModifyNetworkInterfaceAttribute",
            "ec2:CreateRoute",
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:ModifyVpcEndpoint",
            "iam:PassRole",
            "sts:AssumeRole",
            "ssm:SendCommand",
            "sqs:SendMessage",
            "kms:CreateGrant",
            "s3:PutObject",
            "ecr:CreatePullThroughCacheRule",
            "secretsmanager:GetSecretValue",
            "*",
            "ec2:*",
            "lambda:Invoke*",
        )
    },
    "the CNI's recommended policy": attach("arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"),
    "session manager": attach("arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"),
    "Pod Identity for sandboxes": lambda w: w.with_(
        "eks/podIdentityAssociation:PodIdentityAssociation",
        "x",
        clusterName="sequester",
        namespace=SANDBOX,
        serviceAccount="sandbox",
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/sequester-agent-research",
    ),
    "rights for a sandbox's account": bind(
        "RoleBinding", {"kind": "ServiceAccount", "name": "sandbox", "namespace": SANDBOX}
    ),
    "rights for all authenticated": bind("ClusterRoleBinding", {"kind": "Group", "name": "system:authenticated"}),
    "rights for its service accounts": bind(
        "ClusterRoleBinding", {"kind": "Group", "name": f"system:serviceaccounts:{SANDBOX}"}
    ),
}


def pods_admission(change: Callable[[dict[str, Any]], object]) -> Change:
    return lambda w: w.edit("ValidatingAdmissionPolicy", "sequester-sandbox-pods", "", change)


WORKLOADS: dict[str, Change] = {
    "not strict": lambda w: addon(w, "NETWORK_POLICY_ENFORCING_MODE", None),
    "standard mode": lambda w: addon(w, "NETWORK_POLICY_ENFORCING_MODE", "standard"),
    "no enforcement": lambda w: w.set("Addon", "sequester-vpc-cni", configurationValues="{}"),
    "no plugin": lambda w: w.without("Addon", "sequester-vpc-cni"),
    "baseline standard": lambda w: w.edit(
        "Namespace",
        SANDBOX,
        "",
        lambda m: m["metadata"]["labels"].update({"pod-security.kubernetes.io/enforce": "baseline"}),
    ),
    "no standard": lambda w: w.edit("Namespace", SANDBOX, "", lambda m: m["metadata"].update(labels={})),
    "a warning only": lambda w: w.edit(
        "Namespace",
        SANDBOX,
        "",
        lambda m: m["metadata"].update(labels={"pod-security.kubernetes.io/warn": "restricted"}),
    ),
    "fails open": pods_admission(lambda m: m["spec"].update(failurePolicy="Ignore")),
    "no validations": pods_admission(lambda m: m["spec"].update(validations=[])),
    "a pod in the host's network": lambda w: w.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "x", "namespace": SANDBOX},
            "spec": {"hostNetwork": True},
        }
    ),
    "a job in the host's network": lambda w: w.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "x", "namespace": SANDBOX},
            "spec": {"template": {"spec": {"hostNetwork": True}}},
        }
    ),
    "an external name": lambda w: w.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "x", "namespace": SANDBOX},
            "spec": {"type": "ExternalName", "externalName": "collector.example.com"},
        }
    ),
    "a token": lambda w: w.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "x", "namespace": SANDBOX},
            "spec": {"automountServiceAccountToken": True},
        }
    ),
}

METADATA: dict[str, Change] = {
    "two hops": lambda w: w.set(
        "LaunchTemplate", "sequester-sandbox", metadataOptions={"httpTokens": "required", "httpPutResponseHopLimit": 2}
    ),
    "version 1": lambda w: w.set(
        "LaunchTemplate", "sequester-sandbox", metadataOptions={"httpTokens": "optional", "httpPutResponseHopLimit": 1}
    ),
    "by default": lambda w: w.set("LaunchTemplate", "sequester-sandbox", metadataOptions=None),
    "by policy": allow(block("169.254.169.254/32")),
    "by policy, IPv6": allow(block("fd00:ec2::254/128")),
    "Pod Identity": allow(block("169.254.170.23/32")),
    "link-local": allow(block("169.254.0.0/16")),
}

CASES = [
    *(Case(f"route: {n}", "E1", e, "by_routes") for n, e in ROUTES.items()),
    *(Case(f"group: {n}", "E1", e, "by_groups") for n, e in GROUPS.items()),
    *(Case(f"ACL: {n}", "E1", e, "by_acls") for n, e in ACLS.items()),
    *(Case(f"pods: {n}", "E1", e) for n, e in PODS.items()),
    *(Case(f"names: {n}", "E2", e) for n, e in NAMES.items()),
    *(Case(f"endpoint: {n}", "E3", e) for n, e in ENDPOINTS.items()),
    *(Case(f"identity: {n}", "E4", e) for n, e in IDENTITIES.items()),
    *(Case(f"workloads: {n}", "E5", e) for n, e in WORKLOADS.items()),
    *(Case(f"metadata: {n}", "E6", e) for n, e in METADATA.items()),
]


UNKNOWN: dict[str, tuple[str, Change]] = {
    "routes that a gateway propagates": (
        "E1",
        lambda w: w.set("RouteTable", w.table("sandbox").name, propagatingVgws=["vgw-1"]),
    ),
    "a firewall endpoint": (
        "E1",
        lambda w: route(
            nat(w).with_(
                "ec2/vpcEndpoint:VpcEndpoint",
                "fw",
                "vpce-fw",
                vpcId=w.vpc.id,
                vpcEndpointType="GatewayLoadBalancer",
                subnetIds=["subnet-public"],
                serviceName="com.amazonaws.vpce.us-east-1.vpce-svc-1",
            ),
            destinationCidrBlock="0.0.0.0/0",
            vpcEndpointId="vpce-fw",
        ),
    ),
    "a group that is not in the plan": (
        "E1",
        lambda w: in_template(
            route(gateway(w), destinationCidrBlock="0.0.0.0/0", gatewayId="igw-1"), "sg-elsewhere"
        ).without("SecurityGroupEgressRule", lambda r: r.name.startswith("open-out")),
    ),
    "a PrivateLink service": (
        "E3",
        lambda w: w.with_(
            "ec2/vpcEndpoint:VpcEndpoint",
            "x",
            vpcId=w.vpc.id,
            vpcEndpointType="Interface",
            serviceName="com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0",
        ),
    ),
    "an unreviewed type": ("E1", lambda w: w.with_("networkfirewall/firewall:Firewall", "fw")),
    "a condition on an unknown key": (
        "E3",
        endpoint("logs", statement("logs:*", StringEquals={"aws:PrincipalOrgID": "o-1"})),
    ),
    "an admin policy that allows": (
        "E1",
        lambda w: w.apply(
            {
                "apiVersion": "networking.k8s.aws/v1alpha1",
                "kind": "ClusterNetworkPolicy",
                "metadata": {"name": "x"},
                "spec": {"tier": "Admin", "egress": [{"action": "Accept", "to": [{"networks": ["0.0.0.0/0"]}]}]},
            }
        ),
    ),
    "pods with groups of their own": (
        "E1",
        lambda w: w.apply({"kind": "SecurityGroupPolicy", "metadata": {"name": "x"}, "spec": {}}),
    ),
    "a node's role as administrator": (
        "E4",
        lambda w: w.with_(
            "eks/accessPolicyAssociation:AccessPolicyAssociation",
            "x",
            principalArn=f"arn:aws:iam::{ACCOUNT}:role/sequester-sandbox-node",
        ),
    ),
    "a managed policy": ("E4", attach("arn:aws:iam::aws:policy/SomethingElse")),
    "an action nobody reviewed": ("E4", may("braket:CreateJob")),
}
