"""Which labels a selector takes: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/"""

from collections.abc import Iterable, Mapping, Set

from sequester.proof.facts import BadFactError, items, mapping, only, text


def selects(selector: Mapping[str, object], labels: Mapping[str, str]) -> bool:
    return all(_holds(operator, labels.get(key), values) for key, operator, values in requirements(selector))


def told_apart(selectors: Iterable[Mapping[str, object]]) -> dict[str, tuple[str | None, ...]]:
    """For each label that selectors speak of: absent, every value that is spoken of, and one that is not."""
    found: dict[str, set[str]] = {}
    for selector in selectors:
        for key, _, values in requirements(selector):
            found.setdefault(key, set()).update(values)
    return {key: (None, _other(values), *sorted(values)) for key, values in found.items()}


def _other(values: Set[str]) -> str:
    return max(("other", *(f"{value}x" for value in values if value.startswith("other"))), key=len)


def is_possible(selector: Mapping[str, object]) -> bool:
    """Whether it takes any labels at all. What it asks of one key has nothing to do with another."""
    asked = requirements(selector)
    return all(
        any(all(_holds(operator, value, values) for k, operator, values in asked if k == key) for value in choices)
        for key, choices in told_apart([selector]).items()
    )


def requirements(selector: Mapping[str, object]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Each as (key, operator, values). Raises BadFactError for a key or an operator that there is none of."""
    only(selector, ("matchLabels", "matchExpressions"), "label selector")
    out: list[tuple[str, str, tuple[str, ...]]] = [
        (key, "In", (str(value),)) for key, value in mapping(selector.get("matchLabels"), "matchLabels").items()
    ]
    for raw in items(selector.get("matchExpressions"), "matchExpressions"):
        one = only(mapping(raw, "matchExpressions"), ("key", "operator", "values"), "matchExpressions")
        operator = text(one.get("operator"), "operator")
        if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            raise BadFactError(f"label selector: operator {operator} is none of In, NotIn, Exists, DoesNotExist")
        values = tuple(str(v) for v in items(one.get("values"), "values"))
        out.append((text(one.get("key"), "key"), operator, values))
    return out


def _holds(operator: str, value: str | None, values: tuple[str, ...]) -> bool:
    match operator:
        case "In":
            return value is not None and value in values
        case "NotIn":
            return value is None or value not in values
        case "Exists":
            return value is not None
        case _:
            return value is None
