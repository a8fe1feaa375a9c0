"""A model from `pulumi preview --json`: what a deployment would be, before anything of it is made."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from sequester.marks import SIGNATURE, UNKNOWN, UNKNOWNS
from sequester.proof.facts import BadFactError, items, mapping
from sequester.proof.model import Gap, Model
from sequester.proof.selector import Selector
from sequester.sources.owner import provider_urn
from sequester.sources.preview import Planned, asked, preview_model
from sequester.sources.stack import model_of
from sequester.sources.types import EVERY_CLAIM

_GONE = frozenset(
    {"delete", "delete-replaced", "discard", "discard-replaced", "read-discard", "remove-pending-replace"}
)


def plan_file(path: Path, selector: Selector | None = None, *, account: str = "", region: str = "") -> Model:
    """Raises OSError where there is no file; whatever else is wrong with it is a gap in every claim."""
    try:
        planned = read(path.read_bytes().decode("utf-8-sig"))
    except (BadFactError, UnicodeDecodeError) as error:
        said = str(error) if isinstance(error, BadFactError) else "is no UTF-8"
        gap = Gap(EVERY_CLAIM, f"{path.name}: {said}: write it with `pulumi preview --json`")
        return model_of((), selector, account=account, region=region, gaps=[gap])
    return preview_model(planned, selector, account=account, region=region)


def read(raw: str) -> list[Planned]:
    """The resources that will be there. Raises BadFactError for what is no preview."""
    try:
        whole = mapping(json.loads(raw), "preview")
    except (ValueError, RecursionError) as error:
        raise BadFactError("not a JSON document: it may be cut off") from error
    if "steps" not in whole:
        raise BadFactError("holds no steps")
    found: dict[str, Planned] = {}
    for i, one in enumerate(items(whole.get("steps"), "preview.steps")):
        step = mapping(one, f"steps[{i}]")
        state = mapping(step.get("newState"), f"steps[{i}].newState")
        if str(step.get("op")) in _GONE or not state:
            continue
        planned = _planned(state, f"steps[{i}].newState")
        found[planned.urn] = planned
    return list(found.values())


def _planned(state: Mapping[str, object], where: str) -> Planned:
    urn, kind = state.get("urn"), state.get("type")
    if not isinstance(urn, str) or not isinstance(kind, str):
        raise BadFactError(f"{where}: lacks urn or type")
    inputs, outputs = (
        {key: _opaque(value, 0) for key, value in mapping(state.get(part), where).items() if not key.startswith("__")}
        for part in ("inputs", "outputs")
    )
    waits: dict[str, Sequence[str]] = {
        key: tuple(str(one) for one in items(those, where))
        for key, those in mapping(state.get("propertyDependencies"), where).items()
    }
    return Planned(
        urn, kind, urn.rpartition("::")[2], str(state.get("id") or ""),
        asked(kind, inputs, outputs), waits,
        component=state.get("custom") is False, provider=provider_urn(state.get("provider")),
    )  # fmt: skip


def _opaque(value: object, depth: int) -> object:
    """Secrets are opaque here as well, and each mark of an unknown value is the same."""
    if depth > 200:
        raise BadFactError("nested deeper than 200")
    if isinstance(value, Mapping):
        inside = mapping(value, "value")  # pyright: ignore[reportUnknownArgumentType]
        if SIGNATURE in inside:
            return "[secret]"
        return {key: _opaque(one, depth + 1) for key, one in inside.items()}
    if isinstance(value, list):
        return [_opaque(one, depth + 1) for one in items(value, "value")]  # pyright: ignore[reportUnknownArgumentType]
    return UNKNOWN if isinstance(value, str) and value in UNKNOWNS else value
