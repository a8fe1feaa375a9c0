"""What a world consists of, as data: namespaces, links between them, interfaces, pods. `topology.py` fills it in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sequester.lab.policies import Pod
from sequester.proof.space import Prefix, prefix, show_address

OUTSIDE = "outside"
VOID = "void"
"""Where packets without a route are lost."""
NODE_LINK, POD_LINK = "fe80::1", "fe80::2"
"""The two ends of a pod's link, by IPv6."""
IMDS = (prefix("169.254.169.254"), prefix("fd00:ec2::254"))


@dataclass(frozen=True)
class Link:
    """A veth pair: (namespace, device) twice."""

    left: tuple[str, str]
    right: tuple[str, str]


@dataclass
class Space:
    """One namespace. `ip`, `ip6`: lines for `ip -batch`, run when all links are there. `rules`: nftables.

    A line that does not show its family by an address is for IPv4 in `ip`, and for IPv6 in `ip6`.
    """

    name: str
    forwards: bool = False
    ip: list[str] = field(default_factory=list[str])
    ip6: list[str] = field(default_factory=list[str])
    rules: str = ""


@dataclass(frozen=True)
class Interface:
    """A place (or device) in one subnet: `space` is its namespace, `device` the subnet's end of the link."""

    owner: str
    subnet: str
    space: str
    device: str
    addresses: tuple[Prefix, ...]
    groups: tuple[str, ...] | None
    """None: no security group applies."""
    public: bool
    forwards: bool
    name: str = ""
    behind: tuple[Prefix, ...] = ()
    """Addresses of the pods on it."""

    @property
    def all_addresses(self) -> tuple[Prefix, ...]:
        return (*self.addresses, *self.behind)


@dataclass(frozen=True)
class PodRequest:
    """A pod that the lab is to have, on the node with this interface's owner and subnet."""

    namespace: str
    name: str
    labels: Mapping[str, str]
    node: str
    """The id of a place."""
    subnet: str = ""
    """Empty: the place's first."""
    ports: Mapping[str, int] = field(default_factory=dict[str, int])
    service: Prefix | None = None


@dataclass(frozen=True)
class Options:
    """What the network's facts do not say.

    stand_ins: addresses for lists that AWS keeps. node_rules: nftables text that a place's user data loads.
    dual_stack_agent: whether network policies hold for IPv6 too (EKS's agent on an IPv4 cluster lets it all pass).
    """

    pods: Sequence[PodRequest] = ()
    stand_ins: Mapping[str, tuple[Prefix, ...]] = field(default_factory=dict[str, tuple[Prefix, ...]])
    node_rules: Mapping[str, str] = field(default_factory=dict[str, str])
    strict: bool = False
    pods_have_v6: bool = True
    dual_stack_agent: bool = True
    shared_addresses: bool = True
    """Outside of the VPC, pods appear under their node's address."""
    logged: bool = False
    """Whether packets are logged for flow records."""
    services: Mapping[Prefix, tuple[Prefix, ...]] = field(default_factory=dict[Prefix, tuple[Prefix, ...]])
    """Addresses of the cluster's services beside the pods' own, and where nodes send them."""


@dataclass
class Topology:
    """Everything to build. `interfaces` by (place, subnet), `pods` by `namespace/name`."""

    spaces: dict[str, Space] = field(default_factory=dict[str, Space])
    links: list[Link] = field(default_factory=list[Link])
    interfaces: dict[tuple[str, str], Interface] = field(default_factory=dict[tuple[str, str], Interface])
    pods: dict[str, Pod] = field(default_factory=dict[str, Pod])
    nodes: dict[str, Interface] = field(default_factory=dict[str, Interface])
    """The node of each pod."""
    paths: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """(subnet, device) → the kind of route target behind the device."""

    def space(self, name: str, *, forwards: bool = False) -> Space:
        return self.spaces.setdefault(name, Space(name, forwards))


def resolver_addresses(base: Prefix) -> tuple[Prefix, ...]:
    """Where a VPC's resolver answers: https://docs.aws.amazon.com/vpc/latest/userguide/AmazonDNS-concepts.html."""
    return (prefix(show_address("4", base.low + 2)), prefix("169.254.169.253"), prefix("fd00:ec2::253"))


def subnet_space(key: str) -> str:
    return f"subnet:{key}"


def vpc_space(key: str) -> str:
    return f"vpc:{key}"


def resolver_space(key: str) -> str:
    return f"resolver:{key}"


def imds_space(key: str) -> str:
    return f"imds:{key}"


def gateway_space(key: str) -> str:
    return f"gateway:{key}"


def pod_space(key: str) -> str:
    return f"pod:{key}"
