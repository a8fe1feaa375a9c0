"""The layers that keep packets in, each with an edit of the facts that takes it away: the lab's controls."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from sequester.lab.facts import Facts
from sequester.proof.model import Model, Nacl, NaclRule, Route, RouteTable, SecurityGroup, SecurityRule, Target
from sequester.proof.space import EVERY_SERVICE, whole

Edit = Callable[[Facts], Facts]
_AXES = ("4", "6")
_GATEWAY = Target("internet gateway", "igw-lab")


class NoSuchLayerError(ValueError):
    """A name that is in no row of LAYERS."""


def without(facts: Facts, names: Iterable[str]) -> Facts:
    for name in sorted(set(names)):
        if name not in LAYERS:
            raise NoSuchLayerError(f"no layer is called {name}: use {', '.join(sorted(LAYERS))}")
        facts = LAYERS[name][1](facts)
    return facts


def _model(change: Callable[[Model], Model]) -> Edit:
    return lambda facts: replace(facts, model=change(facts.model))


def _open_groups(model: Model) -> Model:
    def opened(group: SecurityGroup) -> SecurityGroup:
        rules = tuple(
            SecurityRule("opened", egress, whole(axis), EVERY_SERVICE) for axis in _AXES for egress in (True, False)
        )
        return replace(group, rules=rules)

    return replace(model, groups={key: opened(group) for key, group in model.groups.items()})


def _open_acls(model: Model) -> Model:
    def opened(acl: Nacl) -> Nacl:
        rules = tuple(
            NaclRule("opened", 1, egress, allow=True, peer=whole(axis), services=EVERY_SERVICE)
            for axis in _AXES
            for egress in (True, False)
        )
        return replace(acl, rules=rules)

    return replace(model, nacls={key: opened(acl) for key, acl in model.nacls.items()})


def _open_routes(model: Model) -> Model:
    """A gateway, a default route to it in every table, and public addresses."""

    def opened(table: RouteTable) -> RouteTable:
        return replace(table, routes=(*table.routes, *(Route("opened", whole(axis), _GATEWAY) for axis in _AXES)))

    return replace(
        model,
        tables={key: opened(table) for key, table in model.tables.items()},
        places={key: replace(place, public=True) for key, place in model.places.items()},
    )


def _no_policies(facts: Facts) -> Facts:
    kept = tuple(m for m in facts.model.manifests if m.get("kind") != "NetworkPolicy")
    return replace(facts, model=replace(facts.model, manifests=kept), strict=False)


def _hops(model: Model) -> Model:
    return replace(
        model,
        places={k: p if p.metadata_hops is None else replace(p, metadata_hops=64) for k, p in model.places.items()},
    )


LAYERS: Final[Mapping[str, tuple[str, Edit]]] = {
    "network-policy": ("NetworkPolicies, and the mode in which a pod without one has no network", _no_policies),
    "node-drops": ("what sandbox nodes' user data drops", lambda facts: replace(facts, node_rules={})),
    "no-v6": ("pods have no IPv6", lambda facts: replace(facts, pods_have_v6=True)),
    "security-group": ("security groups", _model(_open_groups)),
    "nacl": ("network ACLs", _model(_open_acls)),
    "routes": ("route tables without a way out, and private addresses", _model(_open_routes)),
    "imds-hops": ("instance metadata's answers end at the node", _model(_hops)),
    "dns-firewall": ("DNS Firewall", lambda facts: replace(facts, firewall=())),
    "coredns": ("CoreDNS knows listed names only", lambda facts: replace(facts, corefile="")),
}
