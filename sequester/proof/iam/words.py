"""One text that some wildcard patterns match and others do not: what is left of an Allow when denials are taken away.

Exact: the patterns' positions are followed letter by letter, all at once, so that no text is missed and none invented.
"""

from functools import lru_cache
from typing import TypeAlias

from sequester.proof.iam.pattern import TooHardError

Literal: TypeAlias = tuple[str, bool]
"""A pattern, and whether the text is to match it."""
Clauses: TypeAlias = tuple[tuple[Literal, ...], ...]
"""Of each clause at least one literal must hold."""

PART = "\1"
"""In a pattern: any text without a colon, which is one part of an ARN. (A `*` reaches over colons.)"""

# Past this the claim is Unknown.
_MOST_STATES = 20_000
_OTHER = "\0"
# What stands for a letter that no pattern names, so that a witness can be read.
_FRESH = "xzqjkvwy0123456789"

_Positions: TypeAlias = tuple[frozenset[int], ...]


def any_of(patterns: tuple[str, ...]) -> tuple[Literal, ...]:
    return tuple((one, True) for one in patterns)


def none_of(patterns: tuple[str, ...], but: tuple[str, ...] = ()) -> Clauses:
    """The text matches no pattern, or else one of the exceptions."""
    return tuple(((one, False), *any_of(but)) for one in patterns)


@lru_cache(maxsize=65536)
def word(clauses: Clauses) -> str | None:
    """A shortest text for which every clause holds; None if there is none. Raises TooHardError past a bound."""
    patterns = tuple(dict.fromkeys(pattern for clause in clauses for pattern, _ in clause))
    index = {pattern: i for i, pattern in enumerate(patterns)}
    wanted = tuple(tuple((index[p], yes) for p, yes in clause) for clause in clauses)
    start: _Positions = tuple(_skipped(pattern, 0) for pattern in patterns)
    seen = {start}
    todo = [(start, "")]
    for at, text in todo:
        matched = tuple(len(pattern) in here for pattern, here in zip(patterns, at, strict=True))
        if all(any(matched[i] is yes for i, yes in clause) for clause in wanted):
            return _readable(text, patterns)
        for letter in _letters(patterns, at):
            after = tuple(_stepped(pattern, here, letter) for pattern, here in zip(patterns, at, strict=True))
            # A clause of which nothing can hold any more ends here.
            if after in seen or not all(any(after[i] or not yes for i, yes in clause) for clause in wanted):
                continue
            seen.add(after)
            if len(seen) > _MOST_STATES:
                raise TooHardError(f"what is left between {', '.join(patterns[:3])} takes too many states")
            todo.append((after, text + letter))
    return None


def _letters(patterns: tuple[str, ...], at: _Positions) -> tuple[str, ...]:
    """Letters that some pattern asks for here, and one that none does."""
    asked = {p[i] for p, here in zip(patterns, at, strict=True) for i in here if i < len(p)}
    return (*sorted(asked - {"*", "?", PART} | ({":"} if PART in asked else set())), _OTHER)


@lru_cache(maxsize=262144)
def _stepped(pattern: str, here: frozenset[int], letter: str) -> frozenset[int]:
    found: set[int] = set()
    for i in here:
        sign = pattern[i : i + 1]
        if sign == "*" or (sign == PART and letter != ":"):
            found |= _skipped(pattern, i)
        elif sign and sign in ("?", letter) and sign != PART:
            found |= _skipped(pattern, i + 1)
    return frozenset(found)


def _skipped(pattern: str, i: int) -> frozenset[int]:
    found = {i}
    while pattern[i : i + 1] and pattern[i] in ("*", PART):
        i += 1
        found.add(i)
    return frozenset(found)


def _readable(text: str, patterns: tuple[str, ...]) -> str:
    if _OTHER not in text:
        return text
    used = set("".join(patterns))
    return text.replace(_OTHER, next((c for c in _FRESH if c not in used), "~"))
