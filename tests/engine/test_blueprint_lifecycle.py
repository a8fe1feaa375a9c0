"""The blueprint itself under the real engine: preview, up, up again, a zone added, destroyed, interrupted."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from real_engine import Engine, changes

import tools
from infra.door import UNMADE
from sequester.cloud import kubernetes_provider, plugin
from sequester.cloud.control_plane import EXECUTABLES, ControlPlane, running
from sequester.standing import blueprint

pytestmark = [pytest.mark.lane("engine", "pulumi"), pytest.mark.xdist_group("engine")]


def configuration(name: str, *zones: str, kubernetes: str = "render") -> dict[str, str]:
    """A stack of its own, so that what others made in the lane's cloud is not in its way."""
    return {
        "aws:region": "us-east-1",
        "sequester:account": "123456789012",
        "sequester:name": name,
        "sequester:kubernetes": kubernetes,
        "sequester:network": json.dumps({"cidr": "10.42.0.0/16", "azs": list(zones)}),
        "sequester:door": json.dumps({"deletion_protection": False}),
        "sequester:tenants": json.dumps({"research": {"allow": [{"host": "api.github.com", "paths": ["/repos/*"]}]}}),
    }


def stack_of(engine: Engine, name: str, *zones: str, kubernetes: str = "render") -> pulumi.automation.Stack:
    stack = engine.stack(blueprint, config=configuration(name, *zones, kubernetes=kubernetes))
    plugin.install(
        engine.folder / "home", "kubernetes", kubernetes_provider.VERSION, "sequester.cloud.kubernetes_provider"
    )
    return stack


def vpcs(engine: Engine, name: str) -> list[str]:
    mine = [{"Name": "tag:sequester:stack", "Values": [name]}]
    return [vpc["VpcId"] for vpc in engine.aws.call("ec2.describe_vpcs", Filters=mine)["Vpcs"]]


def created(stack: pulumi.automation.Stack) -> Counter[str]:
    """How many resources of each type a preview would create; it must foresee nothing else."""
    found: Counter[str] = Counter()

    def see(event: pulumi.automation.EngineEvent) -> None:
        if event.resource_pre_event:
            metadata: Any = event.resource_pre_event.metadata
            operation = str(getattr(metadata.op, "value", metadata.op))
            if operation == "create":
                found[metadata.type] += 1

    stack.preview(on_event=see)
    return found


def invocation_policies(found: list[str]) -> Callable[[pulumi.automation.EngineEvent], None]:
    """Collects what doors' resource policies are planned to say."""

    def see(event: pulumi.automation.EngineEvent) -> None:
        if (
            event.resource_pre_event
            and event.resource_pre_event.metadata.type == "aws:lambda/resourcePolicy:ResourcePolicy"
        ):
            new: Any = event.resource_pre_event.metadata.new
            found.append(str(new.inputs["policy"]))

    return see


def test_the_life_of_the_blueprint(engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # what is rendered lands here
    two, three = ("us-east-1a", "us-east-1b"), ("us-east-1a", "us-east-1b", "us-east-1c")
    stack = stack_of(engine, "life", *two)
    planned: list[str] = []
    foreseen = changes(stack.preview(on_event=invocation_policies(planned)))
    assert set(foreseen) == {"create"}
    assert [UNMADE in policy for policy in planned] == [True, True], "a preview shows who may invoke a door"
    assert vpcs(engine, "life") == [], "a preview made something"

    made = stack.up()
    assert changes(made) == foreseen
    assert vpcs(engine, "life") == [made.outputs["vpc"].value]

    door = "arn:aws:lambda:us-east-1:123456789012:function:life-door-research"
    for resource in (door, f"{door}:live"):
        policy = str(engine.aws.call("lambda.get_resource_policy", ResourceArn=resource)["Policy"])
        assert "vpce-" in policy
        assert UNMADE not in policy
    assert changes(stack.up()) == {}, "a second up found changes"

    wider = stack_of(engine, "life", *three)
    added = created(wider)
    subnets = added["aws:ec2/subnet:Subnet"]
    assert subnets == 4, "one for each tier"
    assert added["aws:ec2/routeTable:RouteTable"] == added["aws:ec2/routeTableAssociation:RouteTableAssociation"] == 4
    grown = changes(wider.up())
    assert not set(grown) - {"create", "update", "replace", "delete", "create-replacement", "delete-replaced"}
    of_vpc = [{"Name": "vpc-id", "Values": [made.outputs["vpc"].value]}]
    found = engine.aws.call("ec2.describe_subnets", Filters=of_vpc)["Subnets"]
    assert len(found) == 12
    assert changes(wider.up()) == {}

    wider.destroy()
    assert vpcs(engine, "life") == []
    assert not [line for line in engine.held() if "life" in line]


def test_an_interrupted_up_of_the_blueprint_converges(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    stack = stack_of(engine, "broken", "us-east-1a", "us-east-1b")
    done: list[str] = []

    def interrupt(event: pulumi.automation.EngineEvent) -> None:
        if event.res_outputs_event and event.res_outputs_event.metadata.type == "aws:ec2/subnet:Subnet":
            done.append(event.res_outputs_event.metadata.urn)
            if len(done) == 3:
                engine.interrupt()

    with pytest.raises(pulumi.automation.CommandError):
        stack.up(on_event=interrupt)
    half = len((stack.export_stack().deployment or {})["resources"])
    finished = stack.up()
    whole = len((stack.export_stack().deployment or {})["resources"])
    assert 0 < half < whole, "it was not interrupted half-way"
    assert finished.summary.result == "succeeded"
    assert changes(stack.up()) == {}
    of_vpc = [{"Name": "vpc-id", "Values": [finished.outputs["vpc"].value]}]
    assert len(engine.aws.call("ec2.describe_subnets", Filters=of_vpc)["Subnets"]) == 8
    stack.destroy()
    assert vpcs(engine, "broken") == []


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    """An API server of its own: what the blueprint admits and refuses holds for the whole cluster."""
    with running(tools.find) as plane:
        yield plane


@pytest.mark.lane("cluster", *EXECUTABLES)
def test_one_up_makes_the_cluster_and_then_what_is_on_it(
    engine: Engine, plane: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`kubernetes: apply`: AWS first, then a real API server, standing for the cluster that AWS would have made."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(plane.admin.kubeconfig())
    monkeypatch.setenv(kubernetes_provider.KUBECONFIG_VARIABLE, str(kubeconfig))
    stack = stack_of(engine, "joined", "us-east-1a", "us-east-1b", kubernetes="apply")
    order: list[str] = []

    def see(event: pulumi.automation.EngineEvent) -> None:
        if event.res_outputs_event:
            order.append(event.res_outputs_event.metadata.type)

    stack.up(on_event=see)
    first = next(index for index, kind in enumerate(order) if kind.startswith("kubernetes:") and "Provider" not in kind)
    assert order.index("aws:eks/cluster:Cluster") < first
    path = "/apis/networking.k8s.io/v1/namespaces/research-sandbox/networkpolicies"
    assert plane.admin.request("GET", path).or_raise()["items"]
    assert changes(stack.up()) == {}
    stack.destroy()
