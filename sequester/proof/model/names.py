"""Facts of name resolution: the resolver that each VPC hands out, its firewall, and where it forwards."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FirewallRule:
    """One rule of a DNS Firewall rule group; `domains` is None where the list is kept by AWS or not in the plan."""

    name: str
    priority: int
    action: str
    domains: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Association:
    """A rule group on a VPC; groups are judged by ascending priority."""

    name: str
    vpc: str
    priority: int
    rules: tuple[FirewallRule, ...]


@dataclass(frozen=True, slots=True)
class ForwardRule:
    """A resolver rule associated with a VPC: queries for `domain` go elsewhere."""

    name: str
    vpc: str
    domain: str
    kind: str


@dataclass(frozen=True, slots=True)
class ResolverEndpoint:
    name: str
    vpc: str
    outbound: bool


@dataclass(frozen=True, slots=True)
class NameService:
    """Everything about names in one VPC."""

    vpc: str
    dhcp_name: str
    servers: tuple[str, ...]
    """What DHCP hands out; ``AmazonProvidedDNS`` is the VPC's resolver."""
    fail_open: bool | None
    """DNS Firewall's failure mode; None if nothing states it (AWS's default is closed)."""
    fail_open_name: str
    firewall: tuple[Association, ...]
    forwards: tuple[ForwardRule, ...]
    endpoints: tuple[ResolverEndpoint, ...]
    zones: tuple[str, ...] = ()
    """Private zones associated with the VPC."""
    query_logged: bool = False
