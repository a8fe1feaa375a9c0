"""An account in moto with two tenants, their doors, roles and nodes, and the responder's functions against it."""

import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from deployed import NAMES

from infra.door_store import audit_bucket, table
from infra.logs import FLOW_FIELDS
from infra.sensors import AUDIT_LOG_STREAMS
from infra.services import AGENT_LOG_STREAMS, CONTAINER_LOG_STREAMS
from lambda_responder import ledger
from lambda_responder.config import Config, Level, Wire
from lambda_responder.ledger import CHAIN
from lambda_responder.outside import Responder
from sequester.cloud import EmbeddedCloud
from sequester.eyes.responder import assembled

ACCOUNT, REGION = "123456789012", "us-east-1"
DENY = f"arn:aws:iam::{ACCOUNT}:policy/sequester-quarantined"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:sequester-alarms"
CONTAINERS, AUDIT, FLOW = "/sequester/sequester/containers", "/aws/eks/sequester/cluster", "/sequester/sequester/flow"
TRAIL = "/sequester/sequester/trail"
AUDITED, AGENTS, SHIPPED = AUDIT_LOG_STREAMS, AGENT_LOG_STREAMS, CONTAINER_LOG_STREAMS
DOOR = "/aws/lambda/sequester-door-{}"
TENANTS = ("research", "support")
BUCKET, TABLE = audit_bucket(NAMES), table(NAMES)
KEYS = (("tenant", "HASH"), ("item", "RANGE"))


def config(**more: Any) -> Config:
    wires = {
        f"sequester-network-call-{t}": Wire(
            "seccomp event", CONTAINERS, SHIPPED, ('{ $.event.kind = "network" }',), "contain", t, 600
        )
        for t in TENANTS
    }
    wires |= {
        f"sequester-door-secret-{t}": Wire(
            "door audit", DOOR.format(t), "", ('{ $.verdict = "denied" }',), "contain", t, 600
        )
        for t in TENANTS
    }
    wires["sequester-packet-left"] = Wire("flow log", FLOW, "", ("",), "isolate", None, 600)
    wires["sequester-policy-denied"] = Wire(
        "NP agent log", AUDIT, AGENTS, ('"PolicyVerdict: DENY"',), "contain", None, 600
    )
    for t in TENANTS:
        wires[f"sequester-api-refused-{t}"] = Wire(
            "K8s audit", AUDIT, AUDITED, ("{ $.responseStatus.code = 403 }",), "contain", t, 600
        )
    wires["sequester-node-refused"] = Wire(
        "K8s audit", AUDIT, AUDITED, ("{ $.responseStatus.code = 403 }",), "isolate", None, 600
    )
    wires["sequester-endpoint-denied"] = Wire(
        "CloudTrail VPCE", TRAIL, "", ("{ $.errorCode = * }",), "contain", None, 600
    )
    wires["sequester-memory-growth-research"] = Wire(
        "seccomp event", CONTAINERS, SHIPPED, ('{ $.event.kind = "memory_growth" }',), "observe", "research", 600
    )
    base = Config(
        stack="sequester",
        account=ACCOUNT,
        region=REGION,
        cluster="sequester",
        topic=TOPIC,
        bucket=BUCKET,
        table=TABLE,
        inside="sequester-responder-inside",
        audit_log_group=AUDIT,
        sandbox_node_group="sequester-sandbox",
        deny_policy=DENY,
        audit_streams=AUDITED,
        flow_fields=FLOW_FIELDS,
        level="isolate",
        dry_run=False,
        actions_per_hour=50,
        never_touch=frozenset(),
        tenants={t: {"agent_role": f"sequester-agent-{t}", "door_table": TABLE} for t in TENANTS},
        wires=wires,
    )
    return replace(base, **more)


HERE = "ip-10-42-0-9.ec2.internal"
"""The node whose streams those of the test are."""


class Kubernetes:
    """Pods and nodes by path; what was asked, in order. The real API server has its own lane."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str]] = []
        self.fails: dict[int, int] = {}
        """Number of a request, from 1 → the status that it gets."""

    def add_pod(self, namespace: str, name: str, node: str = HERE) -> None:
        self.objects[f"/api/v1/namespaces/{namespace}/pods/{name}"] = {
            "metadata": {"name": name, "labels": {}},
            "spec": {"nodeName": node},
        }

    def __call__(self, method: str, path: str, body: object = None, kind: str = "") -> tuple[int, object]:
        self.calls.append((method, path))
        if status := self.fails.get(len(self.calls)):
            return status, None
        if "/events?" in path:
            return 200, {"items": []}
        found = self.objects.get(path)
        if found is None:
            return 404, None
        if method == "PATCH":
            found.update(body if "spec" in (body or {}) else {})  # type: ignore[arg-type, operator]
        if method == "DELETE":
            del self.objects[path]
        return 200, found


_NOTED, _ASKED = "noted by the test", "asked of the test"
Fault = Callable[[str, str], bool]
"""Whether a call of an operation of a service fails."""


@dataclass
class World:
    cloud: EmbeddedCloud
    kubernetes: Kubernetes = field(default_factory=Kubernetes)
    calls: list[tuple[str, str]] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """Each call with its parameters; one that failed, too."""
    watched: list[Any] = field(default_factory=list)
    fault: Fault = lambda service, operation: False
    now: float = field(default_factory=time.time)

    def client(self, service: str) -> Any:
        """A client whose calls are noted, and fail where `fault` says so."""
        client = self.cloud.client(service)
        client.meta.events.register("before-call", self._called, unique_id=_NOTED)
        client.meta.events.register("before-parameter-build", self._asked, unique_id=_ASKED)
        self.watched.append(client)
        return client

    def close(self) -> None:
        """Clients are shared between clouds: what was hung on them comes off."""
        for client in self.watched:
            client.meta.events.unregister("before-call", unique_id=_NOTED)
            client.meta.events.unregister("before-parameter-build", unique_id=_ASKED)

    def _asked(self, model: Any, params: dict[str, Any], **_: object) -> None:
        self.asked.append((model.service_model.service_name, model.name, dict(params)))

    def _called(self, model: Any, **_: object) -> None:
        service, operation = model.service_model.service_name, model.name
        self.calls.append((service, operation))
        if self.fault(service, operation):
            raise ClientError({"Error": {"Code": "InternalError", "Message": "made to fail"}}, operation)

    def responder(self, **more: Any) -> Responder:
        return assembled(config(**more), self.client, self.kubernetes, self.quarantine_group)

    quarantine_group: str = ""

    def write(self, group: str, message: object, at: float | None = None, streams: str | None = None) -> None:
        """streams: how the stream's name begins, if not as that of the sensor whose record it is."""
        text = message if isinstance(message, str) else json.dumps(message)
        usual = {AUDIT: AUDITED if text.startswith("{") else AGENTS, CONTAINERS: SHIPPED}.get(group, "")
        self.write_to(group, f"{usual if streams is None else streams}{HERE}-s", text, at)

    def write_to(self, group: str, stream: str, message: object, at: float | None = None) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        self.cloud.client("logs").put_log_events(
            logGroupName=group,
            logStreamName=stream,
            logEvents=[{"timestamp": int((at or self.now) * 1000), "message": text}],
        )

    def alarm(self, name: str, state: str = "ALARM") -> dict[str, Any]:
        """Put the alarm into a state; the SNS event about it."""
        cloudwatch = self.cloud.client("cloudwatch")
        cloudwatch.put_metric_alarm(
            AlarmName=name, MetricName="m", Namespace="n", Period=60, EvaluationPeriods=1, Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold", Statistic="Sum",
        )  # fmt: skip
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="test")
        return notice(name)

    def node(self, group: str = "sequester-sandbox") -> str:
        """An instance with two interfaces in the node group `group` of our cluster."""
        ec2 = self.cloud.client("ec2")
        made = ec2.run_instances(
            ImageId=ec2.register_image(Name=f"node-{uuid4().hex}", RootDeviceName="/dev/xvda")["ImageId"],
            MinCount=1, MaxCount=1, SubnetId=self.subnet,
            TagSpecifications=[{"ResourceType": "instance", "Tags": [
                {"Key": "eks:cluster-name", "Value": "sequester"}, {"Key": "eks:nodegroup-name", "Value": group}]}],
        )["Instances"][0]["InstanceId"]  # fmt: skip
        extra = ec2.create_network_interface(SubnetId=self.subnet)["NetworkInterface"]["NetworkInterfaceId"]
        ec2.attach_network_interface(NetworkInterfaceId=extra, InstanceId=made, DeviceIndex=1)
        private = ec2.describe_instances(InstanceIds=[made])["Reservations"][0]["Instances"][0]["PrivateDnsName"]
        self.kubernetes.objects[f"/api/v1/nodes/{private}"] = {"metadata": {"name": private}}
        return str(made)

    subnet: str = ""

    def halted(self, tenant: str) -> bool:
        item = self.cloud.client("dynamodb").get_item(
            TableName=TABLE, Key={"tenant": {"S": tenant}, "item": {"S": "control"}}
        )
        return "halted" in item.get("Item", {})

    def revoked(self, tenant: str) -> bool:
        found = self.cloud.client("iam").list_attached_role_policies(RoleName=f"sequester-agent-{tenant}")
        return [each["PolicyArn"] for each in found["AttachedPolicies"]] == [DENY]

    def objects(self, prefix: str) -> list[dict[str, Any]]:
        s3 = self.cloud.client("s3")
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]
        return [json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in keys]

    @property
    def chain(self) -> list[dict[str, Any]]:
        return self.objects(f"audit/{CHAIN}/")

    def done(self) -> list[str]:
        return [record["act"] for record in self.chain if record.get("outcome") == "done"]


def notice(name: str, topic: str = TOPIC) -> dict[str, Any]:
    return {"Records": [{"Sns": {"TopicArn": topic, "Message": json.dumps({"AlarmName": name})}}]}


def supervisor_event(namespace: str, pod: str, kind: str = "network") -> dict[str, Any]:
    return {
        "stream": "stderr",
        "kubernetes": {"namespace_name": namespace, "pod_name": pod},
        "event": {"sequester": 1, "kind": kind, "action": "denied", "noise": False},
    }


@contextmanager
def world() -> Generator[World]:
    # Without moto's three thousand images a world is made in a third of the time.
    with pytest.MonkeyPatch.context() as patch, EmbeddedCloud(region=REGION) as cloud:
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        patch.setattr(ledger, "HOUR_SECONDS", 1 << 40)  # an hour that ended in a test would bring a new limit
        made = World(cloud)
        cloud.client("s3").create_bucket(Bucket=BUCKET)
        cloud.client("sns").create_topic(Name="sequester-alarms")
        cloud.client("dynamodb").create_table(
            TableName=TABLE, BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in KEYS],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in KEYS],
        )  # fmt: skip
        for group in (CONTAINERS, AUDIT, FLOW, TRAIL, *(DOOR.format(tenant) for tenant in TENANTS)):
            cloud.client("logs").create_log_group(logGroupName=group)
            for streams in ("", AUDITED, AGENTS, SHIPPED):
                cloud.client("logs").create_log_stream(logGroupName=group, logStreamName=f"{streams}{HERE}-s")
        for tenant in TENANTS:
            trust = {"Version": "2012-10-17", "Statement": []}
            cloud.client("iam").create_role(
                RoleName=f"sequester-agent-{tenant}", AssumeRolePolicyDocument=json.dumps(trust)
            )
        denied = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
        cloud.client("iam").create_policy(PolicyName=DENY.rpartition("/")[2], PolicyDocument=json.dumps(denied))
        ec2 = cloud.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.42.0.0/16")["Vpc"]["VpcId"]
        made.subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.42.0.0/24")["Subnet"]["SubnetId"]
        made.quarantine_group = ec2.create_security_group(GroupName="q", Description="q", VpcId=vpc)["GroupId"]
        cloud.client("eks").create_cluster(
            name="sequester", roleArn=f"arn:aws:iam::{ACCOUNT}:role/c", resourcesVpcConfig={"subnetIds": [made.subnet]}
        )
        for tenant in TENANTS:
            cloud.client("eks").create_pod_identity_association(
                clusterName="sequester", namespace=f"{tenant}-agent", serviceAccount="agent",
                roleArn=f"arn:aws:iam::{ACCOUNT}:role/sequester-agent-{tenant}",
            )  # fmt: skip
        try:
            yield made
        finally:
            made.close()


LEVELS: tuple[Level, ...] = ("observe", "contain", "isolate")
