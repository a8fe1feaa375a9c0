"""A model from a preview: what does not exist yet has no id, so relations are followed by dependency, or left open.

An unknown is resolved only in a slot that holds an id (the table below), from the dependencies that the engine gives
for that property: as many unknown elements as candidates of the slot's types. Each resolution is an assumption that
the certificate lists, and that the pack proves again at the end of `up`, on real values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sequester.proof.facts import items, mapping
from sequester.proof.model import Gap, Model
from sequester.proof.selector import Selector
from sequester.sources.resource import Resource
from sequester.sources.stack import model_of
from sequester.sources.types import EVERY_CLAIM, IRRELEVANT

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Pulumi's own mark for a value that is not known yet; it is no secret."""

# Property → the last part of the types whose id may stand there. A name means the same on every type that we read.
ID_SLOTS: Mapping[str, tuple[str, ...]] = {
    "vpcId": ("Vpc",),
    "resourceId": ("Vpc",),
    "subnetId": ("Subnet",),
    "subnetIds": ("Subnet",),
    "routeTableId": ("RouteTable", "DefaultRouteTable"),
    "routeTableIds": ("RouteTable", "DefaultRouteTable"),
    "networkAclId": ("NetworkAcl",),
    "securityGroupId": ("SecurityGroup",),
    "securityGroupIds": ("SecurityGroup",),
    "securityGroups": ("SecurityGroup",),
    "vpcSecurityGroupIds": ("SecurityGroup",),
    "referencedSecurityGroupId": ("SecurityGroup",),
    "vpcEndpointId": ("VpcEndpoint",),
    "natGatewayId": ("NatGateway",),
    "gatewayId": ("InternetGateway", "VpnGateway"),
    "egressOnlyGatewayId": ("EgressOnlyInternetGateway",),
    "dhcpOptionsId": ("VpcDhcpOptions",),
    "firewallRuleGroupId": ("ResolverFirewallRuleGroup",),
    "firewallDomainListId": ("ResolverFirewallDomainList",),
    "resolverQueryLogConfigId": ("ResolverQueryLogConfig",),
    "resolverRuleId": ("ResolverRule",),
    "id": ("LaunchTemplate",),
}
# Outputs of the VPC and of gateway endpoints that relations are made by: what each is called in the model.
_DERIVED = {"defaultRouteTableId": "main:{}", "defaultNetworkAclId": "default-acl:{}", "prefixListId": "pl of {}"}


@dataclass(frozen=True)
class Planned:
    """One resource of a preview. Unknown values are `UNKNOWN`; an empty id means that it does not exist yet."""

    urn: str
    type: str
    name: str
    id: str
    properties: Mapping[str, object]
    dependencies: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """For each top-level property, the URNs whose outputs are in it."""


def preview_model(planned: Sequence[Planned], selector: Selector | None = None, *, account: str, region: str) -> Model:
    """Names and policies are known in a preview; whatever else is not, and is not an id, is a gap by name."""
    by_urn = {one.urn: one for one in planned}
    gaps: list[Gap] = []
    assumptions: list[str] = []
    found: list[Resource] = []
    for one in planned:
        properties: dict[str, object] = {}
        for key, value in one.properties.items():
            candidates = [by_urn[urn] for urn in one.dependencies.get(key, ()) if urn in by_urn]
            resolved = _resolve(one, (key,), value, candidates, assumptions)
            if _unknown(resolved):
                if one.type not in IRRELEVANT and key not in _COMPUTED:
                    gaps.append(Gap(EVERY_CLAIM, f"{one.name}.{key} is not known before the deployment"))
                continue
            properties[key] = resolved
        found.append(Resource(one.type, one.name, one.id or one.urn, properties, one.urn))
    return model_of(found, selector, account=account, region=region, gaps=gaps, assumptions=assumptions)


# What only AWS can know, and no claim asks: the identities of things, times, states.
_COMPUTED = frozenset(
    """
    arn certificateAuthorities certificateAuthority createdAt defaultNetworkAclId defaultRouteTableId
    defaultSecurityGroupId dnsEntries endpoint id kubeconfig mainRouteTableId modifiedAt networkInterfaceIds ownerId
    state status tagsAll
    """.split()  # noqa: SIM905  (a list of words reads better than a column)
)


def _resolve(
    one: Planned, path: tuple[str, ...], value: object, candidates: list[Planned], assumptions: list[str]
) -> object:
    if isinstance(value, Mapping):
        inner = mapping(value, one.name)  # pyright: ignore[reportUnknownArgumentType]
        return {key: _resolve(one, (*path, key), item, candidates, assumptions) for key, item in inner.items()}
    if isinstance(value, list | tuple):
        elements = list(items(value, one.name))  # pyright: ignore[reportUnknownArgumentType]
        holes = [i for i, item in enumerate(elements) if item == UNKNOWN]
        fits = _fitting(path[-1], candidates)
        if holes and len(holes) == len(fits):
            for i, fit in zip(holes, fits, strict=True):
                elements[i] = fit.id or fit.urn
            assumptions.append(
                f"{one.name}.{path[-1]} names {', '.join(f.name for f in fits)}, as its dependencies say"
            )
        return [_resolve(one, path, item, candidates, assumptions) for item in elements]
    if value == UNKNOWN:
        fits = _fitting(path[-1], candidates)
        if len(fits) == 1:
            assumptions.append(f"{one.name}.{path[-1]} is {fits[0].name}, as its dependencies say")
            return fits[0].id or fits[0].urn
        if path[-1] in _DERIVED and len(candidates) == 1:
            stands_for = (
                candidates[0].properties.get("serviceName") if path[-1] == "prefixListId" else candidates[0].urn
            )
            assumptions.append(f"{one.name}.{path[-1]} is that of {candidates[0].name}")
            return _DERIVED[path[-1]].format(stands_for)
    return value


def _fitting(slot: str, candidates: list[Planned]) -> list[Planned]:
    return [c for c in candidates if c.type.rpartition(":")[2] in ID_SLOTS.get(slot, ())]


def _unknown(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_unknown, mapping(value, "value").values()))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, list | tuple):
        return any(map(_unknown, items(value, "value")))  # pyright: ignore[reportUnknownArgumentType]
    return value == UNKNOWN
