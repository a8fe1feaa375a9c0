"""The checker of identities (E4): harmful calls with a node's role, strangers at every policy, rights."""

# Facts are parsed JSON: their parts are looked up, never trusted to be there.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false

import json
import re
from collections.abc import Iterator
from typing import Any

from sequester.proof.check_calls import Call, Written, decision, permitted, texts
from sequester.proof.check_reasons import (
    EVERYTHING,
    FOREIGN,
    Facts,
    Reason,
    Refusal,
    ceilings,
    sandboxes_of,
    statements,
)

_EVERYBODY = ("system:authenticated", "system:unauthenticated", "system:serviceaccounts", "system:anonymous")
# Calls with which a sandbox node's role would open a way out.
_HARM = ("lambda:InvokeFunction", "sts:AssumeRole", "iam:PassRole", "ec2:CreateRoute", "ec2:ModifyVpcEndpoint",
         "ec2:ModifyNetworkInterfaceAttribute", "ec2:AuthorizeSecurityGroupEgress", "s3:PutObject", "sqs:SendMessage",
         "ssmmessages:CreateDataChannel", "kms:CreateGrant", "secretsmanager:GetSecretValue")  # fmt: skip


def reasons(model: Facts, selector: Facts) -> Iterator[Reason]:
    held = set(_held(model, selector))
    for arn, one in model["identities"].items():
        # Trust on conditions that only a set of requests decides may hand out more roles than are found here.
        yield Reason(one["name"], ("; its actions are all on the reviewed harmless table",), arn in held, ends=True)
    for namespace in sandboxes_of(model, selector):
        yield Reason(f"namespace {namespace}", ("no role is bound to its service accounts",))
    for one in model["resource_policies"]:
        yield Reason(one["name"], ("lets nobody in but principals of this account, and AWS's services",))
    for one in model["deliveries"]:
        named = f"{one['to']}, whom the deployment names"
        whom = "a resource of this account" if one["to"].startswith("arn:") else named
        yield Reason(one["name"], (f"sends {one['what']} to {whom}",))
    for one in model["functions"].values():
        if one["door"]:
            yield Reason(one["name"], ("its role may do what a door needs, on named resources of this account",))


def _held(model: Facts, selector: Facts) -> Iterator[str]:
    """Roles to be had in a sandbox: of its nodes, of pods that run there, by a pod's token, and of those in turn."""
    on_nodes = {*_ON_EVERY_NODE, *_accounts_on_nodes(model)}
    found = [p["identity"] for p in model["places"].values() if p["role"] == "sandbox" and p["identity"]]
    for cluster in model["clusters"].values():
        for one in cluster.get("podIdentities") or ():
            if (one.get("namespace"), one.get("serviceAccount")) in on_nodes:
                found += [one[key] for key in ("role", "targetRole") if one.get(key)]
    pods = [*((n, "x") for n in sandboxes_of(model, selector)), *sorted(on_nodes)]
    found += [arn for arn, one in model["identities"].items() if any(_takes_token(one, *pod) for pod in pods)]
    seen: set[str] = set()
    while found:
        arn = found.pop()
        if arn not in seen:
            yield arn
            seen.add(arn)
            found += [other for other, one in model["identities"].items() if _lets_become(one, arn)]


_ON_EVERY_NODE = tuple(("kube-system", name) for name in ("aws-node", "kube-proxy", "eks-pod-identity-agent"))
# Taints of Kubernetes and clouds: no sandbox's own.
_USUAL = ("node.kubernetes.io/", "node-role.kubernetes.io/", "node.cloudprovider.kubernetes.io/", "CriticalAddonsOnly")


def _accounts_on_nodes(model: Facts) -> Iterator[tuple[str, str]]:
    """(namespace, service account) of each DaemonSet, and of whatever tolerates a taint that may be a sandbox's."""
    for one in model["manifests"]:
        spec = one.get("spec") or {}
        spec = (spec.get("jobTemplate") or {}).get("spec") or spec
        pod = (spec.get("template") or {}).get("spec") or (spec if one.get("kind") == "Pod" else {})
        strange = [t for t in pod.get("tolerations") or () if not str(t.get("key") or "").startswith(_USUAL)]
        if one.get("kind") == "DaemonSet" or strange:
            yield one["metadata"].get("namespace") or "default", pod.get("serviceAccountName") or "default"


def _takes_token(one: Any, namespace: str, account: str) -> bool:
    """Whether a role's trust lets in the token of a pod: without a condition, or where it names the pod."""
    for said in statements(one["trust"]) if one["trust"] else ():
        federated = texts((said.get("Principal") or {}).get("Federated")) if said.get("Principal") != "*" else []
        if said["Effect"] == "Allow" and any("oidc.eks" in f for f in federated):
            subject = f"system:serviceaccount:{namespace}:{account}"
            keys = [key for those in (said.get("Condition") or {}).values() for key in those]
            told = {k: subject if k.endswith(":sub") else "sts.amazonaws.com" for k in keys}
            call = Call("sts:AssumeRoleWithWebIdentity", "", context=told)
            whole = {key: value for key, value in said.items() if key != "Principal"}
            if decision([{"Statement": whole}], call) == "Allow":
                return True
    return False


def _lets_become(one: Any, arn: str) -> bool:
    """Whether a role's trust names another role of its account, or everybody."""
    account = arn.split(":")[4]
    call = Call("sts:AssumeRole", "", account, arn, {"aws:PrincipalArn": arn, "aws:PrincipalAccount": account})
    return bool(one["trust"]) and permitted(Written(resource=[one["trust"]]), call, account)


def refusals(model: Facts, selector: Facts) -> Iterator[Refusal]:
    ours = model["account"]
    sandboxes = {*sandboxes_of(model, selector)}
    for place in model["places"].values():
        if place["role"] == "sandbox" and place["identity"]:
            role = model["identities"][place["identity"]]
            if role["unread"] and not role["boundary"]:
                yield f"{role['name']}: nobody has read {', '.join(role['unread'])}"
            own = [document for _, document in role["policies"]] + [EVERYTHING for _ in role["unread"]]
            written = Written(own, (), [role["boundary"]] if role["boundary"] else [], ceilings(model, "service"))
            known = {"aws:PrincipalAccount": ours, "aws:PrincipalArn": role["arn"]}
            for action in _HARM:
                for resource in (f"arn:aws:x:x:{ours}:x", "arn:aws:s3:::x/y", *model["functions"]):
                    call = Call(action, resource, ours, role["arn"], known)
                    if permitted(written, call, ours):
                        yield f"{role['name']} may {action} on {resource}"
    for hung in (*model["resource_policies"], *_trusts(model)):
        named = set(re.findall(r"(?<!\d)\d{12}(?!\d)", json.dumps(hung["document"], default=list))) - {ours}
        for account in (FOREIGN, *sorted(named - set(selector["trusted_accounts"])), None):
            arn = f"arn:aws:iam::{account}:root" if account else ""
            known = {"aws:PrincipalAccount": account, "aws:PrincipalArn": arn} if account else {}
            for one in statements(hung["document"]):
                for action in texts(one.get("Action")):
                    resource = next(iter(texts(one.get("Resource"))), "x").replace("*", "x")
                    call = Call(
                        action.replace("*", "X"), resource, account, arn, {**known, "aws:SecureTransport": "true"}
                    )
                    levels = [[hung["document"]], *ceilings(model, "resource", action)]
                    if all(decision(level, call) == "Allow" for level in levels):
                        yield f"{hung['name']} lets {account or 'anybody'} {action}"
    for one in model["deliveries"]:
        if (one["account"] or (one["to"].split(":") + [""] * 5)[4]) not in ("", ours, *selector["trusted_accounts"]):
            yield f"{one['name']} sends {one['what']} to {one['to']}"
        if not one["to"].startswith("arn:") and not one["what"].endswith((" email", " email-json", " sms")):
            yield f"{one['name']} sends {one['what']} to {one['to']}"
    for name, cluster in model["clusters"].items():
        if str((cluster.get("vpcConfig") or {}).get("endpointPublicAccess", True)).lower() != "false":
            yield f"the API server of {name} is public"
    for one in model["manifests"]:
        if one.get("kind") in ("RoleBinding", "ClusterRoleBinding"):
            home = one["metadata"].get("namespace")
            for subject in one.get("subjects") or ():
                everybody = subject.get("name") in _EVERYBODY and not str(one["roleRef"]["name"]).startswith("system:")
                account = subject.get("kind") == "ServiceAccount" and (subject.get("namespace") or home) in sandboxes
                if everybody or account:
                    yield f"{one['kind']} {one['metadata']['name']} binds {subject.get('name')}"


def _trusts(model: Facts) -> Iterator[dict[str, Any]]:
    for one in model["identities"].values():
        if one["trust"]:
            yield {"name": f"{one['name']} trust", "document": one["trust"]}
