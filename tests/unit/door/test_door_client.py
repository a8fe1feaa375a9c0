"""The agent's side: whatever a function answers, it is an answer of a door, a denial, or one clear error."""

import io
import json
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, IncompleteReadError, NoRegionError, ReadTimeoutError
from botocore.parsers import ResponseParserError
from typer.testing import CliRunner

from sequester.cli import app
from sequester.door import Door, DoorError, FetchDeniedError

AUDIT = {"seq": 3, "hash": "a" * 64}
ANSWER = {"status": 200, "headers": {"etag": "x"}, "body_b64": "b2s=", "truncated": False, "audit": AUDIT}
DENIAL = {"denied": {"rule": "allow.host", "reason": "no rule names it"}, "audit": AUDIT}


def answering(raw: bytes) -> Door:
    def invoke(payload: bytes, client_context: bytes) -> bytes:
        del payload, client_context
        return raw

    return Door(invoke=invoke)


def test_an_answer_and_a_denial_are_understood() -> None:
    fetched = answering(json.dumps(ANSWER).encode()).fetch("https://example.com/", max_size=2)
    assert (fetched.status, fetched.body, fetched.truncated, fetched.record.seq) == (200, b"ok", False, 3)
    for audit in (AUDIT, None):
        with pytest.raises(FetchDeniedError, match=r"allow\.host") as caught:
            answering(json.dumps({**DENIAL, "audit": audit}).encode()).fetch("https://example.com/")
        assert (caught.value.record is None) == (audit is None)


NO_ANSWERS: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"<html>",
    "no UTF-8": b"\xff\xfe\xfa",
    "deep": b"[" * 100_000,
    "a list": b"[]",
    "null": b"null",
    "an empty object": b"{}",
    "an error of the function": b'{"errorMessage": "x", "errorType": "y"}',
    **{
        f"{key}={value!r}": json.dumps({**ANSWER, key: value}).encode()
        for key, value in [
            ("status", "200"),
            ("status", True),
            ("status", 2.5),
            ("headers", []),
            ("headers", {"a": 1}),
            ("body_b64", "b2s"),
            ("body_b64", "b2s=\n!"),
            ("body_b64", None),
            ("truncated", "false"),
            ("audit", None),
            ("audit", {"seq": "3", "hash": "a"}),
            ("audit", {"seq": 3}),
            ("audit", {"seq": 0, "hash": "a" * 64}),
            ("audit", {"seq": 3, "hash": "A" * 64}),
            ("audit", {"seq": 3, "hash": "a" * 64 + "\n"}),
            ("denied", None),
            ("denied", "allow.host"),
            ("denied", {"rule": "allow.host"}),
            ("denied", {"rule": 1, "reason": "x"}),
        ]
    },
    **{f"without {key}": json.dumps({k: v for k, v in ANSWER.items() if k != key}).encode() for key in ANSWER},
    "a denial without its record": json.dumps({"denied": DENIAL["denied"]}).encode(),
}


@pytest.mark.parametrize("raw", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_is_no_door_s_answer_is_one_error(raw: bytes) -> None:
    with pytest.raises(DoorError, match="an answer that is none"):
        answering(raw).fetch("https://example.com/")


def test_more_than_was_asked_for_is_no_answer() -> None:
    with pytest.raises(DoorError, match="2 bytes where 1 were asked for"):
        answering(json.dumps(ANSWER).encode()).fetch_external_data("https://example.com/", 1)


def test_a_body_that_is_no_bytes_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"body='x': give bytes"):
        answering(b"").fetch("https://example.com/", method="POST", body="x")  # type: ignore[arg-type]


class Function:
    """Lambda's client as far as it is used: each call takes the next of `happens`."""

    def __init__(self, *happens: object) -> None:
        self.happens, self.calls = list(happens), 0

    def invoke(self, **_asked: object) -> dict[str, Any]:
        self.calls += 1
        happened = self.happens.pop(0)
        if isinstance(happened, Exception):
            raise happened
        if isinstance(happened, io.RawIOBase):
            return {"Payload": happened}
        return {"Payload": io.BytesIO(json.dumps(ANSWER).encode()), **({"FunctionError": happened} if happened else {})}


THROTTLED = ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "Rate Exceeded."}}, "Invoke")
EXPIRED = ClientError({"Error": {"Code": "ExpiredTokenException", "Message": "The token\nhas expired"}}, "Invoke")
TOO_LARGE = ClientError({"Error": {"Code": "RequestEntityTooLargeException", "Message": "6291556 byte"}}, "Invoke")
DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Invoke")
UNHEARD = ReadTimeoutError(endpoint_url="https://lambda.example")


@pytest.mark.parametrize(
    ("happens", "calls", "said"),
    [
        ((None,), 1, ""),
        ((THROTTLED, THROTTLED, None), 3, ""),
        ((THROTTLED,) * 9, 4, "Rate Exceeded"),
        ((DENIED, None), 1, "cannot be invoked"),
        ((UNHEARD, None), 1, "cannot be invoked"),
        (("Unhandled", None), 1, "see its log"),
        ((THROTTLED, EXPIRED, None), 2, "The token has expired"),
        ((TOO_LARGE, None), 1, "6291556 byte"),
        ((ResponseParserError("no\nXML"), None), 1, "no XML"),
        ((IncompleteReadError(actual_bytes=1, expected_bytes=2), None), 1, "cannot be invoked"),
        ((ConnectionResetError("reset"), None), 1, "cannot be invoked"),
    ],
    ids=[
        *("answered", "throttled, then not", "throttled", "no right", "not heard", "failed", "expired meanwhile"),
        *("too large", "no answer of Lambda's", "cut off", "reset"),
    ],
)
def test_only_what_was_not_started_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, happens: tuple[object, ...], calls: int, said: str
) -> None:
    """A request whose answer was not heard may have been sent: to ask again would send it twice."""
    function, made = Function(*happens), dict[str, Any]()
    monkeypatch.setattr("sequester.door._THROTTLED_PAUSES_SECONDS", (0, 0, 0))
    monkeypatch.setattr(boto3, "client", lambda _service, **options: (made.update(options), function)[1])
    door = Door("dev-door-research")
    if said:
        with pytest.raises(DoorError, match=said) as caught:
            door.fetch("https://example.com/", method="POST", body=b"x")
        assert "\n" not in str(caught.value)
    else:
        assert door.fetch("https://example.com/").body == b"ok"
    assert function.calls == calls
    assert made["config"].retries["total_max_attempts"] == 1


def test_what_boto3_itself_refuses_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NoRegionError

    monkeypatch.setattr(boto3, "client", refuse)
    with pytest.raises(DoorError, match="You must specify a region"):
        Door("dev-door-research").fetch("https://example.com/")


def test_an_answer_that_has_no_end_is_not_read_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes:
            assert size > 0, "all of it"
            return b" " * size

    monkeypatch.setattr(boto3, "client", lambda *_, **__: Function(Endless()))
    with pytest.raises(DoorError, match="longer than any"):
        Door("dev-door-research").fetch("https://example.com/")


COMMANDS = {"fetch": ["fetch", "https://example.com/"], "verify": ["audit", "verify"]}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "happened",
    [DENIED, EXPIRED, TOO_LARGE, UNHEARD, NoRegionError(), ResponseParserError("no\nXML"), {}, {"Payload": 7}],
    ids=lambda one: type(one).__name__,
)
def test_on_the_command_line_it_is_one_line(monkeypatch: pytest.MonkeyPatch, command: str, happened: object) -> None:
    class Broken:
        def __getattr__(self, name: str) -> object:
            def call(**_: object) -> object:
                if isinstance(happened, Exception):
                    raise happened
                return happened

            return call

    monkeypatch.setattr(boto3, "client", lambda *_, **__: Broken())
    result = CliRunner().invoke(app, [*COMMANDS[command], "--function", "dev-door-research"])
    assert result.exit_code == 69, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("dev-door-research: ")


@pytest.mark.parametrize(
    "since", ["", "3", "3:", ":" + "a" * 64, "\u00b2:" + "a" * 64, "9" * 5000 + ":" + "a" * 64, "1:" + "g" * 64]
)
def test_a_record_that_is_none_is_wrong_use(since: str) -> None:
    result = CliRunner().invoke(app, ["audit", "verify", "--function", "x", "--since", since])
    assert result.exit_code == 2, result.output
    assert "RECORD:HASH" in result.output
