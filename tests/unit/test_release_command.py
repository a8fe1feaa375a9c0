"""`sequester release` says who and why, and ends with a code that a script can use."""

import io
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from typer.testing import CliRunner

from sequester.cli import app
from sequester.release import Released, ReleaseError, release

ASKED = ("sequester-responder", "research", "arn:aws:iam::123456789012:user/alice", "ticket 7: a test")


class Functions:
    """Lambda's Invoke, answering what it is given."""

    def __init__(self, answer: object, error: str | None = None) -> None:
        self._answer, self._error = answer, error
        self.asked: dict[str, Any] = {}

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803, boto3's own names
        self.asked = {"function": FunctionName, **json.loads(Payload)}
        if isinstance(self._answer, Exception):
            raise self._answer
        text = self._answer if isinstance(self._answer, bytes) else json.dumps(self._answer).encode()
        return {"Payload": io.BytesIO(text)} | ({"FunctionError": self._error} if self._error else {})


def test_it_asks_the_responder_by_name() -> None:
    functions = Functions({"released": "research", "record": 12, "associated": False})
    assert release(functions, *ASKED) == Released("research", 12, associated=False)
    assert functions.asked == dict(zip(("function", "release", "by", "why"), ASKED, strict=True))


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ({"errorType": "RefusedError", "errorMessage": "'x' is no tenant here"}, "Unhandled", "'x' is no tenant here"),
        ({"errorType": "ClientError", "errorMessage": "denied"}, "Unhandled", "look at its log, then ask again"),
        (None, "Unhandled", "it failed"),
        ({"incidents": []}, None, "answers as no responder does"),
        ([1], None, "answers as no responder does"),
        (b"not json", None, "sequester-responder"),
        (ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "Invoke"), None, "is not there"),  # type: ignore[typeddict-item]
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "Invoke"), None, "you need lambda:InvokeFunction"),  # type: ignore[typeddict-item]
        (EndpointConnectionError(endpoint_url="https://lambda.example"), None, "Could not connect"),
    ],
)
def test_what_was_not_released_is_said_in_a_line(answer: object, error: str | None, said: str) -> None:
    with pytest.raises(ReleaseError, match=said) as raised:
        release(Functions(answer, error), *ASKED)
    assert "\n" not in str(raised.value)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["release", *arguments])


def test_without_a_reason_nothing_is_asked() -> None:
    result = run("research")
    assert result.exit_code == 2
    assert "--why" in result.output


def test_a_rehearsal_closes_and_opens_in_the_embedded_cloud() -> None:
    result = run("research", "--why", "a rehearsal", "--rehearse")
    assert result.exit_code == 0, result.output
    assert "quarantine: close_door tenant research: done" in result.output
    assert "released research" in result.output
    assert "pulumi up --refresh" in result.output


def test_a_tenant_that_is_none_is_not_released() -> None:
    result = run("nobody", "--why", "x", "--rehearse")
    assert result.exit_code == 1
    assert "'nobody' is no tenant here: use one of research" in result.output
