"""From resources to facts of observation: what records, what counts, what alarms, and whom that tells."""

from collections.abc import Iterator, Mapping, Sequence

from sequester.proof.facts import items, mapping, number
from sequester.proof.model import Alarm, LogGroup, MetricFilter, Sensor, Subscription, Timer, Watch
from sequester.sources.cluster import addon_settings
from sequester.sources.resource import Resource, Stack, block
from sequester.sources.shipping import shippers

# What AWS takes where nothing is said, and what still lets an alarm tell of an attempt within its few minutes.
_AGGREGATES_SECONDS, _MOST_SECONDS = 600, 60


def watch(stack: Stack, manifests: Sequence[Mapping[str, object]] = ()) -> Watch:
    sensors = (*_flow_logs(stack), *_resolver_logs(stack), *_clusters(stack), *_trails(stack))
    groups = {
        (one.maybe("name") or one.id): LogGroup(
            one.maybe("name") or one.id, one.maybe("logGroupClass") or "STANDARD", one.maybe("kmsKeyId")
        )
        for one in stack.of("cloudwatch/logGroup:LogGroup")
    }
    topics = {(one.maybe("arn") or one.id): one.maybe("kmsMasterKeyId") for one in stack.of("sns/topic:Topic")}
    alarms = tuple(_alarm(stack, one) for one in stack.of("cloudwatch/metricAlarm:MetricAlarm"))
    told = tuple(
        Subscription(one.maybe("topic"), one.maybe("protocol"), one.maybe("endpoint"), bool(one.get("filterPolicy")))
        for one in stack.of("sns/topicSubscription:TopicSubscription")
    )
    keys = frozenset(
        one.maybe("arn") or one.id for one in stack.of("kms/key:Key") if not one.flag("isEnabled", default=True)
    )
    ships = tuple(shippers(stack, manifests))
    return Watch(sensors, tuple(_filters(stack)), alarms, groups, topics, told, ships, tuple(_timers(stack)), keys)


def _timers(stack: Stack) -> Iterator[Timer]:
    """Rules of EventBridge on functions. A rule is on unless it says otherwise."""
    rules: dict[str, bool] = {}
    for one in stack.of("cloudwatch/eventRule:EventRule"):
        said = {key: str(one.get(key)).lower() for key in ("state", "isEnabled") if key not in one.unknown}
        on = said.get("state") != "disabled" and said.get("isEnabled") != "false"
        rules |= {one.id: on, one.maybe("name") or one.name: on}
    for one in stack.of("cloudwatch/eventTarget:EventTarget"):
        if ":function:" in one.maybe("arn") and one.maybe("rule") in rules:
            yield Timer(one.name, one.maybe("arn"), rules[one.maybe("rule")])


def _group_name(arn: str) -> str:
    return arn.partition(":log-group:")[2].removesuffix(":*") or arn


def _flow_logs(stack: Stack) -> Iterator[Sensor]:
    for one in stack.of("ec2/flowLog:FlowLog"):
        whole = one.maybe("trafficType") in ("ALL", "REJECT") and bool(one.maybe("vpcId"))
        counted = one.maybe("logDestinationType") in ("", "cloud-watch-logs")
        gap = "" if whole else f"trafficType {one.maybe('trafficType')}, or not on the whole VPC"
        gap = gap or ("" if counted else f"goes to {one.maybe('logDestinationType')}, where no filter counts")
        slow = number(one.get("maxAggregationInterval") or _AGGREGATES_SECONDS, one.name) > _MOST_SECONDS
        gap = gap or (f"gathers records for more than {_MOST_SECONDS} s before it tells of any" if slow else "")
        sink = _group_name(one.maybe("logDestination")) or one.maybe("logGroupName")
        fields = tuple(f.strip("${}") for f in one.maybe("logFormat").split())
        yield Sensor(one.name, "flow log", one.maybe("vpcId"), sink, not gap, gap, fields, one.maybe("iamRoleArn"))


def _resolver_logs(stack: Stack) -> Iterator[Sensor]:
    configs = {c.id: c for c in stack.of("route53/resolverQueryLogConfig:ResolverQueryLogConfig")}
    for one in stack.of("route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation"):
        config = configs.get(one.maybe("resolverQueryLogConfigId"))
        sink = _group_name(config.maybe("destinationArn")) if config else ""
        gap = "its configuration is not there"
        yield Sensor(one.name, "Resolver log", one.maybe("resourceId"), sink, bool(sink), gap)


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
                gap = f"nodeAgent: {', '.join(missing)} not set"
                yield Sensor(addon.name, "NP agent log", name, group, not missing, gap)


def _trails(stack: Stack) -> Iterator[Sensor]:
    for one in stack.of("cloudtrail/trail:Trail"):
        sources = sorted(
            source
            for raw in items(one.get("advancedEventSelectors"), one.name)
            for source in _sources(mapping(raw, one.name), one.name)
        )
        sink = _group_name(one.maybe("cloudWatchLogsGroupArn"))
        on = bool(sources) and one.flag("enableLogging", default=True) and bool(sink)
        gap = "no selector of network activity events, not logging, or no log group"
        role = one.maybe("cloudWatchLogsRoleArn")
        yield Sensor(one.name, "CloudTrail VPCE", ",".join(sources), sink, on, gap, (), role)


def _sources(selector: Mapping[str, object], where: str) -> Iterator[str]:
    """The event sources of which a selector records every denied call; none if it looks at some of them only."""
    said: dict[str, list[str]] = {}
    for raw in items(selector.get("fieldSelectors"), where):
        one = mapping(raw, where)
        if set(one) - {"field", "equals"} and any(one.get(k) for k in set(one) - {"field", "equals"}):
            return
        said[str(one.get("field"))] = [str(v) for v in items(one.get("equals"), where)]
    denials = said.get("errorCode", ["VpceAccessDenied"])
    if said.get("eventCategory") != ["NetworkActivity"] or "VpceAccessDenied" not in denials:
        return
    if set(said) <= {"eventCategory", "eventSource", "errorCode"}:
        yield from said.get("eventSource", ())


def _filters(stack: Stack) -> Iterator[MetricFilter]:
    for one in stack.of("cloudwatch/logMetricFilter:LogMetricFilter"):
        to = block(one, "metricTransformation")
        metric = (str(to.get("namespace")), str(to.get("name")))
        dimensions = tuple(sorted(mapping(to.get("dimensions"), one.name)))
        value = str(to.get("value", "1"))
        unit = str(to.get("unit") or "None")
        yield MetricFilter(one.name, one.maybe("logGroupName"), one.maybe("pattern"), metric, value, dimensions, unit)


def _alarm(stack: Stack, one: Resource) -> Alarm:
    queries = [mapping(q, one.name) for q in items(one.get("metricQueries"), one.name)]
    metrics = [(one.maybe("namespace"), one.maybe("metricName"))]
    # An expression may make anything of its metrics: an alarm looks at what is returned.
    returned = [q for q in queries if len(queries) == 1 or str(q.get("returnData")).lower() == "true"]
    metrics += [_metric(mapping(q.get("metric"), one.name)) for q in returned if q.get("metric")]
    threshold = one.get("threshold")
    periods = _whole(one, "evaluationPeriods", 1)
    return Alarm(
        one.name,
        tuple(m for m in metrics if m[1]),
        float(str(threshold)) if threshold is not None else None,
        one.flag("actionsEnabled", default=True),
        one.several("alarmActions"),
        one.maybe("comparisonOperator"),
        one.maybe("statistic") or ("Sum" if queries else ""),
        _whole(one, "period", 60 if queries else 0),
        periods,
        _whole(one, "datapointsToAlarm", periods),
        one.maybe("treatMissingData"),
        tuple(sorted((k, str(v)) for k, v in mapping(one.get("dimensions"), one.name).items())),
        one.maybe("unit"),
        f"arn:aws:cloudwatch:{stack.region}:{stack.account}:alarm:{one.maybe('name') or one.name}",
    )


def _whole(one: Resource, key: str, default: int) -> int:
    return default if one.get(key) is None else number(one.get(key), f"{one.name}.{key}")


def _metric(one: Mapping[str, object]) -> tuple[str, str]:
    return str(one.get("namespace")), str(one.get("metricName"))
