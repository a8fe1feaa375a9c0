"""What AWS refuses or does, and moto does not: the table refuses or does it too. Each has its accepted counterpart."""

import json
from collections.abc import Callable
from typing import Any

import pulumi_aws as aws
import pytest

from sequester.cloud import CreateFailedError, EmbeddedCloud, RefusedError, kinds, lifecycle

ZONE = "us-east-1a"


def in_vpc(body: Callable[[aws.ec2.Vpc], object]) -> Callable[[], None]:
    def program() -> None:
        body(aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16"))

    return program


def subnet(vpc: aws.ec2.Vpc, cidr: str = "10.0.0.0/24") -> aws.ec2.Subnet:
    return aws.ec2.Subnet("subnet", vpc_id=vpc.id, cidr_block=cidr, availability_zone=ZONE)


def tables(count: int) -> Callable[[aws.ec2.Vpc], None]:
    def body(vpc: aws.ec2.Vpc) -> None:
        one = subnet(vpc)
        for n in range(count):
            table = aws.ec2.RouteTable(f"table-{n}", vpc_id=vpc.id)
            aws.ec2.RouteTableAssociation(f"table-{n}", route_table_id=table.id, subnet_id=one.id)

    return body


def endpoint(**given: Any) -> Callable[[aws.ec2.Vpc], None]:
    def body(vpc: aws.ec2.Vpc) -> None:
        service = given.pop("service", "com.amazonaws.us-east-1.s3")
        aws.ec2.VpcEndpoint("endpoint", vpc_id=vpc.id, service_name=service, **given)

    return body


def fixed_address(address: str) -> Callable[[aws.ec2.Vpc], None]:
    def body(vpc: aws.ec2.Vpc) -> None:
        one = subnet(vpc)
        aws.ec2.VpcEndpoint(
            "endpoint",
            vpc_id=vpc.id,
            service_name="com.amazonaws.us-east-1.logs",
            vpc_endpoint_type="Interface",
            subnet_ids=[one.id],
            subnet_configurations=[{"subnet_id": one.id, "ipv4": address}],
        )

    return body


def rules(count: int) -> Callable[[aws.ec2.Vpc], None]:
    def body(vpc: aws.ec2.Vpc) -> None:
        group = aws.ec2.SecurityGroup("group", name="group", vpc_id=vpc.id, egress=[])
        for port in range(1, count + 1):
            aws.vpc.SecurityGroupEgressRule(
                f"rule-{port}",
                security_group_id=group.id,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                cidr_ipv4="10.0.0.0/16",
            )

    return body


def acl_rule(number: int) -> Callable[[aws.ec2.Vpc], None]:
    def body(vpc: aws.ec2.Vpc) -> None:
        acl = aws.ec2.NetworkAcl("acl", vpc_id=vpc.id)
        aws.ec2.NetworkAclRule(
            "rule",
            network_acl_id=acl.id,
            rule_number=number,
            protocol="-1",
            rule_action="deny",
            cidr_block="0.0.0.0/0",
        )

    return body


def flow_log(log_format: str) -> Callable[[aws.ec2.Vpc], None]:
    def body(vpc: aws.ec2.Vpc) -> None:
        group = aws.cloudwatch.LogGroup("log", name="/log")
        role = aws.iam.Role(
            "role", name="role", assume_role_policy=policy("sts:AssumeRole", Principal={"Service": "x"})
        )
        aws.ec2.FlowLog(
            "flow",
            vpc_id=vpc.id,
            traffic_type="ALL",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            log_format=log_format,
        )

    return body


def policy(action: str, **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"} | more
    if "Principal" in more and action == "sts:AssumeRole":
        del statement["Resource"]
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def key(document: str) -> Callable[[aws.ec2.Vpc], None]:
    return lambda _: aws.kms.Key("key", policy=document) and None


def group_kept(days: int) -> Callable[[aws.ec2.Vpc], None]:
    return lambda _: aws.cloudwatch.LogGroup("group", name="/group", retention_in_days=days) and None


def user_data(text: str) -> Callable[[aws.ec2.Vpc], None]:
    return lambda _: aws.ec2.LaunchTemplate("template", name="template", user_data=text) and None


def composite(rule: str) -> Callable[[aws.ec2.Vpc], None]:
    return lambda _: aws.cloudwatch.CompositeAlarm("any", alarm_name="any", alarm_rule=rule) and None


def unnamed(name: str | None) -> Callable[[aws.ec2.Vpc], None]:
    return lambda vpc: aws.ec2.SecurityGroup("group", name=name, vpc_id=vpc.id, egress=[]) and None


REFUSED = {
    "a second table of a subnet": (tables(2), "already has the route table", tables(1)),
    "an unknown service": (endpoint(service="com.amazonaws.us-east-1.s4"), "does not exist", endpoint()),
    "an endpoint policy that is no JSON": (endpoint(policy="{"), "InvalidPolicyDocument", endpoint()),
    "an endpoint policy without a principal": (
        endpoint(policy=policy("s3:GetObject")),
        "needs Effect, Principal",
        endpoint(policy=policy("s3:GetObject", Principal="*")),
    ),
    "an address outside its subnet": (fixed_address("10.0.9.9"), "no usable address", fixed_address("10.0.0.9")),
    "an address that AWS keeps": (fixed_address("10.0.0.2"), "no usable address", fixed_address("10.0.0.4")),
    "the 61st rule of a group": (rules(61), "LimitExceeded", rules(60)),
    "a network ACL rule above the last": (acl_rule(32767), "not between 1 and 32766", acl_rule(32766)),
    "a flow log field that is none": (flow_log("${srcport} ${port}"), "no field port", flow_log("${srcport}")),
    "a key that nobody may change": (key(policy("kms:Decrypt")), "lets nobody change it", key(policy("kms:*"))),
    "a retention that is none": (group_kept(42), "no 42 days", group_kept(30)),
    "user data that is no base64": (user_data("#!/bin/sh"), "not base64", user_data("IyEvYmluL3No")),
    "an alarm over no alarm": (composite('ALARM("none")'), "no alarm none", composite("TRUE")),
    "a thing without a name": (unnamed(None), "give one", unnamed("group")),
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_it_is_refused_by_name_and_its_counterpart_is_not(case: str) -> None:
    refused, why, accepted = REFUSED[case]
    with EmbeddedCloud() as cloud, pytest.raises(CreateFailedError, match=why) as failure:
        cloud.up(in_vpc(refused))
    assert "\n" not in str(failure.value)
    with EmbeddedCloud() as cloud:
        cloud.up(in_vpc(accepted))


def test_a_group_keeps_awss_own_egress_unless_the_program_states_its_own(cloud: EmbeddedCloud) -> None:
    def program() -> None:
        vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16")
        aws.ec2.SecurityGroup("open", name="open", vpc_id=vpc.id)
        aws.ec2.SecurityGroup("closed", name="closed", vpc_id=vpc.id, egress=[])

    cloud.up(program)
    found = {g["GroupName"]: g for g in cloud.client("ec2").describe_security_groups()["SecurityGroups"]}
    (way_out,) = found["open"]["IpPermissionsEgress"]
    assert way_out["IpRanges"] == [{"CidrIp": "0.0.0.0/0"}]
    assert way_out["Ipv6Ranges"] == [], "without IPv6 in the VPC, AWS adds no ::/0"
    assert found["closed"]["IpPermissionsEgress"] == []


def test_a_new_acl_denies_last_and_a_default_group_lets_itself_in(cloud: EmbeddedCloud) -> None:
    run = cloud.up(in_vpc(lambda vpc: aws.ec2.NetworkAcl("acl", vpc_id=vpc.id)))
    ids = {resource.name: resource for resource in run.resources}
    ec2 = cloud.client("ec2")
    entries = ec2.describe_network_acls(NetworkAclIds=[ids["acl"].id])["NetworkAcls"][0]["Entries"]
    assert {(e["RuleNumber"], e["Egress"], e["RuleAction"]) for e in entries} == {
        (32767, True, "deny"),
        (32767, False, "deny"),
    }
    default = str(ids["vpc"].outputs["defaultSecurityGroupId"])
    group = ec2.describe_security_groups(GroupIds=[default])["SecurityGroups"][0]
    assert group["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"] == default


def test_an_adopted_default_group_table_and_acl_are_emptied(cloud: EmbeddedCloud) -> None:
    def program() -> None:
        vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16")
        aws.ec2.DefaultSecurityGroup("group", vpc_id=vpc.id, ingress=[], egress=[])
        aws.ec2.DefaultNetworkAcl("acl", default_network_acl_id=vpc.default_network_acl_id)
        aws.ec2.DefaultRouteTable("table", default_route_table_id=vpc.default_route_table_id, routes=[])

    ids = {resource.name: resource.id for resource in cloud.up(program).resources}
    ec2 = cloud.client("ec2")
    group = ec2.describe_security_groups(GroupIds=[ids["group"]])["SecurityGroups"][0]
    assert group["IpPermissions"] == group["IpPermissionsEgress"] == []
    acl = ec2.describe_network_acls(NetworkAclIds=[ids["acl"]])["NetworkAcls"][0]
    assert {entry["RuleAction"] for entry in acl["Entries"]} == {"deny"}
    table = ec2.describe_route_tables(RouteTableIds=[ids["table"]])["RouteTables"][0]
    assert [route["GatewayId"] for route in table["Routes"]] == ["local"]


def test_associating_a_table_with_a_gateway_endpoint_adds_its_route(cloud: EmbeddedCloud) -> None:
    def program() -> None:
        vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16")
        table = aws.ec2.RouteTable("table", vpc_id=vpc.id)
        s3 = aws.ec2.VpcEndpoint("s3", vpc_id=vpc.id, service_name="com.amazonaws.us-east-1.s3")
        aws.ec2.VpcEndpointRouteTableAssociation("s3", vpc_endpoint_id=s3.id, route_table_id=table.id)

    run = cloud.up(program)
    ids = {(resource.type, resource.name): resource for resource in run.resources}
    table = ids["aws:ec2/routeTable:RouteTable", "table"].id
    s3 = ids["aws:ec2/vpcEndpoint:VpcEndpoint", "s3"]
    routes = cloud.client("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    added = [route for route in routes if route.get("GatewayId") == s3.id]
    assert [route["DestinationPrefixListId"] for route in added] == [s3.outputs["prefixListId"]]


def test_an_endpoints_interfaces_have_the_addresses_asked_for(cloud: EmbeddedCloud) -> None:
    run = cloud.up(in_vpc(fixed_address("10.0.0.77")))
    made = next(resource for resource in run.resources if resource.name == "endpoint")
    interfaces = cloud.client("ec2").describe_network_interfaces(
        NetworkInterfaceIds=made.outputs["networkInterfaceIds"]
    )
    assert [one["PrivateIpAddress"] for one in interfaces["NetworkInterfaces"]] == ["10.0.0.77"]


IN_USE = {
    "aws:ec2/vpc:Vpc": "vpc",
    "aws:ec2/subnet:Subnet": "subnet",
    "aws:ec2/securityGroup:SecurityGroup": "group",
    "aws:ec2/routeTable:RouteTable": "table",
    "aws:ec2/networkAcl:NetworkAcl": "acl",
}


@pytest.mark.parametrize("token", IN_USE)
def test_what_is_in_use_is_not_deleted(cloud: EmbeddedCloud, token: str) -> None:
    def program() -> None:
        vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16")
        one = subnet(vpc)
        group = aws.ec2.SecurityGroup("group", name="group", vpc_id=vpc.id, egress=[])
        table = aws.ec2.RouteTable("table", vpc_id=vpc.id)
        aws.ec2.RouteTableAssociation("table", route_table_id=table.id, subnet_id=one.id)
        acl = aws.ec2.NetworkAcl("acl", vpc_id=vpc.id)
        aws.ec2.NetworkAclAssociation("acl", network_acl_id=acl.id, subnet_id=one.id)
        aws.ec2.NetworkInterface("interface", subnet_id=one.id, security_groups=[group.id])

    made = {resource.type: resource for resource in cloud.up(program).resources}[token]
    with pytest.raises(RefusedError, match="DependencyViolation"):
        lifecycle.delete(cloud.aws, kinds.kind(token), made.id, made.outputs)
