"""The facts as plain JSON: what a certificate's digest is taken over and what the checker reads."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from sequester.proof.certificate import Json
from sequester.proof.facts import mapping
from sequester.proof.model import ListRef, Model, Peer
from sequester.proof.netpol import is_policy
from sequester.proof.selector import Selector
from sequester.proof.space import Prefix


def packet_facts(model: Model, selector: Selector, service_ranges: tuple[Prefix, ...]) -> Json:
    """Everything that claims about packets depend on. Prefixes are [axis, low, end]."""
    return {
        "assumptions": list(model.assumptions),
        "axes": list(model.axes),
        "vpcs": {key: [_prefix(cidr) for cidr in vpc.cidrs] for key, vpc in model.vpcs.items()},
        "subnets": {
            key: {
                "vpc": subnet.vpc,
                "table": subnet.table,
                "acl": subnet.acl,
                "cidrs": [_prefix(cidr) for cidr in subnet.cidrs],
                "public": subnet.public_on_launch,
            }
            for key, subnet in model.subnets.items()
        },
        "tables": {
            key: {
                "routes": [[_peer(route.destination), route.target.kind, route.target.id] for route in table.routes],
                "propagating": list(table.propagating),
            }
            for key, table in model.tables.items()
        },
        "acls": {
            key: [[r.number, r.egress, r.allow, _prefix(r.peer), [list(s) for s in r.services]] for r in acl.rules]
            for key, acl in model.nacls.items()
        },
        "groups": {
            key: [[r.egress, _peer(r.peer), [list(s) for s in r.services]] for r in group.rules]
            for key, group in model.groups.items()
        },
        "lists": {
            key: None if one.entries is None else [_prefix(e) for e in one.entries] for key, one in model.lists.items()
        },
        "places": {
            key: {
                "kind": place.kind,
                "role": place.role,
                "subnets": list(place.subnets),
                "groups": list(place.groups),
                "public": place.public,
                "forwards": place.forwards,
                "guarded": place.guarded,
                "addresses": [_prefix(a) for a in place.addresses],
            }
            for key, place in model.places.items()
        },
        "devices": {
            key: {"kind": device.kind, "subnets": list(device.subnets), "public": device.public}
            for key, device in model.devices.items()
        },
        "plugin": {
            "addons": [dict(one) for one in _plugins(model)],
            "manifests": [dict(m) for m in model.manifests if _tells_plugin(m)],
        },
        "policies": [dict(m) for m in model.manifests if is_policy(m)],
        "namespaces": {
            name: selector.role_of_namespace(name) for name in namespaces(model) if selector.role_of_namespace(name)
        },
        "services": [_prefix(p) for p in service_ranges],
        "agents": [[_prefix(d.prefix), [list(s) for s in d.services]] for d in selector.agent_destinations],
    }


def _plugins(model: Model) -> Iterator[Mapping[str, object]]:
    """What each cluster's add-on tells the network plugin."""
    for name, cluster in model.clusters.items():
        addons = mapping(cluster.get("addons"), name)
        if "vpc-cni" in addons:
            yield mapping(addons["vpc-cni"], name)


def _tells_plugin(manifest: Mapping[str, object]) -> bool:
    name = mapping(manifest.get("metadata"), "metadata").get("name")
    return (manifest.get("kind"), name) in (("DaemonSet", "aws-node"), ("ConfigMap", "amazon-vpc-cni"))


def all_facts(model: Model, selector: Selector) -> Json:
    """Every fact, for claims that are not about packets."""
    return {"model": asdict(model), "selector": asdict(selector)}


def namespaces(model: Model) -> tuple[str, ...]:
    """Every namespace that a manifest defines or lies in."""
    found: set[str] = set()
    for manifest in model.manifests:
        meta = manifest.get("metadata")
        if isinstance(meta, dict):
            key = "name" if manifest.get("kind") == "Namespace" else "namespace"
            name = meta.get(key)  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
            if isinstance(name, str) and name:
                found.add(name)
    return tuple(sorted(found))


def sandbox_namespaces(model: Model, selector: Selector) -> list[str]:
    """The namespaces of these in which untrusted code runs."""
    return [one for one in namespaces(model) if selector.role_of_namespace(one) == "sandbox"]


def _prefix(one: Prefix) -> list[object]:
    return [one.axis, one.low, one.end]


def _peer(peer: Peer) -> list[object]:
    return _prefix(peer) if isinstance(peer, Prefix) else ["list" if isinstance(peer, ListRef) else "group", peer.id]
