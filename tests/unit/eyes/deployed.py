"""The tripwires and quarantine, deployed once into the embedded cloud, and what can be read back from it."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.door_store import DoorStore, DoorStoreArgs
from infra.names import Names
from infra.responder_config import configuration, log_groups
from infra.response import Response, ResponseArgs
from infra.sensors import Sensor, trail_log_group
from infra.settings.door import DoorSettings
from infra.settings.tripwires import TripwireSettings
from infra.tripwire_patterns import Declared
from infra.tripwires import Tripwires, TripwiresArgs
from sequester.cloud import Edit, EmbeddedCloud
from sequester.eyes import Event, State, Watch, evaluate, samples
from sequester.eyes.chain import Fired, fired
from sequester.eyes.records import SensorRecord

NAMES = Names("sequester", "123456789012", "us-east-1")
TENANTS = ("research", "support")
DECLARED = Declared(
    ("ec2.us-east-1.amazonaws.com", "*.us-east-1.eks.amazonaws.com", "*.ec2.internal"), ("10.42.0.0/16",)
)
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


def configured(settings: TripwireSettings = SETTINGS) -> str:
    return configuration(NAMES, settings, AGENT_ROLES, DECLARED)


def program() -> None:
    groups = {group: aws.cloudwatch.LogGroup(group, name=group) for group in (*GROUPS, *log_groups(NAMES))}
    vpc = aws.ec2.Vpc("vpc", cidr_block="10.42.0.0/16")
    subnets = [
        aws.ec2.Subnet(zone, vpc_id=vpc.id, cidr_block=f"10.42.{number}.0/24", availability_zone=zone)
        for number, zone in enumerate(("us-east-1a", "us-east-1b"))
    ]
    cluster = aws.eks.Cluster(
        "cluster",
        name=NAMES.cluster,
        role_arn=NAMES.role_arn("cluster"),
        access_config={"authentication_mode": "API"},
        vpc_config={"subnet_ids": [subnet.id for subnet in subnets]},
    )
    closed, open_ = (aws.ec2.SecurityGroup(name, name=name, vpc_id=vpc.id) for name in ("quarantine", "responder"))
    store = DoorStore("sequester", DoorStoreArgs(NAMES, DoorSettings()))
    before = [*groups.values(), cluster, store]
    wires = Tripwires(
        "sequester", TripwiresArgs(NAMES, SETTINGS, TENANTS, DECLARED), pulumi.ResourceOptions(depends_on=before)
    )
    Response(
        "sequester",
        ResponseArgs(
            *(NAMES, SETTINGS, AGENT_ROLES, DECLARED, [subnet.id for subnet in subnets], closed.id, open_.id),
            *("https://192.0.2.1", "Q0E=", groups),
        ),
        pulumi.ResourceOptions(depends_on=[*before, wires]),
    )


@dataclass(frozen=True)
class Deployed:
    """What CloudWatch has."""

    cloud: EmbeddedCloud
    watch: Watch

    def states(self, group: str, events: Iterable[Event], now: float) -> dict[str, State]:
        """Every alarm's state at `now`, if this is all that its log group had to say."""
        told = list(events)
        made = [sample for each in self.watch.filters.get(group, []) for sample in samples(told, each)]
        return {name: evaluate(alarm, alarm.datapoints(made, now)) for name, alarm in self.watch.alarms.items()}

    def timed(self, group: str, messages: Iterable[str], at: float) -> list[Fired]:
        """The alarms that go off when these records of one minute arrive as late as their sensor may deliver them."""
        told = [SensorRecord(sensor_of(group, m), m, at + n % 50, _tenant(group)) for n, m in enumerate(messages)]
        return fired(self.watch, NAMES, TENANTS, told)

    def fired(self, group: str, messages: Iterable[str]) -> set[str]:
        """Their names, without the stack's."""
        return {one.alarm.removeprefix("sequester-") for one in self.timed(group, messages, 1_800_000_000.0)}


def sensor_of(group: str, message: str) -> Sensor:
    """Whose record this is; EKS prescribes one group for two sensors."""
    sensors = {
        NAMES.flow_log_group: Sensor.FLOW,
        NAMES.resolver_log_group: Sensor.RESOLVER,
        NAMES.container_log_group: Sensor.SUPERVISOR,
        NAMES.cluster_log_group: Sensor.AUDIT if message.startswith("{") else Sensor.POLICY_AGENT,
        trail_log_group(NAMES): Sensor.TRAIL,
    }
    return sensors.get(group, Sensor.DOOR)


def _tenant(group: str) -> str:
    return next((tenant for tenant in TENANTS if group == NAMES.door_log_group(tenant)), "")


@contextmanager
def deployed(edit: Edit | None = None) -> Generator[Deployed]:
    with EmbeddedCloud() as cloud:
        cloud.up(program, edit=edit)
        yield Deployed(cloud, Watch.read(cloud.client))
