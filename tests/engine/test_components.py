"""The components as other programs use them: each example lives its life; other languages get schema and plugin."""

import re
import runpy
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pulumi
import pulumi_aws as aws
import pytest
from pulumi import automation as auto
from real_engine import Engine, changes
from test_kubernetes_provider import Deployment

from pulumi_sequester import watched_log_groups
from sequester.cloud import plugin
from sequester.cloud.control_plane import EXECUTABLES, ControlPlane

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.lane("engine", "pulumi"), pytest.mark.xdist_group("engine")]


class Example(NamedTuple):
    """A folder of examples/, its settings, and a change of them."""

    folder: str
    config: Mapping[str, str]
    change: Mapping[str, str]
    has: str
    """A resource that must be among those made."""


VERSION = "0.1.0"
ACCOUNT = {"sequester:account": "123456789012"}
EXAMPLES = (
    Example("sealed-network", ACCOUNT, {"sequester:retention": "400"}, "aws:ec2/vpc:Vpc"),
    Example(
        "door",
        ACCOUNT
        | {
            "sequester:caller": "arn:aws:iam::123456789012:role/reader",
            "sequester:endpoint": "vpce-0123456789abcdef0",
        },
        {"sequester:limit": "2MiB", "sequester:protect": "false"},
        "aws:lambda/function:Function",
    ),
    Example("tripwires", ACCOUNT, {"sequester:notify": "soc@example.com"}, "aws:cloudwatch/metricAlarm:MetricAlarm"),
)


def program(folder: str) -> Callable[[], None]:
    """What `pulumi up` in the folder would run."""
    return lambda: (runpy.run_path(str(ROOT / "examples" / folder / "__main__.py")), None)[1]


def held(stack: auto.Stack) -> list[dict[str, Any]]:
    return (stack.export_stack().deployment or {}).get("resources", [])


def resources(stack: auto.Stack) -> list[str]:
    return [one["type"] for one in held(stack)]


def aliases(stack: auto.Stack) -> set[str]:
    return {one["inputs"]["name"] for one in held(stack) if one["type"] == "aws:kms/alias:Alias"}


def aliases_in_rights(stack: auto.Stack) -> set[str]:
    """Aliases that role policies name in conditions: Lambda and others may use no other key."""
    policies = [str(one["inputs"].get("policy")) for one in held(stack) if one["type"].startswith("aws:iam/")]
    return set(re.findall(r"alias/[a-z-]+", " ".join(policies)))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.folder)
def test_an_example_lives_its_life(engine: Engine, tmp_path: Path, example: Example) -> None:
    code = tmp_path / "door.zip"
    with zipfile.ZipFile(code, "w") as made:
        made.writestr("lambda_proxy/handler.py", "def handler(event, context): return {}\n")
    stack = engine.stack(program(example.folder), config={**example.config, "sequester:code": str(code)})
    foreseen = changes(stack.preview())
    assert set(foreseen) == {"create"}
    up = stack.up()
    assert changes(up) == foreseen
    assert all(value.value for value in up.outputs.values())
    assert example.has in resources(stack)
    assert aliases_in_rights(stack) <= aliases(stack), "a right speaks of a key's alias that nobody made"
    assert changes(stack.up()) == {}, "a second up found changes"
    for key, value in example.change.items():
        stack.set_config(key, auto.ConfigValue(value))
    assert changes(stack.up()) != {}
    stack.destroy()
    assert resources(stack) == []


@pytest.fixture
def deployment(tmp_path: Path, control_plane: ControlPlane) -> Iterator[Deployment]:
    yield Deployment(tmp_path, control_plane)


@pytest.mark.lane("cluster", *EXECUTABLES)
def test_tenants_live_on_a_cluster_that_is_there(deployment: Deployment) -> None:
    stack = deployment.stack(program("sandbox-tenants"))
    for key, value in {"account": "123456789012", "tenants": "one,two"}.items():
        stack.set_config(key, auto.ConfigValue(value))
    stack.set_config("kubeconfig", auto.ConfigValue(deployment.plane.admin.kubeconfig(), secret=True))
    made = stack.up()
    assert made.outputs["sandboxNamespaces"].value == {"one": "one-sandbox", "two": "two-sandbox"}
    assert deployment.read("NetworkPolicy", "deny-all", "networking.k8s.io/v1", "one-sandbox") is not None
    assert changes(stack.up()) == {}
    stack.set_config("tenants", auto.ConfigValue("one"))
    assert set(changes(stack.up())) == {"delete"}
    assert deployment.read("Namespace", "two-sandbox", namespace="") is None
    stack.destroy()
    assert deployment.read("NetworkPolicy", "deny-all", "networking.k8s.io/v1", "one-sandbox") is None


@pytest.fixture
def hosted(engine: Engine) -> Engine:
    """The components as a plugin of the engine's, as programs in other languages use them."""
    plugin.install(engine.folder / "home", "sequester", VERSION, "pulumi_sequester")
    return engine


class Foreign(pulumi.ComponentResource):
    """What a generated SDK of another language does: names and values go to the plugin over gRPC."""

    topic: pulumi.Output[str]

    def __init__(self, **given: object) -> None:
        super().__init__("sequester:index:Tripwires", "wires", {**given, "topic": None}, remote=True)


def test_other_languages_deploy_by_the_plugin(hosted: Engine) -> None:
    def wired() -> None:
        for name in watched_log_groups("123456789012", "us-east-1", ["research"], stack="foreign"):
            aws.cloudwatch.LogGroup(name.strip("/").replace("/", "-"), name=name, retention_in_days=30)
        where = {"account": "123456789012", "region": "us-east-1", "cidr": "10.0.0.0/16"}
        wires = Foreign(**where, tenants=["research"], stack="foreign")
        pulumi.export("topic", wires.topic)

    stack = hosted.stack(wired)
    assert stack.up().outputs["topic"].value == "arn:aws:sns:us-east-1:123456789012:foreign-alarms"
    assert resources(stack).count("aws:cloudwatch/metricAlarm:MetricAlarm") > 10
    assert changes(stack.up()) == {}
    stack.destroy()


def test_a_mistake_is_one_line_and_makes_nothing(engine: Engine) -> None:
    stack = engine.stack(program("sealed-network"), config={**ACCOUNT, "sequester:cidr": "10.0.0.0/29"})
    with pytest.raises(auto.CommandError, match=r"\bcidr: 10.0.0.0/29 is too small"):
        stack.up()
    assert "aws:ec2/vpc:Vpc" not in resources(stack)


def test_what_names_are_made_from_must_be_known(engine: Engine) -> None:
    from pulumi_sequester import SealedNetwork, SealedNetworkArgs

    def late() -> None:
        account = pulumi.Output.from_input("123456789012")
        SealedNetwork("x", SealedNetworkArgs(account, "us-east-1", "10.42.0.0/16", ["us-east-1a", "us-east-1b"]))

    with pytest.raises(auto.CommandError, match="account: is an output"):
        engine.stack(late).preview()
