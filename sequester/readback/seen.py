"""What one VPC consists of, as the controls look at it: typed, and without a judgement."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from infra.names import Names
from infra.settings import Settings
from infra.settings.addresses import Plan, Tier


@dataclass(frozen=True)
class Layout:
    """What must be known beforehand: whose network it is, and which addresses are which tier's."""

    names: Names
    plan: Plan
    vpc: str | None
    """None: the one that carries the stack's tag."""
    operators: tuple[IPv4Network, ...] = ()
    s3_ranges: tuple[IPv4Network, ...] = ()

    @classmethod
    def of(cls, settings: Settings) -> "Layout":
        """The layout of a stack with these settings."""
        network = settings.network
        return cls(
            Names.of(settings),
            network.plan(),
            network.existing.vpc if network.existing else None,
            settings.cluster.operator_access.cidrs,
            network.s3_ranges,
        )

    def tier(self, cidr: str) -> Tier | None:
        """The tier that a subnet's range belongs to, or None for one that is not of the plan."""
        return next((p.tier for p in self.plan.places.values() if str(p.cidr) == cidr), None)


@dataclass(frozen=True)
class Route:
    """One route. target: `local`, or the id of what it leads to."""

    destination: str
    target: str


@dataclass(frozen=True)
class Table:
    """A route table, and the subnets that are explicitly associated with it."""

    id: str
    main: bool
    subnets: tuple[str, ...]
    routes: tuple[Route, ...]


@dataclass(frozen=True)
class SubnetSeen:
    """A subnet; tier is None if the plan has none with its range."""

    id: str
    cidr: str
    zone: str
    tier: Tier | None
    public_ipv4_on_launch: bool
    ipv6_on_launch: bool
    ipv6_cidrs: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """A line of a network ACL; protocol as IANA's number, -1 for all; ports inclusive."""

    number: int
    allow: bool
    egress: bool
    cidr: str
    protocol: str
    first_port: int
    last_port: int


@dataclass(frozen=True)
class AclSeen:
    """A network ACL; entries in the order in which they are tried."""

    id: str
    default: bool
    subnets: tuple[str, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class GroupRule:
    """A rule of a security group. peer: a group's name, a prefix list's id or a range."""

    egress: bool
    protocol: str
    first_port: int
    last_port: int
    peer: str
    kind: str


@dataclass(frozen=True)
class GroupSeen:
    """A security group. holders: descriptions of the network interfaces that have it."""

    id: str
    name: str
    rules: tuple[GroupRule, ...]
    holders: tuple[str, ...]


@dataclass(frozen=True)
class EndpointSeen:
    """An endpoint. service: without `com.amazonaws.<region>.`; policy: its document, empty if there is none."""

    id: str
    service: str
    kind: str
    policy: Mapping[str, Any]
    private_dns: bool
    groups: tuple[str, ...]
    addresses: tuple[IPv4Address, ...]
    tables: tuple[str, ...]


@dataclass(frozen=True)
class FlowLogSeen:
    """A flow log of the VPC."""

    traffic: str
    format: str
    log_group: str
    aggregation_seconds: int


@dataclass(frozen=True)
class FirewallRule:
    """A rule of the DNS Firewall; rules of all groups of the VPC, in the order in which they are tried."""

    priority: int
    action: str
    response: str
    domains: tuple[str, ...]


@dataclass(frozen=True)
class LogGroupSeen:
    """A log group; key is the KMS key's ARN."""

    name: str
    key: str | None
    retention_days: int | None


@dataclass(frozen=True)
class KeySeen:
    """A KMS key that log groups use."""

    arn: str
    rotates: bool
    policy: Mapping[str, Any]


@dataclass(frozen=True)
class Observed:
    """One VPC and what belongs to it."""

    layout: Layout
    vpc: str
    cidrs: tuple[str, ...]
    ipv6_cidrs: tuple[str, ...]
    dns_support: bool
    resolvers: tuple[str, ...]
    ways_out: Mapping[str, tuple[str, ...]]
    """What could lead out of the VPC, by kind: gateways, peerings, attachments, public addresses."""
    subnets: tuple[SubnetSeen, ...]
    tables: tuple[Table, ...]
    acls: tuple[AclSeen, ...]
    groups: tuple[GroupSeen, ...]
    endpoints: tuple[EndpointSeen, ...]
    flow_logs: tuple[FlowLogSeen, ...]
    firewall: tuple[FirewallRule, ...]
    firewall_fails_open: str
    """`ENABLED`, `DISABLED`, or what else AWS says."""
    resolver_rules: tuple[str, ...]
    query_log_groups: tuple[str, ...]
    log_groups: tuple[LogGroupSeen, ...]
    keys: tuple[KeySeen, ...]
    prefix_lists: Mapping[str, str]
    """Id of each AWS-managed prefix list → its name."""
