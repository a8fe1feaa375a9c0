"""The embedded cloud: a Pulumi program's resources made in moto, without an engine, an account or a network.

Names are imported when they are first used: a provider process needs neither moto nor the Pulumi SDK's runtime, and
starts in half the time without them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sequester.cloud.api import Aws, RefusedError
    from sequester.cloud.embedded import Edit, EmbeddedCloud, Run
    from sequester.cloud.kind import UnmappedPropertyError
    from sequester.cloud.kinds import UnmappedTypeError
    from sequester.cloud.monitor import CreateFailedError, Recorded

__all__ = [
    "Aws",
    "CreateFailedError",
    "Edit",
    "EmbeddedCloud",
    "Recorded",
    "RefusedError",
    "Run",
    "UnmappedPropertyError",
    "UnmappedTypeError",
]

_HOMES = {
    "Aws": "api",
    "CreateFailedError": "monitor",
    "Edit": "embedded",
    "EmbeddedCloud": "embedded",
    "Recorded": "monitor",
    "RefusedError": "api",
    "Run": "embedded",
    "UnmappedPropertyError": "kind",
    "UnmappedTypeError": "kinds",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
