"""Edits of the deployment, one function each: what the tables of ways out are written with."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from proof_world import ACCOUNT, World

Change = Callable[[World], World]
ANY4, ANY6 = {"cidrBlock": "0.0.0.0/0"}, {"ipv6CidrBlock": "::/0"}


@dataclass(frozen=True)
class Case:
    name: str
    claim: str
    edit: Change
    base: str = "blueprint"


def table_ids(w: World) -> list[str]:
    return [w.table("sandbox", z).id for z in ("us-east-1a", "us-east-1b")]


def open_groups(w: World) -> World:
    for i, peer in enumerate(({"cidrIpv4": "0.0.0.0/0"}, {"cidrIpv6": "::/0"})):
        w = w.with_(
            "vpc/securityGroupEgressRule:SecurityGroupEgressRule",
            f"open-out-{i}",
            securityGroupId=w.group("sandbox-node"),
            ipProtocol="-1",
            **peer,
        )
    return w


def acl_rule(w: World, name: str, number: int, *, egress: bool = True, action: str = "allow", **more: object) -> World:
    acl = w.id("NetworkAcl", "sequester-sandbox")
    rule = {"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlock": "0.0.0.0/0", **more}
    if "ipv6CidrBlock" in more:
        rule.pop("cidrBlock")
    return w.with_(
        "ec2/networkAclRule:NetworkAclRule",
        name,
        networkAclId=acl,
        egress=egress,
        ruleNumber=number,
        ruleAction=action,
        **rule,
    )


def open_acls(w: World) -> World:
    for egress in (True, False):
        w = acl_rule(w, f"open-acl-4-{egress}", 1, egress=egress)
        w = acl_rule(w, f"open-acl-6-{egress}", 2, egress=egress, ipv6CidrBlock="::/0")
    return w


def with_v6(w: World) -> World:
    w = w.set("Vpc", "sequester", ipv6CidrBlock="2001:db8:42::/56")
    for n, zone in enumerate(("us-east-1a", "us-east-1b")):
        w = w.set("Subnet", w.subnet("sandbox", zone).name, ipv6CidrBlock=f"2001:db8:42:{n}::/64")
    return w


def public(w: World) -> World:
    interfaces = [dict(w.one("LaunchTemplate", "sequester-sandbox").properties["networkInterfaces"][0])]  # type: ignore[index]
    interfaces[0]["associatePublicIpAddress"] = "true"
    return w.set("LaunchTemplate", "sequester-sandbox", networkInterfaces=interfaces)


def gateway(w: World) -> World:
    return w.with_("ec2/internetGateway:InternetGateway", "igw", "igw-1", vpcId=w.vpc.id)


def route(w: World, name: str = "way-out", **properties: object) -> World:
    return w.with_("ec2/route:Route", name, routeTableId=w.table("sandbox").id, **properties)


def open_routes(w: World) -> World:
    return route(
        route(public(gateway(w)), "out4", destinationCidrBlock="0.0.0.0/0", gatewayId="igw-1"),
        "out6",
        destinationIpv6CidrBlock="::/0",
        gatewayId="igw-1",
    )


@cache
def based(world_id: int, base: str) -> World:
    w = WORLDS[world_id]
    return {
        "blueprint": lambda: w,
        "by_routes": lambda: with_v6(open_acls(open_groups(public(w)))),
        "by_groups": lambda: with_v6(open_acls(open_routes(w))),
        "by_acls": lambda: acl_rule(
            acl_rule(
                acl_rule(with_v6(open_groups(open_routes(w))), "shut4", 10, action="deny"),
                "shut6",
                11,
                action="deny",
                ipv6CidrBlock="::/0",
            ),
            "shut-in",
            10,
            egress=False,
            action="deny",
        ),
    }[base]()


WORLDS: dict[int, World] = {}


def nat(w: World, *, private: bool = False) -> World:
    """A NAT gateway in a public subnet of its own."""
    w = gateway(w).with_("ec2/subnet:Subnet", "public", "subnet-public", vpcId=w.vpc.id, cidrBlock="10.42.250.0/24")
    w = w.with_(
        "ec2/routeTable:RouteTable",
        "public",
        "rtb-public",
        vpcId=w.vpc.id,
        routes=[{**ANY4, "gatewayId": "igw-1"}, {**ANY6, "gatewayId": "igw-1"}],
    )
    w = w.with_(
        "ec2/routeTableAssociation:RouteTableAssociation", "public", subnetId="subnet-public", routeTableId="rtb-public"
    )
    w = w.with_(
        "ec2/networkAcl:NetworkAcl",
        "public",
        "acl-public",
        subnetIds=["subnet-public"],
        egress=[{"ruleNo": 1, "action": "allow", "protocol": "-1", "fromPort": 0, "toPort": 0, **ANY4}],
    )
    return w.with_(
        "ec2/natGateway:NatGateway",
        "nat",
        "nat-1",
        subnetId="subnet-public",
        connectivityType="private" if private else "public",
    )


def forwarder(w: World) -> World:
    """An instance that forwards (source/destination check off), in a public subnet."""
    w = nat(w).with_(
        "ec2/securityGroup:SecurityGroup",
        "forwarder",
        "sg-forwarder",
        vpcId=w.vpc.id,
        egress=[{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}],
        ingress=[{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["10.42.0.0/16"]}],
    )
    return w.with_(
        "ec2/instance:Instance",
        "forwarder",
        "i-forwarder",
        subnetId="subnet-public",
        sourceDestCheck=False,
        vpcSecurityGroupIds=["sg-forwarder"],
        associatePublicIpAddress=True,
    )


def inline(w: World, *routes: dict[str, Any]) -> World:
    return w.set("RouteTable", w.table("sandbox").name, routes=list(routes))


def main_table(w: World) -> World:
    """The subnet loses its association, and the main table leads out."""
    w = w.without("RouteTableAssociation", w.subnet("sandbox").name)
    return gateway(w).set("DefaultRouteTable", "sequester", routes=[{**ANY4, "gatewayId": "igw-1"}])


def egress_rule(w: World, name: str = "way-out", **properties: object) -> World:
    return w.with_(
        "vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        name,
        securityGroupId=w.group("sandbox-node"),
        **properties,
    )


def in_template(w: World, *groups: str) -> World:
    interfaces = [dict(w.one("LaunchTemplate", "sequester-sandbox").properties["networkInterfaces"][0])]  # type: ignore[index]
    interfaces[0]["securityGroups"] = [w.group("sandbox-node"), *groups] if groups else []
    return w.set("LaunchTemplate", "sequester-sandbox", networkInterfaces=interfaces)


SANDBOX = "research-sandbox"


def policy(
    name: str, namespace: str = SANDBOX, types: tuple[str, ...] = ("Egress",), select: Any = None, **spec: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podSelector": select or {}, "policyTypes": list(types), **spec},
    }


def allow(*rules: dict[str, Any], **more: Any) -> Change:
    return lambda w: w.apply(policy("opened", egress=list(rules), **more))


def deny_all(change: Callable[[dict[str, Any]], object]) -> Change:
    return lambda w: w.edit("NetworkPolicy", "deny-all", SANDBOX, change)


def block(cidr: str, *holes: str) -> dict[str, Any]:
    return {"to": [{"ipBlock": {"cidr": cidr, **({"except": list(holes)} if holes else {})}}]}


def ports(*those: Any) -> list[dict[str, Any]]:
    return [{"protocol": p, "port": n} for p, n in those]


def addon(w: World, key: str, value: str | None) -> World:
    values = json.loads(w.one("Addon", "sequester-vpc-cni").properties["configurationValues"])  # type: ignore[arg-type]
    values["env"] = {k: v for k, v in {**values["env"], key: value}.items() if v is not None}
    return w.set("Addon", "sequester-vpc-cni", configurationValues=json.dumps(values))


def firewall(**change: object) -> Change:
    return lambda w: w.set("ResolverFirewallConfig", "sequester-dns", **change)


def allowing(*more: str) -> Change:
    kind, name = "ResolverFirewallDomainList", "sequester-allowed"
    return lambda w: w.set(kind, name, domains=[*cast("list[str]", w.one(kind, name).properties["domains"]), *more])


def corefile(change: Callable[[str], str]) -> Change:
    def edit(w: World) -> World:
        values = json.loads(w.one("Addon", "sequester-coredns").properties["configurationValues"])  # type: ignore[arg-type]
        return w.set(
            "Addon",
            "sequester-coredns",
            configurationValues=json.dumps({**values, "corefile": change(values["corefile"])}),
        )

    return edit


def endpoint(name: str, *statements: dict[str, Any]) -> Change:
    return lambda w: w.set(
        "VpcEndpoint", f"sequester-{name}", policy=json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    )


def statement(actions: Any, resources: Any = "*", effect: str = "Allow", **conditions: Any) -> dict[str, Any]:
    return {
        "Effect": effect,
        "Principal": "*",
        "Action": actions,
        "Resource": resources,
        **({"Condition": conditions} if conditions else {}),
    }


OURS = {"aws:PrincipalAccount": ACCOUNT}
BOTH = {**OURS, "aws:ResourceAccount": ACCOUNT}


def may(*actions: str, resource: str = "*", **conditions: Any) -> Change:
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": list(actions),
                "Resource": resource,
                **({"Condition": conditions} if conditions else {}),
            }
        ],
    }
    return lambda w: w.with_(
        "iam/rolePolicy:RolePolicy", "more", role="sequester-sandbox-node", policy=json.dumps(document)
    )


def attach(arn: str) -> Change:
    return lambda w: w.with_(
        "iam/rolePolicyAttachment:RolePolicyAttachment", "more", role="sequester-sandbox-node", policyArn=arn
    )


def bind(kind: str, subject: dict[str, str]) -> Change:
    meta = {"name": "more", **({"namespace": SANDBOX} if kind == "RoleBinding" else {})}
    return lambda w: w.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": kind,
            "metadata": meta,
            "roleRef": {"kind": "ClusterRole", "name": "edit"},
            "subjects": [subject],
        }
    )


def pods_admission(change: Callable[[dict[str, Any]], object]) -> Change:
    return lambda w: w.edit("ValidatingAdmissionPolicy", "sequester-sandbox-pods", "", change)


Rows = dict[str, tuple[str, str, Change]]
"""Name → (claim, deployment that it is made to, edit)."""
OTHER = "210987654321"
"""An account that is not ours."""


def firewall_rule(
    name: str, action: str, priority: int, domains: list[str], group: str | None = None, **more: object
) -> Change:
    def edit(w: World) -> World:
        key = group or w.id("ResolverFirewallRuleGroup", "sequester-dns")
        w = w.with_(
            "route53/resolverFirewallDomainList:ResolverFirewallDomainList", name, f"fdl-{name}", domains=domains
        )
        return w.with_(
            "route53/resolverFirewallRule:ResolverFirewallRule",
            name,
            action=action,
            priority=priority,
            firewallDomainListId=f"fdl-{name}",
            firewallRuleGroupId=key,
            **more,
        )

    return edit


def second_rule_group(w: World, priority: int) -> World:
    kind = "route53/resolverFirewallRuleGroupAssociation:ResolverFirewallRuleGroupAssociation"
    w = w.with_("route53/resolverFirewallRuleGroup:ResolverFirewallRuleGroup", "g2", "rg-2")
    return w.with_(kind, "g2", vpcId=w.vpc.id, priority=priority, firewallRuleGroupId="rg-2", name="g2")


def grant(actions: Any, resources: Any = "*", **conditions: Any) -> dict[str, Any]:
    """A statement of an identity's policy."""
    return {
        "Effect": "Allow",
        "Action": actions,
        "Resource": resources,
        **({"Condition": conditions} if conditions else {}),
    }


def lets(principal: Any, actions: Any, resources: Any = "*", **conditions: Any) -> dict[str, Any]:
    """A statement of a resource's policy."""
    return {**grant(actions, resources, **conditions), "Principal": principal}


def resource_policy(kind: str, name: str, *statements: dict[str, Any], **more: Any) -> Change:
    return lambda w: w.with_(kind, name, policy=json.dumps({"Statement": list(statements)}), **more)


def trusting(name: str, *statements: dict[str, Any]) -> Change:
    """Another trust policy for a role of the blueprint."""
    return lambda w: w.set("Role", name, assumeRolePolicy=json.dumps({"Statement": list(statements)}))


def role(name: str, trust: dict[str, Any], *statements: dict[str, Any]) -> Change:
    """One more role, with what it may do."""

    def edit(w: World) -> World:
        w = w.with_("iam/role:Role", name, name, name=name, assumeRolePolicy=json.dumps({"Statement": [trust]}))
        return w.with_("iam/rolePolicy:RolePolicy", name, role=name, policy=json.dumps({"Statement": list(statements)}))

    return edit


def kubernetes_bind(kind: str, role: str, subject: dict[str, str], namespace: str | None = None) -> Change:
    meta = {"name": "more", **({"namespace": namespace} if namespace else {})}
    return lambda w: w.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": kind,
            "metadata": meta,
            "roleRef": {"kind": "ClusterRole", "name": role},
            "subjects": [subject],
        }
    )


def own_role(group: str, resource: str, verb: str) -> Change:
    """A further Role for a tenant's agent in its own sandbox namespace."""
    meta, api = {"name": "more", "namespace": "research-sandbox"}, "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [group], "resources": [resource], "verbs": [verb]}]
    subject = {"kind": "ServiceAccount", "name": "agent", "namespace": "research-agent"}
    reference = {"kind": "Role", "name": "more", "apiGroup": api}
    return lambda w: w.apply(
        {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": meta, "rules": rules},
        {
            "apiVersion": f"{api}/v1",
            "kind": "RoleBinding",
            "metadata": meta,
            "roleRef": reference,
            "subjects": [subject],
        },
    )
