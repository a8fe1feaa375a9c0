"""From resources to facts of identity and access: endpoints' policies, roles, functions."""

import json
from collections.abc import Mapping
from typing import cast

from sequester.proof.facts import BadFactError, items, mapping
from sequester.proof.model import Document, Endpoint, Identity
from sequester.sources.resource import Resource, Stack


def document(raw: object, where: str) -> Document:
    """A policy document from JSON text or an object. Raises BadFactError if it is neither."""
    if isinstance(raw, str):
        try:
            raw = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise BadFactError(f"{where}: its policy is not JSON") from error
    if not isinstance(raw, Mapping):
        raise BadFactError(f"{where}: its policy is not a document")
    return mapping(cast("object", raw), where)


def endpoints(stack: Stack) -> tuple[Endpoint, ...]:
    separate = {p.maybe("vpcEndpointId"): p for p in stack.of("ec2/vpcEndpointPolicy:VpcEndpointPolicy")}
    found: list[Endpoint] = []
    for one in stack.of("ec2/vpcEndpoint:VpcEndpoint"):
        raw = separate[one.id].get("policy") if one.id in separate else one.get("policy")
        service_name = one.maybe("serviceName")
        found.append(
            Endpoint(
                one.id,
                one.name,
                one.maybe("vpcId"),
                _short(service_name),
                one.maybe("vpcEndpointType") or "Gateway",
                one.several("subnetIds"),
                one.several("securityGroupIds"),
                document(raw, one.name) if raw else None,
                one.several("routeTableIds"),
                service_name,
            )
        )
    return tuple(found)


def _short(service_name: str) -> str:
    """``com.amazonaws.us-east-1.ecr.api`` → ``ecr.api``; the empty text for what is not AWS's own service."""
    parts = service_name.split(".")
    if service_name.startswith(("com.amazonaws.vpce.", "com.amazonaws.vpce-")) or ".vpce-svc-" in service_name:
        return ""
    if parts[:2] == ["com", "amazonaws"] and len(parts) > 3:
        return ".".join(parts[3:])
    return parts[-1] if service_name.startswith("aws.") else ""


def identities(stack: Stack) -> dict[str, Identity]:
    policies = {p.maybe("arn") or p.id: p for p in stack.of("iam/policy:Policy")}
    found: dict[str, Identity] = {}
    for role in stack.of("iam/role:Role"):
        name = role.maybe("name") or role.id
        arn = role.maybe("arn") or f"arn:aws:iam::{stack.account}:role{role.maybe('path') or '/'}{name}"
        called = (name, role.id, arn)
        own: list[tuple[str, Document]] = []
        unread: list[str] = []
        for raw in items(role.get("inlinePolicies"), role.name):
            inline = mapping(raw, role.name)
            if inline.get("policy"):
                own.append((f"{role.name} inline {inline.get('name')}", document(inline["policy"], role.name)))
        own += [
            (one.name, document(one.get("policy"), one.name))
            for one in stack.of("iam/rolePolicy:RolePolicy")
            if one.maybe("role") in called
        ]
        attached = [*role.several("managedPolicyArns")]
        attached += [
            a.text("policyArn")
            for a in stack.of("iam/rolePolicyAttachment:RolePolicyAttachment", "iam/policyAttachment:PolicyAttachment")
            if a.maybe("role") in called or name in a.several("roles")
        ]
        attached += [
            arn_
            for a in stack.of("iam/rolePolicyAttachmentsExclusive:RolePolicyAttachmentsExclusive")
            if a.maybe("roleName") == name
            for arn_ in a.several("policyArns")
        ]
        for policy_arn in dict.fromkeys(attached):
            known = policies.get(policy_arn)
            if known:
                own.append((known.name, document(known.get("policy"), known.name)))
            else:
                unread.append(policy_arn)
        trust = role.get("assumeRolePolicy")
        found[arn] = Identity(
            arn, role.name, tuple(own), document(trust, role.name) if trust else None, _boundary(role, policies),
            tuple(unread),
        )  # fmt: skip
    return found


def _boundary(role: Resource, policies: Mapping[str, Resource]) -> Document | None:
    """A permissions boundary only narrows: one whose text is not here bounds nothing, which errs on the safe side."""
    try:
        bounding = policies.get(role.maybe("permissionsBoundary"))
        return document(bounding.get("policy"), bounding.name) if bounding else None
    except BadFactError:
        return None
