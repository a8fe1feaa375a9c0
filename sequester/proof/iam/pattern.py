"""Wildcard patterns of policies (`*` any text, `?` one character), compared exactly as sets of texts.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

import re
from collections.abc import Iterable
from functools import lru_cache

# Inclusion builds sets of positions; runs of `?` can make them many. Past this the claim is Unknown.
_MOST_STATES = 20_000
_OTHER = "\0"


class TooHardError(ValueError):
    """The patterns are too tangled to compare within bounds."""


@lru_cache(maxsize=65536)
def intersects(left: str, right: str) -> bool:
    """Whether some text matches both."""
    seen: set[tuple[int, int]] = set()
    todo = [(0, 0)]
    while todo:
        i, j = todo.pop()
        if (i, j) in seen:
            continue
        seen.add((i, j))
        a, b = left[i : i + 1], right[j : j + 1]
        if not a and not b:
            return True
        if a == "*":
            todo.append((i + 1, j))
            if b and b != "*":
                todo.append((i, j + 1))
        if b == "*":
            todo.append((i, j + 1))
            if a and a != "*":
                todo.append((i + 1, j))
        if a and b and "*" not in (a, b) and (a == b or "?" in (a, b)):
            todo.append((i + 1, j + 1))
    return False


def includes(outer: Iterable[str], inner: str) -> bool:
    """Whether every text of `inner` matches one of `outer`. Raises TooHardError past a bound on states."""
    those = tuple(sorted(set(outer)))
    # One pattern alone mostly decides, and cheaply; only a union of several needs the whole construction.
    return any(_includes((one,), inner) for one in those) or (len(those) > 1 and _includes(_near(those, inner), inner))


def _near(patterns: tuple[str, ...], inner: str) -> tuple[str, ...]:
    """Patterns that share no text with `inner` do not help to cover it."""
    return tuple(one for one in patterns if intersects(one, inner))


@lru_cache(maxsize=65536)
def _includes(outer: tuple[str, ...], inner: str) -> bool:
    if not outer:
        return False
    if inner in outer or "*" in outer:
        return True
    # Two texts of the inner pattern refute most inclusions at once.
    for text in (inner.replace("*", "").replace("?", _OTHER), inner.replace("*", _OTHER).replace("?", _OTHER)):
        if not any(_regex(one).fullmatch(text) for one in outer):
            return False
    alphabet = {c for text in (*outer, inner) for c in text if c not in "*?"} | {_OTHER}
    start = (_skip_inner(inner, 0), _closed(outer, {(k, 0) for k in range(len(outer))}))
    seen = {start}
    todo = [start]
    while todo:
        at, those = todo.pop()
        if any(i == len(inner) for i in at) and not any(i == len(outer[k]) for k, i in those):
            return False
        for letter in alphabet:
            following = frozenset(step for i in at for step in _after(inner, i, letter))
            if not following:
                continue
            reached = _closed(outer, {(k, step) for k, i in those for step in _after(outer[k], i, letter)})
            state = (following, reached)
            if state not in seen:
                seen.add(state)
                if len(seen) > _MOST_STATES:
                    raise TooHardError(f"whether {inner!r} is within {', '.join(outer[:3])} takes too many states")
                todo.append(state)
    return True


@lru_cache(maxsize=65536)
def _regex(pattern: str) -> re.Pattern[str]:
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.compile("".join(parts), re.DOTALL)


def _after(pattern: str, i: int, letter: str) -> frozenset[int]:
    """Positions after one letter, stars skipped."""
    at = pattern[i : i + 1]
    if at == "*":
        return _skip_inner(pattern, i)
    return _skip_inner(pattern, i + 1) if at and at in ("?", letter) else frozenset()


def _skip_inner(pattern: str, i: int) -> frozenset[int]:
    found = {i}
    while pattern[i : i + 1] == "*":
        i += 1
        found.add(i)
    return frozenset(found)


def _closed(patterns: tuple[str, ...], those: set[tuple[int, int]]) -> frozenset[tuple[int, int]]:
    return frozenset((k, step) for k, i in those for step in _skip_inner(patterns[k], i))
