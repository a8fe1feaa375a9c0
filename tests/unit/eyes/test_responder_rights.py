"""Quarantine's roles allow the calls that it makes, and no others; its configuration is what the functions read."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from deployed import AGENT_ROLES, NAMES, configured
from quarantine import AUDIT, BUCKET, DENY, DOOR, FLOW, TABLE, TENANTS, World, world
from sensor_records import agent_line, flow

from infra.iam import document
from infra.responder_config import inside_name, outside_name
from infra.responder_rights import CHAIN, inside_statements, outside_statements
from infra.settings.tripwires import TripwireSettings
from infra.tripwires import wires
from lambda_responder import inside, ledger
from lambda_responder.config import CONFIG_FILE, load
from sequester.proof.iam.condition import Truth, Value
from sequester.proof.iam.document import Statement, statements
from sequester.proof.iam.request import Region, allowed

_LOGS, _EC2 = NAMES.arn("logs", "log-group:{}:*"), NAMES.arn("ec2", "{}")
_ROLE = f"arn:aws:iam::{NAMES.account}:role/{{}}"
_OBJECT = f"arn:aws:s3:::{BUCKET}/{{}}"
_SNAPSHOT = f"arn:aws:ec2:{NAMES.region}::snapshot/*"
_NODE = {"aws:ResourceTag/eks:cluster-name": "sequester", "aws:ResourceTag/eks:nodegroup-name": "sequester-sandbox"}
_QUARANTINE = {"aws:ResourceTag/sequester:quarantine": "true"}
Need = tuple[str, str, dict[str, str]]
"""An action, what it is done to, and the condition keys of the request."""


def needs(service: str, operation: str, asked: dict[str, Any]) -> list[Need]:
    """What IAM asks for a call, by the Service Authorization Reference.

    https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
    """
    action = f"{service}:{operation}"
    key = asked.get("Key") or asked.get("Item") or {}
    partition = (key if isinstance(key, dict) else {}).get("tenant") or asked.get("ExpressionAttributeValues", {}).get(
        ":open", {"S": ""}
    )
    instance = (asked.get("InstanceIds") or [asked.get("InstanceSpecification", {}).get("InstanceId")])[0]
    table = {
        "cloudwatch": [(NAMES.arn("cloudwatch", "alarm:*"), {})],
        "logs": [(_LOGS.format(asked.get("logGroupName")), {})],
        "s3": [(_OBJECT.format(asked.get("Key")), {})],
        "sns": [(asked.get("TopicArn", ""), {})],
        "lambda": [(NAMES.arn("lambda", f"function:{asked.get('FunctionName')}"), {})],
        "iam": [(_ROLE.format(asked.get("RoleName")), {"iam:PolicyARN": asked.get("PolicyArn", "")})],
        "eks": [(NAMES.cluster_arn, {})],
        "dynamodb": [
            (
                NAMES.arn("dynamodb", f"table/{asked.get('TableName')}"),
                {"dynamodb:LeadingKeys": partition["S"], "dynamodb:Attributes": "halted"},
            )
        ],
        "ec2": [("*", {})],
    }
    special = {
        "eks:DeletePodIdentityAssociation": [
            (NAMES.arn("eks", f"podidentityassociation/sequester/{asked.get('associationId')}"), {})
        ],
        "ec2:ModifyNetworkInterfaceAttribute": [
            (_EC2.format(f"network-interface/{asked.get('NetworkInterfaceId')}"), {}),
            *((_EC2.format(f"security-group/{group}"), _QUARANTINE) for group in asked.get("Groups", [])),
        ],
        "ec2:TerminateInstances": [(_EC2.format(f"instance/{instance}"), _NODE)],
        "ec2:CreateSnapshots": [
            (_EC2.format(f"instance/{instance}"), _NODE),
            (_EC2.format("volume/*"), {}),
            (_SNAPSHOT, {}),
        ],
    }
    found = [(action, resource, context) for resource, context in special.get(action, table[service])]
    if operation == "CreateSnapshots":  # with tags it takes this, too
        found.append(("ec2:CreateTags", _SNAPSHOT, {"ec2:CreateAction": "CreateSnapshots"}))
    return found


def run_of_everything(at: World) -> list[Need]:
    """A node that is ended, a tenant that is closed and released, a pod found by its address, a sweep."""
    instance = at.node()
    at.write(FLOW, flow(instance_id=instance))
    for tenant in TENANTS:
        at.write(DOOR.format(tenant), {"event": "fetch", "tenant": tenant, "verdict": "denied"})
    at.write(AUDIT, agent_line("DENY"))  # of an address that nobody had
    names = ("packet-left", "door-secret-research", "door-secret-support", "policy-denied")
    events = [at.alarm(f"sequester-{name}") for name in names]
    at.asked.clear()
    for event in events:
        at.responder(actions_per_hour=7).handle(event)  # so that it pages, too
    at.responder().handle({"sweep": True})
    at.responder().handle({"release": "research", "by": "alice", "why": "tested"})
    return [need for each in at.asked for need in needs(*each)]


@pytest.fixture(scope="module")
def called() -> list[Need]:
    with world() as at:
        return run_of_everything(at)


@pytest.fixture(scope="module")
def allowing() -> tuple[Statement, ...]:
    ours = document(*outside_statements(NAMES, AGENT_ROLES))
    return statements(json.loads(ours), "responder")


def allows(allowing: Iterable[Statement], need: Need) -> Truth:
    action, resource, keys = need
    context = {key.lower(): Value(text) for key, text in keys.items()}
    return allowed(tuple(allowing), Region(action, resource, context)).truth


def test_each_call_is_allowed_on_what_it_is_made_for(called: list[Need], allowing: tuple[Statement, ...]) -> None:
    assert len({action for action, _, _ in called}) >= 18
    refused = [need for need in called if allows(allowing, need) is not Truth.TRUE]
    assert refused == []


# Not called by the code itself: S3 and SNS ask KMS, Lambda's runtime logs, the other function is stood in for.
_BY_AWS = {
    "kms:Decrypt", "kms:GenerateDataKey", "logs:CreateLogStream", "logs:PutLogEvents", "lambda:InvokeFunction",
    "s3:GetObject",  # the chain's next place is taken only when two write at once
}  # fmt: skip


def test_nothing_is_allowed_that_is_not_called(called: list[Need], allowing: tuple[Statement, ...]) -> None:
    have = {action for each in allowing if each.allow for action in each.actions}
    assert have - {action.lower() for action, _, _ in called} <= {action.lower() for action in _BY_AWS}


@pytest.mark.parametrize("sid", [each.sid for each in outside_statements(NAMES, AGENT_ROLES)])
def test_each_statement_is_needed(called: list[Need], allowing: tuple[Statement, ...], sid: str) -> None:
    rest = [each for each in allowing if not each.name.endswith(f" {sid}")]
    assert len(rest) == len(allowing) - 1
    if {action for each in allowing if each not in rest for action in each.actions} <= {a.lower() for a in _BY_AWS}:
        return
    assert any(allows(rest, need) is not Truth.TRUE for need in called)


@pytest.mark.parametrize(
    "need",
    [
        ("iam:AttachRolePolicy", _ROLE.format("sequester-agent-research"), {"iam:PolicyARN": f"{DENY}-not"}),
        ("iam:AttachRolePolicy", _ROLE.format("admin"), {"iam:PolicyARN": DENY}),
        ("iam:PutRolePolicy", _ROLE.format("sequester-agent-research"), {}),
        ("ec2:TerminateInstances", _EC2.format("instance/i-0"), {**_NODE, "aws:ResourceTag/eks:nodegroup-name": "x"}),
        ("ec2:ModifyNetworkInterfaceAttribute", _EC2.format("security-group/sg-0"),
         {"aws:ResourceTag/sequester:quarantine": "false"}),
        ("dynamodb:UpdateItem", NAMES.arn("dynamodb", f"table/{TABLE}"),
         {"dynamodb:LeadingKeys": "research", "dynamodb:Attributes": "spent"}),
        ("dynamodb:PutItem", NAMES.arn("dynamodb", f"table/{TABLE}"), {"dynamodb:LeadingKeys": "research"}),
        ("s3:PutObject", _OBJECT.format("audit/research/0000000000000001.json"), {}),
        ("s3:DeleteObject", _OBJECT.format("evidence/x"), {}),
        ("lambda:InvokeFunction", NAMES.door_arn("research"), {}),
    ],
    ids=lambda need: f"{need[0]} {next(iter(need[2]), '')}",
)  # fmt: skip
def test_what_would_be_too_much_is_not_allowed(allowing: tuple[Statement, ...], need: Need) -> None:
    assert allows(allowing, need) is Truth.FALSE


def test_the_inner_function_may_call_no_service() -> None:
    """So there is nothing that an endpoint's policy would have to let through: it speaks to the API server alone."""
    arn = NAMES.arn("lambda", f"function:{inside_name(NAMES)}")
    found = statements(json.loads(document(*inside_statements(NAMES))), "inside")
    from_code = {"lambda:SourceFunctionArn": arn}
    for action in sorted({action for each in found if each.allow for action in each.actions} - _OWN_LOG):
        assert allows(found, (action, "*", from_code)) is Truth.FALSE, action


_OWN_LOG = {"logs:createlogstream", "logs:putlogevents"}


def test_the_inner_functions_code_makes_no_client() -> None:
    """Its token is signed here: the request that it is made of is sent by the API server, if by anybody."""
    source = Path(inside.__file__).read_text()
    assert "boto3" not in source
    assert ".client(" not in source


def test_the_functions_read_what_the_program_writes(tmp_path: Path) -> None:
    (tmp_path / CONFIG_FILE).write_text(configured())
    read = load(tmp_path)
    assert read.inside == inside_name(NAMES)
    assert set(read.tenants) == set(AGENT_ROLES)
    expected = {wire.name(NAMES.name) for wire in wires(sorted(AGENT_ROLES)) if not wire.row.silent_group}
    assert set(read.wires) == expected
    assert read.level == "contain"
    assert ledger.CHAIN == CHAIN
    assert outside_name(NAMES) != inside_name(NAMES)


def test_the_settings_reach_the_functions(tmp_path: Path) -> None:
    spared = "i-0123456789abcdef0"
    settings = TripwireSettings(response="isolate", actions_per_hour=3, dry_run=True, never_touch=(spared,))
    (tmp_path / CONFIG_FILE).write_text(configured(settings))
    read = load(tmp_path)
    assert (read.level, read.actions_per_hour, read.dry_run) == ("isolate", 3, True)
    assert read.never_touch == frozenset({spared})


def test_no_policy_can_be_attached_but_the_deny() -> None:
    statements = {each.sid: each for each in outside_statements(NAMES, AGENT_ROLES)}
    assert statements["Revoke"].conditions == {
        "ArnEquals": {"iam:PolicyARN": "arn:aws:iam::123456789012:policy/sequester-quarantined"}
    }
    assert all("iam:Put" not in action for each in statements.values() for action in each.actions)
    assert json.dumps(statements["EndNodes"].conditions).count("sequester") == 2
