"""From resources to a model: every domain's facts, and a gap for whatever could not be read."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from sequester.proof.model import Gap, Model, SecurityGroup, Watch
from sequester.proof.selector import Selector
from sequester.sources import (
    access,
    cluster,
    functions,
    kinds,
    network,
    organization,
    places,
    resolver,
    sharing,
    types,
    watching,
)
from sequester.sources.contradictions import contradictions
from sequester.sources.resource import Resource, Stack
from sequester.sources.scope import beside_sandboxes, missing
from sequester.sources.selection import by_name

_T = TypeVar("_T")
_PACKETS = frozenset({"E1", "E6"})
_WHO = frozenset({"E4", "E7", "E8"})


def _identity(one: Resource) -> tuple[str, ...]:
    """Facts are in an order that no run changes: sources tell resources as they were made, which is by chance."""
    return one.urn, one.type, one.name, one.id


def model_of(
    resources: Iterable[Resource],
    selector: Selector | None = None,
    *,
    account: str,
    region: str,
    manifests: Iterable[Mapping[str, object]] = (),
    gaps: Iterable[Gap] = (),
    assumptions: Iterable[str] = (),
) -> Model:
    """The model of what is beside a sandbox. What cannot be read becomes a gap; nothing here raises for a bad fact."""
    stack = Stack(tuple(sorted(resources, key=_identity)), account, region)
    reviewed = (selector or Selector()).reviewed
    found: list[Gap] = [*gaps, *types.gaps(stack, reviewed)]

    def read(what: Callable[[], _T], empty: _T, claims: frozenset[str]) -> _T:
        try:
            return what()
        except (ValueError, OverflowError, RecursionError) as error:  # BadFactError is a ValueError
            found.append(Gap(claims, str(error) or type(error).__name__))
            return empty

    inside = read(lambda: cluster.manifests_in(stack.resources), tuple[Mapping[str, object], ...](), types.EVERY_CLAIM)
    every = (*inside, *manifests)
    chosen = read(lambda: by_name(selector or Selector(), every), selector or Selector(), types.EVERY_CLAIM)
    found += read(lambda: list(kinds.manifest_gaps(every, chosen)), [], types.EVERY_CLAIM)
    found += read(lambda: list(types.access_gaps(stack, every)), [], frozenset({"E4"}))
    found += read(lambda: list(types.service_gaps(stack, reviewed)), [], types.EVERY_CLAIM)
    found += read(lambda: list(contradictions(stack)), [], types.EVERY_CLAIM)
    subnets = read(lambda: network.subnets(stack), {}, _PACKETS)
    groups = read(lambda: network.security_groups(stack), dict[str, SecurityGroup](), _PACKETS)
    cluster_groups = read(lambda: places.cluster_groups(stack), dict[str, SecurityGroup](), _PACKETS)
    model = Model(
        account=account,
        region=region,
        vpcs=read(lambda: network.vpcs(stack), {}, _PACKETS),
        subnets=subnets,
        tables=read(lambda: network.route_tables(stack), {}, _PACKETS),
        nacls=read(lambda: network.acls(stack), {}, _PACKETS),
        groups=cluster_groups | groups,
        lists=read(lambda: network.prefix_lists(stack), {}, _PACKETS),
        places=read(lambda: places.places(stack, subnets, chosen), {}, _PACKETS),
        devices=read(lambda: network.devices(stack), {}, _PACKETS),
        endpoints=read(lambda: access.endpoints(stack), (), frozenset({"E3"})),
        identities=read(lambda: access.identities(stack), {}, _WHO),
        functions=read(lambda: functions.functions(stack, chosen), {}, _WHO),
        bindings=read(lambda: functions.bindings(stack), (), frozenset({"E7"})),
        resource_policies=read(lambda: sharing.resource_policies(stack), (), _WHO),
        ceilings=organization.ceilings(stack),
        deliveries=read(lambda: sharing.deliveries(stack), (), frozenset({"E4", "E7"})),
        buckets=read(lambda: functions.buckets(stack), {}, frozenset({"E4", "E7"})),
        names=read(lambda: resolver.name_services(stack), {}, frozenset({"E2"})),
        watch=read(lambda: watching.watch(stack, every), Watch(), frozenset({"E8"})),
        clusters=read(lambda: cluster.clusters(stack), {}, frozenset({"E1", "E4", "E5"})),
        entries=read(lambda: watching.entries(stack), (), frozenset({"E8"})),
        manifests=every,
        assumptions=(
            *assumptions,
            *organization.assumed(stack),
            *read(lambda: places.assumed(stack), (), _PACKETS),
            *(f"{one} opens nothing: reviewed by whoever wrote the selector" for one in reviewed),
        ),
    )
    scoped = read(lambda: beside_sandboxes(model, chosen), model, types.EVERY_CLAIM)
    return replace(scoped, gaps=(*found, *missing(scoped)))
