"""VPCs, subnets, route tables, routes and DHCP options."""

from typing import cast

from sequester.cloud.api import Aws, RefusedError
from sequester.cloud.kind import Call, Kind, code
from sequester.cloud.wire import Props


@code(takes="tags")
def retag(aws: Aws, state: Props) -> None:
    """Make the tags of an EC2 resource exactly the program's (create_tags alone would keep removed ones)."""
    resource = str(state["id"])
    tags = cast(dict[str, str], state.get("tags") or {})
    filters = [{"Name": "resource-id", "Values": [resource]}]
    held = {tag["Key"] for tag in aws.call("ec2.describe_tags", Filters=filters)["Tags"]}
    if held - tags.keys():
        aws.call("ec2.delete_tags", Resources=[resource], Tags=[{"Key": k} for k in sorted(held - tags.keys())])
    if tags:
        aws.call("ec2.create_tags", Resources=[resource], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])


def arn(resource: str) -> str:
    """The template of an EC2 resource's ARN."""
    return f"arn:{{partition}}:ec2:{{region}}:{{account}}:{resource}/{{id}}"


def one_association(aws: Aws, state: Props) -> None:
    """A subnet has one explicit route table: AWS refuses a second association, moto keeps both."""
    if not state.get("subnetId") or "id" in state:
        return
    filters = [{"Name": "association.subnet-id", "Values": [state["subnetId"]]}]
    held = aws.call("ec2.describe_route_tables", Filters=filters)["RouteTables"]
    if held:
        raise RefusedError(
            "Resource.AlreadyAssociated",
            f"the subnet {state['subnetId']} already has the route table {held[0]['RouteTableId']}",
        )


_TARGETS = {"egressOnlyGatewayId": "EgressOnlyInternetGatewayId"}
_DESTINATIONS = ("destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId")


def one_destination(_: Aws, state: Props) -> None:
    """A route has one destination and one target (EC2 CreateRoute)."""
    given = [name for name in _DESTINATIONS if state.get(name)]
    if len(given) != 1:
        raise RefusedError("InvalidParameterCombination", f"a route has one destination, not {given or 'none'}")


def no_endpoint_route(_: Aws, state: Props) -> None:
    """Routes to gateway endpoints are made by the endpoint, never by CreateRoute."""
    if str(state.get("gatewayId", "")).startswith("vpce-"):
        raise RefusedError(
            "InvalidParameterValue", f"{state['gatewayId']} is a gateway endpoint: associate the table with it"
        )


def _vpc_parts(aws: Aws, vpc: object) -> Props:
    """What AWS makes with a VPC."""
    mine = [{"Name": "vpc-id", "Values": [vpc]}]
    group = aws.call("ec2.describe_security_groups", Filters=[*mine, {"Name": "group-name", "Values": ["default"]}])
    default = group["SecurityGroups"][0]
    tables = aws.call("ec2.describe_route_tables", Filters=[*mine, {"Name": "association.main", "Values": ["true"]}])
    acls = aws.call("ec2.describe_network_acls", Filters=[*mine, {"Name": "default", "Values": ["true"]}])
    main = tables["RouteTables"][0]["RouteTableId"]
    return {
        "defaultSecurityGroupId": default["GroupId"],
        "defaultRouteTableId": main,
        "mainRouteTableId": main,
        "defaultNetworkAclId": acls["NetworkAcls"][0]["NetworkAclId"],
    }


@code(
    takes="cidrBlock instanceTenancy assignGeneratedIpv6CidrBlock ipv6CidrBlock ipv6IpamPoolId tags",
    gives="ownerId dhcpOptionsId ipv6CidrBlock ipv6AssociationId defaultNetworkAclId defaultRouteTableId "
    "defaultSecurityGroupId mainRouteTableId",
)
def create_vpc(aws: Aws, state: Props) -> Props:
    """A VPC with what AWS makes beside it. Its default group lets members talk to each other; moto's does not."""
    made = _CREATE_VPC(aws, state, VPC.schema)
    if state.get("ipv6CidrBlock"):
        made |= _chosen_ipv6(aws, str(made["id"]), str(state["ipv6CidrBlock"]))
    parts = _vpc_parts(aws, made["id"])
    group = str(parts["defaultSecurityGroupId"])
    within = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}
    aws.call("ec2.authorize_security_group_ingress", GroupId=group, IpPermissions=[within])
    v6 = {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    if not state.get("assignGeneratedIpv6CidrBlock"):
        aws.call("ec2.revoke_security_group_egress", GroupId=group, IpPermissions=[v6])
    return made | parts


def _chosen_ipv6(aws: Aws, vpc: str, cidr: str) -> Props:
    """A range of an IPAM pool: moto knows only ranges that Amazon chooses."""
    association = f"vpc-cidr-assoc-{vpc.removeprefix('vpc-')}"
    held: Props = {
        "AssociationId": association,
        "Ipv6CidrBlock": cidr,
        "Ipv6CidrBlockState": {"State": "associated"},
    }
    aws.keep("ec2:VpcId", vpc, Ipv6CidrBlockAssociationSet=[held])
    return {"ipv6CidrBlock": cidr, "ipv6AssociationId": association}


@code(takes="enableDnsSupport enableDnsHostnames enableNetworkAddressUsageMetrics")
def vpc_attributes(aws: Aws, state: Props) -> None:
    """AWS changes one attribute a call."""
    for name in ("EnableDnsSupport", "EnableDnsHostnames", "EnableNetworkAddressUsageMetrics"):
        value = state.get(name[0].lower() + name[1:])
        if value is not None:
            aws.call("ec2.modify_vpc_attribute", VpcId=state["id"], **{name: {"Value": value}})


@code(gives="enableDnsSupport enableDnsHostnames cidrBlock instanceTenancy dhcpOptionsId ownerId tags")
def read_vpc(aws: Aws, state: Props) -> Props:
    """The VPC and its two DNS attributes."""
    seen = _DESCRIBE_VPC(aws, state, VPC.schema)
    for name in ("enableDnsSupport", "enableDnsHostnames"):
        answer = aws.call("ec2.describe_vpc_attribute", VpcId=state["id"], Attribute=name)
        seen[name] = answer[name[0].upper() + name[1:]]["Value"]
    return seen


_V6 = "Ipv6CidrBlockAssociationSet[0]"
_CREATE_VPC = Call(
    "ec2.create_vpc",
    names={"assignGeneratedIpv6CidrBlock": "AmazonProvidedIpv6CidrBlock"},
    at="Vpc",
    outputs={"id": "VpcId", "ipv6CidrBlock": f"{_V6}.Ipv6CidrBlock", "ipv6AssociationId": f"{_V6}.AssociationId"},
    tagged="vpc",
    only=(
        *("cidrBlock", "instanceTenancy", "assignGeneratedIpv6CidrBlock", "tags"),
        *("ipv6CidrBlock", "ipv6IpamPoolId"),
    ),
)
_DESCRIBE_VPC = Call("ec2.describe_vpcs", fixed={"VpcIds": ["{id}"]}, at="Vpcs[0]", only=())
VPC = Kind(
    "aws:ec2/vpc:Vpc",
    create=create_vpc,
    read=read_vpc,
    changes=(vpc_attributes, retag),
    delete=Call("ec2.delete_vpc", fixed={"VpcId": "{id}"}, only=()),
    computed={"arn": arn("vpc")},
    defaults={"enableDnsSupport": True, "enableDnsHostnames": False, "instanceTenancy": "default"},
    absent=frozenset({"ipv6AssociationId"}),
)

_SUBNET_FLAGS = ("mapPublicIpOnLaunch", "assignIpv6AddressOnCreation", "enableDns64")
_SUBNET_NAMES = {
    "enableResourceNameDnsARecordOnLaunch": "EnableResourceNameDnsARecordOnLaunch",
    "enableResourceNameDnsAaaaRecordOnLaunch": "EnableResourceNameDnsAAAARecordOnLaunch",
}


@code(
    takes="mapPublicIpOnLaunch assignIpv6AddressOnCreation enableDns64 privateDnsHostnameTypeOnLaunch "
    "enableResourceNameDnsARecordOnLaunch enableResourceNameDnsAaaaRecordOnLaunch"
)
def subnet_attributes(aws: Aws, state: Props) -> None:
    """AWS changes one attribute a call; only those that differ from a new subnet's are sent."""
    flags = {name: name[0].upper() + name[1:] for name in _SUBNET_FLAGS} | _SUBNET_NAMES
    for name, parameter in flags.items():
        if state.get(name) is not None:
            aws.call("ec2.modify_subnet_attribute", SubnetId=state["id"], **{parameter: {"Value": state[name]}})
    if kind := state.get("privateDnsHostnameTypeOnLaunch"):
        aws.call("ec2.modify_subnet_attribute", SubnetId=state["id"], PrivateDnsHostnameTypeOnLaunch=kind)


def free_subnet(aws: Aws, state: Props) -> None:
    """AWS deletes no subnet that has a network interface."""
    _unused(aws, state, "subnet-id", "The subnet")


def free_group(aws: Aws, state: Props) -> None:
    """AWS deletes no security group that an interface has, or that another group's rule names."""
    _unused(aws, state, "group-id", "The security group")
    named = [{"Name": "ip-permission.group-id", "Values": [state["id"]]}]
    users = aws.call("ec2.describe_security_groups", Filters=named)["SecurityGroups"]
    others = sorted(user["GroupId"] for user in users if user["GroupId"] != state["id"])
    if others:
        raise RefusedError("DependencyViolation", f"rules of {', '.join(others)} name {state['id']}")


def _unused(aws: Aws, state: Props, by: str, what: str) -> None:
    filters = [{"Name": by, "Values": [state["id"]]}]
    held = aws.call("ec2.describe_network_interfaces", Filters=filters)["NetworkInterfaces"]
    if held:
        raise RefusedError("DependencyViolation", f"{what} {state['id']} has {held[0]['NetworkInterfaceId']} in it")


def free_table(aws: Aws, state: Props) -> None:
    """AWS deletes no route table that a subnet is associated with."""
    answer = aws.call("ec2.describe_route_tables", RouteTableIds=[state["id"]])
    held = [a.get("SubnetId", "the VPC itself") for a in answer["RouteTables"][0]["Associations"]]
    if held:
        raise RefusedError("DependencyViolation", f"the route table {state['id']} is that of {', '.join(held)}")


def empty_vpc(aws: Aws, state: Props) -> None:
    """AWS deletes no VPC that still holds subnets, endpoints, gateways or groups of the program's."""
    mine = [{"Name": "vpc-id", "Values": [state["id"]]}]
    attached = [{"Name": "attachment.vpc-id", "Values": [state["id"]]}]
    held = [
        *(s["SubnetId"] for s in aws.call("ec2.describe_subnets", Filters=mine)["Subnets"]),
        *(e["VpcEndpointId"] for e in aws.call("ec2.describe_vpc_endpoints", Filters=mine)["VpcEndpoints"]),
        *(
            g["InternetGatewayId"]
            for g in aws.call("ec2.describe_internet_gateways", Filters=attached)["InternetGateways"]
        ),
        *(
            g["GroupId"]
            for g in aws.call("ec2.describe_security_groups", Filters=mine)["SecurityGroups"]
            if g["GroupName"] != "default"
        ),
    ]
    if held:
        raise RefusedError("DependencyViolation", f"the vpc {state['id']} still holds {', '.join(held)}")


_SUBNET = {"arn": "SubnetArn", "ipv6CidrBlockAssociationId": f"{_V6}.AssociationId"}
SUBNET = Kind(
    "aws:ec2/subnet:Subnet",
    create=Call("ec2.create_subnet", at="Subnet", outputs={"id": "SubnetId"} | _SUBNET, tagged="subnet"),
    read=Call("ec2.describe_subnets", fixed={"SubnetIds": ["{id}"]}, at="Subnets[0]", outputs=_SUBNET, only=()),
    changes=(subnet_attributes, retag),
    delete=Call("ec2.delete_subnet", fixed={"SubnetId": "{id}"}, only=()),
    keeps=free_subnet,
)


@code(takes="routes")
def inline_routes(aws: Aws, state: Props) -> None:
    """Make a table's own routes exactly the program's; local and endpoint routes are not the program's."""
    table = aws.call("ec2.describe_route_tables", RouteTableIds=[state["id"]])["RouteTables"][0]
    for route in table["Routes"]:
        if route.get("Origin") == "CreateRoute" and not str(route.get("GatewayId", "")).startswith("vpce-"):
            keys = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
            aws.call("ec2.delete_route", RouteTableId=state["id"], **{k: route[k] for k in keys if route.get(k)})
    for route in cast(list[Props], state.get("routes") or []):
        given: Props = {"routeTableId": state["id"]} | {_INLINE.get(k, k): v for k, v in route.items() if v}
        no_endpoint_route(aws, given)
        ROUTE.create(aws, given, ROUTE.schema)


_INLINE = {"cidrBlock": "destinationCidrBlock", "ipv6CidrBlock": "destinationIpv6CidrBlock"}
_TABLE = Call(
    "ec2.describe_route_tables", fixed={"RouteTableIds": ["{id}"]}, at="RouteTables[0]", only=(), without=("routes",)
)
ROUTE_TABLE = Kind(
    "aws:ec2/routeTable:RouteTable",
    create=Call(
        "ec2.create_route_table",
        at="RouteTable",
        outputs={"id": "RouteTableId"},
        tagged="route-table",
        without=("routes",),
    ),
    read=_TABLE,
    changes=(inline_routes, retag),
    delete=Call("ec2.delete_route_table", fixed={"RouteTableId": "{id}"}, only=()),
    computed={"arn": arn("route-table")},
    keeps=free_table,
)


@code(takes="defaultRouteTableId", gives="vpcId ownerId")
def adopt_table(aws: Aws, state: Props) -> Props:
    """Take over a VPC's main table: the provider empties it of every route that is not AWS's own."""
    state["id"] = state["defaultRouteTableId"]
    inline_routes(aws, state)
    return {"id": state["id"]} | _TABLE(aws, state, DEFAULT_TABLE.schema)


DEFAULT_TABLE = Kind(
    "aws:ec2/defaultRouteTable:DefaultRouteTable",
    create=adopt_table,
    read=_TABLE,
    changes=(inline_routes, retag),
    delete=None,
    computed={"arn": arn("route-table")},
)


@code(gives="state origin")
def read_route(aws: Aws, state: Props) -> Props:
    """A route by its destination."""
    table = aws.call("ec2.describe_route_tables", RouteTableIds=[state["routeTableId"]])["RouteTables"][0]
    for route in table["Routes"]:
        for name in _DESTINATIONS:
            if state.get(name) and route.get(name[0].upper() + name[1:]) == state[name]:
                return {"state": route.get("State", "active"), "origin": route.get("Origin", "CreateRoute")}
    raise RefusedError("InvalidRoute.NotFound", f"{state['routeTableId']} has no such route")


_ROUTE_KEY = {"routeTableId": "RouteTableId"} | {name: name[0].upper() + name[1:] for name in _DESTINATIONS}
ROUTE = Kind(
    "aws:ec2/route:Route",
    create=Call("ec2.create_route", names=_TARGETS),
    read=read_route,
    changes=(
        Call(
            "ec2.replace_route",
            names=_TARGETS,
            fixed={"RouteTableId": "{routeTableId}"} | {_ROUTE_KEY[d]: f"{{{d}}}" for d in _DESTINATIONS},
            without=("routeTableId", *_DESTINATIONS),
        ),
    ),
    delete=Call("ec2.delete_route", only=("routeTableId", *_DESTINATIONS)),
    id="r-{routeTableId}-{destinationCidrBlock?}{destinationIpv6CidrBlock?}{destinationPrefixListId?}",
    computed={"origin": "CreateRoute", "state": "active"},
    absent=frozenset({"instanceId", "instanceOwnerId"}),
    rules=(one_destination, no_endpoint_route),
)

TABLE_ASSOCIATION = Kind(
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    create=Call("ec2.associate_route_table", outputs={"id": "AssociationId"}),
    delete=Call("ec2.disassociate_route_table", fixed={"AssociationId": "{id}"}, only=()),
    rules=(one_association,),
)


@code(takes="vpcId routeTableId", gives="originalRouteTableId")
def take_main(aws: Aws, state: Props) -> Props:
    """Make a table the VPC's main one."""
    main = [{"Name": "vpc-id", "Values": [state["vpcId"]]}, {"Name": "association.main", "Values": ["true"]}]
    old = aws.call("ec2.describe_route_tables", Filters=main)["RouteTables"][0]
    held = next(a["RouteTableAssociationId"] for a in old["Associations"] if a.get("Main"))
    new = aws.call("ec2.replace_route_table_association", AssociationId=held, RouteTableId=state["routeTableId"])
    return {"id": new["NewAssociationId"], "originalRouteTableId": old["RouteTableId"]}


@code()
def give_main_back(aws: Aws, state: Props) -> None:
    """The provider restores the table that was main before."""
    aws.call(
        "ec2.replace_route_table_association",
        AssociationId=state["id"],
        RouteTableId=state["originalRouteTableId"],
    )


MAIN_ASSOCIATION = Kind(
    "aws:ec2/mainRouteTableAssociation:MainRouteTableAssociation", create=take_main, delete=give_main_back
)


@code(
    takes="domainName domainNameServers ntpServers netbiosNameServers netbiosNodeType "
    "ipv6AddressPreferredLeaseTime tags",
    gives="ownerId",
)
def create_dhcp(aws: Aws, state: Props) -> Props:
    """DHCP options are a list of named value lists."""
    names = {
        "domainName": "domain-name",
        "domainNameServers": "domain-name-servers",
        "ntpServers": "ntp-servers",
        "netbiosNameServers": "netbios-name-servers",
        "netbiosNodeType": "netbios-node-type",
        "ipv6AddressPreferredLeaseTime": "ipv6-address-preferred-lease-time",
    }
    given = [
        {"Key": key, "Values": [str(v) for v in value] if isinstance(value := state[name], list) else [str(value)]}  # type: ignore[reportUnknownVariableType]
        for name, key in names.items()
        if state.get(name)
    ]
    made = aws.call("ec2.create_dhcp_options", DhcpConfigurations=given)["DhcpOptions"]
    return {"id": made["DhcpOptionsId"], "ownerId": made.get("OwnerId", aws.account)}


DHCP_OPTIONS = Kind(
    "aws:ec2/vpcDhcpOptions:VpcDhcpOptions",
    create=create_dhcp,
    read=Call("ec2.describe_dhcp_options", fixed={"DhcpOptionsIds": ["{id}"]}, at="DhcpOptions[0]", only=()),
    changes=(retag,),
    delete=Call("ec2.delete_dhcp_options", fixed={"DhcpOptionsId": "{id}"}, only=()),
    computed={"arn": arn("dhcp-options")},
)

DHCP_ASSOCIATION = Kind(
    "aws:ec2/vpcDhcpOptionsAssociation:VpcDhcpOptionsAssociation",
    create=Call("ec2.associate_dhcp_options"),
    delete=Call("ec2.associate_dhcp_options", fixed={"DhcpOptionsId": "default", "VpcId": "{vpcId}"}, only=()),
    id="{dhcpOptionsId}-{vpcId}",
)

CIDR_ASSOCIATION = Kind(
    "aws:ec2/vpcIpv4CidrBlockAssociation:VpcIpv4CidrBlockAssociation",
    create=Call("ec2.associate_vpc_cidr_block", at="CidrBlockAssociation", outputs={"id": "AssociationId"}),
    delete=Call("ec2.disassociate_vpc_cidr_block", fixed={"AssociationId": "{id}"}, only=()),
)

KINDS = (
    VPC,
    SUBNET,
    ROUTE_TABLE,
    DEFAULT_TABLE,
    ROUTE,
    TABLE_ASSOCIATION,
    MAIN_ASSOCIATION,
    DHCP_OPTIONS,
    DHCP_ASSOCIATION,
    CIDR_ASSOCIATION,
)
