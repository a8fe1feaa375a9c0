"""What the pack says of single resources: the forms of values are those of the blueprint's own settings."""

from collections.abc import Mapping

import pytest
from proof_world import World

from policies.rules import PINNED, SETTINGS, broken, images
from sequester.marks import UNKNOWN

DIGEST = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/jobs@sha256:{'0' * 64}"
WRONG: Mapping[str, tuple[str, dict[str, object], str]] = {
    "add-on": ("eks/addon:Addon", {"addonVersion": "latest"}, "x.addonVersion: 'latest' is no pinned add-on version"),
    "nodes": (
        "eks/nodeGroup:NodeGroup",
        {"releaseVersion": "1.35.2-20240101"},
        "has no nft, which closes sandbox nodes",
    ),
    "administrator": ("eks/accessEntry:AccessEntry", {"principalArn": "*"}, "'*' is no role or user"),
    "range": ("ec2/vpc:Vpc", {"cidrBlock": "172.17.0.0/16"}, "overlaps 172.17.0.0/16, which EKS uses itself"),
    "version": ("eks/cluster:Cluster", {"version": "1.20"}, "'1.20' is not offered by EKS"),
    "instance": (
        "eks/nodeGroup:NodeGroup",
        {"instanceTypes": ["m7i.large", "t2.micro"]},
        "x.instanceTypes[1]: 't2.micro'",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_value_that_settings_would_refuse_is_named(name: str) -> None:
    kind, given, said = WRONG[name]
    (line,) = broken((*PINNED, *SETTINGS), f"aws:{kind}", "x", given)
    assert said in line


@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_known_yet_or_not_stated_is_none(name: str) -> None:
    kind, given, _ = WRONG[name]
    for value in (UNKNOWN, None):
        assert not list(broken((*PINNED, *SETTINGS), f"aws:{kind}", "x", dict.fromkeys(given, value)))


def pod(image: object, namespace: str = "research-sandbox") -> dict[str, object]:
    spec = {"containers": [{"image": DIGEST}], "initContainers": [{"image": image}]}
    return {"metadata": {"namespace": namespace}, "spec": {"template": {"spec": spec}}}


def test_an_image_of_a_sandbox_is_named_by_digest() -> None:
    kind = "kubernetes:batch/v1:Job"
    (line,) = images(kind, "run", pod("python:3.13"))
    assert "run.spec.template.spec.initContainers[0].image: 'python:3.13' is not pinned" in line
    assert not list(images(kind, "run", pod(DIGEST)))
    assert not list(images(kind, "run", pod("python:3.13", "monitoring"))), "of sandboxes alone"


def test_the_blueprint_is_as_its_settings_are(world: World) -> None:
    said = [line for r in world.resources for line in broken((*PINNED, *SETTINGS), r.type, r.name, r.properties)]
    said += [line for m in world.manifests for line in images(f"kubernetes:x:{m['kind']}", "m", m)]
    assert said == []
