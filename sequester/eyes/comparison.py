"""One comparison of a filter pattern: a field's value against text with wildcards, a number or a regular expression."""

import math
import re
from dataclasses import dataclass
from enum import Enum

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


class Missing(Enum):
    """That a record has no such field; JSON's null is another matter."""

    MISSING = "missing"


# Alphanumerics, the listed symbols and operators; no groups, no other characters.
_REGEX = re.compile(r"[A-Za-z0-9:_#=@/;,\-^$?\[\]{}|\\*+.]+")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


class PatternError(ValueError):
    """CloudWatch would not take the pattern, or takes it in a way that is not documented."""


def regex(text: str) -> re.Pattern[str]:
    """The body of a ``%...%``, found anywhere in the text unless it is anchored."""
    if not _REGEX.fullmatch(text):
        raise PatternError(f"%{text}%: only letters, digits, :_#=@/;,- and the operators ^$?[]{{}}|\\*+. are allowed")
    try:
        return re.compile(text, re.ASCII)
    except re.error as error:
        raise PatternError(f"%{text}%: {error}") from None


@dataclass(frozen=True)
class Comparison:
    """`operator` one of = != < > <= >=; the right side as a regular expression and, if it is one, as a number."""

    operator: str
    text: re.Pattern[str]
    number: float | None

    @classmethod
    def of(cls, operator: str, kind: str, text: str) -> "Comparison":
        """From the tokens: `kind` is string, regex or word. ``*`` in a string or word stands for any characters."""
        if kind == "regex":
            return cls(operator, regex(text[1:-1]), None)
        plain = re.sub(r"\\(.)", r"\1", text[1:-1]) if kind == "string" else text
        wildcards = ".*".join(re.escape(part) for part in plain.split("*"))
        is_number = kind == "word" and _NUMBER.fullmatch(plain) is not None
        if operator not in ("=", "!=") and not is_number:
            raise PatternError(f"{operator} {text}: only numbers have an order")
        return cls(operator, re.compile(rf"\A{wildcards}\Z", re.DOTALL), float(plain) if is_number else None)


def _number(found: Json) -> float | None:
    if isinstance(found, str):
        return float(found) if _NUMBER.fullmatch(found) else None
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        return float(found)
    except OverflowError:  # JSON knows no largest number
        return math.inf if found > 0 else -math.inf


def compare(found: Json, wanted: Comparison) -> bool:
    """Whether `found` (a string or a number; nothing else ever does) stands in the comparison."""
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return False
    left = _number(found)
    if wanted.number is not None and left is not None:
        return {
            "=": left == wanted.number,
            "!=": left != wanted.number,
            "<": left < wanted.number,
            ">": left > wanted.number,
            "<=": left <= wanted.number,
            ">=": left >= wanted.number,
        }[wanted.operator]
    if wanted.operator not in ("=", "!="):
        return False
    return (wanted.text.search(str(found)) is not None) == (wanted.operator == "=")
