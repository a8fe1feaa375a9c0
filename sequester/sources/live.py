"""A model from a live account, by describe and list calls: the same facts, in the form in which a program states them.

Every list is paginated to its end. A call that is refused becomes a gap: what was not read is Unknown, never closed.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from sequester.proof.model import Gap, Model
from sequester.proof.selector import Selector
from sequester.sources.resource import Resource
from sequester.sources.stack import model_of
from sequester.sources.types import EVERY_CLAIM

Raw = dict[str, Any]


def live_model(selector: Selector | None = None, *, region: str, session: boto3.Session | None = None) -> Model:
    """Needs read rights only (SecurityAudit has them). Never raises for a refused call."""
    aws = session or boto3.Session(region_name=region)
    # boto3-stubs type each service by its literal name; here the names are data.
    client = cast("Callable[..., Any]", cast("Any", aws).client)
    found: list[Resource] = []
    gaps: list[Gap] = []
    account = ""
    try:
        account = str(client("sts", region_name=region).get_caller_identity()["Account"])
    except (BotoCoreError, ClientError) as error:
        gaps.append(Gap(EVERY_CLAIM, f"live: sts.get_caller_identity: {error}"))
    for service, operation, key, reader in _READS:
        try:
            there = client(service, region_name=region)
            for one in _pages(there, operation, key):
                found += reader(one)
        except (BotoCoreError, ClientError) as error:
            gaps.append(Gap(EVERY_CLAIM, f"live: {service}.{operation}: {error}"))
    gaps.append(Gap(frozenset({"E4", "E5", "E7", "E8"}), "live: roles, cluster, functions and alarms are not read yet"))
    gaps.append(Gap(frozenset({"E2"}), "live: DNS Firewall is not read yet"))
    return model_of(found, selector, account=account, region=region, gaps=gaps)


def _pages(client: Any, operation: str, key: str) -> Iterator[Raw]:
    for page in client.get_paginator(operation).paginate():
        yield from page[key]


def _name(raw: Mapping[str, Any], key: str) -> str:
    tags = {t["Key"]: t["Value"] for t in raw.get("Tags", ())}
    return str(tags.get("Name") or raw[key])


def _tags(raw: Mapping[str, Any]) -> dict[str, str]:
    return {t["Key"]: t["Value"] for t in raw.get("Tags", ())}


def _vpc(raw: Raw) -> Iterator[Resource]:
    v6 = [a["Ipv6CidrBlock"] for a in raw.get("Ipv6CidrBlockAssociationSet", ())]
    key = raw["VpcId"]
    yield Resource(
        "aws:ec2/vpc:Vpc", _name(raw, "VpcId"), key, {"cidrBlock": raw["CidrBlock"], "ipv6CidrBlock": "".join(v6[:1])}
    )
    for extra in raw.get("CidrBlockAssociationSet", ()):
        if extra["CidrBlock"] != raw["CidrBlock"]:
            kind = "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation"
            yield Resource(
                kind, extra["CidrBlock"], extra["AssociationId"], {"vpcId": key, "cidrBlock": extra["CidrBlock"]}
            )
    for block in v6[1:]:
        kind = "aws:ec2/vpcIpv6CidrBlockAssociation:VpcIpv6CidrBlockAssociation"
        yield Resource(kind, block, block, {"vpcId": key, "ipv6CidrBlock": block})


def _subnet(raw: Raw) -> Iterator[Resource]:
    v6 = [a["Ipv6CidrBlock"] for a in raw.get("Ipv6CidrBlockAssociationSet", ())]
    yield Resource(
        "aws:ec2/subnet:Subnet",
        _name(raw, "SubnetId"),
        raw["SubnetId"],
        {
            "vpcId": raw["VpcId"],
            "cidrBlock": raw.get("CidrBlock"),
            "ipv6CidrBlock": "".join(v6[:1]),
            "mapPublicIpOnLaunch": raw.get("MapPublicIpOnLaunch", False),
            "tags": _tags(raw),
        },
    )


_ROUTE_KEYS = {
    "DestinationCidrBlock": "cidrBlock",
    "DestinationIpv6CidrBlock": "ipv6CidrBlock",
    "DestinationPrefixListId": "destinationPrefixListId",
    "GatewayId": "gatewayId",
    "NatGatewayId": "natGatewayId",
    "TransitGatewayId": "transitGatewayId",
    "VpcPeeringConnectionId": "vpcPeeringConnectionId",
    "NetworkInterfaceId": "networkInterfaceId",
    "EgressOnlyInternetGatewayId": "egressOnlyGatewayId",
    "CarrierGatewayId": "carrierGatewayId",
    "LocalGatewayId": "localGatewayId",
    "CoreNetworkArn": "coreNetworkArn",
}


def _table(raw: Raw) -> Iterator[Resource]:
    key, name = raw["RouteTableId"], _name(raw, "RouteTableId")
    # A gateway endpoint's route is stated by the endpoint itself.
    routes = [
        {ours: route[theirs] for theirs, ours in _ROUTE_KEYS.items() if route.get(theirs)}
        for route in raw.get("Routes", ())
        if not (route.get("DestinationPrefixListId") and str(route.get("GatewayId", "")).startswith("vpce-"))
    ]
    vgws = [v["GatewayId"] for v in raw.get("PropagatingVgws", ())]
    properties = {"vpcId": raw["VpcId"], "routes": routes, "propagatingVgws": vgws}
    yield Resource("aws:ec2/routeTable:RouteTable", name, key, properties)
    for one in raw.get("Associations", ()):
        if one.get("Main"):
            kind = "aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation"
            yield Resource(kind, name, one["RouteTableAssociationId"], {"vpcId": raw["VpcId"], "routeTableId": key})
        elif one.get("SubnetId"):
            kind = "aws:ec2/routeTableAssociation:RouteTableAssociation"
            properties = {"subnetId": one["SubnetId"], "routeTableId": key}
            yield Resource(kind, name, one["RouteTableAssociationId"], properties)


def _acl(raw: Raw) -> Iterator[Resource]:
    def entry(one: Raw) -> Raw:
        ports, kind = one.get("PortRange", {}), one.get("IcmpTypeCode", {})
        return {
            "ruleNo": one["RuleNumber"], "action": one["RuleAction"], "protocol": one["Protocol"],
            "cidrBlock": one.get("CidrBlock"), "ipv6CidrBlock": one.get("Ipv6CidrBlock"),
            "fromPort": ports.get("From"), "toPort": ports.get("To"),
            "icmpType": kind.get("Type"), "icmpCode": kind.get("Code"),
        }  # fmt: skip

    yield Resource(
        "aws:ec2/networkAcl:NetworkAcl",
        _name(raw, "NetworkAclId"),
        raw["NetworkAclId"],
        {
            "subnetIds": [a["SubnetId"] for a in raw.get("Associations", ())],
            "ingress": [entry(e) for e in raw["Entries"] if not e["Egress"]],
            "egress": [entry(e) for e in raw["Entries"] if e["Egress"]],
        },
    )


def _group(raw: Raw) -> Iterator[Resource]:
    def rule(one: Raw) -> Raw:
        return {
            "protocol": one["IpProtocol"],
            "fromPort": one.get("FromPort"),
            "toPort": one.get("ToPort"),
            "cidrBlocks": [r["CidrIp"] for r in one.get("IpRanges", ())],
            "ipv6CidrBlocks": [r["CidrIpv6"] for r in one.get("Ipv6Ranges", ())],
            "prefixListIds": [r["PrefixListId"] for r in one.get("PrefixListIds", ())],
            "securityGroups": [r["GroupId"] for r in one.get("UserIdGroupPairs", ())],
        }

    properties = {
        "vpcId": raw.get("VpcId"),
        "ingress": [rule(r) for r in raw.get("IpPermissions", ())],
        "egress": [rule(r) for r in raw.get("IpPermissionsEgress", ())],
    }
    yield Resource("aws:ec2/securityGroup:SecurityGroup", raw["GroupName"], raw["GroupId"], properties)


def _interface(raw: Raw) -> Iterator[Resource]:
    """Live, every place is its interfaces, whatever made them."""
    key = raw["NetworkInterfaceId"]
    if raw.get("InterfaceType") in ("nat_gateway", "vpc_endpoint", "gateway_load_balancer_endpoint"):
        return
    properties = {
        "subnetId": raw["SubnetId"],
        "securityGroups": [g["GroupId"] for g in raw.get("Groups", ())],
        "sourceDestCheck": raw.get("SourceDestCheck", True),
        "privateIps": [a["PrivateIpAddress"] for a in raw.get("PrivateIpAddresses", ())],
    }
    yield Resource(
        "aws:ec2/networkInterface:NetworkInterface",
        _name({**raw, "Tags": raw.get("TagSet", ())}, "NetworkInterfaceId"),
        key,
        properties,
    )
    if raw.get("Association", {}).get("PublicIp"):
        yield Resource(
            "aws:ec2/eip:Eip", raw["Association"]["PublicIp"], raw["Association"]["PublicIp"], {"networkInterface": key}
        )


def _nat(raw: Raw) -> Iterator[Resource]:
    if raw.get("State") not in ("deleted", "deleting", "failed"):
        properties = {
            "subnetId": raw.get("SubnetId"),
            "vpcId": raw.get("VpcId"),
            "connectivityType": raw.get("ConnectivityType"),
        }
        yield Resource("aws:ec2/natGateway:NatGateway", _name(raw, "NatGatewayId"), raw["NatGatewayId"], properties)


def _endpoint(raw: Raw) -> Iterator[Resource]:
    properties = {
        "vpcId": raw["VpcId"],
        "serviceName": raw["ServiceName"],
        "vpcEndpointType": raw.get("VpcEndpointType", "Gateway"),
        "subnetIds": raw.get("SubnetIds", []),
        "securityGroupIds": [g["GroupId"] for g in raw.get("Groups", ())],
        "routeTableIds": raw.get("RouteTableIds", []),
        "policy": raw.get("PolicyDocument"),
    }
    yield Resource("aws:ec2/vpcEndpoint:VpcEndpoint", _name(raw, "VpcEndpointId"), raw["VpcEndpointId"], properties)


_READS: tuple[tuple[str, str, str, Callable[[Raw], Iterator[Resource]]], ...] = (
    ("ec2", "describe_vpcs", "Vpcs", _vpc),
    ("ec2", "describe_subnets", "Subnets", _subnet),
    ("ec2", "describe_route_tables", "RouteTables", _table),
    ("ec2", "describe_network_acls", "NetworkAcls", _acl),
    ("ec2", "describe_security_groups", "SecurityGroups", _group),
    ("ec2", "describe_network_interfaces", "NetworkInterfaces", _interface),
    ("ec2", "describe_nat_gateways", "NatGateways", _nat),
    ("ec2", "describe_vpc_endpoints", "VpcEndpoints", _endpoint),
)
