"""Ways to go unseen: sensors, filters, alarms and whom they tell (E8)."""

# Edits are of plain JSON, whose parts have no types.
# pyright: reportArgumentType=false, reportGeneralTypeIssues=false, reportAttributeAccessIssue=false

import json
from collections.abc import Callable
from typing import Any, cast

from proof_world import ACCOUNT, World
from ways_edits import OTHER, Change, Rows, trusting

OWNER = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"}


def counting(name: str, /, **properties: object) -> Change:
    return lambda w: w.set("LogMetricFilter", f"sequester-{name}-1", **properties)


def metric(name: str, /, **properties: object) -> Change:
    def edit(w: World) -> World:
        one = w.one("LogMetricFilter", f"sequester-{name}-1")
        return w.set(
            "LogMetricFilter",
            one.name,
            metricTransformation={**cast("Any", one.properties["metricTransformation"]), **properties},
        )

    return edit


def alarm(name: str, /, **properties: object) -> Change:
    return lambda w: w.set("MetricAlarm", f"sequester-{name}", **properties)


def flow(**properties: object) -> Change:
    return lambda w: w.set("FlowLog", "sequester-flow-logs", **properties)


def selectors(change: Callable[[Any], object]) -> Change:
    def edit(w: World) -> World:
        listed = json.loads(json.dumps(w.one("Trail", "sequester").properties["advancedEventSelectors"]))
        change(listed)
        return w.set("Trail", "sequester", advancedEventSelectors=listed)

    return edit


def agent_logs(**agent: str) -> Change:
    def edit(w: World) -> World:
        values = json.loads(w.one("Addon", "sequester-vpc-cni").text("configurationValues"))
        values["nodeAgent"] = {**values["nodeAgent"], **agent}
        return w.set("Addon", "sequester-vpc-cni", configurationValues=json.dumps(values))

    return edit


def key_policy(name: str, statements: list[dict[str, Any]]) -> Change:
    return lambda w: w.set("Key", name, policy=json.dumps({"Statement": statements}))


TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:sequester-alarms"
PUBLISHES = {
    "Effect": "Allow",
    "Principal": {"Service": "cloudwatch.amazonaws.com"},
    "Action": "sns:Publish",
    "Resource": TOPIC,
}


def topic_policy(**conditions: dict[str, str]) -> Change:
    said = json.dumps({"Statement": [{**PUBLISHES, "Condition": conditions}]})
    return lambda w: w.set("TopicPolicy", "sequester-alarms", policy=said)


def denied(role: str, **denial: str) -> Change:
    said = json.dumps({"Statement": [{"Effect": "Deny", "Resource": "*", **denial}]})
    return lambda w: w.set(
        "Role",
        role,
        inlinePolicies=[*cast("Any", w.one("Role", role).properties["inlinePolicies"]), {"name": "x", "policy": said}],
    )


def shipper(**spec: Any) -> Change:
    return lambda w: w.edit(
        "DaemonSet", "log-shipper", "sequester-system", lambda m: m["spec"]["template"]["spec"].update(spec)
    )


def trusted_by(service: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}


REJECTED = {"namespace": "Sequester/Tripwires", "metricName": "sequester-packet-rejected"}
FURTHER: Rows = {
    "topic policy of other alarms": ("E8", "blueprint", topic_policy(ArnLike={"aws:SourceArn": f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:other-*"})),
    "topic policy of another account's alarms": ("E8", "blueprint", topic_policy(StringEquals={"aws:SourceAccount": OTHER})),
    "alarm of another unit": ("E8", "blueprint", alarm("packet-rejected", unit="Bytes")),
    "alarm on an expression": ("E8", "blueprint", alarm("packet-rejected", metricName=None, namespace=None, metricQueries=[{"id": "m", "metric": REJECTED}, {"id": "e", "expression": "IF(m > 1000000, 1, 0)", "returnData": True}])),
    "filter of a field's value": ("E8", "blueprint", metric("packet-rejected", value="$tcp_flags")),
    "flow log that gathers": ("E8", "blueprint", flow(maxAggregationInterval=600)),
    "flow log that gathers by default": ("E8", "blueprint", flow(maxAggregationInterval=None)),
    "flow role trusts somebody else": ("E8", "blueprint", trusting("sequester-flow-logs", trusted_by("ec2.amazonaws.com"))),
    "trail role trusts somebody else": ("E8", "blueprint", trusting("sequester-trail", trusted_by("ec2.amazonaws.com"))),
    "logs key off": ("E8", "blueprint", lambda w: w.set("Key", "sequester-logs", isEnabled=False)),
    "alarms key off": ("E8", "blueprint", lambda w: w.set("Key", "sequester-alarms", isEnabled=False)),
    "silence told after a day": ("E8", "blueprint", alarm("silent-flow", evaluationPeriods=288, datapointsToAlarm=288)),
    "log shipper on other nodes": ("E8", "blueprint", shipper(nodeSelector={"sequester.dev/pool": "system"})),
    "log shipper by affinity": ("E8", "blueprint", shipper(affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "x", "operator": "Exists"}]}]}}})),
    "a subscription that filters": ("E8", "blueprint", lambda w: w.set("TopicSubscription", "sequester-responder", filterPolicy='{"severity": ["high"]}')),
    "responder's helper may not run": ("E8", "blueprint", lambda w: w.set("Function", "sequester-responder-inside", reservedConcurrentExecutions=0)),
    "responder's helper is not called": ("E8", "blueprint", denied("sequester-responder", Action="lambda:InvokeFunction")),
    "responder may do nothing": ("E8", "blueprint", denied("sequester-responder", Action="*")),
    "responder may not run": ("E8", "blueprint", lambda w: w.set("Function", "sequester-responder", reservedConcurrentExecutions=0)),
    "sweep disabled": ("E8", "blueprint", lambda w: w.set("EventRule", "sequester-responder-sweep", state="DISABLED")),
    "sweep disabled the old way": ("E8", "blueprint", lambda w: w.set("EventRule", "sequester-responder-sweep", isEnabled=False)),
    "flow log gone": ("E8", "blueprint", lambda w: w.without("FlowLog", "sequester-flow-logs")),
    "flow accept only": ("E8", "blueprint", flow(trafficType="ACCEPT")),
    "flow of one subnet": ("E8", "blueprint", lambda w: flow(vpcId=None, subnetId=w.subnet("sandbox").id)(w)),
    "flow of another vpc": ("E8", "blueprint", flow(vpcId="vpc-other")),
    "flow to s3": ("E8", "blueprint", flow(logDestinationType="s3", logDestination="arn:aws:s3:::x")),
    "flow other format": ("E8", "blueprint", flow(logFormat="${version} ${srcaddr} ${dstaddr} ${action}")),
    "flow default format": ("E8", "blueprint", flow(logFormat=None)),
    "flow role powerless": ("E8", "blueprint", lambda w: w.set("RolePolicy", "sequester-flow-logs", policy=json.dumps({"Statement": [{"Effect": "Allow", "Action": "logs:CreateLogStream", "Resource": "*"}]}))),
    "flow role gone": ("E8", "blueprint", lambda w: w.without("RolePolicy", "sequester-flow-logs")),
    "flow role other group": ("E8", "blueprint", lambda w: w.set("RolePolicy", "sequester-flow-logs", policy=json.dumps({"Statement": [{"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/other:*"}]}))),
    "resolver association gone": ("E8", "blueprint", lambda w: w.without("ResolverQueryLogConfigAssociation", "sequester-queries")),
    "resolver of another vpc": ("E8", "blueprint", lambda w: w.set("ResolverQueryLogConfigAssociation", "sequester-queries", resourceId="vpc-x")),
    "resolver config gone": ("E8", "blueprint", lambda w: w.without("ResolverQueryLogConfig", "sequester-queries")),
    "audit log off": ("E8", "blueprint", lambda w: w.set("Cluster", "sequester", enabledClusterLogTypes=["api"])),
    "agent events off": ("E8", "blueprint", agent_logs(enablePolicyEventLogs="false")),
    "agent cloudwatch off": ("E8", "blueprint", agent_logs(enableCloudWatchLogs="false")),
    "trail off": ("E8", "blueprint", lambda w: w.set("Trail", "sequester", enableLogging=False)),
    "trail gone": ("E8", "blueprint", lambda w: w.without("Trail", "sequester")),
    "trail no group": ("E8", "blueprint", lambda w: w.set("Trail", "sequester", cloudWatchLogsGroupArn=None)),
    "trail no selectors": ("E8", "blueprint", selectors(lambda those: those.clear())),
    "trail lacks lambda": ("E8", "blueprint", selectors(lambda those: [those.remove(x) for x in list(those) if "lambda" in json.dumps(x)])),
    "trail lacks s3": ("E8", "blueprint", selectors(lambda those: [those.remove(x) for x in list(those) if "s3.amazonaws" in json.dumps(x)])),
    "trail management": ("E8", "blueprint", selectors(lambda those: [x["fieldSelectors"][0].update(equals=["Management"]) for x in those])),
    "trail error code other": ("E8", "blueprint", selectors(lambda those: [x["fieldSelectors"][2].update(equals=["AccessDenied"]) for x in those])),
    "trail one endpoint only": ("E8", "blueprint", selectors(lambda those: [x["fieldSelectors"].append({"field": "vpcEndpointId", "equals": ["vpce-1"]}) for x in those])),
    "trail one event name": ("E8", "blueprint", selectors(lambda those: [x["fieldSelectors"].append({"field": "eventName", "equals": ["PutObject"]}) for x in those])),
    "trail notEquals": ("E8", "blueprint", selectors(lambda those: [x["fieldSelectors"].append({"field": "userIdentity.arn", "notEquals": ["x"]}) for x in those])),
    "trail role powerless": ("E8", "blueprint", lambda w: w.set("Role", "sequester-trail", inlinePolicies=[{"name": "x", "policy": json.dumps({"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})}])),
    "filter gone": ("E8", "blueprint", lambda w: w.without("LogMetricFilter", "sequester-packet-rejected-1")),
    "filter wrong group": ("E8", "blueprint", counting("packet-rejected", logGroupName="/other")),
    "filter wrong pattern": ("E8", "blueprint", counting("packet-rejected", pattern="[a, b, action=REJECT]")),
    "filter narrower": ("E8", "blueprint", counting("name-blocked", pattern='{ $.firewall_rule_action = "BLOCK" && $.query_type = "A" }')),
    "filter ALERT": ("E8", "blueprint", counting("name-blocked", pattern='{ $.firewall_rule_action = "ALERT" }')),
    "filter bad pattern": ("E8", "blueprint", counting("policy-denied", pattern='{ $.x = ')),
    "filter wrong word": ("E8", "blueprint", counting("policy-denied", pattern='"PolicyVerdict: DROP"')),
    "filter excludes": ("E8", "blueprint", counting("policy-denied", pattern='"PolicyVerdict: DENY" -"TCP"')),
    "filter metric name": ("E8", "blueprint", metric("endpoint-denied", name="other")),
    "filter namespace": ("E8", "blueprint", metric("endpoint-denied", namespace="Other")),
    "filter value 0": ("E8", "blueprint", metric("endpoint-denied", value="0")),
    "filter dimensions": ("E8", "blueprint", metric("endpoint-denied", dimensions={"x": "$.eventSource"})),
    "filter tenant typo": ("E8", "blueprint", lambda w: counting("api-refused-research", pattern=w.one("LogMetricFilter", "sequester-api-refused-research-1").properties["pattern"].replace("research-", "reserch-"))(w)),
    "filter code 401": ("E8", "blueprint", lambda w: counting("api-refused-research", pattern=w.one("LogMetricFilter", "sequester-api-refused-research-1").properties["pattern"].replace("403", "401"))(w)),
    "filter stdout": ("E8", "blueprint", lambda w: counting("network-call-research", pattern=w.one("LogMetricFilter", "sequester-network-call-research-1").properties["pattern"].replace("stderr", "stdout"))(w)),
    "filter noise": ("E8", "blueprint", lambda w: counting("kernel-call-research", pattern=w.one("LogMetricFilter", "sequester-kernel-call-research-1").properties["pattern"].replace("noise IS FALSE", "noise IS TRUE"))(w)),
    "door filter gone": ("E8", "blueprint", lambda w: w.without("LogMetricFilter", "sequester-door-secret-research-1")),
    "door filter rule": ("E8", "blueprint", counting("door-spent-research", pattern='{ $.event = "fetch" && $.verdict = "allowed" }')),
    "alarm gone": ("E8", "blueprint", lambda w: w.without("MetricAlarm", "sequester-packet-rejected")),
    "alarm disabled": ("E8", "blueprint", alarm("packet-rejected", actionsEnabled=False)),
    "alarm no actions": ("E8", "blueprint", alarm("packet-rejected", alarmActions=[])),
    "alarm ok actions only": ("E8", "blueprint", alarm("packet-rejected", alarmActions=None, okActions=[f"arn:aws:sns:us-east-1:{ACCOUNT}:sequester-alarms"])),
    "alarm wrong topic": ("E8", "blueprint", alarm("packet-rejected", alarmActions=[f"arn:aws:sns:us-east-1:{ACCOUNT}:other"])),
    "alarm foreign topic": ("E8", "blueprint", alarm("packet-rejected", alarmActions=[f"arn:aws:sns:us-east-1:{OTHER}:sequester-alarms"])),
    "alarm threshold": ("E8", "blueprint", alarm("packet-rejected", threshold=1000)),
    "alarm threshold greater": ("E8", "blueprint", alarm("packet-rejected", comparisonOperator="GreaterThanThreshold")),
    "alarm less": ("E8", "blueprint", alarm("packet-rejected", comparisonOperator="LessThanThreshold")),
    "alarm average": ("E8", "blueprint", alarm("packet-rejected", statistic="Average")),
    "alarm minimum": ("E8", "blueprint", alarm("packet-rejected", statistic="Minimum")),
    "alarm period": ("E8", "blueprint", alarm("packet-rejected", period=86400)),
    "alarm datapoints": ("E8", "blueprint", alarm("packet-rejected", datapointsToAlarm=9)),
    "alarm dims": ("E8", "blueprint", alarm("packet-rejected", dimensions={"x": "y"})),
    "alarm other metric": ("E8", "blueprint", alarm("packet-rejected", metricName="x")),
    "silence not breaching": ("E8", "blueprint", alarm("silent-flow", treatMissingData="notBreaching")),
    "silence missing": ("E8", "blueprint", alarm("silent-audit", treatMissingData="missing")),
    "silence gone": ("E8", "blueprint", lambda w: w.without("MetricAlarm", "sequester-silent-resolver")),
    "silence other group": ("E8", "blueprint", alarm("silent-flow", dimensions={"LogGroupName": "/x"})),
    "log group IA": ("E8", "blueprint", lambda w: w.set("LogGroup", "sequester-sequester-resolver", logGroupClass="INFREQUENT_ACCESS")),
    "logs key policy": ("E8", "blueprint", key_policy("sequester-logs", [OWNER])),
    "alarms key policy": ("E8", "blueprint", key_policy("sequester-alarms", [OWNER])),
    "topic policy": ("E8", "blueprint", lambda w: w.set("TopicPolicy", "sequester-alarms", policy=json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish", "Resource": "*"}]}))),
    "topic policy deny": ("E8", "blueprint", lambda w: w.set("TopicPolicy", "sequester-alarms", policy=json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"Service": "cloudwatch.amazonaws.com"}, "Action": "sns:Publish", "Resource": "*"}, {"Effect": "Deny", "Principal": "*", "Action": "sns:Publish", "Resource": "*"}]}))),
    "topic gone": ("E8", "blueprint", lambda w: w.without("Topic", "sequester-alarms")),
    "a new tenant unwatched": ("E8", "blueprint", lambda w: w.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new-sandbox"}})),
}  # fmt: skip

UNDECIDED: Rows = {
    "responder's helper is not among the facts": ("E8", "blueprint", lambda w: w.without("Function", "sequester-responder-inside")),
    "flow other group": ("E8", "blueprint", flow(logDestination=f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/other")),
    "resolver to bucket": ("E8", "blueprint", lambda w: w.set("ResolverQueryLogConfig", "sequester-queries", destinationArn="arn:aws:s3:::x")),
    "log group gone": ("E8", "blueprint", lambda w: w.without("LogGroup", "sequester-sequester-flow")),
}  # fmt: skip

HARMLESS: Rows = {
    "responder is denied what it never calls": ("E8", "blueprint", denied("sequester-responder", Action="lambda:DeleteFunction")),
    "a disabled rule on another function": ("E8", "blueprint", lambda w: w.with_("cloudwatch/eventRule:EventRule", "r", name="r", state="DISABLED").with_("cloudwatch/eventTarget:EventTarget", "t", rule="r", arn=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:sequester-responder-inside")),
    "a function off that no responder calls": ("E8", "blueprint", lambda w: w.with_("lambda/function:Function", "idle", name="idle", role="x", reservedConcurrentExecutions=0)),
    "sweep enabled in words": ("E8", "blueprint", lambda w: w.set("EventRule", "sequester-responder-sweep", state="ENABLED")),
    "topic policy of our alarms": ("E8", "blueprint", topic_policy(ArnLike={"aws:SourceArn": f"arn:aws:cloudwatch:*:{ACCOUNT}:alarm:*"}, StringEquals={"aws:SourceAccount": ACCOUNT})),
    "alarm of the filter's unit": ("E8", "blueprint", lambda w: alarm("policy-denied", unit="Count")(metric("policy-denied", unit="Count")(w))),
    "alarm by a query of one metric": ("E8", "blueprint", alarm("packet-rejected", metricName=None, namespace=None, metricQueries=[{"id": "m", "metric": {**REJECTED, "period": 60, "stat": "Sum"}, "returnData": True}])),
    "silence told after an hour": ("E8", "blueprint", alarm("silent-flow", evaluationPeriods=12, datapointsToAlarm=12)),
    "log shipper on Linux": ("E8", "blueprint", shipper(nodeSelector={"kubernetes.io/os": "linux"})),
    "flow reject only": ("E8", "blueprint", flow(trafficType="REJECT")),
    "filter empty pattern": ("E8", "blueprint", counting("name-blocked", pattern="")),
    "log group retention 0": ("E8", "blueprint", lambda w: w.set("LogGroup", "sequester-sequester-resolver", retentionInDays=0)),
    "log group retention none": ("E8", "blueprint", lambda w: w.set("LogGroup", "sequester-sequester-resolver", retentionInDays=None)),
    "composite gone": ("E8", "blueprint", lambda w: w.without("CompositeAlarm", "sequester-tenant-research")),
    "a second alarm": ("E8", "blueprint", lambda w: w.with_("cloudwatch/metricAlarm:MetricAlarm", "x", namespace="Sequester/Tripwires", metricName="sequester-packet-rejected")),
    "more filters": ("E8", "blueprint", lambda w: w.with_("cloudwatch/logMetricFilter:LogMetricFilter", "x", logGroupName="/sequester/sequester/flow", pattern="x", metricTransformation={"namespace": "a", "name": "b", "value": "1"})),
    "another audit type": ("E8", "blueprint", lambda w: w.set("Cluster", "sequester", enabledClusterLogTypes=["audit"])),
}  # fmt: skip
