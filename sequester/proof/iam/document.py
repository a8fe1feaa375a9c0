"""Policy documents as statements. What is not understood raises BadFactError: it is never skipped."""

from collections.abc import Mapping
from dataclasses import dataclass

from sequester.proof.facts import BadFactError, items, mapping, text, texts

_KEYS = {
    "Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key. `key` is in lower case: AWS's are not case-sensitive."""

    operator: str
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """`actions` are in lower case. `but_actions` / `but_resources`: NotAction and NotResource (all but these)."""

    name: str
    allow: bool
    actions: tuple[str, ...]
    but_actions: tuple[str, ...] | None
    resources: tuple[str, ...]
    but_resources: tuple[str, ...] | None
    principals: tuple[str, ...] | None
    """Names, ``*`` for anyone; None where the document has no principals (identity policies)."""
    conditions: tuple[Condition, ...]


def statements(document: Mapping[str, object], where: str) -> tuple[Statement, ...]:
    raw = document.get("Statement")
    single = isinstance(raw, Mapping)
    listed = [mapping(document.get("Statement"), where)] if single else items(raw, f"{where}: Statement")
    if not listed:
        raise BadFactError(f"{where}: a policy without statements")
    return tuple(_statement(mapping(one, where), f"{where}[{i}]") for i, one in enumerate(listed))


def _statement(raw: Mapping[str, object], where: str) -> Statement:
    strange = set(raw) - _KEYS
    if strange:
        raise BadFactError(f"{where}: {', '.join(sorted(strange))} is no element of a statement")
    effect = raw.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise BadFactError(f"{where}: Effect {effect!r} is neither Allow nor Deny")
    name = f"{where} {raw['Sid']}" if raw.get("Sid") else where
    if "NotPrincipal" in raw:
        raise BadFactError(f"{where}: NotPrincipal is not modelled: name principals, or use a condition")
    if ("Action" in raw) == ("NotAction" in raw):
        raise BadFactError(f"{where}: a statement has either Action or NotAction")
    variables = [r for r in (*texts(raw.get("Resource"), where), *texts(raw.get("NotResource"), where)) if "${" in r]
    but = raw.get("NotAction")
    but_resource = raw.get("NotResource")
    return Statement(
        name,
        effect == "Allow",
        tuple(a.lower() for a in texts(raw.get("Action"), where)) if but is None else ("*",),
        None if but is None else tuple(a.lower() for a in texts(but, where)),
        tuple(_opened(r) for r in texts(raw.get("Resource"), where)) if but_resource is None else ("*",),
        # A variable in NotResource excludes less than it seems: only what is certain is excluded.
        None if but_resource is None else tuple(r for r in texts(but_resource, where) if r not in variables),
        _principals(raw.get("Principal"), where) if "Principal" in raw else None,
        _conditions(raw.get("Condition"), where),
    )


def _opened(resource: str) -> str:
    """A policy variable may stand for any text."""
    out, rest = "", resource
    while "${" in rest:
        before, _, rest = rest.partition("${")
        inside, _, rest = rest.partition("}")
        out += before + (inside if inside in ("*", "?", "$") else "*")
    return out + rest


def _principals(raw: object, where: str) -> tuple[str, ...]:
    if isinstance(raw, str):
        return (raw,)
    return tuple(name for kind, names in mapping(raw, where).items() for name in _named(kind, texts(names, where)))


def _named(kind: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return names if kind == "AWS" else tuple(f"{kind}:{name}" for name in names)


def _conditions(raw: object, where: str) -> tuple[Condition, ...]:
    found: list[Condition] = []
    for operator, keys in mapping(raw, f"{where}: Condition").items():
        for key, values in mapping(keys, f"{where}: Condition {operator}").items():
            said = (values,) if isinstance(values, str | bool | int | float) else items(values, where)
            if not said:
                raise BadFactError(f"{where}: condition {operator} {key} has no value")
            found.append(Condition(text(operator, where), key.lower(), tuple(_value(v) for v in said)))
    return tuple(found)


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
