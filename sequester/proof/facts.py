"""Reading untyped facts: each function returns what it says or raises BadFactError naming the place."""

from collections.abc import Collection, Mapping, Sequence
from typing import cast


class BadFactError(ValueError):
    """A fact that is not of the form its kind has: the claims that need it are Unknown."""


def mapping(value: object, where: str) -> Mapping[str, object]:
    """A mapping with string keys; an absent one is empty."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadFactError(f"{where}: {_shown(value)} is not a mapping")
    return cast("Mapping[str, object]", value)


def only(value: Mapping[str, object], known: Collection[str], where: str) -> Mapping[str, object]:
    """A mapping with no other keys. One more is refused by who is told it, or dropped: then it says something else."""
    strange = next((key for key in value if key not in known), None)
    if strange is not None:
        raise BadFactError(f"{where}.{strange}: is no key: use {', '.join(known)}")
    return value


def items(value: object, where: str) -> Sequence[object]:
    """A list; an absent one is empty."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise BadFactError(f"{where}: {_shown(value)} is not a list")
    return cast("Sequence[object]", value)


def text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise BadFactError(f"{where}: {_shown(value)} is not a text")
    return value


def texts(value: object, where: str) -> tuple[str, ...]:
    """A list of texts, or a single text, as policy documents write it."""
    if isinstance(value, str):
        return (value,)
    return tuple(text(one, where) for one in items(value, where))


def number(value: object, where: str) -> int:
    """An integer: providers write them as integers, floats or digits."""
    if isinstance(value, bool) or value is None:
        raise BadFactError(f"{where}: {_shown(value)} is not a number")
    try:
        exact = float(str(value))
        whole = int(exact)
    except (ValueError, OverflowError) as error:  # infinite ones overflow, and no-numbers are no value
        raise BadFactError(f"{where}: {_shown(value)} is not a number") from error
    if exact != whole:
        raise BadFactError(f"{where}: {_shown(value)} is not a whole number")
    return whole


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
