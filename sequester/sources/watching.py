"""From resources to facts of observation: what records, what counts, what alarms, and whom that tells."""

from collections.abc import Iterator, Mapping, Sequence

from sequester.proof.facts import items, mapping, number
from sequester.proof.model import AccessEntry, Alarm, LogGroup, MetricFilter, Sensor, Subscription, Timer, Watch
from sequester.sources.cluster import addon_settings
from sequester.sources.resource import Resource, Stack, block
from sequester.sources.shipping import node_roles, shippers

# What AWS takes where nothing is said, and what still lets an alarm tell of an attempt within its few minutes.
_AGGREGATES_SECONDS, _MOST_SECONDS = 600, 60


def watch(stack: Stack, manifests: Sequence[Mapping[str, object]] = ()) -> Watch:
    sensors = (*_flow_logs(stack), *_resolver_logs(stack), *_clusters(stack), *_trails(stack))
    masks = {one.maybe("logGroupName"): one.name for one in _masking(stack)}
    groups = {
        (name := one.maybe("name") or one.id): LogGroup(
            name, one.maybe("logGroupClass") or "STANDARD", _key(stack, one.maybe("kmsKeyId")), masks.get(name, "")
        )
        for one in stack.of("cloudwatch/logGroup:LogGroup")
    }
    topics = {
        (one.maybe("arn") or one.id): _key(stack, one.maybe("kmsMasterKeyId")) for one in stack.of("sns/topic:Topic")
    }
    alarms = tuple(_alarm(stack, one) for one in stack.of("cloudwatch/metricAlarm:MetricAlarm"))
    told = tuple(
        Subscription(one.maybe("topic"), one.maybe("protocol"), one.maybe("endpoint"), bool(one.get("filterPolicy")))
        for one in stack.of("sns/topicSubscription:TopicSubscription")
    )
    keys = {one.maybe("arn") or one.id: one.flag("isEnabled", default=True) for one in stack.of("kms/key:Key")}
    ships = tuple(shippers(stack, manifests))
    return Watch(sensors, tuple(_filters(stack)), alarms, groups, topics, told, ships, tuple(_timers(stack)), keys)


def _timers(stack: Stack) -> Iterator[Timer]:
    """Rules of EventBridge on functions. A rule is on unless it says otherwise; schedules are the default bus's."""
    rules: dict[str, tuple[bool, str, str]] = {}
    for one in stack.of("cloudwatch/eventRule:EventRule"):
        said = {key: str(one.get(key)).lower() for key in ("state", "isEnabled") if key not in one.unknown}
        on = said.get("state") != "disabled" and said.get("isEnabled") != "false"
        name, bus = one.maybe("name") or one.name, one.maybe("eventBusName").rpartition("/")[2]
        arn = f"arn:aws:events:{stack.region}:{stack.account}:rule/{name}"
        rules |= dict.fromkeys((one.id, name), (on, arn, one.maybe("scheduleExpression") if bus in _BUSES else ""))
    for one in stack.of("cloudwatch/eventTarget:EventTarget"):
        if ":function:" in one.maybe("arn") and one.maybe("rule") in rules:
            said_by = "what it is told is made of the event" if one.get("inputTransformer") else one.maybe("input")
            yield Timer(one.name, one.maybe("arn"), *rules[one.maybe("rule")], said_by)


_BUSES = ("", "default")
_MASKS = "Deidentify"


def _masking(stack: Stack) -> Iterator[Resource]:
    """Data protection policies that mask, and do not only count, what they find. Filters read what is left.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/mask-sensitive-log-data.html
    """
    for one in stack.of("cloudwatch/logDataProtectionPolicy:LogDataProtectionPolicy"):
        if _MASKS in str(one.get("policyDocument")):
            yield one


def _key(stack: Stack, said: str) -> str:
    """The ARN of the key that an ARN, id or alias names; what is said itself where the facts have no such key."""
    alias = said.partition(":alias/")[2] or said.partition("alias/")[2]
    if alias:
        named = (one for one in stack.of("kms/alias:Alias") if one.maybe("name") == f"alias/{alias}")
        said = next((one.maybe("targetKeyId") for one in named), said)
    keys = (one for one in stack.of("kms/key:Key") if said and said in (one.maybe("arn"), one.id))
    return next((one.maybe("arn") or one.id for one in keys), said)


def _sink(stack: Stack, arn: str) -> str:
    """The name of a log group of this account and region; of any other, its ARN."""
    place = f"arn:aws:logs:{stack.region}:{stack.account}:log-group:"
    return arn.removeprefix(place).removesuffix(":*")


def entries(stack: Stack) -> tuple[AccessEntry, ...]:
    """Whom EKS clusters take for whom."""
    given: dict[tuple[str, str], list[tuple[str, tuple[str, ...]]]] = {}
    for one in stack.of("eks/accessPolicyAssociation:AccessPolicyAssociation"):
        spaces = tuple(str(name) for name in items(block(one, "accessScope").get("namespaces"), one.name))
        key = (one.maybe("clusterName"), one.maybe("principalArn"))
        given.setdefault(key, []).append((one.maybe("policyArn").rpartition("/")[2], spaces))
    found: list[AccessEntry] = []
    for one in stack.of("eks/accessEntry:AccessEntry"):
        cluster, principal = one.maybe("clusterName"), one.maybe("principalArn")
        policies = tuple(given.get((cluster, principal), ()))
        found.append(AccessEntry(one.name, cluster, principal, one.several("kubernetesGroups"), policies))
    return tuple(found)


def _flow_logs(stack: Stack) -> Iterator[Sensor]:
    for one in stack.of("ec2/flowLog:FlowLog"):
        whole = one.maybe("trafficType") in ("ALL", "REJECT") and bool(one.maybe("vpcId"))
        counted = one.maybe("logDestinationType") in ("", "cloud-watch-logs")
        gap = "" if whole else f"trafficType {one.maybe('trafficType')}, or not on the whole VPC"
        gap = gap or ("" if counted else f"goes to {one.maybe('logDestinationType')}, where no filter counts")
        slow = number(one.get("maxAggregationInterval") or _AGGREGATES_SECONDS, one.name) > _MOST_SECONDS
        gap = gap or (f"gathers records for more than {_MOST_SECONDS} s before it tells of any" if slow else "")
        roles = tuple(filter(None, (one.maybe("iamRoleArn"),)))
        gap = gap or ("" if roles else "has no role to write with: iamRoleArn")
        sink = _sink(stack, one.maybe("logDestination")) or one.maybe("logGroupName")
        fields = tuple(f.strip("${}") for f in one.maybe("logFormat").split())
        yield Sensor(one.name, "flow log", one.maybe("vpcId"), sink, not gap, gap, fields, roles)


def _resolver_logs(stack: Stack) -> Iterator[Sensor]:
    configs = {c.id: c for c in stack.of("route53/resolverQueryLogConfig:ResolverQueryLogConfig")}
    for one in stack.of("route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation"):
        config = configs.get(one.maybe("resolverQueryLogConfigId"))
        sink = _sink(stack, config.maybe("destinationArn")) if config else ""
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
                roles = node_roles(stack)
                yield Sensor(addon.name, "NP agent log", name, group, not missing, gap, (), roles, by_endpoint=True)


def _trails(stack: Stack) -> Iterator[Sensor]:
    for one in stack.of("cloudtrail/trail:Trail"):
        sources = sorted(
            source
            for raw in items(one.get("advancedEventSelectors"), one.name)
            for source in _sources(mapping(raw, one.name), one.name)
        )
        sink = _sink(stack, one.maybe("cloudWatchLogsGroupArn"))
        on = bool(sources) and one.flag("enableLogging", default=True) and bool(sink)
        gap = "no selector of network activity events, not logging, or no log group"
        roles = tuple(filter(None, (one.maybe("cloudWatchLogsRoleArn"),)))
        yield Sensor(one.name, "CloudTrail VPCE", ",".join(sources), sink, on, gap, (), roles)


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
    looked_at = _metric(stack, one)
    threshold = one.get("threshold")
    periods = number(one.get("evaluationPeriods") or 1, f"{one.name}.evaluationPeriods")
    return Alarm(
        one.name,
        ((str(looked_at.get("namespace")), str(looked_at["metricName"])),) if looked_at.get("metricName") else (),
        float(str(threshold)) if threshold is not None else None,
        one.flag("actionsEnabled", default=True),
        one.several("alarmActions"),
        one.maybe("comparisonOperator"),
        str(looked_at.get("statistic") or ""),
        number(looked_at.get("period") or 0, f"{one.name}.period"),
        periods,
        number(one.get("datapointsToAlarm") or periods, f"{one.name}.datapointsToAlarm"),
        one.maybe("treatMissingData"),
        tuple(sorted((k, str(v)) for k, v in mapping(looked_at.get("dimensions"), one.name).items())),
        str(looked_at.get("unit") or ""),
        f"arn:aws:cloudwatch:{stack.region}:{stack.account}:alarm:{one.maybe('name') or one.name}",
    )


_LOOKED_AT = ("namespace", "metricName", "statistic", "period", "dimensions", "unit")


def _metric(stack: Stack, one: Resource) -> Mapping[str, object]:
    """The one metric that an alarm looks at, itself or by a query; none where it is an expression or of elsewhere."""
    queries = [mapping(q, one.name) for q in items(one.get("metricQueries"), one.name)]
    if not queries:
        return {key: one.get(key) for key in _LOOKED_AT}
    # An expression may make anything of its metrics: an alarm looks at what is returned.
    returned = [q for q in queries if len(queries) == 1 or str(q.get("returnData")).lower() == "true"]
    if len(returned) != 1 or str(returned[0].get("accountId") or stack.account) != stack.account:
        return {}
    metric = mapping(returned[0].get("metric"), one.name)
    return {**metric, "statistic": metric.get("stat")}
