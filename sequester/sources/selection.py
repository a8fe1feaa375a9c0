"""Which subnets and namespaces are sandboxes: from a person's file or a pack's configuration to names."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields, replace
from fnmatch import fnmatchcase

from sequester.proof.facts import BadFactError, mapping, only, texts
from sequester.proof.model import Subnet
from sequester.proof.selector import Destination, Selector
from sequester.proof.space import EVERY_SERVICE, prefix
from sequester.sources.resource import Resource, Stack

_SUBNET = "aws:ec2/subnet:Subnet"


def selector_of(raw: object, where: str = "selector") -> Selector:
    """A selector from configuration: `{sandbox_subnets: ["tag:tier=untrusted", "10.1.0.0/16", "*-jobs"], ...}`.

    A subnet is named by its name, Name tag or id (shell patterns), by ``tag:key=value``, or by a CIDR block that
    holds it; a namespace by its name or by ``label:key=value``. Raises BadFactError for a key or value that is none.
    """
    given = only(mapping(raw, where), sorted(one.name for one in fields(Selector)), where)
    found: dict[str, object] = {}
    for key, value in given.items():
        if value is None:
            raise BadFactError(f"{where}.{key}: names nothing: write a text or a list of texts, or leave it out")
        listed = texts(value, f"{where}.{key}")
        for one in listed:
            _formed(key, one, f"{where}.{key}")
        found[key] = tuple(_destination(one, f"{where}.{key}") for one in listed) if "destination" in key else listed
    return replace(Selector(), **found)  # pyright: ignore[reportArgumentType]


_BLOCK = re.compile(r"[0-9a-fA-F.:]+/\d+")


def _formed(key: str, one: str, where: str) -> None:
    """Raises BadFactError for what would never fit: a tag without a value, a block that is none, half of an account."""
    if one.startswith(("tag:", "label:")) and "=" not in one:
        raise BadFactError(f"{where}: {one!r} has no value: write it as {one}=value")
    if "subnets" in key and _BLOCK.fullmatch(one):
        _destination(one, where)
    if key == "trusted_accounts" and not re.fullmatch(r"[0-9]{12}", one):
        raise BadFactError(f"{where}: {one!r} is no account: write its 12 digits")


def _destination(text: str, where: str) -> Destination:
    try:
        return Destination(prefix(text), EVERY_SERVICE)
    except ValueError as error:
        raise BadFactError(f"{where}: {text!r} is not a CIDR block") from error


def role_of(subnet: Subnet, selector: Selector) -> str:
    """``sandbox``, ``agent`` or nothing: by name, id, Name tag, any tag, or a block that holds all of its addresses."""
    tags = dict(subnet.tags)
    named = (subnet.name, subnet.id, tags.get("Name", ""), tags.get("sequester:tier", ""))
    labels = tuple(f"tag:{key}={value}" for key, value in tags.items())
    for role, patterns in (("sandbox", selector.sandbox_subnets), ("agent", selector.agent_subnets)):
        if any(_fits(pattern, named, labels) or _holds(pattern, subnet) for pattern in patterns):
            return role
    return ""


def _fits(pattern: str, named: Iterable[str], labels: Iterable[str]) -> bool:
    those = labels if pattern.startswith(("tag:", "label:")) else named
    return any(fnmatchcase(one, pattern) for one in those if one)


def _holds(pattern: str, subnet: Subnet) -> bool:
    if "/" not in pattern:
        return False
    try:
        block = prefix(pattern)
    except ValueError:
        return False
    inside = [c for c in subnet.cidrs if c.axis == block.axis and block.low <= c.low and c.end <= block.end]
    return bool(inside)


def by_name(selector: Selector, manifests: Iterable[Mapping[str, object]]) -> Selector:
    """The selector with each ``label:key=value`` of namespaces replaced by the names of those that bear it."""
    bearing: dict[str, list[str]] = {}
    for one in manifests:
        if one.get("kind") == "Namespace":
            meta = mapping(one.get("metadata"), "Namespace metadata")
            labels = mapping(meta.get("labels"), "Namespace labels")
            bearing[str(meta.get("name"))] = [f"label:{key}={value}" for key, value in labels.items()]

    def named(patterns: tuple[str, ...]) -> tuple[str, ...]:
        found: list[str] = []
        for pattern in patterns:
            if pattern.startswith("label:"):
                found += [name for name, labels in bearing.items() if _fits(pattern, (), labels)]
            else:
                found.append(pattern)
        return tuple(dict.fromkeys(found))

    return replace(
        selector,
        sandbox_namespaces=named(selector.sandbox_namespaces),
        agent_namespaces=named(selector.agent_namespaces),
    )


def chosen_subnets(resources: Iterable[Resource], selector: Selector) -> Collection[str]:
    """The ids of subnets whose compute is a sandbox's or an agent's."""
    from sequester.sources.network import subnets

    stack = Stack(tuple(one for one in resources if one.type == _SUBNET), "", "")
    try:
        return {key for key, one in subnets(stack).items() if role_of(one, selector)}
    except BadFactError:
        return {one.id for one in stack.resources}  # which it is cannot be told: then all are
