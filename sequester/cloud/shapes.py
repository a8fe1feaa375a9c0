"""Translation between Pulumi's camelCase properties and AWS's parameters, driven by botocore's own shapes.

Most names differ in case or number only, and most values in wrapping only (a tag map against a list of pairs, a flag
against `{"Value": flag}`, a list against `{"Quantity", "Items"}`): the shape says what AWS wants. A table of kinds
names only what is left.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import cast

from botocore.model import ListShape, MapShape, Shape, StructureShape

from sequester.cloud.wire import Asset, Plain, Props


class UnmappedError(ValueError):
    """A property for which the AWS call has no parameter: the table of kinds has a hole."""


def fold(name: str) -> str:
    """A name without case, punctuation and plural: `subnetIds`, `SubnetId` and `subnet_ids` are one."""
    flat = re.sub(r"[^a-z0-9]", "", name.lower())
    if flat.endswith("ies"):
        return flat[:-3] + "y"
    return flat[:-1] if flat.endswith("s") and not flat.endswith("ss") else flat


def member(shape: StructureShape, name: str) -> str | None:
    """The shape's member that a property of this name means, or None."""
    exact = [m for m in shape.members if m.lower() == name.lower()]
    alike = exact or [m for m in shape.members if fold(m) == fold(name)]
    return alike[0] if alike else None


def parameters(shape: Shape, value: Plain, names: Mapping[str, str], path: str = "") -> Plain:
    """`value` as the shape wants it. `names` maps a dotted property path to a dotted member path."""
    match shape:
        case StructureShape():
            return _structure(shape, value, names, path)
        case ListShape():
            return [parameters(shape.member, item, names, path) for item in _items(shape.member, value)]
        case MapShape():
            return {k: parameters(shape.value, v, names, path) for k, v in cast(Props, value).items()}
        case _:
            return _scalar(shape.type_name, value)


def _structure(shape: StructureShape, value: Plain, names: Mapping[str, str], path: str) -> Props:
    if "Quantity" in shape.members and not (isinstance(value, dict) and "quantity" in cast(Props, value)):
        alone: Plain = [cast(Plain, value)]
        items = cast(Plain, value) if isinstance(value, list) else cast(Props, value).get("items", alone)
        listed = parameters(shape.members["Items"], items, names, path)
        return {"Quantity": len(cast(list[Plain], listed)), "Items": listed}
    if isinstance(value, list):
        value = cast(list[Plain], value)[0] if value else {}
    if not isinstance(value, dict):
        if "Value" not in shape.members:
            raise UnmappedError(f"{path}: {value!r} where AWS wants {', '.join(shape.members)}")
        value = {"value": value}
    found: Props = {}
    for key, item in cast(Props, value).items():
        if item is None:
            continue
        here = f"{path}.{key}" if path else key
        target = names.get(here) or member(shape, key)
        if target is None:
            raise UnmappedError(f"{here}: AWS has no such parameter among {', '.join(shape.members)}")
        if target:
            place(found, shape, target, item, names, here)
    return found


def place(found: Props, shape: StructureShape, target: str, item: Plain, names: Mapping[str, str], path: str) -> None:
    """Put one property where the dotted `target` leads, making what lies between (a list holds one element)."""
    first, _, rest = target.partition(".")
    inner = shape.members[first]
    if not rest:
        found[first] = parameters(inner, item, names, path)
    elif isinstance(inner, ListShape):
        within = cast(list[Props], found.setdefault(first, [Props()]))
        place(within[0], cast(StructureShape, inner.member), rest, item, names, path)
    else:
        place(cast(Props, found.setdefault(first, {})), cast(StructureShape, inner), rest, item, names, path)


def _items(shape: Shape, value: Plain) -> Iterable[Plain]:
    if isinstance(value, list):
        return cast(list[Plain], value)
    pairs = {m.lower() for m in shape.members} if isinstance(shape, StructureShape) else set[str]()
    if isinstance(value, dict) and {"key", "value"} <= pairs:
        return [{"key": k, "value": v} for k, v in cast(Props, value).items()]
    if isinstance(value, dict) and pairs == {"name", "value"} and not pairs >= value.keys():  # an alarm's dimensions
        return [{"name": k, "value": v} for k, v in cast(Props, value).items()]
    return [cast(Plain, value)]


def _scalar(kind: str, value: Plain) -> Plain:
    match kind, value:
        case _, Asset():
            return value.content()
        case "blob", str():
            return value.encode()
        case "string", bool():
            return str(value).lower()
        case "string", int() | float():
            return str(value)
        case "boolean", "true" | "false":
            return value == "true"
        case "integer" | "long", str() if value.lstrip("-").isdigit():
            return int(value)
        case _:
            return value


def flat(shape: Shape) -> bool:
    """Whether values of a shape are scalars or lists of scalars: nested ones often differ from the SDK's types."""
    inner = shape.member if isinstance(shape, ListShape) else shape
    return not isinstance(inner, StructureShape | ListShape | MapShape)


def _flat_value(value: object) -> bool:
    parts = cast(list[object], value) if isinstance(value, list) else [value]
    return not any(isinstance(part, dict | list) for part in parts)


def outputs(thing: Mapping[str, object], wanted: Iterable[str]) -> Props:
    """What an answer of AWS says about the wanted properties: the flat ones, and tags."""
    exact = {key.lower(): key for key in thing}
    alike = {fold(key): key for key in thing}
    found: Props = {}
    for name in wanted:
        key = exact.get(name.lower()) or alike.get(fold(name))
        if key is None or thing[key] is None:
            continue
        if name in ("tags", "tagsAll"):
            found[name] = tag_map(thing[key])
        elif _flat_value(thing[key]):
            found[name] = plain(thing[key])
    return found


def plain(value: object) -> Plain:
    """A value of boto3's as Pulumi writes it: camelCase keys, ISO dates, base64 bytes."""
    match value:
        case dict():
            items = cast(dict[str, object], value)
            return {camel(k): plain(v) for k, v in items.items() if k != "ResponseMetadata"}
        case list() | tuple():
            return [plain(item) for item in cast(list[object], value)]
        case datetime():
            return value.isoformat()
        case bytes():
            return b64encode(value).decode()
        case _:
            return value


def tag_map(tags: object) -> dict[str, str]:
    """Tags as a map, from a map or from a list of pairs in either spelling (EC2's Key, KMS's TagKey, ECS's key)."""
    if isinstance(tags, dict):
        return cast(dict[str, str], tags)
    pairs = [{k.lower().removeprefix("tag"): v for k, v in pair.items()} for pair in cast(list[dict[str, str]], tags)]
    return {pair["key"]: pair["value"] for pair in pairs if not pair["key"].startswith("aws:")}


def camel(name: str) -> str:
    """`VpcId` is vpcId, `ARN` is arn, `DNSName` is dnsName."""
    return re.sub(r"^[A-Z]+(?=[A-Z][a-z])|^[A-Z]+$|^[A-Z]", lambda m: m.group().lower(), name)


def same_document(one: Plain, other: Plain) -> bool:
    """Whether two values are equal, JSON documents by what they say rather than how they are written."""
    if one == other:
        return True
    if not (isinstance(one, str) and isinstance(other, str) and one[:1] == other[:1] and one[:1] in "{["):
        return False
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


_HOLE = re.compile(r"\{(\w+)(\?)?\}")


def fill(template: object, state: Mapping[str, Plain]) -> Plain:
    """A template with `{property}` replaced by the state's; one that is a single property keeps its type.

    `{property?}` is empty where the state has none; a plain one that is missing is an error.
    """
    match template:
        case str():
            if template.startswith("{") and template.endswith("}") and template.count("{") == 1:
                return state.get(template[1:-1])
            return _HOLE.sub(lambda m: str(state.get(m[1], "") if m[2] else state[m[1]]), template)
        case list():
            return [fill(item, state) for item in cast(list[object], template)]
        case dict() | Mapping():
            filled = {k: fill(v, state) for k, v in cast(Mapping[str, object], template).items()}
            return {k: v for k, v in filled.items() if v is not None}
        case _:
            return template
