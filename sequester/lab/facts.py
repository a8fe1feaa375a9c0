"""What a lab is built from: the proof's facts, and what is deployed beside them (user data, add-ons, formats)."""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sequester.proof.facts import mapping
from sequester.proof.model import Association, Model
from sequester.proof.selector import Selector
from sequester.sources.cluster import addon_settings
from sequester.sources.resource import Resource, block
from sequester.sources.stack import model_of

_RULES_FILE = re.compile(r"^cat >\S+\.nft <<'(\w+)'\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
_SERVICE_RANGE = "172.20.0.0/16"
"""EKS's own choice."""
_FIELD = re.compile(r"\$\{([\w-]+)\}")


@dataclass(frozen=True)
class Facts:
    """One deployment. node_rules: the nftables text that a place's user data writes. flow_fields: the flow log's."""

    model: Model
    node_rules: Mapping[str, str] = field(default_factory=dict[str, str])
    flow_fields: tuple[str, ...] = ()
    corefile: str = ""
    service_range: str = _SERVICE_RANGE
    strict: bool = False
    """The CNI's enforcing mode: a pod that no policy selects has no network."""
    pods_have_v6: bool = True
    shared_addresses: bool = True
    """Outside of the VPC, pods appear under their node's address."""
    firewall: tuple[Association, ...] = ()


def facts_of(
    resources: Iterable[Resource],
    *,
    account: str,
    region: str,
    manifests: Iterable[Mapping[str, Any]] = (),
    selector: Selector | None = None,
) -> Facts:
    """From a deployment's resources, as `sequester.sources` has them."""
    known = tuple(resources)
    model = model_of(known, selector, account=account, region=region, manifests=manifests)
    cni = _addon(known, "vpc-cni")
    environment = mapping(cni.get("env"), "env")
    return Facts(
        model,
        _node_rules(known),
        _flow_fields(known),
        str(_addon(known, "coredns").get("corefile") or ""),
        service_range(model),
        strict=str(environment.get("NETWORK_POLICY_ENFORCING_MODE")) == "strict",
        pods_have_v6=str(environment.get("DISABLE_POD_V6")).lower() != "true",
        shared_addresses=str(environment.get("AWS_VPC_K8S_CNI_EXTERNALSNAT")).lower() != "true",
        firewall=tuple(one for service in model.names.values() for one in service.firewall),
    )


def _of_type(resources: Iterable[Resource], kind: str) -> list[Resource]:
    return [one for one in resources if one.type == f"aws:{kind}"]


def _addon(resources: tuple[Resource, ...], name: str) -> Mapping[str, object]:
    for one in _of_type(resources, "eks/addon:Addon"):
        if one.maybe("addonName") == name:
            return addon_settings(one)
    return {}


def _node_rules(resources: tuple[Resource, ...]) -> dict[str, str]:
    templates = _of_type(resources, "ec2/launchTemplate:LaunchTemplate")
    found: dict[str, str] = {}
    for group in _of_type(resources, "eks/nodeGroup:NodeGroup"):
        wanted = block(group, "launchTemplate")
        for template in templates:
            if template.id == wanted.get("id") or template.maybe("name") == wanted.get("name"):
                texts = _RULES_FILE.findall(_decoded(template.maybe("userData")))
                found[group.id or group.name] = "".join(text for _, text in texts)
    return found


def _decoded(user_data: str) -> str:
    try:
        return base64.b64decode(user_data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return user_data


def _flow_fields(resources: tuple[Resource, ...]) -> tuple[str, ...]:
    for one in _of_type(resources, "ec2/flowLog:FlowLog"):
        return tuple(_FIELD.findall(one.maybe("logFormat")))
    return ()


def service_range(model: Model) -> str:
    """Where the cluster's services have their addresses."""
    for cluster in model.clusters.values():
        stated = mapping(cluster.get("kubernetesNetworkConfig"), "kubernetesNetworkConfig").get("serviceIpv4Cidr")
        if stated:
            return str(stated)
    return _SERVICE_RANGE
