"""The schema by which other languages know the components, as the real CLI gets it from the installed plugin."""

import json
from importlib.metadata import version
from typing import Any, Final

import pytest
from real_engine import Engine
from test_components_yaml import SCRIPT, VERSION, installed, pulumi

__all__ = ["installed"]
pytestmark = [pytest.mark.lane("engine", "pulumi", "pulumi-language-yaml"), pytest.mark.xdist_group("engine")]

BOTH: Final = {"account", "region"}
REQUIRED: Final = {
    "SealedNetwork": BOTH | {"cidr", "zones"},
    "SandboxTenants": BOTH
    | {"kubeconfig", "kubernetesVersion", "apiService", "controlPlane", "resolver", "endpoints", "endpointSubnets"}
    | {"repositories", "tenants"},
    "Door": BOTH | {"tenant", "allow", "callerRoleArn", "endpoint", "code"},
    "Tripwires": BOTH | {"cidr", "tenants"},
}
OUTPUTS: Final = {
    "SealedNetwork": {"vpc", "sandboxSubnets", "systemSubnets", "controlSubnets", "securityGroups", "lambdaEndpoint"},
    "SandboxTenants": {"sandboxNamespaces", "agentNamespaces"},
    "Door": {"function", "auditBucket"},
    "Tripwires": {"topic"},
}


@pytest.fixture
def schema(installed: Engine) -> dict[str, Any]:
    return json.loads(pulumi(installed, installed.folder, "package", "get-schema", f"sequester@{VERSION}", stack=False))


def test_it_tells_all_of_each_component(schema: dict[str, Any]) -> None:
    assert (schema["name"], schema["version"]) == ("sequester", version("sequester"))
    assert version("sequester") == VERSION
    resources = {name.removeprefix("sequester:index:"): one for name, one in schema["resources"].items()}
    assert {name: set(one["requiredInputs"]) for name, one in resources.items()} == REQUIRED
    assert {name: set(one["properties"]) for name, one in resources.items()} == OUTPUTS
    assert {name: set(one["required"]) for name, one in resources.items()} == OUTPUTS
    for name, one in resources.items():
        assert one["isComponent"]
        assert one["description"]
        undescribed = [
            f"{name}.{key}"
            for side in ("inputProperties", "properties")
            for key, told in one[side].items()
            if not told.get("description")
        ]
        assert undescribed == []


def test_no_output_repeats_an_input_that_may_be_secret(schema: dict[str, Any]) -> None:
    for one in schema["resources"].values():
        assert not set(one["properties"]) & {"kubeconfig", "credentials", "canaries"}


def test_the_executable_alone_gives_the_same(schema: dict[str, Any], engine: Engine) -> None:
    """`package add` and `gen-sdk` take its path, too: then nothing need be installed."""
    by_path = pulumi(engine, engine.folder, "package", "get-schema", str(SCRIPT), stack=False)
    assert json.loads(by_path) == schema
