"""Reads the deployed doors, and what they keep, by describe and get calls."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from botocore.exceptions import ClientError

from infra.door import ALIAS, signing_alias
from infra.door_store import audit_bucket, config_bucket, config_key, table
from infra.names import Names
from infra.settings import Settings
from sequester.readback.observe import Client


@dataclass(frozen=True)
class DoorSeen:
    """One tenant's door. policies: of the function and of its alias, by ARN; statements: of its role."""

    function: Mapping[str, Any]
    reserved: int | None
    version: str
    retries: Mapping[str, int]
    policies: Mapping[str, Sequence[Mapping[str, Any]]]
    other_ways: Sequence[str]
    """Function URLs, event sources and permissions, by name."""
    signing: str | None
    """What happens to code that is not signed: `Enforce`, `Warn`, or None if nobody asks."""
    statements: Sequence[Mapping[str, Any]]
    managed_policies: Sequence[str]
    configuration: bytes


@dataclass(frozen=True)
class BucketSeen:
    """A bucket of the doors. lock: its default retention."""

    versioning: str
    public_block: Mapping[str, bool]
    encryption: str
    policy: Sequence[Mapping[str, Any]]
    lock: Mapping[str, Any]


@dataclass(frozen=True)
class DoorsSeen:
    """All doors and what they keep, as AWS tells. endpoints: ids of the Lambda endpoints of the stack's VPC."""

    settings: Settings
    names: Names
    endpoints: Sequence[str]
    doors: Mapping[str, DoorSeen]
    buckets: Mapping[str, BucketSeen]
    table: Mapping[str, Any]
    table_history: str
    keys: Mapping[str, Mapping[str, Any]]
    """By alias; `rotates` beside what KMS describes."""


def observe_doors(client: Client, settings: Settings) -> DoorsSeen:
    """Everything by describe and get calls; nothing is taken from the program's word. Raises ClientError."""
    names = Names.of(settings)
    dynamodb = client("dynamodb")
    history = dynamodb.describe_continuous_backups(TableName=table(names))["ContinuousBackupsDescription"]
    mine = [
        {"Name": "tag:sequester:stack", "Values": [names.name]},
        {"Name": "service-name", "Values": [f"com.amazonaws.{names.region}.lambda"]},
    ]
    return DoorsSeen(
        settings=settings,
        names=names,
        endpoints=[one["VpcEndpointId"] for one in client("ec2").describe_vpc_endpoints(Filters=mine)["VpcEndpoints"]],
        doors={tenant: _door(client, names, tenant) for tenant in sorted(settings.tenants)},
        buckets={title: _bucket(client("s3"), title) for title in (audit_bucket(names), config_bucket(names))},
        table=dynamodb.describe_table(TableName=table(names))["Table"],
        table_history=history["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"],
        keys={alias: _key(client("kms"), alias) for alias in (store_key(names), head_alias(names))},
    )


def _door(client: Client, names: Names, tenant: str) -> DoorSeen:
    functions, name, arn = client("lambda"), names.door(tenant), names.door_arn(tenant)
    function = functions.get_function_configuration(FunctionName=name, Qualifier=ALIAS)
    iam, role = client("iam"), str(function["Role"]).rpartition("/")[2]
    signing = _or_none(lambda: functions.get_function_code_signing_config(FunctionName=name)["CodeSigningConfigArn"])
    where = {"Bucket": config_bucket(names), "Key": config_key(tenant)}
    return DoorSeen(
        function=function,
        reserved=functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions"),
        version=str(functions.get_alias(FunctionName=name, Name=ALIAS)["FunctionVersion"]),
        retries={
            qualifier: _or_none(
                lambda q=qualifier: functions.get_function_event_invoke_config(FunctionName=name, Qualifier=q)[
                    "MaximumRetryAttempts"
                ]
            )
            for qualifier in ("$LATEST", ALIAS)
        },
        policies={
            resource: _statements(_or_none(lambda r=resource: functions.get_resource_policy(ResourceArn=r)["Policy"]))
            for resource in (arn, f"{arn}:{ALIAS}")
        },
        other_ways=_other_ways(functions, name),
        signing=functions.get_code_signing_config(CodeSigningConfigArn=signing)["CodeSigningConfig"][
            "CodeSigningPolicies"
        ]["UntrustedArtifactOnDeployment"]
        if signing
        else None,
        statements=[
            statement
            for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]
            for statement in listed(
                iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]["Statement"]
            )
        ],
        managed_policies=[
            one["PolicyArn"] for one in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        ],
        configuration=_or_none(lambda: client("s3").get_object(**where)["Body"].read()) or b"",
    )


def _other_ways(functions: Any, name: str) -> list[str]:
    urls = _or_none(lambda: functions.get_function_url_config(FunctionName=name)["FunctionUrl"])
    sources = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    permissions = _statements(_or_none(lambda: functions.get_policy(FunctionName=name)["Policy"]))
    return [
        *(["a function URL"] if urls else []),
        *(f"event source {one.get('EventSourceArn', one['UUID'])}" for one in sources),
        *(f"permission {one.get('Sid')}" for one in permissions),
    ]


def _bucket(s3: Any, title: str) -> BucketSeen:
    encrypted = _or_none(lambda: s3.get_bucket_encryption(Bucket=title)["ServerSideEncryptionConfiguration"]["Rules"])
    block = _or_none(lambda: s3.get_public_access_block(Bucket=title)["PublicAccessBlockConfiguration"])
    lock = _or_none(lambda: s3.get_object_lock_configuration(Bucket=title)["ObjectLockConfiguration"]["Rule"])
    by_default: Any = encrypted[0]["ApplyServerSideEncryptionByDefault"] if encrypted else {}
    return BucketSeen(
        versioning=s3.get_bucket_versioning(Bucket=title).get("Status", "none"),
        public_block=block or {},
        encryption=str(by_default.get("SSEAlgorithm", "none")),
        policy=_statements(_or_none(lambda: s3.get_bucket_policy(Bucket=title)["Policy"])),
        lock=lock["DefaultRetention"] if lock else {},
    )


def store_key(names: Names) -> str:
    """Alias of the key of what doors keep."""
    return f"alias/{names.name}-door"


def head_alias(names: Names) -> str:
    """Alias of the key that signs heads."""
    return signing_alias(names).partition(":")[2].rpartition(":")[2]


def _key(kms: Any, alias: str) -> Mapping[str, Any]:
    found = kms.describe_key(KeyId=alias)["KeyMetadata"]
    symmetric = found["KeyUsage"] == "ENCRYPT_DECRYPT"
    rotates = symmetric and kms.get_key_rotation_status(KeyId=found["KeyId"])["KeyRotationEnabled"]
    return {**found, "rotates": rotates}


def _or_none(ask: Callable[[], Any]) -> Any:
    """What is asked for, or None if AWS says that there is none."""
    try:
        return ask()
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if "NotFound" in code or code.startswith("NoSuch"):
            return None
        raise


def _statements(policy: str | None) -> list[Mapping[str, Any]]:
    return listed(json.loads(policy)["Statement"]) if policy else []


def listed(value: Any) -> list[Any]:
    """What a policy may write as one or as many."""
    return cast("list[Any]", value) if isinstance(value, list) else [value]
