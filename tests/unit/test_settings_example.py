"""Pulumi.dev.yaml is a working example, and shows every key that there is."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from infra.settings import Settings, parse

EXAMPLE = Path(__file__).parents[2] / "Pulumi.dev.yaml"


def test_the_example_is_read() -> None:
    given: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())["config"]
    assert {key.partition(":")[0] for key in given} == {"aws", "sequester"}
    assert "research" in parse({key.partition(":")[2]: value for key, value in given.items()}).tenants


def every_model(model: type[BaseModel], found: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """A model of settings and all that stand in its fields."""
    if model in found:
        return found
    found.add(model)
    parts: list[Any] = [field.annotation for field in model.model_fields.values()]
    while parts:
        part = parts.pop()
        if isinstance(part, type) and issubclass(part, BaseModel):
            every_model(part, found)
        parts += get_args(part)
    return found


MODELS = sorted(every_model(Settings, set()), key=lambda model: model.__name__)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_the_example_shows_every_key(model: type[BaseModel]) -> None:
    shown = set(re.findall(r"([a-z_0-9]+):", EXAMPLE.read_text()))
    assert set(model.model_fields) <= shown


def test_the_example_shows_no_key_that_there_is_not() -> None:
    """One that is commented out would be refused by whoever makes use of it."""
    commented = set(re.findall(r"^ +# +(?:sequester:)?([a-z_0-9]+):", EXAMPLE.read_text(), re.MULTILINE))
    tiers = {"sandbox", "system", "endpoint", "control"}
    assert len(commented) > 30
    assert commented - {key for model in MODELS for key in model.model_fields} - tiers == set()
