"""What a setting adds to the network: each feature its endpoints, and no way out."""

from typing import Any

from infra.services import SERVICES
from infra.settings import parse
from sequester.cloud import EmbeddedCloud
from sequester.readback import Layout, check, observe
from sequester.standing import blueprint

ACCOUNT = "123456789012"
DIGEST = "sha256:" + "0" * 64


def test_features_bring_their_endpoints_and_stay_sealed(read_back: Any, configuration: Any) -> None:
    configuration["sequester:network"] |= {
        "models": ["anthropic.claude-3-haiku-20240307-v1:0"],
        "web_identity_roles": [f"arn:aws:iam::{ACCOUNT}:role/batch"],
        "endpoint_zones": {"ec2": "one"},
    }
    configuration["sequester:cluster"] = {
        "autoscaling": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/sequester/cluster-autoscaler@{DIGEST}"
    }
    observed = read_back(config=configuration)
    by_name = {e.service: e for e in observed.endpoints}
    assert set(by_name) == {service.name for service in SERVICES}
    assert len(by_name["ec2"].addresses) == 1
    assert len(by_name["eks"].addresses) == 2
    (models,) = by_name["bedrock-runtime"].policy["Statement"]
    assert models["Resource"].endswith("foundation-model/anthropic.claude-3-haiku-20240307-v1:0")
    assert [str(finding) for finding in check(observed)] == []


def test_without_tenants_nobody_invokes_anything(read_back: Any, configuration: Any) -> None:
    del configuration["sequester:tenants"]
    (door,) = [e for e in read_back(config=configuration).endpoints if e.service == "lambda"]
    assert [s["Effect"] for s in door.policy["Statement"]] == ["Deny"]


def test_what_stands_on_the_network_opens_nothing_in_it(configuration: Any) -> None:
    with EmbeddedCloud() as cloud:
        cloud.up(blueprint, config=configuration)
        layout = Layout.of(parse({key.partition(":")[2]: value for key, value in configuration.items()}))
        assert [str(finding) for finding in check(observe(cloud.client, layout))] == []
