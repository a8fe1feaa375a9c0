"""A model from a stack export (`pulumi stack export`) or a state file of Pulumi's own backend."""

import json
from collections.abc import Mapping

from sequester.proof.facts import BadFactError, items, mapping
from sequester.proof.model import Gap, Model
from sequester.proof.selector import Selector
from sequester.sources.resource import Resource
from sequester.sources.stack import model_of
from sequester.sources.types import EVERY_CLAIM

# How Pulumi marks a secret, and what stands for one here: https://www.pulumi.com/docs/iac/concepts/secrets/
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_OPAQUE = "[secret]"
_MOST_DEPTH = 200


def state_model(raw: str, selector: Selector | None = None, *, account: str, region: str) -> Model:
    """Never raises for a bad file: what cannot be read is a gap in every claim."""
    try:
        resources, gaps = read(raw)
    except BadFactError as error:
        return model_of((), selector, account=account, region=region, gaps=[Gap(EVERY_CLAIM, str(error))])
    return model_of(resources, selector, account=account, region=region, gaps=gaps)


def read(raw: str) -> tuple[list[Resource], list[Gap]]:
    """The resources, and a gap for each that is about to be deleted or has an operation pending."""
    try:
        whole = mapping(json.loads(raw), "state")
    except (ValueError, RecursionError) as error:
        raise BadFactError("state: not a JSON document: it may be cut off") from error
    inner = mapping(
        whole.get("deployment") or mapping(whole.get("checkpoint"), "state").get("latest"), "state.deployment"
    )
    if "resources" not in inner:
        raise BadFactError("state: holds no deployment.resources: export it with `pulumi stack export`")
    gaps = [
        Gap(
            EVERY_CLAIM,
            f"state: {mapping(mapping(o, 'state').get('resource'), 'state').get('urn')} has an operation pending",
        )
        for o in items(inner.get("pending_operations") or inner.get("pendingOperations"), "state.pending_operations")
    ]
    found: list[Resource] = []
    for i, one in enumerate(items(inner.get("resources"), "state.resources")):
        resource = mapping(one, f"state.resources[{i}]")
        if resource.get("type") == "pulumi:pulumi:Stack":
            continue
        found.append(_resource(resource, f"state.resources[{i}]"))
    return found, gaps


def _resource(raw: Mapping[str, object], where: str) -> Resource:
    urn, kind = raw.get("urn"), raw.get("type")
    if not isinstance(urn, str) or not isinstance(kind, str):
        raise BadFactError(f"{where}: lacks urn or type")
    outputs, inputs = mapping(raw.get("outputs"), where), mapping(raw.get("inputs"), where)
    merged = {**outputs, **{key: value for key, value in inputs.items() if value is not None}}
    properties = {key: _plain(value, where, 0) for key, value in merged.items() if not key.startswith("__")}
    return Resource(kind, urn.rpartition("::")[2], str(raw.get("id") or ""), properties, urn)


def _plain(value: object, where: str, depth: int) -> object:
    """Secrets become opaque, whether they are encrypted or in clear."""
    if depth > _MOST_DEPTH:
        raise BadFactError(f"{where}: nested deeper than {_MOST_DEPTH}")
    if isinstance(value, Mapping):
        inside = mapping(value, where)  # pyright: ignore[reportUnknownArgumentType]
        if _SIGNATURE in inside:
            return _OPAQUE
        return {key: _plain(one, where, depth + 1) for key, one in inside.items()}
    if isinstance(value, list):
        return [_plain(one, where, depth + 1) for one in items(value, where)]  # pyright: ignore[reportUnknownArgumentType]
    return value
