"""The cluster as AWS tells of it: every control holds, and each turns red when it is taken away."""

import base64
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pulumi
import pytest

from infra.settings import load, parse
from infra.stack import execution, foundation
from sequester.cloud import Edit, EmbeddedCloud, Run
from sequester.readback.cluster import CLUSTER_CONTROLS, ClusterSeen, check_cluster, observe_cluster

pytestmark = pytest.mark.xdist_group("cluster-program")

CONFIGURATION: dict[str, Any] = {
    "aws:region": "us-east-1",
    "sequester:account": "123456789012",
    "sequester:network": {"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]},
    "sequester:cluster": {"admins": ["arn:aws:iam::123456789012:role/platform"]},
    "sequester:tenants": {"research": {}, "support": {}},
}
SETTINGS = parse({key.partition(":")[2]: value for key, value in CONFIGURATION.items()})


def _program() -> None:
    settings = load()
    execution(settings, foundation(settings, pulumi.ResourceOptions()), pulumi.ResourceOptions())


class Deployed(NamedTuple):
    run: Run
    seen: ClusterSeen


@pytest.fixture(scope="module")
def deployed() -> Deployed:
    with EmbeddedCloud() as cloud:
        run = cloud.up(_program, config=CONFIGURATION)
        return Deployed(run, observe_cluster(cloud.client, SETTINGS))


def test_every_control_holds(deployed: Deployed) -> None:
    assert [str(finding) for finding in check_cluster(deployed.seen)] == []


class Mutation(NamedTuple):
    control: str
    type: str
    name: str
    change: Callable[[dict[str, Any]], object]


def _set(**values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda inputs: inputs.update(values)


def _inside(key: str, **values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda inputs: inputs.update({key: {**inputs[key], **values}})


def _json(key: str, change: Callable[[Any], object]) -> Callable[[dict[str, Any]], object]:
    def apply(inputs: dict[str, Any]) -> None:
        value = json.loads(inputs[key])
        change(value)
        inputs[key] = json.dumps(value)

    return apply


def _statement(sid: str, **values: Any) -> Callable[[dict[str, Any]], object]:
    def change(document: Any) -> None:
        next(statement for statement in document["Statement"] if statement["Sid"] == sid).update(values)

    return _json("policy", change)


def _user_data(old: str, new: str) -> Callable[[dict[str, Any]], object]:
    def apply(inputs: dict[str, Any]) -> None:
        text = base64.b64decode(inputs["userData"]).decode()
        assert old in text
        inputs["userData"] = base64.b64encode(text.replace(old, new).encode()).decode()

    return apply


_ROLE = "arn:aws:iam::123456789012:role/sequester"
_DOOR = "arn:aws:lambda:us-east-1:123456789012:function:sequester-door"
_CLUSTER, _GROUP, _TEMPLATE = "eks/cluster:Cluster", "eks/nodeGroup:NodeGroup", "ec2/launchTemplate:LaunchTemplate"
_ADDON, _POLICY = "eks/addon:Addon", "iam/rolePolicy:RolePolicy"

# All are made in one run: each finding is looked for by its control and resource.
MUTATIONS = (
    Mutation("api-private", _CLUSTER, "", _inside("vpcConfig", endpointPublicAccess=True)),
    Mutation("secrets-encrypted", _CLUSTER, "", lambda inputs: inputs.pop("encryptionConfig")),
    Mutation("control-plane-logged", _CLUSTER, "", _set(enabledClusterLogTypes=["api"])),
    Mutation("admins-named", _CLUSTER, "", _inside("accessConfig", authenticationMode="API_AND_CONFIG_MAP")),
    Mutation("admins-named", "eks/accessEntry:AccessEntry", "", _set(principalArn="arn:aws:iam::123456789012:role/x")),
    Mutation("pools-apart", _GROUP, "sandbox", _set(nodeRoleArn=f"{_ROLE}-system-node")),
    Mutation("sandbox-taint", _GROUP, "sandbox", lambda inputs: inputs.pop("taints")),
    Mutation("metadata-shut", _TEMPLATE, "sandbox", _inside("metadataOptions", httpTokens="optional")),
    Mutation("metadata-shut", _TEMPLATE, "system", _inside("metadataOptions", httpPutResponseHopLimit=2)),
    Mutation("machines-shut", _TEMPLATE, "sandbox", _set(keyName="way-in")),
    Mutation("node-drops", _TEMPLATE, "sandbox", _user_data("counter drop", "counter accept")),
    Mutation("node-drops", _TEMPLATE, "sandbox", _user_data("systemctl poweroff", "echo poweroff")),
    Mutation("policy-strict", _ADDON, "vpc-cni",
             _json("configurationValues", lambda v: v["env"].update(NETWORK_POLICY_ENFORCING_MODE="standard"))),
    Mutation("policy-strict", _ADDON, "vpc-cni",
             _json("configurationValues", lambda v: v["nodeAgent"].update(enablePolicyEventLogs="false"))),
    Mutation("pod-names-listed", _ADDON, "coredns",
             _json("configurationValues", lambda v: v.update(corefile=".:53 {\n forward . /etc/resolv.conf\n}"))),
    Mutation("addons-pinned", _ADDON, "kube-proxy", _set(addonVersion="v1.35.0-eksbuild.1")),
    Mutation("node-rights", _POLICY, "sandbox-node",
             _statement("PodAddresses", Action=["ec2:ModifyNetworkInterfaceAttribute"])),
    Mutation("node-rights", _POLICY, "sandbox-node",
             _statement("Login", Action=["eks-auth:AssumeRoleForPodIdentity"])),
    Mutation("node-logs", _POLICY, "system-node",
             _statement("OwnStreams", Resource=["arn:aws:logs:us-east-1:123456789012:log-group:/aws/eks/x:*"])),
    Mutation("agent-rights", _POLICY, "agent-research",
             _statement("OwnDoor", Resource=f"{_DOOR}-support:live")),
    Mutation("agent-rights", _POLICY, "agent-support", _statement("OwnDoor", Condition={})),
    Mutation("identities", "eks/podIdentityAssociation:PodIdentityAssociation", "agent-research",
             _set(namespace="research-sandbox")),
    Mutation("registry-fixed", "ecr/repository:Repository", "sandbox", _set(imageTagMutability="MUTABLE")),
)  # fmt: skip


def test_each_control_has_a_mutation() -> None:
    assert {mutation.control for mutation in MUTATIONS} == {control.id for control in CLUSTER_CONTROLS}


@pytest.fixture(scope="module")
def findings() -> dict[int, set[str]]:
    """What turns red for each mutation. Those of different controls share a run, since a run takes seconds."""
    found: dict[int, set[str]] = {}
    waiting = dict(enumerate(MUTATIONS))
    while waiting:
        batch: dict[int, Mutation] = {}
        for number, mutation in waiting.items():
            if mutation.control not in {other.control for other in batch.values()}:
                batch[number] = mutation
        seen = _observe_with(list(batch.values()))
        red = {finding.id for finding in check_cluster(seen)}
        found |= dict.fromkeys(batch, red)
        waiting = {number: mutation for number, mutation in waiting.items() if number not in batch}
    return found


def _observe_with(mutations: list[Mutation]) -> ClusterSeen:
    def change(type_: str, name: str, inputs: Any) -> Any:
        made = dict(inputs)
        for mutation in mutations:
            if type_ == f"aws:{mutation.type}" and mutation.name in name:
                mutation.change(made)
        return made

    with EmbeddedCloud() as cloud:
        cloud.up(_program, config=CONFIGURATION, edit=Edit(change=change))
        return observe_cluster(cloud.client, SETTINGS)


@pytest.mark.parametrize("number", range(len(MUTATIONS)), ids=lambda n: f"{MUTATIONS[n].control}-{n}")
def test_a_control_that_is_gone_is_missed(findings: dict[int, set[str]], number: int) -> None:
    assert MUTATIONS[number].control in findings[number]
