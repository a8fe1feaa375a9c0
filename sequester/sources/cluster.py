"""From resources to facts of the cluster: EKS properties, add-on configuration, Pod Identity, manifests."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import yaml

from sequester.proof.facts import BadFactError, items, mapping
from sequester.sources.access import document
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
            {
                "namespace": p.maybe("namespace"),
                "serviceAccount": p.maybe("serviceAccount"),
                "role": p.maybe("roleArn"),
                "targetRole": p.maybe("targetRoleArn"),
                "policy": document(p.get("policy"), p.name) if p.get("policy") else None,
            }
            for p in stack.of("eks/podIdentityAssociation:PodIdentityAssociation")
            if p.maybe("clusterName") == name
        ]
        identities += [i for a in stack.of("eks/addon:Addon") if a.maybe("clusterName") == name for i in _of_addon(a)]
        for key in ("vpcConfig", "kubernetesNetworkConfig", "enabledClusterLogTypes", "accessConfig"):
            one.get(key)  # what the claims read must be known
        found[name] = {**_flat(one), "addons": addons, "podIdentities": identities, "resource": one.name}
    return found


# Service accounts of add-ons' pods that do not run on every node. Any other is taken to be one that does.
_CONTROLLERS = {"aws-ebs-csi-driver": "ebs-csi-controller-sa", "coredns": "coredns", "metrics-server": "metrics-server"}


def _of_addon(addon: Resource) -> Iterator[Mapping[str, object]]:
    """Roles that an add-on gives to its own pods: by Pod Identity, or by web identity."""
    space = addon.maybe("namespace") or "kube-system"
    for raw in items(addon.get("podIdentityAssociations"), addon.name):
        one = mapping(raw, addon.name)
        yield {"namespace": space, "serviceAccount": one.get("serviceAccount"), "role": one.get("roleArn")}
    if addon.maybe("serviceAccountRoleArn"):
        account = _CONTROLLERS.get(addon.maybe("addonName"), "aws-node")
        yield {"namespace": space, "serviceAccount": account, "role": addon.maybe("serviceAccountRoleArn")}


def _flat(one: Resource) -> Mapping[str, object]:
    """Blocks that a provider wrote as a list of one become objects; when it was made is no fact that a claim needs."""
    return {key: _opened(value) for key, value in one.properties.items() if key != "createdAt"}


def _opened(value: object) -> object:
    if isinstance(value, list):
        inside = cast("list[object]", value)
        if len(inside) == 1 and isinstance(inside[0], Mapping):
            return cast("object", inside[0])
    return cast("object", value)


def manifests_in(resources: tuple[Resource, ...]) -> tuple[Mapping[str, object], ...]:
    """Kubernetes objects among the resources. A chart or a file of YAML that is not expanded is not among them."""
    those = [one for one in resources if one.type.startswith("kubernetes:") and one.properties.get("kind")]
    return tuple(inner for one in those for inner in opened(one.properties, one.name))


_MOST_NODES = 2_000_000
_MOST_DEPTH = 100


class _Strict(yaml.SafeLoader):
    """YAML as Kubernetes takes it: no key twice in a mapping, and no document that unfolds without end."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002  (PyYAML's own signature)
        seen: set[str] = set()
        for key, _ in node.value:
            said = str(getattr(key, "value", ""))
            if said != "<<" and said in seen:
                raise yaml.YAMLError(f"the key {said[:40]!r} is there twice")
            seen.add(said)
        return super().construct_mapping(node, deep)


def strict(text: str) -> object:
    """One document of YAML. Raises yaml.YAMLError for what Kubernetes would not take either."""
    return cast("object", yaml.load(text, Loader=_Strict))  # noqa: S506  (a SafeLoader)


def manifests_of(text: str, where: str) -> tuple[Mapping[str, object], ...]:
    """The objects of a YAML (or JSON) text; lists are opened. Raises BadFactError if it does not parse."""
    try:
        documents = [cast("object", one) for one in yaml.load_all(text, Loader=_Strict)]
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        raise BadFactError(f"{where}: not YAML: {(str(error) or type(error).__name__).splitlines()[0]}") from error
    found: list[Mapping[str, object]] = []
    for raw in documents:
        if raw is not None:
            _bounded(raw, where)
            found += opened(mapping(raw, where), where)
    for one in found:
        if not isinstance(one.get("kind"), str) or not isinstance(one.get("metadata"), Mapping):
            raise BadFactError(f"{where}: {str(one)[:60]} is no Kubernetes object: it lacks kind or metadata")
        if "{{" in str(one.get("kind")) or "{{" in str(one["metadata"]):
            raise BadFactError(f"{where}: holds a template: render it first (helm template, kustomize build)")
        meta = mapping(one["metadata"], where)
        if not isinstance(meta.get("name") or meta.get("generateName"), str):
            raise BadFactError(f"{where}: a {one.get('kind')} without a name")
    return tuple(found)


def opened(one: Mapping[str, object], where: str, depth: int = 0) -> list[Mapping[str, object]]:
    """The object itself, or those of a list: `List`, or the list of a kind (`PodList`)."""
    kind = one.get("kind")
    if not (isinstance(kind, str) and kind.endswith("List") and "items" in one):
        return [one]
    if depth > _MOST_DEPTH:
        raise BadFactError(f"{where}: lists within lists without end")
    own = {"kind": kind.removesuffix("List"), "apiVersion": one.get("apiVersion")} if kind != "List" else {}
    each = [mapping(item, where) for item in items(one.get("items"), where)]
    return [inner for item in each for inner in opened({**own, **item}, where, depth + 1)]


def _bounded(raw: object, where: str) -> None:
    """Aliases can make a small text unfold into billions of nodes: it is counted as it unfolds, up to a limit."""
    left, stack = _MOST_NODES, [(raw, 0)]
    while stack:
        node, depth = stack.pop()
        left -= 1
        if left < 0 or depth > _MOST_DEPTH:
            raise BadFactError(f"{where}: unfolds into too much: more than {_MOST_NODES} values, or too deep")
        inside = list(node.values()) if isinstance(node, Mapping) else node if isinstance(node, list) else ()  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        stack += [(one, depth + 1) for one in inside]  # pyright: ignore[reportUnknownVariableType]
