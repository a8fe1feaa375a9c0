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
    """`actions` are in lower case. `but_actions` / `but_resources`: NotAction and NotResource (all but these).

    A policy variable may stand for any text: `resources` are what an Allow may mean and what a Deny means for certain,
    `loose` what a Deny may mean besides; `but_resources` are left out for certain, `but_loose` besides, if they fit.
    """

    name: str
    allow: bool
    actions: tuple[str, ...]
    but_actions: tuple[str, ...] | None
    resources: tuple[str, ...]
    but_resources: tuple[str, ...] | None
    principals: tuple[str, ...] | None
    """Names, ``*`` for anyone; None where the document has no principals (identity policies)."""
    conditions: tuple[Condition, ...]
    but_principals: tuple[str, ...] | None = None
    """NotPrincipal: everybody but these."""
    loose: tuple[str, ...] = ()
    but_loose: tuple[str, ...] = ()


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
    if "NotPrincipal" in raw and "Principal" in raw:
        raise BadFactError(f"{where}: a statement has either Principal or NotPrincipal")
    if ("Action" in raw) == ("NotAction" in raw):
        raise BadFactError(f"{where}: a statement has either Action or NotAction")
    but = raw.get("NotAction")
    said = _resources(raw, where)
    left_out = texts(raw.get("NotResource"), where)
    allow = effect == "Allow"
    return Statement(
        name,
        allow,
        tuple(a.lower() for a in texts(raw.get("Action"), where)) if but is None else ("*",),
        None if but is None else tuple(a.lower() for a in texts(but, where)),
        tuple(_opened(r) for r in said if allow or _is_certain(r)),
        tuple(_opened(r) for r in left_out if _is_certain(r)) if "NotResource" in raw else None,
        _principals(raw.get("Principal"), where) if "Principal" in raw else None,
        _conditions(raw.get("Condition"), where),
        _principals(raw.get("NotPrincipal"), where) if "NotPrincipal" in raw else None,
        () if allow else tuple(_opened(r) for r in said if not _is_certain(r)),
        tuple(_opened(r) for r in left_out if not _is_certain(r)),
    )


def _resources(raw: Mapping[str, object], where: str) -> tuple[str, ...]:
    """All but the listed, or, for a policy that hangs on one thing (a role's trust policy), whatever it hangs on."""
    if "NotResource" in raw or ("Resource" not in raw and {"Principal", "NotPrincipal"} & set(raw)):
        return ("*",)
    return texts(raw.get("Resource"), where)


def _is_certain(resource: str) -> bool:
    """Without a policy variable."""
    return "${" not in resource


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
