"""Pulumi.dev.yaml is a working example, and shows every key that there is."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.settings import Settings, parse
from infra.settings.cluster import ClusterSettings
from infra.settings.door import AllowRule
from infra.settings.network import NetworkSettings
from infra.settings.tenants import TenantSettings

EXAMPLE = Path(__file__).parents[2] / "Pulumi.dev.yaml"


def test_the_example_is_read() -> None:
    given: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())["config"]
    assert {key.partition(":")[0] for key in given} == {"aws", "sequester"}
    assert "research" in parse({key.partition(":")[2]: value for key, value in given.items()}).tenants


@pytest.mark.parametrize(
    "model", [Settings, NetworkSettings, ClusterSettings, TenantSettings, AllowRule], ids=lambda m: m.__name__
)
def test_the_example_shows_every_key(model: Any) -> None:
    shown = set(re.findall(r"([a-z_0-9]+):", EXAMPLE.read_text()))
    assert set(model.model_fields) <= shown
