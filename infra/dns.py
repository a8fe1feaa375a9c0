"""Which names nodes may resolve: a list, and nothing when the list cannot be asked; each query is logged (E2, E8)."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra.iam import Statement, document
from infra.names import Names
from infra.services import services
from infra.settings import Settings

_ALLOW_PRIORITY: Final = 100
_BLOCK_PRIORITY: Final = 200
_GROUP_PRIORITY: Final = 101
"""The lowest that AWS lets an account give: ahead of all others."""


def resolvable(settings: Settings) -> tuple[str, ...]:
    """Every name that the VPC's resolver answers, sorted; `*.` stands for any name below."""
    names = Names.of(settings)
    region = names.region
    return tuple(
        sorted(
            {
                *(host for service in services(settings) for host in service.hosts(names)),
                # The private API server: EKS chooses the first labels, and answers from a zone of this VPC's own.
                f"*.{region}.eks.amazonaws.com",
                # Nodes ask for their own names.
                "*.ec2.internal" if region == "us-east-1" else f"*.{region}.compute.internal",
            }
        )
    )


@dataclass(frozen=True)
class ResolvingArgs:
    """How `Resolving` is made."""

    settings: Settings
    vpc: pulumi.Input[str]
    log_group: aws.cloudwatch.LogGroup


class Resolving(pulumi.ComponentResource):
    """A DNS Firewall that fails closed in front of the VPC's resolver, and a log of what it was asked."""

    def __init__(self, name: str, args: ResolvingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:Resolving", name, None, opts)
        self._own = pulumi.ResourceOptions(parent=self)
        self._names = Names.of(args.settings)
        self._firewall(name, args)
        self._query_log(name, args)
        self.register_outputs({})

    def _firewall(self, name: str, args: ResolvingArgs) -> None:
        tags = self._names.tags(f"{name}-dns")
        group = aws.route53.ResolverFirewallRuleGroup(f"{name}-dns", name=f"{name}-dns", tags=tags, opts=self._own)
        allowed = aws.route53.ResolverFirewallDomainList(
            f"{name}-allowed",
            name=f"{name}-allowed",
            domains=list(resolvable(args.settings)),
            tags=tags,
            opts=self._own,
        )
        every = aws.route53.ResolverFirewallDomainList(
            f"{name}-every", name=f"{name}-every", domains=["*."], tags=tags, opts=self._own
        )
        rules: list[pulumi.Resource] = [
            aws.route53.ResolverFirewallRule(
                f"{name}-allow",
                name="allow-listed",
                action="ALLOW",
                priority=_ALLOW_PRIORITY,
                firewall_domain_list_id=allowed.id,
                firewall_rule_group_id=group.id,
                # S3's names are aliases of AWS's own; every name listed is AWS's, and so is where it leads.
                firewall_domain_redirection_action="TRUST_REDIRECTION_DOMAIN",
                opts=self._own,
            ),
            aws.route53.ResolverFirewallRule(
                f"{name}-block",
                name="block-all",
                action="BLOCK",
                block_response="NXDOMAIN",
                priority=_BLOCK_PRIORITY,
                firewall_domain_list_id=every.id,
                firewall_rule_group_id=group.id,
                opts=self._own,
            ),
        ]
        aws.route53.ResolverFirewallRuleGroupAssociation(
            f"{name}-dns",
            name=f"{name}-dns",
            firewall_rule_group_id=group.id,
            vpc_id=args.vpc,
            priority=_GROUP_PRIORITY,
            mutation_protection="ENABLED",
            tags=tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=rules),
        )
        aws.route53.ResolverFirewallConfig(
            f"{name}-dns", resource_id=args.vpc, firewall_fail_open="DISABLED", opts=self._own
        )

    def _query_log(self, name: str, args: ResolvingArgs) -> None:
        group = self._names.log_group_arn(self._names.resolver_log_group)
        allowed = aws.cloudwatch.LogResourcePolicy(
            f"{name}-resolver",
            policy_name=f"{name}-resolver",
            policy_document=document(
                Statement(
                    "ResolverWrites",
                    actions=("logs:CreateLogStream", "logs:PutLogEvents"),
                    resources=(f"{group}:*",),
                    principals={"Service": ("delivery.logs.amazonaws.com",)},
                    conditions={"StringEquals": {"aws:SourceAccount": self._names.account}},
                )
            ),
            opts=self._own,
        )
        config = aws.route53.ResolverQueryLogConfig(
            f"{name}-queries",
            name=f"{name}-queries",
            destination_arn=args.log_group.arn,
            tags=self._names.tags(f"{name}-queries"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[allowed]),
        )
        aws.route53.ResolverQueryLogConfigAssociation(
            f"{name}-queries", resolver_query_log_config_id=config.id, resource_id=args.vpc, opts=self._own
        )
