"""Every log group, with a key and a retention, before the service that would make its own; and flow logs (E8)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra.iam import Statement, document, trust
from infra.names import Names

FLOW_FIELDS: Final = (
    *("version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets"),
    *("bytes", "start", "end", "action", "log-status", "vpc-id", "subnet-id", "instance-id", "tcp-flags", "type"),
    *("pkt-srcaddr", "pkt-dstaddr", "pkt-src-aws-service", "pkt-dst-aws-service", "flow-direction", "traffic-path"),
    "reject-reason",
)
"""https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html. Without `pkt-` addresses the node's hides the
pod's; `traffic-path` tells which way a packet left the VPC."""
FLOW_FORMAT: Final = " ".join(f"${{{field}}}" for field in FLOW_FIELDS)
FLOW_AGGREGATION_SECONDS: Final = 60
KEY_DELETION_DAYS: Final = 30


@dataclass(frozen=True)
class LogsArgs:
    """How `Logs` is made. retention_days: log group → days."""

    names: Names
    retention_days: Mapping[str, int]


class Logs(pulumi.ComponentResource):
    """The log groups and the key that encrypts them; `key` is its ARN, `groups` are by name."""

    def __init__(self, name: str, args: LogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:Logs", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        names = args.names
        title = f"{name}-logs"
        key = aws.kms.Key(
            title,
            description=f"Log groups of {name}",
            policy=key_policy(names, args.retention_days),
            enable_key_rotation=True,
            deletion_window_in_days=KEY_DELETION_DAYS,
            tags=names.tags(title),
            opts=own,
        )
        aws.kms.Alias(title, name=f"alias/{title}", target_key_id=key.key_id, opts=own)
        self.key = key.arn
        self.groups = {
            group: aws.cloudwatch.LogGroup(
                group.strip("/").replace("/", "-"),
                name=group,
                kms_key_id=key.arn,
                retention_in_days=days,
                tags=names.tags(group),
                opts=own,
            )
            for group, days in args.retention_days.items()
        }
        self.register_outputs({})


def key_policy(names: Names, log_groups: Mapping[str, int]) -> str:
    """Who may use the key: CloudWatch Logs, for these log groups only, and whom the account's IAM lets.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
    """
    return document(
        Statement(
            "AccountDecides",
            actions=("kms:*",),
            resources=("*",),
            principals={"AWS": (f"arn:aws:iam::{names.account}:root",)},
            wildcard="a key policy speaks of its own key only; without this the key cannot be administered",
        ),
        Statement(
            "LogGroups",
            actions=("kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:GenerateDataKey",
                     "kms:GenerateDataKeyWithoutPlaintext", "kms:DescribeKey"),
            resources=("*",),
            principals={"Service": (f"logs.{names.region}.amazonaws.com",)},
            conditions={
                "ArnEquals": {"kms:EncryptionContext:aws:logs:arn": [names.log_group_arn(g) for g in log_groups]}
            },
            wildcard="a key policy speaks of its own key only",
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class FlowLogsArgs:
    """How `FlowLogs` is made."""

    names: Names
    vpc: pulumi.Input[str]
    log_group: aws.cloudwatch.LogGroup


class FlowLogs(pulumi.ComponentResource):
    """A record of all traffic of the VPC's interfaces, accepted and rejected."""

    def __init__(self, name: str, args: FlowLogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:FlowLogs", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        names = args.names
        role = aws.iam.Role(
            f"{name}-flow-logs",
            name=names.role("flow-logs"),
            # Only this account's flow logs: another's must not write here through the service.
            assume_role_policy=trust(
                "vpc-flow-logs.amazonaws.com",
                {
                    "StringEquals": {"aws:SourceAccount": names.account},
                    "ArnLike": {"aws:SourceArn": names.arn("ec2", "vpc-flow-log/*")},
                },
            ),
            tags=names.tags(names.role("flow-logs")),
            opts=own,
        )
        group = names.log_group_arn(names.flow_log_group)
        write = aws.iam.RolePolicy(
            f"{name}-flow-logs",
            name="write",
            role=role.name,
            policy=document(
                Statement(
                    "WriteFlowRecords",
                    actions=("logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"),
                    resources=(group, f"{group}:*"),
                )
            ),
            opts=own,
        )
        aws.ec2.FlowLog(
            f"{name}-flow-logs",
            vpc_id=args.vpc,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=args.log_group.arn,
            log_format=FLOW_FORMAT,
            max_aggregation_interval=FLOW_AGGREGATION_SECONDS,
            iam_role_arn=role.arn,
            tags=names.tags(f"{name}-flow-logs"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[write]),
        )
        self.register_outputs({})
