"""A model from a preview: what does not exist yet has no id, so relations are followed by dependency, or left open.

An unknown is resolved only in a slot that holds an id (the table below), from the dependencies that the engine gives
for that property: as many unknown elements as candidates of the slot's types. Each resolution is an assumption that
the certificate lists, and that the pack proves again at the end of `up`, on real values.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sequester.marks import UNKNOWN
from sequester.proof.facts import items, mapping
from sequester.proof.model import Gap, Model
from sequester.proof.selector import Selector
from sequester.sources.owner import owner_of, provider_places
from sequester.sources.resource import Resource
from sequester.sources.slots import ARNS, COMPUTED, DERIVED, READ_WHOLE, SLOTS, UNASKED, targets, written
from sequester.sources.stack import model_of
from sequester.sources.types import EVERY_CLAIM

_STACK = "pulumi:pulumi:Stack"
_PROVIDER = "pulumi:providers:aws"
_KEY = "aws:kms/key:Key"
_TEMPLATES = frozenset({"launchTemplate", "launchTemplateSpecification"})
# It names an endpoint's id, which is not known before: who may call a door is E7's matter alone.
_DOOR_POLICY = "aws:lambda/resourcePolicy:ResourcePolicy"
# A text may hold an id that is not made yet as `<Type>`: it is that of the one such resource the property depends on.
_IN_TEXT = re.compile(r"<([A-Z][A-Za-z]+)>")


@dataclass(frozen=True)
class Planned:
    """One resource of a preview. Unknown values are `UNKNOWN`; an empty id means that it does not exist yet."""

    urn: str
    type: str
    name: str
    id: str
    properties: Mapping[str, object]
    dependencies: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """For each top-level property, the URNs whose outputs are in it."""
    component: bool = False
    provider: str = ""
    """The URN of the provider that will make it."""
    place: tuple[str, str] = ("", "")
    """Account and region, for the ARN that it will have."""

    @property
    def text(self) -> Mapping[str, object]:
        return {"path": "/", **self.properties, "account": self.place[0], "region": self.place[1]}


def id_in_arn(arn: object) -> str:
    """The id that EC2 and Resolver put at the end of an ARN: the engine tells a stack policy no ids."""
    parts = arn.split(":") if isinstance(arn, str) else []
    return parts[-1].rpartition("/")[2] if len(parts) == 6 and parts[2] in ("ec2", "route53resolver") else ""


def asked(kind: str, inputs: Mapping[str, object], outputs: Mapping[str, object]) -> dict[str, object]:
    """One resource's properties, without the outputs that are not known yet and that nobody asked for.

    An unknown input is kept, whatever its name.
    """
    chosen = UNASKED.get(kind, {})

    def is_none(key: str) -> bool:
        if kind in READ_WHOLE or key in COMPUTED:
            return True
        return key in chosen and not any(inputs.get(ask) for ask in chosen[key])

    return {**{key: value for key, value in outputs.items() if value != UNKNOWN or not is_none(key)}, **inputs}


def _placed(planned: Sequence[Planned], account: str, region: str) -> list[Planned]:
    """Each with the account and region that its provider is held to: nothing that is made yet could tell."""
    those = [Resource(one.type, one.name, one.id, one.properties, one.urn) for one in planned if one.type == _PROVIDER]
    owned = owner_of(those, Selector(), account=account, region=region)
    told = provider_places(those)
    found: list[Planned] = []
    for one in planned:
        its_account, its_region = told.get(one.provider, ("", ""))
        found.append(replace(one, place=(its_account or owned.account, its_region or owned.region)))
    return found


def preview_model(
    planned: Sequence[Planned], selector: Selector | None = None, *, account: str = "", region: str = ""
) -> Model:
    """Names and policies are known in a preview; whatever else is not, and is not an id, is a gap by name."""
    planned = _placed(planned, account, region)
    by_urn = {one.urn: one for one in planned}
    gaps: list[Gap] = []
    assumptions: list[str] = []
    if any(_unknown(one.properties) for one in planned):
        assumptions.append("what AWS fills in where nothing was asked for stays empty, and is read at the end of `up`")
    found: list[Resource] = []
    for one in planned:
        if one.type == _STACK:
            continue
        properties: dict[str, object] = {}
        unknown: set[str] = set()
        for key, value in one.properties.items():
            candidates = [by_urn[urn] for urn in _sources(one, key) if urn in by_urn]
            resolved = _resolve(one, (key,), value, candidates, assumptions)
            if not _unknown(resolved):
                properties[key] = resolved
            elif key == "environment" and not (selector or Selector()).is_door(
                one.name, str(one.properties.get("name"))
            ):
                properties[key] = {}  # what a function is told is asked of doors alone, as the model has it
            else:
                unknown.add(key)
        if not {"arn"} & (properties.keys() | unknown):
            properties |= _arn(one)
        if (unknown and one.type in READ_WHOLE) or (one.type.startswith("kubernetes:") and not one.component):
            gaps += [
                Gap(EVERY_CLAIM, f"{one.name}.{key} is not known before the deployment") for key in sorted(unknown)
            ]
        if one.type == _DOOR_POLICY and "policy" in unknown:
            gaps.append(Gap(frozenset({"E7"}), f"{one.name}.policy is not known before the deployment"))
            continue
        key = "" if one.component else one.id or one.urn
        found.append(
            Resource(
                one.type,
                one.name,
                key,
                properties,
                one.urn,
                component=one.component,
                provider=one.provider,
                unknown=frozenset(unknown),
            )
        )
    owned = owner_of(found, selector or Selector(), account=account, region=region)
    return model_of(
        owned.resources, selector, account=owned.account, region=owned.region, gaps=[*gaps, *owned.gaps],
        assumptions=[*assumptions, *owned.assumptions],
    )  # fmt: skip


def _sources(one: Planned, key: str) -> Sequence[str]:
    """What a property is made from. The VPC of a default table or ACL is the one whose default it is."""
    if key == "vpcId" and not one.dependencies.get(key):
        return next((one.dependencies[slot] for slot in DERIVED if one.dependencies.get(slot)), ())
    return one.dependencies.get(key, ())


def _resolve(
    one: Planned, path: tuple[str, ...], value: object, candidates: list[Planned], assumptions: list[str]
) -> object:
    if isinstance(value, Mapping):
        inner = mapping(value, one.name)  # pyright: ignore[reportUnknownArgumentType]
        if path[-1] in _TEMPLATES and inner.get("version") == UNKNOWN:
            assumptions.append(f"{one.name}.{path[-1]} is of the version that is planned")
        return {
            key: _resolve(one, (*path, key), item, candidates, assumptions)
            for key, item in inner.items()
            if not (item == UNKNOWN and key == "version" and path[-1] in _TEMPLATES)
        }
    if isinstance(value, list | tuple):
        elements = list(items(value, one.name))  # pyright: ignore[reportUnknownArgumentType]
        holes = [i for i, item in enumerate(elements) if item == UNKNOWN]
        fits = _fitting(one, path[-1], candidates)
        if holes and len(holes) == len(fits):
            for i, fit in zip(holes, fits, strict=True):
                elements[i] = _named_by(one, path[-1], fit)
            assumptions.append(
                f"{one.name}.{path[-1]} names {', '.join(f.name for f in fits)}, as its dependencies say"
            )
        _fill(one, path, elements, candidates, assumptions)
        return [_resolve(one, path, item, candidates, assumptions) for item in elements]
    if value == UNKNOWN:
        fits = _fitting(one, path[-1], candidates)
        if len(fits) == 1:
            assumptions.append(f"{one.name}.{path[-1]} is {fits[0].name}, as its dependencies say")
            return _named_by(one, path[-1], fits[0])
        if path[-1] in DERIVED and len(candidates) == 1:
            stands_for = (
                candidates[0].properties.get("serviceName") if path[-1] == "prefixListId" else candidates[0].urn
            )
            assumptions.append(f"{one.name}.{path[-1]} is that of {candidates[0].name}")
            return DERIVED[path[-1]].format(stands_for)
    if isinstance(value, str):
        return _text(one, path[-1], value, candidates, assumptions)
    return value


def _text(one: Planned, slot: str, text: str, candidates: list[Planned], assumptions: list[str]) -> str:
    for kind in dict.fromkeys(_IN_TEXT.findall(text)):
        fits = [c for c in candidates if c.type.rpartition(":")[2] == kind]
        if not candidates:
            continue  # nothing of it comes from another resource: it is a text like any other
        if len(fits) != 1:
            return UNKNOWN
        assumptions.append(f"<{kind}> in {one.name}.{slot} is {fits[0].name}, as its dependencies say")
        text = text.replace(f"<{kind}>", fits[0].id or fits[0].urn)
    return text


def _fill(
    one: Planned, path: tuple[str, ...], elements: list[object], candidates: list[Planned], assumptions: list[str]
) -> None:
    """In a list of blocks, the unknowns of one slot: as many as candidates stand for all of them."""
    blocks = [dict(mapping(e, one.name)) if isinstance(e, Mapping) else None for e in elements]  # pyright: ignore[reportUnknownArgumentType]
    for slot in SLOTS:
        holes = [block for block in blocks if block is not None and block.get(slot) == UNKNOWN]
        fits = _fitting(one, slot, candidates)
        if len(holes) > 1 and len(holes) == len(fits):
            for block, fit in zip(holes, fits, strict=True):
                block[slot] = _named_by(one, slot, fit)
            assumptions.append(
                f"{one.name}.{path[-1]} names {', '.join(f.name for f in fits)}, as its dependencies say"
            )
    elements[:] = [e if b is None else b for e, b in zip(elements, blocks, strict=True)]


def _fitting(one: Planned, slot: str, candidates: list[Planned]) -> list[Planned]:
    fits = [c for c in candidates if c.type.rpartition(":")[2] in targets(one.type, slot)]
    return [c for c in fits if _named_by(one, slot, c)]


def _named_by(one: Planned, slot: str, fit: Planned) -> str:
    """What stands in a slot for a resource: its id (its URN until it has one), or the name or ARN made of its name."""
    form = written(one.type, slot, fit.type)
    return fit.id or fit.urn if form is None else _filled(form, fit)


def _filled(form: str, one: Planned) -> str:
    """A form with a resource's own properties in it; the empty text where one of them is not known."""
    known = {key: one.text.get(key) for key in re.findall(r"\{(\w+)\}", form)}
    return form.format(**known) if all(isinstance(v, str) and v and v != UNKNOWN for v in known.values()) else ""


def _arn(one: Planned) -> dict[str, object]:
    """The ARN that it will have, where that is known; a key goes by the same name that its users know it by."""
    arn = (one.id or one.urn) if one.type == _KEY else _filled(ARNS.get(one.type, ""), one)
    return {"arn": arn} if arn else {}


def _unknown(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_unknown, mapping(value, "value").values()))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, list | tuple):
        return any(map(_unknown, items(value, "value")))  # pyright: ignore[reportUnknownArgumentType]
    return value == UNKNOWN
