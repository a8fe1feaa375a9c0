"""What quarantine's two functions may do: each action is one that their code calls, on what it calls it for."""

from collections.abc import Mapping
from typing import Final

from infra.door_store import audit_bucket, table
from infra.iam import Statement
from infra.names import Names
from infra.responder_config import deny_policy_arn, inside_name, outside_name
from infra.sensors import SOURCES
from infra.tripwires import topic_name, wires

CHAIN: Final = "sequester-responder"
"""As lambda_responder.ledger has it: the two packages share no code, a test compares them."""
_NO_RESOURCE: Final = "EC2 describes all or nothing: the action takes no resource"
_ATTACH: Final = (
    *("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface"),
    *("ec2:DescribeSubnets", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"),
)


def own_log(names: Names, function: str) -> Statement:
    return Statement(
        "OwnLog",
        actions=("logs:CreateLogStream", "logs:PutLogEvents"),
        resources=(f"{names.log_group_arn(f'/aws/lambda/{function}')}:*",),
    )


def inside_statements(names: Names) -> list[Statement]:
    """The function in the VPC calls no AWS service: Lambda attaches it with its role, and the code is denied even that.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    """
    function = inside_name(names)
    return [
        own_log(names, function),
        Statement("Attach", actions=_ATTACH, resources=("*",), wildcard="Lambda attaches the function with its role"),
        Statement(
            "ButNotTheCode",
            effect="Deny",
            actions=_ATTACH,
            resources=("*",),
            conditions={"ArnEquals": {"lambda:SourceFunctionArn": names.arn("lambda", f"function:{function}")}},
        ),
    ]


def outside_statements(names: Names, agent_roles: Mapping[str, str]) -> list[Statement]:
    """What the function outside the VPC may do. A test compares it with the calls that it makes."""
    groups = {
        group
        for wire in wires(sorted(agent_roles))
        if (group := SOURCES[wire.row.sensor].log_group(names, wire.tenant or ""))
    }
    bucket, keys = f"arn:aws:s3:::{audit_bucket(names)}", names.arn("kms", "key/*")
    instances = {
        "StringEquals": {
            "aws:ResourceTag/eks:cluster-name": names.cluster,
            "aws:ResourceTag/eks:nodegroup-name": f"{names.name}-sandbox",
        }
    }
    roles = tuple(f"arn:aws:iam::{names.account}:role/{role}" for _, role in sorted(agent_roles.items()))
    return [
        own_log(names, outside_name(names)),
        Statement(
            "ConfirmAlarms", actions=("cloudwatch:DescribeAlarms",), resources=(names.arn("cloudwatch", "alarm:*"),)
        ),
        Statement(
            "ReadRecords",
            actions=("logs:FilterLogEvents",),
            resources=tuple(f"{names.log_group_arn(group)}:*" for group in sorted(groups)),
        ),
        Statement(
            "KeepEvidence",
            actions=("s3:GetObject", "s3:PutObject"),
            resources=(f"{bucket}/audit/{CHAIN}/*", f"{bucket}/evidence/*"),
        ),
        Statement(
            "StoreKeys",
            actions=("kms:Decrypt", "kms:GenerateDataKey"),
            resources=(keys,),
            conditions={
                "ForAnyValue:StringEquals": {
                    "kms:ResourceAliases": [f"alias/{names.name}-door", f"alias/{names.name}-alarms"]
                }
            },
        ),
        Statement(
            "OwnItems",
            actions=(
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
                "dynamodb:DeleteItem",
                "dynamodb:Query",
            ),
            resources=(names.arn("dynamodb", f"table/{table(names)}"),),
            conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["sequester-*"]}},
        ),
        Statement(
            "KillSwitch",
            actions=("dynamodb:UpdateItem",),
            resources=(names.arn("dynamodb", f"table/{table(names)}"),),
            conditions={
                "ForAllValues:StringEquals": {
                    "dynamodb:LeadingKeys": sorted(agent_roles),
                    "dynamodb:Attributes": ["tenant", "item", "halted"],
                }
            },
        ),
        Statement(
            "AskInside",
            actions=("lambda:InvokeFunction",),
            resources=(names.arn("lambda", f"function:{inside_name(names)}"),),
        ),
        Statement(
            "Revoke",
            actions=("iam:AttachRolePolicy", "iam:DetachRolePolicy"),
            resources=roles,
            conditions={"ArnEquals": {"iam:PolicyARN": deny_policy_arn(names)}},
        ),
        Statement(
            "Associations",
            actions=("eks:ListPodIdentityAssociations", "eks:DeletePodIdentityAssociation"),
            resources=(names.cluster_arn, names.arn("eks", f"podidentityassociation/{names.cluster}/*")),
        ),
        Statement(
            "Look",
            actions=("ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSnapshots"),
            resources=("*",),
            wildcard=_NO_RESOURCE,
        ),
        Statement(
            "CutOff",
            actions=("ec2:ModifyNetworkInterfaceAttribute",),
            resources=(names.arn("ec2", "network-interface/*"),),
        ),
        Statement(  # no other group can be given to an interface
            "IntoQuarantine",
            actions=("ec2:ModifyNetworkInterfaceAttribute",),
            resources=(names.arn("ec2", "security-group/*"),),
            conditions={"StringEquals": {"aws:ResourceTag/sequester:quarantine": "true"}},
        ),
        Statement(
            "CopyDisks",
            actions=("ec2:CreateSnapshots",),
            resources=(names.arn("ec2", "volume/*"), f"arn:aws:ec2:{names.region}::snapshot/*"),
        ),
        Statement(
            "OfNodes",
            actions=("ec2:CreateSnapshots",),
            resources=(names.arn("ec2", "instance/*"),),
            conditions=instances,
        ),
        Statement(
            "NameCopies",
            actions=("ec2:CreateTags",),
            resources=(f"arn:aws:ec2:{names.region}::snapshot/*",),
            conditions={"StringEquals": {"ec2:CreateAction": "CreateSnapshots"}},
        ),
        Statement(
            "EndNodes",
            actions=("ec2:TerminateInstances",),
            resources=(names.arn("ec2", "instance/*"),),
            conditions=instances,
        ),
        Statement("Page", actions=("sns:Publish",), resources=(names.arn("sns", topic_name(names)),)),
    ]
