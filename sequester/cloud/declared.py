"""What moto lacks: records that are made, shown, listed, changed and dropped by AWS's own operations, and kept here.

botocore validates each call before it comes here (see `hooks`), and shapes the answer; nothing acts on the records.
Beside them the store keeps members that moto drops of things which it does have, to be put back in its answers.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock
from typing import Any, Protocol, TypeAlias

from sequester.cloud.shapes import fill

Record: TypeAlias = dict[str, Any]


class RecordError(Exception):
    """An operation that AWS would refuse: the record exists already, or does not exist."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


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


class Store(Protocol):
    """Where the records are: in this process, or beside moto in the server's."""

    def operate(self, service: str, operation: str, parameters: Record, scope: Mapping[str, str]) -> list[Record]:
        """Do an operation; returns the records that it is about. Raises `RecordError`."""
        ...

    def keep(self, thing: str, identity: str, members: Record) -> None:
        """Keep members that moto drops of a thing of its own."""
        ...

    def kept(self, thing: str, identity: str) -> Record:
        """What is kept of a thing."""
        ...

    def held(self) -> list[str]:
        """A line for every record that is there."""
        ...

    def clear(self) -> None:
        """Forget everything."""
        ...


class Memory:
    """The store in this process; safe for threads."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, Record]] = {}
        self._members: dict[tuple[str, str], Record] = {}
        self._lock = Lock()

    def operate(self, service: str, operation: str, parameters: Record, scope: Mapping[str, str]) -> list[Record]:
        shelf, verb = OPERATIONS[service, operation]
        asked = {shelf.by.get(name, name): value for name, value in parameters.items()}
        with self._lock:
            records = self._records.setdefault(f"{service}:{shelf.record}", {})
            match verb:
                case "make" | "put":
                    return [_put(shelf, records, asked, scope, may_exist=verb == "put")]
                case "list":
                    return _listed(shelf, records, asked)
                case _:
                    return [_found(shelf, records, asked, verb)]

    def keep(self, thing: str, identity: str, members: Record) -> None:
        with self._lock:
            self._members[thing, identity] = self._members.get((thing, identity), {}) | members

    def kept(self, thing: str, identity: str) -> Record:
        with self._lock:
            return dict(self._members.get((thing, identity), {}))

    def held(self) -> list[str]:
        with self._lock:
            return sorted(f"{shelf} {key}" for shelf, records in self._records.items() for key in records)

    def clear(self) -> None:
        with self._lock:
            self._records.clear()
            self._members.clear()


def _key(shelf: Shelf, record: Record) -> str:
    return json.dumps([record.get(name) for name in shelf.key])


def _put(
    shelf: Shelf, records: dict[str, Record], asked: Record, scope: Mapping[str, str], *, may_exist: bool
) -> Record:
    old = records.get(_key(shelf, asked)) if all(name in asked for name in shelf.key) else None
    if old is not None and not may_exist:
        raise RecordError("ResourceInUseException", f"the {shelf.record} {_key(shelf, asked)} exists already")
    if old is not None:
        old |= asked
        return dict(old)
    seed = json.dumps([shelf.record, asked, len(records)], sort_keys=True, default=str)
    state = {**scope, **asked, "hex": sha256(seed.encode()).hexdigest()[:17]}
    made: Record = {name: fill(template, state) for name, template in shelf.makes.items()}
    record = made | asked
    records[_key(shelf, record)] = record
    return dict(record)


def _listed(shelf: Shelf, records: dict[str, Record], asked: Record) -> list[Record]:
    plurals = {f"{name}s": name for name in shelf.key}  # ExclusionIds
    found = list(records.values())
    for name, value in asked.items():
        if name in plurals:
            found = [r for r in found if r.get(plurals[name]) in value]
        elif isinstance(value, str) and name not in ("MaxResults", "NextToken", "maxResults", "nextToken"):
            found = [r for r in found if r.get(name) == value]
    return [dict(record) for record in found]


def _found(shelf: Shelf, records: dict[str, Record], asked: Record, verb: str) -> Record:
    key = _key(shelf, asked)
    if key not in records:
        raise RecordError("ResourceNotFoundException", f"there is no {shelf.record} {key}")
    record = records[key]
    if verb == "drop":
        del records[key]
    elif verb == "change":
        if "Domains" in asked:  # UpdateFirewallDomains: Operation is ADD, REMOVE or REPLACE
            asked = dict(asked) | {"Domains": _domains(record["Domains"], asked)}
            asked["DomainCount"] = len(asked["Domains"])
        record |= {name: value for name, value in asked.items() if name != "Operation"}
    return dict(record)


def _domains(held: list[str], asked: Record) -> list[str]:
    match asked.get("Operation"):
        case "ADD":
            return [*held, *(domain for domain in asked["Domains"] if domain not in held)]
        case "REMOVE":
            return [domain for domain in held if domain not in asked["Domains"]]
        case _:
            return list(asked["Domains"])
