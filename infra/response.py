"""Quarantine: two functions that act on an alarm, each with exactly the rights that its acts need (claim E8)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

import pulumi
import pulumi_aws as aws

from infra.door_store import audit_bucket, table
from infra.iam import Statement, document, trust
from infra.logs import FLOW_FIELDS
from infra.names import Names
from infra.rbac import RESPONDER_GROUP
from infra.settings.tripwires import TripwireSettings
from infra.tripwire_table import EVALUATION_SECONDS, SOURCES, Tripwire, patterns
from infra.tripwires import topic_name, wires

CHAIN: Final = "sequester-responder"
"""As lambda_responder.ledger has it: the two packages share no code, a test compares them."""
DENY_EVERYTHING: Final = json.dumps(  # of every service, which `Statement` rightly cannot say
    {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
)
_CODE: Final = Path(__file__).resolve().parent.parent / "lambda_responder"
_RUNTIME: Final = "python3.13"
_API_PORT: Final = 443
_TIMEOUT_SECONDS: Final = 120
_NO_RESOURCE: Final = "EC2 describes all or nothing: the action takes no resource"


@dataclass
class ResponseArgs:
    """agent_roles: tenant → name of its agent's role. subnets: where the inner function runs, in the system tier.

    control_plane: the subnets of the API server. The log groups of `log_groups` exist already.
    """

    names: Names
    settings: TripwireSettings
    agent_roles: Mapping[str, str]
    listed: Sequence[str]
    vpc: pulumi.Input[str]
    subnets: Sequence[pulumi.Input[str]]
    control_plane: Sequence[IPv4Network]
    cluster_endpoint: pulumi.Input[str]
    cluster_authority: pulumi.Input[str]
    retention_days: int


def inside_name(names: Names) -> str:
    return f"{names.name}-responder-inside"


def outside_name(names: Names) -> str:
    return f"{names.name}-responder"


def deny_policy_arn(names: Names) -> str:
    return f"arn:aws:iam::{names.account}:policy/{names.name}-quarantined"


def configuration(args: ResponseArgs) -> str:
    """What both functions read (lambda_responder.config): everything is known before anything is made."""
    names, settings = args.names, args.settings
    own = {
        "stack": names.name,
        "account": names.account,
        "region": names.region,
        "cluster": names.cluster,
        "topic": names.arn("sns", topic_name(names)),
        "bucket": audit_bucket(names),
        "table": table(names),
        "inside": inside_name(names),
        "audit_log_group": names.cluster_log_group,
        "sandbox_node_group": f"{names.name}-sandbox",
        "deny_policy": deny_policy_arn(names),
        "flow_instance_field": FLOW_FIELDS.index("instance-id"),
        "level": settings.response,
        "dry_run": settings.dry_run,
        "actions_per_hour": settings.actions_per_hour,
        "never_touch": sorted(settings.never_touch),
        "tenants": {
            tenant: {"agent_role": role, "door_table": table(names)}
            for tenant, role in sorted(args.agent_roles.items())
        },
        "wires": {
            wire.name(names.name): asdict(_Wire.of(names, wire.row, wire.tenant, tuple(args.listed)))
            for wire in wires(sorted(args.agent_roles))
            if not wire.row.silent_group
        },
    }
    return json.dumps(own, sort_keys=True)


@dataclass(frozen=True)
class _Wire:
    """As lambda_responder.config.Wire; the window reaches back as far as a record may be late."""

    sensor: str
    log_group: str
    patterns: tuple[str, ...]
    response: str
    tenant: str | None
    window_seconds: int

    @classmethod
    def of(cls, names: Names, row: Tripwire, tenant: str | None, listed: tuple[str, ...]) -> "_Wire":
        source = SOURCES[row.sensor]
        window = source.delivery_seconds + row.period_seconds * row.periods + 2 * EVALUATION_SECONDS
        found = patterns(row, names, tenant, listed)
        return cls(str(row.sensor), source.log_group(names, tenant or ""), found, row.response, tenant, window)


class Response(pulumi.ComponentResource):
    """`outside` is told by the topic and acts on AWS; `inside` is asked by it and acts on Kubernetes."""

    def __init__(self, name: str, args: ResponseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:Response", name, None, opts)
        self._own = pulumi.ResourceOptions(parent=self)
        self._args, self._names = args, args.names
        self.quarantine_group = self._group("quarantine", "no rule at all: what is put into it is cut off")
        deny = aws.iam.Policy(
            f"{name}-quarantined",
            name=f"{name}-quarantined",
            description="Attached to a tenant's agent role while it is in quarantine",
            policy=DENY_EVERYTHING,
            tags=args.names.tags(f"{name}-quarantined"),
            opts=self._own,
        )
        self.inside = self._inside()
        self.outside = self._outside([deny, self.inside])
        self.register_outputs({"quarantine_group": self.quarantine_group.id})

    def _group(self, what: str, why: str) -> aws.ec2.SecurityGroup:
        title = f"{self._names.name}-{what}"
        return aws.ec2.SecurityGroup(
            title,
            name=title,
            description=f"Sequester: {why}",
            vpc_id=self._args.vpc,
            egress=[],  # stated: left out, AWS's own rule that allows all egress would stay
            ingress=[],
            tags=self._names.tags(title, **{"sequester:quarantine": str(what == "quarantine").lower()}),
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["ingress", "egress"]),
        )

    def _role(self, title: str, *statements: Statement) -> aws.iam.Role:
        log = Statement(
            "OwnLog",
            actions=("logs:CreateLogStream", "logs:PutLogEvents"),
            resources=(f"{self._names.log_group_arn(f'/aws/lambda/{title}')}:*",),
        )
        return aws.iam.Role(
            title,
            name=title,
            assume_role_policy=trust(
                "lambda.amazonaws.com", {"StringEquals": {"aws:SourceAccount": self._names.account}}
            ),
            inline_policies=[{"name": "own", "policy": document(log, *statements)}],
            tags=self._names.tags(title),
            opts=self._own,
        )

    def _function(
        self,
        title: str,
        module: str,
        role: aws.iam.Role,
        environment: Mapping[str, pulumi.Input[str]],
        concurrency: int,
        needs: Sequence[pulumi.Resource],
        vpc: aws.lambda_.FunctionVpcConfigArgs | None = None,
    ) -> aws.lambda_.Function:
        group = aws.cloudwatch.LogGroup(
            title,
            name=f"/aws/lambda/{title}",
            retention_in_days=self._args.retention_days,
            tags=self._names.tags(title),
            opts=self._own,
        )
        files: dict[str, pulumi.Asset | pulumi.Archive] = {
            f"lambda_responder/{path.name}": pulumi.FileAsset(str(path)) for path in sorted(_CODE.glob("*.py"))
        }
        files["lambda_responder/responder.json"] = pulumi.StringAsset(configuration(self._args))
        return aws.lambda_.Function(
            title,
            name=title,
            description="Quarantine",
            role=role.arn,
            runtime=_RUNTIME,
            architectures=["arm64"],
            handler=f"lambda_responder.{module}.handler",
            code=pulumi.AssetArchive(files),
            memory_size=512,
            timeout=_TIMEOUT_SECONDS,
            reserved_concurrent_executions=concurrency,
            environment={"variables": dict(environment)},
            vpc_config=vpc,
            tags=self._names.tags(title),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[group, *needs]),
        )

    def _inside(self) -> aws.lambda_.Function:
        names, args, title = self._names, self._args, inside_name(self._names)
        arn = names.arn("lambda", f"function:{title}")
        attach = (
            *("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface"),
            *("ec2:DescribeSubnets", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"),
        )
        why = "Lambda attaches the function to the VPC with its role; the code itself is denied it"
        role = self._role(
            title,
            Statement("Attach", actions=attach, resources=("*",), wildcard=why),
            # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
            Statement(
                "ButNotTheCode",
                effect="Deny",
                actions=attach,
                resources=("*",),
                conditions={"ArnEquals": {"lambda:SourceFunctionArn": arn}},
            ),
        )
        group = self._group("responder", "quarantine's way to the API server")
        for number, cidr in enumerate(args.control_plane, start=1):
            aws.vpc.SecurityGroupEgressRule(
                f"{title}-{number}",
                security_group_id=group.id,
                cidr_ipv4=str(cidr),
                ip_protocol="tcp",
                from_port=_API_PORT,
                to_port=_API_PORT,
                description="the API server",
                tags=names.tags(title),
                opts=self._own,
            )
        entry = aws.eks.AccessEntry(
            title,
            cluster_name=names.cluster,
            principal_arn=names.role_arn("responder-inside"),
            kubernetes_groups=[RESPONDER_GROUP],
            type="STANDARD",
            tags=names.tags(title),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[role]),
        )
        return self._function(
            title,
            "inside",
            role,
            {"CLUSTER_ENDPOINT": args.cluster_endpoint, "CLUSTER_CA": args.cluster_authority},
            concurrency=5,
            needs=[entry],
            vpc=aws.lambda_.FunctionVpcConfigArgs(subnet_ids=list(args.subnets), security_group_ids=[group.id]),
        )

    def _outside(self, needs: Sequence[pulumi.Resource]) -> aws.lambda_.Function:
        names, title, topic = self._names, outside_name(self._names), self._names.arn("sns", topic_name(self._names))
        role = self._role(title, *outside_statements(names, self._args.agent_roles, tuple(self._args.listed)))
        made = self._function(
            title, "outside", role, {"QUARANTINE_GROUP": self.quarantine_group.id}, concurrency=2, needs=needs
        )
        after = pulumi.ResourceOptions(parent=self, depends_on=[made])
        allowed = aws.lambda_.Permission(
            title,
            statement_id="alarms",
            action="lambda:InvokeFunction",
            function=title,
            principal="sns.amazonaws.com",
            source_arn=topic,
            source_account=names.account,
            opts=after,
        )
        aws.lambda_.FunctionEventInvokeConfig(
            title,
            function_name=title,
            maximum_retry_attempts=2,  # what a delivery could not do, the next one does
            maximum_event_age_in_seconds=3600,
            destination_config={"on_failure": {"destination": topic}},
            opts=after,
        )
        aws.sns.TopicSubscription(
            title,
            topic=topic,
            protocol="lambda",
            endpoint=names.arn("lambda", f"function:{title}"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[allowed]),
        )
        return made


def outside_statements(names: Names, agent_roles: Mapping[str, str], listed: tuple[str, ...]) -> list[Statement]:
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
            actions=("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"),
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
            resources=(
                names.arn("ec2", "instance/*"),
                names.arn("ec2", "volume/*"),
                f"arn:aws:ec2:{names.region}::snapshot/*",
            ),
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
