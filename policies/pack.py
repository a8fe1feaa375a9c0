"""Two kinds of policies: what a single resource may never be, and the claims over the whole stack.

The stack policies see Kubernetes objects without properties when the provider's kubeconfig is not known yet, so a
resource policy records the inputs of everything, and the stack policies join them by URN.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from sequester.proof.model import CLAIMS
from sequester.proof.prove import prove
from sequester.proof.render import lines
from sequester.proof.verdict import Proved
from sequester.sources.preview import UNKNOWN, Planned, preview_model

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


class Recorder:
    """What resource policies have seen, by URN: inputs are there even where a provider is not known yet."""

    def __init__(self) -> None:
        self.seen: dict[str, Mapping[str, Any]] = {}

    def record(self, args: ResourceValidationArgs, _report: ReportViolation) -> None:
        self.seen[args.urn] = dict(args.props)

    def planned(self, args: StackValidationArgs) -> list[Planned]:
        return [
            Planned(
                one.urn,
                one.resource_type,
                one.name,
                "",
                _properties(self.seen.get(one.urn) or dict(one.props)),
                {key: [d.urn for d in found] for key, found in one.property_dependencies.items()},
            )
            for one in args.resources
        ]


def _properties(raw: Mapping[str, Any]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key in raw:
        try:
            found[key] = raw[key]
        except Exception:  # noqa: BLE001  (the SDK raises its own error for an unknown; to read is the only way to ask)
            found[key] = UNKNOWN
    return found


def pack() -> PolicyPack:
    recorder = Recorder()
    policies: list[Policy] = [
        ResourceValidationPolicy(
            name="record", description="Notes what each resource is given.", validate=recorder.record,
            enforcement_level=EnforcementLevel.ADVISORY,
        ),
        ResourceValidationPolicy(
            name="never", description="; ".join(f"{kind}: {why}" for kind, why in NEVER.items()), validate=_never,
            enforcement_level=EnforcementLevel.MANDATORY,
        ),
        ResourceValidationPolicy(
            name="not-this", description="; ".join(f"{kind} {key}: {why}" for kind, key, _, why in NOT_THIS),
            validate=_not_this, enforcement_level=EnforcementLevel.MANDATORY,
        ),
        *(_claim(recorder, claim, what) for claim, what in CLAIMS.items()),
    ]  # fmt: skip
    return PolicyPack(name="sequester", policies=policies, enforcement_level=EnforcementLevel.MANDATORY)


def _never(args: ResourceValidationArgs, report: ReportViolation) -> None:
    if args.resource_type in NEVER:
        report(f"{args.name}: {NEVER[args.resource_type]}: remove it", None)


def _not_this(args: ResourceValidationArgs, report: ReportViolation) -> None:
    for kind, key, values, why in NOT_THIS:
        if args.resource_type == kind and str(args.props.get(key)).lower() in values:
            report(f"{args.name}.{key}: {args.props.get(key)}: {why}", None)


def _claim(recorder: Recorder, claim: str, what: str) -> StackValidationPolicy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        settings = args.get_config()
        model = preview_model(
            recorder.planned(args),
            account=str(settings.get("account", "")),
            region=str(settings.get("region", "us-east-1")),
        )
        verdict = prove(model, [claim])[claim]
        if not isinstance(verdict, Proved):
            for line in lines(verdict)[:5]:
                report(f"{claim}: {line}", None)

    return StackValidationPolicy(
        name=f"claim-{claim.lower()}",
        description=what,
        validate=validate,
        config_schema=PolicyConfigSchema(properties={"account": {"type": "string"}, "region": {"type": "string"}}),
        # E7 and E8 need parts that not every stack has: a stack says so by its configuration.
        enforcement_level=EnforcementLevel.ADVISORY if claim in ("E7", "E8") else EnforcementLevel.MANDATORY,
    )
