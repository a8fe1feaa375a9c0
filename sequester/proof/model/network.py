"""Facts of the network: what AWS keeps about VPCs, in the form in which packets meet it.

`id` is what other facts refer to; `name` is what a person reads in a witness.
"""

from dataclasses import dataclass
from typing import TypeAlias

from sequester.proof.space import Prefix, Services


@dataclass(frozen=True, slots=True)
class ListRef:
    """A rule or route that names a prefix list."""

    id: str

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True)
class GroupRef:
    """A rule that names a security group: the addresses of its members."""

    id: str

    def __str__(self) -> str:
        return self.id


Peer: TypeAlias = Prefix | ListRef | GroupRef


@dataclass(frozen=True, slots=True)
class Vpc:
    id: str
    name: str
    cidrs: tuple[Prefix, ...]


@dataclass(frozen=True, slots=True)
class Subnet:
    """`table` and `acl` are resolved: a subnet without an association has the VPC's main table or default ACL."""

    id: str
    name: str
    vpc: str
    cidrs: tuple[Prefix, ...]
    table: str
    acl: str
    public_on_launch: bool = False
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """Where a route leads. `kind` is a key of reach.TARGETS; an unknown kind is never taken to be closed."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True)
class Route:
    name: str
    destination: Prefix | ListRef
    target: Target


@dataclass(frozen=True, slots=True)
class RouteTable:
    id: str
    name: str
    vpc: str
    routes: tuple[Route, ...]
    """Without the local routes: those follow from the VPC's CIDRs."""
    propagating: tuple[str, ...] = ()
    """Gateways whose routes are added at run time, and so are in no plan."""


@dataclass(frozen=True, slots=True)
class NaclRule:
    """`services` as in space.py. Rules are judged by ascending `number`; the first that matches decides."""

    name: str
    number: int
    egress: bool
    allow: bool
    peer: Prefix
    services: Services


@dataclass(frozen=True, slots=True)
class Nacl:
    id: str
    name: str
    rules: tuple[NaclRule, ...]


@dataclass(frozen=True, slots=True)
class SecurityRule:
    name: str
    egress: bool
    peer: Peer
    services: Services


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    id: str
    name: str
    rules: tuple[SecurityRule, ...]


@dataclass(frozen=True, slots=True)
class PrefixList:
    """`entries` is None for a list that AWS keeps (S3, DynamoDB, CloudFront): its addresses are in no plan."""

    id: str
    name: str
    entries: tuple[Prefix, ...] | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where packets start or end: a node group, instance, network interface, function or endpoint in subnets.

    `role` is what the selector made of it: ``sandbox``, ``agent`` or ``""``. `public` is whether any of its interfaces
    may have a public IPv4 address; None: as the subnet says. `forwards`: its source/destination check is off.
    """

    id: str
    name: str
    kind: str
    subnets: tuple[str, ...]
    groups: tuple[str, ...]
    public: bool | None = None
    forwards: bool = False
    role: str = ""
    addresses: tuple[Prefix, ...] = ()
    metadata_hops: int | None = None
    """The IMDS hop limit; None where metadata is off."""
    metadata_token: bool = True
    guarded: bool = False
    """Its user data drops new connections from pod interfaces to the node, v4 and v6."""
    identity: str = ""
    """The ARN of the role that is to be had on it."""
    opaque: str = ""
    """What of it is not in the facts, so that it could be anything; the empty text where all is there."""

    @property
    def is_node_group(self) -> bool:
        """Whether it makes nodes, as many as are wanted."""
        return self.kind in ("node group", "auto scaling group")

    @property
    def runs_pods(self) -> bool:
        """A bare network interface, a function or a service may be in a sandbox's subnet, but runs none."""
        return self.is_node_group or self.kind == "instance"

    def public_in(self, subnet: Subnet) -> bool:
        return subnet.public_on_launch if self.public is None else self.public


@dataclass(frozen=True, slots=True)
class Device:
    """What routes lead to: NAT gateways, firewall and load-balancer endpoints. `kind` as in Target."""

    id: str
    name: str
    kind: str
    subnets: tuple[str, ...]
    public: bool = False
