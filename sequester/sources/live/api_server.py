"""The objects of a live cluster, from its API server: every kind that a claim asks about, and no secret."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import OK
from typing import Any, cast
from urllib.parse import urlencode

import kubernetes
import yaml
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

from sequester.proof.facts import BadFactError, items, mapping, text
from sequester.proof.model import Gap
from sequester.sources.kinds import KINDS, REVIEWED_GROUPS

# The official client has no types: what it gives is typed by the time it leaves this file.
_K8S = cast("Any", kubernetes)
_CLAIMS = frozenset({"E1", "E2", "E4", "E5", "E6"})
_PAGE, _MOST_PAGES, _SECONDS = 500, 10_000, 30
_SILENT = ("managedFields", "uid", "resourceVersion", "creationTimestamp", "generation", "selfLink")

Object = Mapping[str, object]


@dataclass(frozen=True)
class Cluster:
    """What an API server said: objects as a manifest has them, and what it did not say."""

    objects: tuple[Object, ...]
    gaps: tuple[Gap, ...]
    server: str = ""


def read(
    kubeconfig: str | None, context: str | None = None, progress: Callable[[str], None] = lambda _: None
) -> Cluster:
    """By a kubeconfig, else by the service account of the pod that this runs in. A refusal is a gap; none raises."""
    try:
        client = _client(kubeconfig, context)
    except (ConfigException, OSError, ValueError, TypeError, AttributeError, KeyError, yaml.YAMLError) as error:
        return Cluster((), (Gap(_CLAIMS, f"live: kubeconfig: {_short(error)}"),))
    gaps: list[Gap] = []
    found: list[Object] = []
    try:
        places = list(_discovered(client))
    except (ApiException, HTTPError, BadFactError) as error:
        return Cluster((), (Gap(_CLAIMS, f"live: API server: {_short(error)}"),))
    for version, kind, path in places:
        progress(f"{kind} ({version})")
        try:
            found += [_plain(one, version, kind) for one in _listed(client, path)]
        except (ApiException, HTTPError, BadFactError) as error:
            gaps.append(Gap(_CLAIMS, f"live: API server: {kind} ({version}): {_short(error)}"))
    return Cluster(tuple(found), tuple(gaps), str(client.configuration.host))


def rights() -> dict[str, object]:
    """A ClusterRole with the rights that reading takes: kinds by name, and whatever other groups there are."""
    rules: list[dict[str, object]] = [
        {"apiGroups": [group], "resources": list(resources), "verbs": ["list"]} for group, resources in _RIGHTS.items()
    ]
    rules.append({"nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*"], "verbs": ["get"]})
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "prover"},
        "rules": rules,
    }


# Kinds of other groups (custom resources) are named as not allowed until their group is added here by its owner.
_RIGHTS: Mapping[str, tuple[str, ...]] = {
    "": ("namespaces", "pods", "replicationcontrollers", "serviceaccounts", "services"),
    "apps": ("daemonsets", "deployments", "replicasets", "statefulsets"),
    "batch": ("cronjobs", "jobs"),
    "networking.k8s.io": ("networkpolicies",),
    "rbac.authorization.k8s.io": ("clusterrolebindings", "clusterroles", "rolebindings", "roles"),
    "admissionregistration.k8s.io": (
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
        "mutatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
    ),
}


def _client(kubeconfig: str | None, context: str | None) -> Any:
    if kubeconfig:
        client = _K8S.config.new_client_from_config(config_file=kubeconfig, context=context)
    else:
        configuration = _K8S.client.Configuration()
        _K8S.config.load_incluster_config(client_configuration=configuration)
        client = _K8S.client.ApiClient(configuration)
    client.configuration.retries = 3
    return client


def _discovered(client: Any) -> Iterator[tuple[str, str, str]]:
    """apiVersion, kind and path of each kind worth reading, in the version that the server prefers of its versions."""
    seen: set[tuple[str, str]] = set()
    for version in ("v1", *_versions(client)):
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        for raw in items(_get(client, root).get("resources"), root):
            one = mapping(raw, root)
            name, kind = text(one.get("name"), root), text(one.get("kind"), root)
            group = version.rpartition("/")[0]
            listable = "/" not in name and "list" in items(one.get("verbs"), root)
            if listable and (kind in KINDS or group not in REVIEWED_GROUPS) and (group, kind) not in seen:
                seen.add((group, kind))
                yield version, kind, f"{root}/{name}"


def _versions(client: Any) -> Iterator[str]:
    """Of each group the version that the server prefers, then the others: a kind may be in one of those alone."""
    for raw in items(_get(client, "/apis").get("groups"), "groups"):
        group = mapping(raw, "group")
        others = [mapping(one, "versions") for one in items(group.get("versions"), "versions")]
        listed = [mapping(group.get("preferredVersion"), "preferredVersion"), *others]
        yield from dict.fromkeys(text(one.get("groupVersion"), "group") for one in listed)


def _listed(client: Any, path: str) -> Iterator[Object]:
    """All pages of a collection, over all namespaces."""
    following = ""
    for _ in range(_MOST_PAGES):
        page = _get(client, path, limit=str(_PAGE), **({"continue": following} if following else {}))
        for one in items(page.get("items"), path):
            yield mapping(one, path)
        following = str(mapping(page.get("metadata"), path).get("continue") or "")
        if not following:
            return
    raise BadFactError(f"{path}: more than {_MOST_PAGES} pages")


def _get(client: Any, path: str, **query: str) -> Object:
    tokens = client.configuration.auth_settings().values()
    headers = {"Accept": "application/json", **{str(one["key"]): one["value"] for one in tokens if one.get("value")}}
    url = f"{client.configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
    answer = client.rest_client.request("GET", url, headers=headers, _request_timeout=_SECONDS)
    body = cast("bytes", answer.read())
    if answer.status != OK:
        raise ApiException(status=answer.status, reason=answer.reason)
    try:
        return mapping(json.loads(body), path)
    except ValueError as error:
        raise BadFactError(f"{path}: its answer is not JSON") from error


def _plain(one: Object, version: str, kind: str) -> Object:
    """The object as its manifest says it: lists leave out apiVersion and kind, and the server adds its own notes."""
    meta = {key: value for key, value in mapping(one.get("metadata"), kind).items() if key not in _SILENT}
    kept = {key: value for key, value in one.items() if key != "status"}
    return {**kept, "apiVersion": version, "kind": kind, "metadata": meta}


def _short(error: Exception) -> str:
    refused = cast("Any", error) if isinstance(error, ApiException) else None
    said = f"{refused.status} {refused.reason}" if refused else str(error)
    return " ".join(said.split())[:200]
