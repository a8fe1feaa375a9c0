"""Quarantine's roles allow the calls that it makes, and no others; its configuration is what the functions read."""

import json
from pathlib import Path

from deployed import AGENT_ROLES, LISTED, NAMES, response_args
from quarantine import DOOR, FLOW, World, world

from infra.response import CHAIN, configuration, inside_name, outside_name, outside_statements
from infra.settings.tripwires import TripwireSettings
from infra.tripwires import wires
from lambda_responder import ledger
from lambda_responder.config import CONFIG_FILE, load


def everything(at: World) -> set[str]:
    """The IAM actions of a run that closes a door, ends a node and releases."""
    instance = at.node()
    at.write(FLOW, f"5 eni-0 {instance} subnet-0 10.42.0.5 192.0.2.1 5 443")
    at.write(DOOR.format("research"), {"event": "fetch", "tenant": "research", "verdict": "denied"})
    responder = at.responder(actions_per_hour=4)  # so that it pages, too
    at.calls.clear()
    responder.handle(at.alarm("sequester-packet-left"))
    responder.handle(at.alarm("sequester-door-secret-research"))
    at.responder(actions_per_hour=50).handle({"release": "research", "by": "x"})
    return {f"{service}:{operation}" for service, operation in at.calls}


# The responder's own calls, that is: not those by which the test itself sets the scene.
_SCENE = {"cloudwatch:PutMetricAlarm", "cloudwatch:SetAlarmState"}
# Not seen here: logs and lambda are stood in for; the chain's conflict and a second association need other scenes.
_ELSEWHERE = {
    "logs:FilterLogEvents", "lambda:InvokeFunction", "s3:GetObject", "kms:Decrypt", "kms:GenerateDataKey",
    "ec2:CreateTags", "ec2:DescribeNetworkInterfaces", "eks:DeletePodIdentityAssociation",
    "eks:ListPodIdentityAssociations", "iam:AttachRolePolicy", "dynamodb:UpdateItem", "logs:CreateLogStream",
    "logs:PutLogEvents",
}  # fmt: skip


def test_the_outer_role_allows_what_is_called_and_nothing_else() -> None:
    allowed = {action for each in outside_statements(NAMES, AGENT_ROLES, LISTED) for action in each.actions}
    with world() as at:
        called = everything(at) - _SCENE
    assert called <= allowed
    assert allowed - called <= _ELSEWHERE


def test_the_functions_read_what_the_program_writes(tmp_path: Path) -> None:
    (tmp_path / CONFIG_FILE).write_text(configuration(response_args()))
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
    (tmp_path / CONFIG_FILE).write_text(configuration(response_args(settings=settings)))
    read = load(tmp_path)
    assert (read.level, read.actions_per_hour, read.dry_run) == ("isolate", 3, True)
    assert read.never_touch == frozenset({spared})


def test_no_policy_can_be_attached_but_the_deny() -> None:
    statements = {each.sid: each for each in outside_statements(NAMES, AGENT_ROLES, LISTED)}
    assert statements["Revoke"].conditions == {
        "ArnEquals": {"iam:PolicyARN": "arn:aws:iam::123456789012:policy/sequester-quarantined"}
    }
    assert all("iam:Put" not in action for each in statements.values() for action in each.actions)
    assert json.dumps(statements["EndNodes"].conditions).count("sequester") == 2
