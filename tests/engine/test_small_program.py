"""A small sealed network under the real engine: preview, up, up again, update, destroy, and an interruption."""

import ipaddress
import sys
from collections.abc import Callable
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pytest
from real_engine import Engine, changes

pytestmark = [pytest.mark.lane("engine", "pulumi", "pulumi-language-python"), pytest.mark.xdist_group("engine")]


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


def test_the_life_of_a_stack(engine: Engine) -> None:
    stack = engine.stack(network(1))
    before = _vpcs(engine)

    foreseen = changes(stack.preview())
    assert foreseen == {"create": FIXED + A_SUBNET + 1}  # and the stack itself
    assert _vpcs(engine) == before, "a preview made something"

    made = stack.up()
    vpc, domains = made.outputs["vpc"].value, made.outputs["domains"].value
    assert changes(made) == foreseen
    assert sorted(_vpcs(engine)) == sorted([*before, vpc])
    held = engine.aws.call("route53resolver.list_firewall_domains", FirewallDomainListId=domains)
    assert held["Domains"] == ["example.com."]

    assert changes(stack.up()) == {}, "a second up found changes"
    assert changes(stack.refresh()) == {}, "the cloud says something else than the state"

    wider = engine.stack(network(2))
    assert changes(wider.preview()) == {"create": A_SUBNET}
    assert changes(wider.up()) == {"create": A_SUBNET}
    assert len(engine.aws.call("ec2.describe_subnets", Filters=_of(vpc))["Subnets"]) == 2

    assert changes(engine.stack(network(2, dns_hostnames=False)).up()) == {"update": 1}
    attribute = engine.aws.call("ec2.describe_vpc_attribute", VpcId=vpc, Attribute="enableDnsHostnames")
    assert attribute["EnableDnsHostnames"]["Value"] is False

    _revoke(engine, _groups(engine, vpc)["nodes"])
    drifted = engine.stack(network(2, dns_hostnames=False))
    assert changes(drifted.refresh()) == {"delete": 1}, "the refresh did not see that a rule is gone"
    assert changes(drifted.up()) == {"create": 1}

    drifted.destroy()
    assert _vpcs(engine) == before
    assert not [line for line in engine.held() if domains in line]


def test_an_interrupted_up_converges(engine: Engine) -> None:
    """The engine is killed after its third resource: nothing of it is left running, its state has a hole."""

    def tables() -> None:
        vpc = aws.ec2.Vpc("main", cidr_block="10.42.0.0/16")
        for n in range(6):
            aws.ec2.RouteTable(f"table-{n}", vpc_id=vpc.id, tags={"Name": f"table-{n}"})

    stack = engine.stack(tables)
    done: list[str] = []

    def kill(event: pulumi.automation.EngineEvent) -> None:
        if event.res_outputs_event:
            done.append(event.res_outputs_event.metadata.urn)
            if len(done) == 3:
                engine.kill()

    with pytest.raises(pulumi.automation.CommandError):
        stack.up(parallel=1, on_event=kill)
    assert 0 < len(_tables(engine)) < 6

    stack.cancel()  # the dead engine's lock
    engine.run("refresh", "--yes", "--clear-pending-creates", "--stack", "dev")
    finished = stack.up()
    assert changes(stack.up()) == {}
    assert finished.summary.result == "succeeded"
    in_state = {
        r["id"] for r in (stack.export_stack().deployment or {})["resources"] if r["type"].endswith("RouteTable")
    }
    assert len(in_state) == 6
    assert in_state <= _tables(engine)
    assert len(_tables(engine) - in_state) <= 1, "more was lost than the one create that was under way"


def test_a_policy_pack_sees_the_plan(engine: Engine, tmp_path: Path) -> None:
    """The hook that our own pack hangs on: a mandatory violation stops a preview; without it, the same passes."""
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text("name: trivial\nruntime: python\n")
    (pack / "__main__.py").write_text(PACK)

    def way_out() -> None:
        aws.ec2.InternetGateway("way-out")

    stack = engine.stack(way_out)
    assert changes(stack.preview()) == {"create": 2}
    with pytest.raises(pulumi.automation.CommandError, match="no internet gateway here"):
        stack.preview(policy_packs=[str(pack)])


PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy


def sealed(args, report):
    if args.resource_type == "aws:ec2/internetGateway:InternetGateway":
        report("no internet gateway here")


PolicyPack("trivial", [ResourceValidationPolicy("sealed", "nothing leads out", sealed, EnforcementLevel.MANDATORY)])
"""


def test_a_directory_program_runs_in_the_projects_environment(engine: Engine, tmp_path: Path) -> None:
    """`main:` in a subfolder, the interpreter of the named environment, a setting read from the stack's file."""
    project = tmp_path / "project"
    (project / "program").mkdir(parents=True)
    environment = Path(sys.prefix)
    (project / "Pulumi.yaml").write_text(
        "name: sequester\nmain: program\n"
        f"runtime: {{name: python, options: {{toolchain: pip, virtualenv: {environment}}}}}\n"
    )
    (project / "program" / "__main__.py").write_text(
        "import pulumi\nimport pulumi_aws as aws\naws.ec2.Vpc('main', cidr_block=pulumi.Config().require('cidr'))\n"
    )
    engine.run("stack", "init", "dev", folder=project)
    engine.run("config", "set", "cidr", "10.77.0.0/16", "--stack", "dev", folder=project)
    engine.run("up", "--yes", "--skip-preview", "--stack", "dev", folder=project)
    cidrs = {vpc["CidrBlock"] for vpc in engine.aws.call("ec2.describe_vpcs")["Vpcs"]}
    assert "10.77.0.0/16" in cidrs


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


def _revoke(engine: Engine, group: str) -> None:
    held = engine.aws.call("ec2.describe_security_group_rules", Filters=[{"Name": "group-id", "Values": [group]}])
    rule = next(r["SecurityGroupRuleId"] for r in held["SecurityGroupRules"] if r["IsEgress"])
    engine.aws.call("ec2.revoke_security_group_egress", GroupId=group, SecurityGroupRuleIds=[rule])


def _tables(engine: Engine) -> set[str]:
    """The route tables of the interrupted program, by their tags: its own, and those it lost sight of."""
    named = [{"Name": "tag:Name", "Values": ["table-*"]}]
    found = engine.aws.call("ec2.describe_route_tables", Filters=named)["RouteTables"]
    return {table["RouteTableId"] for table in found}


def _of(vpc: str) -> list[dict[str, object]]:
    return [{"Name": "vpc-id", "Values": [vpc]}]


def _vpcs(engine: Engine) -> list[str]:
    """moto has a default VPC in each account; the program's are the others."""
    found = engine.aws.call("ec2.describe_vpcs", Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"]
    return [vpc["VpcId"] for vpc in found]


def _groups(engine: Engine, vpc: str) -> dict[str, str]:
    found = engine.aws.call("ec2.describe_security_groups", Filters=_of(vpc))["SecurityGroups"]
    return {group["GroupName"]: group["GroupId"] for group in found}
