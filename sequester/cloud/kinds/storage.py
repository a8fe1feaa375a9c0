"""S3 buckets with their separate settings, and DynamoDB tables."""

import base64
import json
from collections.abc import Mapping
from typing import cast

from sequester.cloud.api import Aws, RefusedError
from sequester.cloud.bucket_policies import read_apart_from_conditions
from sequester.cloud.kind import Call, Kind, code
from sequester.cloud.wire import Asset, Plain, Props


@code(
    takes="bucket objectLockEnabled tags",
    gives="arn bucketDomainName bucketRegion bucketRegionalDomainName hostedZoneId",
)
def create_bucket(aws: Aws, state: Props) -> Props:
    """A bucket; us-east-1 takes no location constraint."""
    read_apart_from_conditions()
    if not state.get("bucket"):
        raise RefusedError("MissingParameter", "bucket: give a name; names are chosen here, never made up")
    where = {} if aws.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
    lock = {"ObjectLockEnabledForBucket": True} if state.get("objectLockEnabled") else {}
    aws.call("s3.create_bucket", Bucket=state["bucket"], **where, **lock)
    return {
        "id": state["bucket"],
        "arn": f"arn:{aws.partition}:s3:::{state['bucket']}",
        "bucketDomainName": f"{state['bucket']}.s3.amazonaws.com",
        "bucketRegion": aws.region,
        "bucketRegionalDomainName": f"{state['bucket']}.s3.{aws.region}.amazonaws.com",
    }


@code(takes="tags")
def retag_bucket(aws: Aws, state: Props) -> None:
    """A bucket's tags are put whole."""
    tags = [{"Key": k, "Value": v} for k, v in cast(dict[str, str], state.get("tags") or {}).items()]
    if tags:
        aws.call("s3.put_bucket_tagging", Bucket=state["id"], Tagging={"TagSet": tags})
    else:
        aws.call("s3.delete_bucket_tagging", Bucket=state["id"])


@code()
def delete_bucket(aws: Aws, state: Props) -> None:
    """AWS deletes an empty bucket; the provider empties it first where the program says so."""
    if state.get("forceDestroy"):
        versions = aws.call("s3.list_object_versions", Bucket=state["id"])
        for one in [*versions.get("Versions", []), *versions.get("DeleteMarkers", [])]:
            aws.call("s3.delete_object", Bucket=state["id"], Key=one["Key"], VersionId=one["VersionId"])
    aws.call("s3.delete_bucket", Bucket=state["id"])


BUCKET = Kind(
    "aws:s3/bucket:Bucket",
    create=create_bucket,
    read=Call("s3.head_bucket", fixed={"Bucket": "{id}"}, only=()),
    changes=(retag_bucket,),
    delete=delete_bucket,
    absent=frozenset({"hostedZoneId"}),
)


def _setting(
    token: str, put: str, delete: str, names: dict[str, str], defaults: Mapping[str, Plain] | None = None
) -> Kind:
    """A setting of a bucket that is put whole and deleted whole; "" where AWS has no delete."""
    call = Call(f"s3.{put}", names=names)
    fixed = {"Bucket": "{bucket}"}
    off = {"BucketLoggingStatus": dict[str, object]()} if delete == put else {}
    return Kind(
        f"aws:s3/{token[0].lower()}{token[1:]}:{token}",
        create=call,
        changes=(Call(f"s3.{put}", names=names, fixed=fixed, without=("bucket",)),),
        delete=Call(f"s3.{delete}", fixed=fixed | off, only=()) if delete else None,
        id="{bucket}",
        defaults=defaults or {},
    )


_BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_RULE = "ObjectLockConfiguration.Rule"


@code(takes="rules transitionDefaultMinimumObjectSize")
def put_lifecycle(aws: Aws, state: Props) -> None:
    """Lifecycle rules; S3 wants a filter in each."""
    rules = [_lifecycle_rule(rule) for rule in cast(list[Props], state["rules"])]
    aws.call("s3.put_bucket_lifecycle_configuration", Bucket=state["bucket"], LifecycleConfiguration={"Rules": rules})


_LIFECYCLE = {
    "id": "ID",
    "status": "Status",
    "expiration": "Expiration",
    "transitions": "Transitions",
    "noncurrentVersionExpiration": "NoncurrentVersionExpiration",
    "noncurrentVersionTransitions": "NoncurrentVersionTransitions",
    "abortIncompleteMultipartUpload": "AbortIncompleteMultipartUpload",
}


def _lifecycle_rule(rule: Props) -> Props:
    made = {_LIFECYCLE[name]: _titles(value) for name, value in rule.items() if name in _LIFECYCLE and value}
    where = cast(Props, rule.get("filter") or {})
    return made | {"Filter": _titles(where) if where else {"Prefix": rule.get("prefix") or ""}}


def _titles(value: object) -> object:
    if isinstance(value, list):
        return [_titles(item) for item in cast(list[object], value)]
    if isinstance(value, dict):
        return {k[0].upper() + k[1:]: _titles(v) for k, v in cast(Props, value).items() if v is not None}
    return value


@code(takes="bucket rules transitionDefaultMinimumObjectSize")
def create_lifecycle(aws: Aws, state: Props) -> Props:
    """A bucket's lifecycle rules."""
    put_lifecycle(aws, state)
    return {"id": state["bucket"]}


LIFECYCLE = Kind(
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    create=create_lifecycle,
    changes=(put_lifecycle,),
    delete=Call("s3.delete_bucket_lifecycle", fixed={"Bucket": "{bucket}"}, only=()),
)


@code(takes="bucket key content contentBase64 source contentType kmsKeyId serverSideEncryption metadata tags")
def put_object(aws: Aws, state: Props) -> Props:
    """An object from text, base64 or a file."""
    source = state.get("source")
    body = (
        source.content()
        if isinstance(source, Asset)
        else base64.b64decode(str(state["contentBase64"]))
        if state.get("contentBase64")
        else str(state.get("content") or "").encode()
    )
    given = {"ContentType": state.get("contentType"), "SSEKMSKeyId": state.get("kmsKeyId")}
    given |= {"ServerSideEncryption": state.get("serverSideEncryption"), "Metadata": state.get("metadata")}
    made = aws.call(
        "s3.put_object", Bucket=state["bucket"], Key=state["key"], Body=body, **{k: v for k, v in given.items() if v}
    )
    return {
        "id": f"{state['bucket']}/{state['key']}",
        "etag": made["ETag"].strip('"'),
        "versionId": made.get("VersionId"),
        "arn": f"arn:{aws.partition}:s3:::{state['bucket']}/{state['key']}",
    }


OBJECT = Kind(
    "aws:s3/bucketObjectv2:BucketObjectv2",
    create=put_object,
    delete=Call("s3.delete_object", only=("bucket", "key")),
    absent=frozenset({"checksumCrc32", "checksumCrc32c", "checksumCrc64nvme", "checksumSha1", "checksumSha256"})
    | {"versionId", "arn"},
    local=frozenset({"sourceHash", "overrideProvider"}),
)


@code(takes="bucket eventbridge lambdaFunctions queues topics")
def notify(aws: Aws, state: Props) -> Props:
    """What a bucket tells, and whom."""
    kinds = {
        "lambdaFunctions": ("LambdaFunctionConfigurations", "lambdaFunctionArn", "LambdaFunctionArn"),
        "queues": ("QueueConfigurations", "queueArn", "QueueArn"),
        "topics": ("TopicConfigurations", "topicArn", "TopicArn"),
    }
    configuration: Props = {"EventBridgeConfiguration": {}} if state.get("eventbridge") else {}
    for name, (member, arn, parameter) in kinds.items():
        told = cast(list[Props], state.get(name) or [])
        if told:
            configuration[member] = [{parameter: one[arn], "Events": one["events"]} for one in told]
    aws.call(
        "s3.put_bucket_notification_configuration",
        Bucket=state["bucket"],
        NotificationConfiguration=configuration,
    )
    return {"id": state["bucket"]}


NOTIFICATION = Kind("aws:s3/bucketNotification:BucketNotification", create=notify, delete=None)


@code(takes="pointInTimeRecovery")
def recover(aws: Aws, state: Props) -> None:
    """Point-in-time recovery is a call of its own."""
    wanted = cast(Props, state["pointInTimeRecovery"])
    given: Props = {"PointInTimeRecoveryEnabled": wanted["enabled"]}
    if wanted.get("recoveryPeriodInDays"):
        given["RecoveryPeriodInDays"] = wanted["recoveryPeriodInDays"]
    aws.call("dynamodb.update_continuous_backups", TableName=state["id"], PointInTimeRecoverySpecification=given)


@code(takes="ttl")
def expire(aws: Aws, state: Props) -> None:
    """Time to live is a call of its own."""
    wanted = cast(Props, state["ttl"])
    if wanted.get("attributeName"):
        specification = {"AttributeName": wanted["attributeName"], "Enabled": bool(wanted.get("enabled"))}
        aws.call("dynamodb.update_time_to_live", TableName=state["id"], TimeToLiveSpecification=specification)


@code(
    takes="name attributes hashKey rangeKey billingMode readCapacity writeCapacity globalSecondaryIndexes "
    "localSecondaryIndexes serverSideEncryption streamEnabled streamViewType tableClass deletionProtectionEnabled tags",
    gives="arn streamArn streamLabel",
)
def create_table(aws: Aws, state: Props) -> Props:
    """A table; its keys are a schema, its sizes a mode."""
    request: Props = {
        "TableName": state["name"],
        "AttributeDefinitions": [
            {"AttributeName": a["name"], "AttributeType": a["type"]} for a in cast(list[Props], state["attributes"])
        ],
        "KeySchema": _key_schema(state),
        "BillingMode": state.get("billingMode") or "PROVISIONED",
    }
    if request["BillingMode"] == "PROVISIONED":
        units = {"ReadCapacityUnits": state.get("readCapacity", 1), "WriteCapacityUnits": state.get("writeCapacity", 1)}
        request["ProvisionedThroughput"] = units
    for name, member in (
        ("globalSecondaryIndexes", "GlobalSecondaryIndexes"),
        ("localSecondaryIndexes", "LocalSecondaryIndexes"),
    ):
        if state.get(name):
            request[member] = [_index(index, state) for index in cast(list[Props], state[name])]
    sse = cast(Props, state.get("serverSideEncryption") or {})
    if sse:
        key = {"KMSMasterKeyId": sse["kmsKeyArn"]} if sse.get("kmsKeyArn") else {}
        request["SSESpecification"] = {"Enabled": sse["enabled"], "SSEType": "KMS"} | key
    if state.get("streamEnabled"):
        request["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": state["streamViewType"]}
    if state.get("deletionProtectionEnabled") is not None:
        request["DeletionProtectionEnabled"] = state["deletionProtectionEnabled"]
    if state.get("tableClass"):
        request["TableClass"] = state["tableClass"]
    if state.get("tags"):
        request["Tags"] = [{"Key": k, "Value": v} for k, v in cast(dict[str, str], state["tags"]).items()]
    made = aws.call("dynamodb.create_table", **request)["TableDescription"]
    return {
        "id": state["name"],
        "arn": made["TableArn"],
        "streamArn": made.get("LatestStreamArn"),
        "streamLabel": made.get("LatestStreamLabel"),
    }


def _key_schema(of: Props) -> list[Props]:
    keys: list[Props] = [{"AttributeName": of["hashKey"], "KeyType": "HASH"}]
    return keys + ([{"AttributeName": of["rangeKey"], "KeyType": "RANGE"}] if of.get("rangeKey") else [])


def _index(index: Props, table: Props) -> Props:
    projection: Props = {"ProjectionType": index["projectionType"]}
    if index.get("nonKeyAttributes"):
        projection["NonKeyAttributes"] = index["nonKeyAttributes"]
    keys = _key_schema({"hashKey": index.get("hashKey") or table["hashKey"], "rangeKey": index.get("rangeKey")})
    return {"IndexName": index["name"], "KeySchema": keys, "Projection": projection}


def unprotected(_: Aws, state: Props) -> None:
    """AWS deletes no table that is protected."""
    if state.get("deletionProtectionEnabled"):
        raise RefusedError("ValidationException", f"the table {state['id']} has deletion protection on")


TABLE = Kind(
    "aws:dynamodb/table:Table",
    create=create_table,
    read=Call("dynamodb.describe_table", fixed={"TableName": "{id}"}, at="Table", outputs={"arn": "TableArn"}, only=()),
    changes=(
        recover,
        expire,
        Call(
            "dynamodb.update_table",
            fixed={"TableName": "{name}"},
            only=("deletionProtectionEnabled", "billingMode", "tableClass"),
        ),
    ),
    delete=Call("dynamodb.delete_table", fixed={"TableName": "{id}"}, only=()),
    absent=frozenset({"streamArn", "streamLabel"}),
    keeps=unprotected,
)
TABLE_POLICY = Kind(
    "aws:dynamodb/resourcePolicy:ResourcePolicy",
    create=Call("dynamodb.put_resource_policy"),
    changes=(Call("dynamodb.put_resource_policy", fixed={"ResourceArn": "{resourceArn}"}, only=("policy",)),),
    delete=Call("dynamodb.delete_resource_policy", only=("resourceArn",)),
    id="{resourceArn}",
)


@code(takes="tableName hashKey rangeKey item", gives="hashKeyValue rangeKeyValue")
def put_item(aws: Aws, state: Props) -> Props:
    """One item, written as DynamoDB's JSON."""
    item = cast(Props, json.loads(str(state["item"])))
    aws.call("dynamodb.put_item", TableName=state["tableName"], Item=item)
    return {"id": f"{state['tableName']}|{state['hashKey']}"}


TABLE_ITEM = Kind("aws:dynamodb/tableItem:TableItem", create=put_item, delete=None)

KINDS = (
    BUCKET,
    _setting("BucketVersioning", "put_bucket_versioning", "", {"mfa": "MFA"}),
    _setting(
        "BucketObjectLockConfiguration",
        "put_object_lock_configuration",
        "",
        {"objectLockEnabled": "ObjectLockConfiguration.ObjectLockEnabled", "rule": _RULE},
        {"objectLockEnabled": "Enabled"},
    ),
    _setting("BucketPolicy", "put_bucket_policy", "delete_bucket_policy", {}),
    _setting(
        "BucketPublicAccessBlock",
        "put_public_access_block",
        "delete_public_access_block",
        {name: f"PublicAccessBlockConfiguration.{name[0].upper()}{name[1:]}" for name in _BLOCKS},
    ),
    _setting(
        "BucketOwnershipControls",
        "put_bucket_ownership_controls",
        "delete_bucket_ownership_controls",
        {"rule": "OwnershipControls.Rules"},
    ),
    _setting(
        "BucketServerSideEncryptionConfiguration",
        "put_bucket_encryption",
        "delete_bucket_encryption",
        {
            "rules": "ServerSideEncryptionConfiguration.Rules",
            "rules.applyServerSideEncryptionByDefault.kmsMasterKeyId": "KMSMasterKeyID",
            "rules.applyServerSideEncryptionByDefault.sseAlgorithm": "SSEAlgorithm",
        },
    ),
    _setting(
        "BucketLogging",
        "put_bucket_logging",
        "put_bucket_logging",
        {
            "targetBucket": "BucketLoggingStatus.LoggingEnabled.TargetBucket",
            "targetPrefix": "BucketLoggingStatus.LoggingEnabled.TargetPrefix",
            "targetGrants": "BucketLoggingStatus.LoggingEnabled.TargetGrants",
            "targetObjectKeyFormat": "BucketLoggingStatus.LoggingEnabled.TargetObjectKeyFormat",
        },
    ),
    LIFECYCLE,
    OBJECT,
    NOTIFICATION,
    TABLE,
    TABLE_POLICY,
    TABLE_ITEM,
)
