"""From resources to facts of the cluster: EKS properties, add-on configuration, Pod Identity, manifests."""

import json
from collections.abc import Mapping
from typing import cast

import yaml

from sequester.proof.facts import BadFactError, items, mapping
from sequester.sources.resource import Resource, Stack


def addon_settings(addon: Resource) -> Mapping[str, object]:
    """`configurationValues`, which is JSON or YAML. Raises BadFactError if it is neither."""
    raw = addon.maybe("configurationValues")
    if not raw:
        return {}
    try:
        return mapping(yaml.safe_load(raw), f"{addon.name}.configurationValues")
    except yaml.YAMLError as error:
        raise BadFactError(f"{addon.name}.configurationValues is neither JSON nor YAML") from error


def clusters(stack: Stack) -> dict[str, Mapping[str, object]]:
    found: dict[str, Mapping[str, object]] = {}
    for one in stack.of("eks/cluster:Cluster"):
        name = one.maybe("name") or one.id
        addons = {
            a.maybe("addonName"): addon_settings(a)
            for a in stack.of("eks/addon:Addon")
            if a.maybe("clusterName") == name
        }
        identities = [
            {"namespace": p.maybe("namespace"), "serviceAccount": p.maybe("serviceAccount"), "role": p.maybe("roleArn")}
            for p in stack.of("eks/podIdentityAssociation:PodIdentityAssociation")
            if p.maybe("clusterName") == name
        ]
        found[name] = {**_flat(one), "addons": addons, "podIdentities": identities, "resource": one.name}
    return found


def _flat(one: Resource) -> Mapping[str, object]:
    """Blocks that a provider wrote as a list of one become objects."""
    return {key: _opened(value) for key, value in one.properties.items()}


def _opened(value: object) -> object:
    if isinstance(value, list):
        inside = cast("list[object]", value)
        if len(inside) == 1 and isinstance(inside[0], Mapping):
            return cast("object", inside[0])
    return cast("object", value)


def manifests_in(resources: tuple[Resource, ...]) -> tuple[Mapping[str, object], ...]:
    """Kubernetes objects among the resources. A chart or a file of YAML that is not expanded is not among them."""
    return tuple(
        one.properties for one in resources if one.type.startswith("kubernetes:") and one.properties.get("kind")
    )


def manifests_of(text: str, where: str) -> tuple[Mapping[str, object], ...]:
    """The objects of a YAML (or JSON) text; lists are opened. Raises BadFactError if it does not parse."""
    try:
        documents = list(yaml.safe_load_all(text))
    except (yaml.YAMLError, RecursionError) as error:
        raise BadFactError(f"{where}: not YAML: {str(error).splitlines()[0]}") from error
    found: list[Mapping[str, object]] = []
    for raw in documents:
        if raw is None:
            continue
        one = mapping(raw, where)
        if one.get("kind") == "List":
            found += [mapping(item, where) for item in items(one.get("items"), where)]
        else:
            found.append(one)
    for one in found:
        if not isinstance(one.get("kind"), str) or not isinstance(one.get("metadata"), Mapping):
            raise BadFactError(
                f"{where}: {json.dumps(one, default=str)[:60]} is no Kubernetes object: it lacks kind or metadata"
            )
    return tuple(found)
