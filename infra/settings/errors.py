"""Turns what pydantic found into one line a mistake: key, value, mend."""

import difflib
import re
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, Final, Union, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError

_PREFIX: Final = "sequester:"
_ELSEWHERE: Final = {"region": "aws:region"}
_MISSING: Final = {
    "account": "set the account's 12 digits: pulumi config set sequester:account 123456789012",
    "region": "set it: pulumi config set aws:region us-east-1",
    "network": "set at least network.cidr and network.azs, as in Pulumi.dev.yaml",
    "cidr": "set it, as 10.42.0.0/16",
    "azs": "set it, as [us-east-1a, us-east-1b]",
}
_LONGEST_VALUE: Final = 60
_CLASS: Final = re.compile(r" or instance of \w+")


class SettingsError(ValueError):
    """Settings that cannot be used; `lines` says why, a line each."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = tuple(lines)


def explain(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """A line for each mistake, in the order of the settings."""
    lines = [_line(dict(found), model) for found in error.errors(include_url=False)]
    return list(dict.fromkeys(lines))


def _line(found: Mapping[str, Any], model: type[BaseModel]) -> str:
    path = [str(step) for step in found["loc"] if step != "[key]"]
    said, kind = str(found["msg"]), str(found["type"])
    key = _key(path)
    if kind == "extra_forbidden":
        return f"{key}: is no key here: {_nearest(path, model)}"
    if kind == "missing":
        return f"{key}: is missing: {_MISSING.get(path[-1], 'set it')}"
    if kind == "value_error":
        said = said.removeprefix("Value error, ")
        first, _, rest = said.partition(": ")
        # A check of a whole model names the field itself: `cidr: 10.0.0.0/29 is too small: use /20`.
        if rest and first.replace(".", "").replace("_", "").replace("-", "").isalnum() and " " not in first:
            return f"{_key([*path, first])}: {rest}"
        return f"{key}: {said}"
    wanted = _CLASS.sub("", said[:1].lower() + said[1:]).replace("dictionary", "mapping").replace("tuple", "list")
    return f"{key}: {_shown(found.get('input'))} will not do: {wanted}"


def _key(path: Sequence[str]) -> str:
    joined = ".".join(path)
    return _ELSEWHERE.get(joined, f"{_PREFIX}{joined}" if joined else _PREFIX.rstrip(":"))


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _nearest(path: Sequence[str], model: type[BaseModel]) -> str:
    known = _keys(model, path[:-1])
    near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"


def _keys(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    """The keys of the model that a path leads to."""
    here: object = model
    for step in path:
        found = _model(here)
        if found is None:
            here = _inner(here)
        else:
            here = found.model_fields[step].annotation if step in found.model_fields else None
    found = _model(here)
    return list(found.model_fields) if found else []


def _model(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType):
        return next((found for part in get_args(annotation) if (found := _model(part))), None)
    return None


def _inner(annotation: object) -> object:
    """What a mapping or a list holds."""
    parts = cast("tuple[object, ...]", get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        return next((inner for part in parts if (inner := _inner(part))), None)
    return next((part for part in reversed(parts) if part is not Ellipsis), None)
