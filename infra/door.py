"""The doors: for each tenant a function outside the VPC, its role, its alias, and who may invoke it (E4, E7)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pulumi
import pulumi_aws as aws
from pulumi.output import Unknown

from infra.door_store import DoorStore, DoorStoreArgs, audit_bucket, config_bucket, config_key, table
from infra.iam import Conditions, Statement, document, trust
from infra.names import Names
from infra.settings.door import AllowRule, Budget, Credential, DoorSettings, door_configuration

ALIAS: Final = "live"
"""What agents invoke: moved to roll out, moved back to roll back."""
ARTIFACT: Final = Path(__file__).resolve().parent.parent / "out" / "door.zip"
"""Built by `make door`; its bytes depend on nothing but the sources and the lock."""
RUNTIME: Final = "python3.13"
UNMADE: Final = "<VpcEndpoint>"
"""Stands for the endpoint's id in a preview that is to make it.

AWS makes that id, and a request carries no other name of an endpoint, so that this one policy must wait for an output.
With the mark in its place a preview still shows all that the policy says; `sequester.sources.preview` puts the one
endpoint there on which the property depends, as an assumption that is proved again on real values.
"""
METRICS_NAMESPACE: Final = "Sequester/Door"


class NotBuiltError(pulumi.RunError):
    """The code that is to be deployed is not there."""


def built(artifact: Path = ARTIFACT) -> pulumi.Archive:
    """What a deployed door runs: its sources and the locked wheels for Lambda. Raises NotBuiltError."""
    if not artifact.is_file():
        raise NotBuiltError(f"{artifact}: the door's code is not built: run `make door`, then `pulumi up` again")
    return pulumi.FileArchive(str(artifact))


@dataclass(frozen=True)
class DoorArgs:
    """How one tenant's `Door` is made: only `caller_role_arn` may invoke it, and only through `endpoint`."""

    names: Names
    tenant: str
    settings: DoorSettings
    store: DoorStore
    code: pulumi.Archive | None
    allow: tuple[AllowRule, ...]
    budget: Budget
    credentials: Mapping[str, Credential]
    canaries: str | None
    caller_role_arn: str
    endpoint: pulumi.Input[str]
    log_group: aws.cloudwatch.LogGroup
    signing: aws.lambda_.CodeSigningConfig | None = None


class Door(pulumi.ComponentResource):
    """One tenant's door. `function` and `alias` are the resources; the ARN is known from names."""

    def __init__(self, name: str, args: DoorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:Door", name, None, opts)
        self._own = pulumi.ResourceOptions(parent=self)
        self._args = args
        title = args.names.door(args.tenant)
        role = aws.iam.Role(
            title,
            name=args.names.role(f"door-{args.tenant}"),
            assume_role_policy=trust(
                "lambda.amazonaws.com",
                {"StringEquals": {"aws:SourceAccount": args.names.account}},
            ),
            tags=args.names.tags(title),
            opts=self._own,
        )
        # The key's id is made by AWS: the grant names the alias instead, so that no policy waits for an output.
        policy = aws.iam.RolePolicy(
            title,
            name="own",
            role=role.name,
            policy=role_policy(args.names, args.tenant, args.credentials, args.canaries),
            opts=self._own,
        )
        configuration = aws.s3.BucketObjectv2(
            title,
            bucket=args.store.config.id,
            key=config_key(args.tenant),
            content=json.dumps(self._configuration(), sort_keys=True),
            content_type="application/json",
            opts=self._own,
        )
        self.function = self._function(title, role, [policy, configuration])
        self.alias = aws.lambda_.Alias(
            title,
            name=ALIAS,
            function_name=self.function.name,
            function_version=self.function.version,
            opts=self._own,
        )
        for qualifier in ("$LATEST", ALIAS):
            aws.lambda_.FunctionEventInvokeConfig(
                f"{title}-{'latest' if qualifier == '$LATEST' else qualifier}",
                function_name=self.function.name,
                qualifier=qualifier,
                maximum_retry_attempts=0,  # an asynchronous invocation is denied by the door itself: no second try
                maximum_event_age_in_seconds=60,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[self.alias]),
            )
        arn = args.names.door_arn(args.tenant)
        for resource in (arn, f"{arn}:{ALIAS}"):
            aws.lambda_.ResourcePolicy(
                f"{title}-{'function' if resource == arn else ALIAS}",
                resource_arn=resource,
                policy=pulumi.Output.from_input(args.endpoint).apply(
                    lambda endpoint, resource=resource: invocation_policy(
                        resource, args.caller_role_arn, UNMADE if isinstance(endpoint, Unknown) else endpoint
                    ),
                    run_with_unknowns=True,
                ),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[self.function, self.alias]),
            )
        self.register_outputs({})

    def _configuration(self) -> dict[str, object]:
        args = self._args
        return door_configuration(
            args.tenant, allow=args.allow, budget=args.budget, credentials=args.credentials, canaries=args.canaries
        )

    def _function(self, title: str, role: aws.iam.Role, needs: list[pulumi.Resource]) -> aws.lambda_.Function:
        args, settings = self._args, self._args.settings
        signed = settings.signing_profile_arn is not None
        return aws.lambda_.Function(
            title,
            name=title,
            description=f"The only way out for tenant {args.tenant}",
            role=role.arn,
            runtime=RUNTIME,
            architectures=["arm64"],
            handler="lambda_proxy.handler.handler",
            code=args.code,
            s3_bucket=settings.artifact_bucket if signed else None,
            s3_key=settings.artifact_key if signed else None,
            code_signing_config_arn=args.signing.arn if args.signing else None,
            publish=True,
            memory_size=settings.memory_mb,
            timeout=settings.timeout_seconds,
            reserved_concurrent_executions=settings.reserved_concurrency,
            kms_key_arn=args.store.key.arn,
            environment={"variables": self._environment()},
            logging_config={"log_format": "Text", "log_group": args.names.door_log_group(args.tenant)},
            tracing_config={"mode": "PassThrough"},
            tags=args.names.tags(title),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*needs, args.log_group]),
        )

    def _environment(self) -> dict[str, pulumi.Input[str]]:
        args = self._args
        return {
            "DOOR_TENANT": args.tenant,
            "DOOR_TABLE": table(args.names),
            "DOOR_AUDIT_BUCKET": audit_bucket(args.names),
            "DOOR_CONFIG_BUCKET": config_bucket(args.names),
            "DOOR_CONFIG_KEY": config_key(args.tenant),
            "DOOR_SIGNING_KEY": signing_alias(args.names) if args.settings.sign_head else "",
            # A slow resolver must not outlive the door's own bound (lambda_proxy/connect.py).
            "RES_OPTIONS": "timeout:1 attempts:2",
        }


def signing_alias(names: Names) -> str:
    """ARN of the alias of the key that signs heads."""
    return names.arn("kms", f"alias/{names.name}-door-head")


def role_policy(names: Names, tenant: str, credentials: Mapping[str, Credential], canaries: str | None) -> str:
    """What one door may do in AWS: its own partition, prefix, configuration, secrets and log; nothing of the VPC."""
    log_group = names.log_group_arn(names.door_log_group(tenant))
    own_keys = names.arn("kms", "key/*")
    secrets = sorted({credential.secret for credential in credentials.values()} | ({canaries} if canaries else set()))
    statements = [
        Statement(
            "OwnPartition",
            actions=(*("dynamodb:GetItem", "dynamodb:UpdateItem", "dynamodb:ConditionCheckItem"),),
            resources=(names.arn("dynamodb", f"table/{table(names)}"),),
            conditions={
                "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [tenant]},
                "Null": {"dynamodb:LeadingKeys": "false"},
            },
        ),
        Statement(
            "OwnRecords",
            actions=("s3:GetObject", "s3:PutObject"),
            resources=(f"arn:aws:s3:::{audit_bucket(names)}/audit/{tenant}/*",),
        ),
        Statement(
            "OwnConfiguration",
            actions=("s3:GetObject",),
            resources=(f"arn:aws:s3:::{config_bucket(names)}/{config_key(tenant)}",),
        ),
        Statement(
            "OwnLog",
            actions=("logs:CreateLogStream", "logs:PutLogEvents"),
            resources=(f"{log_group}:*",),
        ),
        Statement(
            "StoreKey",
            actions=("kms:Decrypt", "kms:GenerateDataKey"),
            resources=(own_keys,),
            conditions={"ForAnyValue:StringEquals": {"kms:ResourceAliases": f"alias/{names.name}-door"}},
        ),
        Statement(
            "SignHeads",
            actions=("kms:Sign",),
            resources=(own_keys,),
            conditions={"ForAnyValue:StringEquals": {"kms:ResourceAliases": f"alias/{names.name}-door-head"}},
        ),
    ]
    if secrets:
        statements.append(
            Statement(
                "OwnSecrets",
                actions=("secretsmanager:GetSecretValue",),
                # Secrets Manager appends six characters to a name.
                resources=tuple(names.arn("secretsmanager", f"secret:{secret}-??????") for secret in secrets),
            )
        )
    return document(*statements)


def invocation_policy(resource: str, caller: str, endpoint: str) -> str:
    """Nobody invokes but the tenant's role, and it only through our endpoint: an identity's own Allow is not enough."""

    def unless(sid: str, conditions: Conditions) -> Statement:
        return Statement(
            sid,
            effect="Deny",
            principals="*",
            actions=("lambda:InvokeFunction",),
            resources=(resource,),
            conditions=conditions,
        )

    return document(
        unless("NotThroughOurEndpoint", {"StringNotEquals": {"aws:SourceVpce": endpoint}}),
        unless("NotTheTenant", {"ArnNotEquals": {"aws:PrincipalArn": caller}}),
        Statement(
            "TheTenant",
            actions=("lambda:InvokeFunction",),
            resources=(resource,),
            principals={"AWS": (caller,)},
            conditions={"StringEquals": {"aws:SourceVpce": endpoint}},
        ),
    )


@dataclass(frozen=True)
class TenantDoor:
    """One tenant's own part."""

    allow: tuple[AllowRule, ...]
    budget: Budget
    credentials: Mapping[str, Credential]
    canaries: str | None
    caller_role_arn: str


@dataclass(frozen=True)
class DoorsArgs:
    """How `Doors` is made. code: what every door runs, or None if it is signed and lies in S3. log_groups: by name."""

    names: Names
    settings: DoorSettings
    code: pulumi.Archive | None
    tenants: Mapping[str, TenantDoor]
    endpoint: pulumi.Input[str]
    log_groups: Mapping[str, aws.cloudwatch.LogGroup]


class Doors(pulumi.ComponentResource):
    """All doors, what they keep, and a dashboard. `by_tenant` are by name."""

    def __init__(self, name: str, args: DoorsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:Doors", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        self.store = DoorStore(name, DoorStoreArgs(args.names, args.settings), own)
        signing = None
        if args.settings.signing_profile_arn:
            signing = aws.lambda_.CodeSigningConfig(
                f"{name}-door",
                allowed_publishers={"signing_profile_version_arns": [args.settings.signing_profile_arn]},
                policies={"untrusted_artifact_on_deployment": "Enforce"},  # the default only warns
                opts=own,
            )
        self.by_tenant = {
            tenant: Door(
                args.names.door(tenant),
                DoorArgs(
                    names=args.names,
                    tenant=tenant,
                    settings=args.settings,
                    store=self.store,
                    code=args.code,
                    allow=door.allow,
                    budget=door.budget,
                    credentials=door.credentials,
                    canaries=door.canaries,
                    caller_role_arn=door.caller_role_arn,
                    endpoint=args.endpoint,
                    log_group=args.log_groups[args.names.door_log_group(tenant)],
                    signing=signing,
                ),
                own,
            )
            for tenant, door in sorted(args.tenants.items())
        }
        if args.tenants:
            aws.cloudwatch.Dashboard(
                f"{name}-door",
                dashboard_name=f"{name}-door",
                dashboard_body=dashboard(args.names, sorted(args.tenants)),
                opts=own,
            )
        self.register_outputs({})


def dashboard(names: Names, tenants: list[str]) -> str:
    """Allowed, denied, bytes and p95 of each tenant, from the metrics in the doors' own log lines."""
    rows = (
        ("Allowed and denied", ("Allowed", "Denied"), "Sum"),
        ("Bytes", ("BytesOut", "BytesIn"), "Sum"),
        ("Milliseconds, p95", ("Milliseconds",), "p95"),
    )
    return json.dumps(
        {
            "widgets": [
                {
                    "type": "metric",
                    "x": 8 * column,
                    "y": 6 * row,
                    "width": 8,
                    "height": 6,
                    "properties": {
                        "title": f"{tenant}: {title}",
                        "region": names.region,
                        "stat": stat,
                        "period": 300,
                        "metrics": [[METRICS_NAMESPACE, metric, "tenant", tenant] for metric in metrics],
                    },
                }
                for row, tenant in enumerate(tenants)
                for column, (title, metrics, stat) in enumerate(rows)
            ]
        }
    )
