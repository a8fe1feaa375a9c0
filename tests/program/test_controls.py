"""Take a control away, or open a way out beside it: the check of that control must turn red."""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pulumi_aws as aws
import pytest

from infra.filters import Group
from infra.settings.addresses import Tier
from sequester.cloud import Edit
from sequester.readback import CONTROLS, Observed, check

Inputs = dict[str, Any]


class Mutation(NamedTuple):
    control: str
    name: str
    says: str
    edit: Callable[[Any], Edit]


def drop(type_: str, name: str = "") -> Callable[[Any], Edit]:
    """Leave out every resource of a type whose name contains `name`."""
    return lambda _: Edit(change=lambda t, n, inputs: None if t.endswith(f":{type_}") and name in n else inputs)


def alter(type_: str, name: str, change: Callable[[Inputs], Inputs] | Inputs) -> Callable[[Any], Edit]:
    """Change inputs of every resource of a type whose name contains `name`; a None takes an input away."""

    def apply(t: str, n: str, inputs: Inputs) -> Inputs:
        if not t.endswith(f":{type_}") or name not in n:
            return inputs
        new = {**inputs, **(change(inputs) if callable(change) else change)}
        return {key: value for key, value in new.items() if value is not None}

    return lambda _: Edit(change=apply)


def add(make: Callable[[Any], object]) -> Callable[[Any], Edit]:
    """Make something more, from what the program made."""

    def edit(program: Any) -> Edit:
        return Edit(add=lambda: (make(program.base), None)[1])

    return edit


def policy(change: Callable[[dict[str, Any]], None]) -> Callable[[Inputs], Inputs]:
    """Change each statement of a policy."""

    def apply(inputs: Inputs) -> Inputs:
        document = json.loads(inputs["policy"])
        for statement in document["Statement"]:
            change(statement)
        return {"policy": json.dumps(document)}

    return apply


def subnet(base: Any, tier: Tier) -> Any:
    return base.ground.tier(tier)[0]


def internet_route(base: Any) -> None:
    gateway = aws.ec2.InternetGateway("way-out", vpc_id=base.ground.vpc)
    aws.ec2.Route(
        "way-out",
        route_table_id=subnet(base, Tier.SANDBOX).route_table,
        destination_cidr_block="0.0.0.0/0",
        gateway_id=gateway.id,
    )


def main_route(base: Any) -> None:
    gateway = aws.ec2.InternetGateway("way-out", vpc_id=base.ground.vpc)
    main = aws.ec2.RouteTable("main", vpc_id=base.ground.vpc)
    aws.ec2.Route("way-out", route_table_id=main.id, destination_cidr_block="0.0.0.0/0", gateway_id=gateway.id)
    aws.ec2.MainRouteTableAssociation("main", vpc_id=base.ground.vpc, route_table_id=main.id)


def peering(base: Any) -> None:
    other = aws.ec2.Vpc("other", cidr_block="10.99.0.0/16")
    aws.ec2.VpcPeeringConnection("other", vpc_id=base.ground.vpc, peer_vpc_id=other.id, auto_accept=True)


def transit(base: Any) -> None:
    hub = aws.ec2transitgateway.TransitGateway("hub")
    aws.ec2transitgateway.VpcAttachment(
        "hub",
        transit_gateway_id=hub.id,
        vpc_id=base.ground.vpc,
        subnet_ids=[subnet(base, Tier.SYSTEM).id],
    )


def public_address(base: Any) -> None:
    interface = aws.ec2.NetworkInterface("public", subnet_id=subnet(base, Tier.SYSTEM).id)
    aws.ec2.Eip("public", domain="vpc", network_interface=interface.id)


def forward(base: Any) -> None:
    outbound = aws.route53.ResolverEndpoint(
        "elsewhere",
        name="elsewhere",
        direction="OUTBOUND",
        security_group_ids=[base.filters.groups[Group.SYSTEM_NODE].id],
        ip_addresses=[{"subnet_id": one.id} for one in base.ground.tier(Tier.SYSTEM)],
    )
    rule = aws.route53.ResolverRule(
        "elsewhere",
        name="elsewhere",
        domain_name="example.com",
        rule_type="FORWARD",
        resolver_endpoint_id=outbound.id,
        target_ips=[{"ip": "203.0.113.53", "port": 53}],
    )
    aws.route53.ResolverRuleAssociation("elsewhere", name="elsewhere", resolver_rule_id=rule.id, vpc_id=base.ground.vpc)


def rule_to_anywhere(base: Any) -> None:
    aws.vpc.SecurityGroupEgressRule(
        "anywhere",
        security_group_id=base.filters.groups[Group.SANDBOX_NODE].id,
        cidr_ipv4="0.0.0.0/0",
        ip_protocol="-1",
    )


def rule_between_sandboxes(base: Any) -> None:
    group = base.filters.groups[Group.SANDBOX_NODE]
    aws.vpc.SecurityGroupIngressRule(
        "among",
        security_group_id=group.id,
        referenced_security_group_id=group.id,
        ip_protocol="tcp",
        from_port=8080,
        to_port=8080,
    )


def sandbox_to_door(base: Any) -> None:
    aws.vpc.SecurityGroupEgressRule(
        "door",
        security_group_id=base.filters.groups[Group.SANDBOX_NODE].id,
        referenced_security_group_id=base.filters.groups[Group.SYSTEM_ENDPOINT].id,
        ip_protocol="tcp",
        from_port=443,
        to_port=443,
    )


def eks_group_on_a_node(base: Any) -> None:
    theirs = aws.ec2.SecurityGroup("theirs", name="eks-cluster-sg-sequester", vpc_id=base.ground.vpc)
    aws.ec2.NetworkInterface(
        "node", subnet_id=subnet(base, Tier.SANDBOX).id, description="node", security_groups=[theirs.id]
    )


def foreign_endpoint(base: Any) -> None:
    aws.ec2.VpcEndpoint(
        "foreign",
        vpc_id=base.ground.vpc,
        service_name="com.amazonaws.us-east-1.sqs",
        vpc_endpoint_type="Interface",
        private_dns_enabled=True,
        subnet_ids=[subnet(base, Tier.ENDPOINT).id],
        security_group_ids=[base.filters.groups[Group.SANDBOX_ENDPOINT].id],
        policy=json.dumps(
            {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"}]}
        ),
    )


def ipv6_acl(_: Any) -> Edit:
    """Turn the sandbox tier's last rule, for S3, into one for all of IPv6."""

    def apply(t: str, n: str, inputs: Inputs) -> Inputs:
        if t.endswith(":NetworkAclRule") and "sandbox-out" in n and inputs.get("cidrBlock") == "0.0.0.0/0":
            kept = {key: value for key, value in inputs.items() if key != "cidrBlock"}
            return {**kept, "ipv6CidrBlock": "::/0"}
        return inputs

    return Edit(change=apply)


def addresses_elsewhere(inputs: Inputs) -> Inputs:
    moved = [{**one, "ipv4": f"{one['ipv4'].rpartition('.')[0]}.40"} for one in inputs["subnetConfigurations"]]
    return {"subnetConfigurations": moved}


ENDPOINT = "VpcEndpoint"
MUTATIONS = (
    Mutation(
        "no-internet-gateway",
        "internet gateway",
        "igw-",
        add(lambda b: aws.ec2.InternetGateway("x", vpc_id=b.ground.vpc)),
    ),
    Mutation(
        "no-egress-only-gateway",
        "egress-only gateway",
        "eigw-",
        add(lambda b: aws.ec2.EgressOnlyInternetGateway("x", vpc_id=b.ground.vpc)),
    ),
    Mutation(
        "no-nat",
        "private NAT gateway",
        "nat-",
        add(lambda b: aws.ec2.NatGateway("x", subnet_id=subnet(b, Tier.SYSTEM).id, connectivity_type="private")),
    ),
    Mutation("no-vpn", "VPN gateway", "vgw-", add(lambda b: aws.ec2.VpnGateway("x", vpc_id=b.ground.vpc))),
    Mutation("no-transit", "transit gateway attachment", "tgw-attach-", add(transit)),
    Mutation("no-peering", "peering", "pcx-", add(peering)),
    Mutation("no-public-address", "elastic address", "eni-", add(public_address)),
    Mutation(
        "no-public-on-launch",
        "public on launch",
        "public addresses on launch",
        alter("Subnet", "sandbox", {"mapPublicIpOnLaunch": True}),
    ),
    Mutation(
        "no-ipv6-on-launch",
        "IPv6 on launch",
        "IPv6 addresses on launch",
        alter("Subnet", "sandbox", {"assignIpv6AddressOnCreation": True}),
    ),
    Mutation("local-routes", "route to the internet", "route to 0.0.0.0/0", add(internet_route)),
    Mutation(
        "own-route-table",
        "no association",
        "no route table of its own",
        drop("RouteTableAssociation", "sandbox-us-east-1a"),
    ),
    Mutation("s3-routed", "no route to S3", "no route to S3", drop("VpcEndpointRouteTableAssociation", "sandbox")),
    Mutation("default-table-empty", "main table leads out", "main route table", add(main_route)),
    Mutation("default-group-empty", "default group kept", "default security group", drop("DefaultSecurityGroup")),
    Mutation("default-acl-empty", "default ACL kept", "default network ACL allows", drop("DefaultNetworkAcl")),
    Mutation(
        "acl-exact",
        "sandbox ACL lets the VPC in",
        "sandbox: TCP 22 from 10.42.128.5 passes",
        alter("NetworkAclRule", "sandbox-in-500", {"ruleAction": "allow"}),
    ),
    Mutation(
        "acl-exact",
        "sandbox ACL lets every port out",
        "sandbox: TCP 22 to 203.0.113.10 passes",
        alter("NetworkAclRule", "sandbox-out-600", {"fromPort": 0, "toPort": 65535}),
    ),
    Mutation(
        "acl-exact",
        "sandbox tier has the default ACL",
        "sandbox: TCP 443 to 10.42.192.16 is needed and denied",
        drop("NetworkAclAssociation", "sandbox"),
    ),
    Mutation(
        "acl-exact",
        "endpoint ACL lets all in",
        "endpoint: TCP 443 from 203.0.113.10 passes",
        alter("NetworkAclRule", "endpoint-in-100", {"cidrBlock": "0.0.0.0/0"}),
    ),
    Mutation(
        "acl-exact",
        "a needed rule is missing",
        "control: TCP 10250 to 10.42.0.5 is needed and denied",
        drop("NetworkAclRule", "control-out"),
    ),
    Mutation("acl-no-ipv6", "ACL lets IPv6 out", "allows IPv6", ipv6_acl),
    Mutation(
        "groups-exact",
        "egress left out, so AWS's own stays",
        "sandbox-node lets through: out 0.0.0.0/0 -1",
        alter("SecurityGroup", "sandbox-node", {"egress": None}),
    ),
    Mutation(
        "groups-exact", "egress to anywhere", "sandbox-node lets through: out 0.0.0.0/0 -1", add(rule_to_anywhere)
    ),
    Mutation(
        "groups-exact",
        "sandboxes reach each other",
        "lets through: in sandbox-node tcp 8080",
        add(rule_between_sandboxes),
    ),
    Mutation(
        "groups-exact", "sandboxes reach the door", "lets through: out system-endpoint tcp 443", add(sandbox_to_door)
    ),
    Mutation(
        "groups-exact",
        "every port to the control plane",
        "lets through: out control tcp 0-65535",
        alter("SecurityGroupEgressRule", "sandbox-node-to-control", {"fromPort": 0, "toPort": 65535}),
    ),
    Mutation("groups-exact", "a node has EKS's own group", "is held by node", add(eks_group_on_a_node)),
    Mutation("endpoint-known", "another service", "sqs: is no service", add(foreign_endpoint)),
    Mutation(
        "endpoint-policy", "no policy", "ec2: has AWS's default policy", alter(ENDPOINT, "-ec2", {"policy": None})
    ),
    Mutation(
        "endpoint-policy",
        "every action",
        "logs: has AWS's default policy",
        alter(ENDPOINT, "-logs", policy(lambda s: s.update(Action="*"))),
    ),
    Mutation(
        "endpoint-account",
        "any account's credentials",
        "ec2: Describe does not bind aws:PrincipalAccount",
        alter(ENDPOINT, "-ec2", policy(lambda s: s["Condition"]["StringEquals"].pop("aws:PrincipalAccount"))),
    ),
    Mutation(
        "endpoint-account",
        "any account's resources",
        "logs: OwnStreams does not bind aws:ResourceAccount",
        alter(ENDPOINT, "-logs", policy(lambda s: s["Condition"]["StringEquals"].pop("aws:ResourceAccount"))),
    ),
    Mutation(
        "endpoint-exceptions",
        "any bucket",
        "reaches more than AWS's own",
        alter(ENDPOINT, "-s3", policy(lambda s: s.update(Resource="arn:aws:s3:::*"))),
    ),
    Mutation(
        "endpoint-exceptions",
        "writes to the layer bucket",
        "does more than read",
        alter(ENDPOINT, "-s3", policy(lambda s: s.update(Action=["s3:GetObject", "s3:PutObject"]))),
    ),
    Mutation(
        "endpoint-doors",
        "any function",
        "more than the tenants' doors",
        alter(
            ENDPOINT, "-lambda", policy(lambda s: s.update(Resource="arn:aws:lambda:us-east-1:123456789012:function:*"))
        ),
    ),
    Mutation(
        "endpoint-doors",
        "change functions",
        "more than invoking",
        alter(ENDPOINT, "-lambda", policy(lambda s: s.update(Action="lambda:UpdateFunctionCode"))),
    ),
    Mutation(
        "endpoint-group",
        "no group of the design",
        "lambda: is not held",
        alter(ENDPOINT, "-lambda", {"securityGroupIds": None}),
    ),
    Mutation(
        "endpoint-address",
        "addresses outside of the block",
        "10.42.192.40 is outside",
        alter(ENDPOINT, "-lambda", addresses_elsewhere),
    ),
    Mutation(
        "endpoint-private-dns",
        "public name kept",
        "lambda: its name",
        alter(ENDPOINT, "-lambda", {"privateDnsEnabled": False}),
    ),
    Mutation(
        "aws-resolver",
        "foreign resolver",
        "resolves by 203.0.113.53",
        alter("VpcDhcpOptions", "", {"domainNameServers": ["203.0.113.53"]}),
    ),
    Mutation("no-forwarding", "forwarded domain", "rslvr-rr-", add(forward)),
    Mutation(
        "names-listed",
        "one name more",
        "attacker.example.com",
        alter("ResolverFirewallDomainList", "allowed", lambda i: {"domains": [*i["domains"], "attacker.example.com"]}),
    ),
    Mutation(
        "names-listed",
        "a wildcard of AWS's",
        "*.s3.us-east-1",
        alter(
            "ResolverFirewallDomainList",
            "allowed",
            lambda i: {"domains": [*i["domains"], "*.s3.us-east-1.amazonaws.com"]},
        ),
    ),
    Mutation("names-listed", "nothing blocked", "does not block", drop("ResolverFirewallRule", "block")),
    Mutation(
        "names-listed", "firewall not associated", "has no DNS Firewall", drop("ResolverFirewallRuleGroupAssociation")
    ),
    Mutation(
        "names-fail-closed",
        "fails open",
        "is ENABLED",
        alter("ResolverFirewallConfig", "", {"firewallFailOpen": "ENABLED"}),
    ),
    Mutation("names-fail-closed", "nothing stated", "is not stated", drop("ResolverFirewallConfig")),
    Mutation("queries-logged", "not associated", "nobody logs", drop("ResolverQueryLogConfigAssociation")),
    Mutation("flows-logged", "no flow log", "no flow log", drop("FlowLog")),
    Mutation("flows-logged", "rejected traffic only", "no flow log", alter("FlowLog", "", {"trafficType": "REJECT"})),
    Mutation("flow-fields", "AWS's default format", "flow logs lack", alter("FlowLog", "", {"logFormat": None})),
    Mutation("log-groups", "EKS makes its own", "/aws/eks/sequester/cluster", drop("LogGroup", "aws-eks")),
    Mutation("logs-encrypted", "no key", "/flow: is not encrypted", alter("LogGroup", "flow", {"kmsKeyId": None})),
    Mutation(
        "logs-retained", "kept for ever", "/resolver: keeps", alter("LogGroup", "resolver", {"retentionInDays": None})
    ),
    Mutation(
        "logs-retained",
        "kept for a day",
        "keeps records for 1 days",
        alter("LogGroup", "resolver", {"retentionInDays": 1}),
    ),
    Mutation("log-key", "never rotates", "does not rotate", alter("Key", "logs", {"enableKeyRotation": False})),
    Mutation(
        "log-key",
        "any log group",
        "more than our log groups",
        alter("Key", "logs", policy(lambda s: s.pop("Condition", None))),
    ),
)


RUNS = 10
"""A run takes seconds, so mutations share one; those of one control are neighbours above, and never share."""
BATCHES = [MUTATIONS[first::RUNS] for first in range(RUNS)]


def together(batch: Sequence[Mutation]) -> Callable[[Any], Edit]:
    """All edits of a batch as one."""

    def edit(program: Any) -> Edit:
        edits = [mutation.edit(program) for mutation in batch]

        def change(type_: str, name: str, inputs: Any) -> Any:
            for one in edits:
                inputs = None if inputs is None else one.change(type_, name, inputs)
            return inputs

        def more() -> None:
            for one in edits:
                one.add()

        return Edit(change=change, add=more)

    return edit


def test_the_blueprint_has_no_finding(read_back: Callable[..., Observed]) -> None:
    assert [str(finding) for finding in check(read_back())] == []


def test_every_control_has_a_mutation_and_an_id_of_its_own() -> None:
    ids = [control.id for control in CONTROLS]
    assert len(set(ids)) == len(ids)
    assert {mutation.control for mutation in MUTATIONS} == set(ids)


@pytest.mark.parametrize("batch", BATCHES, ids=lambda batch: "; ".join(one.name for one in batch))
def test_a_control_that_is_gone_is_found(read_back: Callable[..., Observed], batch: Sequence[Mutation]) -> None:
    """Each is found by its own control and with its own words."""
    findings = check(read_back(together(batch)))
    for mutation in batch:
        own = [str(f) for f in findings if f.id == mutation.control]
        assert any(mutation.says in line for line in own), (mutation.name, own)
