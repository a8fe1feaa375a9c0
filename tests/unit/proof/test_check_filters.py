"""The checker reads filter patterns by itself: as AWS documents them, and as the prover's reading does."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from proof_world import World

from sequester.eyes.comparison import PatternError
from sequester.eyes.pattern import FilterPattern
from sequester.proof.check_filters import counts
from sequester.proof.check_records import left, of_door, of_supervisor
from sequester.proof.prove import facts_for
from sequester.proof.records import sightings
from sequester.proof.selector import Selector

RECORD = json.dumps(
    {
        "eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111", "arrayKey": ["value", "another"],
        "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}], "SomeObject": None, "ThisFlag": True, "n": 12.5,
    }
)  # fmt: skip
SPACED = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'
# The forms of https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html: pattern, line, answer.
FORMS = (
    ('{ $.eventType = "UpdateTrail" }', RECORD, True),
    ('{ $.eventType = "Update*" && $.n > 12 }', RECORD, True),
    ('{ $.eventType != "UpdateTrail" || $.n >= 13 }', RECORD, False),
    ("{ $.sourceIPAddress != 123.123.* }", RECORD, True),
    ('{ $.arrayKey[0] = "value" }', RECORD, True),
    ('{ $.arrayKey[7] = "value" }', RECORD, False),
    ("{ $.objectList[1].id = 2 }", RECORD, True),
    ("{ $['eventType'] = %^Update% }", RECORD, True),
    ('{ $.["eventType"] = %^Trail% }', RECORD, False),
    ("{ $.SomeObject IS NULL }", RECORD, True),
    ("{ $.SomeOtherObject NOT EXISTS }", RECORD, True),
    ("{ $.SomeObject NOT EXISTS }", RECORD, False),
    ("{ $.ThisFlag IS TRUE }", RECORD, True),
    ("{ $.ThisFlag IS FALSE }", RECORD, False),
    ('{ ($.n = 1 || $.n = 12.5) && ($.eventType = "UpdateTrail") }', RECORD, True),
    ("{ $.missing != 1 }", RECORD, False),
    ("{ $.n = 1 ", RECORD, False),
    ("{ ($.n = 12.5 }", RECORD, False),
    ("{ $.n = 12.5 $.n = 12.5 }", RECORD, False),
    ("{ $.n = 12.5 }", "no JSON", False),
    ("[ip, server, username, timestamp, request, status_code, bytes]", SPACED, True),
    ("[ip, server, username, timestamp, request]", SPACED, False),
    ("[ip=%127\\.0\\.0\\.[1-9]%, server, ..., status_code=4*, bytes > 1000]", SPACED, True),
    ("[..., status_code = 404 || status_code = 410, bytes]", SPACED, True),
    ('[ip, server, username, timestamp, request = "*index*", status_code != 200, bytes]', SPACED, True),
    ("[..., bytes = 1535]", SPACED, False),
    ("frank 404", SPACED, True),
    ('"GET /index.html" -frank', SPACED, False),
    ("?nobody ?frank", SPACED, True),
    ("?nobody ?else", SPACED, False),
    ("%13:2[0-9]%", SPACED, True),
    ("", SPACED, True),
)


@pytest.mark.parametrize(("pattern", "line", "answer"), FORMS, ids=[form[0] or "all" for form in FORMS])
def test_a_pattern_counts_as_documented(pattern: str, line: str, answer: bool) -> None:
    assert counts(pattern, line) is answer
    assert _as_the_prover_reads(pattern, line) is answer


def _as_the_prover_reads(pattern: str, line: str) -> bool:
    try:
        return FilterPattern(pattern).match(line) is not None
    except PatternError:
        return False


def test_both_count_the_same_lines(world: World) -> None:
    """Every filter of the blueprint, on every line that the prover or the checker knows of an attempt."""
    model, selector = world.model(), Selector()
    facts: Mapping[str, Any] = facts_for(model, "E8")
    lines = {s.message for sensor in model.watch.sensors for s in sightings(model, selector, sensor)}
    for sensor in facts["model"]["watch"]["sensors"]:
        lines |= {one.line for one in left(facts["model"], facts["selector"], sensor)}
    lines |= {one.line for one in (*of_door("d"), *of_supervisor("research-sandbox"))}
    patterns = {one.pattern for one in model.watch.filters}
    assert len(lines) > 50
    assert len(patterns) > 50
    hits = {(p, line) for p in patterns for line in lines if counts(p, line)}
    assert hits == {(p, line) for p in patterns for line in lines if _as_the_prover_reads(p, line)}
    assert len(hits) > 50
