"""From resources to a model: every domain's facts, and a gap for whatever could not be read."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from sequester.proof.facts import BadFactError
from sequester.proof.model import Gap, Model, SecurityGroup
from sequester.proof.selector import Selector
from sequester.sources import access, cluster, network, places, resolver, types, watching
from sequester.sources.resource import Resource, Stack

_T = TypeVar("_T")
_PACKETS = frozenset({"E1", "E6"})


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
    """The model of a deployment. What cannot be read becomes a gap; nothing here raises for a bad fact."""
    stack = Stack(tuple(resources), account, region)
    chosen = selector or Selector()
    found: list[Gap] = [*gaps, *types.gaps(stack)]

    def read(what: Callable[[], _T], empty: _T, claims: frozenset[str]) -> _T:
        try:
            return what()
        except (BadFactError, ValueError, RecursionError) as error:
            found.append(Gap(claims, str(error) or type(error).__name__))
            return empty

    every = (*cluster.manifests_in(stack.resources), *manifests)
    found += read(lambda: list(types.manifest_gaps(every)), [], types.EVERY_CLAIM)
    found += read(lambda: list(types.access_gaps(stack)), [], frozenset({"E4"}))
    subnets = read(lambda: network.subnets(stack), {}, _PACKETS)
    groups = read(lambda: network.security_groups(stack), dict[str, SecurityGroup](), _PACKETS)
    cluster_groups = read(lambda: places.cluster_groups(stack), dict[str, SecurityGroup](), _PACKETS)
    return Model(
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
        identities=read(lambda: access.identities(stack), {}, frozenset({"E4", "E7"})),
        functions=read(lambda: access.functions(stack, chosen), {}, frozenset({"E4", "E7"})),
        bindings=read(lambda: access.bindings(stack), (), frozenset({"E7"})),
        resource_policies=read(lambda: access.resource_policies(stack), (), frozenset({"E7"})),
        names=read(lambda: resolver.name_services(stack), {}, frozenset({"E2"})),
        sensors=read(lambda: watching.sensors(stack), (), frozenset({"E8"})),
        filters=read(lambda: watching.filters(stack), (), frozenset({"E8"})),
        alarms=read(lambda: watching.alarms(stack), (), frozenset({"E8"})),
        clusters=read(lambda: cluster.clusters(stack), {}, frozenset({"E1", "E4", "E5"})),
        manifests=every,
        gaps=tuple(found),
        assumptions=tuple(assumptions),
    )
