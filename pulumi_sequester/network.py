"""A network without a way out: subnets, filters, endpoints, DNS Firewall and logs (claims E1, E2, E3, E8)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from infra.settings.addresses import Tier
from infra.stack import foundation
from pulumi_sequester.given import bare, given, settings
from pulumi_sequester.tripwires import watched_log_groups


@dataclass
class SealedNetworkArgs:
    """How `SealedNetwork` is made."""

    account: pulumi.Input[str]
    """The account's 12 digits."""
    region: pulumi.Input[str]
    """Such as us-east-1."""
    cidr: pulumi.Input[str]
    """A private range, /16 to /20."""
    zones: pulumi.Input[Sequence[pulumi.Input[str]]]
    """Two to six availability zones of the region."""
    stack: pulumi.Input[str] | None = None
    """What names begin with; two networks of one account and region need two. Its door and tripwires have the same."""
    tenants: pulumi.Input[Sequence[pulumi.Input[str]]] | None = None
    """Tenants whose doors the Lambda endpoint lets through."""
    block_public_access: pulumi.Input[bool] | None = None
    """VPC Block Public Access for the whole account and region."""
    log_retention_days: pulumi.Input[int] | None = None
    """How long logs are kept; 365 days if not given."""
    tags: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None
    """Put on every resource."""


class SealedNetwork(pulumi.ComponentResource):
    """A VPC that nothing leads out of, and what AWS services its nodes may call."""

    vpc: pulumi.Output[str]
    """The VPC's id."""
    sandbox_subnets: pulumi.Output[list[str]]
    """Ids of the subnets for sandboxes, in the order of zones."""
    system_subnets: pulumi.Output[list[str]]
    """Ids of the subnets for agents and the cluster's own pods, in the order of zones."""
    control_subnets: pulumi.Output[list[str]]
    """Ids of the subnets for the API server's interfaces, in the order of zones."""
    security_groups: pulumi.Output[dict[str, str]]
    """Ids, by what holds them: sandbox-node, system-node, control, sandbox-endpoint, system-endpoint."""
    lambda_endpoint: pulumi.Output[str]
    """The endpoint's id, through which agents invoke their door."""

    def __init__(self, name: str, args: SealedNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:SealedNetwork", name, {}, opts)
        told = given(args)
        network = {"cidr": told["cidr"], "azs": told["zones"]}
        optional = ("block_public_access", "log_retention_days")
        network |= {key: told[key] for key in optional if key in told}
        chosen = settings(told, network, tenants=bare(told.get("tenants", [])))
        # The log group of a door is made with the door, by whoever has one.
        seen = watched_log_groups(chosen.account, chosen.region, [], chosen.name)
        days = dict.fromkeys(seen, chosen.network.log_retention_days)
        made = foundation(chosen, pulumi.ResourceOptions(parent=self), days)
        self.vpc = pulumi.Output.from_input(made.ground.vpc)
        self.sandbox_subnets, self.system_subnets, self.control_subnets = (
            pulumi.Output.all(*(subnet.id for subnet in made.ground.tier(tier)))
            for tier in (Tier.SANDBOX, Tier.SYSTEM, Tier.CONTROL)
        )
        self.security_groups = pulumi.Output.all(**{str(group): one.id for group, one in made.filters.groups.items()})
        self.lambda_endpoint = made.endpoints.by_service["lambda"].id
        self.register_outputs(
            {
                "vpc": self.vpc,
                "sandboxSubnets": self.sandbox_subnets,
                "systemSubnets": self.system_subnets,
                "controlSubnets": self.control_subnets,
                "securityGroups": self.security_groups,
                "lambdaEndpoint": self.lambda_endpoint,
            }
        )
