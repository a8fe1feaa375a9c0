"""Networks of a live account: VPCs, subnets, routes, ACLs, groups, lists, gateways and endpoints."""

from collections.abc import Callable, Iterator

from sequester.sources.live.reader import MALFORMED, Raw, Reader, name_of, parts, tags_of
from sequester.sources.resource import Resource


def read(reader: Reader) -> Iterator[Resource]:
    """Everything that packets meet, except what has interfaces: hosts.py has those."""
    for operation, form in _FORMS:
        yield from formed(reader, operation, form)
    yield from _prefix_lists(reader)  # and the endpoints, which name some of them
    yield from _strangers(reader)


def formed(
    reader: Reader, operation: str, form: Callable[[Raw], Iterator[Resource]], **asked: object
) -> Iterator[Resource]:
    """Each thing of a list call as resources; one that is not of its form is a gap by name."""
    for raw in reader.each(operation, **asked):
        try:
            yield from list(form(raw))
        except MALFORMED as error:
            reader.unreadable(f"{operation}: {str(raw)[:60]}", error)


def _vpc(raw: Raw) -> Iterator[Resource]:
    key = raw["VpcId"]
    v4 = list(_associated(raw, "CidrBlock")) or [raw["CidrBlock"]]
    v6 = list(_associated(raw, "Ipv6CidrBlock"))
    stated = {"cidrBlock": raw["CidrBlock"], "ipv6CidrBlock": "".join(v6[:1]), "tags": tags_of(raw)}
    yield Resource("aws:ec2/vpc:Vpc", name_of(raw, "VpcId"), key, stated)
    for block in v4:
        if block != raw["CidrBlock"]:
            kind = "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation"
            yield Resource(kind, block, f"{key} {block}", {"vpcId": key, "cidrBlock": block})
    for block in v6[1:]:
        kind = "aws:ec2/vpcIpv6CidrBlockAssociation:VpcIpv6CidrBlockAssociation"
        yield Resource(kind, block, f"{key} {block}", {"vpcId": key, "ipv6CidrBlock": block})
    options = raw.get("DhcpOptionsId", "default")
    if options != "default":  # the literal that AWS answers where none are associated
        kind = "aws:ec2/vpcDhcpOptionsAssociation:VpcDhcpOptionsAssociation"
        yield Resource(kind, options, f"{key} {options}", {"vpcId": key, "dhcpOptionsId": options})


def _associated(raw: Raw, member: str) -> Iterator[str]:
    """Blocks that are in force: one that was taken away is listed for a while, and would widen the local route."""
    for one in raw.get(f"{member}AssociationSet", ()):
        if one.get(f"{member}State", {}).get("State", "associated") == "associated":
            yield str(one[member])


def _subnet(raw: Raw) -> Iterator[Resource]:
    v6 = list(_associated(raw, "Ipv6CidrBlock"))
    yield Resource(
        "aws:ec2/subnet:Subnet",
        name_of(raw, "SubnetId"),
        raw["SubnetId"],
        {
            "vpcId": raw["VpcId"],
            "cidrBlock": raw.get("CidrBlock"),
            "ipv6CidrBlock": "".join(v6[:1]),
            "mapPublicIpOnLaunch": raw.get("MapPublicIpOnLaunch", False),
            "tags": tags_of(raw),
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
    "OdbNetworkArn": "odbNetworkArn",
    "InstanceId": "instanceId",
}


def _table(raw: Raw) -> Iterator[Resource]:
    key, name = raw["RouteTableId"], name_of(raw, "RouteTableId")
    routes = [
        {ours: route[theirs] for theirs, ours in _ROUTE_KEYS.items() if route.get(theirs)}
        for route in parts(raw, "Routes")
    ]
    vgws = [v["GatewayId"] for v in parts(raw, "PropagatingVgws")]
    properties = {"vpcId": raw["VpcId"], "routes": routes, "propagatingVgws": vgws}
    yield Resource("aws:ec2/routeTable:RouteTable", name, key, properties)
    for one in parts(raw, "Associations"):
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
        name_of(raw, "NetworkAclId"),
        raw["NetworkAclId"],
        {
            "vpcId": raw.get("VpcId"),
            "subnetIds": [a["SubnetId"] for a in parts(raw, "Associations")],
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
        "ingress": [rule(r) for r in parts(raw, "IpPermissions")],
        "egress": [rule(r) for r in parts(raw, "IpPermissionsEgress")],
    }
    yield Resource("aws:ec2/securityGroup:SecurityGroup", raw["GroupName"], raw["GroupId"], properties)


def _nat(raw: Raw) -> Iterator[Resource]:
    if raw.get("State") not in ("deleted", "deleting", "failed"):
        properties = {
            "subnetId": raw.get("SubnetId"),
            "vpcId": raw.get("VpcId"),
            "connectivityType": raw.get("ConnectivityType"),
        }
        yield Resource("aws:ec2/natGateway:NatGateway", name_of(raw, "NatGatewayId"), raw["NatGatewayId"], properties)


def _endpoint(raw: Raw) -> Iterator[Resource]:
    if str(raw.get("State", "")).lower() in ("deleted", "deleting", "rejected", "expired", "failed"):
        return
    properties = {
        "vpcId": raw["VpcId"],
        "serviceName": raw.get("ServiceName") or raw.get("ResourceConfigurationArn") or raw.get("ServiceNetworkArn"),
        "vpcEndpointType": raw.get("VpcEndpointType", "Gateway"),
        "subnetIds": raw.get("SubnetIds", []),
        "securityGroupIds": [g["GroupId"] for g in parts(raw, "Groups")],
        "routeTableIds": raw.get("RouteTableIds", []),
        "policy": raw.get("PolicyDocument"),
        "networkInterfaceIds": raw.get("NetworkInterfaceIds", []),
    }
    yield Resource("aws:ec2/vpcEndpoint:VpcEndpoint", name_of(raw, "VpcEndpointId"), raw["VpcEndpointId"], properties)


def _prefix_lists(reader: Reader) -> Iterator[Resource]:
    """Every list with its entries, and gateway endpoints with the id of the list that AWS keeps for their service."""
    ids: dict[str, str] = {}

    def form(raw: Raw) -> Iterator[Resource]:
        key, name = raw["PrefixListId"], raw.get("PrefixListName") or raw["PrefixListId"]
        if raw.get("OwnerId") == "AWS":
            ids[name] = key
        if raw.get("OwnerId") != "AWS" or not name.endswith((".s3", ".dynamodb")):
            found = reader.each("ec2.get_managed_prefix_list_entries", PrefixListId=key)
            entries = [{"cidr": entry["Cidr"]} for entry in found]
            yield Resource("aws:ec2/managedPrefixList:ManagedPrefixList", name, key, {"entries": entries})

    yield from formed(reader, "ec2.describe_managed_prefix_lists", form)

    def endpoint(raw: Raw) -> Iterator[Resource]:
        for one in _endpoint(raw):
            listed = {"prefixListId": ids[raw["ServiceName"]]} if raw.get("ServiceName") in ids else {}
            yield Resource(one.type, one.name, one.id, {**one.properties, **listed})

    yield from formed(reader, "ec2.describe_vpc_endpoints", endpoint)


# What leads packets elsewhere in ways that the model does not follow: found, it is a gap by the name of its type.
_STRANGERS: tuple[tuple[str, str, str, str, str], ...] = (
    ("ec2.describe_client_vpn_endpoints", "aws:ec2clientvpn/endpoint:Endpoint", "ClientVpnEndpointId", "VpcId", "ec2"),
    ("ec2.describe_route_servers", "aws:vpc/routeServer:RouteServer", "RouteServerId", "VpcId", "ec2"),
    (
        "vpc-lattice.list_service_network_vpc_associations",
        "aws:vpclattice/serviceNetworkVpcAssociation:ServiceNetworkVpcAssociation", "id", "vpcId", "vpc-lattice",
    ),
    (
        "route53profiles.list_profile_associations",
        "aws:route53/profilesAssociation:ProfilesAssociation", "Id", "ResourceId", "route53profiles",
    ),
)  # fmt: skip


def _strangers(reader: Reader) -> Iterator[Resource]:
    for operation, kind, key, place, service in _STRANGERS:
        if not reader.offered(service):
            continue

        def form(raw: Raw, kind: str = kind, key: str = key, place: str = place) -> Iterator[Resource]:
            yield Resource(kind, str(raw[key]), str(raw[key]), {"vpcId": raw.get(place)})

        yield from formed(reader, operation, form)


_FORMS: tuple[tuple[str, Callable[[Raw], Iterator[Resource]]], ...] = (
    ("ec2.describe_vpcs", _vpc),
    ("ec2.describe_subnets", _subnet),
    ("ec2.describe_route_tables", _table),
    ("ec2.describe_network_acls", _acl),
    ("ec2.describe_security_groups", _group),
    ("ec2.describe_nat_gateways", _nat),
)
