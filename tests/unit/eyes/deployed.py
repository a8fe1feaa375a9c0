"""The tripwires and quarantine, deployed once into the embedded cloud, and what can be read back from it."""

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.names import Names
from infra.response import Response, ResponseArgs
from infra.settings.tripwires import TripwireSettings
from infra.tripwire_table import trail_log_group
from infra.tripwires import Tripwires, TripwiresArgs
from sequester.cloud import Edit, EmbeddedCloud
from sequester.eyes import Alarm, Event, MetricFilter, State, evaluate, samples

NAMES = Names("sequester", "123456789012", "us-east-1")
TENANTS = ("research", "support")
LISTED = ("ec2.us-east-1.amazonaws.com", "*.us-east-1.eks.amazonaws.com", "*.ec2.internal")
SETTINGS = TripwireSettings(
    notify=("security@example.com",),
    guardduty=True,
    event_bus="arn:aws:events:us-east-1:123456789012:event-bus/security",
)
AGENT_ROLES = {tenant: f"sequester-agent-{tenant}" for tenant in TENANTS}
GROUPS = (
    NAMES.flow_log_group,
    NAMES.resolver_log_group,
    NAMES.container_log_group,
    NAMES.cluster_log_group,
    trail_log_group(NAMES),
    *(NAMES.door_log_group(tenant) for tenant in TENANTS),
)


def response_args(**more: Any) -> ResponseArgs:
    given: dict[str, Any] = {
        "names": NAMES,
        "settings": SETTINGS,
        "agent_roles": AGENT_ROLES,
        "listed": LISTED,
        "vpc": "vpc-0123456789abcdef0",
        "subnets": ["subnet-0123456789abcdef0"],
        "control_plane": [IPv4Network("10.42.28.0/28")],
        "cluster_endpoint": "https://192.0.2.1",
        "cluster_authority": "Q0E=",
        "retention_days": 365,
    }
    return ResponseArgs(**{**given, **more})


def program() -> None:
    before: list[pulumi.Resource] = [aws.cloudwatch.LogGroup(group, name=group) for group in GROUPS]
    vpc = aws.ec2.Vpc("vpc", cidr_block="10.42.0.0/16")
    subnets = [
        aws.ec2.Subnet(zone, vpc_id=vpc.id, cidr_block=f"10.42.{number}.0/24", availability_zone=zone)
        for number, zone in enumerate(("us-east-1a", "us-east-1b"))
    ]
    before.append(
        aws.eks.Cluster(
            "cluster",
            name=NAMES.cluster,
            role_arn=NAMES.role_arn("cluster"),
            access_config={"authentication_mode": "API"},
            vpc_config={"subnet_ids": [subnet.id for subnet in subnets]},
        )
    )
    after = pulumi.ResourceOptions(depends_on=before)
    wires = Tripwires("sequester", TripwiresArgs(NAMES, SETTINGS, TENANTS, LISTED), after)
    Response(
        "sequester",
        response_args(vpc=vpc.id, subnets=[subnet.id for subnet in subnets]),
        pulumi.ResourceOptions(depends_on=[*before, wires]),
    )


@dataclass(frozen=True)
class Deployed:
    """What CloudWatch has: filters by log group, alarms by name."""

    cloud: EmbeddedCloud
    filters: Mapping[str, list[MetricFilter]]
    alarms: Mapping[str, Alarm]
    described: Mapping[str, Mapping[str, Any]]

    def states(self, group: str, events: Iterable[Event], now: float) -> dict[str, State]:
        """Every alarm's state at `now`, if this is all that its log group had to say."""
        told = list(events)
        made = [sample for each in self.filters.get(group, []) for sample in samples(told, each)]
        return {name: evaluate(alarm, alarm.datapoints(made, now)) for name, alarm in self.alarms.items()}

    def fired(self, group: str, messages: Iterable[str]) -> set[str]:
        """The alarms that go off when these records arrive within a minute; silence alarms are another matter."""
        at = 1_800_000_000.0
        events = [Event(at + number % 50, message) for number, message in enumerate(messages)]
        return {
            name.removeprefix("sequester-")
            for name, state in self.states(group, events, at + 300).items()
            if state is State.ALARM and "-silent-" not in name
        } | {
            name.removeprefix("sequester-")
            for name, state in self.states(group, events, at + 60).items()
            if state is State.ALARM and "-silent-" not in name
        }


@contextmanager
def deployed(edit: Edit | None = None) -> Generator[Deployed]:
    with EmbeddedCloud() as cloud:
        cloud.up(program, edit=edit)
        filters: dict[str, list[MetricFilter]] = {}
        for page in cloud.client("logs").get_paginator("describe_metric_filters").paginate():
            for each in page["metricFilters"]:
                filters.setdefault(each["logGroupName"], []).append(MetricFilter.deployed(each))
        described = {
            each["AlarmName"]: each
            for page in cloud.client("cloudwatch").get_paginator("describe_alarms").paginate()
            for each in page["MetricAlarms"]
        }
        alarms = {name: Alarm.deployed(each) for name, each in described.items()}  # type: ignore[arg-type]
        yield Deployed(cloud, filters, alarms, described)
