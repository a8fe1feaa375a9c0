"""From resources to facts of sharing: policies that hang on resources, and what resources send on by themselves."""

from collections.abc import Iterator

from sequester.proof.facts import items, mapping
from sequester.proof.model import Delivery, ResourcePolicy
from sequester.sources.access import document
from sequester.sources.resource import Resource, Stack, block, single

# Type → (the property that holds the document, the properties that may name the resource it hangs on).
_POLICIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "cloudwatch/logResourcePolicy:LogResourcePolicy": ("policyDocument", ("policyName",)),
    "ecr/repositoryPolicy:RepositoryPolicy": ("policy", ("repository",)),
    "kms/key:Key": ("policy", ("arn",)),
    "kms/keyPolicy:KeyPolicy": ("policy", ("keyId",)),
    "lambda/resourcePolicy:ResourcePolicy": ("policy", ("resourceArn", "functionArn", "functionName")),
    "s3/bucket:Bucket": ("policy", ("bucket", "arn")),
    "s3/bucketPolicy:BucketPolicy": ("policy", ("bucket",)),
    "secretsmanager/secret:Secret": ("policy", ("arn", "name")),
    "secretsmanager/secretPolicy:SecretPolicy": ("policy", ("secretArn",)),
    "sns/topic:Topic": ("policy", ("arn",)),
    "sns/topicPolicy:TopicPolicy": ("policy", ("arn",)),
    "sqs/queue:Queue": ("policy", ("arn", "name")),
    "sqs/queuePolicy:QueuePolicy": ("policy", ("queueUrl",)),
}
# Type → (what is sent, the property that says whereto).
_DELIVERIES: dict[str, tuple[str, str]] = {
    "cloudwatch/eventTarget:EventTarget": ("events", "arn"),
    "cloudwatch/logSubscriptionFilter:LogSubscriptionFilter": ("log records", "destinationArn"),
    "ec2/flowLog:FlowLog": ("flow records", "logDestination"),
    "route53/resolverQueryLogConfig:ResolverQueryLogConfig": ("queries", "destinationArn"),
    "sns/topicSubscription:TopicSubscription": ("messages", "endpoint"),
}


def resource_policies(stack: Stack) -> tuple[ResourcePolicy, ...]:
    """A property left empty has AWS's default, which is the owner's own: only stated documents are here."""
    found: list[ResourcePolicy] = []
    for kind, (key, named) in _POLICIES.items():
        for one in stack.of(kind):
            if one.get(key):
                target = next((one.maybe(n) for n in named if one.maybe(n)), "")
                found.append(ResourcePolicy(target, one.name, document(one.get(key), one.name)))
    found += [one for raw in stack.of("lambda/permission:Permission") for one in _permission(raw)]
    for kind in (
        "s3/bucket:Bucket",
        "s3/bucketV2:BucketV2",
        "s3/bucketObjectv2:BucketObjectv2",
        "s3/bucketObject:BucketObject",
    ):
        found += [one for raw in stack.of(kind) for one in _listed(raw)]
    return tuple(found)


# A permission's property → the condition that AWS writes for it.
_ASKED: dict[str, tuple[str, str]] = {
    "sourceArn": ("ArnLike", "aws:SourceArn"),
    "sourceAccount": ("StringEquals", "aws:SourceAccount"),
    "principalOrgId": ("StringEquals", "aws:PrincipalOrgID"),
    "functionUrlAuthType": ("StringEquals", "lambda:FunctionUrlAuthType"),
    "eventSourceToken": ("StringEquals", "lambda:EventSourceToken"),
}


def _permission(one: Resource) -> Iterator[ResourcePolicy]:
    """The statement that AWS adds to a function's policy. https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html"""
    principal, action = one.maybe("principal"), one.maybe("action")
    if not principal or not action:
        return
    conditions: dict[str, dict[str, str]] = {}
    for key, (operator, name) in _ASKED.items():
        if one.maybe(key) not in ("", "NONE"):  # whoever calls a URL that asks for no signature meets that
            conditions.setdefault(operator, {})[name] = one.maybe(key)
    kind = "Service" if principal.endswith((".amazonaws.com", ".amazonaws.com.cn")) else "AWS"
    statement = {
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {kind: principal},
        "Action": action,
        "Resource": "*",
        "Condition": conditions,
    }
    qualifier = f":{one.maybe('qualifier')}" if one.maybe("qualifier") else ""
    yield ResourcePolicy(f"{one.maybe('function')}{qualifier}", one.name, {"Statement": [statement]})


# Canned lists → what everybody may do then. https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
_LISTS: dict[str, list[str]] = {
    "public-read": ["s3:GetObject", "s3:ListBucket"],
    "public-read-write": ["s3:GetObject", "s3:ListBucket", "s3:PutObject"],
    "authenticated-read": ["s3:GetObject", "s3:ListBucket"],
}


def _listed(one: Resource) -> Iterator[ResourcePolicy]:
    """What an access control list of a bucket or an object gives to others, as if it were a policy."""
    allowed = _LISTS.get(one.maybe("acl"))
    where = one.maybe("bucket") or one.id
    if allowed:
        statement = {"Effect": "Allow", "Principal": "*", "Action": allowed, "Resource": "*"}
        yield ResourcePolicy(where, f"{one.name} acl", {"Statement": [statement]})
    for raw in items(one.get("grants"), one.name) if one.type.startswith("aws:s3/bucket:") else ():
        grant = mapping(raw, one.name)
        who = {"CanonicalUser": str(grant.get("id"))} if grant.get("id") else "*"
        statement = {"Effect": "Allow", "Principal": who, "Action": "s3:*", "Resource": "*"}
        yield ResourcePolicy(where, f"{one.name} grants", {"Statement": [statement]})


def deliveries(stack: Stack) -> tuple[Delivery, ...]:
    found = [
        Delivery(one.name, what, one.maybe(key))
        for kind, (what, key) in _DELIVERIES.items()
        for one in stack.of(kind)
        if one.maybe(key).startswith("arn:")
    ]
    found += [
        Delivery(one.name, f"messages by {one.maybe('protocol')}", one.maybe("endpoint"))
        for one in stack.of("sns/topicSubscription:TopicSubscription")
        if one.maybe("endpoint") and not one.maybe("endpoint").startswith("arn:")
    ]
    for one in stack.of("s3/bucketNotification:BucketNotification"):
        for kind, key in (("queues", "queueArn"), ("topics", "topicArn"), ("lambdaFunctions", "lambdaFunctionArn")):
            listed = [mapping(raw, one.name) for raw in items(one.get(kind), one.name)]
            found += [Delivery(one.name, "notices of objects", str(each.get(key))) for each in listed]
    for one in stack.of("s3/bucket:Bucket", "s3/bucketV2:BucketV2"):
        found += _replications(one)
    found += [
        Delivery(one.name, "records of calls", f"arn:aws:s3:::{one.maybe('s3BucketName')}")
        for one in stack.of("cloudtrail/trail:Trail")
        if one.maybe("s3BucketName")
    ]
    for one in stack.of("lambda/eventSourceMapping:EventSourceMapping"):
        inner = single(block(one, "destinationConfig").get("onFailure"), one.name)
        if inner.get("destinationArn"):
            found.append(Delivery(one.name, "events that failed", str(inner["destinationArn"])))
    for one in stack.of("lambda/functionEventInvokeConfig:FunctionEventInvokeConfig"):
        config = block(one, "destinationConfig")
        for outcome in ("onSuccess", "onFailure"):
            inner = single(config.get(outcome), one.name)
            if inner.get("destination"):
                found.append(Delivery(one.name, "results of a function", str(inner["destination"])))
    for one in stack.of("lambda/function:Function"):
        target = block(one, "deadLetterConfig").get("targetArn")
        if target:
            found.append(Delivery(one.name, "failed calls of a function", str(target)))
    return tuple(found)


def _replications(one: Resource) -> Iterator[Delivery]:
    config = block(one, "replicationConfiguration") or block(one, "replicationConfigurations")
    for raw in items(config.get("rules"), one.name):
        rule = mapping(raw, one.name)
        to = single(rule.get("destination"), one.name)
        owner = str(to.get("accountId") or to.get("account") or "")
        yield Delivery(one.name, "copies of objects", str(to.get("bucket")), owner)
