"""The doors as deployed: read back from the cloud by boto3, and each control removed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from infra.door import Doors, DoorsArgs, NotBuiltError, TenantDoor, built, invocation_policy, role_policy
from infra.door_store import audit_bucket, bucket_policy, config_bucket, table
from infra.logs import Logs, LogsArgs
from infra.names import Names
from infra.settings.door import AllowRule, Budget, Credential, DoorSettings
from lambda_proxy.config import load
from sequester.cloud import EmbeddedCloud
from sequester.door_zip import members, pack

NAMES = Names("dev", "123456789012", "us-east-1")
ENDPOINT = "vpce-0123456789abcdef0"
TENANTS = ("research", "support")


def caller(tenant: str) -> str:
    return NAMES.role_arn(f"agent-{tenant}")


def tenant_door(tenant: str) -> TenantDoor:
    credential = Credential(secret=f"{tenant}/github", prefix="Bearer ")
    rule = AllowRule(host="api.github.com", paths=("/repos/*",))
    return TenantDoor((rule,), Budget(), {"api.github.com": credential}, f"{tenant}/canaries", caller(tenant))


def program(code: Path) -> None:
    groups = {NAMES.door_log_group(tenant): 365 for tenant in TENANTS}
    logs = Logs("dev", LogsArgs(NAMES, groups))
    Doors(
        "dev",
        DoorsArgs(NAMES, DoorSettings(), built(code), {t: tenant_door(t) for t in TENANTS}, ENDPOINT, logs.groups),
        pulumi.ResourceOptions(),
    )


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedCloud]:
    artifact = tmp_path_factory.mktemp("door") / "door.zip"
    pack(artifact, None)
    with EmbeddedCloud(region="us-east-1") as embedded:
        embedded.up(lambda: program(artifact), config={})
        yield embedded


def test_each_tenant_has_a_function_of_its_own_outside_the_vpc(cloud: EmbeddedCloud) -> None:
    client: Any = cloud.client("lambda")
    for tenant in TENANTS:
        found = client.get_function_configuration(FunctionName=NAMES.door(tenant))
        assert not found.get("VpcConfig", {}).get("SubnetIds")
        assert (found["Runtime"], found["Architectures"]) == ("python3.13", ["arm64"])
        assert found["Role"] == NAMES.role_arn(f"door-{tenant}")
        variables = found["Environment"]["Variables"]
        assert variables["DOOR_TENANT"] == tenant
        assert not {name for name in variables if name.startswith("AWS_") or "ENDPOINT" in name}
        assert client.get_function_concurrency(FunctionName=NAMES.door(tenant))["ReservedConcurrentExecutions"] == 5
        assert client.get_alias(FunctionName=NAMES.door(tenant), Name="live")["FunctionVersion"] != "$LATEST"


def test_the_configuration_that_is_deployed_is_one_that_the_door_loads(cloud: EmbeddedCloud) -> None:
    s3: Any = cloud.client("s3")
    for tenant in TENANTS:
        raw = s3.get_object(Bucket=config_bucket(NAMES), Key=f"{tenant}.json")["Body"].read()
        assert load(raw, tenant).rules[0].host == "api.github.com"


@pytest.mark.parametrize("bucket", [audit_bucket(NAMES), config_bucket(NAMES)])
def test_buckets_are_versioned_encrypted_and_not_public(cloud: EmbeddedCloud, bucket: str) -> None:
    s3: Any = cloud.client("s3")
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
    (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert "TlsOnly" in s3.get_bucket_policy(Bucket=bucket)["Policy"]


def test_audit_records_are_locked(cloud: EmbeddedCloud) -> None:
    s3: Any = cloud.client("s3")
    lock = s3.get_object_lock_configuration(Bucket=audit_bucket(NAMES))["ObjectLockConfiguration"]
    retention = lock["Rule"]["DefaultRetention"]
    assert (retention["Mode"], retention["Days"]) == ("GOVERNANCE", 365)


def test_the_table_keeps_a_history_and_forgets_old_meters(cloud: EmbeddedCloud) -> None:
    dynamodb: Any = cloud.client("dynamodb")
    described = dynamodb.describe_table(TableName=table(NAMES))["Table"]
    assert [key["AttributeName"] for key in described["KeySchema"]] == ["tenant", "item"]
    backups = dynamodb.describe_continuous_backups(TableName=table(NAMES))["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert dynamodb.describe_time_to_live(TableName=table(NAMES))["TimeToLiveDescription"]["AttributeName"] == "expires"


def statements(text: str) -> dict[str, dict[str, Any]]:
    return {statement["Sid"]: statement for statement in json.loads(text)["Statement"]}


def test_nobody_invokes_but_the_tenant_through_our_endpoint(cloud: EmbeddedCloud) -> None:
    client: Any = cloud.client("lambda")
    for tenant in TENANTS:
        for resource in (NAMES.door_arn(tenant), f"{NAMES.door_arn(tenant)}:live"):
            policy = statements(client.get_resource_policy(ResourceArn=resource)["Policy"])
            assert policy == statements(invocation_policy(resource, caller(tenant), ENDPOINT))
            assert policy["NotThroughOurEndpoint"]["Effect"] == "Deny"
            assert policy["NotThroughOurEndpoint"]["Condition"] == {"StringNotEquals": {"aws:SourceVpce": ENDPOINT}}
            assert policy["NotTheTenant"]["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": caller(tenant)}}


def test_a_role_reaches_its_own_and_nothing_of_another_tenant(cloud: EmbeddedCloud) -> None:
    iam: Any = cloud.client("iam")
    for tenant, other in (TENANTS, TENANTS[::-1]):
        role = NAMES.role(f"door-{tenant}")
        assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
        (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        text = json.dumps(document)
        assert other not in text
        assert not [action for action in ("ec2:", "eks:", "iam:", "sts:", "lambda:") if action in text]
        leading = [s["Condition"] for s in document["Statement"] if s["Sid"] == "OwnPartition"]
        assert leading[0]["ForAllValues:StringEquals"] == {"dynamodb:LeadingKeys": [tenant]}


def test_records_are_written_once_and_never_deleted() -> None:
    policy = statements(bucket_policy("b", locked=True))
    assert policy["WrittenOnce"]["Condition"] == {"Null": {"s3:if-none-match": "true"}}
    assert {"s3:DeleteObject", "s3:DeleteObjectVersion"} <= set(policy["NeverDeleted"]["Action"])
    assert statements(bucket_policy("b", locked=False)).keys() == {"TlsOnly"}


def test_a_door_without_secrets_may_read_none() -> None:
    assert "secretsmanager" not in role_policy(NAMES, "research", {}, None)


def test_the_zip_is_the_same_each_time_and_holds_the_handler(tmp_path: Path) -> None:
    first, second = pack(tmp_path / "a.zip", None), pack(tmp_path / "b" / "b.zip", None)
    assert first == second
    names = [name for name, _ in members(None)]
    assert "lambda_proxy/handler.py" in names
    assert names == sorted(names)
    assert not [name for name in names if "__pycache__" in name]


def test_code_that_is_not_built_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(NotBuiltError, match="run `make door`"):
        built(tmp_path / "door.zip")
