"""One deployment: all facts together, and what is missing from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sequester.proof.model.access import (
    AccessEntry,
    Bucket,
    Ceiling,
    Delivery,
    Endpoint,
    EventBinding,
    Function,
    Identity,
    ResourcePolicy,
)
from sequester.proof.model.names import NameService
from sequester.proof.model.network import Device, Nacl, Place, PrefixList, RouteTable, SecurityGroup, Subnet, Vpc
from sequester.proof.model.watch import Watch

CLAIMS: Mapping[str, str] = {
    "E1": "packets: pods and nodes reach the declared destinations and nothing else",
    "E2": "names: only listed names resolve, and no query leaves by another way",
    "E3": "endpoints: no API call through an endpoint touches anything that is not ours",
    "E4": "identity: no identity in a sandbox can open a way out",
    "E5": "workloads: nothing that is admitted escapes the policies, from the first packet on",
    "E6": "metadata: instance metadata and Pod Identity are out of reach of sandbox pods",
    "E7": "door: only its tenant, through our endpoint, to listed hosts, each fetch recorded",
    "E8": "eyes: every class of attempt is seen, alarmed on and answered",
}


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that the facts do not say: the claims that it could touch are Unknown, unless they escape."""

    claims: frozenset[str]
    reason: str


@dataclass(frozen=True)
class Model:
    account: str
    region: str
    vpcs: Mapping[str, Vpc] = field(default_factory=dict[str, Vpc])
    subnets: Mapping[str, Subnet] = field(default_factory=dict[str, Subnet])
    tables: Mapping[str, RouteTable] = field(default_factory=dict[str, RouteTable])
    nacls: Mapping[str, Nacl] = field(default_factory=dict[str, Nacl])
    groups: Mapping[str, SecurityGroup] = field(default_factory=dict[str, SecurityGroup])
    lists: Mapping[str, PrefixList] = field(default_factory=dict[str, PrefixList])
    places: Mapping[str, Place] = field(default_factory=dict[str, Place])
    devices: Mapping[str, Device] = field(default_factory=dict[str, Device])
    endpoints: tuple[Endpoint, ...] = ()
    identities: Mapping[str, Identity] = field(default_factory=dict[str, Identity])
    resource_policies: tuple[ResourcePolicy, ...] = ()
    ceilings: tuple[Ceiling, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    buckets: Mapping[str, Bucket] = field(default_factory=dict[str, Bucket])
    functions: Mapping[str, Function] = field(default_factory=dict[str, Function])
    bindings: tuple[EventBinding, ...] = ()
    names: Mapping[str, NameService] = field(default_factory=dict[str, NameService])
    clusters: Mapping[str, Mapping[str, object]] = field(default_factory=dict[str, Mapping[str, object]])
    """EKS clusters by name: properties, with `addons` and `podIdentities` joined in."""
    entries: tuple[AccessEntry, ...] = ()
    manifests: tuple[Mapping[str, object], ...] = ()
    watch: Watch = field(default_factory=Watch)
    gaps: tuple[Gap, ...] = ()
    assumptions: tuple[str, ...] = ()

    @cached_property
    def axes(self) -> tuple[str, ...]:
        """v4, v6, and one axis for each prefix list that AWS keeps."""
        return ("4", "6", *sorted(key for key, one in self.lists.items() if one.entries is None))

    def gaps_for(self, claim: str) -> tuple[str, ...]:
        return tuple(gap.reason for gap in self.gaps if claim in gap.claims)
