"""The policy pack under the real engine: on a first preview, on edited programs, and at the end of `up`."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pytest
from real_engine import Engine, serving

from sequester.cloud import kubernetes_provider, plugin
from sequester.proof.model import CLAIMS
from sequester.standing import blueprint

pytestmark = [pytest.mark.lane("engine", "pulumi"), pytest.mark.xdist_group("engine")]

PACK = str(Path(__file__).resolve().parents[2] / "policies")
CONFIG = {
    "aws:region": "us-east-1",
    "sequester:account": "123456789012",
    "sequester:kubernetes": "render",
    "sequester:cluster": json.dumps(
        {"log_shipper": f"123456789012.dkr.ecr.us-east-1.amazonaws.com/sequester/log-shipper@sha256:{'0' * 64}"}
    ),
    "sequester:network": json.dumps({"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]}),
    "sequester:tenants": json.dumps({"research": {"allow": [{"host": "api.github.com", "paths": ["/repos/*"]}]}}),
}


def stack_of(engine: Engine, program: Callable[[], None], name: str) -> pulumi.automation.Stack:
    stack = engine.stack(program, config={**CONFIG, "sequester:name": name})
    plugin.install(
        engine.folder / "home", "kubernetes", kubernetes_provider.VERSION, "sequester.cloud.kubernetes_provider"
    )
    return stack


def violations(
    stack: pulumi.automation.Stack, config: Path | None = None, *, up: bool = False
) -> tuple[list[str], bool]:
    """What the pack said, a line each, and whether the engine went on."""
    said: list[str] = []

    def see(event: pulumi.automation.EngineEvent) -> None:
        if event.policy_event:
            said.append(
                f"{event.policy_event.enforcement_level} {event.policy_event.policy_name}: {event.policy_event.message}"
            )

    act = stack.up if up else stack.preview
    configs = [str(config)] if config else None
    try:
        act(on_event=see, policy_packs=[PACK], policy_pack_configs=configs)
    except pulumi.automation.CommandError as error:
        return [*said, *(line for line in str(error).splitlines() if "claim-" in line or "rror" in line)], False
    return said, True


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # what is rendered lands here


def configuration(tmp_path: Path, **policies: object) -> Path:
    path = tmp_path / "policies.json"
    path.write_text(json.dumps({key.replace("_", "-"): value for key, value in policies.items()}))
    return path


def assumed(folder: Path) -> dict[str, list[str]]:
    """What each claim's certificate assumes that only a preview has to assume."""
    found = {path.stem: json.loads(path.read_text())["assumptions"] for path in folder.glob("E*.json")}
    return {claim: [one for one in those if ONLY_BEFORE.search(one)] for claim, those in found.items()}


ONLY_BEFORE = re.compile("as its dependencies say|is that of|nothing was asked for|version that is planned")


def test_the_first_preview_of_the_blueprint_is_proved(engine: Engine, tmp_path: Path) -> None:
    kept = configuration(tmp_path, record={"enforcementLevel": "advisory", "certificates": str(tmp_path / "kept")})
    said, went_on = violations(stack_of(engine, blueprint, "clean"), kept)
    assert went_on, "\n".join(said)
    assert said == []
    certificates = assumed(tmp_path / "kept")
    assert sorted(certificates) == sorted(CLAIMS), "each claim proved, and its certificate checked"
    assert all(certificates.values()), "what is not known yet is assumed, and said"


def test_without_the_record_nothing_is_decided(engine: Engine, tmp_path: Path) -> None:
    """Nobody knows what was asked for: that leaves claims open, and makes no way out."""
    disabled = configuration(tmp_path, record="disabled")
    said, went_on = violations(stack_of(engine, blueprint, "untold"), disabled)
    claims = [one for one in said if one.startswith(("mandatory claim-", "advisory claim-"))]
    assert not went_on
    assert {one.split(":")[0].split()[-1] for one in claims} == {f"claim-{claim.lower()}" for claim in CLAIMS}
    open_ = ("not decided:", "and ")
    assert [one for one in claims if not one.splitlines()[1].partition(": ")[2].startswith(open_)] == []


def a_role_that_turns_out_to_be_anothers() -> None:
    """A dependency on one role, a value that names another: before the deployment only the first is to be seen."""
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}],
    }
    harmless = aws.iam.Role("harmless", name="harmless", assume_role_policy=json.dumps(trust))
    grant = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}
    named = harmless.id.apply(lambda _: "made-sandbox-node")
    aws.iam.RolePolicy("wider", name="wider", role=named, policy=json.dumps(grant))


def test_it_is_proved_again_on_real_values(tmp_path: Path) -> None:
    """And what only those show is seen then, though the preview was proved."""
    kept = configuration(tmp_path, record={"enforcementLevel": "advisory", "certificates": str(tmp_path / "kept")})
    with serving() as url:  # a cloud of its own: what protects itself from deletion goes with it
        engine = Engine(tmp_path, url)
        said, went_on = violations(stack_of(engine, blueprint, "made"), kept, up=True)
        assert went_on, "\n".join(said)
        assert said == []
        assert assumed(tmp_path / "kept") == {claim: [] for claim in sorted(CLAIMS)}, "nothing is left to assume"

        turned = stack_of(engine, with_(a_role_that_turns_out_to_be_anothers), "made")
        said, went_on = violations(turned)
        assert (said, went_on) == ([], True)
        said, went_on = violations(turned, up=True)
    assert not went_on
    way_out = next(one for one in said if one.startswith("mandatory claim-e4:"))
    assert "made-sandbox-node" in way_out
    assert "wider" in way_out, "the hop that opens it, by the resource's name"


def with_(add: Callable[[], None]) -> Callable[[], None]:
    def program() -> None:
        blueprint()
        add()

    return program


def a_nat_gateway() -> None:
    aws.ec2.NatGateway("out", subnet_id="subnet-0123456789abcdef0", connectivity_type="private")


def a_role_for_the_network() -> None:
    grant = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}
    aws.iam.RolePolicy("wider", name="wider", role="edited-sandbox-node", policy=json.dumps(grant))


@pytest.mark.parametrize(
    ("add", "policy"), [(a_nat_gateway, "never"), (a_role_for_the_network, "claim-e4")], ids=["NAT", "role"]
)
def test_a_way_out_stops_the_preview(engine: Engine, add: Callable[[], None], policy: str) -> None:
    said, went_on = violations(stack_of(engine, with_(add), "edited"))
    assert not went_on
    assert any(one.startswith(f"mandatory {policy}:") for one in said), "\n".join(said)


def test_an_advisory_claim_says_the_way_out_and_lets_pass(engine: Engine, tmp_path: Path) -> None:
    stack = stack_of(engine, with_(a_role_for_the_network), "edited")
    said, went_on = violations(stack, configuration(tmp_path, claim_e4="advisory"))
    assert went_on, said
    (way_out, *_) = said
    assert way_out.startswith("advisory claim-e4:")
    assert "wider" in way_out
    assert "mend: " in way_out
    said, went_on = violations(stack, configuration(tmp_path, claim_e4="disabled"))
    assert (said, went_on) == ([], True)


def test_a_claim_knows_less_without_the_policy_that_records(engine: Engine, tmp_path: Path) -> None:
    """Nobody can tell then what was asked for, so that no unknown value counts as none."""
    quiet = configuration(tmp_path, all="disabled", claim_e1="mandatory")
    said, went_on = violations(stack_of(engine, blueprint, "clean"), quiet)
    assert not went_on
    assert said[0].startswith("mandatory claim-e1:")


def a_gateway_alone() -> None:
    aws.ec2.Vpc("wide", cidr_block="8.0.0.0/16")
    a_nat_gateway()


BAD = {
    "no level": ({"never": "loud"}, '"loud" is not a valid enforcement level'),
    "no object": ({"claim-e1": {"selector": "x"}}, "claim-e1: selector: Invalid type. Expected: object, given: string"),
    "no key": ({"claim-e1": {"acount": "x"}}, "policy configuration: acount: is no key: use account, "),
    "no key of a selector": (
        {"claim-e1": {"selector": {"subnets": []}}},
        "policy configuration: selector.subnets: is no key: use ",
    ),
    "no account": ({"claim-e1": {"account": "12"}}, "account: '12' is no account id: write its 12 digits, in quotes"),
    "no region": (
        {"record": {"enforcementLevel": "advisory", "region": "moon"}, "claim-e1": "mandatory"},
        "region: 'moon' is no region",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_configuration_is_one_clear_line(engine: Engine, tmp_path: Path, name: str) -> None:
    given, line = BAD[name]
    given = {
        key: value | {"enforcementLevel": "mandatory"} if isinstance(value, dict) and key != "record" else value
        for key, value in given.items()
    }
    said, went_on = violations(
        stack_of(engine, a_gateway_alone, "small"), configuration(tmp_path, all="disabled", **given)
    )
    assert not went_on
    assert any(line in one for one in said), "\n".join(said)
    assert "Traceback" not in "\n".join(said)


def test_values_are_held_to_the_forms_of_the_settings(engine: Engine, tmp_path: Path) -> None:
    said, went_on = violations(
        stack_of(engine, a_gateway_alone, "small"), configuration(tmp_path, all="disabled", settings="mandatory")
    )
    assert not went_on
    assert any("wide.cidrBlock: 8.0.0.0/16 is not private: use a range of RFC 1918" in one for one in said), said
