"""Which labels a selector takes: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/"""

from collections.abc import Mapping

from sequester.proof.facts import BadFactError, items, mapping, text


def selects(selector: Mapping[str, object], labels: Mapping[str, str]) -> bool:
    return all(_holds(operator, labels.get(key), values) for key, operator, values in requirements(selector))


def requirements(selector: Mapping[str, object]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Each as (key, operator, values). Raises BadFactError for an operator that there is none of."""
    out: list[tuple[str, str, tuple[str, ...]]] = [
        (key, "In", (str(value),)) for key, value in mapping(selector.get("matchLabels"), "matchLabels").items()
    ]
    for raw in items(selector.get("matchExpressions"), "matchExpressions"):
        one = mapping(raw, "matchExpressions")
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
