"""The endpoints, read back: those of the table, at the addresses that filters name, each with its policy."""

import json
from typing import Any

import pytest

from infra.endpoints import addresses, agent_addresses, agent_hosts
from infra.services import SERVICES, services
from infra.settings.addresses import Tier, endpoint_block

ACCOUNT = "123456789012"


def test_endpoints_are_those_of_the_table_at_their_addresses(network: Any) -> None:
    plan = network.settings.network.plan()
    assert {e.service: set(e.addresses) for e in network.observed.endpoints} == {
        service.name: set() if service.gateway else set(addresses(service, plan, network.settings))
        for service in services(network.settings)
    }


def test_the_door_can_be_invoked_and_nothing_else(network: Any) -> None:
    (door,) = [e for e in network.observed.endpoints if e.service == "lambda"]
    (statement,) = door.policy["Statement"]
    function = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:sequester-door"
    assert statement["Action"] == "lambda:InvokeFunction"
    assert statement["Resource"] == [
        f"{function}-{tenant}{suffix}" for tenant in ("research", "support") for suffix in ("", ":*")
    ]


def test_no_policy_depends_on_an_output(network: Any) -> None:
    for resource in network.run.resources:
        for document in ("policy", "policyDocument", "assumeRolePolicy"):
            if document in resource.inputs:
                assert resource.property_dependencies.get(document, ()) == (), resource.name


@pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)
def test_a_service_lies_in_the_block_of_those_who_may_call_it(service: Any, network: Any) -> None:
    if service.gateway:
        return
    tier = Tier.SANDBOX if Tier.SANDBOX in service.nodes else Tier.SYSTEM
    cidr = network.settings.network.plan().cidrs(Tier.ENDPOINT)[0]
    assert cidr[service.host] in endpoint_block(cidr, tier)
    if service.pods:
        assert service.nodes == {Tier.SYSTEM}, "agents run on system nodes only"


def test_host_numbers_are_unique() -> None:
    hosts = [service.host for service in SERVICES if not service.gateway]
    assert len(set(hosts)) == len(hosts)


def test_agents_call_the_door_alone(network: Any) -> None:
    assert [str(a) for a in agent_addresses(network.settings)] == ["10.42.192.24", "10.42.196.24"]
    assert agent_hosts(network.settings) == ("lambda.us-east-1.amazonaws.com",)


def test_policies_are_json_of_the_current_version(network: Any) -> None:
    found = network.cloud.client("ec2").describe_vpc_endpoints()["VpcEndpoints"]
    assert {json.loads(one["PolicyDocument"])["Version"] for one in found} == {"2012-10-17"}
