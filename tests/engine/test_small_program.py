"""A small sealed network under the real engine: preview, up, up again, update, destroy, and an interruption."""

import ipaddress
from collections.abc import Callable

import pulumi
import pulumi_aws as aws
import pytest
from real_engine import Engine, changes

pytestmark = [pytest.mark.lane("engine", "pulumi"), pytest.mark.xdist_group("engine")]


def network(subnets: int, *, dns_hostnames: bool = True) -> Callable[[], None]:
    """A VPC with as many subnets as asked for, each with its own table and network ACL, and an emptied group."""

    def program() -> None:
        vpc = aws.ec2.Vpc("main", cidr_block="10.42.0.0/16", enable_dns_hostnames=dns_hostnames, tags={"Name": "main"})
        aws.ec2.DefaultSecurityGroup("closed", vpc_id=vpc.id, ingress=[], egress=[])
        group = aws.ec2.SecurityGroup("nodes", name="nodes", vpc_id=vpc.id, description="nodes", egress=[], ingress=[])
        aws.vpc.SecurityGroupEgressRule(
            "https",
            security_group_id=group.id,
            cidr_ipv4="10.42.0.0/16",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
        )
        for n, cidr in zip(range(subnets), ipaddress.ip_network("10.42.0.0/16").subnets(new_prefix=24), strict=False):
            zone = f"us-east-1{'ab'[n % 2]}"
            subnet = aws.ec2.Subnet(f"subnet-{n}", vpc_id=vpc.id, cidr_block=str(cidr), availability_zone=zone)
            table = aws.ec2.RouteTable(f"table-{n}", vpc_id=vpc.id)
            aws.ec2.RouteTableAssociation(f"table-{n}", route_table_id=table.id, subnet_id=subnet.id)
        domains = aws.route53.ResolverFirewallDomainList("allowed", name="allowed", domains=["example.com."])
        pulumi.export("vpc", vpc.id)
        pulumi.export("domains", domains.id)

    return program


A_SUBNET = 3
"""A subnet, its table, their association."""
FIXED = 5
"""The VPC, its default group, the nodes' group with its rule, the domain list."""


def test_preview_makes_nothing_and_up_makes_what_preview_said(engine: Engine) -> None:
    stack = engine.stack(network(2))
    foreseen = changes(stack.preview())
    assert foreseen == {"create": FIXED + 2 * A_SUBNET + 1}  # and the stack itself
    assert not _vpcs(engine)
    made = stack.up()
    assert changes(made) == foreseen
    vpc = made.outputs["vpc"].value
    assert _vpcs(engine) == [vpc]
    assert len(engine.aws.call("ec2.describe_subnets", Filters=_of(vpc))["Subnets"]) == 2
    held = engine.aws.call("route53resolver.list_firewall_domains", FirewallDomainListId=made.outputs["domains"].value)
    assert held["Domains"] == ["example.com."]


def test_a_second_up_and_a_refresh_find_no_changes(engine: Engine) -> None:
    stack = engine.stack(network(2))
    stack.up()
    assert changes(stack.preview()) == {}
    assert changes(stack.up()) == {}
    assert changes(stack.refresh()) == {}


def test_an_added_subnet_is_the_whole_difference(engine: Engine) -> None:
    engine.stack(network(1)).up()
    stack = engine.stack(network(2))
    assert changes(stack.preview()) == {"create": A_SUBNET}
    assert changes(stack.up()) == {"create": A_SUBNET}


def test_an_attribute_is_changed_in_place(engine: Engine) -> None:
    vpc = engine.stack(network(1)).up().outputs["vpc"].value
    assert changes(engine.stack(network(1, dns_hostnames=False)).up()) == {"update": 1}
    attribute = engine.aws.call("ec2.describe_vpc_attribute", VpcId=vpc, Attribute="enableDnsHostnames")
    assert attribute["EnableDnsHostnames"]["Value"] is False


def test_what_someone_removed_behind_the_engine_is_made_again(engine: Engine) -> None:
    stack = engine.stack(network(1))
    vpc = stack.up().outputs["vpc"].value
    group = _groups(engine, vpc)["nodes"]
    rules = engine.aws.call("ec2.describe_security_group_rules", Filters=[{"Name": "group-id", "Values": [group]}])
    rule = next(r["SecurityGroupRuleId"] for r in rules["SecurityGroupRules"] if r["IsEgress"])
    engine.aws.call("ec2.revoke_security_group_egress", GroupId=group, SecurityGroupRuleIds=[rule])
    stack.refresh()
    assert changes(stack.up()) == {"create": 1}


def test_destroy_leaves_nothing(engine: Engine) -> None:
    before = _vpcs(engine)
    stack = engine.stack(network(2))
    stack.up()
    stack.destroy()
    assert _vpcs(engine) == before == []
    assert "FirewallDomainList" not in " ".join(engine.held())


def test_what_aws_refuses_names_the_resource(engine: Engine) -> None:
    def overlapping() -> None:
        vpc = aws.ec2.Vpc("main", cidr_block="10.42.0.0/16")
        aws.ec2.Subnet("outside", vpc_id=vpc.id, cidr_block="10.43.0.0/24")

    with pytest.raises(pulumi.automation.CommandError, match=r"(?s)outside.*InvalidSubnet\.Range"):
        engine.stack(overlapping).up()


def test_a_misspelt_property_is_refused_before_anything_is_made(engine: Engine) -> None:
    def misspelt() -> None:
        pulumi.CustomResource("aws:ec2/vpc:Vpc", "main", {"cidrBlok": "10.42.0.0/16"})

    with pytest.raises(pulumi.automation.CommandError, match="has no property cidrBlok"):
        engine.stack(misspelt).preview()


def _of(vpc: str) -> list[dict[str, object]]:
    return [{"Name": "vpc-id", "Values": [vpc]}]


def _vpcs(engine: Engine) -> list[str]:
    """moto has a default VPC in each account; the program's are the others."""
    found = engine.aws.call("ec2.describe_vpcs", Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"]
    return [vpc["VpcId"] for vpc in found]


def _groups(engine: Engine, vpc: str) -> dict[str, str]:
    found = engine.aws.call("ec2.describe_security_groups", Filters=_of(vpc))["SecurityGroups"]
    return {group["GroupName"]: group["GroupId"] for group in found}
