"""The reference configuration as tables: connections, services, names and settings, from what the program uses."""

import ast
import inspect
import textwrap
import typing
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from types import UnionType
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from infra.dns import resolvable
from infra.filters import FLOWS
from infra.names import Names
from infra.services import Scope, services
from infra.settings import Settings
from sequester.example import SETTINGS_FILE
from sequester.standing import settings_of, stack_config


@cache
def _example() -> Settings:
    return settings_of(stack_config(SETTINGS_FILE))


def flows() -> str:
    """One row a connection that may be opened."""
    rows = (f"| {f.source} | {f.target} | {f.protocol.upper()} {f.port} | {f.why} |" for f in FLOWS)
    return "\n".join(["| from | to | | for |", "|---|---|---|---|", *rows])


def endpoints() -> str:
    """One row an endpoint of the example, with every action that its policy allows."""
    names = Names.of(_example())
    lines = ["| service | for | nodes | actions | a denied call is seen |", "|---|---|---|---|---|"]
    for service in services(_example()):
        actions = sorted({a for s in service.statements(Scope(names, _example())) for a in s.actions})
        nodes = ", ".join(sorted(service.nodes))
        seen = "CloudTrail" if service.event_source else "**no sensor**"
        lines.append(f"| {service.name} | {service.why} | {nodes} | {', '.join(f'`{a}`' for a in actions)} | {seen} |")
    return "\n".join(lines)


def names() -> str:
    """Every name that resolves with the example's settings."""
    return "\n".join(f"- `{name}`" for name in resolvable(_example()))


def settings() -> str:
    """One row a key, nested keys with dots; `*` stands for a name of one's own."""
    rows = (f"| `{key}` | {default} | {why} |" for key, default, why in _keys(Settings, "", None))
    return "\n".join(["| key | default | |", "|---|---|---|", *rows])


def _keys(model: type[BaseModel], prefix: str, given: BaseModel | None) -> Iterator[tuple[str, str, str]]:
    """given: the instance that stands as the default above, whose values are then those below."""
    says = _docstrings(model)
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}" if (prefix, name) != ("", "region") else "aws:region"
        inner, step = _model_in(field.annotation)
        why = says.get(name) or _summary(inner)
        value = getattr(given, name) if given else _default(field)
        yield key, _shown(value), " ".join(why.split()).replace("|", "\\|")
        if inner:
            yield from _keys(inner, f"{key}{step}.", value if isinstance(value, BaseModel) else None)


def _model_in(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The model that a field holds, and what stands between: nothing, `.*` for a mapping, `[]` for a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin in (typing.Union, UnionType, typing.Annotated):
        found = next((one for one in map(_model_in, args) if one[0]), None)
        return found or (None, "")
    if not args:
        return None, ""
    inner, step = _model_in(args[-1] if args[-1] is not Ellipsis else args[0])
    mapping = len(args) == 2 and args[-1] is not Ellipsis
    return inner, f"{'.*' if mapping else '[]'}{step}"


def _default(field: FieldInfo) -> Any:
    return PydanticUndefined if field.is_required() else field.get_default(call_default_factory=True, validated_data={})


def _shown(value: Any) -> str:
    if value is PydanticUndefined:
        return "**required**"
    match value:
        case None | BaseModel() | ():
            return "–"
        case bool():
            return f"`{str(value).lower()}`"
        case dict() if not value:
            return "–"
        case dict():
            return ", ".join(f"{key} `{one}`" for key, one in value.items())  # pyright: ignore[reportUnknownVariableType]
        case tuple():
            return ", ".join(f"`{one}`" for one in value)  # pyright: ignore[reportUnknownVariableType]
        case _:
            return f"`{value}`"


def _summary(model: type[BaseModel] | None) -> str:
    return (inspect.getdoc(model) or "").partition("\n\n")[0] if model else ""


@cache
def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """What stands below each field, in this class and those it is made from."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if not issubclass(cls, BaseModel) or cls.__module__.startswith("pydantic"):
            continue
        [body] = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        members = typing.cast(ast.ClassDef, body).body
        for field, below in pairwise(members):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[name] = text
                case _:
                    pass
    return found
