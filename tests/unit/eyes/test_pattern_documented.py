"""The pattern engine gives what AWS's page on filter patterns says of its own examples."""

import json

import pytest

from sequester.eyes import FilterPattern, PatternError
from sequester.eyes.pattern import value

TERMS = [
    "[ERROR 400] BAD REQUEST",
    "[ERROR 401] UNAUTHORIZED REQUEST",
    "[ERROR 419] MISSING ARGUMENTS",
    "[ERROR 420] INVALID ARGUMENTS",
    "[WARN] slow",
    "[INFO] INTERNAL SERVER ERROR",
    "[SUCCESS 200] AUTHORIZED REQUEST",
]


@pytest.mark.parametrize(
    ("pattern", "lines"),
    [
        ("ERROR", [0, 1, 2, 3, 5]),
        ("ERROR ARGUMENTS", [2, 3]),
        ("?ERROR ?WARN", [0, 1, 2, 3, 4, 5]),
        ('"INTERNAL SERVER ERROR"', [5]),
        ("ERROR -ARGUMENTS", [0, 1, 5]),
        ("%AUTHORIZED%", [1, 6]),
        ("", [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_terms(pattern: str, lines: list[int]) -> None:
    matches = FilterPattern(pattern)
    assert [n for n, line in enumerate(TERMS) if matches.match(line) is not None] == lines


EVENT = {
    "eventType": "UpdateTrail",
    "sourceIPAddress": "111.111.111.111",
    "arrayKey": ["value", "another value"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
    "SomeObject": None,
    "cluster.name": "c",
    "ThisFlag": True,
    "bandwidth": 80.5,
    "latency": 5e-3,
}
USERS = {
    "user": {"id": 1, "email": "j@example.com"},
    "users": [{"id": 2, "email": "John.Doe@example.com"}],
    "actions": ["GET", "PUT", "DELETE"],
    "coordinates": [[0, 1, 2], [4, 5, 6], [7, 8, 9]],
}


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ('{ $.eventType = "UpdateTrail" }', True),
        ('{ $.eventType = "updatetrail" }', False),
        ("{ $.sourceIPAddress != 123.123.* }", True),
        ("{ $.sourceIPAddress = 111.111.* }", True),
        ('{ $.arrayKey[0] = "value" }', True),
        ('{ $.arrayKey[7] = "value" }', False),
        ("{ $.eventType = %Trail% }", True),
        ("{ $.arrayKey[0] = %^val.{2}$% }", True),
        ("{ $.eventType = %^Trail% }", False),
        ("{ $.objectList[1].id = 2 }", True),
        ("{ $.objectList[1].id = 20 }", False),
        ("{ $.SomeObject IS NULL }", True),
        ("{ $.SomeOtherObject IS NULL }", False),
        ("{ $.SomeOtherObject NOT EXISTS }", True),
        ("{ $.SomeObject NOT EXISTS }", False),
        ("{ $.ThisFlag IS TRUE }", True),
        ("{ $.ThisFlag IS FALSE }", False),
        ("{ $.['cluster.name'] = \"c\" }", True),
        ("{ $.bandwidth > 75 }", True),
        ("{ $.bandwidth >= 80.5 && $.bandwidth <= 8.05e1 }", True),
        ("{ $.latency < 1e-3 }", False),
        ("{ $.eventType = * }", True),
        ("{ $.nothing = * }", False),
    ],
)
def test_json(pattern: str, matches: bool) -> None:
    assert (FilterPattern(pattern).match(json.dumps(EVENT)) is not None) is matches


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ('{ ($.user.id = 1) && ($.users[0].email = "John.Doe@example.com") }', True),
        ('{ $.user.email = "j@example.com" || $.coordinates[0][1] = "nonmatch" && $.actions[2] = "nonmatch" }', True),
        ('{($.user.email = "j@example.com" || $.coordinates[0][1] = "nonmatch") && $.actions[2] = "nonmatch" }', False),
        ('{ ($.user.id = 2 && $.users[0].email = "nonmatch") || $.actions[2] = "GET" }', False),
    ],
)  # fmt: skip
def test_json_precedence(pattern: str, matches: bool) -> None:
    assert (FilterPattern(pattern).match(json.dumps(USERS)) is not None) is matches


ACCESS = [
    '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534',
    '127.0.0.1 Prod frank [10/Oct/2000:13:35:22 -0700] "GET /about-us.html HTTP/1.0" 500 5324',
    '127.0.0.1 Prod frank [10/Oct/2000:13:50:35 -0700] "GET /about-us.html HTTP/1.0" 200 4355',
    '127.0.0.1 Prod frank [10/Oct/2000:14:05:17 -0700] "GET /index.gif HTTP/1.0" 410 700',
]


@pytest.mark.parametrize(
    ("pattern", "lines"),
    [
        ("[ip, server, username, timestamp, request, status_code, bytes]", [0, 1, 2, 3]),
        ("[ip, server, username, timestamp, request, status_code, bytes > 1000]", [0, 1, 2]),
        ("[ip, server, username, timestamp, request, status_code = 404 || status_code = 410, bytes]", [0, 3]),
        ("[ip, server, username, timestamp, request, (status_code = 404 || status_code = 410), bytes]", [0, 3]),
        ("[ip = %127\\.0\\.0\\.[1-9]%, server, username, timestamp, request = *.html*, status_code = 4*, bytes]", [0]),
        ("[..., request = *html*, status_code != 5* && status_code != 404, bytes]", [2]),
        ("[ip, ..., bytes = 700]", [3]),
        ("[ip, ...]", [0, 1, 2, 3]),
        ("[ip, server]", []),
        ('[ip, ..., request = "GET /index.html HTTP/1.0", (status_code = "40,4" || status_code = 404), bytes]', [0]),
    ],
)
def test_space_delimited(pattern: str, lines: list[int]) -> None:
    matches = FilterPattern(pattern)
    assert [n for n, line in enumerate(ACCESS) if matches.match(line) is not None] == lines


def test_what_a_match_offers_to_a_metric() -> None:
    delimited = FilterPattern("[ip, ..., status_code, bytes]").match(ACCESS[0])
    assert delimited is not None
    assert (value(delimited, "$bytes"), value(delimited, "$server")) == ("1534", None)
    nested = FilterPattern("{ $.bandwidth > 1 }").match(json.dumps(EVENT))
    assert nested is not None
    assert (value(nested, "$.bandwidth"), value(nested, "$.ThisFlag"), value(nested, "$.no")) == ("80.5", None, None)


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.a = %(x)% }",
        "{ $.a = %x!% }",
        "{ $.a = %1% && $.b = %2% && $.c = %3% }",
        "{ $.a > abc }",
        "{ $.a = }",
        "{ $.a = 1 $.b = 2 }",
        "{ ($.a = 1 }",
        "{ a = 1 }",
        "[a, , b]",
        "[..., a, ...]",
        "{ $.a = " + "x" * 1024 + " }",
    ],
)
def test_what_cloudwatch_refuses_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        FilterPattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "record", "matches"),
    [
        ("{ $.a > 1 }", '{"a": 1' + "0" * 400 + "}", True),
        ("{ $.a < 1 }", '{"a": -1' + "0" * 400 + "}", True),
        ("{ $.a = 1 }", '{"a": 1e400}', False),
        ("{ $.b NOT EXISTS }", '{"a": ' + "[" * 200_000 + "]" * 200_000 + "}", False),
        ("{ $.b NOT EXISTS }", '{"a": 1' + "0" * 5000 + "}", False),
    ],
    ids=["large", "far below", "infinite", "deep", "long"],
)
def test_what_an_attacker_may_write_stops_nothing(pattern: str, record: str, matches: bool) -> None:
    assert (FilterPattern(pattern).match(record) is not None) is matches


@pytest.mark.parametrize("message", ["", "not json", "[1]", "null", '{"a": {"b": 1}}', '{"a": [1]}', '{"a": true}'])
def test_odd_records_do_not_match(message: str) -> None:
    assert FilterPattern("{ $.a = 1 || $.a != 1 }").match(message) is None
