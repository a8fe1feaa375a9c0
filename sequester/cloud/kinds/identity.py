"""IAM roles, policies and instance profiles."""

from typing import cast

from sequester.cloud.api import Aws, RefusedError
from sequester.cloud.kind import Call, Kind, code
from sequester.cloud.wire import Props


@code(takes="inlinePolicies managedPolicyArns")
def role_policies(aws: Aws, state: Props) -> None:
    """Policies that a program writes into the role itself."""
    for one in cast(list[Props], state.get("inlinePolicies") or []):
        if one.get("policy"):
            aws.call(
                "iam.put_role_policy", RoleName=state["name"], PolicyName=one["name"], PolicyDocument=one["policy"]
            )
    for arn in cast(list[str], state.get("managedPolicyArns") or []):
        attach(aws, str(state["name"]), arn)


AWS_POLICY = "arn:aws:iam::aws:policy/"
"""AWS's own policies; moto knows them only when told to load a table of 1,400, so an attachment makes one."""


def attach(aws: Aws, role: str, arn: str) -> None:
    """Attach a managed policy, of the account or of AWS."""
    try:
        aws.call("iam.attach_role_policy", RoleName=role, PolicyArn=arn)
    except RefusedError as refusal:
        if not (refusal.gone and arn.startswith(AWS_POLICY)):
            raise
        raise RefusedError(
            refusal.code, f"{arn} is AWS's own: write the statements out, so that they can be read and proved"
        ) from refusal


@code()
def forget_role(aws: Aws, state: Props) -> None:
    """The provider removes what it wrote into the role itself; AWS refuses a role that others attached to."""
    for one in cast(list[Props], state.get("inlinePolicies") or []):
        aws.call("iam.delete_role_policy", RoleName=state["name"], PolicyName=one["name"])
    for arn in cast(list[str], state.get("managedPolicyArns") or []):
        aws.call("iam.detach_role_policy", RoleName=state["name"], PolicyArn=arn)
    aws.call("iam.delete_role", RoleName=state["name"])


@code(takes="permissionsBoundary")
def bound(aws: Aws, state: Props) -> None:
    """A role's permissions boundary."""
    if state.get("permissionsBoundary"):
        aws.call(
            "iam.put_role_permissions_boundary",
            RoleName=state["name"],
            PermissionsBoundary=state["permissionsBoundary"],
        )
    else:
        aws.call("iam.delete_role_permissions_boundary", RoleName=state["name"])


@code(takes="tags")
def retag_role(aws: Aws, state: Props) -> None:
    """Make the role's tags exactly the program's."""
    tags = cast(dict[str, str], state.get("tags") or {})
    held = {tag["Key"] for tag in aws.call("iam.list_role_tags", RoleName=state["name"])["Tags"]}
    if held - tags.keys():
        aws.call("iam.untag_role", RoleName=state["name"], TagKeys=sorted(held - tags.keys()))
    if tags:
        aws.call("iam.tag_role", RoleName=state["name"], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])


_ROLE = {"name": "RoleName", "assumeRolePolicy": "AssumeRolePolicyDocument", "namePrefix": ""}
ROLE = Kind(
    "aws:iam/role:Role",
    create=Call("iam.create_role", names=_ROLE, at="Role", outputs={"uniqueId": "RoleId", "arn": "Arn"}),
    read=Call(
        "iam.get_role",
        fixed={"RoleName": "{id}"},
        at="Role",
        outputs={"uniqueId": "RoleId"},
        only=(),
    ),
    changes=(
        role_policies,
        bound,
        retag_role,
        Call(
            "iam.update_assume_role_policy",
            fixed={"RoleName": "{name}", "PolicyDocument": "{assumeRolePolicy}"},
            only=("assumeRolePolicy",),
            names={"assumeRolePolicy": ""},
        ),
        Call("iam.update_role", fixed={"RoleName": "{name}"}, only=("description", "maxSessionDuration")),
    ),
    delete=forget_role,
    id="{name}",
)
_ROLE_POLICY = {"name": "PolicyName", "role": "RoleName", "policy": "PolicyDocument", "namePrefix": ""}
ROLE_POLICY = Kind(
    "aws:iam/rolePolicy:RolePolicy",
    create=Call("iam.put_role_policy", names=_ROLE_POLICY),
    read=Call("iam.get_role_policy", fixed={"RoleName": "{role}", "PolicyName": "{name}"}, only=()),
    changes=(
        Call(
            "iam.put_role_policy",
            fixed={"RoleName": "{role}", "PolicyName": "{name}"},
            names={"policy": "PolicyDocument"},
            only=("policy",),
        ),
    ),
    delete=Call("iam.delete_role_policy", names=_ROLE_POLICY, only=("role", "name")),
    id="{role}:{name}",
)


@code(takes="role policyArn")
def attach_policy(aws: Aws, state: Props) -> Props:
    """Attach a managed policy to a role."""
    attach(aws, str(state["role"]), str(state["policyArn"]))
    return {"id": f"{state['role']}-{state['policyArn']}"}


ATTACHMENT = Kind(
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    create=attach_policy,
    delete=Call("iam.detach_role_policy", names={"role": "RoleName"}, only=("role", "policyArn")),
)


@code(takes="policy")
def new_version(aws: Aws, state: Props) -> None:
    """A policy keeps five versions; the provider keeps the newest only."""
    held = aws.call("iam.list_policy_versions", PolicyArn=state["id"])["Versions"]
    aws.call("iam.create_policy_version", PolicyArn=state["id"], PolicyDocument=state["policy"], SetAsDefault=True)
    for version in held:
        aws.call("iam.delete_policy_version", PolicyArn=state["id"], VersionId=version["VersionId"])


POLICY = Kind(
    "aws:iam/policy:Policy",
    create=Call(
        "iam.create_policy",
        names={"name": "PolicyName", "policy": "PolicyDocument", "namePrefix": ""},
        at="Policy",
        outputs={"id": "Arn"},
    ),
    changes=(new_version,),
    delete=Call("iam.delete_policy", fixed={"PolicyArn": "{id}"}, only=()),
    local=frozenset({"delayAfterPolicyCreationInMs"}),
)


@code(takes="role")
def fill_profile(aws: Aws, state: Props) -> None:
    """An instance profile holds one role."""
    held = aws.call("iam.get_instance_profile", InstanceProfileName=state["name"])["InstanceProfile"]["Roles"]
    for role in held:
        aws.call(
            "iam.remove_role_from_instance_profile",
            InstanceProfileName=state["name"],
            RoleName=role["RoleName"],
        )
    if state.get("role"):
        aws.call("iam.add_role_to_instance_profile", InstanceProfileName=state["name"], RoleName=state["role"])


@code()
def forget_profile(aws: Aws, state: Props) -> None:
    """AWS deletes an empty profile only."""
    fill_profile(aws, {**state, "role": None})
    aws.call("iam.delete_instance_profile", InstanceProfileName=state["name"])


INSTANCE_PROFILE = Kind(
    "aws:iam/instanceProfile:InstanceProfile",
    create=Call(
        "iam.create_instance_profile",
        names={"name": "InstanceProfileName", "namePrefix": ""},
        at="InstanceProfile",
        outputs={"uniqueId": "InstanceProfileId", "arn": "Arn"},
        without=("role",),
    ),
    changes=(fill_profile,),
    delete=forget_profile,
    id="{name}",
)
OIDC_PROVIDER = Kind(
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
    create=Call(
        "iam.create_open_id_connect_provider",
        names={"clientIdLists": "ClientIDList", "thumbprintLists": "ThumbprintList"},
        outputs={"id": "OpenIDConnectProviderArn", "arn": "OpenIDConnectProviderArn"},
    ),
    delete=Call("iam.delete_open_id_connect_provider", fixed={"OpenIDConnectProviderArn": "{id}"}, only=()),
)
USER = Kind(
    "aws:iam/user:User",
    create=Call("iam.create_user", names={"name": "UserName"}, at="User", outputs={"uniqueId": "UserId", "arn": "Arn"}),
    delete=Call("iam.delete_user", names={"name": "UserName"}, only=("name",)),
    id="{name}",
)
_USER_POLICY = {"name": "PolicyName", "user": "UserName", "policy": "PolicyDocument", "namePrefix": ""}
USER_POLICY = Kind(
    "aws:iam/userPolicy:UserPolicy",
    create=Call("iam.put_user_policy", names=_USER_POLICY),
    delete=Call("iam.delete_user_policy", names=_USER_POLICY, only=("user", "name")),
    id="{user}:{name}",
)


@code(takes="roleName policyNames policyArns")
def exclusive(aws: Aws, state: Props) -> Props:
    """Take away what a role has beyond the program's list."""
    role = str(state["roleName"])
    if state.get("policyNames") is not None:
        held = aws.call("iam.list_role_policies", RoleName=role)["PolicyNames"]
        for name in sorted(set(held) - set(cast(list[str], state["policyNames"]))):
            aws.call("iam.delete_role_policy", RoleName=role, PolicyName=name)
    else:
        attached = aws.call("iam.list_attached_role_policies", RoleName=role)["AttachedPolicies"]
        for arn in sorted({p["PolicyArn"] for p in attached} - set(cast(list[str], state["policyArns"]))):
            aws.call("iam.detach_role_policy", RoleName=role, PolicyArn=arn)
    return {"id": role}


POLICIES_EXCLUSIVE = Kind("aws:iam/rolePoliciesExclusive:RolePoliciesExclusive", create=exclusive, delete=None)
ATTACHMENTS_EXCLUSIVE = Kind(
    "aws:iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive", create=exclusive, delete=None
)

KINDS = (
    ROLE,
    ROLE_POLICY,
    ATTACHMENT,
    POLICY,
    INSTANCE_PROFILE,
    OIDC_PROVIDER,
    USER,
    USER_POLICY,
    POLICIES_EXCLUSIVE,
    ATTACHMENTS_EXCLUSIVE,
)
