"""A model from a stack export (`pulumi stack export`) or a state file of Pulumi's own backend."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Never

from sequester.marks import SIGNATURE
from sequester.proof.facts import BadFactError, items, mapping
from sequester.proof.model import Gap, Model
from sequester.proof.selector import Selector
from sequester.sources.owner import owner_of, provider_urn
from sequester.sources.resource import Resource
from sequester.sources.stack import model_of
from sequester.sources.types import EVERY_CLAIM

# What stands for a secret here: https://www.pulumi.com/docs/iac/concepts/secrets/
_OPAQUE = "[secret]"
_MOST_DEPTH = 200
_VERSIONS = (3, 4)
"""Of the deployment: 4 is 3 with features named in `features`; every reader of 3 reads it."""


def state_file(path: Path, selector: Selector | None = None, *, account: str = "", region: str = "") -> Model:
    """The model of a file. Raises OSError where there is none; whatever else is wrong with it is a gap."""
    try:
        raw = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        return _nothing(f"{path.name}: is no UTF-8: export it with `pulumi stack export --file`", account, region)
    return state_model(raw, selector, account=account, region=region)


def state_model(raw: str, selector: Selector | None = None, *, account: str = "", region: str = "") -> Model:
    """Never raises for a bad file: what cannot be read is a gap in every claim.

    Account and region are those of the network that is described, where they are not given.
    """
    try:
        resources, gaps = read(raw)
    except BadFactError as error:
        return _nothing(str(error), account, region)
    found = owner_of(resources, selector or Selector(), account=account, region=region)
    return model_of(
        found.resources, selector, account=found.account, region=found.region, gaps=[*gaps, *found.gaps],
        assumptions=("the state describes what is deployed: `pulumi refresh` brings it up to date", *found.assumptions),
    )  # fmt: skip


def _nothing(why: str, account: str, region: str) -> Model:
    return model_of((), None, account=account, region=region, gaps=[Gap(EVERY_CLAIM, why)])


def read(raw: str) -> tuple[list[Resource], list[Gap]]:
    """The resources, and a gap for each that is described twice, about to be deleted, or under an operation."""
    inner = _deployment(raw)
    gaps = [
        Gap(EVERY_CLAIM, f"state: {_pending(one)} has an operation pending: run `pulumi refresh`")
        for one in items(inner.get("pending_operations") or inner.get("pendingOperations"), "state.pending_operations")
    ]
    found: list[Resource] = []
    for i, one in enumerate(items(inner.get("resources"), "state.resources")):
        raw_resource = mapping(one, f"state.resources[{i}]")
        resource = _resource(raw_resource, f"state.resources[{i}]")
        if resource.type == "pulumi:pulumi:Stack":
            continue
        if raw_resource.get("delete") is True:
            gaps.append(Gap(EVERY_CLAIM, f"state: {resource.name} is to be deleted, and may still be there"))
        found.append(resource)
    for urn, times in Counter(one.urn for one in found).items():
        if times > 1:
            gaps.append(Gap(EVERY_CLAIM, f"state: {urn} is described {times} times"))
    return found, gaps


def _deployment(raw: str) -> Mapping[str, object]:
    try:
        parsed: object = json.loads(raw, parse_constant=_no_number, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        said = str(error) if isinstance(error, BadFactError) else "not a JSON document: it may be cut off"
        raise BadFactError(f"state: {said}") from error
    whole = mapping(parsed, "state")
    version = whole.get("version")
    inner = mapping(
        whole.get("deployment") or mapping(whole.get("checkpoint"), "state.checkpoint").get("latest"),
        "state.deployment",
    )
    if "resources" not in inner:
        raise BadFactError("state: holds no deployment.resources: export it with `pulumi stack export`")
    if version is not None and version not in _VERSIONS:
        raise BadFactError(f"state.version: {str(version)[:20]} is none of 3, 4: export it with a current pulumi")
    return inner


def _no_number(text: str) -> Never:
    raise BadFactError(f"{text} is no number")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise BadFactError(f"the key {twice[:40]!r} is there twice in one object")
    return found


def _pending(one: object) -> str:
    urn = mapping(mapping(one, "state.pending_operations").get("resource"), "state.pending_operations").get("urn")
    return urn if isinstance(urn, str) else "something"


def _resource(raw: Mapping[str, object], where: str) -> Resource:
    urn, kind = raw.get("urn"), raw.get("type")
    if not isinstance(urn, str) or not isinstance(kind, str) or not urn or not kind:
        raise BadFactError(f"{where}: lacks urn or type")
    key, parent = raw.get("id"), raw.get("parent")
    if key is not None and not isinstance(key, str):
        raise BadFactError(f"{where}.id: is not a text")
    outputs, inputs = mapping(raw.get("outputs"), where), mapping(raw.get("inputs"), where)
    merged = {**outputs, **{key: value for key, value in inputs.items() if value is not None}}
    properties = {key: _plain(value, where, 0) for key, value in merged.items() if not key.startswith("__")}
    return Resource(
        kind, urn.rpartition("::")[2], key or "", properties, urn, parent if isinstance(parent, str) else "",
        component=raw.get("custom") is False, provider=provider_urn(raw.get("provider")),
    )  # fmt: skip


def _plain(value: object, where: str, depth: int) -> object:
    """Secrets become opaque, whether they are encrypted or in clear."""
    if depth > _MOST_DEPTH:
        raise BadFactError(f"{where}: nested deeper than {_MOST_DEPTH}")
    if isinstance(value, Mapping):
        inside = mapping(value, where)  # pyright: ignore[reportUnknownArgumentType]
        if SIGNATURE in inside:
            return _OPAQUE
        return {key: _plain(one, where, depth + 1) for key, one in inside.items()}
    if isinstance(value, list):
        return [_plain(one, where, depth + 1) for one in items(value, where)]  # pyright: ignore[reportUnknownArgumentType]
    return value
