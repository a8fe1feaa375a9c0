"""KMS keys, secrets and parameters."""

import json
from typing import cast

from sequester.cloud.api import Aws, RefusedError
from sequester.cloud.kind import Call, Kind, code
from sequester.cloud.wire import Props


def sound_key_policy(aws: Aws, state: Props) -> None:
    """AWS refuses a key policy that leaves nobody able to change it; moto takes any text."""
    if state.get("policy") is None:
        return
    try:
        statements = cast(list[dict[str, object]], json.loads(str(state["policy"]))["Statement"])
        actions = [one.get("Action", []) for one in statements if one["Effect"] == "Allow"]
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError("MalformedPolicyDocumentException", f"policy: {error!r}") from error
    flat = [a for one in actions for a in (cast(list[str], one) if isinstance(one, list) else [str(one)])]
    if not state.get("bypassPolicyLockoutSafetyCheck") and not {"kms:*", "kms:Put*", "kms:PutKeyPolicy"} & set(flat):
        raise RefusedError("MalformedPolicyDocumentException", "the policy lets nobody change it (kms:PutKeyPolicy)")


@code(takes="enableKeyRotation rotationPeriodInDays")
def rotate_key(aws: Aws, state: Props) -> None:
    """Rotation is a switch of its own."""
    if state.get("enableKeyRotation"):
        days = {"RotationPeriodInDays": state["rotationPeriodInDays"]} if state.get("rotationPeriodInDays") else {}
        aws.call("kms.enable_key_rotation", KeyId=state["id"], **days)
    else:
        aws.call("kms.disable_key_rotation", KeyId=state["id"])


@code(takes="isEnabled")
def enable_key(aws: Aws, state: Props) -> None:
    """A key can be switched off without being lost."""
    aws.call("kms.enable_key" if state.get("isEnabled", True) else "kms.disable_key", KeyId=state["id"])


@code()
def forget_key(aws: Aws, state: Props) -> None:
    """AWS keeps a deleted key for 7 to 30 days."""
    held = aws.call("kms.describe_key", KeyId=state["id"])["KeyMetadata"]
    if held["KeyState"] != "PendingDeletion":
        days = state.get("deletionWindowInDays") or 30
        aws.call("kms.schedule_key_deletion", KeyId=state["id"], PendingWindowInDays=days)


@code(gives="arn keyId description keyUsage")
def read_key(aws: Aws, state: Props) -> Props:
    """A key that waits for its deletion is gone."""
    held = aws.call("kms.describe_key", KeyId=state["id"])["KeyMetadata"]
    if held["KeyState"] == "PendingDeletion":
        raise RefusedError("NotFoundException", f"the key {state['id']} is being deleted")
    return {"arn": held["Arn"], "keyId": held["KeyId"], "description": held.get("Description", "")}


@code(takes="tags")
def retag_key(aws: Aws, state: Props) -> None:
    """Make the key's tags exactly the program's."""
    tags = cast(dict[str, str], state.get("tags") or {})
    held = {tag["TagKey"] for tag in aws.call("kms.list_resource_tags", KeyId=state["id"])["Tags"]}
    if held - tags.keys():
        aws.call("kms.untag_resource", KeyId=state["id"], TagKeys=sorted(held - tags.keys()))
    if tags:
        pairs = [{"TagKey": k, "TagValue": v} for k, v in tags.items()]
        aws.call("kms.tag_resource", KeyId=state["id"], Tags=pairs)


_POLICY = {"PolicyName": "default"}
KEY = Kind(
    "aws:kms/key:Key",
    create=Call(
        "kms.create_key",
        names={"customerMasterKeySpec": "KeySpec"},
        at="KeyMetadata",
        outputs={"id": "KeyId", "arn": "Arn", "keyId": "KeyId"},
        without=("tags",),
    ),
    read=read_key,
    changes=(
        rotate_key,
        enable_key,
        retag_key,
        Call("kms.put_key_policy", fixed=_POLICY | {"KeyId": "{id}"}, only=("policy",)),
        Call(
            "kms.update_key_description", fixed={"KeyId": "{id}", "Description": "{description}"}, only=("description",)
        ),
    ),
    delete=forget_key,
    local=frozenset({"deletionWindowInDays"}),
    rules=(sound_key_policy,),
)
ALIAS = Kind(
    "aws:kms/alias:Alias",
    create=Call("kms.create_alias", names={"name": "AliasName"}),
    changes=(Call("kms.update_alias", fixed={"AliasName": "{name}"}, only=("targetKeyId",)),),
    delete=Call("kms.delete_alias", fixed={"AliasName": "{id}"}, only=()),
    id="{name}",
    computed={
        "arn": "arn:{partition}:kms:{region}:{account}:{name}",
        "targetKeyArn": "arn:{partition}:kms:{region}:{account}:key/{targetKeyId}",
    },
)
_PUT_KEY_POLICY = Call("kms.put_key_policy", fixed=_POLICY)
KEY_POLICY = Kind(
    "aws:kms/keyPolicy:KeyPolicy",
    create=_PUT_KEY_POLICY,
    changes=(Call("kms.put_key_policy", fixed=_POLICY | {"KeyId": "{keyId}"}, only=("policy",)),),
    delete=None,
    id="{keyId}",
    rules=(sound_key_policy,),
)


@code()
def forget_secret(aws: Aws, state: Props) -> None:
    """AWS keeps a deleted secret for its recovery window, or not at all where that is 0."""
    days = state.get("recoveryWindowInDays", 30)
    keep = {"RecoveryWindowInDays": days} if days else {"ForceDeleteWithoutRecovery": True}
    aws.call("secretsmanager.delete_secret", SecretId=state["id"], **keep)


@code(takes="policy")
def put_secret_policy(aws: Aws, state: Props) -> None:
    """A secret's own policy is a call of its own."""
    if state.get("policy"):
        aws.call("secretsmanager.put_resource_policy", SecretId=state["id"], ResourcePolicy=state["policy"])
    else:
        aws.call("secretsmanager.delete_resource_policy", SecretId=state["id"])


SECRET = Kind(
    "aws:secretsmanager/secret:Secret",
    create=Call(
        "secretsmanager.create_secret",
        names={"forceOverwriteReplicaSecret": "ForceOverwriteReplicaSecret", "replicas": "AddReplicaRegions"},
        outputs={"arn": "ARN", "id": "ARN"},
    ),
    read=Call("secretsmanager.describe_secret", fixed={"SecretId": "{id}"}, only=()),
    changes=(
        put_secret_policy,
        Call("secretsmanager.update_secret", fixed={"SecretId": "{id}"}, only=("description", "kmsKeyId")),
    ),
    delete=forget_secret,
    local=frozenset({"recoveryWindowInDays"}),
)
SECRET_VERSION = Kind(
    "aws:secretsmanager/secretVersion:SecretVersion",
    create=Call(
        "secretsmanager.put_secret_value",
        names={"secretStringWo": "SecretString", "secretStringWoVersion": ""},
        outputs={"secretArn": "ARN"},
    ),
    delete=None,
    id="{secretId}|{versionId}",
    absent=frozenset({"hasSecretStringWo"}),
)
SECRET_POLICY = Kind(
    "aws:secretsmanager/secretPolicy:SecretPolicy",
    create=Call("secretsmanager.put_resource_policy", names={"secretArn": "SecretId", "policy": "ResourcePolicy"}),
    changes=(
        Call(
            "secretsmanager.put_resource_policy",
            names={"policy": "ResourcePolicy"},
            fixed={"SecretId": "{secretArn}"},
            only=("policy", "blockPublicPolicy"),
        ),
    ),
    delete=Call("secretsmanager.delete_resource_policy", names={"secretArn": "SecretId"}, only=("secretArn",)),
    id="{secretArn}",
)

PARAMETER = Kind(
    "aws:ssm/parameter:Parameter",
    create=Call(
        "ssm.put_parameter",
        names={"insecureValue": "Value", "arn": "", "valueWo": "Value", "valueWoVersion": ""},
    ),
    changes=(
        Call(
            "ssm.put_parameter",
            names={"insecureValue": "Value"},
            fixed={"Name": "{name}", "Overwrite": True},
            only=("value", "insecureValue", "description", "tier", "type", "keyId", "allowedPattern"),
        ),
    ),
    delete=Call("ssm.delete_parameter", only=("name",)),
    id="{name}",
    computed={"arn": "arn:{partition}:ssm:{region}:{account}:parameter{name}"},
    absent=frozenset({"hasValueWo"}),
)

KINDS = (KEY, ALIAS, KEY_POLICY, SECRET, SECRET_VERSION, SECRET_POLICY, PARAMETER)
