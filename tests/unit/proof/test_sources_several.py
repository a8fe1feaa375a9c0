"""One state, several accounts and regions: what another provider makes is neither mixed in nor passed over."""

import json
from typing import Any

import pytest
from proof_world import ACCOUNT, REGION, World

from sequester.proof.model import CLAIMS
from sequester.proof.prove import prove
from sequester.proof.verdict import Escapes, Proved, Unknown, Verdict
from sequester.sources.preview import Planned, preview_model
from sequester.sources.state import state_model

OTHER = "210987654321"
HERE, THERE, ABROAD = (f"urn:pulumi:dev::x::pulumi:providers:aws::{name}" for name in ("here", "there", "abroad"))


def provider(urn: str, account: str, region: str) -> dict[str, Any]:
    held = {"region": region, "allowedAccountIds": json.dumps([account])}
    return {"urn": urn, "type": "pulumi:providers:aws", "custom": True, "id": "p", "inputs": held, "outputs": held}


def resource(kind: str, name: str, by: str, /, **properties: object) -> dict[str, Any]:
    urn = f"urn:pulumi:dev::x::aws:{kind}::{by.rpartition('::')[2]}-{name}"
    return {
        "urn": urn, "type": f"aws:{kind}", "custom": True, "id": f"{urn}-id", "inputs": properties, "outputs": {},
        "provider": f"{by}::p",
    }  # fmt: skip


PROVIDERS = [provider(HERE, ACCOUNT, REGION), provider(THERE, OTHER, REGION), provider(ABROAD, ACCOUNT, "eu-west-1")]


def decided(world: World, *more: dict[str, Any], providers: list[dict[str, Any]] | None = None) -> dict[str, Verdict]:
    """The deployment as a state in which everything is made by one provider, and these besides."""
    own: list[dict[str, Any]] = [
        {"urn": f"urn:pulumi:dev::x::{r.type}::{r.name}", "type": r.type, "custom": bool(r.id), "id": r.id,
         "inputs": {}, "outputs": dict(r.properties), "provider": f"{HERE}::p"}
        for r in world.resources if not r.type.startswith("pulumi:")
    ]  # fmt: skip
    objects: list[dict[str, Any]] = [
        {"urn": f"urn:pulumi:dev::x::kubernetes:core/v1:{m['kind']}::{i}", "type": f"kubernetes:core/v1:{m['kind']}",
         "custom": True, "id": str(i), "inputs": m, "outputs": {}}
        for i, m in enumerate(world.manifests)
    ]  # fmt: skip
    whole = {
        "version": 3,
        "deployment": {"resources": [*(providers or PROVIDERS), *own, *objects, *more]},
    }
    return prove(state_model(json.dumps(whole, default=str)), CLAIMS)


WIDER = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}
NODE = "sequester-sandbox-node"


def test_a_state_of_several_accounts_is_that_of_its_sandboxes(world: World) -> None:
    assert all(isinstance(one, Proved) for one in decided(world).values())


def test_a_policy_for_a_role_of_another_account_is_not_mixed_in(world: World) -> None:
    policy = {"name": "wider", "role": NODE, "policy": json.dumps(WIDER)}
    assert isinstance(decided(world, resource("iam/rolePolicy:RolePolicy", "wider", THERE, **policy))["E4"], Proved)
    assert isinstance(decided(world, resource("iam/rolePolicy:RolePolicy", "wider", HERE, **policy))["E4"], Escapes)


def test_roles_are_of_every_region(world: World) -> None:
    """IAM has no regions: what a provider for another region hangs on a role counts here as well."""
    policy = {"name": "wider", "role": NODE, "policy": json.dumps(WIDER)}
    assert isinstance(decided(world, resource("iam/rolePolicy:RolePolicy", "wider", ABROAD, **policy))["E4"], Escapes)


def test_an_eye_of_another_region_does_not_see_here(world: World) -> None:
    one = next(r for r in world.some("LogMetricFilter") if r.name == "sequester-name-blocked-1")
    kind = "cloudwatch/logMetricFilter:LogMetricFilter"
    without = world.without("LogMetricFilter", one.name)
    given = {key: value for key, value in one.properties.items() if key != "region"}
    assert isinstance(decided(without, resource(kind, one.name, HERE, **given))["E8"], Proved)
    assert isinstance(decided(without, resource(kind, one.name, ABROAD, **given))["E8"], Escapes)
    region_of_its_own = given | {"region": "eu-west-1"}
    assert isinstance(decided(without, resource(kind, one.name, HERE, **region_of_its_own))["E8"], Escapes)


@pytest.mark.parametrize("by", [THERE, ABROAD])
def test_what_others_put_into_our_network_is_named(world: World, by: str) -> None:
    """A subnet that is shared with another account holds machines that this account does not see."""
    arn = f"arn:aws:ec2:{REGION if by == THERE else 'eu-west-1'}:{OTHER}:instance/i-0123456789abcdef0"
    guest = resource("ec2/instance:Instance", "guest", by, subnetId=world.subnet("sandbox").id, arn=arn)
    verdict = decided(world, guest)["E1"]
    assert isinstance(verdict, Unknown)
    assert any("there-guest" in one or "abroad-guest" in one for one in verdict.reasons), verdict.reasons


def test_of_a_provider_that_tells_nothing_nothing_is_taken_for_granted(world: World) -> None:
    silent = {**provider(HERE.replace("here", "silent"), ACCOUNT, REGION), "inputs": {}, "outputs": {}}
    policy = {"name": "wider", "role": "anything", "policy": json.dumps(WIDER)}
    stray = resource("iam/rolePolicy:RolePolicy", "wider", str(silent["urn"]), **policy)
    verdict = decided(world, stray, providers=[*PROVIDERS, silent])["E4"]
    assert isinstance(verdict, Unknown)
    assert any("provider silent: its account or region is not in the facts" in one for one in verdict.reasons)


def test_beside_one_account_it_is_taken_to_be_of_that_and_said(world: World) -> None:
    silent = {**provider(HERE.replace("here", "silent"), ACCOUNT, REGION), "inputs": {}, "outputs": {}}
    verdict = decided(world, providers=[PROVIDERS[0], silent])["E1"]
    assert isinstance(verdict, Proved)
    assert "provider silent is of the same account and region as the others" in verdict.certificate.assumptions


def test_an_assumed_role_tells_the_account() -> None:
    """Before anything is made, the provider's own configuration is all that there is."""
    chain = json.dumps(
        [{"roleArn": f"arn:aws:iam::{ACCOUNT}:role/hop"}, {"roleArn": f"arn:aws:iam::{OTHER}:role/deploy"}]
    )
    held = {"region": REGION, "assumeRoles": chain}
    model = preview_model(
        [
            Planned(HERE, "pulumi:providers:aws", "here", "", held),
            Planned("urn:vpc", "aws:ec2/vpc:Vpc", "vpc", "", {"cidrBlock": "10.42.0.0/16"}, provider=HERE),
        ]
    )
    assert (model.account, model.region) == (OTHER, REGION)
    assert not model.gaps
