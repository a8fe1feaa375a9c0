"""A preview: ids that are not known yet are resolved by dependency in id slots only, and every other unknown is named."""

from proof_world import ACCOUNT, REGION

from sequester.proof.prove import prove
from sequester.proof.verdict import Unknown
from sequester.sources.preview import UNKNOWN, Planned, preview_model


def planned(kind: str, name: str, dependencies: dict[str, list[str]] | None = None, **properties: object) -> Planned:
    return Planned(f"urn:{name}", f"aws:{kind}", name, "", properties, dependencies or {})


VPC = planned("ec2/vpc:Vpc", "vpc", cidrBlock="10.42.0.0/16")
ONE, TWO = (
    planned("ec2/subnet:Subnet", name, {"vpcId": ["urn:vpc"]}, vpcId=UNKNOWN, cidrBlock=f"10.42.{n}.0/24")
    for n, name in enumerate(("sandbox-a", "sandbox-b"))
)


def test_an_id_is_that_of_the_only_candidate() -> None:
    model = preview_model([VPC, ONE], account=ACCOUNT, region=REGION)
    assert model.subnets["urn:sandbox-a"].vpc == "urn:vpc"
    assert any("sandbox-a.vpcId is vpc" in one for one in model.assumptions)
    assert not model.gaps


def test_as_many_unknowns_as_candidates_are_a_set() -> None:
    group = planned("eks/nodeGroup:NodeGroup", "nodes", {"subnetIds": [ONE.urn, TWO.urn]}, subnetIds=[UNKNOWN, UNKNOWN])
    model = preview_model([VPC, ONE, TWO, group], account=ACCOUNT, region=REGION)
    assert set(model.places["urn:nodes"].subnets) == {ONE.urn, TWO.urn}


def test_fewer_unknowns_than_candidates_stay_open() -> None:
    group = planned("eks/nodeGroup:NodeGroup", "nodes", {"subnetIds": [ONE.urn, TWO.urn]}, subnetIds=[UNKNOWN])
    verdict = prove(preview_model([VPC, ONE, TWO, group], account=ACCOUNT, region=REGION), ["E1"])["E1"]
    assert isinstance(verdict, Unknown)
    assert any("nodes.subnetIds" in reason for reason in verdict.reasons)


def test_what_is_no_id_is_never_guessed() -> None:
    rule = planned("ec2/networkAclRule:NetworkAclRule", "rule", {"cidrBlock": ["urn:vpc"]}, cidrBlock=UNKNOWN)
    model = preview_model([VPC, rule], account=ACCOUNT, region=REGION)
    assert any("rule.cidrBlock" in gap.reason for gap in model.gaps)
