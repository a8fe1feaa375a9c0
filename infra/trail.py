"""Calls that an endpoint's policy refused: CloudTrail's network activity events, kept and sent to a log group."""

from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra.iam import Statement, document, trust
from infra.names import Names
from infra.sensors import trail_log_group

# Services with an endpoint here that have network activity events; ecr, sts, logs, eks and eks-auth have none.
# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-network-events-with-cloudtrail.html
NETWORK_ACTIVITY_SOURCES: Final = ("bedrock", "ec2", "lambda", "s3")


@dataclass
class AttemptTrailArgs:
    """key: ARN of the KMS key for the trail's files. The log group `trail_log_group` exists."""

    names: Names
    key: pulumi.Input[str]


class AttemptTrail(pulumi.ComponentResource):
    """A trail of nothing but refused calls, and its bucket."""

    def __init__(self, name: str, args: AttemptTrailArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:AttemptTrail", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        names = args.names
        group, bucket, role = trail_log_group(names), f"{names.name}-trail-{names.account}", names.role("trail")
        group_arn, bucket_arn = names.log_group_arn(group), f"arn:aws:s3:::{bucket}"
        trail_arn = names.arn("cloudtrail", f"trail/{names.name}")
        writer = aws.iam.Role(
            role,
            name=role,
            assume_role_policy=trust("cloudtrail.amazonaws.com", {"StringEquals": {"aws:SourceArn": trail_arn}}),
            inline_policies=[
                {
                    "name": "write",
                    "policy": document(
                        Statement(
                            "Write",
                            actions=("logs:CreateLogStream", "logs:PutLogEvents"),
                            resources=(f"{group_arn}:log-stream:{names.account}_CloudTrail_{names.region}*",),
                        )
                    ),
                }
            ],
            tags=names.tags(role),
            opts=own,
        )
        files = aws.s3.Bucket(bucket, bucket=bucket, tags=names.tags(bucket), opts=own)
        below = pulumi.ResourceOptions(parent=self, depends_on=[files])
        aws.s3.BucketPublicAccessBlock(
            bucket,
            bucket=bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=below,
        )
        from_trail = {"StringEquals": {"aws:SourceArn": trail_arn}}
        service = {"Service": ("cloudtrail.amazonaws.com",)}
        policy = aws.s3.BucketPolicy(
            bucket,
            bucket=bucket,
            policy=document(
                Statement(
                    "Check",
                    actions=("s3:GetBucketAcl",),
                    resources=(bucket_arn,),
                    principals=service,
                    conditions=from_trail,
                ),
                Statement(
                    "Write",
                    actions=("s3:PutObject",),
                    resources=(f"{bucket_arn}/AWSLogs/{names.account}/*",),
                    principals=service,
                    conditions={
                        "StringEquals": {"aws:SourceArn": trail_arn, "s3:x-amz-acl": "bucket-owner-full-control"}
                    },
                ),
                Statement(
                    "OverTls",
                    effect="Deny",
                    actions=("s3:DeleteObject*", "s3:GetObject*", "s3:ListBucket*", "s3:PutObject*"),
                    resources=(bucket_arn, f"{bucket_arn}/*"),
                    principals="*",
                    conditions={"Bool": {"aws:SecureTransport": "false"}},
                ),
            ),
            opts=below,
        )
        aws.cloudtrail.Trail(
            names.name,
            name=names.name,
            s3_bucket_name=bucket,
            kms_key_id=args.key,
            cloud_watch_logs_group_arn=f"{group_arn}:*",
            cloud_watch_logs_role_arn=names.role_arn("trail"),
            enable_log_file_validation=True,
            include_global_service_events=False,
            advanced_event_selectors=[
                {
                    "name": f"refused by the endpoint of {service_name}",
                    "field_selectors": [
                        {"field": "eventCategory", "equals": ["NetworkActivity"]},
                        {"field": "eventSource", "equals": [f"{service_name}.amazonaws.com"]},
                        {"field": "errorCode", "equals": ["VpceAccessDenied"]},
                    ],
                }
                for service_name in NETWORK_ACTIVITY_SOURCES
            ],
            tags=names.tags(names.name),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[writer, policy]),
        )
        self.register_outputs({})
