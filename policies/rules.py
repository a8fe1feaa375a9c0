"""What a single resource may never be, and what its values must look like: resource by resource, each with its why.

The forms of values are those of `infra/settings`, so that a stack of any language is held to what the blueprint's own
settings are held to.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pulumi_policy import (
    EnforcementLevel,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)
from pydantic import TypeAdapter, ValidationError

from infra.settings.cluster import AddonVersion, AmiRelease, InstanceType, KubernetesVersion, Principal
from infra.settings.images import ImageDigest
from infra.settings.values import VpcCidr
from policies.recorder import plain
from sequester.marks import UNKNOWN
from sequester.proof.selector import Selector

# Type → why none may exist beside a sandbox. One line a control: each is also a hop of some way out.
NEVER: Mapping[str, str] = {
    "aws:ec2/natGateway:NatGateway": "a NAT gateway carries packets to the internet",
    "aws:ec2/internetGateway:InternetGateway": "an internet gateway is half of a way out",
    "aws:ec2/egressOnlyInternetGateway:EgressOnlyInternetGateway": "it is a way out for IPv6",
    "aws:ec2/vpcPeeringConnection:VpcPeeringConnection": "a peering leads to another VPC",
    "aws:ec2transitgateway/vpcAttachment:VpcAttachment": "a transit gateway leads to other networks",
    "aws:route53/resolverEndpoint:ResolverEndpoint": "an outbound endpoint carries names out",
}

# Type, property → (values that open something, why).
NOT_THIS: Sequence[tuple[str, str, frozenset[str], str]] = (
    ("aws:ec2/subnet:Subnet", "mapPublicIpOnLaunch", frozenset({"true"}), "instances would get public addresses"),
    ("aws:route53/resolverFirewallConfig:ResolverFirewallConfig", "firewallFailOpen", frozenset({"enabled"}),
     "every name would resolve while the firewall fails"),
)  # fmt: skip


@dataclass(frozen=True)
class Form:
    """What the values at a property must look like. `path`: keys joined by dots, `[]` for each of a list."""

    kind: str
    path: str
    type: object
    why: str


# What runs is what was reviewed: a name that can be made to mean something else is none.
PINNED: Sequence[Form] = (
    Form("aws:eks/addon:Addon", "addonVersion", AddonVersion, "the agent that holds network policies is part of it"),
    Form("aws:eks/nodeGroup:NodeGroup", "releaseVersion", AmiRelease, "an older release cannot load the nodes' rules"),
    Form("aws:eks/accessEntry:AccessEntry", "principalArn", Principal, "it administers the cluster"),
)
# What the blueprint would refuse in its settings, and that opens nothing by itself.
SETTINGS: Sequence[Form] = (
    Form("aws:ec2/vpc:Vpc", "cidrBlock", VpcCidr, "other addresses are somebody else's"),
    Form("aws:eks/cluster:Cluster", "version", KubernetesVersion, "without support there are no mends"),
    Form("aws:eks/nodeGroup:NodeGroup", "instanceTypes[]", InstanceType, "pods need addresses by prefix"),
)
# Where an object holds its pod, by kind.
_PODS: Mapping[str, str] = {
    "CronJob": "spec.jobTemplate.spec.template.spec",
    "DaemonSet": "spec.template.spec",
    "Deployment": "spec.template.spec",
    "Job": "spec.template.spec",
    "Pod": "spec",
    "ReplicaSet": "spec.template.spec",
    "StatefulSet": "spec.template.spec",
}
_CONTAINERS = ("containers[]", "initContainers[]", "ephemeralContainers[]")


def policies() -> list[ResourceValidationPolicy]:
    """One policy a table: each can be set by configuration."""
    return [
        ResourceValidationPolicy(
            name="never", description="What leads out of a network of sandboxes is not made.", validate=_never,
            enforcement_level=EnforcementLevel.MANDATORY,
        ),
        ResourceValidationPolicy(
            name="not-this", description="No property opens a way out by itself.", validate=_not_this,
            enforcement_level=EnforcementLevel.MANDATORY,
        ),
        ResourceValidationPolicy(
            name="pinned", description="What runs beside a sandbox, and who rules it, is named exactly.",
            validate=_pinned, enforcement_level=EnforcementLevel.MANDATORY,
        ),
        ResourceValidationPolicy(
            name="settings", description="Values are such as the blueprint's own settings take.", validate=_settings,
            enforcement_level=EnforcementLevel.ADVISORY,
        ),
    ]  # fmt: skip


def _never(args: ResourceValidationArgs, report: ReportViolation) -> None:
    if args.resource_type in NEVER:
        report(f"{args.name}: {NEVER[args.resource_type]}: remove it", None)


def _not_this(args: ResourceValidationArgs, report: ReportViolation) -> None:
    given = plain(args.props)
    for kind, key, values, why in NOT_THIS:
        if args.resource_type == kind and str(given.get(key)).lower() in values:
            report(f"{args.name}.{key}: {given[key]}: {why}: take it away", None)


def _pinned(args: ResourceValidationArgs, report: ReportViolation) -> None:
    for said in broken(PINNED, args.resource_type, args.name, plain(args.props)):
        report(said, None)
    for said in images(args.resource_type, args.name, plain(args.props)):
        report(said, None)


def _settings(args: ResourceValidationArgs, report: ReportViolation) -> None:
    for said in broken(SETTINGS, args.resource_type, args.name, plain(args.props)):
        report(said, None)


def broken(forms: Sequence[Form], kind: str, name: str, given: Mapping[str, object]) -> Iterator[str]:
    """A line for each value that is not of its form. What is absent or not known yet is none."""
    for form in forms:
        if form.kind == kind:
            for where, value in _at(given, form.path):
                said = said_of(form.type, value)
                if said:
                    yield f"{name}.{where}: {said} ({form.why})"


def images(kind: str, name: str, given: Mapping[str, object], selector: Selector | None = None) -> Iterator[str]:
    """A line for each image of a sandbox's pod that is not named by digest."""
    metadata = given.get("metadata")
    namespace = cast("Mapping[str, object]", metadata).get("namespace") if isinstance(metadata, Mapping) else ""
    pod = _PODS.get(kind.rpartition(":")[2]) if kind.startswith("kubernetes:") else None
    if pod is None or (selector or Selector()).role_of_namespace(str(namespace)) != "sandbox":
        return
    for containers in _CONTAINERS:
        for where, value in _at(given, f"{pod}.{containers}.image"):
            said = said_of(ImageDigest, value)
            if said:
                yield f"{name}.{where}: {said} (whoever may push the tag would choose what runs)"


def said_of(form: object, value: object) -> str:
    """What a validator of the settings says of a value; the empty text if it takes it."""
    try:
        TypeAdapter(cast("Any", form)).validate_python(value)
    except ValidationError as error:
        return str(error.errors(include_url=False)[0]["msg"]).removeprefix("Value error, ")
    return ""


def _at(node: object, path: str, where: str = "") -> Iterator[tuple[str, object]]:
    """Every known value at a path, each with the place where it is."""
    if node is None or node == UNKNOWN:
        return
    if not path:
        yield where, node
        return
    step, _, rest = path.partition(".")
    key, listed = step.removesuffix("[]"), step.endswith("[]")
    inner = cast("Mapping[str, object]", node).get(key) if isinstance(node, Mapping) else None
    here = f"{where}.{key}" if where else key
    if not listed:
        yield from _at(inner, rest, here)
    elif isinstance(inner, list):
        for i, one in enumerate(cast("list[object]", inner)):
            yield from _at(one, rest, f"{here}[{i}]")
