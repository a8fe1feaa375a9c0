"""Sequester: one door between agent code and the internet.

The public names are loaded when they are first used, so that importing a part does not import the whole.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sequester.door import Door, DoorError, FetchDeniedError, Fetched
    from sequester.sandbox.executor import IsolatedExecutor
    from sequester.sandbox.result import Attempt, Result

_PUBLIC = {
    "Door": "sequester.door",
    "DoorError": "sequester.door",
    "FetchDeniedError": "sequester.door",
    "Fetched": "sequester.door",
    "IsolatedExecutor": "sequester.sandbox.executor",
    "Result": "sequester.sandbox.result",
    "Attempt": "sequester.sandbox.result",
}

__all__ = ["Attempt", "Door", "DoorError", "FetchDeniedError", "Fetched", "IsolatedExecutor", "Result"]


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'sequester' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
