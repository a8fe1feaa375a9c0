"""DNS Firewall, query log, flow log, log groups and their key, read back."""

import json
from typing import Any

from infra.dns import resolvable
from infra.logs import FLOW_FORMAT
from infra.stack import log_groups


def test_listed_names_are_allowed_and_all_else_blocked(network: Any) -> None:
    allow, block = network.observed.firewall
    assert (allow.action, block.action, block.response, block.domains) == ("ALLOW", "BLOCK", "NXDOMAIN", ("*.",))
    assert sorted(d.removesuffix(".") for d in allow.domains) == sorted(resolvable(network.settings))


def test_a_tenants_hosts_are_not_resolvable_inside(network: Any) -> None:
    assert not [name for name in resolvable(network.settings) if "github" in name or "example" in name]


def test_the_flow_log_has_all_traffic_in_our_format(network: Any) -> None:
    (log,) = network.cloud.client("ec2").describe_flow_logs()["FlowLogs"]
    assert (log["TrafficType"], log["LogFormat"], log["MaxAggregationInterval"]) == ("ALL", FLOW_FORMAT, 60)


def test_the_flow_log_role_writes_to_its_group_and_is_assumed_for_this_account_only(network: Any) -> None:
    iam = network.cloud.client("iam")
    role = iam.get_role(RoleName="sequester-flow-logs")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]
    assert role["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}
    policy = iam.get_role_policy(RoleName="sequester-flow-logs", PolicyName="write")["PolicyDocument"]
    assert all(":log-group:/sequester/sequester/flow" in r for r in policy["Statement"][0]["Resource"])


def test_log_groups_are_those_of_the_stack(network: Any) -> None:
    assert {g.name: g.retention_days for g in network.observed.log_groups} == dict(log_groups(network.settings))


def test_the_key_serves_exactly_these_log_groups(network: Any) -> None:
    (key,) = network.observed.keys
    (use,) = [s for s in key.policy["Statement"] if "Service" in s["Principal"]]
    assert use["Principal"]["Service"] == "logs.us-east-1.amazonaws.com"
    arns = use["Condition"]["ArnEquals"]["kms:EncryptionContext:aws:logs:arn"]
    assert sorted(arns) == sorted(
        f"arn:aws:logs:us-east-1:123456789012:log-group:{g.name}" for g in network.observed.log_groups
    )


def test_the_resolver_may_write_to_its_group_only(network: Any) -> None:
    policies = network.cloud.client("logs").describe_resource_policies()["resourcePolicies"]
    (statement,) = json.loads(policies[0]["policyDocument"])["Statement"]
    assert statement["Resource"].endswith(":log-group:/sequester/sequester/resolver:*")
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}
