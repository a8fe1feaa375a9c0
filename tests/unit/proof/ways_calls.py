"""Ways out by API calls: endpoint policies (E3)."""

# Edits are of plain JSON, whose parts have no types.
# pyright: reportArgumentType=false, reportGeneralTypeIssues=false, reportAttributeAccessIssue=false

import json
from typing import Any

from proof_world import ACCOUNT, World
from ways_edits import (
    BOTH,
    OTHER,
    OURS,
    Change,
    Rows,
    endpoint,
    statement,
)

ENDPOINTS: dict[str, Change] = {
    "AWS's default": lambda w: w.set("VpcEndpoint", "sequester-lambda", policy=None),
    "allow all": endpoint("lambda", statement("*")),
    "principal only": endpoint("lambda", statement("lambda:InvokeFunction", StringEquals=OURS)),
    "organisation without resource": endpoint(
        "logs", statement("logs:*", StringEquals={"aws:PrincipalAccount": ACCOUNT})
    ),
    "an open account": endpoint(
        "lambda", statement("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:*:function:door")
    ),
    "another account": endpoint(
        "lambda", statement("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:210987654321:function:x")
    ),
    "every bucket": endpoint("s3", statement("s3:GetObject", "arn:aws:s3:::*")),
    "a bucket by name": endpoint("s3", statement("s3:PutObject", "arn:aws:s3:::collector/*")),
    "writes to the layer bucket": endpoint(
        "s3", statement("s3:*", "arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*")
    ),
    "a bucket like the layer bucket": endpoint(
        "s3", statement("s3:GetObject", "arn:aws:s3:::prod-*-starport-layer-bucket/*")
    ),
    "every registry": endpoint(
        "ecr.dkr", statement("ecr:BatchGetImage", "arn:aws:ecr:us-east-1:*:repository/*", StringEquals=OURS)
    ),
    "writes to the add-on registry": endpoint(
        "ecr.dkr", statement("ecr:PutImage", "arn:aws:ecr:us-east-1:602401143452:repository/*")
    ),
    "anyone's login": endpoint("ecr.api", statement("ecr:GetAuthorizationToken")),
    "NotAction": endpoint(
        "logs", {"Effect": "Allow", "Principal": "*", "NotAction": "logs:DeleteLogGroup", "Resource": "*"}
    ),
    "NotResource": endpoint(
        "logs",
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "logs:PutLogEvents",
            "NotResource": "arn:aws:logs:us-east-1:210987654321:*",
        },
    ),
    "IfExists does not bind": endpoint(
        "logs", statement("logs:PutLogEvents", StringNotEqualsIfExists={"aws:ResourceAccount": "1"})
    ),
    "ForAllValues does not bind": endpoint(
        "s3",
        statement("s3:PutObject", "arn:aws:s3:::*", "Allow", **{"ForAllValues:StringLike": {"aws:PrincipalArn": "*"}}),
    ),
    "our VPC is no account": endpoint("logs", statement("logs:PutLogEvents", StringLike={"aws:SourceVpce": "*"})),
    "a deny beside the point": endpoint("logs", statement("logs:*"), statement("logs:DeleteLogGroup", effect="Deny")),
    "a deny of some callers": endpoint(
        "logs", statement("logs:*"), statement("*", effect="Deny", StringNotEquals=OURS)
    ),
    "a separate policy": lambda w: w.with_(
        "ec2/vpcEndpointPolicy:VpcEndpointPolicy",
        "p",
        vpcEndpointId=w.id("VpcEndpoint", "sequester-logs"),
        policy=json.dumps({"Statement": [statement("*")]}),
    ),
    "another endpoint": lambda w: w.with_(
        "ec2/vpcEndpoint:VpcEndpoint",
        "sqs",
        vpcId=w.vpc.id,
        vpcEndpointType="Interface",
        serviceName="com.amazonaws.us-east-1.sqs",
    ),
    "wildcard in the middle": endpoint("lambda", statement("lambda:Invoke*", "arn:aws:lambda:*:function:door")),
}


def separate(w: World, name: str, *statements: dict[str, Any]) -> World:
    """A policy of an endpoint as a resource of its own."""
    said = json.dumps({"Statement": list(statements)})
    kind = "ec2/vpcEndpointPolicy:VpcEndpointPolicy"
    return w.with_(kind, name, vpcEndpointId=w.id("VpcEndpoint", "sequester-logs"), policy=said)


FURTHER: Rows = {
    "PrincipalAccount wildcard": ("E3", "blueprint", endpoint("logs", statement("logs:*", StringLike={"aws:PrincipalAccount": "*", "aws:ResourceAccount": ACCOUNT[:11]+"*"}))),
    "PrincipalAccount ?": ("E3", "blueprint", endpoint("logs", statement("logs:*", StringLike={"aws:ResourceAccount": "????????????"}))),
    "variable in resource": ("E3", "blueprint", endpoint("lambda", statement("lambda:InvokeFunction", "arn:aws:lambda:us-east-1:${aws:PrincipalAccount}:function:door"))),
    "ForAllValues on single": ("E3", "blueprint", endpoint("logs", statement("logs:PutLogEvents", "arn:aws:logs:*:*:*", **{"ForAllValues:StringEquals": {"aws:ResourceAccount": ACCOUNT}}))),
    "IfExists": ("E3", "blueprint", endpoint("logs", statement("logs:PutLogEvents", "arn:aws:logs:*:*:*", StringEqualsIfExists={"aws:ResourceAccount": ACCOUNT}))),
    "Null wrong": ("E3", "blueprint", endpoint("logs", statement("logs:PutLogEvents", Null={"aws:ResourceAccount": "false"}))),
    "StringNotEquals allow": ("E3", "blueprint", endpoint("logs", statement("logs:PutLogEvents", StringNotEquals={"aws:ResourceAccount": OTHER}))),
    "SourceVpc ours": ("E3", "blueprint", lambda w: endpoint("logs", statement("logs:PutLogEvents", StringEquals={"aws:SourceVpc": w.vpc.id}))(w)),
    "two accounts": ("E3", "blueprint", endpoint("logs", statement("logs:*", StringEquals={"aws:ResourceAccount": [ACCOUNT, OTHER], "aws:PrincipalAccount": ACCOUNT}))),
    "principal account foreign": ("E3", "blueprint", endpoint("lambda", statement("lambda:InvokeFunction", f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:sequester-door-research", StringEquals={"aws:PrincipalAccount": OTHER}))),
    "principal condition missing on our fn": ("E3", "blueprint", endpoint("lambda", statement("lambda:InvokeFunction", f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:sequester-door-research"))),
    "Principal foreign": ("E3", "blueprint", endpoint("logs", {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}, "Action": "logs:*", "Resource": "*"})),
    "Principal ours resource any": ("E3", "blueprint", endpoint("logs", {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "logs:PutLogEvents", "Resource": "*"})),
    "NotAction with deny": ("E3", "blueprint", endpoint("logs", statement("*", StringEquals=OURS), {"Effect": "Deny", "Principal": "*", "NotAction": "logs:PutLogEvents", "Resource": "*"})),
    "NotResource deny": ("E3", "blueprint", endpoint("logs", statement("*", StringEquals=OURS), {"Effect": "Deny", "Principal": "*", "Action": "*", "NotResource": f"arn:aws:logs:*:{ACCOUNT}:*"})),
    "NotResource deny leaves others": ("E3", "blueprint", endpoint("logs", statement("*", StringEquals=OURS), {"Effect": "Deny", "Principal": "*", "Action": "*", "NotResource": [f"arn:aws:logs:*:{ACCOUNT}:*", f"arn:aws:logs:*:{OTHER}:*"]})),
    "deny ANDed": ("E3", "blueprint", endpoint("logs", statement("*"), statement("*", effect="Deny", StringNotEquals={"aws:ResourceAccount": ACCOUNT, "aws:PrincipalAccount": ACCOUNT}))),
    "s3 access point": ("E3", "blueprint", endpoint("s3", statement("s3:PutObject", f"arn:aws:s3:us-east-1:{OTHER}:accesspoint/x/object/*", StringEquals=OURS))),
    "s3 access point ours delegated": ("E3", "blueprint", endpoint("s3", statement("s3:PutObject", f"arn:aws:s3:us-east-1:{ACCOUNT}:accesspoint/x/object/*", StringEquals=OURS))),
    "s3 our bucket name no account": ("E3", "blueprint", endpoint("s3", statement("s3:PutObject", "arn:aws:s3:::sequester-trail-123456789012/*", StringEquals=OURS))),
    "s3 layer any region": ("E3", "blueprint", endpoint("s3", statement("s3:GetObject", "arn:aws:s3:::prod-eu-west-1-starport-layer-bucket/*"))),
    "s3 layer GetObject*": ("E3", "blueprint", endpoint("s3", statement("s3:GetObject*", "arn:aws:s3:::prod-us-east-1-starport-layer-bucket/*"))),
    "s3 second statement": ("E3", "blueprint", lambda w: (lambda p: w.set("VpcEndpoint", "sequester-s3", policy=json.dumps({**p, "Statement": [*p["Statement"], statement("s3:ListBucket", "arn:aws:s3:::amazonlinux-2-repos-us-east-1")]})))(json.loads(w.one("VpcEndpoint", "sequester-s3").properties["policy"]))),
    "ecr pull from region other account": ("E3", "blueprint", endpoint("ecr.dkr", statement(["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], "arn:aws:ecr:us-east-1:111122223333:repository/*", StringEquals=OURS))),
    "ecr addon region": ("E3", "blueprint", endpoint("ecr.dkr", statement("ecr:BatchGetImage", "arn:aws:ecr:*:602401143452:repository/*", StringEquals=OURS))),
    "ecr addon put": ("E3", "blueprint", endpoint("ecr.dkr", statement("ecr:*", "arn:aws:ecr:us-east-1:602401143452:repository/*", StringEquals=OURS))),
    "ec2 describe any caller": ("E3", "blueprint", endpoint("ec2", statement("ec2:DescribeInstances"))),
    "ec2 run": ("E3", "blueprint", endpoint("ec2", statement("ec2:RunInstances", StringEquals=OURS))),
    "sts AssumeRole any": ("E3", "blueprint", lambda w: w.with_("ec2/vpcEndpoint:VpcEndpoint", "sts", vpcId=w.vpc.id, vpcEndpointType="Interface", serviceName="com.amazonaws.us-east-1.sts", policy=json.dumps({"Statement": [statement("sts:AssumeRole", StringEquals=OURS)]}))),
    "kms": ("E3", "blueprint", lambda w: w.with_("ec2/vpcEndpoint:VpcEndpoint", "kms", vpcId=w.vpc.id, vpcEndpointType="Interface", serviceName="com.amazonaws.us-east-1.kms", policy=json.dumps({"Statement": [statement("kms:Encrypt", "arn:aws:kms:*:*:alias/*", StringEquals=OURS)]}))),
    "dynamodb gateway": ("E3", "blueprint", lambda w: w.with_("ec2/vpcEndpoint:VpcEndpoint", "ddb", vpcId=w.vpc.id, serviceName="com.amazonaws.us-east-1.dynamodb", routeTableIds=[w.table("sandbox").id])),
    "other region service": ("E3", "blueprint", lambda w: w.with_("ec2/vpcEndpoint:VpcEndpoint", "g", vpcId=w.vpc.id, vpcEndpointType="Interface", serviceName="com.amazonaws.eu-west-1.s3", serviceRegion="eu-west-1")),
    "policy empty string": ("E3", "blueprint", lambda w: w.set("VpcEndpoint", "sequester-logs", policy="")),
    "policy as object": ("E3", "blueprint", lambda w: w.set("VpcEndpoint", "sequester-logs", policy={"Statement": [statement("*")]})),
    "bedrock any model": ("E3", "blueprint", lambda w: w.with_("ec2/vpcEndpoint:VpcEndpoint", "b", vpcId=w.vpc.id, vpcEndpointType="Interface", serviceName="com.amazonaws.us-east-1.bedrock-runtime", policy=json.dumps({"Statement": [statement("bedrock:InvokeModel", "*", StringEquals=OURS)]}))),
    "bedrock models, any caller": ("E3", "blueprint", lambda w: w.with_("ec2/vpcEndpoint:VpcEndpoint", "b", vpcId=w.vpc.id, vpcEndpointType="Interface", serviceName="com.amazonaws.us-east-1.bedrock-runtime", policy=json.dumps({"Statement": [statement("bedrock:InvokeModel", "arn:aws:bedrock:us-east-1::foundation-model/*")]}))),
    "an account as a number": ("E3", "blueprint", endpoint("logs", statement("logs:PutLogEvents", NumericEquals={"aws:ResourceAccount": ACCOUNT}))),
    "our roles by ARN, on any resource": ("E3", "blueprint", endpoint("logs", statement("logs:PutLogEvents", ArnLike={"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}))),
    "a VPC that is the caller's own": ("E3", "blueprint", endpoint("logs", statement("logs:PutLogEvents", StringEquals={"aws:SourceVpc": "${aws:SourceVpc}"}))),
    "a resource of the caller's own account": ("E3", "blueprint", endpoint("logs", statement("logs:*", StringEquals={"aws:ResourceAccount": "${aws:PrincipalAccount}"}))),
}  # fmt: skip

UNDECIDED: Rows = {
    "two separate policies": ("E3", "blueprint", lambda w: separate(separate(w, "open", statement("*")), "shut", statement("logs:PutLogEvents", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:x", StringEquals=BOTH))),
    "wrong key principaltag": ("E3", "blueprint", endpoint("logs", statement("logs:PutLogEvents", StringEquals={"aws:PrincipalTag/x": "y", "aws:PrincipalAccount": ACCOUNT}))),
    "NotPrincipal": ("E3", "blueprint", endpoint("logs", {"Effect": "Deny", "NotPrincipal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "*", "Resource": "*"}, statement("*"))),
    "ResourceOrgID": ("E3", "blueprint", endpoint("s3", statement("s3:PutObject", "arn:aws:s3:::*", StringEquals={"aws:ResourceOrgID": "o-1", "aws:PrincipalAccount": ACCOUNT}))),
    "smtp (no policy support)": ("E3", "blueprint", lambda w: w.with_("ec2/vpcEndpoint:VpcEndpoint", "smtp", vpcId=w.vpc.id, vpcEndpointType="Interface", serviceName="com.amazonaws.us-east-1.email-smtp", policy=json.dumps({"Statement": [statement("ses:SendRawEmail", StringEquals=BOTH)]}))),
    "GWLB": ("E3", "blueprint", lambda w: w.with_("ec2/vpcEndpoint:VpcEndpoint", "g", vpcId=w.vpc.id, vpcEndpointType="GatewayLoadBalancer", serviceName="com.amazonaws.vpce.us-east-1.vpce-svc-1")),
    "Resource": ("E3", "blueprint", lambda w: w.with_("ec2/vpcEndpoint:VpcEndpoint", "g", vpcId=w.vpc.id, vpcEndpointType="Resource", resourceConfigurationArn="arn:aws:vpc-lattice:us-east-1:1:resourceconfiguration/x")),
    "ServiceNetwork": ("E3", "blueprint", lambda w: w.with_("ec2/vpcEndpoint:VpcEndpoint", "g", vpcId=w.vpc.id, vpcEndpointType="ServiceNetwork", serviceNetworkArn="arn:x")),
    "marketplace service": ("E3", "blueprint", lambda w: w.with_("ec2/vpcEndpoint:VpcEndpoint", "g", vpcId=w.vpc.id, vpcEndpointType="Interface", serviceName="aws.sagemaker.us-east-1.notebook", policy=json.dumps({"Statement": [statement("*", StringEquals=BOTH)]}))),
    "Sid odd element": ("E3", "blueprint", endpoint("logs", {**statement("logs:*", StringEquals=BOTH), "Condtion": {}})),
    "lower-case effect": ("E3", "blueprint", endpoint("logs", {**statement("logs:*"), "Effect": "allow"})),
    "trusted: service in PrincipalOrgPaths": ("E3", "blueprint", endpoint("logs", statement("logs:PutLogEvents", **{"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-1/*"}}))),
}  # fmt: skip

HARMLESS: Rows = {
    "NotResource deny, region written out": ("E3", "blueprint", endpoint("logs", statement("*", StringEquals=OURS), {"Effect": "Deny", "Principal": "*", "Action": "*", "NotResource": f"arn:aws:logs:us-east-1:{ACCOUNT}:*"})),
    "ForAnyValue": ("E3", "blueprint", endpoint("logs", statement("logs:*", **{"ForAnyValue:StringEquals": {"aws:ResourceAccount": ACCOUNT, "aws:PrincipalAccount": ACCOUNT}}))),
    "wrong key SourceAccount": ("E3", "blueprint", endpoint("logs", statement("logs:PutLogEvents", StringEquals={"aws:SourceAccount": ACCOUNT}))),
    "other functions of ours": ("E3", "blueprint", endpoint("lambda", statement("lambda:InvokeFunction", f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:*", StringEquals=BOTH))),
    "all lambda actions": ("E3", "blueprint", endpoint("lambda", statement("lambda:*", f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:sequester-door-research", StringEquals=BOTH))),
    "Principal ours": ("E3", "blueprint", endpoint("logs", {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "logs:PutLogEvents", "Resource": f"arn:aws:logs:us-east-1:{ACCOUNT}:*"})),
    "deny IfExists": ("E3", "blueprint", endpoint("logs", statement("*", StringEquals=OURS), statement("*", effect="Deny", StringNotEqualsIfExists={"aws:ResourceAccount": ACCOUNT}))),
    "s3:ResourceAccount key": ("E3", "blueprint", endpoint("s3", statement("s3:PutObject", "arn:aws:s3:::*", StringEquals={"s3:ResourceAccount": ACCOUNT, "aws:PrincipalAccount": ACCOUNT}))),
    "execute-api": ("E3", "blueprint", lambda w: w.with_("ec2/vpcEndpoint:VpcEndpoint", "xa", vpcId=w.vpc.id, vpcEndpointType="Interface", serviceName="com.amazonaws.us-east-1.execute-api", policy=json.dumps({"Statement": [statement("execute-api:Invoke", StringEquals=BOTH)]}))),
    "PrincipalIsAWSService": ("E3", "blueprint", endpoint("logs", statement("*", StringEquals=BOTH), statement("*", Bool={"aws:PrincipalIsAWSService": "true"}))),
    "logs wide but ours": ("E3", "blueprint", endpoint("logs", statement("logs:PutLogEvents", f"arn:aws:logs:us-east-1:{ACCOUNT}:*", StringEquals=BOTH))),
    "partition wildcard": ("E3", "blueprint", endpoint("logs", statement("logs:PutLogEvents", f"arn:*:logs:us-east-1:{ACCOUNT}:*", StringEquals=BOTH))),
}  # fmt: skip
