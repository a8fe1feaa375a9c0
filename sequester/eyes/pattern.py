"""CloudWatch Logs filter patterns: which log events a metric filter counts, as AWS documents it.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html has three forms: terms,
JSON ``{ $.field = value }`` and space-delimited ``[a, b = value, ...]``. What it leaves open is refused or counts as no
match: a ``!=`` on a field that is not there, a comparison of a boolean, parentheses in a regular expression.
"""

import json
import re
from dataclasses import dataclass
from typing import Final, Protocol

from sequester.eyes.comparison import Comparison, Json, Missing, PatternError, compare, regex

_LONGEST_PATTERN = 1024
_MOST_REGEXES = 2

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<regex>%[^%]+%)
    | (?P<selector>\$(?:\.?\[(?:\d+|'[^']+'|"[^"]+")\]|\.[\w-]+)+)
    | (?P<and>&&) | (?P<or>\|\|)
    | (?P<operator>!=|<=|>=|=|<|>)
    | (?P<open>\() | (?P<close>\))
    | (?P<test>IS\s+NULL|IS\s+TRUE|IS\s+FALSE|NOT\s+EXISTS)
    | (?P<word>[^\s"%()&|=<>!,]+)
    )""",
    re.VERBOSE,
)
_STEP = re.compile(r"""\.?\[(?:(\d+)|'([^']+)'|"([^"]+)")\]|\.([\w-]+)""")
_FIELD = re.compile(r'"((?:[^"\\]|\\.)*)"|\[([^\]]*)\]|(\S+)')
_COMMA = re.compile(r""",(?=(?:[^"]*"[^"]*")*[^"]*\Z)""")  # outside of quotes
_TERM = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|(%[^%]+%)|(\S+))')

Record = dict[str, Json]
"""What a matched event offers to ``value``: its JSON, or the ``$name`` fields of a delimited event."""


class _Condition(Protocol):
    def holds(self, record: Json) -> bool: ...


@dataclass(frozen=True)
class _All:
    parts: tuple[_Condition, ...]

    def holds(self, record: Json) -> bool:
        return all(part.holds(record) for part in self.parts)


@dataclass(frozen=True)
class _Any:
    parts: tuple[_Condition, ...]

    def holds(self, record: Json) -> bool:
        return any(part.holds(record) for part in self.parts)


@dataclass(frozen=True)
class _Test:
    selector: str
    test: str

    def holds(self, record: Json) -> bool:
        found = select(record, self.selector)
        return {
            "IS NULL": found is None,
            "IS TRUE": found is True,
            "IS FALSE": found is False,
            "NOT EXISTS": found is Missing.MISSING,
        }[self.test]


@dataclass(frozen=True)
class _Compare:
    selector: str
    comparison: Comparison

    def holds(self, record: Json) -> bool:
        found = select(record, self.selector)
        return not isinstance(found, Missing) and compare(found, self.comparison)


def select(record: Json, selector: str) -> Json | Missing:
    """The value at ``$.a.b[0]['c.d']``."""
    found = record
    for index, single, double, name in _STEP.findall(selector):
        key = name or single or double
        if isinstance(found, list) and index and int(index) < len(found):
            found = found[int(index)]
        elif isinstance(found, dict) and not index and key in found:
            found = found[key]
        else:
            return Missing.MISSING
    return found


class _Parser:
    """``||`` over ``&&`` over a comparison or a parenthesis; a comparison names its left side by `subject`."""

    def __init__(self, text: str, subject: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None or match.lastgroup is None:
                raise PatternError(f"{text[position:].strip()!r}: not a part of a filter pattern")
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            position = match.end()
        self._subject = subject
        self._next = 0

    def parse(self) -> _Condition:
        condition = self._any()
        if self._next < len(self._tokens):
            raise PatternError(f"{self._tokens[self._next][1]!r}: stands where && or || should")
        return condition

    def _peek(self) -> str | None:
        return self._tokens[self._next][0] if self._next < len(self._tokens) else None

    def _take(self, *kinds: str) -> str:
        kind, text = self._tokens[self._next] if self._next < len(self._tokens) else ("end", "")
        if kind not in kinds:
            raise PatternError(f"{text or 'the end'!r}: stands where {' or '.join(kinds)} should")
        self._next += 1
        return text

    def _any(self) -> _Condition:
        parts = [self._all()]
        while self._peek() == "or":
            self._next += 1
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else _Any(tuple(parts))

    def _all(self) -> _Condition:
        parts = [self._one()]
        while self._peek() == "and":
            self._next += 1
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else _All(tuple(parts))

    def _one(self) -> _Condition:
        if self._peek() == "open":
            self._next += 1
            inside = self._any()
            self._take("close")
            return inside
        subject = self._take(self._subject)
        if self._peek() == "test":
            return _Test(subject, " ".join(self._take("test").split()))
        operator = self._take("operator")
        kind = self._peek()
        return _Compare(subject, Comparison.of(operator, kind or "end", self._take("string", "regex", "word")))


@dataclass(frozen=True)
class _JsonPattern:
    condition: _Condition

    def match(self, message: str) -> Record | None:
        try:
            record: Json = json.loads(message)
        except (ValueError, RecursionError):  # what is written may be an attacker's
            return None
        return record if isinstance(record, dict) and self.condition.holds(record) else None


@dataclass(frozen=True)
class _Field:
    name: str
    condition: _Condition | None


@dataclass(frozen=True)
class _DelimitedPattern:
    """`fields` before and, where the pattern has an ellipsis, `last` after it."""

    fields: tuple[_Field, ...]
    last: tuple[_Field, ...] | None

    def match(self, message: str) -> Record | None:
        values = ["".join(parts) for parts in _FIELD.findall(message)]
        wanted = len(self.fields) + len(self.last or ())
        if len(values) < wanted or (self.last is None and len(values) > wanted):
            return None
        ends = [*zip(self.fields, values, strict=False)]
        if self.last:
            ends += zip(self.last, values[-len(self.last) :], strict=True)
        record: dict[str, Json] = {f"${field.name}": value for field, value in ends}
        holds = all(field.condition is None or field.condition.holds({field.name: value}) for field, value in ends)
        return record if holds else None


@dataclass(frozen=True)
class _TermsPattern:
    """All of `every`, none of `none`; or one of `some`, which counts only by itself."""

    every: tuple[re.Pattern[str], ...]
    some: tuple[re.Pattern[str], ...]
    none: tuple[re.Pattern[str], ...]

    def match(self, message: str) -> Record | None:
        if any(term.search(message) for term in self.none):
            return None
        if self.some and not self.every and not any(term.search(message) for term in self.some):
            return None
        return {} if all(term.search(message) for term in self.every) else None


def _fields(text: str) -> _DelimitedPattern:
    parts = [part.strip() for part in _COMMA.split(text)]
    if parts.count("...") > 1 or not all(parts):
        raise PatternError(f"[{text}]: a field is empty, or there is more than one ellipsis")
    sides: list[list[_Field]] = [[]]
    for part in parts:
        if part == "...":
            sides.append([])
            continue
        name = re.match(r"[(\s]*([\w-]+)", part)
        if name is None:
            raise PatternError(f"{part!r}: a field begins with its name")
        plain = re.fullmatch(r"[\w-]+", part)
        # A field's condition is a JSON condition on its own name: the same parser reads both.
        dollars = re.sub(rf"(?<![\w$.%*-]){re.escape(name[1])}(?=\s*(?:!=|<=|>=|=|<|>))", f"$.{name[1]}", part)
        sides[-1].append(_Field(name[1], None if plain else _Parser(dollars, "selector").parse()))
    return _DelimitedPattern(tuple(sides[0]), tuple(sides[1]) if len(sides) == 2 else None)


def _terms(text: str) -> _TermsPattern:
    groups: dict[str, list[re.Pattern[str]]] = {"": [], "?": [], "-": []}
    for sign, quoted, expression, word in _TERM.findall(text):
        groups[sign].append(regex(expression[1:-1]) if expression else re.compile(re.escape(quoted or word)))
    return _TermsPattern(tuple(groups[""]), tuple(groups["?"]), tuple(groups["-"]))


class FilterPattern:
    """One pattern, read once.

    >>> FilterPattern("[..., action = REJECT, status]").match("10.0.0.1 443 REJECT OK")
    {'$action': 'REJECT', '$status': 'OK'}

    Raises:
        PatternError: CloudWatch would refuse it, or its documentation does not say what it means.
    """

    def __init__(self, text: str) -> None:
        self.text: Final = text
        self.regexes: Final = len(re.findall(r"%[^%]+%", text))
        if len(text) > _LONGEST_PATTERN:
            raise PatternError(f"a pattern of {len(text)} characters: at most {_LONGEST_PATTERN}")
        if self.regexes > _MOST_REGEXES:
            raise PatternError(f"{self.regexes} regular expressions in one pattern: at most {_MOST_REGEXES}")
        inside = text.strip()
        if inside.startswith("{") and inside.endswith("}"):
            self._form = _JsonPattern(_Parser(inside[1:-1], "selector").parse())
        elif inside.startswith("[") and inside.endswith("]"):
            self._form = _fields(inside[1:-1])
        else:
            self._form = _terms(inside)

    def match(self, message: str) -> Record | None:
        """What the event offers to ``value`` if it matches, else None. An empty record is a match, too."""
        return self._form.match(message)


def value(record: Record, selector: str) -> str | None:
    """The text at ``$.field`` or ``$name`` of a match, for a metric's value or dimension; None if it has none."""
    found = record[selector] if selector in record else select(record, selector)
    return str(found) if isinstance(found, str | int | float) and not isinstance(found, bool) else None
