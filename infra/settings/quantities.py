"""Kubernetes resource quantities: how much CPU (cores) and memory (bytes) a text such as `500m` or `2Gi` stands for."""

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/, without exponents.
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|Ki|Mi|Gi|Ti|k|M|G|T)?\Z")
_FACTOR = {
    None: Decimal(1),
    "m": Decimal(1) / 1000,
    **{prefix: Decimal(1000) ** power for power, prefix in enumerate("kMGT", start=1)},
    **{f"{prefix}i": Decimal(1024) ** power for power, prefix in enumerate("KMGT", start=1)},
}


def amount(quantity: str) -> Decimal:
    """The number that a quantity stands for; ValueError with the mend if it is none."""
    match = _QUANTITY.match(quantity)
    if match is None:
        raise ValueError(f"{quantity!r} is no quantity: write it as 2, 500m, 512Mi or 4Gi")
    return Decimal(match[1]) * _FACTOR[match[2]]


def _positive(quantity: str) -> str:
    if amount(quantity) <= 0:
        raise ValueError(f"{quantity!r} is nothing: write an amount above zero")
    return quantity


def _cores(quantity: str) -> str:
    if quantity.endswith(("i", "k", "M", "G", "T")):
        raise ValueError(f"{quantity!r} is no amount of CPU: write cores, as 2 or 500m")
    return quantity


def _bytes(quantity: str) -> str:
    if quantity.endswith("m"):
        raise ValueError(f"{quantity!r} is no amount of bytes: write it as 512Mi or 4Gi")
    return quantity


Cores = Annotated[str, AfterValidator(_positive), AfterValidator(_cores)]
Bytes = Annotated[str, AfterValidator(_positive), AfterValidator(_bytes)]


def times(quantity: str, count: int) -> str:
    """`count` times a quantity, in the same unit: times("500m", 3) == "1500m"."""
    match = _QUANTITY.match(quantity)
    if match is None:
        raise ValueError(f"{quantity!r} is no quantity: write it as 2, 500m, 512Mi or 4Gi")
    return f"{(Decimal(match[1]) * count).normalize():f}{match[2] or ''}"
