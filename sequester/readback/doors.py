"""The controls of the doors: what each protects, which claim rests on it, and the check that it is there."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from infra.agents import agent_role
from infra.door import ALIAS, signing_alias
from infra.door_store import audit_bucket, config_bucket, config_key, table
from lambda_proxy.config import ConfigError, load
from sequester.readback.control import Control, Finding, Mistakes, judge
from sequester.readback.doors_seen import DoorsSeen, head_alias, listed, store_key

_ENVIRONMENT: Final = frozenset(
    {"DOOR_TENANT", "DOOR_TABLE", "DOOR_AUDIT_BUCKET", "DOOR_CONFIG_BUCKET", "DOOR_CONFIG_KEY"}
    | {"DOOR_SIGNING_KEY", "RES_OPTIONS"}
)
_SERVICES_OF_A_DOOR: Final = frozenset({"dynamodb", "s3", "kms", "logs", "secretsmanager"})
_DELETING: Final = frozenset({"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"})
_INVOKE: Final = "lambda:InvokeFunction"


def check_doors(seen: DoorsSeen) -> list[Finding]:
    """Every way in which the doors are not as designed; empty if they are."""
    return judge(DOOR_CONTROLS, seen)


def _outside(seen: DoorsSeen) -> Mistakes:
    for tenant, door in seen.doors.items():
        if door.function.get("VpcConfig", {}).get("SubnetIds"):
            yield tenant, "its function has interfaces in a VPC: it could reach what is inside"


def _callers(seen: DoorsSeen) -> Mistakes:
    """Of both resource policies: a Deny unless through our endpoint, one unless by the tenant, and no other Allow."""
    if len(seen.endpoints) != 1:
        yield "lambda endpoint", f"there are {len(seen.endpoints)} in the stack: which one is ours?"
        return
    (endpoint,) = seen.endpoints
    for tenant, door in seen.doors.items():
        caller = seen.names.role_arn(agent_role(tenant))
        unless = {
            "our endpoint": {"StringNotEquals": {"aws:SourceVpce": endpoint}},
            "the tenant's agent": {"ArnNotEquals": {"aws:PrincipalArn": caller}},
        }
        for resource, statements in door.policies.items():
            kind = "alias" if resource.endswith(f":{ALIAS}") else "function"
            denied = [s["Condition"] for s in statements if _denies_invoke(s, resource)]
            for what, condition in unless.items():
                if condition not in denied:
                    yield tenant, f"its {kind}'s policy does not deny calls that are not by {what}"
            for statement in statements:
                principal = statement.get("Principal")
                if statement["Effect"] == "Allow" and principal != {"AWS": caller}:
                    yield tenant, f"its {kind}'s policy lets {principal} in"


def _denies_invoke(statement: Mapping[str, Any], resource: str) -> bool:
    return (
        statement["Effect"] == "Deny"
        and statement.get("Principal") == "*"
        and _INVOKE in listed(statement["Action"])
        and resource in listed(statement["Resource"])
    )


def _one_way(seen: DoorsSeen) -> Mistakes:
    for tenant, door in seen.doors.items():
        for way in door.other_ways:
            yield tenant, f"runs by {way}"
        for qualifier, attempts in door.retries.items():
            if attempts != 0:
                yield tenant, f"{qualifier} retries what was invoked asynchronously"


def _reserved(seen: DoorsSeen) -> Mistakes:
    for tenant, door in seen.doors.items():
        if not door.reserved:
            yield tenant, "has no reserved concurrency: tenants share what the account has"


def _live(seen: DoorsSeen) -> Mistakes:
    for tenant, door in seen.doors.items():
        if not door.version.isdigit():
            yield tenant, f"its alias leads to {door.version}: there is nothing to roll back to"


def _environment(seen: DoorsSeen) -> Mistakes:
    names = seen.names
    for tenant, door in seen.doors.items():
        variables = door.function.get("Environment", {}).get("Variables", {})
        for name in sorted(variables.keys() - _ENVIRONMENT):
            yield tenant, f"its environment sets {name}"
        wanted = {
            "DOOR_TENANT": tenant,
            "DOOR_TABLE": table(names),
            "DOOR_AUDIT_BUCKET": audit_bucket(names),
            "DOOR_CONFIG_BUCKET": config_bucket(names),
            "DOOR_CONFIG_KEY": config_key(tenant),
        }
        for name, value in wanted.items():
            if variables.get(name) != value:
                yield tenant, f"its {name} is {variables.get(name)}"
        if not door.function.get("KMSKeyArn"):
            yield tenant, "its environment is not encrypted by a key of ours"


def _logged(seen: DoorsSeen) -> Mistakes:
    for tenant, door in seen.doors.items():
        group = door.function.get("LoggingConfig", {}).get("LogGroup")
        if group != seen.names.door_log_group(tenant):
            yield tenant, f"writes to {group}, which no tripwire reads"


def _role(seen: DoorsSeen) -> Mistakes:
    """Its own role, with rights on the doors' stores only, and on its own part of them."""
    for tenant, door in seen.doors.items():
        role = str(door.function["Role"])
        if role != seen.names.role_arn(f"door-{tenant}"):
            yield tenant, f"runs as {role}"
        for arn in door.managed_policies:
            yield tenant, f"its role has {arn}"
        for statement in door.statements:
            yield from ((tenant, said) for said in _rights(seen, tenant, statement))


def _rights(seen: DoorsSeen, tenant: str, statement: Mapping[str, Any]) -> Iterable[str]:
    if statement["Effect"] != "Allow":
        return
    for action in listed(statement["Action"]):
        if action.partition(":")[0] not in _SERVICES_OF_A_DOOR or action.endswith("*"):
            yield f"its role may {action}"
    text = json.dumps(statement)
    for resource in listed(statement["Resource"]):
        if resource == "*":
            yield "its role reaches every resource"
        if resource.startswith(f"arn:aws:s3:::{audit_bucket(seen.names)}/") and f"/{tenant}/" not in resource:
            yield f"its role reaches records of others: {resource}"
        if ":dynamodb:" in resource and f'"dynamodb:LeadingKeys": ["{tenant}"]' not in text:
            yield "its role reaches other tenants' budgets"
        if ":kms:" in resource and "kms:ResourceAliases" not in text:
            yield "its role may use every key"


def _configured(seen: DoorsSeen) -> Mistakes:
    for tenant, door in seen.doors.items():
        try:
            load(door.configuration, tenant)
        except ConfigError as error:
            yield tenant, f"its configuration is none: {error}"


def _signed(seen: DoorsSeen) -> Mistakes:
    if seen.settings.door.signing_profile_arn is None:
        return
    for tenant, door in seen.doors.items():
        if door.signing != "Enforce":
            yield tenant, f"runs code that nobody signed ({door.signing or 'no code signing configuration'})"


def _versioned(seen: DoorsSeen) -> Mistakes:
    for title, bucket in seen.buckets.items():
        if bucket.versioning != "Enabled":
            yield title, "keeps no versions: what was overwritten is gone"


def _private(seen: DoorsSeen) -> Mistakes:
    for title, bucket in seen.buckets.items():
        if len(bucket.public_block) != 4 or not all(bucket.public_block.values()):
            yield title, "does not block public access whole"


def _encrypted(seen: DoorsSeen) -> Mistakes:
    for title, bucket in seen.buckets.items():
        if bucket.encryption != "aws:kms":
            yield title, f"is encrypted by {bucket.encryption}"
    if seen.table.get("SSEDescription", {}).get("SSEType") != "KMS":
        yield table(seen.names), "is not encrypted by a key of ours"


def _tls(seen: DoorsSeen) -> Mistakes:
    for title, bucket in seen.buckets.items():
        if not any(_denies(s, {"s3:*"}, {"Bool": {"aws:SecureTransport": "false"}}) for s in bucket.policy):
            yield title, "answers without TLS"


def _locked(seen: DoorsSeen) -> Mistakes:
    title, settings = audit_bucket(seen.names), seen.settings.door
    lock = seen.buckets[title].lock
    if (lock.get("Mode"), lock.get("Days")) != (settings.audit_mode, settings.audit_retention_days):
        yield title, f"locks records by {dict(lock) or 'nothing'}"


def _once(seen: DoorsSeen) -> Mistakes:
    title = audit_bucket(seen.names)
    condition = {"Null": {"s3:if-none-match": "true"}}
    if not any(_denies(s, {"s3:PutObject"}, condition) for s in seen.buckets[title].policy):
        yield title, "lets a record be written over"


def _kept(seen: DoorsSeen) -> Mistakes:
    title = audit_bucket(seen.names)
    if not any(_denies(s, _DELETING, None) for s in seen.buckets[title].policy):
        yield title, "lets records be deleted, or a delete marker hide them"


def _denies(statement: Mapping[str, Any], actions: Iterable[str], condition: Mapping[str, Any] | None) -> bool:
    return (
        statement["Effect"] == "Deny"
        and statement.get("Principal") == "*"
        and set(actions) <= set(listed(statement["Action"]))
        and statement.get("Condition") == condition
    )


def _history(seen: DoorsSeen) -> Mistakes:
    if seen.table_history != "ENABLED":
        yield table(seen.names), "keeps no history: a head that was set back cannot be found again"


def _protected(seen: DoorsSeen) -> Mistakes:
    if seen.settings.door.deletion_protection and not seen.table.get("DeletionProtectionEnabled"):
        yield table(seen.names), "can be deleted"


def _partitioned(seen: DoorsSeen) -> Mistakes:
    if [key["AttributeName"] for key in seen.table["KeySchema"]] != ["tenant", "item"]:
        yield table(seen.names), "is not partitioned by tenant: a role's condition on it binds nothing"


def _head_key(seen: DoorsSeen) -> Mistakes:
    alias = head_alias(seen.names)
    if seen.keys[alias]["KeyUsage"] != "SIGN_VERIFY":
        yield alias, "signs nothing"
    for tenant, door in seen.doors.items():
        said = door.function.get("Environment", {}).get("Variables", {}).get("DOOR_SIGNING_KEY")
        if seen.settings.door.sign_head and said != signing_alias(seen.names):
            yield tenant, "does not sign the head of its chain"


def _rotates(seen: DoorsSeen) -> Mistakes:
    alias = store_key(seen.names)
    if not seen.keys[alias]["rotates"]:
        yield alias, "does not rotate"


DOOR_CONTROLS: Final = (
    Control("door-outside", "a door reaches nothing inside the VPC", "E7", _outside),
    Control("door-callers", "only the tenant's agent opens its door, through our endpoint only", "E7", _callers),
    Control("door-one-way", "nothing else makes a door run", "E7", _one_way),
    Control("door-reserved", "no tenant uses up another's door", "E7", _reserved),
    Control("door-live", "agents invoke a published version, which can be rolled back", "E7", _live),
    Control("door-environment", "a door serves its own tenant; nothing points it elsewhere", "E7", _environment),
    Control("door-logged", "what a door decides is where the tripwires read", "E8", _logged),
    Control("door-rights", "a door's role reaches its own records, budget and secrets only", "E4", _role),
    Control("door-configured", "the rules that are deployed are rules that the door takes", "E7", _configured),
    Control("door-signed", "with a signing profile, only signed code is deployed", "E7", _signed),
    Control("store-versioned", "nothing that doors keep is overwritten for good", "E7", _versioned),
    Control("store-private", "nothing that doors keep can be made public", "E7", _private),
    Control("store-encrypted", "what doors keep is encrypted by a key of ours", "E7", _encrypted),
    Control("store-tls", "what doors keep is read and written over TLS only", "E7", _tls),
    Control("records-locked", "audit records cannot be removed before their time", "E7", _locked),
    Control("records-once", "an audit record is never written over", "E7", _once),
    Control("records-kept", "an audit record is never deleted, nor hidden", "E7", _kept),
    Control("table-history", "budgets and heads can be seen as they were", "E7", _history),
    Control("table-protected", "budgets and heads cannot be deleted", "E7", _protected),
    Control("table-partitioned", "a door's role is bound to its tenant's budget and head", "E4", _partitioned),
    Control("head-signed", "who can write to the table cannot cut a chain short", "E7", _head_key),
    Control("store-key", "the key of what doors keep rotates", "E7", _rotates),
)  # fmt: skip
