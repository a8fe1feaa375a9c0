"""Whatever is fed to the sources, the answer is a verdict and never a traceback; and what was not read is never proved."""

import json
from dataclasses import replace
from typing import Any

import pytest
from proof_world import ACCOUNT, REGION, World
from ways_edits import block, policy

from sequester.proof.model import CLAIMS
from sequester.proof.prove import prove
from sequester.proof.verdict import Escapes, Proved, Unknown
from sequester.sources.state import state_model


def export(world: World) -> dict[str, Any]:
    """A stack export of the deployment, as `pulumi stack export` writes it."""
    return {
        "version": 3,
        "deployment": {
            "resources": [
                {"urn": r.urn or f"urn:pulumi:dev::x::{r.type}::{r.name}", "type": r.type, "id": r.id, "custom": bool(r.id), "inputs": {}, "outputs": dict(r.properties)}
                for r in world.resources
            ]
            + [
                {"urn": f"urn:pulumi:dev::x::kubernetes:x:{m['kind']}::{i}", "type": f"kubernetes:core/v1:{m['kind']}", "id": str(i),
                 "inputs": m, "outputs": {}}
                for i, m in enumerate(world.manifests)
            ]
        },
    }  # fmt: skip


def verdicts(raw: str) -> dict[str, Any]:
    return prove(state_model(raw, account=ACCOUNT, region=REGION), CLAIMS)


def test_a_stack_export_says_what_the_program_said(world: World) -> None:
    assert isinstance(verdicts(json.dumps(export(world), default=str))["E1"], Proved)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.999])
def test_a_cut_off_state_is_unknown(world: World, part: float) -> None:
    raw = json.dumps(export(world), default=str)
    assert all(isinstance(v, Unknown) for v in verdicts(raw[: int(len(raw) * part)]).values())


JUNK = {
    "nothing": "",
    "a list": "[]",
    "no resources": '{"deployment": {}}',
    "ten megabytes": "x" * 10_000_000,
    "deep": "[" * 100_000,
    "resources of no kind": '{"deployment": {"resources": [3]}}',
    "a resource without a type": '{"deployment": {"resources": [{"urn": "u"}]}}',
    "a deep property": json.dumps(
        {
            "deployment": {
                "resources": [
                    {"urn": "u", "type": "aws:ec2/vpc:Vpc", "inputs": json.loads('{"a":' * 500 + "1" + "}" * 500)}
                ]
            }
        }
    ),
}


@pytest.mark.parametrize("name", JUNK)
def test_junk_is_unknown(name: str) -> None:
    assert all(isinstance(v, Unknown) for v in verdicts(JUNK[name]).values())


@pytest.mark.parametrize(
    "kind", ["Vpc", "Subnet", "RouteTable", "Route", "NetworkAclRule", "SecurityGroupEgressRule", "LaunchTemplate"]
)
@pytest.mark.parametrize("value", [None, 7, [], "x", {"a": {}}, True])
def test_no_property_of_a_wrong_type_ends_in_a_traceback(world: World, kind: str, value: object) -> None:
    """Each property of the first resource of a kind, replaced: any verdict will do, an exception will not."""
    target = next(iter(world.some(kind)), None)
    for key in target.properties if target else ():
        prove(world.set(kind, target.name, **{key: value}).model(), ["E1", "E6"])  # type: ignore[union-attr]


def test_an_unknown_type_leaves_every_claim_open(world: World) -> None:
    model = world.with_("newservice/thing:Thing", "x").model()
    assert not [c for c, v in prove(model).items() if isinstance(v, Proved)]
    assert "newservice/thing:Thing" in " ".join(prove(model, ["E1"])["E1"].reasons)  # type: ignore[union-attr]


def test_a_cycle_of_forwarders_ends(world: World) -> None:
    a = world.subnet("sandbox")
    looped = world
    for here, there in (("a", "b"), ("b", "a")):
        looped = looped.with_("ec2/subnet:Subnet", here, f"subnet-{here}", vpcId=world.vpc.id, cidrBlock="10.42.250.0/24").with_(
            "ec2/natGateway:NatGateway", here, f"nat-{here}", subnetId=f"subnet-{here}"
        ).with_("ec2/routeTable:RouteTable", here, f"rtb-{here}", vpcId=world.vpc.id,
                routes=[{"cidrBlock": "0.0.0.0/0", "natGatewayId": f"nat-{there}"}]).with_(
            "ec2/routeTableAssociation:RouteTableAssociation", here, subnetId=f"subnet-{here}", routeTableId=f"rtb-{here}"
        )  # fmt: skip
    table = world.table("sandbox").name
    looped = looped.set("RouteTable", table, routes=[{"cidrBlock": "0.0.0.0/0", "natGatewayId": "nat-a"}])
    assert isinstance(prove(looped.model(), ["E1"])["E1"], Proved), a.name


def test_a_secret_is_opaque() -> None:
    from sequester.sources.state import read

    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": '"hunter"'}
    raw = {"deployment": {"resources": [{"urn": "a::b", "type": "aws:ec2/vpc:Vpc", "inputs": {"tags": {"x": secret}}}]}}
    found, _ = read(json.dumps(raw))
    assert found[0].properties == {"tags": {"x": "[secret]"}}


def test_what_agents_may_reach_is_open_where_no_vpc_is_in_the_facts(world: World) -> None:
    """Their policies name addresses of the VPC: without facts of it, nobody can say that these lie outside."""
    facts = replace(world.model(), vpcs={}, subnets={}, places={}, gaps=())
    verdict = prove(facts, ["E1"])["E1"]
    assert isinstance(verdict, Unknown)
    assert any("whether that is inside of the VPC is not in the facts" in one for one in verdict.reasons)
    opened = world.apply(policy("open", namespace="research-agent", egress=[block("203.0.113.0/24")])).model()
    verdict = prove(replace(opened, vpcs={}, subnets={}, places={}, gaps=()), ["E1"])["E1"]
    assert isinstance(verdict, Escapes), "a public address is outside, whatever the VPC is"
    assert "203.0.113" in verdict.witness.summary
