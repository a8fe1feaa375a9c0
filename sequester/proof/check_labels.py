"""The checker's labels: pods are tried one by one, each with another labelling, against the selectors of policies."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import cast

from sequester.proof.check_lookup import Facts, RefusedError

# More labellings than this are not tried: the certificate is refused.
_MOST = 50_000


def some_pod_is_free(selectors: Sequence[Facts]) -> bool:
    """Whether a pod with some labels is taken by none of the selectors."""
    if any(not _asked(one) for one in selectors):
        return False
    return any(not any(_takes(one, labels) for one in selectors) for labels in _labellings(selectors))


def takes_some_pod(selector: Facts) -> bool:
    return any(_takes(selector, labels) for labels in _labellings([selector]))


def _labellings(selectors: Sequence[Facts]) -> Iterator[dict[str, str]]:
    """Each label that is spoken of left out, with each value that is spoken of, and with a longer one."""
    spoken: dict[str, set[str]] = {}
    for one in selectors:
        for key, _, values in _asked(one):
            spoken.setdefault(key, set()).update(values)
    choices = [[(key, None), *((key, v) for v in (*values, "z" + "".join(values)))] for key, values in spoken.items()]
    total = 1
    for those in choices:
        total *= len(those)
    if total > _MOST:
        raise RefusedError(f"{len(selectors)} pod selectors over {len(spoken)} labels are too many to try")
    for pairs in product(*choices):
        yield {key: value for key, value in pairs if value is not None}


def _asked(selector: Facts) -> list[tuple[str, str, list[str]]]:
    labels = cast("Facts", selector.get("matchLabels") or {})
    return [
        *((key, "In", [str(value)]) for key, value in labels.items()),
        *(
            (one["key"], one["operator"], list(one.get("values") or ()))
            for one in selector.get("matchExpressions") or ()
        ),
    ]


def _takes(selector: Facts, labels: dict[str, str]) -> bool:
    for key, operator, values in _asked(selector):
        there = key in labels
        fits = {"In": there and labels[key] in values, "NotIn": not there or labels[key] not in values,
                "Exists": there, "DoesNotExist": not there}  # fmt: skip
        if not fits[operator]:
            return False
    return True
