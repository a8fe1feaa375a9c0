"""A VPC that was there already: the same checks hold on it, and what the blueprint does not own is listed."""

from collections.abc import Iterator
from typing import Any

import pytest

from infra.ownership import not_owned
from infra.settings import parse
from infra.settings.addresses import Tier
from sequester.cloud import EmbeddedCloud
from sequester.readback import Layout, check, observe
from sequester.standing import blueprint

CIDR = "10.50.0.0/16"
ZONES = ("us-east-1a", "us-east-1b")


def bare_vpc(ec2: Any) -> dict[str, Any]:
    """What an owner would bring: subnets with a route table each, defaults emptied; the literals of the settings."""
    vpc = ec2.create_vpc(CidrBlock=CIDR)["Vpc"]["VpcId"]
    mine = [{"Name": "vpc-id", "Values": [vpc]}]
    (group,) = ec2.describe_security_groups(Filters=mine)["SecurityGroups"]
    ec2.revoke_security_group_egress(GroupId=group["GroupId"], IpPermissions=group["IpPermissionsEgress"])
    (acl,) = ec2.describe_network_acls(Filters=mine)["NetworkAcls"]
    for entry in acl["Entries"]:
        if entry["RuleAction"] == "allow":
            ec2.delete_network_acl_entry(
                NetworkAclId=acl["NetworkAclId"], RuleNumber=entry["RuleNumber"], Egress=entry["Egress"]
            )
    subnets: dict[str, list[dict[str, str]]] = {}
    for number, (tier, zone) in enumerate((tier, zone) for tier in Tier for zone in ZONES):
        cidr = f"10.50.{number * 4}.0/24"
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"]
        ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.associate_route_table(SubnetId=subnet, RouteTableId=table)
        subnets.setdefault(tier, []).append({"id": subnet, "cidr": cidr, "az": zone, "route_table": table})
    return {"vpc": vpc, "subnets": subnets}


@pytest.fixture
def cloud() -> Iterator[EmbeddedCloud]:
    with EmbeddedCloud() as one:
        yield one


def deploy(cloud: EmbeddedCloud, configuration: Any) -> tuple[Any, Any, list[str]]:
    existing = bare_vpc(cloud.client("ec2"))
    configuration["sequester:network"] = {"cidr": CIDR, "azs": list(ZONES), "existing": existing}
    run = cloud.up(blueprint, config=configuration)
    settings = parse({key.partition(":")[2]: value for key, value in configuration.items()})
    return run, settings, [str(f) for f in check(observe(cloud.client, Layout.of(settings)))]


def test_the_same_checks_hold_and_what_is_not_owned_is_listed(cloud: EmbeddedCloud, configuration: Any) -> None:
    run, settings, findings = deploy(cloud, configuration)
    assert findings == []
    made = {resource.type for resource in run.resources}
    assert not made & {"aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:ec2/routeTable:RouteTable"}
    assert run.outputs["not_owned"] == [item.line for item in not_owned(settings)]
    tables = {s.route_table for subnets in settings.network.existing.subnets.values() for s in subnets}
    assert tables == {item.id for item in not_owned(settings) if item.what == "route table"}
    assert all(item.check.startswith("aws ec2 describe-") and item.must for item in not_owned(settings))


def test_what_its_owner_does_is_found(cloud: EmbeddedCloud, configuration: Any) -> None:
    _, settings, _ = deploy(cloud, configuration)
    ec2 = cloud.client("ec2")
    vpc, subnets = settings.network.existing.vpc, settings.network.existing.subnets
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.create_route(
        RouteTableId=subnets[Tier.SANDBOX][0].route_table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway
    )
    reds = {finding.id for finding in check(observe(cloud.client, Layout.of(settings)))}
    assert reds == {"no-internet-gateway", "local-routes"}


def test_a_network_of_ours_owns_all(configuration: Any) -> None:
    settings = parse({key.partition(":")[2]: value for key, value in configuration.items()})
    assert not_owned(settings) == ()
