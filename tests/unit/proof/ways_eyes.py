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


RESPONDER, HELPER, SWEEP = "sequester-responder", "sequester-responder-inside", "sequester-responder-sweep"
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{RESPONDER}"


def function(name: str, /, **properties: object) -> Change:
    return lambda w: w.set("Function", name, **properties)


def sweep(**properties: object) -> Change:
    return lambda w: w.set("EventRule", SWEEP, **properties)


def swept(**properties: object) -> Change:
    return lambda w: w.set("EventTarget", SWEEP, **properties)


def entry(**properties: object) -> Change:
    return lambda w: w.set("AccessEntry", HELPER, **properties)


def permission(what: str, **properties: object) -> Change:
    return lambda w: w.set("Permission", f"{RESPONDER}-{what}", **properties)


def no_verb(verb: str, namespace: str) -> Change:
    def change(role: dict[str, Any]) -> None:
        for rule in role["rules"]:
            rule["verbs"] = [v for v in rule["verbs"] if v != verb]

    return lambda w: w.edit("Role", "responder", namespace, change)


def log_group(name: str, /, **properties: object) -> Change:
    return lambda w: w.set("LogGroup", f"sequester-sequester-{name}", **properties)


def masking(operation: dict[str, Any]) -> Change:
    said = json.dumps(
        {
            "Statement": [
                {"DataIdentifier": ["arn:aws:dataprotection::aws:data-identifier/IpAddress"], "Operation": operation}
            ]
        }
    )
    kind = "cloudwatch/logDataProtectionPolicy:LogDataProtectionPolicy"
    return lambda w: w.with_(kind, "dp", logGroupName="/sequester/sequester/flow", policyDocument=said)


def bounded(role: str) -> Change:
    arn = f"arn:aws:iam::{ACCOUNT}:policy/bound"
    said = json.dumps({"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
    return lambda w: w.with_("iam/policy:Policy", "bound", arn, arn=arn, policy=said).set(
        "Role", role, permissionsBoundary=arn
    )


def denying(role: str, **denial: str) -> Change:
    """A policy beside the role's own."""
    said = json.dumps({"Statement": [{"Effect": "Deny", "Resource": "*", **denial}]})
    return lambda w: w.with_("iam/rolePolicy:RolePolicy", "denying", role=role, policy=said)


def key_lets(name: str, service: str, action: str = "kms:*", **conditions: dict[str, str]) -> Change:
    allow = {"Effect": "Allow", "Principal": {"Service": service}, "Action": action, "Resource": "*"}
    return key_policy(name, [OWNER, {**allow, "Condition": conditions}])


def key_denies(name: str) -> Change:
    def edit(w: World) -> World:
        own = json.loads(w.one("Key", name).text("policy"))["Statement"]
        return key_policy(name, [*own, {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}])(w)

    return edit


def query(**stat: object) -> Change:
    said = {**REJECTED, "period": 60, "stat": "Sum", **stat}
    return alarm(
        "packet-rejected",
        metricName=None,
        namespace=None,
        metricQueries=[{"id": "m", "metric": said, "returnData": True}],
    )


def group_rules(kind: str) -> Change:
    return lambda w: w.without(f"SecurityGroup{kind}Rule", lambda r: "responder" in r.name)


def logs_endpoint(w: World) -> str:
    return next(r.name for r in w.some("VpcEndpoint") if r.text("serviceName").endswith(".logs"))


CLOUDWATCH = "cloudwatch.amazonaws.com"
LOGS_OF = "kms:EncryptionContext:aws:logs:arn"
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
    "no access entry for the helper": ("E8", "blueprint", lambda w: w.without("AccessEntry", HELPER)),
    "access entry of another group": ("E8", "blueprint", entry(kubernetesGroups=["nobody"])),
    "access entry of another cluster": ("E8", "blueprint", entry(clusterName="other")),
    "access entry of another role": ("E8", "blueprint", entry(principalArn=f"arn:aws:iam::{ACCOUNT}:role/x")),
    "access policy that only views": ("E8", "blueprint", lambda w: entry(kubernetesGroups=[])(w).with_("eks/accessPolicyAssociation:AccessPolicyAssociation", "x", clusterName="sequester", principalArn=w.one("AccessEntry", HELPER).text("principalArn"), policyArn="arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy")),
    "access policy of one namespace": ("E8", "blueprint", lambda w: entry(kubernetesGroups=[])(w).with_("eks/accessPolicyAssociation:AccessPolicyAssociation", "x", clusterName="sequester", principalArn=w.one("AccessEntry", HELPER).text("principalArn"), policyArn="arn:aws:eks::aws:cluster-access-policy/AmazonEKSEditPolicy", accessScope={"type": "namespace", "namespaces": ["audit-sandbox"]})),
    "no binding for the responder": ("E8", "blueprint", lambda w: w.unapply("RoleBinding", "responder", "research-sandbox")),
    "no role for the responder": ("E8", "blueprint", lambda w: w.unapply("Role", "responder", "research-sandbox")),
    "no binding where agents run": ("E8", "blueprint", lambda w: w.unapply("RoleBinding", "responder", "research-agent")),
    "no right to cordon": ("E8", "blueprint", lambda w: w.unapply("ClusterRoleBinding", "sequester-responder")),
    "responder may not delete pods": ("E8", "blueprint", no_verb("delete", "research-sandbox")),
    "responder may not label pods": ("E8", "blueprint", no_verb("patch", "research-sandbox")),
    "helper outside of the VPC": ("E8", "blueprint", function(HELPER, vpcConfig=None)),
    "helper in the group of quarantine": ("E8", "blueprint", lambda w: function(HELPER, vpcConfig={"subnetIds": [w.subnet("system").id], "securityGroupIds": [w.group("quarantine")]})(w)),
    "no way from the helper to the API server": ("E8", "blueprint", group_rules("Egress")),
    "API server's group does not let the helper in": ("E8", "blueprint", group_rules("Ingress")),
    "helper may not be attached": ("E8", "blueprint", denied(HELPER, Action="ec2:CreateNetworkInterface")),
    "responder's role trusts somebody else": ("E8", "blueprint", trusting(RESPONDER, trusted_by("ec2.amazonaws.com"))),
    "helper's role trusts somebody else": ("E8", "blueprint", trusting(HELPER, trusted_by("ec2.amazonaws.com"))),
    "responder's role trusts another account": ("E8", "blueprint", trusting(RESPONDER, {**trusted_by("lambda.amazonaws.com"), "Condition": {"StringEquals": {"aws:SourceAccount": OTHER}}})),
    "responder's role allows nothing": ("E8", "blueprint", lambda w: w.set("Role", RESPONDER, inlinePolicies=[])),
    "responder within a boundary": ("E8", "blueprint", bounded(RESPONDER)),
    "responder may not ask for alarms": ("E8", "blueprint", denied(RESPONDER, Action="cloudwatch:DescribeAlarms")),
    "responder may not read records": ("E8", "blueprint", denied(RESPONDER, Action="logs:FilterLogEvents")),
    "responder may not read one group": ("E8", "blueprint", denied(RESPONDER, Action="logs:FilterLogEvents", Resource=f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/sequester/sequester/flow*")),
    "responder may not keep evidence": ("E8", "blueprint", denied(RESPONDER, Action="s3:PutObject")),
    "responder may not remember": ("E8", "blueprint", denied(RESPONDER, Action="dynamodb:*")),
    "responder may not end nodes": ("E8", "blueprint", denied(RESPONDER, Action="ec2:TerminateInstances")),
    "responder may not revoke": ("E8", "blueprint", denied(RESPONDER, Action="iam:AttachRolePolicy")),
    "no sweep: the rule is gone": ("E8", "blueprint", lambda w: w.without("EventRule", SWEEP)),
    "no sweep: the target is gone": ("E8", "blueprint", lambda w: w.without("EventTarget", SWEEP)),
    "no sweep: the permission is gone": ("E8", "blueprint", lambda w: w.without("Permission", SWEEP)),
    "no sweep: the permission is another rule's": ("E8", "blueprint", permission("sweep", sourceArn=f"arn:aws:events:us-east-1:{ACCOUNT}:rule/other")),
    "sweep once a year": ("E8", "blueprint", sweep(scheduleExpression="rate(365 days)")),
    "sweep at new year": ("E8", "blueprint", sweep(scheduleExpression="cron(0 0 1 1 ? *)")),
    "sweep every hour": ("E8", "blueprint", sweep(scheduleExpression="cron(0 * * * ? *)")),
    "sweep in the first minutes of an hour": ("E8", "blueprint", sweep(scheduleExpression="cron(0-9 * * * ? *)")),
    "sweep on working days": ("E8", "blueprint", sweep(scheduleExpression="cron(* * ? * MON-FRI *)")),
    "sweep on events": ("E8", "blueprint", sweep(scheduleExpression=None, eventPattern='{"source": ["x"]}')),
    "sweep on another bus": ("E8", "blueprint", sweep(eventBusName="other")),
    "sweep starts the helper": ("E8", "blueprint", swept(arn=f"{ARN}-inside")),
    "sweep says nothing": ("E8", "blueprint", swept(input=None)),
    "sweep says something else": ("E8", "blueprint", swept(input='{"sweep": false}')),
    "sweep says what an event says": ("E8", "blueprint", swept(inputTransformer={"inputTemplate": "<x>"})),
    "permission of another topic": ("E8", "blueprint", permission("alarms", sourceArn=f"{TOPIC}-old")),
    "permission of another account": ("E8", "blueprint", permission("alarms", sourceAccount=OTHER)),
    "permission to look only": ("E8", "blueprint", permission("alarms", action="lambda:GetFunction")),
    "permission for an alias": ("E8", "blueprint", permission("alarms", qualifier="live")),
    "subscription of an alias that is not there": ("E8", "blueprint", lambda w: w.set("TopicSubscription", RESPONDER, endpoint=f"{ARN}:live")),
    "subscription in another region": ("E8", "blueprint", lambda w: w.set("TopicSubscription", RESPONDER, endpoint=ARN.replace("us-east-1", "eu-west-1"))),
    "flow log without a role": ("E8", "blueprint", flow(iamRoleArn=None)),
    "flow log of a transit gateway": ("E8", "blueprint", flow(vpcId=None, transitGatewayId="tgw-1")),
    "flow fields in another order": ("E8", "blueprint", lambda w: flow(logFormat=" ".join(reversed(w.one("FlowLog", "sequester-flow-logs").text("logFormat").split())))(w)),
    "flow role trusts another account": ("E8", "blueprint", trusting("sequester-flow-logs", {**trusted_by("vpc-flow-logs.amazonaws.com"), "Condition": {"StringEquals": {"aws:SourceAccount": OTHER}}})),
    "flow role within a boundary": ("E8", "blueprint", bounded("sequester-flow-logs")),
    "flow role may make no stream": ("E8", "blueprint", denying("sequester-flow-logs", Action="logs:CreateLogStream")),
    "door's role may not write": ("E8", "blueprint", denying("sequester-door-research", Action="logs:PutLogEvents")),
    "node's role may not write": ("E8", "blueprint", denying("sequester-sandbox-node", Action="logs:*")),
    "endpoint of logs lets nobody write": ("E8", "blueprint", lambda w: w.set("VpcEndpoint", logs_endpoint(w), policy=json.dumps({"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}]}))),
    "resolver's records denied": ("E8", "blueprint", lambda w: w.set_all("LogResourcePolicy", policyDocument=json.dumps({"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "logs:*", "Resource": "*"}]}))),
    "logs key of another group": ("E8", "blueprint", key_lets("sequester-logs", "logs.us-east-1.amazonaws.com", ArnEquals={LOGS_OF: f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/other"})),
    "logs key to describe": ("E8", "blueprint", key_lets("sequester-logs", "logs.us-east-1.amazonaws.com", "kms:DescribeKey")),
    "logs key of another region": ("E8", "blueprint", key_lets("sequester-logs", "logs.eu-west-1.amazonaws.com")),
    "logs key denies": ("E8", "blueprint", key_denies("sequester-logs")),
    "logs key without a policy": ("E8", "blueprint", lambda w: w.set("Key", "sequester-logs", policy=None)),
    "alarms key to describe": ("E8", "blueprint", key_lets("sequester-alarms", CLOUDWATCH, "kms:DescribeKey")),
    "alarms key of another account": ("E8", "blueprint", key_lets("sequester-alarms", CLOUDWATCH, StringEquals={"aws:SourceAccount": OTHER})),
    "alarms key denies": ("E8", "blueprint", key_denies("sequester-alarms")),
    "topic under AWS's own key": ("E8", "blueprint", lambda w: w.set("Topic", "sequester-alarms", kmsMasterKeyId="alias/aws/sns")),
    "alarm by a query over a day": ("E8", "blueprint", query(period=86400)),
    "alarm by a query of the average": ("E8", "blueprint", query(stat="Average")),
    "alarm by a query of other dimensions": ("E8", "blueprint", query(dimensions={"x": "y"})),
    "alarm by a query of another account": ("E8", "blueprint", alarm("packet-rejected", metricName=None, namespace=None, metricQueries=[{"id": "m", "accountId": OTHER, "metric": {**REJECTED, "period": 60, "stat": "Sum"}, "returnData": True}])),
    "alarm of a percentile": ("E8", "blueprint", alarm("packet-rejected", statistic=None, extendedStatistic="p99")),
    "alarm of an anomaly": ("E8", "blueprint", alarm("packet-rejected", comparisonOperator="GreaterThanUpperThreshold", thresholdMetricId="x")),
    "log group for delivery": ("E8", "blueprint", log_group("resolver", logGroupClass="DELIVERY")),
    "resolver logs of another configuration": ("E8", "blueprint", lambda w: w.set("ResolverQueryLogConfigAssociation", "sequester-queries", resolverQueryLogConfigId="rqlc-x")),
    "a new tenant unwatched": ("E8", "blueprint", lambda w: w.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new-sandbox"}})),
}  # fmt: skip

UNDECIDED: Rows = {
    "responder's helper is not among the facts": ("E8", "blueprint", lambda w: w.without("Function", "sequester-responder-inside")),
    "responder's time is short": ("E8", "blueprint", function(RESPONDER, timeout=1)),
    "responder's time is Lambda's own": ("E8", "blueprint", function(RESPONDER, timeout=None)),
    "responder's memory is short": ("E8", "blueprint", function(RESPONDER, memorySize=128)),
    "helper's time is short": ("E8", "blueprint", function(HELPER, timeout=1)),
    "helper's memory is Lambda's own": ("E8", "blueprint", function(HELPER, memorySize=None)),
    "responder's role is not among the facts": ("E8", "blueprint", lambda w: w.without("Role", RESPONDER)),
    "records are masked": ("E8", "blueprint", masking({"Deidentify": {"MaskConfig": {}}})),
    "flow role of another account": ("E8", "blueprint", flow(iamRoleArn=f"arn:aws:iam::{OTHER}:role/x")),
    "flow log into another account": ("E8", "blueprint", flow(logDestination=f"arn:aws:logs:us-east-1:{OTHER}:log-group:/sequester/sequester/flow")),
    "resolver log into another account": ("E8", "blueprint", lambda w: w.set("ResolverQueryLogConfig", "sequester-queries", destinationArn=f"arn:aws:logs:us-east-1:{OTHER}:log-group:/sequester/sequester/resolver")),
    "trail into another region": ("E8", "blueprint", lambda w: w.set("Trail", "sequester", cloudWatchLogsGroupArn=f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/sequester/sequester/trail:*")),
    "topic's key is not among the facts": ("E8", "blueprint", lambda w: w.set("Topic", "sequester-alarms", kmsMasterKeyId=f"arn:aws:kms:us-east-1:{ACCOUNT}:key/x")),
    "log group's key is not among the facts": ("E8", "blueprint", log_group("flow", kmsKeyId=f"arn:aws:kms:us-east-1:{ACCOUNT}:key/x")),
    "a door that drops lines": ("E8", "blueprint", function("sequester-door-research", loggingConfig={"logFormat": "JSON", "applicationLogLevel": "ERROR"})),
    "no endpoint of logs": ("E8", "blueprint", lambda w: w.without("VpcEndpoint", logs_endpoint(w))),
    "records are transformed": ("E8", "blueprint", lambda w: w.with_("cloudwatch/logTransformer:LogTransformer", "x", logGroupArn="arn")),
    "alarms are muted": ("E8", "blueprint", lambda w: w.with_("cloudwatch/alarmMuteRule:AlarmMuteRule", "x", name="x")),
    "flow other group": ("E8", "blueprint", flow(logDestination=f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/other")),
    "resolver to bucket": ("E8", "blueprint", lambda w: w.set("ResolverQueryLogConfig", "sequester-queries", destinationArn="arn:aws:s3:::x")),
    "log group gone": ("E8", "blueprint", lambda w: w.without("LogGroup", "sequester-sequester-flow")),
}  # fmt: skip

# What the checker does not ask again: it accepts the closed deployment's reasons for these.
PROVER_ONLY = frozenset(
    {
        "API server's group does not let the helper in", "alarms are muted", "endpoint of logs lets nobody write",
        "no endpoint of logs", "records are transformed", "resolver's records denied",
    }
)  # fmt: skip

HARMLESS: Rows = {
    "responder is denied what it never calls": ("E8", "blueprint", denied("sequester-responder", Action="lambda:DeleteFunction")),
    "a disabled rule on another function": ("E8", "blueprint", lambda w: w.with_("cloudwatch/eventRule:EventRule", "r", name="r", state="DISABLED").with_("cloudwatch/eventTarget:EventTarget", "t", rule="r", arn=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:sequester-responder-inside")),
    "a function off that no responder calls": ("E8", "blueprint", lambda w: w.with_("lambda/function:Function", "idle", name="idle", role="x", reservedConcurrentExecutions=0)),
    "access policy that edits": ("E8", "blueprint", lambda w: entry(kubernetesGroups=[])(w).with_("eks/accessPolicyAssociation:AccessPolicyAssociation", "x", clusterName="sequester", principalArn=w.one("AccessEntry", HELPER).text("principalArn"), policyArn="arn:aws:eks::aws:cluster-access-policy/AmazonEKSEditPolicy", accessScope={"type": "cluster"})),
    "responder bound to a cluster role": ("E8", "blueprint", lambda w: w.unapply("RoleBinding", "responder", "research-sandbox").apply({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "x", "namespace": "research-sandbox"}, "subjects": [{"kind": "Group", "name": "sequester:responder"}], "roleRef": {"kind": "ClusterRole", "name": "ends-pods"}}, {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "ends-pods"}, "rules": [{"apiGroups": [""], "resources": ["*"], "verbs": ["*"]}]})),
    "responder has more time": ("E8", "blueprint", function(RESPONDER, timeout=900, memorySize=3008)),
    "responder has a minute": ("E8", "blueprint", function(RESPONDER, timeout=60, memorySize=256)),
    "responder may run once at a time": ("E8", "blueprint", function(RESPONDER, reservedConcurrentExecutions=1)),
    "helper shares the account's concurrency": ("E8", "blueprint", function(HELPER, reservedConcurrentExecutions=None)),
    "sweep every five minutes": ("E8", "blueprint", sweep(scheduleExpression="rate(5 minutes)")),
    "sweep by cron": ("E8", "blueprint", sweep(scheduleExpression="cron(0/2 * * * ? *)")),
    "sweep by a list of minutes": ("E8", "blueprint", sweep(scheduleExpression="cron(0,5,10,15,20,25,30,35,40,45,50,55 * ? * * *)")),
    "sweep on the default bus": ("E8", "blueprint", sweep(eventBusName="default")),
    "sweep says more": ("E8", "blueprint", swept(input='{ "sweep" : true }')),
    "a second sweep, once a year": ("E8", "blueprint", lambda w: w.with_("cloudwatch/eventRule:EventRule", "r", name="r", scheduleExpression="rate(365 days)").with_("cloudwatch/eventTarget:EventTarget", "t", rule="r", arn=ARN)),
    "failed calls go nowhere": ("E8", "blueprint", lambda w: w.set("FunctionEventInvokeConfig", RESPONDER, destinationConfig=None)),
    "failed calls are tried once": ("E8", "blueprint", lambda w: w.set("FunctionEventInvokeConfig", RESPONDER, maximumRetryAttempts=0, maximumEventAgeInSeconds=60)),
    "responder is denied to others": ("E8", "blueprint", lambda w: w.with_("lambda/resourcePolicy:ResourcePolicy", "x", resourceArn=ARN, policy=json.dumps({"Statement": [{"Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/x"}, "Action": "lambda:*", "Resource": "*"}]}))),
    "topic is denied to others": ("E8", "blueprint", lambda w: w.set("TopicPolicy", "sequester-alarms", policy=json.dumps({"Statement": [PUBLISHES, {"Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/x"}, "Action": "sns:*", "Resource": "*"}]}))),
    "topic without a policy": ("E8", "blueprint", lambda w: w.without("TopicPolicy", "sequester-alarms")),
    "topic's key by its alias": ("E8", "blueprint", lambda w: w.set("Topic", "sequester-alarms", kmsMasterKeyId="alias/sequester-alarms")),
    "topic without a key": ("E8", "blueprint", lambda w: w.set("Topic", "sequester-alarms", kmsMasterKeyId=None)),
    "records are audited": ("E8", "blueprint", masking({"Audit": {"FindingsDestination": {}}})),
    "log group kept a day": ("E8", "blueprint", log_group("flow", retentionInDays=1)),
    "log group without a key": ("E8", "blueprint", log_group("flow", kmsKeyId=None)),
    "log group skips its end": ("E8", "blueprint", log_group("flow", skipDestroy=True)),
    "resolver's log policy is AWS's to write": ("E8", "blueprint", lambda w: w.without("LogResourcePolicy", lambda _: True)),
    "tags": ("E8", "blueprint", lambda w: w.set_all("MetricAlarm", tags={"x": "y"}).set_all("LogGroup", tags={"x": "y"})),
    "alarm described otherwise": ("E8", "blueprint", alarm("packet-rejected", alarmDescription="x", okActions=[TOPIC])),
    "alarm at nothing": ("E8", "blueprint", alarm("packet-rejected", threshold=0)),
    "alarm over one of many periods": ("E8", "blueprint", alarm("packet-rejected", evaluationPeriods=100, datapointsToAlarm=1)),
    "alarm that stays": ("E8", "blueprint", alarm("packet-rejected", treatMissingData="ignore")),
    "alarm tells people as well": ("E8", "blueprint", lambda w: w.with_("sns/topicSubscription:TopicSubscription", "p", topic=TOPIC, protocol="email", endpoint="security@example.com")),
    "filter with a zero for nothing": ("E8", "blueprint", metric("packet-rejected", defaultValue="0")),
    "another filter with dimensions": ("E8", "blueprint", lambda w: w.with_("cloudwatch/logMetricFilter:LogMetricFilter", "x", logGroupName="/sequester/sequester/flow", pattern="", metricTransformation={"namespace": "a", "name": "b", "value": "1", "dimensions": {"x": "$version"}})),
    "filter in other words": ("E8", "blueprint", counting("endpoint-denied", pattern='{($.errorCode="Vpce*")&&(($.eventCategory = NetworkActivity))}')),
    "filter by a regular expression": ("E8", "blueprint", counting("name-blocked", pattern="{ $.firewall_rule_action = %^BLOCK$% }")),
    "filter of any of two terms": ("E8", "blueprint", counting("policy-denied", pattern='?"PolicyVerdict: DENY" ?"PolicyVerdict: DROP"')),
    "trail without its own key": ("E8", "blueprint", lambda w: w.set("Trail", "sequester", kmsKeyId=None)),
    "endpoint of logs lets all write": ("E8", "blueprint", lambda w: w.set("VpcEndpoint", logs_endpoint(w), policy=None)),
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
