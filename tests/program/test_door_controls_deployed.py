"""The doors as AWS tells of them: every control holds, and each turns red when it is taken away."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pulumi
import pulumi_aws as aws
import pytest

from infra.logs import Logs, LogsArgs
from infra.names import Names
from infra.settings import load, parse
from infra.stack import doors, log_groups
from sequester.cloud import Edit, EmbeddedCloud
from sequester.readback.control import Finding
from sequester.readback.doors import DOOR_CONTROLS, check_doors
from sequester.readback.doors_seen import DoorsSeen, observe_doors
from sequester.standing import door_sources

CONFIGURATION: dict[str, Any] = {
    "aws:region": "us-east-1",
    "sequester:account": "123456789012",
    "sequester:network": {"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]},
    "sequester:tenants": {
        name: {"allow": [{"host": "api.github.com", "paths": ["/repos/*"]}]}
        for name in ("research", "support", "third")
    },
}
SETTINGS = parse({key.partition(":")[2]: value for key, value in CONFIGURATION.items()})
AUDIT = "sequester-door-audit-123456789012-us-east-1"
CONFIG = "sequester-door-config-123456789012-us-east-1"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:sequester-door"


def program() -> None:
    """The doors behind an endpoint, without the rest of the network."""
    settings = load()
    names = Names.of(settings)
    logs = Logs(names.name, LogsArgs(names, log_groups(settings)))
    vpc = aws.ec2.Vpc("vpc", cidr_block="10.42.0.0/16", tags=names.tags("vpc"))
    endpoint = aws.ec2.VpcEndpoint(
        "lambda",
        vpc_id=vpc.id,
        service_name="com.amazonaws.us-east-1.lambda",
        vpc_endpoint_type="Interface",
        tags=names.tags("lambda"),
    )
    doors(settings, door_sources(), endpoint.id, logs, pulumi.ResourceOptions())


@pytest.fixture(scope="module")
def seen() -> DoorsSeen:
    with EmbeddedCloud() as cloud:
        cloud.up(program, config=CONFIGURATION)
        return observe_doors(cloud.client, SETTINGS)


def test_every_control_holds(seen: DoorsSeen) -> None:
    assert [str(finding) for finding in check_doors(seen)] == []


class Mutation(NamedTuple):
    """`change` edits the inputs of `type` `name`, or returns None to leave it out; `words` are what must be said."""

    control: str
    type: str
    name: str
    change: Callable[[dict[str, Any]], object]
    words: str


def _set(**values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda inputs: inputs.update(values)


def _variable(**values: str) -> Callable[[dict[str, Any]], object]:
    return lambda inputs: inputs["environment"]["variables"].update(values)


def _policy(change: Callable[[list[Any]], object]) -> Callable[[dict[str, Any]], object]:
    def apply(inputs: dict[str, Any]) -> None:
        document = json.loads(inputs["policy"])
        change(document["Statement"])
        inputs["policy"] = json.dumps(document)

    return apply


def _statement(sid: str, **values: Any) -> Callable[[dict[str, Any]], object]:
    def change(statements: list[Any]) -> None:
        next(statement for statement in statements if statement["Sid"] == sid).update(values)

    return _policy(change)


def _without(sid: str) -> Callable[[dict[str, Any]], object]:
    return _policy(lambda statements: statements.remove(next(s for s in statements if s["Sid"] == sid)))


def _gone(_: dict[str, Any]) -> object:
    return _GONE


_GONE = object()
_FUNCTION, _RESOURCE = "lambda/function:Function", "lambda/resourcePolicy:ResourcePolicy"
_ROLE, _INVOKED = "iam/rolePolicy:RolePolicy", "lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"
_R, _S, _T = "sequester-door-research", "sequester-door-support", "sequester-door-third"

# All are made in one run: each finding is looked for by its control and its words.
MUTATIONS = (
    Mutation("door-outside", _FUNCTION, _R, _set(vpcConfig={"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]}),
             "interfaces in a VPC"),
    Mutation("door-callers", _RESOURCE, f"{_R}-function", _without("NotThroughOurEndpoint"),
             "function's policy does not deny calls that are not by our endpoint"),
    Mutation("door-callers", _RESOURCE, f"{_R}-live", _without("NotTheTenant"),
             "alias's policy does not deny calls that are not by the tenant's agent"),
    Mutation("door-callers", _RESOURCE, f"{_S}-function", _statement("NotThroughOurEndpoint", Effect="Allow"),
             "function's policy lets * in"),
    Mutation("door-callers", _RESOURCE, f"{_S}-live",
             _statement("NotThroughOurEndpoint", Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-other"}}),
             "alias's policy does not deny calls that are not by our endpoint"),
    Mutation("door-callers", _RESOURCE, f"{_T}-function",
             _statement("TheTenant", Principal={"AWS": "arn:aws:iam::999999999999:root"}), "999999999999"),
    Mutation("door-callers", _RESOURCE, f"{_T}-live", _gone, "alias's policy does not deny"),
    # moto keeps one of these a function, whatever the qualifier.
    Mutation("door-one-way", _INVOKED, f"{_R}-live", _set(maximumRetryAttempts=2), "retries what was invoked"),
    Mutation("door-one-way", _INVOKED, f"{_R}-latest", _set(maximumRetryAttempts=2), "retries what was invoked"),
    Mutation("door-reserved", _FUNCTION, _R, _set(reservedConcurrentExecutions=-1), "no reserved concurrency"),
    Mutation("door-live", "lambda/alias:Alias", _S, _set(functionVersion="$LATEST"), "nothing to roll back to"),
    Mutation("door-environment", _FUNCTION, _R, _variable(AWS_ENDPOINT_URL="https://elsewhere.example"),
             "sets AWS_ENDPOINT_URL"),
    Mutation("door-environment", _FUNCTION, _T, _variable(DOOR_TENANT="support"), "its DOOR_TENANT is support"),
    Mutation("door-environment", _FUNCTION, _T, lambda inputs: inputs.pop("kmsKeyArn"), "not encrypted by a key"),
    Mutation("door-logged", _FUNCTION, _T, _set(loggingConfig={"logFormat": "Text", "logGroup": "/elsewhere"}),
             "writes to /elsewhere"),
    Mutation("door-rights", _FUNCTION, _T, _set(role="arn:aws:iam::123456789012:role/sequester-door-support"),
             "runs as arn:aws:iam::123456789012:role/sequester-door-support"),
    Mutation("door-rights", _ROLE, _R, _statement("OwnRecords", Resource=f"arn:aws:s3:::{AUDIT}/audit/*"),
             "reaches records of others"),
    Mutation("door-rights", _ROLE, _R, _statement("OwnPartition", Condition={}), "other tenants' budgets"),
    Mutation("door-rights", _ROLE, _R, _statement("SignHeads", Condition={}), "may use every key"),
    Mutation("door-rights", _ROLE, _S, _statement("OwnLog", Action=["ec2:CreateNetworkInterface"]),
             "may ec2:CreateNetworkInterface"),
    Mutation("door-rights", _ROLE, _S, _statement("OwnConfiguration", Resource="*"), "reaches every resource"),
    Mutation("door-configured", "s3/bucketObjectv2:BucketObjectv2", _S, _set(content='{"version": 1}'),
             "its configuration is none"),
    Mutation("store-versioned", "s3/bucketVersioning:BucketVersioning", CONFIG,
             _set(versioningConfiguration={"status": "Suspended"}), "keeps no versions"),
    Mutation("store-private", "s3/bucketPublicAccessBlock:BucketPublicAccessBlock", AUDIT,
             _set(blockPublicPolicy=False), "public access"),
    Mutation("store-encrypted",
             "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration", AUDIT,
             _set(rules=[{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]), "encrypted by AES256"),
    Mutation("store-encrypted", "dynamodb/table:Table", "sequester-door",
             lambda inputs: inputs.pop("serverSideEncryption"), "is not encrypted by a key of ours"),
    Mutation("store-tls", "s3/bucketPolicy:BucketPolicy", CONFIG, _gone, "answers without TLS"),
    Mutation("records-locked", "s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration", AUDIT,
             _set(rule={"defaultRetention": {"mode": "GOVERNANCE", "days": 1}}), "locks records by"),
    Mutation("records-once", "s3/bucketPolicy:BucketPolicy", AUDIT, _without("WrittenOnce"), "be written over"),
    Mutation("records-kept", "s3/bucketPolicy:BucketPolicy", AUDIT,
             _statement("NeverDeleted", Action=["s3:DeleteObjectVersion"]), "a delete marker"),
    Mutation("table-history", "dynamodb/table:Table", "sequester-door", _set(pointInTimeRecovery={"enabled": False}),
             "keeps no history"),
    Mutation("table-protected", "dynamodb/table:Table", "sequester-door", _set(deletionProtectionEnabled=False),
             "can be deleted"),
    Mutation("table-partitioned", "dynamodb/table:Table", "sequester-door",
             _set(hashKey="item", rangeKey="tenant"), "not partitioned by tenant"),
    Mutation("head-signed", _FUNCTION, _S, _variable(DOOR_SIGNING_KEY=""), "does not sign the head"),
    Mutation("store-key", "kms/key:Key", "sequester-door", _set(enableKeyRotation=False), "does not rotate"),
)  # fmt: skip


@pytest.fixture(scope="module")
def findings() -> list[Finding]:
    met: set[tuple[str, str]] = set()

    def change(kind: str, name: str, inputs: Any) -> Any:
        for mutation in MUTATIONS:
            if kind == f"aws:{mutation.type}" and name == mutation.name:
                met.add((mutation.type, mutation.name))
                if mutation.change(inputs) is _GONE:
                    return None
        return inputs

    with EmbeddedCloud() as cloud:
        cloud.up(program, config=CONFIGURATION, edit=Edit(change))
        assert met == {(mutation.type, mutation.name) for mutation in MUTATIONS}
        return check_doors(observe_doors(cloud.client, SETTINGS))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: f"{m.control}: {m.words}")
def test_a_control_that_is_taken_away_is_missed(findings: list[Finding], mutation: Mutation) -> None:
    said = [str(finding) for finding in findings if finding.id == mutation.control]
    assert any(mutation.words in one for one in said), said


def test_another_way_to_run_a_door_is_found() -> None:
    with EmbeddedCloud() as cloud:
        cloud.up(program, config=CONFIGURATION)
        functions = cloud.client("lambda")
        by = {"StatementId": "Scheduled", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
        functions.add_permission(FunctionName=_R, **by)
        functions.create_function_url_config(FunctionName=_S, AuthType="NONE")
        said = [str(finding) for finding in check_doors(observe_doors(cloud.client, SETTINGS))]
    assert [one for one in said if "permission Scheduled" in one]
    assert [one for one in said if "a function URL" in one]


def test_code_that_nobody_signed_is_found_where_signing_is_asked_for(seen: DoorsSeen) -> None:
    profile = "arn:aws:signer:us-east-1:123456789012:/signing-profiles/door/abcdefghij"
    door = SETTINGS.door.model_copy(update={"signing_profile_arn": profile})
    asked = replace(seen, settings=SETTINGS.model_copy(update={"door": door}))
    assert {finding.id for finding in check_doors(asked)} == {"door-signed"}
    signed = {tenant: replace(one, signing="Enforce") for tenant, one in seen.doors.items()}
    assert check_doors(replace(asked, doors=signed)) == []


def test_each_control_has_a_mutation() -> None:
    assert {m.control for m in MUTATIONS} | {"door-signed"} == {control.id for control in DOOR_CONTROLS}
