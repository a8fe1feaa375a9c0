"""A model from a program's run in the embedded cloud, where every value is known."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from sequester.proof.model import Model
from sequester.proof.selector import Selector
from sequester.sources.resource import Resource
from sequester.sources.stack import model_of


class Registered(Protocol):
    """What a run records of a resource: sequester.cloud.Recorded has this shape."""

    @property
    def urn(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def inputs(self) -> Mapping[str, object]: ...
    @property
    def outputs(self) -> Mapping[str, object]: ...


def resources_of(registered: Iterable[Registered]) -> list[Resource]:
    """What the program asked for goes before what the cloud answered."""
    return [
        Resource(one.type, one.name, one.id, {**one.outputs, **_stated(one.inputs)}, one.urn, component=not one.id)
        for one in registered
    ]


def _stated(inputs: Mapping[str, object]) -> Mapping[str, object]:
    return {key: value for key, value in inputs.items() if value is not None}


def program_model(
    registered: Iterable[Registered], selector: Selector | None = None, *, account: str, region: str
) -> Model:
    return model_of(resources_of(registered), selector, account=account, region=region)
