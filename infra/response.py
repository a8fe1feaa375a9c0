"""Quarantine: two functions that act on an alarm, each with exactly the rights that its acts need (claim E8)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pulumi
import pulumi_aws as aws

from infra.iam import Statement, document, trust
from infra.names import Names
from infra.rbac import RESPONDER_GROUP
from infra.responder_config import configuration, deny_policy_arn, inside_name, outside_name
from infra.responder_rights import inside_statements, outside_statements
from infra.settings.tripwires import TripwireSettings
from infra.tripwire_patterns import Declared
from infra.tripwires import topic_name

DENY_EVERYTHING: Final = json.dumps(  # of every service, which `Statement` rightly cannot say
    {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
)
SWEEP: Final = "rate(1 minute)"
"""CloudWatch tells of a change only. While an alarm stands, and until what was begun is done, somebody looks again."""
_CODE: Final = Path(__file__).resolve().parent.parent / "lambda_responder"
_RUNTIME: Final = "python3.13"
_TIMEOUT_SECONDS: Final = 120


@dataclass
class ResponseArgs:
    """agent_roles: tenant → name of its agent's role. subnets: where the inner function runs, in the system tier.

    quarantine, responder: security groups; the first without any rule, the second with a way to the API server.
    logs: the functions' log groups, by name. The audit bucket and table of the doors exist already.
    """

    names: Names
    settings: TripwireSettings
    agent_roles: Mapping[str, str]
    declared: Declared
    subnets: Sequence[pulumi.Input[str]]
    quarantine: pulumi.Input[str]
    responder: pulumi.Input[str]
    cluster_endpoint: pulumi.Input[str]
    cluster_authority: pulumi.Input[str]
    logs: Mapping[str, aws.cloudwatch.LogGroup]


class Response(pulumi.ComponentResource):
    """`outside` is told by the topic and a clock, and acts on AWS; it asks `inside` to act on Kubernetes."""

    def __init__(self, name: str, args: ResponseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:Response", name, None, opts)
        self._own = pulumi.ResourceOptions(parent=self)
        self._args, self._names = args, args.names
        deny = aws.iam.Policy(
            f"{name}-quarantined",
            name=deny_policy_arn(args.names).rpartition("/")[2],
            description="Attached to a tenant's agent role while it is in quarantine",
            policy=DENY_EVERYTHING,
            tags=args.names.tags(f"{name}-quarantined"),
            opts=self._own,
        )
        self.inside = self._inside()
        self.outside = self._outside([deny, self.inside])
        self._told()
        self._swept()
        self.register_outputs({})

    def _role(self, title: str, statements: Sequence[Statement]) -> aws.iam.Role:
        return aws.iam.Role(
            title,
            name=title,
            assume_role_policy=trust(
                "lambda.amazonaws.com", {"StringEquals": {"aws:SourceAccount": self._names.account}}
            ),
            inline_policies=[{"name": "own", "policy": document(*statements)}],
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
        args = self._args
        files: dict[str, pulumi.Asset | pulumi.Archive] = {
            f"lambda_responder/{path.name}": pulumi.FileAsset(str(path)) for path in sorted(_CODE.glob("*.py"))
        }
        told = configuration(args.names, args.settings, args.agent_roles, args.declared)
        files["lambda_responder/responder.json"] = pulumi.StringAsset(told)
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
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.logs[f"/aws/lambda/{title}"], *needs]),
        )

    def _inside(self) -> aws.lambda_.Function:
        names, args, title = self._names, self._args, inside_name(self._names)
        role = self._role(title, inside_statements(names))
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
            vpc=aws.lambda_.FunctionVpcConfigArgs(subnet_ids=list(args.subnets), security_group_ids=[args.responder]),
        )

    def _outside(self, needs: Sequence[pulumi.Resource]) -> aws.lambda_.Function:
        names, title = self._names, outside_name(self._names)
        role = self._role(title, outside_statements(names, self._args.agent_roles))
        return self._function(
            title, "outside", role, {"QUARANTINE_GROUP": self._args.quarantine}, concurrency=2, needs=needs
        )

    def _told(self) -> None:
        """By the topic, in which failed deliveries end as well, so that people hear of them."""
        names, title, topic = self._names, outside_name(self._names), self._names.arn("sns", topic_name(self._names))
        after = pulumi.ResourceOptions(parent=self, depends_on=[self.outside])
        allowed = self._permission("alarms", "sns.amazonaws.com", topic)
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

    def _swept(self) -> None:
        names, rule = self._names, f"{outside_name(self._names)}-sweep"
        made = aws.cloudwatch.EventRule(
            rule,
            name=rule,
            description="Alarms that stand, and quarantine that was begun",
            schedule_expression=SWEEP,
            tags=names.tags(rule),
            opts=self._own,
        )
        allowed = self._permission("sweep", "events.amazonaws.com", names.arn("events", f"rule/{rule}"))
        aws.cloudwatch.EventTarget(
            rule,
            rule=rule,
            target_id="responder",
            arn=names.arn("lambda", f"function:{outside_name(names)}"),
            input=json.dumps({"sweep": True}),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[made, allowed]),
        )

    def _permission(self, what: str, service: str, source: str) -> aws.lambda_.Permission:
        title = outside_name(self._names)
        return aws.lambda_.Permission(
            f"{title}-{what}",
            statement_id=what,
            action="lambda:InvokeFunction",
            function=title,
            principal=service,
            source_arn=source,
            source_account=self._names.account,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.outside]),
        )
