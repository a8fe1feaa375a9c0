"""The checker of what runs in sandboxes (E5): labels, admission policies that deny, and the network plugin."""

# Facts are parsed JSON: their parts are looked up, never trusted to be there.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false

import json
from collections.abc import Iterator
from typing import Any

from sequester.proof.check_reasons import Facts, Reason, Refusal, sandboxes_of

# What must be refused of a request in a sandbox namespace → the resources of which the policy must speak that does it.
_PROBES = {
    "pods": (
        "a service account token", "the service account's own choice of a token", "a projected service account token",
        "a foreign service account", "the default service account", "an image from elsewhere",
        "an image from a registry like ours", "an image from a registry that has ours in its path",
        "an image from elsewhere for an init container", "an image by a tag that can move",
        "an image from elsewhere, put in later", "credentials for a registry", "a foreign seccomp profile",
        "another seccomp profile of the node", "a seccomp profile of a container's own", "another runtime class",
        "a node of its own choice", "any node", "every taint tolerated", "a probe that the kubelet sends elsewhere",
        "a hook that the kubelet sends elsewhere", "a volume of a storage driver", "a volume that lasts",
        "a user namespace, for which the standard asks less", "another system, for which the standard asks less",
        "a device",
    ),
    "pods/ephemeralcontainers": ("a debug container",),
    "serviceaccounts/token": ("a token on request",),
    "pods/attach": ("a stream to somebody else's agent",),
    "services": ("a service that names somebody else",),
    "nodes": ("a node that moves to another pool",),
}  # fmt: skip


def reasons(model: Facts, selector: Facts) -> Iterator[Reason]:
    sandboxes = sandboxes_of(model, selector)
    denying = _denying(model)
    for namespace in sandboxes:
        yield Reason(f"namespace {namespace}", ("enforces the restricted standard",))
    for resource, probes in _PROBES.items():
        refusing = tuple(f"{m['metadata']['name']} refuses it" for m in denying if _speaks_of(m, resource))
        for namespace in sandboxes:
            yield from (Reason(f"namespace {namespace}: {probe}", refusing) for probe in probes)
    for where in _plugins(model) if sandboxes else ():
        yield Reason(where, ("denies a pod's packets until its policies are in place",))


def _speaks_of(policy: Any, resource: str) -> bool:
    """Whether a policy looks at a resource; a star stands for all of its part, and alone for every one."""
    whole, _, part = resource.partition("/")
    names = {resource, "*", f"*/{part}", f"{whole}/*", "*/*"} if part else {resource, "*", "*/*"}
    rules = (policy["spec"].get("matchConstraints") or {}).get("resourceRules") or ()
    return any(names & {*(rule.get("resources") or ())} for rule in rules)


def _plugins(model: Facts) -> Iterator[str]:
    """Where the network plugin is told what it does."""
    yield from (name for name, cluster in model["clusters"].items() if "vpc-cni" in (cluster.get("addons") or {}))
    for one in model["manifests"]:
        meta = one.get("metadata") or {}
        if one.get("kind") == "DaemonSet" and (meta.get("namespace"), meta.get("name")) == ("kube-system", "aws-node"):
            yield "DaemonSet kube-system/aws-node"


def _denying(model: Facts) -> list[Any]:
    """Admission policies that are bound to deny, and that deny what they fail to judge."""
    bound = {
        m["spec"]["policyName"]
        for m in model["manifests"]
        if m["kind"] == "ValidatingAdmissionPolicyBinding" and "Deny" in (m["spec"].get("validationActions") or ())
    }
    return [
        m
        for m in model["manifests"]
        if m["kind"] == "ValidatingAdmissionPolicy"
        and m["metadata"]["name"] in bound
        and (m["spec"].get("failurePolicy") or "Fail") == "Fail"
    ]


def refusals(model: Facts, selector: Facts) -> Iterator[Refusal]:
    labels = {
        m["metadata"]["name"]: m["metadata"].get("labels") or {} for m in model["manifests"] if m["kind"] == "Namespace"
    }
    for name in sandboxes_of(model, selector):
        if labels.get(name, {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"{name} does not enforce the restricted standard"
    closed = _denying(model)
    every = [m for m in model["manifests"] if m["kind"] == "ValidatingAdmissionPolicy"]
    for m in every:
        if m not in closed:
            yield f"{m['metadata']['name']} denies nothing, or nothing that it fails to judge"
    if not any("pods" in json.dumps(m["spec"].get("matchConstraints"), default=list) for m in closed):
        yield "no admission policy that denies looks at pods"
    for name, cluster in model["clusters"].items():
        cni = (cluster.get("addons") or {}).get("vpc-cni") or {}
        if (cni.get("env") or {}).get("NETWORK_POLICY_ENFORCING_MODE") != "strict":
            yield f"{name}: network policies do not hold from the first packet on"
