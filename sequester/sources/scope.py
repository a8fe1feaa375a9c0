"""What is beside a sandbox, out of all that an account holds; and what that refers to but the facts do not have."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from sequester.proof.facts import items, mapping
from sequester.proof.model import Gap, ListRef, Model
from sequester.proof.selector import Selector
from sequester.sources.selection import role_of

_PACKETS = frozenset({"E1", "E2", "E6"})


def beside_sandboxes(model: Model, selector: Selector) -> Model:
    """Only VPCs with a sandbox or an agent in them. Any path to another VPC leaves, and needs no facts of that one.

    Where the selector finds none, nothing is left out: then it is for the claims to say that nothing was recognised.
    """
    chosen = {one.vpc for one in model.subnets.values() if role_of(one, selector)}
    if not chosen:
        return model
    elsewhere = {key for key, one in model.subnets.items() if one.vpc not in chosen}
    subnets = {key: one for key, one in model.subnets.items() if key not in elsewhere}
    used = {one.table for one in subnets.values()}
    clusters = {key: one for key, one in model.clusters.items() if not _is_elsewhere(one, elsewhere)}
    gone = {*model.vpcs.keys() - chosen, *model.clusters.keys() - clusters.keys()}
    return replace(
        model,
        vpcs={key: one for key, one in model.vpcs.items() if key in chosen},
        subnets=subnets,
        tables={key: one for key, one in model.tables.items() if key in used or one.vpc in chosen or not one.vpc},
        places={
            key: one for key, one in model.places.items() if not one.subnets or not elsewhere.issuperset(one.subnets)
        },
        devices={
            key: one for key, one in model.devices.items() if not one.subnets or not elsewhere.issuperset(one.subnets)
        },
        endpoints=tuple(one for one in model.endpoints if one.vpc in chosen or one.vpc not in model.vpcs),
        names={key: one for key, one in model.names.items() if key in chosen},
        clusters=clusters,
        watch=replace(model.watch, sensors=tuple(one for one in model.watch.sensors if one.scope not in gone)),
    )


def _is_elsewhere(cluster: Mapping[str, object], elsewhere: Collection[str]) -> bool:
    network = mapping(cluster.get("vpcConfig"), "vpcConfig")
    subnets = [str(one) for one in items(network.get("subnetIds"), "vpcConfig.subnetIds")]
    return bool(subnets) and all(one in elsewhere for one in subnets)


def missing(model: Model) -> Iterator[Gap]:
    """References that lead out of the facts: what is there could be anything, so nothing is proved across them."""
    for one in (*model.vpcs.values(), *model.subnets.values()):
        if not one.cidrs:
            yield Gap(_PACKETS, f"{one.name} has no address range in the facts")
    for one in model.subnets.values():
        for what, key, there in (
            ("VPC", one.vpc, model.vpcs),
            ("route table", one.table, model.tables),
            ("network ACL", one.acl, model.nacls),
        ):
            if key not in there:
                yield Gap(_PACKETS, f"the {what} of {one.name} ({key or 'not stated'}) is not in the facts")
    for table in model.tables.values():
        for route in table.routes:
            listed = route.destination
            if isinstance(listed, ListRef) and listed.id not in model.lists:
                yield Gap(_PACKETS, f"{route.name} is for prefix list {listed.id}, which is not in the facts")
    for place in model.places.values():
        strange = [key for key in place.subnets if key not in model.subnets]
        if strange:
            yield Gap(_PACKETS, f"{place.name} is in subnet {strange[0]}, which is not in the facts")
