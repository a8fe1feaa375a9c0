"""From resources to facts of identity and access: endpoints' policies, roles, functions."""

import json
from collections.abc import Mapping
from typing import cast

from sequester.proof.facts import BadFactError, items, mapping
from sequester.proof.model import Document, Endpoint, EventBinding, Function, Identity, ResourcePolicy
from sequester.proof.selector import Selector
from sequester.sources.resource import Stack, block


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
        arn = role.maybe("arn") or f"arn:aws:iam::{stack.account}:role/{name}"
        own: list[tuple[str, Document]] = []
        unread: list[str] = []
        for raw in items(role.get("inlinePolicies"), role.name):
            inline = mapping(raw, role.name)
            if inline.get("policy"):
                own.append((f"{role.name} inline {inline.get('name')}", document(inline["policy"], role.name)))
        own += [
            (one.name, document(one.get("policy"), one.name))
            for one in stack.of("iam/rolePolicy:RolePolicy")
            if one.maybe("role") in (name, role.id)
        ]
        attached = [*role.several("managedPolicyArns")]
        attached += [
            a.text("policyArn")
            for a in stack.of("iam/rolePolicyAttachment:RolePolicyAttachment", "iam/policyAttachment:PolicyAttachment")
            if a.maybe("role") in (name, role.id) or name in a.several("roles")
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
            arn, role.name, tuple(own), document(trust, role.name) if trust else None, None, tuple(unread)
        )
    return found


def functions(stack: Stack, selector: Selector) -> dict[str, Function]:
    urls = {u.maybe("functionName") for u in stack.of("lambda/functionUrl:FunctionUrl")}
    found: dict[str, Function] = {}
    for one in stack.of("lambda/function:Function"):
        name = one.maybe("name") or one.name
        arn = one.maybe("arn") or f"arn:aws:lambda:{stack.region}:{stack.account}:function:{name}"
        inner = block(one, "vpcConfig")
        variables = mapping(mapping(one.get("environment"), one.name).get("variables"), one.name)
        limit = one.get("reservedConcurrentExecutions")
        found[arn] = Function(
            arn,
            one.name,
            one.maybe("role"),
            bool(items(inner.get("subnetIds"), one.name)),
            tuple(sorted((k, str(v)) for k, v in variables.items())),
            bool({name, arn, one.id} & urls),
            int(float(str(limit))) if limit is not None else None,
            selector.is_door(one.name, name),
        )
    return found


def bindings(stack: Stack) -> tuple[EventBinding, ...]:
    """Everything that makes a function run without an Invoke by its tenant."""
    found = [
        EventBinding(one.name, one.maybe("functionName"), "event source")
        for one in stack.of("lambda/eventSourceMapping:EventSourceMapping")
    ]
    found += [
        EventBinding(one.name, one.maybe("functionName"), "URL") for one in stack.of("lambda/functionUrl:FunctionUrl")
    ]
    found += [
        EventBinding(one.name, str(one.get("function")), f"permission for {one.maybe('principal')}")
        for one in stack.of("lambda/permission:Permission")
    ]
    return tuple(found)


def resource_policies(stack: Stack) -> tuple[ResourcePolicy, ...]:
    found: list[ResourcePolicy] = []
    for one in stack.of("lambda/resourcePolicy:ResourcePolicy", "s3/bucketPolicy:BucketPolicy"):
        target = (
            one.maybe("resourceArn") or one.maybe("functionArn") or one.maybe("functionName") or one.maybe("bucket")
        )
        found.append(ResourcePolicy(target, one.name, document(one.get("policy"), one.name)))
    return tuple(found)
