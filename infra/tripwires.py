"""Sees and says: a filter and an alarm for each row of the table, one topic for people and quarantine (claim E8)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra.iam import Statement, document
from infra.names import Names
from infra.sensors import SOURCES, Sensor
from infra.settings.tripwires import TripwireSettings
from infra.trail import AttemptTrail, AttemptTrailArgs
from infra.tripwire_patterns import Declared
from infra.tripwire_table import METRIC_NAMESPACE, TRIPWIRES, Tripwire, patterns

_AN_OWN_KEY: Final = "a key policy speaks of its own key only"
_COLUMNS: Final = 24
_WIDGETS_A_ROW: Final = 3


@dataclass
class TripwiresArgs:
    """The log groups of `Names` and `trail_log_group` exist."""

    names: Names
    settings: TripwireSettings
    tenants: Sequence[str]
    declared: Declared


@dataclass(frozen=True)
class Wire:
    """One row for one tenant, or for the cluster: what its filters and its alarm are called."""

    row: Tripwire
    tenant: str | None

    def name(self, stack: str) -> str:
        return self.row.alarm_name(stack, self.tenant)


def wires(tenants: Sequence[str]) -> list[Wire]:
    """Every row that has a sensor, once for the cluster or once for each tenant."""
    return [
        Wire(row, tenant)
        for row in TRIPWIRES
        if row.sensor is not Sensor.NONE
        for tenant in (tenants if row.per_tenant else (None,))
    ]


def topic_name(names: Names) -> str:
    return f"{names.name}-alarms"


class Tripwires(pulumi.ComponentResource):
    """Filters, alarms, one composite a tenant, one dashboard, one encrypted topic."""

    def __init__(self, name: str, args: TripwiresArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:Tripwires", name, None, opts)
        self._own = pulumi.ResourceOptions(parent=self)
        self._names, self._settings = args.names, args.settings
        self._declared = args.declared
        self.topic_arn = args.names.arn("sns", topic_name(args.names))
        self._wires = wires(args.tenants)
        self.key = self._key()
        self.topic = self._topic()
        trail = AttemptTrail(
            name,
            AttemptTrailArgs(names=args.names, key=self.key.arn),
            self._own,
        )
        after = pulumi.ResourceOptions(parent=self, depends_on=[trail, self.topic])
        alarms = {wire.name(args.names.name): self._alarm(wire, after) for wire in self._wires}
        self._composites(args.tenants, alarms)
        self._dashboard(args.tenants)
        self._routes()
        self.register_outputs({"topic": self.topic_arn})

    def _key(self) -> aws.kms.Key:
        names = self._names
        ours = {"StringEquals": {"aws:SourceAccount": names.account}}
        use = ("kms:Decrypt", "kms:GenerateDataKey*")
        policy = document(
            Statement(
                "Owner",
                actions=("kms:*",),
                resources=("*",),
                principals={"AWS": (f"arn:aws:iam::{names.account}:root",)},
                wildcard=_AN_OWN_KEY,
            ),
            Statement(
                "Alarms",
                actions=use,
                resources=("*",),
                principals={"Service": ("cloudwatch.amazonaws.com", "events.amazonaws.com")},
                conditions=ours,
                wildcard=_AN_OWN_KEY,
            ),
            Statement(
                "Trail",
                actions=("kms:GenerateDataKey*", "kms:DescribeKey"),
                resources=("*",),
                principals={"Service": ("cloudtrail.amazonaws.com",)},
                conditions={"StringEquals": {"aws:SourceArn": names.arn("cloudtrail", f"trail/{names.name}")}},
                wildcard=_AN_OWN_KEY,
            ),
        )
        key = f"{names.name}-alarms"
        made = aws.kms.Key(
            key,
            description="Alarms of the tripwires, and the trail that they read",
            enable_key_rotation=True,
            policy=policy,
            tags=names.tags(key),
            opts=self._own,
        )
        aws.kms.Alias(key, name=f"alias/{key}", target_key_id=made.key_id, opts=self._own)
        return made

    def _topic(self) -> aws.sns.Topic:
        names, topic = self._names, topic_name(self._names)
        made = aws.sns.Topic(topic, name=topic, kms_master_key_id=self.key.arn, tags=names.tags(topic), opts=self._own)
        below = pulumi.ResourceOptions(parent=self, depends_on=[made])
        aws.sns.TopicPolicy(
            topic,
            arn=self.topic_arn,
            policy=document(
                Statement(
                    "Alarms",
                    actions=("sns:Publish",),
                    resources=(self.topic_arn,),
                    principals={"Service": ("cloudwatch.amazonaws.com",)},
                    conditions={
                        "StringEquals": {"aws:SourceAccount": names.account},
                        "ArnLike": {"aws:SourceArn": names.arn("cloudwatch", f"alarm:{names.name}-*")},
                    },
                ),
                Statement(
                    "Findings",
                    actions=("sns:Publish",),
                    resources=(self.topic_arn,),
                    principals={"Service": ("events.amazonaws.com",)},
                    conditions={
                        "StringEquals": {"aws:SourceAccount": names.account},
                        "ArnLike": {"aws:SourceArn": names.arn("events", f"rule/{names.name}-*")},
                    },
                ),
                Statement(
                    "OverTls",
                    effect="Deny",
                    actions=("sns:Publish",),
                    resources=(self.topic_arn,),
                    principals="*",
                    conditions={"Bool": {"aws:SecureTransport": "false"}},
                ),
            ),
            opts=below,
        )
        for number, address in enumerate(self._settings.notify, start=1):
            aws.sns.TopicSubscription(
                f"{topic}-{number}", topic=self.topic_arn, protocol="email", endpoint=address, opts=below
            )
        return made

    def _alarm(self, wire: Wire, opts: pulumi.ResourceOptions) -> aws.cloudwatch.MetricAlarm:
        row, names, name = wire.row, self._names, wire.name(self._names.name)
        for number, pattern in enumerate(patterns(row, names, wire.tenant, self._declared), start=1):
            aws.cloudwatch.LogMetricFilter(
                f"{name}-{number}",
                name=f"{name}-{number}",
                log_group_name=SOURCES[row.sensor].log_group(names, wire.tenant or ""),
                pattern=pattern,
                metric_transformation={"namespace": METRIC_NAMESPACE, "name": name, "value": "1"},
                opts=opts,
            )
        metric: Mapping[str, object] = {"namespace": METRIC_NAMESPACE, "metric_name": name}
        if row.silent_group:
            group = SOURCES[row.silent_group].log_group(names, "")
            metric = {
                "namespace": "AWS/Logs",
                "metric_name": "IncomingLogEvents",
                "dimensions": {"LogGroupName": group},
            }
        return aws.cloudwatch.MetricAlarm(
            name,
            name=name,
            alarm_description=f"{row.severity}: {row.attempt} ({row.sensor}). Runbook: docs/runbooks/{row.id}.md",
            comparison_operator="LessThanThreshold" if row.silent_group else "GreaterThanOrEqualToThreshold",
            threshold=row.threshold,
            statistic="Sum",
            period=row.period_seconds,
            evaluation_periods=row.evaluated_periods,
            datapoints_to_alarm=row.periods,
            treat_missing_data=row.missing,
            alarm_actions=[self.topic_arn],
            tags=names.tags(name, severity=row.severity),
            opts=opts,
            **metric,  # type: ignore[arg-type]
        )

    def _composites(self, tenants: Sequence[str], alarms: Mapping[str, aws.cloudwatch.MetricAlarm]) -> None:
        for tenant in tenants:
            children = [wire.name(self._names.name) for wire in self._wires if wire.tenant == tenant]
            name = f"{self._names.name}-tenant-{tenant}"
            aws.cloudwatch.CompositeAlarm(
                name,
                alarm_name=name,
                alarm_description=f"Anything that concerns tenant {tenant}",
                alarm_rule=" OR ".join(f'ALARM("{child}")' for child in children),
                tags=self._names.tags(name),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[alarms[child] for child in children]),
            )

    def _dashboard(self, tenants: Sequence[str]) -> None:
        names = self._names
        groups: list[tuple[str, list[str]]] = [
            (tenant or "cluster", [w.name(names.name) for w in self._wires if w.tenant == tenant])
            for tenant in (None, *tenants)
        ]
        width = _COLUMNS // _WIDGETS_A_ROW
        widgets: list[dict[str, object]] = [
            {
                "type": "alarm",
                "x": index % _WIDGETS_A_ROW * width,
                "y": index // _WIDGETS_A_ROW * 6,
                "width": width,
                "height": 6,
                "properties": {
                    "title": title,
                    "alarms": [names.arn("cloudwatch", f"alarm:{each}") for each in each_of],
                },
            }
            for index, (title, each_of) in enumerate(groups)
        ]
        aws.cloudwatch.Dashboard(
            names.name, dashboard_name=names.name, dashboard_body=json.dumps({"widgets": widgets}), opts=self._own
        )

    def _routes(self) -> None:
        """What people have chosen beside e-mail: their own event bus, and GuardDuty's findings into the topic."""
        names = self._names
        if self._settings.event_bus:
            rule = f"{names.name}-alarms-to-bus"
            made = aws.cloudwatch.EventRule(
                rule,
                name=rule,
                event_pattern=json.dumps(
                    {
                        "source": ["aws.cloudwatch"],
                        "detail-type": ["CloudWatch Alarm State Change"],
                        "resources": [{"prefix": names.arn("cloudwatch", f"alarm:{names.name}-")}],
                    }
                ),
                tags=names.tags(rule),
                opts=self._own,
            )
            aws.cloudwatch.EventTarget(
                rule,
                rule=rule,
                target_id="bus",
                arn=self._settings.event_bus,
                role_arn=self._bus_role(rule),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[made]),
            )
        if self._settings.guardduty:
            rule = f"{names.name}-guardduty"
            made = aws.cloudwatch.EventRule(
                rule,
                name=rule,
                event_pattern=json.dumps(
                    {
                        "source": ["aws.guardduty"],
                        "detail-type": ["GuardDuty Finding"],
                        "detail": {"resource": {"eksClusterDetails": {"arn": [names.cluster_arn]}}},
                    }
                ),
                tags=names.tags(rule),
                opts=self._own,
            )
            aws.cloudwatch.EventTarget(
                rule,
                rule=rule,
                target_id="alarms",
                arn=self.topic_arn,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[made, self.topic]),
            )

    def _bus_role(self, rule: str) -> str:
        names, bus = self._names, self._settings.event_bus or ""
        aws.iam.Role(
            rule,
            name=names.role("alarms-to-bus"),
            assume_role_policy=document(
                Statement(
                    "Assume",
                    actions=("sts:AssumeRole",),
                    principals={"Service": ("events.amazonaws.com",)},
                    conditions={"StringEquals": {"aws:SourceAccount": names.account}},
                )
            ),
            inline_policies=[
                {
                    "name": "put-events",
                    "policy": document(Statement("Put", actions=("events:PutEvents",), resources=(bus,))),
                }
            ],
            tags=names.tags(names.role("alarms-to-bus")),
            opts=self._own,
        )
        return names.role_arn("alarms-to-bus")
