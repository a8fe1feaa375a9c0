"""Ways out by routes, security groups and network ACLs, each where no other layer stands in the way (E1)."""

# Edits are of plain JSON, whose parts have no types.
# pyright: reportArgumentType=false, reportGeneralTypeIssues=false, reportAttributeAccessIssue=false

from dataclasses import replace

from proof_world import World
from ways_edits import (
    ANY4,
    ANY6,
    Change,
    Rows,
    acl_rule,
    egress_rule,
    forwarder,
    gateway,
    in_template,
    inline,
    main_table,
    nat,
    open_acls,
    open_groups,
    route,
)

from sequester.sources.resource import Resource

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


def regional(w: World) -> World:
    """A NAT gateway of the VPC as a whole: it has a table of its own, with a route to the internet gateway."""
    return w.with_("ec2/natGateway:NatGateway", "rn", "nat-r", vpcId=w.vpc.id, availabilityMode="regional")


def second_table(w: World) -> World:
    w = gateway(w).with_(
        "ec2/routeTable:RouteTable", "open", "rtb-open", vpcId=w.vpc.id, routes=[{**ANY4, "gatewayId": "igw-1"}]
    )
    kind = "ec2/routeTableAssociation:RouteTableAssociation"
    return w.with_(kind, "late", subnetId=w.subnet("sandbox").id, routeTableId="rtb-open")


def second_acl(w: World) -> World:
    every = [{"ruleNo": 1, "action": "allow", "protocol": "-1", "fromPort": 0, "toPort": 0, **ANY4}]
    w = w.with_("ec2/networkAcl:NetworkAcl", "open", "acl-open", vpcId=w.vpc.id, egress=every, ingress=every)
    kind = "ec2/networkAclAssociation:NetworkAclAssociation"
    return w.with_(kind, "late", subnetId=w.subnet("sandbox").id, networkAclId="acl-open")


ADDRESS = {"subnetId": "", "associatePublicIpAddress": False, "vpcSecurityGroupIds": ["sg-9"]}


def addressed(w: World, **more: object) -> World:
    """An instance in a sandbox's subnet, whose group lets everything out."""
    egress = [{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}]
    w = w.with_("ec2/securityGroup:SecurityGroup", "box", "sg-9", vpcId=w.vpc.id, ingress=[], egress=egress)
    return w.with_("ec2/instance:Instance", "box", "i-9", **{**ADDRESS, "subnetId": w.subnet("sandbox").id, **more})


def service(w: World) -> World:
    """A service that names no group, where the VPC's default group lets everything out."""
    egress = [{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}]
    where = {"subnets": [w.subnet("sandbox").id], "assignPublicIp": True}
    w = w.with_("ecs/service:Service", "svc", "svc-9", networkConfiguration=where)
    return w.set("DefaultSecurityGroup", "sequester", egress=egress)


def load_balancer_endpoint(w: World) -> World:
    """Its subnet leads nowhere, but its appliances stand in a VPC of their own."""
    w = w.with_(
        "ec2/vpcEndpoint:VpcEndpoint", "lb", "vpce-lb", vpcId=w.vpc.id, vpcEndpointType="GatewayLoadBalancer",
        subnetIds=[w.subnet("control").id], serviceName="com.amazonaws.vpce.us-east-1.vpce-svc-1",
    )  # fmt: skip
    return route(w, destinationCidrBlock="0.0.0.0/0", vpcEndpointId="vpce-lb")


def nat_address(w: World) -> World:
    """A NAT gateway's Elastic IP, as a refresh tells it: by the gateway's interface."""
    w = nat(w).set("NatGateway", "nat", networkInterfaceId="eni-nat")
    return w.with_("ec2/eip:Eip", "nat", "eipalloc-nat", networkInterface="eni-nat", instance="")


def last(w: World) -> World:
    """What was added last is read last: facts are read in the order of their URNs, and what has none comes first."""
    return replace(w, resources=(*w.resources[:-1], replace(w.resources[-1], urn="~")))


FURTHER: Rows = {
    "an instance that tells a public address": ("E1", "by_groups", lambda w: addressed(w, publicIp="198.51.100.9")),
    "an address for an instance's first interface": ("E1", "by_groups", lambda w: addressed(w, primaryNetworkInterfaceId="eni-9").with_("ec2/eipAssociation:EipAssociation", "a", networkInterfaceId="eni-9")),
    "an address for an interface that may be an instance's": ("E1", "by_groups", lambda w: addressed(w).with_("ec2/eip:Eip", "a", networkInterface="eni-elsewhere")),
    "a route to the first interface of a forwarding instance": ("E1", "by_routes", lambda w: route(forwarder(w).set("Instance", "forwarder", primaryNetworkInterfaceId="eni-f"), destinationCidrBlock="0.0.0.0/0", networkInterfaceId="eni-f")),
    "a service without a group": ("E1", "by_groups", service),
    "the VPC's own ACL taken over": ("E1", "by_acls", lambda w: w.without("NetworkAclAssociation", "sequester-sandbox-us-east-1a").with_("ec2/defaultNetworkAcl:DefaultNetworkAcl", "d", "acl-d", vpcId=w.vpc.id, defaultNetworkAclId="acl-d", subnetIds=[w.subnet("sandbox").id], egress=[{"ruleNo": 1, "action": "allow", "protocol": "-1", "fromPort": 0, "toPort": 0, **ANY4}], ingress=[])),
    "main table association swap": ("E1", "by_routes", lambda w: gateway(w).without("RouteTableAssociation", w.subnet("sandbox").name).set("Vpc", "sequester", mainRouteTableId="rtb-open", defaultRouteTableId="rtb-open").with_("ec2/routeTable:RouteTable", "o", "rtb-open", vpcId=w.vpc.id, routes=[{**ANY4, "gatewayId": "igw-1"}])),
    "blackhole twin": ("E1", "by_routes", lambda w: inline(gateway(w), {**ANY4, "gatewayId": "igw-1"}, {"cidrBlock": "10.42.0.0/16", "gatewayId": "local"})),
    "regional nat": ("E1", "by_routes", lambda w: route(nat(w).with_("ec2/natGateway:NatGateway", "rn", "nat-r", vpcId=w.vpc.id, availabilityMode="regional"), destinationCidrBlock="0.0.0.0/0", natGatewayId="nat-r")),
    "two tables for one subnet, the open one last": ("E1", "by_routes", lambda w: last(second_table(w))),
    "two ACLs for one subnet, the open one last": ("E1", "by_acls", lambda w: last(second_acl(w))),
    "a regional NAT gateway, and no public subnet": ("E1", "by_routes", lambda w: route(regional(gateway(w)), destinationCidrBlock="0.0.0.0/0", natGatewayId="nat-r")),
    "a regional NAT gateway for IPv6": ("E1", "by_routes", lambda w: route(regional(gateway(w)), destinationIpv6CidrBlock="64:ff9b::/96", natGatewayId="nat-r")),
    "private NAT + TGW": ("E1", "by_routes", lambda w: route(nat(w, private=True).set("RouteTable", "public", routes=[{"cidrBlock": "10.99.0.0/16", "transitGatewayId": "tgw-1"}]), destinationCidrBlock="10.99.0.0/16", natGatewayId="nat-1")),
    "local gateway via outpost": ("E1", "by_routes", lambda w: route(w, destinationCidrBlock="0.0.0.0/0", localGatewayId="lgw-1")),
    "prefix list to tgw": ("E1", "by_routes", lambda w: route(w.with_("ec2/managedPrefixList:ManagedPrefixList", "pl", "pl-1", entries=[{"cidr": "198.51.100.0/24"}]), destinationPrefixListId="pl-1", transitGatewayId="tgw-1")),
    "static route beside a list's": ("E1", "by_routes", lambda w: route(route(gateway(w).with_("ec2/managedPrefixList:ManagedPrefixList", "pl", "pl-1", entries=[{"cidr": "203.0.113.0/24"}]).with_("ec2/networkInterface:NetworkInterface", "eni", "eni-1", subnetId=w.subnet("system").id, securityGroups=[w.group("system-node")]), "listed", destinationPrefixListId="pl-1", networkInterfaceId="eni-1"), destinationCidrBlock="203.0.113.0/24", gatewayId="igw-1")),
    "a CIDR beside a list that stays": ("E1", "by_routes", lambda w: route(route(w.with_("ec2/managedPrefixList:ManagedPrefixList", "pl", "pl-1", entries=[{"cidr": "198.51.100.0/24"}]), "stays", destinationPrefixListId="pl-1", gatewayId="local"), destinationCidrBlock="198.51.100.0/24", transitGatewayId="tgw-1")),
    "S3 list to igw": ("E1", "by_routes", lambda w: route(gateway(w), destinationPrefixListId=w.one("VpcEndpoint", "sequester-s3").properties.get("prefixListId") or "pl of com.amazonaws.us-east-1.s3", gatewayId="igw-1")),
    "second cidr route in": ("E1", "by_routes", lambda w: route(gateway(w).with_("ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation", "c", vpcId=w.vpc.id, cidrBlock="100.64.0.0/16"), destinationCidrBlock="100.64.0.0/10", gatewayId="igw-1")),
    "instance via primary ENI only": ("E1", "by_groups", lambda w: w.with_("ec2/networkInterface:NetworkInterface", "e", "eni-9", subnetId=w.subnet("sandbox").id, securityGroups=["sg-open"]).with_("ec2/securityGroup:SecurityGroup", "open", "sg-open", vpcId=w.vpc.id, egress=[{"protocol": "-1", "cidrBlocks": ["0.0.0.0/0"]}], ingress=[]).with_("ec2/eip:Eip", "eip", networkInterface="eni-9")),
    "EIP to unknown node instance": ("E1", "blueprint", lambda w: route(open_acls(open_groups(gateway(w))), destinationCidrBlock="0.0.0.0/0", gatewayId="igw-1").with_("ec2/eipAssociation:EipAssociation", "a", allocationId="eipalloc-1", instanceId="i-node")),
    "subnet public on launch, template silent": ("E1", "blueprint", lambda w: route(open_acls(open_groups(gateway(w))), destinationCidrBlock="0.0.0.0/0", gatewayId="igw-1").set("Subnet", w.subnet("sandbox").name, mapPublicIpOnLaunch=True).set("LaunchTemplate", "sequester-sandbox", networkInterfaces=[], vpcSecurityGroupIds=[w.group("sandbox-node")])),
    "instance with template": ("E1", "by_groups", lambda w: w.with_("ec2/launchTemplate:LaunchTemplate", "lt", "lt-9", name="lt9", networkInterfaces=[{"associatePublicIpAddress": "true", "securityGroups": ["sg-open"]}]).with_("ec2/securityGroup:SecurityGroup", "open", "sg-open", vpcId=w.vpc.id, egress=[{"protocol": "-1", "cidrBlocks": ["0.0.0.0/0"]}], ingress=[]).with_("ec2/instance:Instance", "i", "i-9", subnetId=w.subnet("sandbox").id, launchTemplate={"id": "lt-9"})),
    "instance w/o subnet, ENI": ("E1", "by_groups", lambda w: w.with_("ec2/networkInterface:NetworkInterface", "e", "eni-9", subnetId=w.subnet("sandbox").id, securityGroups=["sg-open"]).with_("ec2/securityGroup:SecurityGroup", "open", "sg-open", vpcId=w.vpc.id, egress=[{"protocol": "-1", "cidrBlocks": ["0.0.0.0/0"]}], ingress=[]).with_("ec2/instance:Instance", "i", "i-9", networkInterfaces=[{"deviceIndex": 0, "networkInterfaceId": "eni-9"}], associatePublicIpAddress=True)),
    "second template interface with other group": ("E1", "by_groups", lambda w: w.with_("ec2/securityGroup:SecurityGroup", "open", "sg-open", vpcId=w.vpc.id, egress=[{"protocol": "-1", "cidrBlocks": ["0.0.0.0/0"]}], ingress=[]).set("LaunchTemplate", "sequester-sandbox", networkInterfaces=[*w.one("LaunchTemplate", "sequester-sandbox").properties["networkInterfaces"], {"deviceIndex": 1, "securityGroups": ["sg-open"]}])),
    "extra node group in sandbox subnet": ("E1", "by_groups", lambda w: w.with_("eks/nodeGroup:NodeGroup", "ng", "ng-9", clusterName="sequester", subnetIds=[w.subnet("sandbox").id])),
    "remote access key node group": ("E1", "by_groups", lambda w: w.with_("eks/nodeGroup:NodeGroup", "ng", "ng-9", clusterName="sequester", subnetIds=[w.subnet("sandbox").id], remoteAccess={"ec2SshKey": "x"})),
    "ENI in sandbox with default group": ("E1", "by_groups", lambda w: w.with_("ec2/networkInterface:NetworkInterface", "e", "eni-9", subnetId=w.subnet("sandbox").id).set("DefaultSecurityGroup", "sequester", egress=[{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}]).with_("ec2/eip:Eip", "eip", networkInterface="eni-9")),
    "lambda in sandbox subnet": ("E1", "by_groups", lambda w: w.with_("lambda/function:Function", "fn", "fn-9", name="fn", role="r", vpcConfig={"subnetIds": [w.subnet("sandbox").id], "securityGroupIds": ["sg-open"]}).with_("ec2/securityGroup:SecurityGroup", "open", "sg-open", vpcId=w.vpc.id, egress=[{"protocol": "-1", "ipv6CidrBlocks": ["::/0"]}], ingress=[])),
    "ecs service": ("E1", "by_groups", lambda w: w.with_("ecs/service:Service", "fn", "fn-9", networkConfiguration={"subnets": [w.subnet("sandbox").id], "securityGroups": ["sg-open"], "assignPublicIp": True}).with_("ec2/securityGroup:SecurityGroup", "open", "sg-open", vpcId=w.vpc.id, egress=[{"protocol": "-1", "cidrBlocks": ["0.0.0.0/0"]}], ingress=[])),
    "prefix list entries changed": ("E1", "by_groups", lambda w: egress_rule(w.with_("ec2/managedPrefixList:ManagedPrefixList", "pl", "pl-1", entries=[{"cidr": "10.42.0.0/16"}]).with_("ec2/managedPrefixListEntry:ManagedPrefixListEntry", "e", prefixListId="pl-1", cidr="198.51.100.0/24"), ipProtocol="-1", prefixListId="pl-1")),
    "protocol 41": ("E1", "by_groups", lambda w: egress_rule(w, ipProtocol="41", cidrIpv4="0.0.0.0/0")),
    "ESP": ("E1", "by_groups", lambda w: egress_rule(w, ipProtocol="50", fromPort=0, toPort=0, cidrIpv4="192.0.2.1/32")),
    "upper case": ("E1", "by_groups", lambda w: egress_rule(w, ipProtocol="TCP", fromPort=443, toPort=443, cidrIpv4="0.0.0.0/0")),
    "protocol all": ("E1", "by_groups", lambda w: egress_rule(w, ipProtocol="all", cidrIpv4="0.0.0.0/0")),
    "float ports": ("E1", "by_groups", lambda w: egress_rule(w, ipProtocol="tcp", fromPort=443.0, toPort=443.0, cidrIpv4="0.0.0.0/0")),
    "old rule -1": ("E1", "by_groups", lambda w: w.with_("ec2/securityGroupRule:SecurityGroupRule", "o", type="egress", securityGroupId=w.group("sandbox-node"), protocol="-1", fromPort=0, toPort=0, ipv6CidrBlocks=["2000::/3"])),
    "default group template": ("E1", "by_groups", lambda w: in_template(w.with_("ec2/securityGroup:SecurityGroup", "x", "sg-x", vpcId=w.vpc.id, ingress=[]), "sg-x")),
    "acl 41": ("E1", "by_acls", lambda w: acl_rule(w, "x", 5, protocol="41")),
    "acl 47 as int": ("E1", "by_acls", lambda w: acl_rule(w, "x", 5, protocol=47)),
    "acl icmp timestamp": ("E1", "by_acls", lambda w: acl_rule(w, "x", 5, protocol="1", icmpType=13, icmpCode=0)),
    "acl icmp without type": ("E1", "by_acls", lambda w: acl_rule(w, "x", 5, protocol="icmp")),
    "acl ephemeral": ("E1", "by_acls", lambda w: acl_rule(w, "x", 5, protocol="tcp", fromPort=1024, toPort=65535)),
    "acl number as float": ("E1", "by_acls", lambda w: acl_rule(w, "x", 5.0)),
    "acl association removed": ("E1", "by_acls", lambda w: w.without("NetworkAclAssociation", "sequester-sandbox-us-east-1a").set("DefaultNetworkAcl", "sequester", egress=[{"ruleNo": 1, "action": "allow", "protocol": "-1", "fromPort": 0, "toPort": 0, **ANY4}])),
    "acl deny of icmp w/o type leaves types": ("E1", "by_acls", lambda w: w.set("NetworkAclRule", "shut4", protocol="icmp", icmpType=None, icmpCode=None)),
    "acl deny protocol tcp port 0-0": ("E1", "by_acls", lambda w: w.set("NetworkAclRule", "shut4", protocol="6", fromPort=0, toPort=0)),
    "acl deny ingress instead": ("E1", "by_acls", lambda w: w.set("NetworkAclRule", "shut4", egress=False)),
    "acl deny on other acl": ("E1", "by_acls", lambda w: w.set("NetworkAclRule", "shut4", networkAclId=w.id("NetworkAcl", "sequester-system"))),
    "acl deny v4 mapped": ("E1", "by_acls", lambda w: w.set("NetworkAclRule", "shut4", cidrBlock="10.0.0.0/8")),
    "v6: vpc cidr association": ("E1", "blueprint", lambda w: route(open_acls(open_groups(gateway(w))), destinationIpv6CidrBlock="::/0", gatewayId="igw-1").set("Subnet", w.subnet("sandbox").name, ipv6CidrBlock="2001:db8:42::/64")),
    "v6 egress only": ("E1", "blueprint", lambda w: route(open_acls(open_groups(w)), destinationIpv6CidrBlock="::/0", egressOnlyGatewayId="eigw-1").set("Subnet", w.subnet("sandbox").name, ipv6CidrBlock="2001:db8:42::/64")),
    "group unknown direction type": ("E1", "by_groups", lambda w: w.with_("ec2/securityGroupRule:SecurityGroupRule", "o", type="EGRESS", securityGroupId=w.group("sandbox-node"), protocol="-1", fromPort=0, toPort=0, cidrBlocks=["0.0.0.0/0"])),
    "ingress rule from internet + one way": ("E1", "by_groups", lambda w: w.with_("vpc/securityGroupIngressRule:SecurityGroupIngressRule", "i", securityGroupId=w.group("sandbox-node"), ipProtocol="udp", fromPort=51820, toPort=51820, cidrIpv4="198.51.100.7/32")),
}  # fmt: skip

UNDECIDED: Rows = {
    "a load balancer's appliances, and a subnet that leads nowhere": ("E1", "by_routes", load_balancer_endpoint),
    "a VPC without a range": ("E1", "blueprint", lambda w: w.set("Vpc", "sequester", cidrBlock=None)),
    "a VPC whose range is a number": ("E1", "blueprint", lambda w: w.set("Vpc", "sequester", cidrBlock=10)),
    "a subnet without a range": ("E1", "blueprint", lambda w: w.set("Subnet", w.subnet("system").name, cidrBlock=None)),
    "a group of a VPC beyond a peering": ("E1", "by_groups", lambda w: egress_rule(w, ipProtocol="tcp", fromPort=443, toPort=443, referencedSecurityGroupId="210987654321/sg-9")),
    "asg mixed policy": ("E1", "by_groups", lambda w: w.with_("autoscaling/group:Group", "g", "asg-1", vpcZoneIdentifiers=[w.subnet("sandbox").id], mixedInstancesPolicy={"launchTemplate": {"launchTemplateSpecification": {"launchTemplateId": "lt-x"}}})),
    "EKS Auto Mode": ("E1", "blueprint", lambda w: w.set("Cluster", "sequester", computeConfig={"enabled": True, "nodePools": ["general-purpose"]})),
    "hybrid nodes": ("E1", "blueprint", lambda w: w.set("Cluster", "sequester", remoteNetworkConfig={"remoteNodeNetworks": {"cidrs": ["10.200.0.0/16"]}})),
    "an add-on nobody has looked at": ("E5", "blueprint", lambda w: w.with_("eks/addon:Addon", "mesh", clusterName="sequester", addonName="tetrate-io_istio-distro")),
    "two tables for one subnet": ("E1", "by_routes", second_table),
    "two ACLs for one subnet": ("E1", "by_acls", second_acl),
    "an ACL's own list beside an association": ("E1", "by_acls", lambda w: second_acl(w).without("NetworkAclAssociation", "late").set("NetworkAcl", "open", subnetIds=[w.subnet("sandbox").id])),
    "two DHCP options": ("E2", "blueprint", lambda w: w.with_("ec2/vpcDhcpOptions:VpcDhcpOptions", "o", "dopt-o", domainNameServers=["192.0.2.53"]).with_("ec2/vpcDhcpOptionsAssociation:VpcDhcpOptionsAssociation", "late", vpcId=w.vpc.id, dhcpOptionsId="dopt-o")),
    "two ways to fail": ("E2", "blueprint", lambda w: w.with_("route53/resolverFirewallConfig:ResolverFirewallConfig", "late", resourceId=w.vpc.id, firewallFailOpen="ENABLED")),
    "two main tables": ("E1", "by_routes", lambda w: w.with_("ec2/mainRouteTableAssociation:MainRouteTableAssociation", "a", vpcId=w.vpc.id, routeTableId=w.table("system").id).with_("ec2/mainRouteTableAssociation:MainRouteTableAssociation", "b", vpcId=w.vpc.id, routeTableId=w.table("sandbox").id)),
    "NAT in unknown vpc": ("E1", "by_routes", lambda w: route(w, destinationCidrBlock="0.0.0.0/0", natGatewayId="nat-elsewhere")),
    "unknown prefix list to igw": ("E1", "by_routes", lambda w: route(gateway(w), destinationPrefixListId="pl-unknown", gatewayId="igw-1")),
    "unknown target property": ("E1", "by_routes", lambda w: route(w, destinationCidrBlock="0.0.0.0/0", newGatewayId="x-1")),
    "group rule: peer group in other vpc": ("E1", "by_groups", lambda w: egress_rule(w, ipProtocol="-1", referencedSecurityGroupId="210987654321/sg-peer")),
    "SecurityGroupVpcAssociation": ("E1", "by_groups", lambda w: w.with_("vpc/securityGroupVpcAssociation:SecurityGroupVpcAssociation", "x", securityGroupId="sg-x", vpcId=w.vpc.id)),
    "sg rules exclusive": ("E1", "by_groups", lambda w: w.with_("vpc/securityGroupRulesExclusive:SecurityGroupRulesExclusive", "x", securityGroupId="sg-x")),
    "relay: instance with way out": ("E1", "blueprint", lambda w: forwarder(w).with_("vpc/securityGroupEgressRule:SecurityGroupEgressRule", "r", securityGroupId=w.group("sandbox-node"), ipProtocol="tcp", fromPort=3128, toPort=3128, referencedSecurityGroupId="sg-forwarder")),
    "relay of relay": ("E1", "blueprint", lambda w: forwarder(w).with_("ec2/securityGroup:SecurityGroup", "mid", "sg-mid", vpcId=w.vpc.id, ingress=[{"protocol": "tcp", "fromPort": 3128, "toPort": 3128, "cidrBlocks": ["10.42.0.0/16"]}], egress=[{"protocol": "tcp", "fromPort": 3128, "toPort": 3128, "cidrBlocks": ["10.42.250.0/24"]}]).with_("ec2/subnet:Subnet", "mid", "subnet-mid", vpcId=w.vpc.id, cidrBlock="10.42.251.0/24").with_("ec2/instance:Instance", "mid", "i-mid", subnetId="subnet-mid", vpcSecurityGroupIds=["sg-mid"]).with_("vpc/securityGroupEgressRule:SecurityGroupEgressRule", "r", securityGroupId=w.group("sandbox-node"), ipProtocol="tcp", fromPort=3128, toPort=3128, referencedSecurityGroupId="sg-mid")),
    "local replaced by ENI": ("E1", "by_routes", lambda w: route(forwarder(w), destinationCidrBlock="10.42.250.0/24", networkInterfaceId="i-forwarder")),
    "network firewall type": ("E1", "by_routes", lambda w: w.with_("networkfirewall/firewall:Firewall", "f")),
    "client vpn": ("E1", "by_routes", lambda w: w.with_("ec2clientvpn/endpoint:Endpoint", "f")),
    "lattice": ("E1", "by_routes", lambda w: w.with_("vpclattice/serviceNetworkVpcAssociation:ServiceNetworkVpcAssociation", "f")),
    "dx": ("E1", "by_routes", lambda w: w.with_("directconnect/gatewayAssociation:GatewayAssociation", "f")),
    "vgw propagation standalone": ("E1", "by_routes", lambda w: w.with_("ec2/vpnGatewayRoutePropagation:VpnGatewayRoutePropagation", "p", routeTableId=w.table("sandbox").id, vpnGatewayId="vgw-1")),
    "route server propagation": ("E1", "by_routes", lambda w: w.with_("vpc/routeServerPropagation:RouteServerPropagation", "p", routeTableId=w.table("sandbox").id)),
    "NLB": ("E1", "by_routes", lambda w: w.with_("lb/loadBalancer:LoadBalancer", "p", subnets=[w.subnet("sandbox").id])),
    "fargate": ("E1", "by_routes", lambda w: w.with_("eks/fargateProfile:FargateProfile", "p")),
    "rds": ("E1", "by_routes", lambda w: w.with_("rds/instance:Instance", "p")),
    "spot": ("E1", "by_routes", lambda w: w.with_("ec2/spotInstanceRequest:SpotInstanceRequest", "p")),
    "ram": ("E1", "by_routes", lambda w: w.with_("ram/resourceAssociation:ResourceAssociation", "p")),
    "aws-native": ("E1", "by_routes", lambda w: World((*w.resources, Resource('aws-native:ec2:NatGateway', 'n', 'n', {})), w.manifests)),
    "dynamic provider": ("E1", "by_routes", lambda w: World((*w.resources, Resource('pulumi-python:dynamic:Resource', 'n', 'x', {})), w.manifests)),
    "command local": ("E1", "by_routes", lambda w: World((*w.resources, Resource('command:local:Command', 'n', 'x', {})), w.manifests)),
}  # fmt: skip

HARMLESS: Rows = {
    "the address of a NAT gateway": ("E1", "blueprint", lambda w: route(open_acls(open_groups(nat_address(w))), destinationCidrBlock="0.0.0.0/0", gatewayId="igw-1")),
    "an instance without a public address": ("E1", "by_groups", lambda w: addressed(w, userData=w.one("LaunchTemplate", "sequester-sandbox").properties["userData"])),
    "an address for another instance's first interface": ("E1", "by_groups", lambda w: addressed(w, primaryNetworkInterfaceId="eni-9", userData=w.one("LaunchTemplate", "sequester-sandbox").properties["userData"]).with_("ec2/instance:Instance", "other", "i-8", primaryNetworkInterfaceId="eni-8", vpcSecurityGroupIds=["sg-8"]).with_("ec2/eip:Eip", "a", networkInterface="eni-8")),
    "a default route out, and a group that speaks of its members": ("E1", "by_groups", lambda w: egress_rule(w, ipProtocol="tcp", fromPort=53, toPort=53, referencedSecurityGroupId=w.group("sandbox-node"))),
    "a regional NAT gateway without a route": ("E1", "by_routes", lambda w: regional(gateway(w))),
    "a regional NAT gateway beyond its IPv6 range": ("E1", "by_routes", lambda w: route(regional(gateway(w)), destinationIpv6CidrBlock="2001:db8::/32", natGatewayId="nat-r")),
    "an association said twice": ("E1", "by_acls", lambda w: w.with_("ec2/networkAclAssociation:NetworkAclAssociation", "again", subnetId=w.subnet("sandbox").id, networkAclId=w.id("NetworkAcl", "sequester-sandbox"))),
    "the default ACL's list from before": ("E1", "by_acls", lambda w: w.set("DefaultNetworkAcl", "sequester", subnetIds=[w.subnet("sandbox").id])),
    "a storage add-on": ("E5", "blueprint", lambda w: w.with_("eks/addon:Addon", "ebs", clusterName="sequester", addonName="aws-ebs-csi-driver")),
    "Auto Mode switched off": ("E1", "blueprint", lambda w: w.set("Cluster", "sequester", computeConfig={"enabled": False})),
    "group rule: own group self with public?": ("E1", "by_groups", lambda w: egress_rule(w, ipProtocol="-1", referencedSecurityGroupId=w.group("sandbox-node"))),
    "gateway route table (edge)": ("E1", "by_routes", lambda w: gateway(w).with_("ec2/routeTable:RouteTable", "edge", "rtb-e", vpcId=w.vpc.id, routes=[]).with_("ec2/routeTableAssociation:RouteTableAssociation", "edge", gatewayId="igw-1", routeTableId="rtb-e")),
    "awsx vpc component": ("E1", "by_routes", lambda w: World((*w.resources, Resource('awsx:ec2:Vpc', 'n', '', {})), w.manifests)),
}  # fmt: skip
