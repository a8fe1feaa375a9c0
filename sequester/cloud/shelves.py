"""What moto lacks, a row for each kind of record: the operations of AWS on it, and the members that identify it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shelf:
    """How one kind of record is kept.

    `verbs` maps an operation to make (a new record), put (make or change), show, list, change or drop. `key` are the
    members that identify a record, `by` the parameters that carry them under another name. `makes` are members that AWS
    chooses: templates over the record, its account and region, and `{hex}`, which depends on what is asked for only.
    """

    service: str
    record: str
    key: tuple[str, ...]
    verbs: Mapping[str, str]
    by: Mapping[str, str] = field(default_factory=dict[str, str])
    makes: Mapping[str, object] = field(default_factory=dict[str, object])


def _verbs(record: str, plural: str = "", change: str = "Update", make: str = "Create") -> dict[str, str]:
    """The usual operations on a record."""
    listed = plural or f"{record}s"
    usual = {f"{make}{record}": "make", f"Get{record}": "show", f"List{listed}": "list", f"Delete{record}": "drop"}
    return usual | ({f"{change}{record}": "change"} if change else {})


_RESOLVER = "arn:aws:route53resolver:{region}:{account}"
_EKS = "arn:aws:eks:{region}:{account}"
_NOW = "2026-01-01T00:00:00+00:00"
"""Every record was made at this time: a run is to be like any other."""

SHELVES = (
    Shelf(
        "route53resolver",
        "FirewallDomainList",
        key=("Id",),
        by={"FirewallDomainListId": "Id"},
        verbs=_verbs("FirewallDomainList", change="")
        | {"UpdateFirewallDomains": "change", "ListFirewallDomains": "show"},
        makes={
            "Id": "rslvr-fdl-{hex}",
            "Arn": f"{_RESOLVER}:firewall-domain-list/rslvr-fdl-{{hex}}",
            "Status": "COMPLETE",
            "Domains": [],
        },
    ),
    Shelf(
        "route53resolver",
        "FirewallRuleGroup",
        key=("Id",),
        by={"FirewallRuleGroupId": "Id"},
        verbs=_verbs("FirewallRuleGroup", change=""),
        makes={
            "Id": "rslvr-frg-{hex}",
            "Arn": f"{_RESOLVER}:firewall-rule-group/rslvr-frg-{{hex}}",
            "Status": "COMPLETE",
            "OwnerId": "{account}",
            "ShareStatus": "NOT_SHARED",
        },
    ),
    Shelf(
        "route53resolver",
        "FirewallRule",
        key=("FirewallRuleGroupId", "FirewallDomainListId"),
        verbs=_verbs("FirewallRule"),
    ),
    Shelf(
        "route53resolver",
        "FirewallRuleGroupAssociation",
        key=("Id",),
        by={"FirewallRuleGroupAssociationId": "Id"},
        verbs={
            "AssociateFirewallRuleGroup": "make",
            "GetFirewallRuleGroupAssociation": "show",
            "ListFirewallRuleGroupAssociations": "list",
            "UpdateFirewallRuleGroupAssociation": "change",
            "DisassociateFirewallRuleGroup": "drop",
        },
        makes={
            "Id": "rslvr-frgassoc-{hex}",
            "Arn": f"{_RESOLVER}:firewall-rule-group-association/rslvr-frgassoc-{{hex}}",
            "Status": "COMPLETE",
            "MutationProtection": "DISABLED",
        },
    ),
    Shelf(
        "route53resolver",
        "FirewallConfig",
        key=("ResourceId",),
        verbs={"UpdateFirewallConfig": "put", "GetFirewallConfig": "show", "ListFirewallConfigs": "list"},
        makes={"Id": "rslvr-fc-{hex}", "OwnerId": "{account}"},
    ),
    Shelf(
        "route53resolver",
        "ResolverConfig",
        key=("ResourceId",),
        verbs={"UpdateResolverConfig": "put", "GetResolverConfig": "show", "ListResolverConfigs": "list"},
        makes={"Id": "rslvr-rc-{hex}", "OwnerId": "{account}", "AutodefinedReverse": "ENABLED"},
    ),
    Shelf(
        # moto makes these two and can delete neither: an engine would never be rid of them.
        "route53resolver",
        "ResolverQueryLogConfig",
        key=("Id",),
        by={"ResolverQueryLogConfigId": "Id"},
        verbs=_verbs("ResolverQueryLogConfig", change=""),
        makes={
            "Id": "rslvr-qlc-{hex}",
            "Arn": f"{_RESOLVER}:resolver-query-log-config/rslvr-qlc-{{hex}}",
            "OwnerId": "{account}",
            "ShareStatus": "NOT_SHARED",
            "Status": "CREATED",
        },
    ),
    Shelf(
        "route53resolver",
        "ResolverQueryLogConfigAssociation",
        key=("ResolverQueryLogConfigId", "ResourceId"),
        verbs={
            "AssociateResolverQueryLogConfig": "make",
            "GetResolverQueryLogConfigAssociation": "show",
            "ListResolverQueryLogConfigAssociations": "list",
            "DisassociateResolverQueryLogConfig": "drop",
        },
        makes={"Id": "rslvr-qlcassoc-{hex}", "Status": "ACTIVE"},
    ),
    Shelf(
        "eks",
        "accessEntry",
        key=("clusterName", "principalArn"),
        verbs={
            "CreateAccessEntry": "make",
            "DescribeAccessEntry": "show",
            "ListAccessEntries": "list",
            "UpdateAccessEntry": "change",
            "DeleteAccessEntry": "drop",
        },
        makes={
            "accessEntryArn": f"{_EKS}:access-entry/{{clusterName}}/{{hex}}",
            "type": "STANDARD",
            "createdAt": _NOW,
            "modifiedAt": _NOW,
        },
    ),
    Shelf(
        "eks",
        "associatedAccessPolicy",
        key=("clusterName", "principalArn", "policyArn"),
        verbs={
            "AssociateAccessPolicy": "put",
            "ListAssociatedAccessPolicies": "list",
            "DisassociateAccessPolicy": "drop",
        },
        makes={"associatedAt": _NOW, "modifiedAt": _NOW},
    ),
    Shelf(
        "eks",
        "addon",
        key=("clusterName", "addonName"),
        verbs={
            "CreateAddon": "make",
            "DescribeAddon": "show",
            "ListAddons": "list",
            "UpdateAddon": "change",
            "DeleteAddon": "drop",
        },
        makes={
            "addonArn": f"{_EKS}:addon/{{clusterName}}/{{addonName}}/{{hex}}",
            "status": "ACTIVE",
            "createdAt": _NOW,
            "modifiedAt": _NOW,
        },
    ),
    Shelf(
        "eks",
        "association",
        key=("clusterName", "associationId"),
        verbs=_verbs("PodIdentityAssociation") | {"DescribePodIdentityAssociation": "show"},
        makes={
            "associationId": "a-{hex}",
            "associationArn": f"{_EKS}:podidentityassociation/{{clusterName}}/a-{{hex}}",
            "createdAt": _NOW,
            "modifiedAt": _NOW,
        },
    ),
    Shelf(
        "ec2",
        "VpcBlockPublicAccessOptions",
        key=(),
        verbs={
            "ModifyVpcBlockPublicAccessOptions": "put",
            "DescribeVpcBlockPublicAccessOptions": "show",
        },
        makes={
            "AwsAccountId": "{account}",
            "AwsRegion": "{region}",
            "State": "update-complete",
            "InternetGatewayBlockMode": "off",
        },
    ),
    Shelf(
        "ec2",
        "VpcBlockPublicAccessExclusion",
        key=("ExclusionId",),
        verbs=_verbs("VpcBlockPublicAccessExclusion", change="Modify")
        | {
            "ModifyVpcBlockPublicAccessExclusion": "change",
            "DescribeVpcBlockPublicAccessExclusions": "list",
        },
        makes={
            "ExclusionId": "vpcbpa-exclude-{hex}",
            "ResourceArn": "arn:aws:ec2:{region}:{account}:vpc-block-public-access-exclusion/{hex}",
            "State": "create-complete",
        },
    ),
    Shelf(
        # Nothing in the blueprint makes one: they are here to be looked for, and found where somebody made one.
        "ec2",
        "ClientVpnEndpoint",
        key=("ClientVpnEndpointId",),
        verbs={
            "CreateClientVpnEndpoint": "make",
            "DescribeClientVpnEndpoints": "list",
            "DeleteClientVpnEndpoint": "drop",
        },
        makes={"ClientVpnEndpointId": "cvpn-endpoint-{hex}"},
    ),
    Shelf(
        "ec2",
        "RouteServer",
        key=("RouteServerId",),
        verbs={"CreateRouteServer": "make", "DescribeRouteServers": "list", "DeleteRouteServer": "drop"},
        makes={"RouteServerId": "rs-{hex}", "State": "available"},
    ),
    Shelf(
        "route53profiles",
        "ProfileAssociation",
        key=("Id",),
        verbs={
            "AssociateProfile": "make",
            "ListProfileAssociations": "list",
            "DisassociateProfile": "drop",
        },
        makes={"Id": "rpassoc-{hex}", "OwnerId": "{account}", "Status": "COMPLETE"},
    ),
    Shelf(
        "lambda",
        "FunctionUrlConfig",
        key=("FunctionName",),
        verbs=_verbs("FunctionUrlConfig"),
        makes={
            "FunctionArn": "arn:aws:lambda:{region}:{account}:function:{FunctionName}",
            "FunctionUrl": "https://{hex}.lambda-url.{region}.on.aws/",
            "CreationTime": _NOW,
        },
    ),
    Shelf(
        "ec2",
        "InstanceMetadataDefaults",
        key=(),
        verbs={"ModifyInstanceMetadataDefaults": "put", "GetInstanceMetadataDefaults": "show"},
    ),
    Shelf(
        "logs",
        "dataProtectionPolicy",
        key=("logGroupIdentifier",),
        verbs={
            "PutDataProtectionPolicy": "put",
            "GetDataProtectionPolicy": "show",
            "DeleteDataProtectionPolicy": "drop",
        },
    ),
    Shelf(
        "logs",
        "queryDefinition",
        key=("queryDefinitionId",),
        verbs={
            "PutQueryDefinition": "put",
            "DescribeQueryDefinitions": "list",
            "DeleteQueryDefinition": "drop",
        },
        makes={"queryDefinitionId": "{hex}"},
    ),
    Shelf(
        "cloudwatch",
        "CompositeAlarm",
        key=("AlarmName",),
        verbs={"PutCompositeAlarm": "put", "ListCompositeAlarms": "list", "DeleteCompositeAlarm": "drop"},
        makes={
            "AlarmArn": "arn:aws:cloudwatch:{region}:{account}:alarm:{AlarmName}",
            "StateValue": "INSUFFICIENT_DATA",
            "ActionsEnabled": True,
        },
    ),
    Shelf(
        "lambda",
        "CodeSigningConfig",
        key=("CodeSigningConfigArn",),
        verbs=_verbs("CodeSigningConfig"),
        makes={
            "CodeSigningConfigId": "csc-{hex}",
            "CodeSigningConfigArn": "arn:aws:lambda:{region}:{account}:code-signing-config:csc-{hex}",
            "LastModified": _NOW,
            "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Warn"},
        },
    ),
    Shelf(
        "lambda",
        "FunctionCodeSigningConfig",
        key=("FunctionName",),
        verbs={
            "PutFunctionCodeSigningConfig": "put",
            "GetFunctionCodeSigningConfig": "show",
            "DeleteFunctionCodeSigningConfig": "drop",
        },
    ),
    Shelf(
        "lambda",
        "ResourcePolicy",
        key=("ResourceArn",),
        verbs={"PutResourcePolicy": "put", "GetResourcePolicy": "show", "DeleteResourcePolicy": "drop"},
        makes={"RevisionId": "{hex}"},
    ),
    Shelf(
        "lambda",
        "FunctionRecursionConfig",
        key=("FunctionName",),
        verbs={"PutFunctionRecursionConfig": "put", "GetFunctionRecursionConfig": "show"},
    ),
    Shelf(
        "ecr",
        "pullThroughCacheRule",
        key=("ecrRepositoryPrefix",),
        verbs={
            "CreatePullThroughCacheRule": "make",
            "DescribePullThroughCacheRules": "list",
            "DeletePullThroughCacheRule": "drop",
        },
        makes={"registryId": "{account}", "createdAt": _NOW},
    ),
    *(
        Shelf(
            "cloudfront",
            record,
            key=("Id",),
            verbs={
                f"Create{record}": "make",
                f"Get{record}": "show",
                f"Update{record}": "change",
                f"Delete{record}": "drop",
            },
            makes={"Id": "{hex}", "ETag": "E{hex}", "LastModifiedTime": _NOW},
        )
        for record in ("ResponseHeadersPolicy", "CachePolicy", "OriginRequestPolicy", "KeyGroup")
    ),
)

OPERATIONS: Mapping[tuple[str, str], tuple[Shelf, str]] = {
    (shelf.service, operation): (shelf, verb) for shelf in SHELVES for operation, verb in shelf.verbs.items()
}
"""Every operation that the store answers, by boto3 service and AWS's name."""
