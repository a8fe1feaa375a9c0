"""The endpoints: for each service of the table one, with fixed addresses and a policy of its own (claims E1, E3)."""

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

import pulumi
import pulumi_aws as aws

from infra.filters import API_PORT, Filters, Group
from infra.iam import document
from infra.names import Names
from infra.network import Ground, Subnet
from infra.services import Scope, Service, services
from infra.settings import Settings
from infra.settings.addresses import Plan, Tier

_NODES: Final = {Tier.SANDBOX: Group.SANDBOX_NODE, Tier.SYSTEM: Group.SYSTEM_NODE}


def addresses(service: Service, plan: Plan, settings: Settings) -> tuple[IPv4Address, ...]:
    """The fixed addresses of an interface endpoint, one in each zone that it is in."""
    return tuple(plan.places[Tier.ENDPOINT, zone].cidr[service.host] for zone in _zones(service, plan, settings))


def agent_addresses(settings: Settings) -> tuple[IPv4Address, ...]:
    """What agents may call besides the API server: the door's endpoint, and Bedrock's if a model is named."""
    plan = settings.network.plan()
    return tuple(a for service in services(settings) if service.pods for a in addresses(service, plan, settings))


def agent_hosts(settings: Settings) -> tuple[str, ...]:
    """The names of these endpoints, which CoreDNS forwards."""
    names = Names.of(settings)
    return tuple(host for service in services(settings) if service.pods for host in service.hosts(names))


def _zones(service: Service, plan: Plan, settings: Settings) -> tuple[str, ...]:
    wanted = {str(name): zones for name, zones in settings.network.endpoint_zones.items()}
    return plan.zones[:1] if wanted.get(service.name) == "one" else plan.zones


@dataclass(frozen=True)
class EndpointsArgs:
    """How `Endpoints` is made."""

    settings: Settings
    ground: Ground
    filters: Filters


class Endpoints(pulumi.ComponentResource):
    """The only things beside the control plane that nodes can open a connection to. `by_service` are by name."""

    def __init__(self, name: str, args: EndpointsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:Endpoints", name, None, opts)
        self._own = pulumi.ResourceOptions(parent=self)
        self._args = args
        self._names = Names.of(args.settings)
        self.by_service: dict[str, aws.ec2.VpcEndpoint] = {}
        for service in services(args.settings):
            make = self._gateway if service.gateway else self._interface
            self.by_service[service.name] = make(service)
        self.register_outputs({})

    def _interface(self, service: Service) -> aws.ec2.VpcEndpoint:
        ground, filters = self._args.ground, self._args.filters
        title = f"{self._names.name}-{service.name}"
        subnets = [ground.subnets[Tier.ENDPOINT, zone] for zone in _zones(service, ground.plan, self._args.settings)]
        group = Group.SANDBOX_ENDPOINT if Tier.SANDBOX in service.nodes else Group.SYSTEM_ENDPOINT
        return aws.ec2.VpcEndpoint(
            title,
            vpc_id=ground.vpc,
            service_name=self._service_name(service),
            vpc_endpoint_type="Interface",
            ip_address_type="ipv4",
            private_dns_enabled=True,
            subnet_ids=[subnet.id for subnet in subnets],
            subnet_configurations=[self._fixed(service, subnet) for subnet in subnets],
            security_group_ids=[filters.groups[group].id],
            policy=self._policy(service),
            tags=self._names.tags(title),
            opts=self._own,
        )

    def _fixed(self, service: Service, subnet: Subnet) -> aws.ec2.VpcEndpointSubnetConfigurationArgs:
        return aws.ec2.VpcEndpointSubnetConfigurationArgs(
            subnet_id=subnet.id, ipv4=str(subnet.place.cidr[service.host])
        )

    def _gateway(self, service: Service) -> aws.ec2.VpcEndpoint:
        ground, filters = self._args.ground, self._args.filters
        title = f"{self._names.name}-{service.name}"
        endpoint = aws.ec2.VpcEndpoint(
            title,
            vpc_id=ground.vpc,
            service_name=self._service_name(service),
            vpc_endpoint_type="Gateway",
            policy=self._policy(service),
            tags=self._names.tags(title),
            opts=self._own,
        )
        for tier in sorted(service.nodes):
            aws.vpc.SecurityGroupEgressRule(
                f"{title}-from-{tier}",
                security_group_id=filters.groups[_NODES[tier]].id,
                prefix_list_id=endpoint.prefix_list_id,
                ip_protocol="tcp",
                from_port=API_PORT,
                to_port=API_PORT,
                description=service.why,
                tags=self._names.tags(f"{title}-from-{tier}"),
                opts=self._own,
            )
            for subnet in ground.tier(tier):
                aws.ec2.VpcEndpointRouteTableAssociation(
                    f"{title}-from-{tier}-{subnet.place.zone}",
                    vpc_endpoint_id=endpoint.id,
                    route_table_id=subnet.route_table,
                    opts=self._own,
                )
        return endpoint

    def _service_name(self, service: Service) -> str:
        return f"com.amazonaws.{self._names.region}.{service.name}"

    def _policy(self, service: Service) -> str:
        return document(*service.statements(Scope(self._names, self._args.settings)))
