"""The sealed VPC, read back: subnets as planned, tables of their own, defaults emptied, nothing that leads out."""

from typing import Any

import pytest

from infra.settings.addresses import Tier


@pytest.fixture
def ec2(network: Any) -> Any:
    return network.cloud.client("ec2")


def of_vpc(network: Any) -> list[dict[str, Any]]:
    return [{"Name": "vpc-id", "Values": [network.run.resources and network.observed.vpc]}]


def test_subnets_have_the_addresses_of_the_plan(network: Any, ec2: Any) -> None:
    found = ec2.describe_subnets(Filters=of_vpc(network))["Subnets"]
    plan = network.settings.network.plan()
    assert {(s["CidrBlock"], s["AvailabilityZone"]) for s in found} == {
        (str(place.cidr), place.zone) for place in plan.places.values()
    }
    tiers = {s["CidrBlock"]: {t["Key"]: t["Value"] for t in s["Tags"]}["sequester:tier"] for s in found}
    assert tiers == {str(place.cidr): place.tier for place in plan.places.values()}


def test_each_subnet_has_a_table_that_leads_nowhere_else(network: Any, ec2: Any) -> None:
    tables = ec2.describe_route_tables(Filters=of_vpc(network))["RouteTables"]
    own = [table for table in tables if any(a.get("SubnetId") for a in table["Associations"])]
    assert len(own) == len(network.observed.subnets)
    for table in own:
        assert len(table["Associations"]) == 1
        targets = [r["GatewayId"] for r in table["Routes"] if r["GatewayId"] != "local"]
        assert all(target.startswith("vpce-") for target in targets)


def test_only_nodes_are_routed_to_s3(network: Any) -> None:
    (s3,) = [e for e in network.observed.endpoints if e.service == "s3"]
    tiers = {s.id: s.tier for s in network.observed.subnets}
    assert sorted(tiers[subnet] for t in network.observed.tables if t.id in s3.tables for subnet in t.subnets) == [
        Tier.SANDBOX,
        Tier.SANDBOX,
        Tier.SYSTEM,
        Tier.SYSTEM,
    ]


def test_defaults_are_taken_over(network: Any, ec2: Any) -> None:
    (group,) = ec2.describe_security_groups(Filters=[*of_vpc(network), {"Name": "group-name", "Values": ["default"]}])[
        "SecurityGroups"
    ]
    assert (group["IpPermissions"], group["IpPermissionsEgress"]) == ([], [])
    (acl,) = ec2.describe_network_acls(Filters=[*of_vpc(network), {"Name": "default", "Values": ["true"]}])[
        "NetworkAcls"
    ]
    assert {entry["RuleAction"] for entry in acl["Entries"]} == {"deny"}
    assert acl["Associations"] == []


def test_names_come_from_the_vpcs_resolver(network: Any, ec2: Any) -> None:
    vpc = ec2.describe_vpcs(VpcIds=[network.observed.vpc])["Vpcs"][0]
    (options,) = ec2.describe_dhcp_options(DhcpOptionsIds=[vpc["DhcpOptionsId"]])["DhcpOptions"]
    assert {one["Key"]: [v["Value"] for v in one["Values"]] for one in options["DhcpConfigurations"]} == {
        "domain-name": ["ec2.internal"],
        "domain-name-servers": ["AmazonProvidedDNS"],
    }


def test_every_resource_that_can_carry_tags_carries_the_stacks(network: Any) -> None:
    taggable = [r for r in network.run.resources if r.id and "tags" in r.inputs]
    assert len(taggable) > 50
    assert {r.inputs["tags"]["sequester:stack"] for r in taggable} == {"sequester"}


def test_a_zone_that_is_appended_moves_nobody(read_back: Any, configuration: Any, network: Any) -> None:
    before = {subnet.cidr for subnet in network.observed.subnets}
    plan = network.settings.network
    wider = plan.model_copy(update={"azs": (*plan.azs, "us-east-1c")}).plan()
    assert before < {str(place.cidr) for place in wider.places.values()}
