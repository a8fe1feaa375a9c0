"""The sealed VPC: subnets by tier and zone, each with a route table of its own that holds the local route only."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.names import Names
from infra.settings.addresses import Place, Plan, Tier
from infra.settings.network import ExistingNetwork, Ipv6Settings


@dataclass(frozen=True)
class Subnet:
    """One subnet, ours or one that was there already."""

    id: pulumi.Input[str]
    place: Place
    route_table: pulumi.Input[str]


@dataclass(frozen=True)
class Ground:
    """A VPC and its subnets by tier and zone: all that filters, endpoints, DNS and the cluster need to know of it."""

    vpc: pulumi.Input[str]
    plan: Plan
    subnets: Mapping[tuple[Tier, str], Subnet]

    def tier(self, tier: Tier) -> list[Subnet]:
        """A tier's subnets, in the order of zones."""
        return [subnet for (of, _), subnet in self.subnets.items() if of == tier]


def existing_ground(existing: ExistingNetwork, plan: Plan) -> Ground:
    """A VPC that is there already, as literals: nothing of it is read or changed (see `infra.ownership`)."""
    return Ground(
        existing.vpc,
        plan,
        {
            (tier, subnet.az): Subnet(subnet.id, plan.places[tier, subnet.az], subnet.route_table)
            for tier, subnets in existing.subnets.items()
            for subnet in subnets
        },
    )


@dataclass(frozen=True)
class SealedNetworkArgs:
    """How `SealedNetwork` is made."""

    names: Names
    plan: Plan
    ipv6: Ipv6Settings | None = None
    block_public_access: bool = False


class SealedNetwork(pulumi.ComponentResource):
    """A VPC without gateway, NAT or peering, whose own group, ACL and route table are taken over and emptied (E1).

    `ground` is what the rest builds on.
    """

    def __init__(self, name: str, args: SealedNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:SealedNetwork", name, None, opts)
        self._own = pulumi.ResourceOptions(parent=self)
        self._names = args.names
        self.vpc = aws.ec2.Vpc(
            name,
            cidr_block=str(args.plan.cidr),
            ipv6_cidr_block=str(args.ipv6.cidr) if args.ipv6 else None,
            ipv6_ipam_pool_id=args.ipv6.pool if args.ipv6 else None,
            enable_dns_support=True,
            enable_dns_hostnames=True,  # private names of interface endpoints need it
            tags=args.names.tags(name),
            opts=self._own,
        )
        self._empty_defaults(name)
        self._resolve_by_aws_only(name)
        if args.block_public_access:
            aws.ec2.VpcBlockPublicAccessOptions(name, internet_gateway_block_mode="block-bidirectional", opts=self._own)
        self.ground = Ground(
            self.vpc.id, args.plan, {key: self._subnet(place) for key, place in args.plan.places.items()}
        )
        self.register_outputs({"vpc_id": self.vpc.id})

    def _subnet(self, place: Place) -> Subnet:
        title = f"{self._names.name}-{place.tier}-{place.zone}"
        subnet = aws.ec2.Subnet(
            title,
            vpc_id=self.vpc.id,
            availability_zone=place.zone,
            cidr_block=str(place.cidr),
            ipv6_cidr_block=str(place.ipv6_cidr) if place.ipv6_cidr else None,
            map_public_ip_on_launch=False,
            assign_ipv6_address_on_creation=False,
            tags=self._names.tags(title, **{"sequester:tier": place.tier}),
            opts=self._own,
        )
        table = aws.ec2.RouteTable(title, vpc_id=self.vpc.id, tags=self._names.tags(title), opts=self._own)
        aws.ec2.RouteTableAssociation(title, subnet_id=subnet.id, route_table_id=table.id, opts=self._own)
        return Subnet(subnet.id, place, table.id)

    def _empty_defaults(self, name: str) -> None:
        """Whatever is made in the VPC without saying where it belongs gets these: they let nothing through."""
        tags = self._names.tags(f"{name}-default-unused")
        aws.ec2.DefaultSecurityGroup(name, vpc_id=self.vpc.id, ingress=[], egress=[], tags=tags, opts=self._own)
        aws.ec2.DefaultRouteTable(
            name, default_route_table_id=self.vpc.default_route_table_id, routes=[], tags=tags, opts=self._own
        )
        aws.ec2.DefaultNetworkAcl(
            name,
            default_network_acl_id=self.vpc.default_network_acl_id,
            ingress=[],
            egress=[],
            tags=tags,
            # A subnet belongs to this ACL for the moment between its making and its association.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["subnetIds"]),
        )

    def _resolve_by_aws_only(self, name: str) -> None:
        """Nodes ask the VPC's resolver, which the DNS Firewall guards, and no time server but the link-local one."""
        region = self._names.region
        options = aws.ec2.VpcDhcpOptions(
            name,
            domain_name="ec2.internal" if region == "us-east-1" else f"{region}.compute.internal",
            domain_name_servers=["AmazonProvidedDNS"],
            tags=self._names.tags(name),
            opts=self._own,
        )
        aws.ec2.VpcDhcpOptionsAssociation(name, vpc_id=self.vpc.id, dhcp_options_id=options.id, opts=self._own)
