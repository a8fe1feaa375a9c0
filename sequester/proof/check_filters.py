"""The checker's reading of CloudWatch filter patterns, apart from the prover's: whether one line is counted.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html. A pattern is evaluated while it is
read, against one line. What is not understood counts nothing.
"""

# Lines are parsed JSON: their parts are looked up, never trusted to be there.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import json
import re
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Any

_WORDS = re.compile(
    r"""\s*(\$(?:\.?\[(?:\d+|'[^']*'|"[^"]*")\]|\.[\w-]+)+|"(?:[^"\\]|\\.)*"|%[^%]+%|&&|\|\||[!<>]=|[=<>()]|[^\s"%()&|=<>!,]+)"""
)
_STEPS = re.compile(r"""\[(\d+)\]|\['([^']*)'\]|\["([^"]*)"\]|\.([\w-]+)""")
_FIELDS = re.compile(r'"((?:[^"\\]|\\.)*)"|\[([^\]]*)\]|(\S+)')
_TERMS = re.compile(r'([?-]?)("(?:[^"\\]|\\.)*"|%[^%]+%|\S+)')
_NOTHING = object()

Look = Callable[[str], Any]


def counts(pattern: str, line: str) -> bool:
    """Whether a metric filter with this pattern counts this line."""
    bare = pattern.strip()
    try:
        if bare[:1] == "{" and bare[-1:] == "}":
            record = json.loads(line)
            return isinstance(record, dict) and _holds(bare[1:-1], lambda path: _at(record, path))
        if bare[:1] == "[" and bare[-1:] == "]":
            return _spaced(re.split(r',(?=(?:[^"]*"[^"]*")*[^"]*$)', bare[1:-1]), line)
        return _terms(bare, line)
    except (ValueError, IndexError, re.error):
        return False


def _at(record: Any, path: str) -> Any:
    for number, single, double, name in _STEPS.findall(path):
        key = int(number) if number else single or double or name
        if isinstance(key, int):
            record = record[key] if isinstance(record, list) and key < len(record) else _NOTHING
        else:
            record = record.get(key, _NOTHING) if isinstance(record, dict) else _NOTHING
    return record


@lru_cache(maxsize=1024)
def _words(text: str) -> tuple[str, ...]:
    words: list[str] = []
    at = 0
    while text[at:].strip():
        found = _WORDS.match(text, at)
        if not found:
            raise ValueError(text)
        words.append(found[1])
        at = found.end()
    return tuple(words)


def _holds(text: str, look: Look) -> bool:
    words = deque(_words(text))
    held = _either(words, look)
    if words:
        raise ValueError(words[0])
    return held


def _either(words: "deque[str]", look: Look) -> bool:
    held = _both(words, look)
    while words and words[0] == "||":
        words.popleft()
        held = _both(words, look) or held
    return held


def _both(words: "deque[str]", look: Look) -> bool:
    held = _one(words, look)
    while words and words[0] == "&&":
        words.popleft()
        held = _one(words, look) and held
    return held


def _one(words: "deque[str]", look: Look) -> bool:
    first = words.popleft()
    if first == "(":
        held = _either(words, look)
        if words.popleft() != ")":
            raise ValueError("a parenthesis is not closed")
        return held
    found, operator = look(first), words.popleft()
    if operator in ("IS", "NOT"):
        tests = {"IS NULL": None, "IS TRUE": True, "IS FALSE": False, "NOT EXISTS": _NOTHING}
        return found is tests[f"{operator} {words.popleft()}"]
    return _compares(found, operator, words.popleft())


def _compares(found: Any, operator: str, wanted: str) -> bool:
    if found is _NOTHING or found is None or isinstance(found, bool | dict | list):
        return False
    left, right = _number(found), _number(wanted)
    if left is not None and right is not None:
        return {
            "=": left == right, "!=": left != right, "<": left < right, ">": left > right, "<=": left <= right,
            ">=": left >= right,
        }[operator]  # fmt: skip
    if operator not in ("=", "!="):
        return False
    return _matches(wanted, str(found)) is (operator == "=")


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _matches(wanted: str, text: str) -> bool:
    if wanted[0] == "%":
        return re.search(wanted[1:-1], text) is not None
    plain = re.sub(r"\\(.)", r"\1", wanted[1:-1]) if wanted[0] == '"' else wanted
    return re.fullmatch(".*".join(map(re.escape, plain.split("*"))), text, re.DOTALL) is not None


def _spaced(fields: list[str], line: str) -> bool:
    """``[a, b = value, ...]``: one field each; an ellipsis stands for any number of them."""
    values = ["".join(parts) for parts in _FIELDS.findall(line)]
    wanted = [field.strip() for field in fields]
    if "..." in wanted:
        at = wanted.index("...")
        wanted[at : at + 1] = ["any"] * (len(values) - len(wanted) + 1)
    if len(wanted) != len(values):
        return False
    return all(
        re.fullmatch(r"[\w-]+", field) is not None or _holds(field, lambda _, value=value: value)
        for field, value in zip(wanted, values, strict=True)
    )


def _terms(text: str, line: str) -> bool:
    """Each plain term, no term with a minus; of those with a question mark one, if there are no plain ones."""
    said: dict[str, list[bool]] = {"": [], "?": [], "-": []}
    for sign, term in _TERMS.findall(text):
        inner = term[1:-1] if term[0] in '"%' else term
        said[sign].append(re.search(inner, line) is not None if term[0] == "%" else inner in line)
    return all(said[""]) and not any(said["-"]) and (bool(said[""]) or not said["?"] or any(said["?"]))
