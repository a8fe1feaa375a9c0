"""Observation in a live account: what records, what counts, what alarms."""

from collections.abc import Iterator

from sequester.sources.live.network import formed
from sequester.sources.live.reader import Raw, Reader, name_of, part, parts
from sequester.sources.resource import Resource


def read(reader: Reader) -> Iterator[Resource]:
    yield from formed(reader, "ec2.describe_flow_logs", _flow_log)
    yield from formed(reader, "route53resolver.list_resolver_query_log_configs", _query_log)
    yield from formed(reader, "route53resolver.list_resolver_query_log_config_associations", _query_logged)
    yield from formed(reader, "cloudtrail.describe_trails", lambda raw: _trail(reader, raw), includeShadowTrails=False)
    yield from formed(reader, "logs.describe_metric_filters", _filter)
    yield from formed(reader, "cloudwatch.describe_alarms", _alarm, AlarmTypes=["MetricAlarm"])


def _flow_log(raw: Raw) -> Iterator[Resource]:
    failing = raw.get("DeliverLogsStatus") == "FAILED" or raw.get("FlowLogStatus", "ACTIVE") != "ACTIVE"
    where = str(raw.get("ResourceId") or "")
    properties = {
        "trafficType": "" if failing else raw.get("TrafficType"),
        "maxAggregationInterval": raw.get("MaxAggregationInterval"),
        "vpcId": where if where.startswith("vpc-") else "",
        "logDestination": raw.get("LogDestination") or "",
        "logGroupName": raw.get("LogGroupName") or "",
        "logDestinationType": raw.get("LogDestinationType") or "",
        "logFormat": raw.get("LogFormat") or "",
        "iamRoleArn": raw.get("DeliverLogsPermissionArn") or "",
    }
    yield Resource("aws:ec2/flowLog:FlowLog", name_of(raw, "FlowLogId"), raw["FlowLogId"], properties)


def _query_log(raw: Raw) -> Iterator[Resource]:
    kind = "aws:route53/resolverQueryLogConfig:ResolverQueryLogConfig"
    yield Resource(kind, raw.get("Name") or raw["Id"], raw["Id"], {"destinationArn": raw["DestinationArn"]})


def _query_logged(raw: Raw) -> Iterator[Resource]:
    if raw.get("Status", "ACTIVE") not in ("ACTIVE", "CREATING"):
        return
    kind = "aws:route53/resolverQueryLogConfigAssociation:ResolverQueryLogConfigAssociation"
    properties = {"resolverQueryLogConfigId": raw["ResolverQueryLogConfigId"], "resourceId": raw["ResourceId"]}
    yield Resource(kind, f"query log of {raw['ResourceId']}", raw["Id"], properties)


def _trail(reader: Reader, raw: Raw) -> Iterator[Resource]:
    arn = raw["TrailARN"]
    selectors = parts(reader.one("cloudtrail.get_event_selectors", TrailName=arn), "AdvancedEventSelectors")
    status = reader.one("cloudtrail.get_trail_status", Name=arn)
    properties = {
        "enableLogging": bool(status.get("IsLogging")),
        "cloudWatchLogsGroupArn": raw.get("CloudWatchLogsLogGroupArn") or "",
        "cloudWatchLogsRoleArn": raw.get("CloudWatchLogsRoleArn") or "",
        "advancedEventSelectors": [
            {
                "name": one.get("Name"),
                "fieldSelectors": [
                    {k[0].lower() + k[1:]: v for k, v in f.items()} for f in parts(one, "FieldSelectors")
                ],
            }
            for one in selectors
        ],
    }
    yield Resource("aws:cloudtrail/trail:Trail", raw["Name"], arn, properties)


def _filter(raw: Raw) -> Iterator[Resource]:
    for to in parts(raw, "metricTransformations"):
        properties = {
            "logGroupName": raw["logGroupName"],
            "pattern": raw.get("filterPattern") or "",
            "metricTransformation": {
                "namespace": to["metricNamespace"],
                "name": to["metricName"],
                "value": to.get("metricValue") or "1",
                "dimensions": part(to, "dimensions"),
                "unit": to.get("unit") or "",
            },
        }
        kind = "aws:cloudwatch/logMetricFilter:LogMetricFilter"
        yield Resource(kind, raw["filterName"], f"{raw['logGroupName']}:{raw['filterName']}", properties)


def _alarm(raw: Raw) -> Iterator[Resource]:
    properties = {
        "namespace": raw.get("Namespace") or "",
        "metricName": raw.get("MetricName") or "",
        "threshold": raw.get("Threshold"),
        "actionsEnabled": bool(raw.get("ActionsEnabled", True)),
        "alarmActions": parts(raw, "AlarmActions"),
        "comparisonOperator": raw.get("ComparisonOperator") or "",
        "statistic": raw.get("Statistic") or "",
        "period": raw.get("Period"),
        "evaluationPeriods": raw.get("EvaluationPeriods"),
        "datapointsToAlarm": raw.get("DatapointsToAlarm"),
        "treatMissingData": raw.get("TreatMissingData") or "",
        "dimensions": {one["Name"]: one["Value"] for one in parts(raw, "Dimensions")},
        "unit": raw.get("Unit") or "",
        "metricQueries": [_query(one) for one in parts(raw, "Metrics")],
    }
    yield Resource("aws:cloudwatch/metricAlarm:MetricAlarm", raw["AlarmName"], raw["AlarmName"], properties)


def _query(raw: Raw) -> dict[str, object]:
    stat = part(raw, "MetricStat")
    metric = part(stat, "Metric")
    said = {
        "namespace": metric.get("Namespace"),
        "metricName": metric.get("MetricName"),
        "dimensions": {one["Name"]: one["Value"] for one in parts(metric, "Dimensions")},
        "period": stat.get("Period"),
        "stat": stat.get("Stat"),
        "unit": stat.get("Unit") or "",
    }
    return {
        "expression": raw.get("Expression") or "",
        "returnData": raw.get("ReturnData", True),
        "metric": said if metric else None,
        "accountId": raw.get("AccountId") or "",
    }
