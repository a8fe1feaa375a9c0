"""From resources to facts of observation: what records, what counts, what alarms."""

import json
from collections.abc import Iterator, Mapping

from sequester.proof.facts import items, mapping
from sequester.proof.model import Alarm, MetricFilter, Sensor
from sequester.sources.cluster import addon_settings
from sequester.sources.resource import Resource, Stack


def sensors(stack: Stack) -> tuple[Sensor, ...]:
    return (*_flow_logs(stack), *_resolver_logs(stack), *_clusters(stack), *_trails(stack))


def _group_name(arn: str) -> str:
    return arn.partition(":log-group:")[2].removesuffix(":*") or arn


def _flow_logs(stack: Stack) -> Iterator[Sensor]:
    for one in stack.of("ec2/flowLog:FlowLog"):
        complete = one.maybe("trafficType") in ("ALL", "REJECT") and bool(one.maybe("vpcId"))
        gap = "" if complete else f"trafficType {one.maybe('trafficType')}, or not on the whole VPC"
        sink = _group_name(one.maybe("logDestination")) or one.maybe("logGroupName")
        yield Sensor(one.name, "flow log", one.maybe("vpcId"), sink, complete, gap)


def _resolver_logs(stack: Stack) -> Iterator[Sensor]:
    configs = {c.id: c for c in stack.of("route53/resolverQueryLogConfig:ResolverQueryLogConfig")}
    for one in stack.of("route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation"):
        config = configs.get(one.maybe("resolverQueryLogConfigId"))
        sink = _group_name(config.maybe("destinationArn")) if config else ""
        yield Sensor(
            one.name, "Resolver log", one.maybe("resourceId"), sink, bool(sink), "its configuration is not there"
        )


def _clusters(stack: Stack) -> Iterator[Sensor]:
    for one in stack.of("eks/cluster:Cluster"):
        name = one.maybe("name") or one.id
        group = f"/aws/eks/{name}/cluster"
        on = "audit" in one.several("enabledClusterLogTypes")
        yield Sensor(f"{one.name} audit", "K8s audit", name, group, on, "enabledClusterLogTypes lacks audit")
        for addon in stack.of("eks/addon:Addon"):
            if addon.maybe("addonName") == "vpc-cni" and addon.maybe("clusterName") == name:
                agent = mapping(addon_settings(addon).get("nodeAgent"), addon.name)
                wanted = ("enablePolicyEventLogs", "enableCloudWatchLogs")
                missing = [key for key in wanted if str(agent.get(key)).lower() != "true"]
                yield Sensor(
                    addon.name, "NP agent log", name, group, not missing, f"nodeAgent: {', '.join(missing)} not set"
                )


def _trails(stack: Stack) -> Iterator[Sensor]:
    for one in stack.of("cloudtrail/trail:Trail"):
        selectors = [mapping(s, one.name) for s in items(one.get("advancedEventSelectors"), one.name)]
        network = any("NetworkActivity" in json.dumps(s, default=str) for s in selectors)
        on = network and one.flag("enableLogging", default=True)
        sink = _group_name(one.maybe("cloudWatchLogsGroupArn"))
        yield Sensor(one.name, "CloudTrail VPCE", "", sink, on and bool(sink), "no selector of network activity events")


def filters(stack: Stack) -> tuple[MetricFilter, ...]:
    found: list[MetricFilter] = []
    for one in stack.of("cloudwatch/logMetricFilter:LogMetricFilter"):
        to = mapping(one.get("metricTransformation"), one.name)
        metric = (str(to.get("namespace")), str(to.get("name")))
        found.append(MetricFilter(one.name, one.maybe("logGroupName"), one.maybe("pattern"), metric))
    return tuple(found)


def alarms(stack: Stack) -> tuple[Alarm, ...]:
    return tuple(_alarm(one) for one in stack.of("cloudwatch/metricAlarm:MetricAlarm"))


def _alarm(one: Resource) -> Alarm:
    queries = [mapping(q, one.name) for q in items(one.get("metricQueries"), one.name)]
    metrics = [(one.maybe("namespace"), one.maybe("metricName"))]
    metrics += [_metric(mapping(q.get("metric"), one.name)) for q in queries if q.get("metric")]
    threshold = one.get("threshold")
    return Alarm(
        one.name,
        tuple(m for m in metrics if m[1]),
        float(str(threshold)) if threshold is not None else None,
        one.flag("actionsEnabled", default=True),
        one.several("alarmActions"),
    )


def _metric(one: Mapping[str, object]) -> tuple[str, str]:
    return str(one.get("namespace")), str(one.get("metricName"))
