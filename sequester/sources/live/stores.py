"""Stores and streams of a live account: whom their policies let in, what they keep, and where they send on."""

from collections.abc import Callable, Iterator

from sequester.sources.live.network import formed
from sequester.sources.live.reader import Raw, Reader, part, parts
from sequester.sources.resource import Resource


def read(reader: Reader) -> Iterator[Resource]:
    yield from formed(reader, "s3.list_buckets", lambda raw: _bucket(reader, raw))
    yield from formed(reader, "kms.list_keys", lambda raw: _key(reader, raw))
    yield from formed(reader, "sns.list_topics", lambda raw: _topic(reader, raw))
    yield from formed(reader, "kms.list_aliases", _alias)
    yield from formed(reader, "sns.list_subscriptions", lambda raw: _subscription(reader, raw))
    yield from formed(reader, "sqs.list_queues", lambda raw: _queue(reader, str(raw)))
    yield from formed(reader, "secretsmanager.list_secrets", lambda raw: _secret(reader, raw))
    yield from formed(reader, "logs.describe_resource_policies", _log_policy)
    yield from formed(reader, "logs.describe_log_groups", lambda raw: _log_group(reader, raw))
    yield from formed(reader, "ecr.describe_repositories", lambda raw: _repository(reader, raw))
    yield from formed(reader, "events.list_event_buses", lambda raw: _bus(reader, raw))


def door_settings(reader: Reader, bucket: str, key: str) -> Iterator[Resource]:
    """What a door is told at its start: the one object that is read, by the names in the door's environment."""
    answer = reader.one("s3.get_object", Bucket=bucket, Key=key)
    body = answer.get("Body")
    if body is not None:
        text = str(body.read().decode(errors="replace"))
        kind = "aws:s3/bucketObjectv2:BucketObjectv2"
        yield Resource(kind, f"{bucket}/{key}", f"{bucket}/{key}", {"bucket": bucket, "key": key, "content": text})


def _bucket(reader: Reader, raw: Raw) -> Iterator[Resource]:
    name = str(raw["Name"])
    lock = part(reader.one("s3.get_object_lock_configuration", Bucket=name), "ObjectLockConfiguration")
    copied = part(reader.one("s3.get_bucket_replication", Bucket=name), "ReplicationConfiguration")
    yield Resource(
        "aws:s3/bucketV2:BucketV2", name, name,
        {
            "bucket": name,
            "objectLockEnabled": lock.get("ObjectLockEnabled") == "Enabled",
            "replicationConfigurations": [
                {
                    "rules": [
                        {"destination": {"bucket": part(r, "Destination").get("Bucket"),
                                         "accountId": part(r, "Destination").get("Account")}}
                        for r in parts(copied, "Rules")
                        if r.get("Status") != "Disabled"
                    ]
                }
            ],
        },
    )  # fmt: skip
    status = reader.one("s3.get_bucket_versioning", Bucket=name).get("Status") or ""
    kind = "aws:s3/bucketVersioning:BucketVersioning"
    yield Resource(kind, name, name, {"bucket": name, "versioningConfiguration": {"status": status}})
    kept = part(part(lock, "Rule"), "DefaultRetention")
    if kept:
        rule = {"defaultRetention": {"mode": kept.get("Mode"), "days": kept.get("Days"), "years": kept.get("Years")}}
        kind = "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
        yield Resource(kind, name, name, {"bucket": name, "rule": rule})
    policy = reader.one("s3.get_bucket_policy", Bucket=name).get("Policy")
    if policy:
        yield Resource("aws:s3/bucketPolicy:BucketPolicy", name, name, {"bucket": name, "policy": policy})
    told = reader.one("s3.get_bucket_notification_configuration", Bucket=name)
    listed: dict[str, object] = {
        "queues": [{"queueArn": one["QueueArn"]} for one in parts(told, "QueueConfigurations")],
        "topics": [{"topicArn": one["TopicArn"]} for one in parts(told, "TopicConfigurations")],
        "lambdaFunctions": [
            {"lambdaFunctionArn": one["LambdaFunctionArn"]} for one in parts(told, "LambdaFunctionConfigurations")
        ],
    }
    if any(listed.values()):
        yield Resource("aws:s3/bucketNotification:BucketNotification", name, name, {"bucket": name, **listed})


def _key(reader: Reader, raw: Raw) -> Iterator[Resource]:
    """Keys that AWS manages have policies that AWS wrote, for the services that own them."""
    known = part(reader.one("kms.describe_key", KeyId=raw["KeyId"]), "KeyMetadata")
    if known.get("KeyManager") == "AWS":
        return
    gone = known.get("KeyState") == "PendingDeletion"
    policy = {} if gone else reader.one("kms.get_key_policy", KeyId=raw["KeyId"], PolicyName="default")
    usable = not gone and known.get("KeyState") != "Disabled"
    stated = {"arn": raw["KeyArn"], "policy": policy.get("Policy") or "", "isEnabled": usable}
    yield Resource("aws:kms/key:Key", str(raw["KeyArn"]).rpartition(":")[2], raw["KeyArn"], stated)


def _topic(reader: Reader, raw: Raw) -> Iterator[Resource]:
    arn = raw["TopicArn"]
    told = part(reader.one("sns.get_topic_attributes", TopicArn=arn), "Attributes")
    stated = {"arn": arn, "policy": told.get("Policy") or "", "kmsMasterKeyId": told.get("KmsMasterKeyId") or ""}
    yield Resource("aws:sns/topic:Topic", arn.rpartition(":")[2], arn, stated)


def _alias(raw: Raw) -> Iterator[Resource]:
    name, key = raw["AliasName"], raw.get("TargetKeyId") or ""
    yield Resource("aws:kms/alias:Alias", name, name, {"name": name, "targetKeyId": key})


def _subscription(reader: Reader, raw: Raw) -> Iterator[Resource]:
    """What it leaves out is asked of those that make functions run."""
    properties = {"topic": raw["TopicArn"], "endpoint": raw.get("Endpoint") or "", "protocol": raw.get("Protocol")}
    if raw.get("Protocol") == "lambda":
        told = reader.one("sns.get_subscription_attributes", SubscriptionArn=raw["SubscriptionArn"])
        properties["filterPolicy"] = part(told, "Attributes").get("FilterPolicy") or ""
    kind, key = "aws:sns/topicSubscription:TopicSubscription", f"{raw['TopicArn']} {raw.get('Endpoint')}"
    yield Resource(kind, key, key, properties)


def _queue(reader: Reader, url: str) -> Iterator[Resource]:
    asked = {"QueueUrl": url, "AttributeNames": ["Policy", "QueueArn"]}
    told = part(reader.one("sqs.get_queue_attributes", **asked), "Attributes")
    yield from _policy("aws:sqs/queue:Queue", str(told.get("QueueArn") or url), lambda: told.get("Policy"))


def _secret(reader: Reader, raw: Raw) -> Iterator[Resource]:
    arn = raw["ARN"]
    policy = reader.one("secretsmanager.get_resource_policy", SecretId=arn).get("ResourcePolicy")
    yield from _policy("aws:secretsmanager/secret:Secret", arn, lambda: policy)


def _repository(reader: Reader, raw: Raw) -> Iterator[Resource]:
    name = raw["repositoryName"]
    policy = reader.one("ecr.get_repository_policy", repositoryName=name).get("policyText")
    if policy:
        properties = {"repository": name, "policy": policy}
        yield Resource("aws:ecr/repositoryPolicy:RepositoryPolicy", name, name, properties)


def _policy(kind: str, arn: str, policy: Callable[[], object]) -> Iterator[Resource]:
    yield Resource(kind, arn.rpartition(":")[2], arn, {"arn": arn, "policy": policy() or ""})


def _log_policy(raw: Raw) -> Iterator[Resource]:
    properties = {"policyName": raw["policyName"], "policyDocument": raw.get("policyDocument") or ""}
    kind = "aws:cloudwatch/logResourcePolicy:LogResourcePolicy"
    yield Resource(kind, raw["policyName"], raw["policyName"], properties)


def _log_group(reader: Reader, raw: Raw) -> Iterator[Resource]:
    name = raw["logGroupName"]
    stated = {"name": name, "logGroupClass": raw.get("logGroupClass") or "", "kmsKeyId": raw.get("kmsKeyId") or ""}
    yield Resource("aws:cloudwatch/logGroup:LogGroup", name, name, stated)
    if raw.get("dataProtectionStatus") == "ACTIVATED" or raw.get("inheritedProperties"):
        kind, what = "aws:cloudwatch/logDataProtectionPolicy:LogDataProtectionPolicy", f"data protection of {name}"
        # What it does is not asked for: it may mask.
        yield Resource(kind, what, what, {"logGroupName": name, "policyDocument": {"Operation": "Deidentify"}})
    for one in reader.each("logs.describe_subscription_filters", logGroupName=name):
        kind = "aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter"
        properties = {"logGroup": name, "destinationArn": one["destinationArn"]}
        yield Resource(kind, one["filterName"], f"{name} {one['filterName']}", properties)


def _bus(reader: Reader, raw: Raw) -> Iterator[Resource]:
    bus = raw["Name"]
    if raw.get("Policy"):
        kind = "aws:cloudwatch/eventBusPolicy:EventBusPolicy"  # neither modelled nor reviewed: a gap by this name
        yield Resource(kind, bus, bus, {"policy": raw["Policy"]})
    for rule in reader.each("events.list_rules", EventBusName=bus):
        asked = {"EventBusName": bus, "Rule": rule["Name"]}
        told = {"name": rule["Name"], "state": rule.get("State"), "eventBusName": bus}
        told["scheduleExpression"] = rule.get("ScheduleExpression") or ""
        yield Resource("aws:cloudwatch/eventRule:EventRule", rule["Name"], f"{bus} {rule['Name']}", told)
        for target in reader.each("events.list_targets_by_rule", **asked):
            kind = "aws:cloudwatch/eventTarget:EventTarget"
            key = f"{bus} {rule['Name']} {target['Id']}"
            stated = {"arn": target["Arn"], "rule": rule["Name"], "input": target.get("Input") or ""}
            stated["inputTransformer"] = part(target, "InputTransformer")
            yield Resource(kind, f"{rule['Name']} {target['Id']}", key, stated)
