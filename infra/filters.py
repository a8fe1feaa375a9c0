"""Which packets may pass: security groups by what holds them, and one network ACL a tier as a second layer (E1)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Final, NamedTuple

import pulumi
import pulumi_aws as aws

from infra.names import Names
from infra.network import Ground
from infra.settings.addresses import Plan, Tier
from infra.settings.errors import SettingsError

API_PORT: Final = 443
KUBELET_PORT: Final = 10250
DNS_PORT: Final = 53
FIRST_EPHEMERAL_PORT: Final = 1024
LAST_PORT: Final = 65535
NACL_RULES_PER_DIRECTION: Final = 20
"""AWS's default quota: https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html."""
_ANYWHERE: Final = IPv4Network("0.0.0.0/0")


class Group(StrEnum):
    """A security group, named after what holds it."""

    SANDBOX_NODE = "sandbox-node"
    SYSTEM_NODE = "system-node"
    CONTROL = "control"
    SANDBOX_ENDPOINT = "sandbox-endpoint"
    SYSTEM_ENDPOINT = "system-endpoint"
    RESPONDER = "responder"
    QUARANTINE = "quarantine"
    """Without a flow: what is put into it is cut off."""


class Flow(NamedTuple):
    """A connection that may be opened, from one group to another."""

    source: Group
    target: Group
    protocol: str
    port: int
    why: str


FLOWS: Final = (
    Flow(Group.SANDBOX_NODE, Group.CONTROL, "tcp", API_PORT, "kubelet to API server"),
    Flow(Group.SYSTEM_NODE, Group.CONTROL, "tcp", API_PORT, "kubelet, CoreDNS and agents to API server"),
    Flow(Group.CONTROL, Group.SANDBOX_NODE, "tcp", KUBELET_PORT, "API server to kubelet: code in, results out"),
    Flow(Group.CONTROL, Group.SYSTEM_NODE, "tcp", KUBELET_PORT, "API server to kubelet"),
    Flow(Group.SANDBOX_NODE, Group.SANDBOX_ENDPOINT, "tcp", API_PORT, "what a node needs to run"),
    Flow(Group.SYSTEM_NODE, Group.SANDBOX_ENDPOINT, "tcp", API_PORT, "what a node needs to run"),
    Flow(Group.SYSTEM_NODE, Group.SYSTEM_ENDPOINT, "tcp", API_PORT, "agents to the door, and their identity"),
    Flow(Group.SYSTEM_NODE, Group.SYSTEM_NODE, "tcp", DNS_PORT, "agents to CoreDNS"),
    Flow(Group.SYSTEM_NODE, Group.SYSTEM_NODE, "udp", DNS_PORT, "agents to CoreDNS"),
    Flow(Group.RESPONDER, Group.CONTROL, "tcp", API_PORT, "quarantine to API server"),
)
"""Every one; there is none from or to any address, but for S3's prefix list (`infra.endpoints`) and operators."""


class AclRule(NamedTuple):
    """One line of a network ACL; they are tried in order. protocol: `tcp`, or `-1` for all."""

    action: str
    cidr: IPv4Network
    protocol: str
    first_port: int
    last_port: int


class Acl(NamedTuple):
    """Both directions of one tier."""

    ingress: tuple[AclRule, ...]
    egress: tuple[AclRule, ...]


def acls(plan: Plan, s3_ranges: Sequence[IPv4Network] = (), operators: Sequence[IPv4Network] = ()) -> dict[Tier, Acl]:
    """The network ACLs, exact in both directions: they keep no state, so answers are stated too.

    An ACL cannot name S3's prefix list: without `s3_ranges` nodes' ACLs let TCP 443 pass to any address outside of the
    VPC, where no route leads but the gateway endpoint's.
    """
    sandbox, system, control = (plan.ranges[tier] for tier in (Tier.SANDBOX, Tier.SYSTEM, Tier.CONTROL))
    nodes = (*sandbox, *system)
    s3 = tuple(s3_ranges) or (_ANYWHERE,)
    # S3's answers come from outside; whatever comes from inside has been let through by name before, or is denied.
    rest_of_vpc = AclRule("deny", plan.cidr, "-1", 0, 0)

    def node(own: Tier, among: Iterable[AclRule]) -> Acl:
        endpoints = plan.endpoint_blocks(own)
        among = tuple(among)
        return Acl(
            ingress=(
                *_allow(control, KUBELET_PORT),
                *_answers([*control, *endpoints]),
                *among,
                rest_of_vpc,
                *_answers(s3),
            ),
            egress=(
                *_allow([*control, *endpoints], API_PORT),
                *_answers(control),
                *among,
                rest_of_vpc,
                *_allow(s3, API_PORT),
            ),
        )

    return {
        Tier.SANDBOX: node(Tier.SANDBOX, ()),
        # Among system nodes the security group decides; what an ACL would add does not fit its quota.
        Tier.SYSTEM: node(Tier.SYSTEM, (AclRule("allow", range_, "-1", 0, 0) for range_ in system)),
        Tier.ENDPOINT: Acl(ingress=_allow(nodes, API_PORT), egress=_answers(nodes)),
        Tier.CONTROL: Acl(
            ingress=(*_allow([*nodes, *operators], API_PORT), *_answers(nodes)),
            egress=(*_allow(nodes, KUBELET_PORT), *_answers([*nodes, *operators])),
        ),
    }


def check_quota(plan: Plan, s3_ranges: Sequence[IPv4Network] = (), operators: Sequence[IPv4Network] = ()) -> None:
    """Raises SettingsError if a network ACL would not fit AWS's quota; call it before anything is made."""
    for tier, acl in acls(plan, s3_ranges, operators).items():
        rules = max(len(acl.ingress), len(acl.egress))
        if rules > NACL_RULES_PER_DIRECTION:
            said = f"the {tier} tier needs {rules} network ACL rules, AWS allows {NACL_RULES_PER_DIRECTION}"
            mend = "use adjacent subnets, fewer zones, s3_ranges or operator_access.cidrs"
            raise SettingsError([f"sequester:network: {said}: {mend}"])


def _allow(cidrs: Iterable[IPv4Network], port: int) -> tuple[AclRule, ...]:
    return tuple(AclRule("allow", cidr, "tcp", port, port) for cidr in cidrs)


def _answers(cidrs: Iterable[IPv4Network]) -> tuple[AclRule, ...]:
    return tuple(AclRule("allow", cidr, "tcp", FIRST_EPHEMERAL_PORT, LAST_PORT) for cidr in cidrs)


@dataclass(frozen=True)
class FiltersArgs:
    """How `Filters` is made. operators: networks, routed to the VPC by others, that may open the API server."""

    names: Names
    ground: Ground
    s3_ranges: tuple[IPv4Network, ...] = ()
    operators: tuple[IPv4Network, ...] = ()


class Filters(pulumi.ComponentResource):
    """Security groups and network ACLs. `groups` are for nodes, the control plane and endpoints to hold."""

    def __init__(self, name: str, args: FiltersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:Filters", name, None, opts)
        self._own = pulumi.ResourceOptions(parent=self)
        self._args = args
        self.groups: Mapping[Group, aws.ec2.SecurityGroup] = {group: self._group(group) for group in Group}
        for flow in FLOWS:
            self._flow(flow)
        for cidr in args.operators:
            self._operator(cidr)
        for tier, acl in acls(args.ground.plan, args.s3_ranges, args.operators).items():
            self._acl(tier, acl)
        self.register_outputs({})

    def _group(self, group: Group) -> aws.ec2.SecurityGroup:
        title = f"{self._args.names.name}-{group}"
        return aws.ec2.SecurityGroup(
            title,
            name=title,
            description=f"Sequester: {group}",
            vpc_id=self._args.ground.vpc,
            # Stated as empty: left out, AWS's own rule that allows all egress would stay. The rules are resources
            # of their own, which a later update of the group must not take away again.
            egress=[],
            ingress=[],
            # The responder's role may give interfaces this one group, by its tag.
            tags=self._args.names.tags(title, **{"sequester:quarantine": str(group is Group.QUARANTINE).lower()}),
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["ingress", "egress"]),
        )

    def _flow(self, flow: Flow) -> None:
        source, target = self.groups[flow.source], self.groups[flow.target]
        title = f"{self._args.names.name}-{flow.source}-to-{flow.target}-{flow.protocol}-{flow.port}"
        aws.vpc.SecurityGroupEgressRule(
            title,
            security_group_id=source.id,
            referenced_security_group_id=target.id,
            ip_protocol=flow.protocol,
            from_port=flow.port,
            to_port=flow.port,
            description=flow.why,
            tags=self._args.names.tags(title),
            opts=self._own,
        )
        aws.vpc.SecurityGroupIngressRule(
            title,
            security_group_id=target.id,
            referenced_security_group_id=source.id,
            ip_protocol=flow.protocol,
            from_port=flow.port,
            to_port=flow.port,
            description=flow.why,
            tags=self._args.names.tags(title),
            opts=self._own,
        )

    def _operator(self, cidr: IPv4Network) -> None:
        title = f"{self._args.names.name}-operators-{cidr}"
        aws.vpc.SecurityGroupIngressRule(
            title,
            security_group_id=self.groups[Group.CONTROL].id,
            cidr_ipv4=str(cidr),
            ip_protocol="tcp",
            from_port=API_PORT,
            to_port=API_PORT,
            description="operators to API server",
            tags=self._args.names.tags(title),
            opts=self._own,
        )

    def _acl(self, tier: Tier, acl: Acl) -> None:
        names, ground = self._args.names, self._args.ground
        title = f"{names.name}-{tier}"
        made = aws.ec2.NetworkAcl(title, vpc_id=ground.vpc, tags=names.tags(title), opts=self._own)
        for direction, rules in (("in", acl.ingress), ("out", acl.egress)):
            for number, rule in enumerate(rules, start=1):
                aws.ec2.NetworkAclRule(
                    f"{title}-{direction}-{number * 100}",
                    network_acl_id=made.id,
                    egress=direction == "out",
                    rule_number=number * 100,
                    rule_action=rule.action,
                    protocol=rule.protocol,
                    cidr_block=str(rule.cidr),
                    from_port=rule.first_port,
                    to_port=rule.last_port,
                    opts=self._own,
                )
            if ground.plan.ipv6_cidr is not None:
                aws.ec2.NetworkAclRule(
                    f"{title}-{direction}-ipv6",
                    network_acl_id=made.id,
                    egress=direction == "out",
                    rule_number=1,
                    rule_action="deny",
                    protocol="-1",
                    ipv6_cidr_block="::/0",
                    from_port=0,
                    to_port=0,
                    opts=self._own,
                )
        for subnet in ground.tier(tier):
            aws.ec2.NetworkAclAssociation(
                f"{title}-{subnet.place.zone}", network_acl_id=made.id, subnet_id=subnet.id, opts=self._own
            )
