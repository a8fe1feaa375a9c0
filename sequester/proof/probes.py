"""Pods that must be refused: a plain one that admission lets in, and from it one change for each field that matters.

Only against a pod that is let in does a refusal show that it is the change that is refused. Which values a deployment
wants (its service account, registry, profile) is found among the words of its own expressions.
"""

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sequester.proof.admission import Attempt, Policy, Site

Pod = dict[str, Any]
Change = Callable[[Pod], object]
_DIGEST = "@sha256:" + "0" * 64
_ELSEWHERE = "registry.example/x" + _DIGEST
_LITERAL = re.compile(r"'([^']*)'|\"([^\"]*)\"")


def _spec(**fields: object) -> Change:
    return lambda pod: pod["spec"].update(fields)


def _container(kind: str = "containers", **fields: object) -> Change:
    def change(pod: Pod) -> None:
        first = copy.deepcopy(pod["spec"]["containers"][0])
        pod["spec"].setdefault(kind, [{**first, "name": "other"}])
        pod["spec"][kind][0].update(fields)

    return change


def _without(field: str) -> Change:
    return lambda pod: pod["spec"].pop(field, None)


def _volume(**source: object) -> Change:
    return _spec(volumes=[{"name": "x", **source}])


def _profile(kind: str, name: str | None = None) -> dict[str, object]:
    return {"seccompProfile": {"type": kind, **({"localhostProfile": name} if name else {})}}


def _lookalike(pod: Pod) -> None:
    """A registry of somebody else's whose name begins with ours."""
    first = pod["spec"]["containers"][0]
    host, slash, rest = str(first["image"]).partition("/")
    first["image"] = f"{host}.example/{rest}" if slash else f"{host.partition('@')[0]}.example/x{_DIGEST}"


def _inside(pod: Pod) -> None:
    """A registry of somebody else's that has a repository of our name."""
    first = pod["spec"]["containers"][0]
    first["image"] = f"registry.example/{first['image']}"


# What the `restricted` standard admits, and a validation must not: name → the change from the plain pod.
PROBES: dict[str, Change] = {
    "a service account token": _spec(automountServiceAccountToken=True),
    "the service account's own choice of a token": _without("automountServiceAccountToken"),
    "a projected service account token": _volume(projected={"sources": [{"serviceAccountToken": {"path": "t"}}]}),
    "a foreign service account": _spec(serviceAccountName="somebody-else"),
    "the default service account": _without("serviceAccountName"),
    "an image from elsewhere": _container(image=_ELSEWHERE),
    "an image from a registry like ours": _lookalike,
    "an image from a registry that has ours in its path": _inside,
    "an image from elsewhere for an init container": _container("initContainers", image=_ELSEWHERE),
    "an image by a tag that can move": lambda pod: _container(
        image=str(pod["spec"]["containers"][0]["image"]).partition("@")[0] + ":latest"
    )(pod),
    "credentials for a registry": _spec(imagePullSecrets=[{"name": "x"}]),
    "a foreign seccomp profile": _spec(securityContext=_profile("RuntimeDefault")),
    "another seccomp profile of the node": _spec(securityContext=_profile("Localhost", "other.json")),
    "a seccomp profile of a container's own": _container(securityContext=_profile("RuntimeDefault")),
    "another runtime class": _spec(runtimeClassName="other"),
    "a node of its own choice": _spec(nodeName="a-system-node"),
    "any node": _without("nodeSelector"),
    "every taint tolerated": _spec(tolerations=[{"operator": "Exists"}]),
    "a probe that the kubelet sends elsewhere": _container(
        livenessProbe={"httpGet": {"host": "collector.example", "port": 80}}
    ),
    "a hook that the kubelet sends elsewhere": _container(
        lifecycle={"postStart": {"httpGet": {"host": "collector.example", "port": 80}}}
    ),
    "a volume of a storage driver": _volume(csi={"driver": "x"}),
    "a volume that lasts": _volume(persistentVolumeClaim={"claimName": "x"}),
    "a user namespace, for which the standard asks less": _spec(hostUsers=False),
    "another system, for which the standard asks less": _spec(os={"name": "windows"}),
    "a device": _spec(resourceClaims=[{"name": "x", "resourceClaimName": "x"}]),
}


def plain(policies: tuple[Policy, ...], site: Site) -> Pod:
    """A pod that as many expressions as possible let in, from the words that they themselves use."""
    pod: Pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "namespace": site.name},
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [{"name": "main", "image": "registry.example/ours" + _DIGEST}],
        },
    }
    rounds = [(p, e) for p in policies if p.matches(Attempt("pods", pod), site) for e in p.validations]
    for _ in range(2):  # an expression may want what another was given first
        for policy, expression in rounds:
            if policy.holds(expression, Attempt("pods", pod), site):
                continue
            kept = [(p, e) for p, e in rounds if p.holds(e, Attempt("pods", pod), site)]
            for candidate in _candidates(pod, expression):
                attempt = Attempt("pods", candidate)
                if policy.holds(expression, attempt, site) and all(p.holds(e, attempt, site) for p, e in kept):
                    pod = candidate
                    break
    return pod


def _candidates(pod: Pod, expression: str) -> Iterator[Pod]:
    words = [a or b for a, b in _LITERAL.findall(expression)]
    # A word that ends in `@` wants a digest after it; any other may be the beginning of a repository.
    changes: list[Change] = [_spec(automountServiceAccountToken=False)]
    for word in words:
        changes += [
            _spec(serviceAccountName=word),
            _spec(runtimeClassName=word),
            *(
                _container(image=i)
                for i in (
                    *(() if not word.endswith("@") else (word + _DIGEST[1:],)),
                    f"{word}/x{_DIGEST}",
                    word + _DIGEST,
                    word,
                )
            ),
            _spec(securityContext=_profile("Localhost", word)),
            _spec(securityContext=_profile(word)),
        ]
        changes += [_spec(nodeSelector={word: other}) for other in words]
    for change in changes:
        candidate = copy.deepcopy(pod)
        change(candidate)
        yield candidate


def attempts(pod: Pod) -> Iterator[tuple[str, Attempt]]:
    """Every request that must be refused in a sandbox namespace."""
    for name, change in PROBES.items():
        changed = copy.deepcopy(pod)
        change(changed)
        yield name, Attempt("pods", changed)
    swapped = copy.deepcopy(pod)
    _container(image=_ELSEWHERE)(swapped)
    yield "an image from elsewhere, put in later", Attempt("pods", swapped, operation="UPDATE", old=pod)
    debug = copy.deepcopy(pod)
    debug["spec"]["ephemeralContainers"] = [{"name": "debug", "image": _ELSEWHERE}]
    yield "a debug container", Attempt("pods/ephemeralcontainers", debug, operation="UPDATE", old=pod)
    yield "a token on request", Attempt("serviceaccounts/token", {"metadata": {"name": "x"}, "spec": {}})
    yield "a stream to somebody else's agent", Attempt("pods/attach", {"kind": "PodAttachOptions"}, operation="CONNECT")
    outside = {"metadata": {"name": "x"}, "spec": {"type": "ExternalName", "externalName": "collector.example"}}
    yield "a service that names somebody else", Attempt("services", outside)


def node_attempts(pod: Pod) -> Iterator[tuple[str, Attempt]]:
    """What root on a sandbox node, with the node's own rights, must not make of its Node object."""
    chosen: Mapping[str, str] = pod["spec"].get("nodeSelector") or {}
    if not chosen:
        return
    taint = {"key": "sandbox", "value": "true", "effect": "NoSchedule"}
    before = {"metadata": {"name": "n", "labels": dict(chosen)}, "spec": {"taints": [taint]}}
    after = {"metadata": {"name": "n", "labels": dict.fromkeys(chosen, "system")}, "spec": {"taints": [taint]}}
    yield (
        "a node that moves to another pool",
        Attempt("nodes", after, operation="UPDATE", old=before, user="system:node:n", namespaced=False),
    )
