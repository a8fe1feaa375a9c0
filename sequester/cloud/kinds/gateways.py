"""Everything that leads out of a VPC: gateways, addresses, peerings, transit and VPN. A sealed stack has none of these.

They are here so that a test can open each way out, and the proof be seen to find it.
"""

from typing import cast

from sequester.cloud.api import Aws
from sequester.cloud.kind import Call, Kind, code
from sequester.cloud.kinds.network import arn, retag
from sequester.cloud.wire import Props


@code(takes="vpcId")
def attach_gateway(aws: Aws, state: Props) -> None:
    """An internet gateway is of one VPC at most; a change moves it."""
    held = aws.call("ec2.describe_internet_gateways", InternetGatewayIds=[state["id"]])["InternetGateways"][0]
    for attachment in held["Attachments"]:
        aws.call("ec2.detach_internet_gateway", InternetGatewayId=state["id"], VpcId=attachment["VpcId"])
    if state.get("vpcId"):
        aws.call("ec2.attach_internet_gateway", InternetGatewayId=state["id"], VpcId=state["vpcId"])


@code()
def forget_gateway(aws: Aws, state: Props) -> None:
    """AWS deletes a detached gateway only; the provider detaches what it attached."""
    attach_gateway(aws, {**state, "vpcId": None})
    aws.call("ec2.delete_internet_gateway", InternetGatewayId=state["id"])


INTERNET_GATEWAY = Kind(
    "aws:ec2/internetGateway:InternetGateway",
    create=Call(
        "ec2.create_internet_gateway",
        at="InternetGateway",
        outputs={"id": "InternetGatewayId"},
        tagged="internet-gateway",
    ),
    read=Call(
        "ec2.describe_internet_gateways", fixed={"InternetGatewayIds": ["{id}"]}, at="InternetGateways[0]", only=()
    ),
    changes=(attach_gateway, retag),
    delete=forget_gateway,
    computed={"arn": arn("internet-gateway"), "ownerId": "{account}"},
)
GATEWAY_ATTACHMENT = Kind(
    "aws:ec2/internetGatewayAttachment:InternetGatewayAttachment",
    create=Call("ec2.attach_internet_gateway"),
    delete=Call("ec2.detach_internet_gateway", only=("internetGatewayId", "vpcId")),
    id="{internetGatewayId}:{vpcId}",
)
EGRESS_ONLY = Kind(
    "aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway",
    create=Call(
        "ec2.create_egress_only_internet_gateway",
        at="EgressOnlyInternetGateway",
        outputs={"id": "EgressOnlyInternetGatewayId"},
        tagged="egress-only-internet-gateway",
    ),
    changes=(retag,),
    delete=Call("ec2.delete_egress_only_internet_gateway", fixed={"EgressOnlyInternetGatewayId": "{id}"}, only=()),
)


@code()
def delete_nat(aws: Aws, state: Props) -> None:
    """AWS takes the gateway's interface with it; moto leaves it in the subnet."""
    aws.call("ec2.delete_nat_gateway", NatGatewayId=state["id"])
    if state.get("networkInterfaceId"):
        aws.call("ec2.delete_network_interface", NetworkInterfaceId=state["networkInterfaceId"])


NAT = Kind(
    "aws:ec2/natGateway:NatGateway",
    create=Call(
        "ec2.create_nat_gateway",
        names={"privateIp": "PrivateIpAddress"},
        at="NatGateway",
        outputs={
            "id": "NatGatewayId",
            "publicIp": "NatGatewayAddresses[0].PublicIp",
            "networkInterfaceId": "NatGatewayAddresses[0].NetworkInterfaceId",
            "associationId": "NatGatewayAddresses[0].AssociationId",
        },
        tagged="natgateway",
    ),
    changes=(retag,),
    delete=delete_nat,
    absent=frozenset({"autoProvisionZones", "autoScalingIps", "regionalNatGatewayAddresses"})
    | {"regionalNatGatewayAutoMode", "routeTableId", "associationId", "publicIp"},
)


@code(takes="instance networkInterface associateWithPrivateIp", gives="associationId")
def associate_address(aws: Aws, state: Props) -> Props:
    """Give the address to an instance or an interface."""
    target = {"InstanceId": state.get("instance"), "NetworkInterfaceId": state.get("networkInterface")}
    answer = aws.call("ec2.associate_address", AllocationId=state["id"], **{k: v for k, v in target.items() if v})
    return {"associationId": answer["AssociationId"]}


@code()
def release(aws: Aws, state: Props) -> None:
    """AWS releases an address that nothing has."""
    if state.get("associationId"):
        aws.call("ec2.disassociate_address", AssociationId=state["associationId"])
    aws.call("ec2.release_address", AllocationId=state["id"])


EIP = Kind(
    "aws:ec2/eip:Eip",
    create=Call(
        "ec2.allocate_address", outputs={"id": "AllocationId", "allocationId": "AllocationId"}, tagged="elastic-ip"
    ),
    changes=(associate_address, retag),
    delete=release,
    computed={"arn": arn("elastic-ip")},
    defaults={"domain": "vpc"},
    absent=frozenset({"associationId", "carrierIp", "customerOwnedIp", "privateDns", "privateIp", "ptrRecord"})
    | {"publicDns"},
)


@code(takes="autoAccept accepter requester", gives="acceptStatus")
def accept_peering(aws: Aws, state: Props) -> Props:
    """A peering within an account may accept itself."""
    if not state.get("autoAccept"):
        return {"acceptStatus": "pending-acceptance"}
    aws.call("ec2.accept_vpc_peering_connection", VpcPeeringConnectionId=state["id"])
    return {"acceptStatus": "active"}


PEERING = Kind(
    "aws:ec2/vpcPeeringConnection:VpcPeeringConnection",
    create=Call(
        "ec2.create_vpc_peering_connection",
        at="VpcPeeringConnection",
        outputs={"id": "VpcPeeringConnectionId"},
        tagged="vpc-peering-connection",
    ),
    changes=(accept_peering, retag),
    delete=Call("ec2.delete_vpc_peering_connection", fixed={"VpcPeeringConnectionId": "{id}"}, only=()),
    defaults={"autoAccept": False},
)
_TGW_OPTIONS = {
    name: f"Options.{name[0].upper()}{name[1:]}"
    for name in (
        "amazonSideAsn",
        "autoAcceptSharedAttachments",
        "defaultRouteTableAssociation",
        "defaultRouteTablePropagation",
        "dnsSupport",
        "multicastSupport",
        "securityGroupReferencingSupport",
        "transitGatewayCidrBlocks",
        "vpnEcmpSupport",
    )
}
TRANSIT_GATEWAY = Kind(
    "aws:ec2transitgateway/transitGateway:TransitGateway",
    create=Call(
        "ec2.create_transit_gateway",
        names=_TGW_OPTIONS,
        at="TransitGateway",
        outputs={
            "id": "TransitGatewayId",
            "arn": "TransitGatewayArn",
            "associationDefaultRouteTableId": "Options.AssociationDefaultRouteTableId",
            "propagationDefaultRouteTableId": "Options.PropagationDefaultRouteTableId",
        },
        tagged="transit-gateway",
    ),
    changes=(retag,),
    delete=Call("ec2.delete_transit_gateway", fixed={"TransitGatewayId": "{id}"}, only=()),
)
TRANSIT_ATTACHMENT = Kind(
    "aws:ec2transitgateway/vpcAttachment:VpcAttachment",
    create=Call(
        "ec2.create_transit_gateway_vpc_attachment",
        names={
            name: f"Options.{name[0].upper()}{name[1:]}"
            for name in ("applianceModeSupport", "dnsSupport", "ipv6Support", "securityGroupReferencingSupport")
        },
        at="TransitGatewayVpcAttachment",
        outputs={"id": "TransitGatewayAttachmentId"},
        tagged="transit-gateway-attachment",
    ),
    changes=(retag,),
    delete=Call("ec2.delete_transit_gateway_vpc_attachment", fixed={"TransitGatewayAttachmentId": "{id}"}, only=()),
    computed={
        "arn": "arn:{partition}:ec2:{region}:{account}:transit-gateway-attachment/{id}",
        "vpcOwnerId": "{account}",
    },
    local=frozenset({"transitGatewayDefaultRouteTableAssociation", "transitGatewayDefaultRouteTablePropagation"}),
)


@code(takes="vpcId")
def attach_vpn(aws: Aws, state: Props) -> None:
    """A VPN gateway is of one VPC at most."""
    if state.get("vpcId"):
        aws.call("ec2.attach_vpn_gateway", VpnGatewayId=state["id"], VpcId=state["vpcId"])


VPN_GATEWAY = Kind(
    "aws:ec2/vpnGateway:VpnGateway",
    create=Call(
        "ec2.create_vpn_gateway",
        fixed={"Type": "ipsec.1"},
        at="VpnGateway",
        outputs={"id": "VpnGatewayId"},
        tagged="vpn-gateway",
    ),
    changes=(attach_vpn, retag),
    delete=Call("ec2.delete_vpn_gateway", fixed={"VpnGatewayId": "{id}"}, only=()),
    computed={"arn": arn("vpn-gateway")},
)
VPN_ATTACHMENT = Kind(
    "aws:ec2/vpnGatewayAttachment:VpnGatewayAttachment",
    create=Call("ec2.attach_vpn_gateway"),
    delete=Call("ec2.detach_vpn_gateway", only=("vpnGatewayId", "vpcId")),
    id="vpn-attachment-{vpnGatewayId}-{vpcId}",
)
CUSTOMER_GATEWAY = Kind(
    "aws:ec2/customerGateway:CustomerGateway",
    create=Call(
        "ec2.create_customer_gateway",
        at="CustomerGateway",
        outputs={"id": "CustomerGatewayId"},
        tagged="customer-gateway",
    ),
    changes=(retag,),
    delete=Call("ec2.delete_customer_gateway", fixed={"CustomerGatewayId": "{id}"}, only=()),
    computed={"arn": arn("customer-gateway")},
)
CARRIER_GATEWAY = Kind(
    "aws:ec2/carrierGateway:CarrierGateway",
    create=Call(
        "ec2.create_carrier_gateway", at="CarrierGateway", outputs={"id": "CarrierGatewayId"}, tagged="carrier-gateway"
    ),
    changes=(retag,),
    delete=Call("ec2.delete_carrier_gateway", fixed={"CarrierGatewayId": "{id}"}, only=()),
    computed={"arn": arn("carrier-gateway")},
)


@code(takes="entries")
def replace_entries(aws: Aws, state: Props) -> None:
    """Make the list's entries exactly the program's."""
    old = aws.call("ec2.get_managed_prefix_list_entries", PrefixListId=state["id"])["Entries"]
    version = aws.call("ec2.describe_managed_prefix_lists", PrefixListIds=[state["id"]])["PrefixLists"][0]
    new = {str(entry["cidr"]): entry for entry in cast(list[Props], state.get("entries") or [])}
    aws.call(
        "ec2.modify_managed_prefix_list",
        PrefixListId=state["id"],
        CurrentVersion=version["Version"],
        RemoveEntries=[{"Cidr": e["Cidr"]} for e in old if e["Cidr"] not in new],
        AddEntries=[
            {"Cidr": c, "Description": e.get("description") or ""}
            for c, e in new.items()
            if c not in {o["Cidr"] for o in old}
        ],
    )


PREFIX_LIST = Kind(
    "aws:ec2/managedPrefixList:ManagedPrefixList",
    create=Call(
        "ec2.create_managed_prefix_list",
        names={"name": "PrefixListName"},
        at="PrefixList",
        outputs={"id": "PrefixListId", "arn": "PrefixListArn"},
        tagged="prefix-list",
    ),
    changes=(replace_entries, retag),
    delete=Call("ec2.delete_managed_prefix_list", fixed={"PrefixListId": "{id}"}, only=()),
)

KINDS = (
    INTERNET_GATEWAY,
    GATEWAY_ATTACHMENT,
    EGRESS_ONLY,
    NAT,
    EIP,
    PEERING,
    TRANSIT_GATEWAY,
    TRANSIT_ATTACHMENT,
    VPN_GATEWAY,
    VPN_ATTACHMENT,
    CUSTOMER_GATEWAY,
    CARRIER_GATEWAY,
    PREFIX_LIST,
)
