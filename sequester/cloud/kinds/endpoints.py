"""VPC endpoints: their policies, routes, addresses and associations; Block Public Access."""

import json
from ipaddress import IPv4Network, ip_address, ip_network
from typing import cast

from sequester.cloud.api import Aws, RefusedError
from sequester.cloud.kind import Call, Kind, code
from sequester.cloud.kinds.network import arn, retag
from sequester.cloud.wire import Props

GATEWAY_SERVICES = ("s3", "dynamodb")
INTERFACE_SERVICES = frozenset(
    [
        "access-analyzer",
        "airflow.api",
        "application-autoscaling",
        "athena",
        "autoscaling",
        "bedrock",
        "bedrock-agent",
        "bedrock-agent-runtime",
        "bedrock-runtime",
        "cloudformation",
        "cloudtrail",
        "config",
        "dynamodb",
        "ebs",
        "ec2",
        "ec2messages",
        "ecr.api",
        "ecr.dkr",
        "ecs",
        "eks",
        "eks-auth",
        "elasticfilesystem",
        "elasticloadbalancing",
        "events",
        "execute-api",
        "firehose",
        "glue",
        "guardduty-data",
        "kinesis-streams",
        "kms",
        "lambda",
        "logs",
        "monitoring",
        "organizations",
        "rds",
        "s3",
        "sagemaker.api",
        "sagemaker.runtime",
        "secretsmanager",
        "securityhub",
        "servicediscovery",
        "sns",
        "sqs",
        "ssm",
        "ssmmessages",
        "states",
        "sts",
        "textract",
        "xray",
    ]
)
"""Services with endpoints in every commercial region (AWS PrivateLink guide, "AWS services that integrate")."""
_RESERVED_ADDRESSES = 4
"""The first four addresses of a subnet, and its last, are AWS's own (VPC guide, subnet sizing)."""


def known_service(aws: Aws, state: Props) -> None:
    """AWS refuses the name of a service that it does not have in the region; moto takes any."""
    name, prefix = str(state["serviceName"]), f"com.amazonaws.{aws.region}."
    gateway = state.get("vpcEndpointType", "Gateway") == "Gateway"
    services = GATEWAY_SERVICES if gateway else INTERFACE_SERVICES
    if not name.startswith(prefix) or name.removeprefix(prefix) not in services:
        if name.startswith(f"com.amazonaws.vpce.{aws.region}.vpce-svc-") and not gateway:
            return
        raise RefusedError("InvalidServiceName", f"The Vpc Endpoint Service '{name}' does not exist")


def sound_policy(_: Aws, state: Props) -> None:
    """AWS refuses a policy that is not a policy document; moto takes any text."""
    if state.get("policy") is None:
        return
    try:
        document = json.loads(str(state["policy"]))
        statements = document["Statement"]
        listed = cast(list[dict[str, object]], statements if isinstance(statements, list) else [statements])
        sound = bool(listed) and all(
            s["Effect"] in ("Allow", "Deny")
            and ("Principal" in s or "NotPrincipal" in s)
            and ("Action" in s or "NotAction" in s)
            and ("Resource" in s or "NotResource" in s)
            for s in listed
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError("InvalidPolicyDocument", f"not a policy document: {error!r}") from error
    if not sound:
        raise RefusedError("InvalidPolicyDocument", "each statement needs Effect, Principal, Action and Resource")


def addresses_in_subnets(aws: Aws, state: Props) -> None:
    """A fixed address must be a free one of its subnet; moto does not look."""
    for one in cast(list[Props], state.get("subnetConfigurations") or []):
        subnet = aws.call("ec2.describe_subnets", SubnetIds=[one["subnetId"]])["Subnets"][0]
        network = cast(IPv4Network, ip_network(subnet["CidrBlock"]))
        if one.get("ipv4") is None:
            continue
        address = ip_address(str(one["ipv4"]))
        usable = (
            address in network and _RESERVED_ADDRESSES <= int(address) - int(network[0]) < network.num_addresses - 1
        )
        if not usable:
            raise RefusedError(
                "InvalidParameterValue", f"{address} is no usable address of {one['subnetId']} ({network})"
            )
        if str(address) in _taken(aws, str(one["subnetId"])):
            raise RefusedError("InvalidIPAddress.InUse", f"the address {address} is in use")


def _taken(aws: Aws, subnet: str) -> set[str]:
    filters = [{"Name": "subnet-id", "Values": [subnet]}]
    found = aws.call("ec2.describe_network_interfaces", Filters=filters)["NetworkInterfaces"]
    return {str(interface["PrivateIpAddress"]) for interface in found}


@code(
    takes="vpcId serviceName vpcEndpointType policy routeTableIds subnetIds securityGroupIds privateDnsEnabled "
    "ipAddressType dnsOptions subnetConfigurations autoAccept tags",
    gives="state networkInterfaceIds dnsEntries ownerId requesterManaged prefixListId cidrBlocks",
)
def create_endpoint(aws: Aws, state: Props) -> Props:
    """An endpoint whose interfaces have the addresses asked for, or the next free ones of their subnets.

    moto gives interfaces addresses outside the VPC, and forgets `subnetConfigurations`.
    """
    made = _CREATE(aws, state, VPC_ENDPOINT.schema)
    endpoint = str(made["id"])
    aws.keep("ec2:VpcEndpointId", endpoint, OwnerId=aws.account)
    if state.get("vpcEndpointType", "Gateway") == "Gateway":
        prefix = _prefix_list(aws, str(state["serviceName"]))
        return made | {"prefixListId": prefix["PrefixListId"], "cidrBlocks": prefix.get("Cidrs") or []}
    fixed = {str(one["subnetId"]): one.get("ipv4") for one in _configurations(state)}
    subnets = cast(list[str], state.get("subnetIds") or list(fixed))
    for interface, subnet in zip(cast(list[str], made.get("networkInterfaceIds") or []), subnets, strict=False):
        address = str(fixed.get(subnet) or _next_free(aws, subnet))
        private = [{"Primary": True, "PrivateIpAddress": address}]
        aws.keep(
            "ec2:NetworkInterfaceId",
            interface,
            PrivateIpAddress=address,
            PrivateIpAddresses=private,
            SubnetId=subnet,
            InterfaceType="vpc_endpoint",
            RequesterManaged=True,
        )
    return made


def _configurations(state: Props) -> list[Props]:
    return cast(list[Props], state.get("subnetConfigurations") or [])


def _next_free(aws: Aws, subnet: str) -> str:
    network = ip_network(aws.call("ec2.describe_subnets", SubnetIds=[subnet])["Subnets"][0]["CidrBlock"])
    taken = _taken(aws, subnet)
    usable = (str(network[n]) for n in range(_RESERVED_ADDRESSES, network.num_addresses - 1))
    free = next((address for address in usable if address not in taken), None)
    if free is None:
        raise RefusedError("InsufficientFreeAddressesInSubnet", f"{subnet} has no free address")
    return free


def _prefix_list(aws: Aws, service: str) -> dict[str, object]:
    answer = aws.call("ec2.describe_prefix_lists", Filters=[{"Name": "prefix-list-name", "Values": [service]}])
    found = [one for one in answer["PrefixLists"] if one["PrefixListName"] == service]
    if found:
        return cast(dict[str, object], found[0])
    managed = aws.call(
        "ec2.describe_managed_prefix_lists", Filters=[{"Name": "prefix-list-name", "Values": [service]}]
    )["PrefixLists"]
    named = [one for one in managed if one["PrefixListName"] == service]
    return {"PrefixListId": named[0]["PrefixListId"] if named else None, "Cidrs": []}


@code(takes="policy")
def put_policy(aws: Aws, state: Props) -> None:
    """Replace the endpoint's policy, or give it back AWS's own, which allows everything."""
    change = {"PolicyDocument": state["policy"]} if state.get("policy") else {"ResetPolicy": True}
    aws.call("ec2.modify_vpc_endpoint", VpcEndpointId=state.get("vpcEndpointId", state["id"]), **change)


@code(takes="subnetIds securityGroupIds routeTableIds privateDnsEnabled")
def change_endpoint(aws: Aws, state: Props) -> None:
    """Add and remove members until the endpoint has the program's."""
    endpoint = aws.call("ec2.describe_vpc_endpoints", VpcEndpointIds=[state["id"]])["VpcEndpoints"][0]
    held = {
        "SubnetIds": set(endpoint.get("SubnetIds", [])),
        "SecurityGroupIds": {group["GroupId"] for group in endpoint.get("Groups", [])},
        "RouteTableIds": set(endpoint.get("RouteTableIds", [])),
    }
    change: Props = {}
    for name, has in held.items():
        wanted = state.get(name[0].lower() + name[1:])
        if wanted is not None:
            members = set(cast(list[str], wanted))
            change |= {f"Add{name}": sorted(members - has)} if members - has else {}
            change |= {f"Remove{name}": sorted(has - members)} if has - members else {}
    if state.get("privateDnsEnabled") is not None:
        change["PrivateDnsEnabled"] = state["privateDnsEnabled"]
    if change:
        aws.call("ec2.modify_vpc_endpoint", VpcEndpointId=state["id"], **change)


_GROUPS = {"securityGroupIds": "Groups[].GroupId", "policy": "PolicyDocument"}
_CREATE = Call(
    "ec2.create_vpc_endpoint",
    names={"policy": "PolicyDocument", "autoAccept": ""},
    at="VpcEndpoint",
    outputs={"id": "VpcEndpointId"},
    tagged="vpc-endpoint",
)
VPC_ENDPOINT = Kind(
    "aws:ec2/vpcEndpoint:VpcEndpoint",
    create=create_endpoint,
    read=Call(
        "ec2.describe_vpc_endpoints",
        fixed={"VpcEndpointIds": ["{id}"]},
        at="VpcEndpoints[0]",
        outputs=_GROUPS,
        only=(),
    ),
    changes=(put_policy, change_endpoint, retag),
    delete=Call("ec2.delete_vpc_endpoints", fixed={"VpcEndpointIds": ["{id}"]}, only=()),
    computed={"arn": arn("vpc-endpoint"), "ownerId": "{account}"},
    defaults={"vpcEndpointType": "Gateway"},
    absent=frozenset({"prefixListId", "cidrBlocks", "requesterManaged"}),
    rules=(known_service, sound_policy, addresses_in_subnets),
)

ENDPOINT_POLICY = Kind(
    "aws:ec2/vpcEndpointPolicy:VpcEndpointPolicy",
    create=Call("ec2.modify_vpc_endpoint", names={"policy": "PolicyDocument"}, only=("vpcEndpointId", "policy")),
    changes=(put_policy,),
    delete=Call("ec2.modify_vpc_endpoint", fixed={"VpcEndpointId": "{vpcEndpointId}", "ResetPolicy": True}, only=()),
    id="{vpcEndpointId}",
    rules=(sound_policy,),
)


@code(takes="routeTableId vpcEndpointId")
def associate_table(aws: Aws, state: Props) -> Props:
    """Give a route table the gateway endpoint's prefix list; moto adds no route on this path, AWS does."""
    endpoint = aws.call("ec2.describe_vpc_endpoints", VpcEndpointIds=[state["vpcEndpointId"]])["VpcEndpoints"][0]
    held = cast(list[str], endpoint.get("RouteTableIds") or [])
    if state["routeTableId"] in held:
        raise RefusedError(
            "RouteAlreadyExists", f"{state['routeTableId']} already has a route to {state['vpcEndpointId']}"
        )
    aws.call(
        "ec2.modify_vpc_endpoint",
        VpcEndpointId=state["vpcEndpointId"],
        AddRouteTableIds=[state["routeTableId"]],
    )
    prefix = _prefix_list(aws, str(endpoint["ServiceName"]))
    table = aws.call("ec2.describe_route_tables", RouteTableIds=[state["routeTableId"]])["RouteTables"][0]
    routed = any(route.get("GatewayId") == state["vpcEndpointId"] for route in table["Routes"])
    if prefix["PrefixListId"] and not routed:
        aws.call(
            "ec2.create_route",
            RouteTableId=state["routeTableId"],
            DestinationPrefixListId=prefix["PrefixListId"],
            GatewayId=state["vpcEndpointId"],
        )
    return {"id": f"a-{state['vpcEndpointId']}{state['routeTableId']}"}


@code()
def disassociate_table(aws: Aws, state: Props) -> None:
    """Take the endpoint's route from a table again."""
    endpoint = aws.call("ec2.describe_vpc_endpoints", VpcEndpointIds=[state["vpcEndpointId"]])["VpcEndpoints"][0]
    aws.call(
        "ec2.modify_vpc_endpoint",
        VpcEndpointId=state["vpcEndpointId"],
        RemoveRouteTableIds=[state["routeTableId"]],
    )
    prefix = _prefix_list(aws, str(endpoint["ServiceName"]))
    table = aws.call("ec2.describe_route_tables", RouteTableIds=[state["routeTableId"]])["RouteTables"][0]
    if any(route.get("GatewayId") == state["vpcEndpointId"] for route in table["Routes"]):
        aws.call(
            "ec2.delete_route",
            RouteTableId=state["routeTableId"],
            DestinationPrefixListId=prefix["PrefixListId"],
        )


TABLE_ASSOCIATION = Kind(
    "aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation",
    create=associate_table,
    delete=disassociate_table,
)


def _member(name: str, prop: str, add: str) -> Kind:
    return Kind(
        f"aws:ec2/{name[0].lower()}{name[1:]}:{name}",
        create=Call("ec2.modify_vpc_endpoint", names={prop: f"Add{add}"}, only=("vpcEndpointId", prop)),
        delete=Call(
            "ec2.modify_vpc_endpoint",
            fixed={"VpcEndpointId": "{vpcEndpointId}", f"Remove{add}": [f"{{{prop}}}"]},
            only=(),
        ),
        id=f"a-{{vpcEndpointId}}{{{prop}}}",
        local=frozenset({"replaceDefaultAssociation"}),
    )


BPA_OPTIONS = Kind(
    "aws:ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions",
    create=Call(
        "ec2.modify_vpc_block_public_access_options",
        at="VpcBlockPublicAccessOptions",
        outputs={"awsAccountId": "AwsAccountId", "awsRegion": "AwsRegion"},
    ),
    read=Call("ec2.describe_vpc_block_public_access_options", at="VpcBlockPublicAccessOptions", only=()),
    changes=(Call("ec2.modify_vpc_block_public_access_options"),),
    delete=Call("ec2.modify_vpc_block_public_access_options", fixed={"InternetGatewayBlockMode": "off"}, only=()),
    id="{region}",
    declared_only=True,
)
BPA_EXCLUSION = Kind(
    "aws:ec2/vpcBlockPublicAccessExclusion:VpcBlockPublicAccessExclusion",
    create=Call(
        "ec2.create_vpc_block_public_access_exclusion",
        at="VpcBlockPublicAccessExclusion",
        outputs={"id": "ExclusionId", "resourceArn": "ResourceArn"},
        tagged="vpc-block-public-access-exclusion",
    ),
    delete=Call("ec2.delete_vpc_block_public_access_exclusion", fixed={"ExclusionId": "{id}"}, only=()),
    declared_only=True,
)
METADATA_DEFAULTS = Kind(
    "aws:ec2/instanceMetadataDefaults:InstanceMetadataDefaults",
    create=Call("ec2.modify_instance_metadata_defaults"),
    changes=(Call("ec2.modify_instance_metadata_defaults"),),
    delete=Call("ec2.modify_instance_metadata_defaults", fixed={"HttpTokens": "no-preference"}, only=()),
    id="{region}",
    declared_only=True,
)

KINDS = (
    VPC_ENDPOINT,
    ENDPOINT_POLICY,
    TABLE_ASSOCIATION,
    _member("VpcEndpointSubnetAssociation", "subnetId", "SubnetIds"),
    _member("SecurityGroupAssociation", "securityGroupId", "SecurityGroupIds"),
    BPA_OPTIONS,
    BPA_EXCLUSION,
    METADATA_DEFAULTS,
)
