"""What sees: flow logs, log groups with their filters and policies, alarms, dashboards, event rules, trails."""

import json
import re
from typing import cast

from sequester.cloud.api import Aws, RefusedError
from sequester.cloud.kind import Call, Kind, code
from sequester.cloud.kinds.network import arn, retag
from sequester.cloud.wire import Props

RETENTIONS_DAYS = frozenset(
    {0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
)
"""What PutRetentionPolicy takes (CloudWatch Logs API); 0 is the provider's word for never."""
FLOW_LOG_FIELDS = frozenset(
    [
        "version",
        "account-id",
        "interface-id",
        "srcaddr",
        "dstaddr",
        "srcport",
        "dstport",
        "protocol",
        "packets",
        "bytes",
        "start",
        "end",
        "action",
        "log-status",
        "vpc-id",
        "subnet-id",
        "instance-id",
        "tcp-flags",
        "type",
        "pkt-srcaddr",
        "pkt-dstaddr",
        "region",
        "az-id",
        "sublocation-type",
        "sublocation-id",
        "pkt-src-aws-service",
        "pkt-dst-aws-service",
        "flow-direction",
        "traffic-path",
        "ecs-cluster-arn",
        "ecs-cluster-name",
        "ecs-container-instance-arn",
        "ecs-container-instance-id",
        "ecs-container-id",
        "ecs-second-container-id",
        "ecs-service-name",
        "ecs-task-definition-arn",
        "ecs-task-arn",
        "ecs-task-id",
        "reject-reason",
        "resource-id",
        "encryption-status",
    ]
)
"""VPC guide, "Flow log records", versions 2 to 10."""


def known_fields(_: Aws, state: Props) -> None:
    """AWS refuses a log format with a field that it does not have."""
    given = re.findall(r"\$\{([^}]*)\}", str(state.get("logFormat") or ""))
    unknown = sorted(set(given) - FLOW_LOG_FIELDS)
    if unknown or (state.get("logFormat") and not given):
        raise RefusedError(
            "InvalidParameter", f"logFormat: flow logs have no field {', '.join(unknown) or '(none given)'}"
        )


_WATCHED = {"vpcId": "VPC", "subnetId": "Subnet", "eniId": "NetworkInterface", "transitGatewayId": "TransitGateway"}


@code(
    takes="vpcId subnetId eniId transitGatewayId trafficType logDestination logDestinationType iamRoleArn logFormat "
    "maxAggregationInterval destinationOptions tags"
)
def create_flow_log(aws: Aws, state: Props) -> Props:
    """One thing's flow log; AWS reports what it refuses in an answer that succeeds."""
    watched = [(kind, state[name]) for name, kind in _WATCHED.items() if state.get(name)]
    if len(watched) != 1:
        raise RefusedError("InvalidParameterCombination", f"a flow log watches one of {', '.join(_WATCHED)}")
    given = {
        "TrafficType": state.get("trafficType"),
        "LogDestination": state.get("logDestination"),
        "LogDestinationType": state.get("logDestinationType"),
        "DeliverLogsPermissionArn": state.get("iamRoleArn"),
        "LogFormat": state.get("logFormat"),
        "MaxAggregationInterval": state.get("maxAggregationInterval"),
    }
    options = cast(Props, state.get("destinationOptions") or {})
    if options:
        given["DestinationOptions"] = {name[0].upper() + name[1:]: value for name, value in options.items()}
    tags = [{"Key": k, "Value": v} for k, v in cast(dict[str, str], state.get("tags") or {}).items()]
    made = aws.call(
        "ec2.create_flow_logs",
        ResourceType=watched[0][0],
        ResourceIds=[watched[0][1]],
        **({"TagSpecifications": [{"ResourceType": "vpc-flow-log", "Tags": tags}]} if tags else {}),
        **{name: value for name, value in given.items() if value is not None},
    )
    if made["Unsuccessful"]:
        error = made["Unsuccessful"][0]["Error"]
        raise RefusedError(error["Code"], error["Message"])
    group = str(state.get("logDestination") or "").partition(":log-group:")[2].removesuffix(":*")
    if group and _there(aws, group):  # moto looks for the group by the older parameter only, and reports a failure
        aws.keep("ec2:FlowLogId", made["FlowLogIds"][0], DeliverLogsStatus="SUCCESS", DeliverLogsErrorMessage=None)
    return {"id": made["FlowLogIds"][0]}


def _there(aws: Aws, group: str) -> bool:
    found = aws.call("logs.describe_log_groups", logGroupNamePrefix=group)["logGroups"]
    return any(one["logGroupName"] == group for one in found)


FLOW_LOG = Kind(
    "aws:ec2/flowLog:FlowLog",
    create=create_flow_log,
    read=Call("ec2.describe_flow_logs", fixed={"FlowLogIds": ["{id}"]}, at="FlowLogs[0]", only=()),
    changes=(retag,),
    delete=Call("ec2.delete_flow_logs", fixed={"FlowLogIds": ["{id}"]}, only=()),
    computed={"arn": arn("vpc-flow-log")},
    defaults={"trafficType": "ALL", "logDestinationType": "cloud-watch-logs"},
    rules=(known_fields,),
)


@code(takes="retentionInDays")
def retain(aws: Aws, state: Props) -> None:
    """Retention is a call of its own; none means for ever."""
    days = cast(int, state.get("retentionInDays") or 0)
    if days not in RETENTIONS_DAYS:
        raise RefusedError("InvalidParameterException", f"retentionInDays: AWS keeps logs for no {days} days")
    if days:
        aws.call("logs.put_retention_policy", logGroupName=state["id"], retentionInDays=days)
    else:
        aws.call("logs.delete_retention_policy", logGroupName=state["id"])


@code(takes="kmsKeyId")
def encrypt_group(aws: Aws, state: Props) -> None:
    """The key of a log group can be changed; moto takes one at creation only."""
    aws.keep("logs:logGroupName", str(state["id"]), kmsKeyId=state.get("kmsKeyId"))


@code(gives="arn", takes="")
def read_group(aws: Aws, state: Props) -> Props:
    """A log group by its whole name (the API looks for a prefix)."""
    found = aws.call("logs.describe_log_groups", logGroupNamePrefix=state["id"])["logGroups"]
    mine = [group for group in found if group["logGroupName"] == state["id"]]
    if not mine:
        raise RefusedError("ResourceNotFoundException", f"there is no log group {state['id']}")
    return {k: mine[0][k] for k in ("retentionInDays", "kmsKeyId") if k in mine[0]}


LOG_GROUP = Kind(
    "aws:cloudwatch/logGroup:LogGroup",
    create=Call("logs.create_log_group", names={"name": "logGroupName"}),
    read=read_group,
    changes=(retain, encrypt_group),
    delete=Call("logs.delete_log_group", fixed={"logGroupName": "{id}"}, only=()),
    id="{name}",
    computed={"arn": "arn:{partition}:logs:{region}:{account}:log-group:{name}"},
)
LOG_STREAM = Kind(
    "aws:cloudwatch/logStream:LogStream",
    create=Call("logs.create_log_stream", names={"name": "logStreamName"}),
    delete=Call("logs.delete_log_stream", names={"name": "logStreamName"}),
    id="{name}",
    computed={"arn": "arn:{partition}:logs:{region}:{account}:log-group:{logGroupName}:log-stream:{name}"},
)


def sound_pattern(_: Aws, state: Props) -> None:
    """AWS parses a filter pattern; moto stores any text. The bounds that are documented are checked here.

    CloudWatch Logs guide, "Filter pattern syntax": balanced brackets, at most two regular expressions.
    """
    pattern = str(state.get("pattern", state.get("filterPattern", "")))
    bare = re.sub(r'"(?:\\.|[^"\\])*"', '""', pattern)
    regexes = re.findall(r"%[^%]*%", bare)
    bare = re.sub(r"%[^%]*%", "", bare)
    opened: list[str] = []
    pairs = {")": "(", "]": "[", "}": "{"}
    for mark in bare:
        if mark in "([{":
            opened.append(mark)
        elif mark in pairs and (not opened or opened.pop() != pairs[mark]):
            raise RefusedError("InvalidParameterException", f"pattern: unbalanced {mark} in {pattern}")
    if opened or bare.count('"') % 2:
        raise RefusedError("InvalidParameterException", f"pattern: unbalanced {opened or 'quotes'} in {pattern}")
    if len(regexes) > 2:
        raise RefusedError("InvalidParameterException", f"pattern: more than two regular expressions in {pattern}")


_FILTER = {"name": "filterName", "pattern": "filterPattern", "metricTransformation": "metricTransformations"}
_METRIC_FILTER = Call(
    "logs.put_metric_filter",
    names=_FILTER
    | {"metricTransformation.name": "metricName", "metricTransformation.namespace": "metricNamespace"}
    | {"metricTransformation.value": "metricValue"},
)
METRIC_FILTER = Kind(
    "aws:cloudwatch/logMetricFilter:LogMetricFilter",
    create=_METRIC_FILTER,
    changes=(_METRIC_FILTER,),
    delete=Call("logs.delete_metric_filter", names=_FILTER, only=("name", "logGroupName")),
    id="{name}",
    rules=(sound_pattern,),
)
_SUBSCRIPTION = {"name": "filterName", "logGroup": "logGroupName"}
SUBSCRIPTION_FILTER = Kind(
    "aws:cloudwatch/logSubscriptionFilter:LogSubscriptionFilter",
    create=Call("logs.put_subscription_filter", names=_SUBSCRIPTION),
    delete=Call("logs.delete_subscription_filter", names=_SUBSCRIPTION, only=("name", "logGroup")),
    id="{logGroup}|{name}",
    rules=(sound_pattern,),
)
RESOURCE_POLICY = Kind(
    "aws:cloudwatch/logResourcePolicy:LogResourcePolicy",
    create=Call("logs.put_resource_policy"),
    changes=(Call("logs.put_resource_policy"),),
    delete=Call("logs.delete_resource_policy", only=("policyName",)),
    id="{policyName}",
    absent=frozenset({"policyScope", "revisionId"}),
)
DATA_PROTECTION = Kind(
    "aws:cloudwatch/logDataProtectionPolicy:LogDataProtectionPolicy",
    create=Call("logs.put_data_protection_policy", names={"logGroupName": "logGroupIdentifier"}),
    changes=(
        Call(
            "logs.put_data_protection_policy", fixed={"logGroupIdentifier": "{logGroupName}"}, only=("policyDocument",)
        ),
    ),
    delete=Call(
        "logs.delete_data_protection_policy", names={"logGroupName": "logGroupIdentifier"}, only=("logGroupName",)
    ),
    id="{logGroupName}",
    declared_only=True,
)
QUERY_DEFINITION = Kind(
    "aws:cloudwatch/queryDefinition:QueryDefinition",
    create=Call("logs.put_query_definition", outputs={"id": "queryDefinitionId"}),
    changes=(Call("logs.put_query_definition", fixed={"queryDefinitionId": "{id}"}),),
    delete=Call("logs.delete_query_definition", fixed={"queryDefinitionId": "{id}"}, only=()),
    computed={"arn": "arn:{partition}:logs:{region}:{account}:query-definition:{id}"},
    declared_only=True,
)

_ALARM = Call(
    "cloudwatch.put_metric_alarm",
    names={
        "name": "AlarmName",
        "metricQueries": "Metrics",
        "metricQueries.metric": "MetricStat",
        "metricQueries.metric.metricName": "Metric.MetricName",
        "metricQueries.metric.namespace": "Metric.Namespace",
        "metricQueries.metric.dimensions": "Metric.Dimensions",
        "evaluateLowSampleCountPercentiles": "EvaluateLowSampleCountPercentile",
    },
)


METRIC_ALARM = Kind(
    "aws:cloudwatch/metricAlarm:MetricAlarm",
    create=_ALARM,
    changes=(_ALARM,),
    delete=Call("cloudwatch.delete_alarms", fixed={"AlarmNames": ["{id}"]}, only=()),
    id="{name}",
    computed={"arn": "arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}"},
)
_COMPOSITE = Call("cloudwatch.put_composite_alarm")


def known_alarms(aws: Aws, state: Props) -> None:
    """AWS refuses a composite alarm over an alarm that does not exist."""
    names = re.findall(r"(?:ALARM|OK|INSUFFICIENT_DATA)\(\s*\"?([^\")]+)\"?\s*\)", str(state["alarmRule"]))
    if not names and not re.search(r"\b(TRUE|FALSE)\b", str(state["alarmRule"])):
        raise RefusedError("ValidationError", f"AlarmRule: no alarm in {state['alarmRule']}")
    wanted = {name.split(":alarm:")[-1].strip() for name in names}
    answer = aws.call("cloudwatch.describe_alarms", AlarmNames=sorted(wanted)) if wanted else {}
    held = {a["AlarmName"] for a in [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]}
    if wanted - held:
        raise RefusedError("ValidationError", f"AlarmRule: there is no alarm {', '.join(sorted(wanted - held))}")


COMPOSITE_ALARM = Kind(
    "aws:cloudwatch/compositeAlarm:CompositeAlarm",
    create=_COMPOSITE,
    changes=(_COMPOSITE,),
    delete=Call("cloudwatch.delete_alarms", fixed={"AlarmNames": ["{id}"]}, only=()),
    id="{alarmName}",
    computed={"arn": "arn:{partition}:cloudwatch:{region}:{account}:alarm:{alarmName}"},
    rules=(known_alarms,),
    declared_only=True,
)


def sound_dashboard(_: Aws, state: Props) -> None:
    """AWS refuses a dashboard that is not JSON with widgets."""
    try:
        body = json.loads(str(state["dashboardBody"]))
    except ValueError as error:
        raise RefusedError("InvalidParameterInput", f"dashboardBody is not JSON: {error}") from error
    if not isinstance(body, dict) or "widgets" not in body:
        raise RefusedError("InvalidParameterInput", "dashboardBody has no widgets")


DASHBOARD = Kind(
    "aws:cloudwatch/dashboard:Dashboard",
    create=Call("cloudwatch.put_dashboard"),
    changes=(Call("cloudwatch.put_dashboard"),),
    delete=Call("cloudwatch.delete_dashboards", fixed={"DashboardNames": ["{id}"]}, only=()),
    id="{dashboardName}",
    computed={"dashboardArn": "arn:{partition}:cloudwatch::{account}:dashboard/{dashboardName}"},
    rules=(sound_dashboard,),
)

_RULE = Call("events.put_rule", outputs={"arn": "RuleArn"})
EVENT_RULE = Kind(
    "aws:cloudwatch/eventRule:EventRule",
    create=_RULE,
    changes=(Call("events.put_rule", fixed={"Name": "{name}"}, without=("name", "eventBusName")),),
    delete=Call("events.delete_rule", only=("name", "eventBusName")),
    id="{name}",
    computed={"arn": "arn:{partition}:events:{region}:{account}:rule/{name}"},
)
_TARGET = Call(
    "events.put_targets",
    names={
        name: f"Targets.{path}"
        for name, path in {
            "arn": "Arn",
            "targetId": "Id",
            "roleArn": "RoleArn",
            "input": "Input",
            "inputPath": "InputPath",
            "inputTransformer": "InputTransformer",
            "deadLetterConfig": "DeadLetterConfig",
            "retryPolicy": "RetryPolicy",
        }.items()
    }
    | {"inputTransformer.inputPaths": "InputPathsMap"},
    only=(
        "rule",
        "eventBusName",
        "arn",
        "targetId",
        "roleArn",
        "input",
        "inputPath",
        "inputTransformer",
        "deadLetterConfig",
        "retryPolicy",
    ),
)
EVENT_TARGET = Kind(
    "aws:cloudwatch/eventTarget:EventTarget",
    create=_TARGET,
    delete=Call("events.remove_targets", fixed={"Ids": ["{targetId}"]}, only=("rule", "eventBusName")),
    id="{rule}-{targetId}",
    defaults={"eventBusName": "default"},
)


@code(takes="advancedEventSelectors eventSelectors")
def select_events(aws: Aws, state: Props) -> None:
    """What the trail records, advanced selectors or the old ones."""
    if state.get("advancedEventSelectors"):
        selectors = [
            {
                "Name": one.get("name", ""),
                "FieldSelectors": [
                    {key[0].upper() + key[1:]: value for key, value in field.items() if value}
                    for field in cast(list[Props], one["fieldSelectors"])
                ],
            }
            for one in cast(list[Props], state["advancedEventSelectors"])
        ]
        aws.call("cloudtrail.put_event_selectors", TrailName=state["id"], AdvancedEventSelectors=selectors)
    elif state.get("eventSelectors"):
        old = [
            {
                "ReadWriteType": one.get("readWriteType", "All"),
                "IncludeManagementEvents": one.get("includeManagementEvents", True),
                "DataResources": [
                    {"Type": r["type"], "Values": r["values"]}
                    for r in cast(list[Props], one.get("dataResources") or [])
                ],
            }
            for one in cast(list[Props], state["eventSelectors"])
        ]
        aws.call("cloudtrail.put_event_selectors", TrailName=state["id"], EventSelectors=old)


@code(takes="enableLogging")
def start_logging(aws: Aws, state: Props) -> None:
    """A trail records once it is started."""
    verb = "start_logging" if state.get("enableLogging", True) else "stop_logging"
    aws.call(f"cloudtrail.{verb}", Name=state["id"])


TRAIL = Kind(
    "aws:cloudtrail/trail:Trail",
    create=Call(
        "cloudtrail.create_trail",
        names={
            "cloudWatchLogsGroupArn": "CloudWatchLogsLogGroupArn",
            "cloudWatchLogsRoleArn": "CloudWatchLogsRoleArn",
            "enableLogFileValidation": "EnableLogFileValidation",
            "includeGlobalServiceEvents": "IncludeGlobalServiceEvents",
            "isMultiRegionTrail": "IsMultiRegionTrail",
            "isOrganizationTrail": "IsOrganizationTrail",
            "tags": "TagsList",
        },
        outputs={"arn": "TrailARN", "snsTopicArn": "SnsTopicARN"},
    ),
    changes=(
        select_events,
        start_logging,
        Call(
            "cloudtrail.update_trail",
            fixed={"Name": "{name}"},
            names={"cloudWatchLogsGroupArn": "CloudWatchLogsLogGroupArn"},
            without=("name", "tags"),
        ),
    ),
    delete=Call("cloudtrail.delete_trail", fixed={"Name": "{name}"}, only=()),
    id="{arn}",
    computed={"homeRegion": "{region}"},
    defaults={"enableLogging": True},
    absent=frozenset({"snsTopicArn"}),
)

KINDS = (
    FLOW_LOG,
    LOG_GROUP,
    LOG_STREAM,
    METRIC_FILTER,
    SUBSCRIPTION_FILTER,
    RESOURCE_POLICY,
    DATA_PROTECTION,
    QUERY_DEFINITION,
    METRIC_ALARM,
    COMPOSITE_ALARM,
    DASHBOARD,
    EVENT_RULE,
    EVENT_TARGET,
    TRAIL,
)
