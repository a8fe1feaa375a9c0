"""Ways in and out by the door: who makes it run, what it runs and keeps, what its role may do (E4, E7)."""

# Edits are of plain JSON, whose parts have no types.
# pyright: reportArgumentType=false, reportGeneralTypeIssues=false, reportAttributeAccessIssue=false
# pyright: reportIndexIssue=false

import json
from collections.abc import Callable
from typing import Any, cast

from proof_world import ACCOUNT, World
from ways_edits import OTHER, Change, Rows, grant

DOOR = "sequester-door-research"


def door(**properties: object) -> Change:
    return lambda w: w.set("Function", DOOR, **properties)


def variable(name: str, value: str) -> Change:
    def edit(w: World) -> World:
        environment = cast("Any", w.one("Function", DOOR).properties["environment"])
        return w.set("Function", DOOR, environment={"variables": {**environment["variables"], name: value}})

    return edit


def door_arn(w: World) -> str:
    return w.one("Function", DOOR).text("arn")


def bucket(w: World) -> str:
    return next(r.name for r in w.some("Bucket") if "door-audit" in r.name)


def invocation(which: str, change: Callable[[Any], object]) -> Change:
    """An edit of the policy that says who may invoke the function or its alias."""

    def edit(w: World) -> World:
        name = f"{DOOR}-{which}"
        document = json.loads(w.one("ResourcePolicy", name).text("policy"))
        change(document)
        return w.set("ResourcePolicy", name, policy=json.dumps(document))

    return edit


def door_may(statement: dict[str, Any]) -> Change:
    def edit(w: World) -> World:
        role = w.one("Function", DOOR).text("role").rpartition("/")[2]
        return w.with_("iam/rolePolicy:RolePolicy", "more", role=role, policy=json.dumps({"Statement": [statement]}))

    return edit


FURTHER: Rows = {
    "url": ("E7", "blueprint", lambda w: w.with_("lambda/functionUrl:FunctionUrl", "u", functionName=DOOR, authorizationType="NONE")),
    "url by arn": ("E7", "blueprint", lambda w: w.with_("lambda/functionUrl:FunctionUrl", "u", functionName=door_arn(w), qualifier="live", authorizationType="AWS_IAM")),
    "permission": ("E7", "blueprint", lambda w: w.with_("lambda/permission:Permission", "p", function=DOOR, principal="*", action="lambda:InvokeFunction")),
    "event source": ("E7", "blueprint", lambda w: w.with_("lambda/eventSourceMapping:EventSourceMapping", "p", functionName=DOOR)),
    "event source alias": ("E7", "blueprint", lambda w: w.with_("lambda/eventSourceMapping:EventSourceMapping", "p", functionName=door_arn(w)+":live")),
    "no concurrency": ("E7", "blueprint", door(reservedConcurrentExecutions=None)),
    "concurrency -1": ("E7", "blueprint", door(reservedConcurrentExecutions=-1)),
    "no function policy": ("E7", "blueprint", lambda w: w.without("ResourcePolicy", DOOR+"-function")),
    "no alias policy": ("E7", "blueprint", lambda w: w.without("ResourcePolicy", DOOR+"-live")),
    "no endpoint deny": ("E7", "blueprint", invocation("live", lambda d: d.update(Statement=[s for s in d["Statement"] if s.get("Sid")!="NotThroughOurEndpoint"]))),
    "no tenant deny": ("E7", "blueprint", invocation("live", lambda d: d.update(Statement=[s for s in d["Statement"] if s.get("Sid")!="NotTheTenant"]))),
    "deny any vpce": ("E7", "blueprint", invocation("live", lambda d: d["Statement"][0].update(Condition={"Null": {"aws:SourceVpce": "true"}}))),
    "tenant deny names two": ("E7", "blueprint", invocation("live", lambda d: [s["Condition"].update(ArnNotEquals={"aws:PrincipalArn": [f"arn:aws:iam::{ACCOUNT}:role/sequester-agent-research", f"arn:aws:iam::{ACCOUNT}:role/sequester-agent-billing"]}) for s in d["Statement"] if s.get("Sid")=="NotTheTenant"])),
    "tenant deny wildcard": ("E7", "blueprint", invocation("live", lambda d: [s["Condition"].update(ArnNotEquals={"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}) for s in d["Statement"] if s.get("Sid")=="NotTheTenant"])),
    "deny other action": ("E7", "blueprint", invocation("live", lambda d: [s.update(Action="lambda:GetFunction") for s in d["Statement"] if s["Effect"]=="Deny"])),
    "deny for one principal": ("E7", "blueprint", invocation("live", lambda d: [s.update(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/x"}) for s in d["Statement"] if s["Effect"]=="Deny"])),
    "vpc": ("E4", "blueprint", door(vpcConfig={"subnetIds": ["s"], "securityGroupIds": ["g"]})),
    "layers": ("E7", "blueprint", door(layers=[f"arn:aws:lambda:us-east-1:{OTHER}:layer:x:1"])),
    "exec wrapper": ("E7", "blueprint", variable("AWS_LAMBDA_EXEC_WRAPPER", "/opt/x")),
    "pythonpath": ("E7", "blueprint", variable("PYTHONPATH", "/tmp")),
    "proxy env": ("E7", "blueprint", variable("HTTPS_PROXY", "http://collector.example")),
    "tenant env of another": ("E7", "blueprint", variable("DOOR_TENANT", "billing")),
    "config key of another": ("E7", "blueprint", variable("DOOR_CONFIG_KEY", "billing.json")),
    "dlq abroad": ("E4", "blueprint", door(deadLetterConfig={"targetArn": f"arn:aws:sqs:us-east-1:{OTHER}:q"})),
    "destination abroad": ("E4", "blueprint", lambda w: w.with_("lambda/functionEventInvokeConfig:FunctionEventInvokeConfig", "x", functionName=DOOR, destinationConfig={"onSuccess": {"destination": f"arn:aws:sqs:us-east-1:{OTHER}:q"}})),
    "role another door": ("E7", "blueprint", lambda w: w.set("Function", DOOR, role=w.one("Function", "sequester-door-billing").properties["role"])),
    "role s3 *": ("E4", "blueprint", door_may(grant("s3:*"))),
    "role put other bucket": ("E4", "blueprint", door_may(grant("s3:PutObject", "arn:aws:s3:::evil/*"))),
    "role delete": ("E4", "blueprint", door_may(grant("s3:DeleteObject", "*"))),
    "role bypass": ("E4", "blueprint", door_may(grant("s3:BypassGovernanceRetention", "*"))),
    "role other tenants prefix": ("E4", "blueprint", door_may(grant("s3:GetObject", f"arn:aws:s3:::{'x'}/audit/billing/*"))),
    "role dynamodb *": ("E4", "blueprint", door_may(grant("dynamodb:*"))),
    "role secrets": ("E4", "blueprint", door_may(grant("secretsmanager:GetSecretValue"))),
    "role ec2": ("E4", "blueprint", door_may(grant("ec2:DescribeInstances"))),
    "role CreateNetworkInterface": ("E4", "blueprint", door_may(grant("ec2:CreateNetworkInterface"))),
    "role invoke": ("E4", "blueprint", door_may(grant("lambda:InvokeFunction"))),
    "role *": ("E4", "blueprint", door_may(grant("*"))),
    "role NotAction": ("E4", "blueprint", door_may({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})),
    "role managed": ("E4", "blueprint", lambda w: w.with_("iam/rolePolicyAttachment:RolePolicyAttachment", "m", role=w.one("Function", DOOR).properties["role"].rpartition("/")[2], policyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole")),
    "role managed admin": ("E4", "blueprint", lambda w: w.with_("iam/rolePolicyAttachment:RolePolicyAttachment", "m", role=w.one("Function", DOOR).properties["role"].rpartition("/")[2], policyArn="arn:aws:iam::aws:policy/AdministratorAccess")),
    "role kms": ("E4", "blueprint", door_may(grant("kms:Decrypt"))),
    "role sqs": ("E4", "blueprint", door_may(grant("sqs:SendMessage"))),
    "role trust widened": ("E4", "blueprint", lambda w: w.set("Role", w.one("Function", DOOR).properties["role"].rpartition("/")[2], assumeRolePolicy=json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/sequester-sandbox-node"}, "Action": "sts:AssumeRole"}]}))),
    "bucket without lock": ("E7", "blueprint", lambda w: w.set("Bucket", bucket(w), objectLockEnabled=False)),
    "lock config removed": ("E7", "blueprint", lambda w: w.without("BucketObjectLockConfiguration", lambda r: True)),
    "versioning suspended": ("E7", "blueprint", lambda w: w.set_all("BucketVersioning", versioningConfiguration={"status": "Suspended"})),
    "audit bucket policy gone": ("E7", "blueprint", lambda w: w.without("BucketPolicy", lambda r: "audit" in r.name)),
    "audit bucket if-none-match gone": ("E7", "blueprint", lambda w: w.set("BucketPolicy", next(r.name for r in w.resources if r.type.endswith("BucketPolicy") and "audit" in r.name), policy=json.dumps({"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "*"}]}))),
    "alias other function": ("E7", "blueprint", lambda w: w.with_("lambda/alias:Alias", "a2", name="other", functionName=DOOR, functionVersion="1")),
    "agent role invokes all": ("E7", "blueprint", lambda w: w.with_("iam/rolePolicy:RolePolicy", "m", role="sequester-agent-research", policy=json.dumps({"Statement": [grant("lambda:InvokeFunction")]}))),
    "agent role invokes another": ("E7", "blueprint", lambda w: w.with_("iam/rolePolicy:RolePolicy", "m", role="sequester-agent-research", policy=json.dumps({"Statement": [grant("lambda:InvokeFunction", f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:sequester-door-billing*")]}))),
    "agent role update code": ("E7", "blueprint", lambda w: w.with_("iam/rolePolicy:RolePolicy", "m", role="sequester-agent-research", policy=json.dumps({"Statement": [grant("lambda:UpdateFunctionCode")]}))),
    "agent role managed": ("E7", "blueprint", lambda w: w.with_("iam/rolePolicyAttachment:RolePolicyAttachment", "m", role="sequester-agent-research", policyArn="arn:aws:iam::aws:policy/AWSLambda_FullAccess")),
    "config object widened": ("E7", "blueprint", lambda w: (lambda o: w.set("BucketObjectv2", o.name, content=json.dumps({**json.loads(o.properties["content"]), "allow": [{"host": "*"}]})))(next(r for r in w.resources if r.type.endswith("BucketObjectv2") and 'research' in r.name))),
    "two doors one role": ("E7", "blueprint", lambda w: w.set("Function", "sequester-door-billing", role=w.one("Function", DOOR).properties["role"])),
    "extra function named like": ("E7", "blueprint", lambda w: w.with_("lambda/function:Function", "helper-door", "hd", name="helper-door", role=w.one("Function", DOOR).properties["role"], reservedConcurrentExecutions=1)),
}  # fmt: skip

UNDECIDED: Rows = {
    "scheduler": ("E7", "blueprint", lambda w: w.with_("scheduler/schedule:Schedule", "p")),
    "deny of another vpce": ("E7", "blueprint", invocation("live", lambda d: d["Statement"][0].update(Condition={"StringNotEquals": {"aws:SourceVpce": ["vpce-1", "vpce-other"]}}))),
    "deny IfExists": ("E7", "blueprint", invocation("live", lambda d: d["Statement"][0].update(Condition={"StringNotEqualsIfExists": {"aws:SourceVpce": "vpce-1"}}))),
    "layers ours": ("E7", "blueprint", door(layers=[f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:x:1"])),
    "config bucket abroad": ("E7", "blueprint", variable("DOOR_CONFIG_BUCKET", "evil")),
    "audit bucket abroad": ("E7", "blueprint", variable("DOOR_AUDIT_BUCKET", "evil")),
    "audit bucket unset": ("E7", "blueprint", lambda w: w.set("Function", DOOR, environment={"variables": {k: v for k, v in w.one("Function", DOOR).properties["environment"]["variables"].items() if k!="DOOR_AUDIT_BUCKET"}})),
    "handler": ("E7", "blueprint", door(handler="other.handler")),
    "code from elsewhere": ("E7", "blueprint", door(s3Bucket="evil", s3Key="x.zip", code=None)),
    "image": ("E7", "blueprint", door(packageType="Image", imageUri=f"{OTHER}.dkr.ecr.us-east-1.amazonaws.com/x:latest")),
    "runtime update": ("E7", "blueprint", door(runtime="python3.8")),
    "file system": ("E7", "blueprint", door(fileSystemConfig={"arn": "arn:aws:elasticfilesystem:x", "localMountPath": "/mnt"})),
    "alias of an old version": ("E7", "blueprint", lambda w: w.set("Function", DOOR, version="2")),
    "alias of another version": ("E7", "blueprint", lambda w: w.set("Alias", DOOR, functionVersion="7")),
    "alias routing": ("E7", "blueprint", lambda w: w.set("Alias", DOOR, routingConfig={"additionalVersionWeights": {"1": 0.5}})),
}  # fmt: skip

HARMLESS: Rows = {
    "alias of the last version": ("E7", "blueprint", lambda w: w.set("Alias", DOOR, functionVersion="3").set("Function", DOOR, version="3")),
    "event rule target": ("E7", "blueprint", lambda w: w.with_("cloudwatch/eventTarget:EventTarget", "p", rule="r", arn=door_arn(w))),
    "topic subscription": ("E7", "blueprint", lambda w: w.with_("sns/topicSubscription:TopicSubscription", "p", topic="t", protocol="lambda", endpoint=door_arn(w))),
    "bucket notification": ("E7", "blueprint", lambda w: w.with_("s3/bucketNotification:BucketNotification", "p", bucket="b", lambdaFunctions=[{"lambdaFunctionArn": door_arn(w)}])),
    "foreign allow": ("E7", "blueprint", invocation("live", lambda d: d["Statement"].append({"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "lambda:InvokeFunction", "Resource": "*"}))),
    "async retries": ("E7", "blueprint", lambda w: w.without("FunctionEventInvokeConfig", lambda r: r.name.startswith(DOOR))),
    "role trust ec2": ("E4", "blueprint", lambda w: w.set("Role", w.one("Function", DOOR).properties["role"].rpartition("/")[2], assumeRolePolicy=json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}))),
    "lock governance": ("E7", "blueprint", lambda w: w.set_all("BucketObjectLockConfiguration", rule={"defaultRetention": {"mode": "GOVERNANCE", "days": 1}})),
    "lifecycle": ("E7", "blueprint", lambda w: w.with_("s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "l", bucket=bucket(w), rules=[{"expiration": {"days": 1}, "status": "Enabled"}])),
    "code signing warn": ("E7", "blueprint", lambda w: w.with_("lambda/codeSigningConfig:CodeSigningConfig", "c", policies={"untrustedArtifactOnDeployment": "Warn"})),
    "function in vpc invoked": ("E4", "blueprint", lambda w: w.with_("lambda/function:Function", "h", "hd", name="h", role="x", vpcConfig={"subnetIds": [w.subnet("system").id], "securityGroupIds": [w.group("system-node")]})),
}  # fmt: skip
