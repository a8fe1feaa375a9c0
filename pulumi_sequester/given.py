"""Arguments of a component as plain values: from a dataclass in Python, from a mapping in other languages."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final, cast

import pulumi

from infra.settings import Settings, SettingsError, parse

STACK: Final = "sequester"
_ROOT: Final = re.compile(r"[.:]")
# The blueprint's key at the beginning of a line, and the argument that it is here. The first that fits decides.
_ARGUMENTS: Final = tuple(
    (re.compile(pattern), argument)
    for pattern, argument in (
        (r"sequester:network\.azs", "zones"),
        (r"sequester:cluster\.version", "kubernetes_version"),
        (r"sequester:(network|door|cluster|tripwires)\.", ""),
        (r"sequester:name\b", "stack"),
        (r"sequester:", ""),
        (r"aws:region", "region"),
    )
)


def given(args: object, *outputs: str) -> dict[str, Any]:
    """Every argument that was given, by name. Only `outputs` may be unknown before the deployment.

    Raises SettingsError with a line for each other one that is an output.
    """
    found = cast("Mapping[str, Any]", args) if isinstance(args, Mapping) else _fields(args)
    told = {key: _whole(value) for key, value in found.items() if value is not None}
    late = [key for key, value in told.items() if key not in outputs and _late(value)]
    if late:
        raise SettingsError([f"{key}: is an output: names are made from it, so give a plain value" for key in late])
    return told


def _fields(args: object) -> dict[str, Any]:
    if not is_dataclass(args):
        raise SettingsError([f"args: {type(args).__name__} will not do: give the component's own Args"])
    return {field.name: getattr(args, field.name) for field in fields(args)}


def _late(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(_late(one) for one in cast("Mapping[str, object]", value).values())
    if isinstance(value, list | tuple):
        return any(_late(one) for one in cast("list[object]", value))
    return isinstance(value, pulumi.Output)


def _whole(value: object) -> object:
    """Numbers of other languages arrive as fractions: the engine knows no others."""
    if isinstance(value, Mapping):
        return {key: _whole(one) for key, one in cast("Mapping[str, object]", value).items()}
    if isinstance(value, list | tuple):
        return [_whole(one) for one in cast("list[object]", value)]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def bare(tenants: object) -> Mapping[str, object]:
    """Tenants of whom nothing but the name is told. Raises SettingsError if it is no list of names."""
    if isinstance(tenants, str) or not isinstance(tenants, Sequence):
        raise SettingsError([f"tenants: {tenants!r} will not do: give a list of names"])
    return {str(tenant): dict[str, object]() for tenant in cast("Sequence[object]", tenants)}


def settings(told: Mapping[str, Any], network: Mapping[str, object] | None = None, **parts: object) -> Settings:
    """The blueprint's settings with these parts, everything else as by default.

    network: where a component has none of its own, a range that none of its resources uses.
    Raises SettingsError, whose lines name the component's arguments, not the blueprint's keys.
    """
    zones = [f"{told['region']}a", f"{told['region']}b"]
    try:
        return parse(
            {
                "name": told.get("stack", STACK),
                "account": _account(told["account"]),
                "region": told["region"],
                "network": network or {"cidr": "10.42.0.0/16", "azs": zones},
                "tags": told.get("tags", {}),
                **parts,
            }
        )
    except SettingsError as error:
        raise SettingsError(_own(error.lines, told)) from None


def _account(value: object) -> object:
    """A program in YAML has a number for a setting of digits only. One that lost a leading zero is not guessed at."""
    return str(value) if isinstance(value, int) and len(str(value)) == 12 else value


def _own(lines: Sequence[str], told: Mapping[str, Any]) -> list[str]:
    """The blueprint's lines by the names of the arguments, without those on what only follows from an argument."""
    tenant = re.escape(str(told.get("tenant", "")))
    door = (
        (re.compile(rf"sequester:tenants\.{tenant}\."), ""),
        (re.compile(rf"sequester:tenants\.{tenant}:"), "tenant:"),
    )
    named = [_named(line, (*(door if tenant else ()), *_ARGUMENTS)) for line in lines]
    return [line for line in named if _ROOT.split(line, 1)[0] in told] or named


def _named(line: str, arguments: Sequence[tuple[re.Pattern[str], str]]) -> str:
    key, argument = next((one for one in arguments if one[0].match(line)), _ARGUMENTS[-1])
    return key.sub(argument, line, 1).replace("of aws:region", "of region")
