"""The checker's question to the network plugin: is it told to enforce policies, wherever it is told anything?"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

Facts = Mapping[str, Any]


def unenforced(addons: Iterable[Facts], manifests: Iterable[Facts]) -> Iterator[str]:
    """Why policies do not hold. `addons`: configuration values of vpc-cni add-ons."""
    for values in addons:
        agent = cast("Facts", values.get("nodeAgent") or {})
        if f"{values.get('enableNetworkPolicy')} {agent.get('enabled', True)}".lower() != "true true":
            yield "the vpc-cni add-on does not enforce network policies"
    for one in manifests:
        meta = cast("Facts", one.get("metadata") or {})
        if meta.get("namespace") != "kube-system":
            continue
        if one.get("kind") == "DaemonSet" and meta.get("name") == "aws-node":
            containers = cast("list[Facts]", one["spec"]["template"]["spec"]["containers"])
            arguments = [a for c in containers for key in ("command", "args") for a in c.get(key) or ()]
            if "--enable-network-policy=true" not in arguments:
                yield "aws-node does not enforce network policies"
        if one.get("kind") == "ConfigMap" and meta.get("name") == "amazon-vpc-cni":
            flag = cast("Facts", one.get("data") or {}).get("enable-network-policy-controller", "true")
            if str(flag).lower() != "true":
                yield "the policy controller of the control plane is off"


def of_model(model: Facts) -> Iterator[str]:
    """The same of all facts, in which the add-ons are told by cluster."""
    addons = [c["addons"]["vpc-cni"] for c in model["clusters"].values() if "vpc-cni" in c.get("addons", {})]
    return unenforced(addons, model["manifests"])
