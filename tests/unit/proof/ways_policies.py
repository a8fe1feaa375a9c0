"""Ways out by what policies mean together: boundaries, the organization, conditions, exceptions, resources that grant."""

# Edits are of plain JSON, whose parts have no types.
# pyright: reportArgumentType=false, reportGeneralTypeIssues=false, reportAttributeAccessIssue=false

import json
from typing import Any

from proof_world import ACCOUNT, World
from ways_door import invocation
from ways_edits import (
    BOTH,
    OTHER,
    OURS,
    Change,
    Rows,
    attach,
    endpoint,
    grant,
    kubernetes_bind,
    lets,
    may,
    resource_policy,
    role,
    statement,
)

NODE = "sequester-sandbox-node"
NODE_ARN = f"arn:aws:iam::{ACCOUNT}:role/{NODE}"
AGENT = "sequester-agent-research"
AGENT_ARN, BILLING_ARN = (f"arn:aws:iam::{ACCOUNT}:role/sequester-agent-{t}" for t in ("research", "billing"))
ASSUME = "sts:AssumeRole"
POWER = f"arn:aws:iam::{ACCOUNT}:role/powerful"


def doc(*those: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(those)})


def deny(actions: Any, resources: Any = "*", **conditions: Any) -> dict[str, Any]:
    return {**grant(actions, resources, **conditions), "Effect": "Deny"}


def chain(*changes: Change) -> Change:
    def edit(w: World) -> World:
        for change in changes:
            w = change(w)
        return w

    return edit


def federated(host: str, **conditions: Any) -> dict[str, Any]:
    """A trust statement for the identities of a provider of OpenID Connect."""
    principal = {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}"}
    return {
        "Effect": "Allow",
        "Principal": principal,
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": conditions,
    }


def saml(account: str) -> dict[str, Any]:
    principal = {"Federated": f"arn:aws:iam::{account}:saml-provider/people"}
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRoleWithSAML"}


def also(*those: dict[str, Any], name: str = "also") -> Change:
    """More statements for the sandbox node's role."""
    return lambda w: w.with_("iam/rolePolicy:RolePolicy", name, role=NODE, policy=doc(*those))


def policy_of_ours(name: str, *those: dict[str, Any]) -> Change:
    arn = f"arn:aws:iam::{ACCOUNT}:policy/{name}"
    return lambda w: w.with_("iam/policy:Policy", name, arn, arn=arn, name=name, policy=doc(*those))


def bounded_by(*those: dict[str, Any], arn: str | None = None) -> Change:
    """A permissions boundary for the sandbox node's role."""
    wanted = arn or f"arn:aws:iam::{ACCOUNT}:policy/bound"
    made = chain() if arn else policy_of_ours("bound", *those)
    return chain(made, lambda w: w.set("Role", NODE, permissionsBoundary=wanted))


def organization(
    *those: dict[str, Any],
    target: str = ACCOUNT,
    kind: str = "SERVICE_CONTROL_POLICY",
    member: bool = True,
    **more: Any,
) -> Change:
    """A policy of the organization, attached; `member`: the facts say that our account is one of its members."""

    def edit(w: World) -> World:
        w = w.with_("organizations/policy:Policy", "scp", "p-1", type=kind, content=doc(*those), **more)
        w = w.with_("organizations/policyAttachment:PolicyAttachment", "scp", policyId="p-1", targetId=target)
        return w.with_("organizations/account:Account", "us", ACCOUNT, parentId="ou-1") if member else w

    return edit


def unit(parent: str = "r-1") -> Change:
    return lambda w: w.with_("organizations/organizationalUnit:OrganizationalUnit", "ou-1", parentId=parent)


def management(master: str, **more: Any) -> Change:
    kind = "organizations/organization:Organization"
    stated = {"masterAccountId": master, "enabledPolicyTypes": ["SERVICE_CONTROL_POLICY"], **more}
    return lambda w: w.with_(kind, "org", "o-1", **stated)


def bucket(*those: dict[str, Any]) -> Change:
    return resource_policy("s3/bucketPolicy:BucketPolicy", "hung", *those, bucket="b")


def queue(*those: dict[str, Any]) -> Change:
    return resource_policy("sqs/queuePolicy:QueuePolicy", "hung", *those, queueUrl="q")


def trusts(principal: Any, action: str = ASSUME, **conditions: Any) -> dict[str, Any]:
    return {
        "Effect": "Allow",
        "Principal": principal,
        "Action": action,
        **({"Condition": conditions} if conditions else {}),
    }


def provider(host: str, **conditions: Any) -> Change:
    principal = {
        "Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{host}" if "." in host and "cognito" not in host else host
    }
    return role("web", trusts(principal, "sts:AssumeRoleWithWebIdentity", **conditions), grant("logs:PutLogEvents"))


def association(**properties: Any) -> Change:
    return lambda w: w.with_(
        "eks/podIdentityAssociation:PodIdentityAssociation", "x", clusterName="sequester", **properties
    )


def powerful(name: str = "powerful") -> Change:
    return role(name, trusts({"Service": "pods.eks.amazonaws.com"}), grant("s3:PutObject"))


def runs(kind: str, *tolerations: dict[str, Any], role: str = POWER) -> Change:
    """Something that makes pods, outside of every tenant's namespaces, whose account has a role."""
    pod = {"serviceAccountName": "tool", "tolerations": list(tolerations), "containers": [{"name": "c", "image": "x"}]}
    spec: dict[str, Any] = {"template": {"spec": pod}}
    spec = {"jobTemplate": {"spec": spec}} if kind == "CronJob" else spec
    manifest = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "tool", "namespace": "tools"}, "spec": spec}
    return chain(
        powerful(), association(namespace="tools", serviceAccount="tool", roleArn=role), lambda w: w.apply(manifest)
    )


INVOKE = "lambda:InvokeFunction"
ANY_LOGS = statement("logs:*", StringEquals=OURS)
LOGS = f"arn:aws:logs:us-east-1:{ACCOUNT}:*"
NOT_OURS = {"aws:ResourceAccount": ACCOUNT}
SUB, AUD = "token.actions.githubusercontent.com:sub", "token.actions.githubusercontent.com:aud"


def e3(change: Change) -> tuple[str, str, Change]:
    return "E3", "blueprint", change


def e4(change: Change) -> tuple[str, str, Change]:
    return "E4", "blueprint", change


def e7(change: Change) -> tuple[str, str, Change]:
    return "E7", "blueprint", change


FURTHER: Rows = {
    "from a day that is past": ("E4", "blueprint", may("sqs:SendMessage", DateGreaterThan={"aws:CurrentTime": "2020-01-01T00:00:00Z"})),
    "from a second that is past": ("E4", "blueprint", may("sqs:SendMessage", NumericGreaterThan={"aws:EpochTime": "1577836800"})),
    "with TLS": ("E4", "blueprint", may("sqs:SendMessage", Bool={"aws:SecureTransport": "true"})),
    "from any address": ("E4", "blueprint", may("sqs:SendMessage", IpAddress={"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1", "::/0"]})),
    "through our endpoint": ("E4", "blueprint", lambda w: may("lambda:InvokeFunction", StringEquals={"aws:SourceVpce": w.id("VpcEndpoint", "sequester-lambda")})(w)),
    "not through an endpoint of somebody's": ("E4", "blueprint", also(grant("sqs:*"), deny("sqs:*", StringEquals={"aws:SourceVpce": "vpce-1"}))),
    "on resources of ours": ("E4", "blueprint", may("sqs:SendMessage", StringEquals={"aws:ResourceAccount": ACCOUNT})),
    "a role for whoever has a token": ("E4", "blueprint", role("tokens", {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRoleWithWebIdentity"})),
    # What narrows, and does not.
    "boundary that permits all": e4(chain(may(INVOKE), bounded_by(grant("*")))),
    "boundary that permits it": e4(chain(may(INVOKE), bounded_by(grant("lambda:*"), deny("lambda:Delete*")))),
    "boundary that denies another resource": e4(chain(may(INVOKE), bounded_by(grant("*"), deny(INVOKE, f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:other")))),
    "boundary that is not in the plan": e4(chain(may(INVOKE), bounded_by(arn=f"arn:aws:iam::{ACCOUNT}:policy/elsewhere"))),
    "boundary that denies somebody else": e4(chain(may(INVOKE), bounded_by(grant("*"), deny(INVOKE, StringEquals={"aws:PrincipalAccount": OTHER})))),
    "boundary of another role": e4(chain(may(INVOKE), policy_of_ours("b", deny("*")), lambda w: w.set("Role", AGENT, permissionsBoundary=f"arn:aws:iam::{ACCOUNT}:policy/b"))),
    "a policy of the organization for another account": e4(chain(may(INVOKE), organization(deny("lambda:*"), target=OTHER))),
    "a policy of the organization on its management account": e4(chain(may(INVOKE), organization(deny("lambda:*"), member=False), management(ACCOUNT))),
    "a policy of the organization that only allows": e4(chain(may(INVOKE), organization(grant("s3:*")))),
    "a policy of the organization that is attached to nothing": e4(chain(may(INVOKE), lambda w: w.with_("organizations/policy:Policy", "scp", "p-1", content=doc(deny("*"))))),
    "a policy of the organization of another kind": e4(chain(may(INVOKE), organization(deny("*"), kind="TAG_POLICY"))),
    "resource control does not bind our identities elsewhere": e3(chain(endpoint("logs", ANY_LOGS), organization(lets("*", "*") | {"Effect": "Deny"}, kind="RESOURCE_CONTROL_POLICY"))),
    "resource control of a service that has none": e4(chain(resource_policy("sns/topicPolicy:TopicPolicy", "t", lets({"AWS": OTHER}, "sns:Publish"), arn="t"), organization({**lets("*", "*", StringNotEquals={"aws:PrincipalAccount": ACCOUNT}), "Effect": "Deny"}, kind="RESOURCE_CONTROL_POLICY"))),
    # Accounts with a wildcard in them.
    "an account but for its last digit": e3(endpoint("logs", statement("logs:*", f"arn:aws:logs:us-east-1:{ACCOUNT[:11]}?:*", StringEquals=OURS))),
    "an account by its end": e3(endpoint("logs", statement("logs:*", f"arn:aws:logs:us-east-1:*{ACCOUNT[-3:]}:log-group:x", StringEquals=OURS))),
    "a denial of accounts that begin otherwise": e3(endpoint("logs", ANY_LOGS, statement("*", effect="Deny", StringNotLike={"aws:ResourceAccount": f"{ACCOUNT[:6]}*"}))),
    # Exceptions.
    "a log group of theirs that is called as our account": e3(endpoint("logs", ANY_LOGS, {"Effect": "Deny", "Principal": "*", "Action": "*", "NotResource": f"arn:aws:logs:*:{ACCOUNT}:*"})),
    "two denials that leave a gap": e3(endpoint("logs", ANY_LOGS, statement("logs:P*", effect="Deny"), statement("logs:C*", effect="Deny"), statement("logs:D*", effect="Deny"))),
    "a denial of a variable": e3(endpoint("logs", ANY_LOGS, statement("logs:*", "arn:aws:logs:*:*:${aws:PrincipalTag/team}", "Deny"))),
    "NotAction and NotResource": e3(endpoint("logs", ANY_LOGS, {"Effect": "Deny", "Principal": "*", "NotAction": "logs:Get*", "NotResource": LOGS})),
    "an Allow for all principals but one": e3(endpoint("logs", {"Effect": "Allow", "NotPrincipal": {"AWS": OTHER}, "Action": "logs:*", "Resource": LOGS})),
    "a role's NotResource": e4(also({"Effect": "Allow", "Action": INVOKE, "NotResource": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:sequester-door-*"})),
    "a role's denial with NotAction": e4(chain(may("*"), also({"Effect": "Deny", "NotAction": ["ec2:*", "logs:*"], "Resource": "*"}))),
    "a role's denial with NotResource": e4(chain(may("s3:PutObject"), also({"Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::somebody-elses/*"}))),
    "a role's denial beside its Allow": e4(chain(may(INVOKE, resource=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:*"), also(deny(INVOKE, f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:sequester-door-???????")))),
    # Conditions that do not bind.
    "plain HTTP": e3(endpoint("logs", statement("logs:*", Bool={"aws:SecureTransport": "false"}))),
    "a user agent": e3(endpoint("logs", statement("logs:PutLogEvents", StringLike={"aws:UserAgent": "our-agent/*"}))),
    "a referer, denied otherwise": e3(endpoint("logs", statement("logs:*"), statement("*", effect="Deny", StringNotEquals={"aws:Referer": "secret"}))),
    "a tag that the attacker's own identity may have": e3(endpoint("logs", statement("logs:PutLogEvents", StringEquals={"aws:PrincipalTag/team": "research"}))),
    "addresses of our VPC": e3(endpoint("logs", statement("logs:PutLogEvents", IpAddress={"aws:VpcSourceIp": "10.42.0.0/16"}))),
    "addresses of the internet, which a call through an endpoint lacks": e3(endpoint("logs", statement("logs:*", NotIpAddress={"aws:SourceIp": "203.0.113.0/24"}))),
    "a denial by public address": e3(endpoint("logs", statement("logs:*"), statement("*", effect="Deny", IpAddress={"aws:SourceIp": "0.0.0.0/0"}))),
    "since a day long past": e3(endpoint("logs", statement("logs:*", DateGreaterThan={"aws:CurrentTime": "2020-01-01T00:00:00Z"}))),
    "a denial until a day long past": e3(endpoint("logs", statement("logs:*"), statement("*", effect="Deny", DateLessThan={"aws:CurrentTime": "2020-01-01T00:00:00Z"}))),
    "an ARN with a part too many": e3(endpoint("logs", statement("logs:*"), statement("*", effect="Deny", ArnLike={"aws:PrincipalArn": "arn:aws:iam:us-east-1:*:*"}))),
    "a denial of roles leaves users": e3(endpoint("logs", statement("logs:*", StringLike={"aws:PrincipalAccount": "*"}), statement("*", effect="Deny", ArnLike={"aws:PrincipalArn": "arn:aws:iam::*:role/*"}))),
    "a denial of IAM's identities leaves federated users": e3(endpoint("logs", statement("logs:*", StringLike={"aws:PrincipalAccount": "*"}), statement("*", effect="Deny", ArnLike={"aws:PrincipalArn": "arn:aws:iam::*:*"}))),
    "one role of ours, on any resource": e3(endpoint("logs", statement("logs:PutLogEvents", ArnEquals={"aws:PrincipalArn": AGENT_ARN}))),
    "every role but one": e3(endpoint("logs", ANY_LOGS, statement("*", effect="Deny", ArnNotEquals={"aws:PrincipalArn": AGENT_ARN}))),
    "everything IfExists": e3(endpoint("logs", statement("logs:*", StringEqualsIfExists={"aws:SourceArn": f"arn:aws:iam::{ACCOUNT}:role/x"}))),
    "ForAllValues of a key that nobody sends": e3(endpoint("logs", statement("logs:*", **{"ForAllValues:StringEquals": {"aws:CalledVia": ["athena.amazonaws.com"]}}))),
    "Null of a key that is there": e3(endpoint("logs", statement("logs:*", Null={"aws:PrincipalArn": "false"}))),
    # Policies of resources.
    "a bucket for an endpoint that is not ours": e4(bucket(lets("*", "s3:GetObject", StringLike={"aws:SourceVpce": "vpce-*"}))),
    "a bucket for private addresses, which anybody's VPC has": e4(bucket(lets("*", "s3:GetObject", IpAddress={"aws:VpcSourceIp": "10.0.0.0/8"}))),
    "a bucket for every public address": e4(bucket(lets("*", "s3:GetObject", IpAddress={"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1", "::/0"]}))),
    "a bucket for a referer": e4(bucket(lets("*", "s3:GetObject", StringLike={"aws:Referer": "https://example.com/*"}))),
    "a bucket for all principals but one": e4(bucket({"Effect": "Allow", "NotPrincipal": {"AWS": NODE_ARN}, "Action": "s3:GetObject", "Resource": "*"})),
    "a bucket that names the node's role": e4(bucket(lets({"AWS": NODE_ARN}, "s3:PutObject"))),
    "a bucket that names a session of the node's role": e4(bucket(lets({"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/{NODE}/i-0abc"}, "s3:PutObject"))),
    "a queue for everybody of our account": e4(queue(lets("*", "sqs:SendMessage", StringEquals=OURS))),
    "a key whose policy lets the node grant": e4(lambda w: w.set("Key", "sequester-logs", policy=doc(lets({"AWS": NODE_ARN}, "kms:CreateGrant")))),
    "a function for everybody": e4(lambda w: w.with_("lambda/permission:Permission", "p", function="sequester-responder", action=INVOKE, principal="*")),
    "a function for another account": e4(lambda w: w.with_("lambda/permission:Permission", "p", function="sequester-responder", action=INVOKE, principal=OTHER)),
    "a function for the node's role": e4(lambda w: w.with_("lambda/permission:Permission", "p", function="sequester-responder", action=INVOKE, principal=NODE_ARN)),
    "a function's URL for everybody": e4(lambda w: w.with_("lambda/permission:Permission", "p", function="sequester-responder", action="lambda:InvokeFunctionUrl", principal="*", functionUrlAuthType="NONE")),
    "a public bucket by its list": e4(lambda w: w.set("Bucket", f"sequester-trail-{ACCOUNT}", acl="public-read-write")),
    "a public object": e4(lambda w: w.with_("s3/bucketObjectv2:BucketObjectv2", "o", bucket="b", key="k", acl="public-read")),
    # Roles.
    "a trust policy for a session of the node's role": e4(role("chained", trusts({"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/{NODE}/i-0abc"}), grant("s3:PutObject"))),
    "a trust policy for everybody of our account": e4(role("chained", trusts("*", StringEquals=OURS), grant("s3:PutObject"))),
    "a trust policy for all but one": e4(role("chained", {"Effect": "Allow", "NotPrincipal": {"AWS": AGENT_ARN}, "Action": ASSUME}, grant("s3:PutObject"))),
    "GitHub without a subject": e4(provider("token.actions.githubusercontent.com", StringEquals={AUD: "sts.amazonaws.com"})),
    "GitHub with a careless subject": e4(provider("token.actions.githubusercontent.com", StringEquals={AUD: "sts.amazonaws.com"}, StringLike={SUB: "repo:our-company*"})),
    "GitHub where the subject need not be": e4(provider("token.actions.githubusercontent.com", StringEquals={AUD: "sts.amazonaws.com"}, **{"ForAllValues:StringLike": {SUB: "repo:*"}})),
    "Cognito for everybody's pool": e4(provider("cognito-identity.amazonaws.com")),
    "two roles by two steps": e4(chain(role("one", trusts({"AWS": NODE_ARN}), grant("logs:PutLogEvents")), role("two", trusts({"AWS": f"arn:aws:iam::{ACCOUNT}:role/one"}), grant("iam:PassRole")))),
    "Pod Identity for what runs on every node": e4(chain(powerful(), association(namespace="kube-system", serviceAccount="aws-node", roleArn=POWER))),
    "Pod Identity for a DaemonSet": e4(chain(powerful(), association(namespace="sequester-system", serviceAccount="log-shipper", roleArn=POWER))),
    "a role of pods that tolerate everything": e4(runs("Deployment", {"operator": "Exists"})),
    "a role of jobs that tolerate the sandbox's taint": e4(runs("CronJob", {"key": "sequester.dev/sandbox", "operator": "Exists"})),
    "rights of pods that tolerate everything": e4(chain(runs("StatefulSet", {"operator": "Exists"}, role=AGENT_ARN), kubernetes_bind("ClusterRoleBinding", "edit", {"kind": "ServiceAccount", "name": "tool", "namespace": "tools"}))),
    "an add-on's Pod Identity": e4(chain(powerful(), lambda w: w.set("Addon", "sequester-vpc-cni", podIdentityAssociations=[{"roleArn": POWER, "serviceAccount": "aws-node"}]))),
    "an add-on's role": e4(chain(powerful(), lambda w: w.set("Addon", "sequester-vpc-cni", serviceAccountRoleArn=POWER))),
    "a target role that is another tenant's": e7(lambda w: w.set("PodIdentityAssociation", AGENT, targetRoleArn=BILLING_ARN)),
    "one role for two tenants": e7(lambda w: w.set("PodIdentityAssociation", AGENT, roleArn=BILLING_ARN)),
    "a session policy that permits all": e7(chain(lambda w: w.set("PodIdentityAssociation", AGENT, policy=doc(grant("*"))), lambda w: w.with_("iam/rolePolicy:RolePolicy", "more", role=AGENT, policy=doc(grant("lambda:UpdateFunctionCode"))))),
    # Who invokes a door.
    "a denial that ForAnyValue empties": e7(invocation("live", lambda d: [s.update(Condition={"ForAnyValue:StringNotEquals": s["Condition"]["StringNotEquals"]}) for s in d["Statement"] if s.get("Sid") == "NotThroughOurEndpoint"])),
    "a denial for the account by name, of another function": e7(invocation("live", lambda d: [s.update(Resource=s["Resource"].replace(":live", ":dead")) for s in d["Statement"] if s["Effect"] == "Deny"])),
    "a denial but for whom it names": e7(invocation("live", lambda d: [(s.pop("Principal"), s.pop("Condition"), s.update(NotPrincipal={"AWS": AGENT_ARN})) for s in d["Statement"] if s["Effect"] == "Deny"])),
    # What a door's role may do.
    "another door's objects under a condition that always holds": e4(lambda w: w.with_("iam/rolePolicy:RolePolicy", "more", role=w.one("Function", "sequester-door-research").text("role").rpartition("/")[2], policy=doc(grant("s3:GetObject", next(f"arn:aws:s3:::{r.name}/audit/billing/*" for r in w.some("Bucket") if "door-audit" in r.name), StringLike={"aws:PrincipalArn": "*"})))),
    "every secret, but spelled otherwise": e4(lambda w: w.with_("iam/rolePolicy:RolePolicy", "more", role=w.one("Function", "sequester-door-research").text("role").rpartition("/")[2], policy=doc(grant("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:?*")))),
}  # fmt: skip

UNDECIDED: Rows = {
    "a provider that nobody has reviewed": ("E4", "blueprint", role("ci", federated("agent.ci.example", StringEquals={"agent.ci.example:aud": "sts.amazonaws.com"}))),
    "any provider": ("E4", "blueprint", role("ci", {"Effect": "Allow", "Principal": {"Federated": "*"}, "Action": "sts:AssumeRoleWithWebIdentity"})),
    "a provider of another account": ("E4", "blueprint", role("people", saml(OTHER))),
    "until a day that will come": ("E4", "blueprint", may("sqs:SendMessage", DateLessThan={"aws:CurrentTime": "2099-01-01T00:00:00Z"})),
    "from our office": ("E4", "blueprint", may("sqs:SendMessage", IpAddress={"aws:SourceIp": "198.51.100.0/24"})),
    "a policy of the organization on a root that is not known to be ours": e4(chain(may(INVOKE), organization(deny("lambda:*"), target="r-9", member=False))),
    "a policy of the organization on our account, which may be its management account": e4(chain(may(INVOKE), organization(deny("lambda:*"), member=False))),
    "a policy of the organization whose kind is not enabled": e4(chain(may(INVOKE), organization(deny("lambda:*")), management(OTHER, enabledPolicyTypes=[]))),
    "a boundary under a key that nobody knows": e4(chain(may(INVOKE), bounded_by(grant("*"), deny(INVOKE, StringEquals={"aws:PrincipalTag/team": "research"})))),
    "a managed policy under a boundary that lets it invoke": e4(chain(attach("arn:aws:iam::aws:policy/SomethingElse"), bounded_by(grant(["logs:PutLogEvents", INVOKE])))),
    "a bucket by canonical id": e4(bucket(lets({"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}, "s3:GetObject"))),
    "a bucket by somebody's id": e4(bucket(lets({"AWS": "AIDACKCEVSQ6C2EXAMPLE"}, "s3:GetObject"))),
    "a bucket for one endpoint that is not in the facts": e4(bucket(lets("*", "s3:GetObject", StringEquals={"aws:SourceVpce": "vpce-0123456789abcdef0"}))),
    "a bucket for some public addresses": e4(bucket(lets("*", "s3:GetObject", IpAddress={"aws:SourceIp": "203.0.113.0/24"}))),
    "a bucket for CloudFront, whoever's": e4(bucket(lets({"Service": "cloudfront.amazonaws.com"}, "s3:GetObject"))),
    "a queue that a service reads for anybody": e4(queue(lets({"Service": "lambda.amazonaws.com"}, "sqs:*", ArnLike={"aws:SourceArn": "arn:aws:lambda:*:*:function:x"}))),
    "a queue that the node's role may read": e4(queue(lets({"AWS": NODE_ARN}, "sqs:ReceiveMessage"))),
    "a role for an organization": e4(role("org", trusts("*", StringEquals={"aws:PrincipalOrgID": "o-1"}), grant("logs:PutLogEvents"))),
    "an external id": e4(role("ext", trusts({"AWS": OTHER}, StringEquals={"sts:ExternalId": "guess"}), grant("logs:PutLogEvents"))),
    "cluster rights for an agent": e4(lambda w: w.with_("eks/accessPolicyAssociation:AccessPolicyAssociation", "x", principalArn=AGENT_ARN, policyArn="arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy")),
    "cluster rights for a door": e4(lambda w: w.with_("eks/accessEntry:AccessEntry", "x", principalArn=w.one("Function", "sequester-door-research").text("role"), type="STANDARD", kubernetesGroups=["x"])),
    "a node's entry for an agent": e4(lambda w: w.with_("eks/accessEntry:AccessEntry", "x", principalArn=AGENT_ARN, type="EC2_LINUX")),
    "events to an address on the internet": e4(lambda w: w.with_("cloudwatch/eventTarget:EventTarget", "q", arn=f"arn:aws:events:us-east-1:{ACCOUNT}:api-destination/x/1")),
    "log records to a stream that is not in the facts": e4(lambda w: w.with_("cloudwatch/logSubscriptionFilter:LogSubscriptionFilter", "s", destinationArn=f"arn:aws:firehose:us-east-1:{ACCOUNT}:deliverystream/x")),
    "a trail into a bucket that is not in the facts": e4(lambda w: w.set("Trail", "sequester", s3BucketName="somebody-elses")),
    "half of the VPC's addresses": e3(endpoint("logs", statement("logs:PutLogEvents", StringEquals=OURS, IpAddress={"aws:VpcSourceIp": "10.42.0.0/17"}))),
    "until a day to come": e3(endpoint("logs", statement("logs:*", DateLessThan={"aws:CurrentTime": "2030-01-01T00:00:00Z"}))),
    "an operator that is none": e3(endpoint("logs", statement("logs:*", StringEqual=BOTH))),
    "an ARN of fewer parts": e3(endpoint("logs", ANY_LOGS, statement("*", effect="Deny", ArnLike={"aws:PrincipalArn": "*"}))),
    "who is spared by NotPrincipal": e3(endpoint("logs", ANY_LOGS, {"Effect": "Deny", "NotPrincipal": {"AWS": [f"arn:aws:iam::{ACCOUNT}:root", AGENT_ARN]}, "Action": "*", "Resource": "*"})),
}  # fmt: skip

HARMLESS: Rows = {
    "until a day that is past": ("E4", "blueprint", may("sqs:SendMessage", DateLessThan={"aws:CurrentTime": "2020-01-01T00:00:00Z"})),
    "one subject of a provider that nobody has reviewed": ("E4", "blueprint", role("ci", federated("agent.ci.example", StringEquals={"agent.ci.example:sub": "organization:ours"}))),
    "people of ours": ("E4", "blueprint", role("people", saml(ACCOUNT))),
    "a denial that ForAllValues keeps": e7(invocation("live", lambda d: [s.update(Condition={"ForAllValues:StringNotEquals": s["Condition"]["StringNotEquals"]}) for s in d["Statement"] if s.get("Sid") == "NotThroughOurEndpoint"])),
    "denials in one more document": e7(lambda w: w.with_("lambda/permission:Permission", "p", function="sequester-responder", action=INVOKE, principal="events.amazonaws.com", sourceArn=f"arn:aws:events:us-east-1:{ACCOUNT}:rule/x")),
    "a boundary that permits all": e4(bounded_by(grant("*"))),
    "a boundary that takes it away": e4(chain(may(INVOKE), bounded_by(grant(["ec2:*", "ecr:*", "logs:*", "eks:*", "eks-auth:*"])))),
    "a boundary that denies it": e4(chain(may(INVOKE), bounded_by(grant("*"), deny("lambda:*")))),
    "a boundary around a managed policy": e4(chain(attach("arn:aws:iam::aws:policy/AdministratorAccess"), bounded_by(grant(["logs:PutLogEvents", "ec2:Describe*"])))),
    "a policy of the organization on our account": e4(chain(may(INVOKE), organization(deny("lambda:*")))),
    "a policy of the organization on our unit": e4(chain(may(INVOKE), organization(deny("lambda:*"), target="ou-1"))),
    "a policy of the organization on the root above": e4(chain(may(INVOKE), organization(deny("lambda:*"), target="r-1"), unit())),
    "a policy of the organization with NotAction": e4(chain(may("*"), organization({"Effect": "Deny", "NotAction": ["ec2:Describe*", "logs:PutLogEvents"], "Resource": "*"}))),
    "policies of the organization that cannot be read": e4(lambda w: w.with_("organizations/policy:Policy", "scp", "p-1", content="{").with_("organizations/policyAttachment:PolicyAttachment", "scp", policyId="p-1", targetId=ACCOUNT)),
    "resource control over a queue": e4(chain(queue(lets({"AWS": OTHER}, "sqs:*")), organization({**lets("*", "*", StringNotEqualsIfExists={"aws:PrincipalAccount": ACCOUNT}), "Effect": "Deny"}, kind="RESOURCE_CONTROL_POLICY"))),
    "the organization keeps our callers to our account": e3(chain(endpoint("logs", ANY_LOGS), organization(deny("*", StringNotEquals=NOT_OURS)))),
    "two denials that leave no gap": e3(endpoint("logs", statement("logs:PutLogEvents"), statement("logs:*", effect="Deny", StringNotEquals=OURS), statement("logs:Put*", effect="Deny", StringNotEquals=NOT_OURS))),
    "a denial by exceptions of both kinds": e3(endpoint("logs", ANY_LOGS, {"Effect": "Deny", "Principal": "*", "NotAction": "s3:*", "NotResource": [LOGS, f"arn:aws:logs:eu-west-1:{ACCOUNT}:*"]})),
    "HTTP is denied": e3(endpoint("logs", statement("logs:*", StringEquals=BOTH), statement("*", effect="Deny", Bool={"aws:SecureTransport": "false"}))),
    "a user agent besides": e3(endpoint("logs", statement("logs:*", StringEquals=BOTH, StringLike={"aws:UserAgent": "x*"}))),
    "only by HTTP, and HTTP is denied": e3(endpoint("logs", statement("logs:*", Bool={"aws:SecureTransport": "false"}), statement("*", effect="Deny", Bool={"aws:SecureTransport": "false"}))),
    "our roles by ARN, on our log groups": e3(endpoint("logs", statement("logs:PutLogEvents", LOGS, ArnLike={"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}))),
    "one role, denied again": e3(endpoint("logs", statement("logs:*", ArnEquals={"aws:PrincipalArn": AGENT_ARN}), statement("*", effect="Deny", ArnLike={"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/sequester-*"}))),
    "a denial but for two roles of ours, on our log groups": e3(endpoint("logs", statement("logs:*", LOGS), statement("*", effect="Deny", ArnNotLike={"aws:PrincipalArn": [AGENT_ARN, BILLING_ARN]}), statement("*", effect="Deny", Null={"aws:PrincipalArn": "true"}))),
    "addresses of another VPC": e3(endpoint("logs", statement("logs:*", IpAddress={"aws:VpcSourceIp": "10.99.0.0/16"}))),
    "a denial of every address of the VPC": e3(endpoint("logs", statement("logs:*"), statement("*", effect="Deny", IpAddress={"aws:VpcSourceIp": ["10.42.0.0/17", "10.42.128.0/17"]}))),
    "public addresses, which a call through an endpoint lacks": e3(endpoint("logs", statement("logs:*", IpAddress={"aws:SourceIp": "203.0.113.0/24"}))),
    "until a day long past": e3(endpoint("logs", statement("logs:*", DateLessThan={"aws:CurrentTime": "2020-01-01T00:00:00Z"}))),
    "accounts compared by a variable, for our callers": e3(endpoint("logs", statement("logs:*", StringEquals={**OURS, "aws:ResourceAccount": "${aws:PrincipalAccount}"}))),
    "a bucket for our own endpoint": e4(lambda w: bucket(lets("*", "s3:GetObject", StringEquals={"aws:SourceVpce": w.id("VpcEndpoint", "sequester-s3"), "aws:PrincipalArn": AGENT_ARN}))(w)),
    "a bucket for addresses of no internet": e4(bucket(lets("*", "s3:GetObject", IpAddress={"aws:SourceIp": "10.0.0.0/8"}, ArnEquals={"aws:PrincipalArn": AGENT_ARN}))),
    "a bucket for our CloudFront": e4(bucket(lets({"Service": "cloudfront.amazonaws.com"}, "s3:GetObject", StringEquals={"aws:SourceArn": f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1"}))),
    "a bucket for our whole account, by its root": e4(bucket(lets({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "s3:*"))),
    "GitHub for one repository": e4(provider("token.actions.githubusercontent.com", StringEquals={AUD: "sts.amazonaws.com", SUB: "repo:our-company/infra:ref:refs/heads/main"})),
    "GitHub for repositories of one owner": e4(provider("token.actions.githubusercontent.com", StringEquals={AUD: "sts.amazonaws.com"}, StringLike={SUB: "repo:our-company/*"})),
    "Cognito for one pool": e4(provider("cognito-identity.amazonaws.com", StringEquals={"cognito-identity.amazonaws.com:aud": "us-east-1:0b1c"})),
    "Pod Identity for system pods": e4(chain(powerful(), association(namespace="kube-system", serviceAccount="ebs-csi-controller-sa", roleArn=POWER))),
    "a role of pods that stay off sandbox nodes": e4(runs("Deployment", {"key": "CriticalAddonsOnly", "operator": "Exists"})),
    "a queue for callers of our account that are agents": e4(queue(lets("*", "sqs:*", StringEquals={"kms:CallerAccount": ACCOUNT, "aws:PrincipalArn": AGENT_ARN}))),
    "a session policy for an agent": e7(chain(lambda w: w.set("PodIdentityAssociation", AGENT, policy=doc(grant(INVOKE), grant("logs:*"))), lambda w: w.with_("iam/rolePolicy:RolePolicy", "more", role=AGENT, policy=doc(grant("lambda:UpdateFunctionCode"))))),
    "cluster rights for the responder": e4(lambda w: w.with_("eks/accessEntry:AccessEntry", "x", principalArn=f"arn:aws:iam::{ACCOUNT}:role/sequester-responder-inside", type="STANDARD", kubernetesGroups=["sequester:readers"])),
    "a denial for the node's role": e4(bucket({**lets({"AWS": NODE_ARN}, "s3:*"), "Effect": "Deny"})),
    "a function for our topic": e4(lambda w: w.with_("lambda/permission:Permission", "p", function="sequester-responder", action=INVOKE, principal="sns.amazonaws.com", sourceArn=f"arn:aws:sns:us-east-1:{ACCOUNT}:sequester-alarms")),
}  # fmt: skip
