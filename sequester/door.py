"""The agent's side of the door: ask for a URL, get its body or the rule that denied it.

>>> door = Door("dev-door-research")
>>> door.fetch_external_data("https://api.github.com/repos/python/cpython", max_size=100_000)
"""

import base64
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import InvocationRequestTypeDef, InvocationResponseTypeDef

DEFAULT_MAX_SIZE_BYTES: Final = 1_000_000
_T = TypeVar("_T")
_CLIENT_CONTEXT: Final = {"custom": {"caller": "sequester"}}
"""Lambda hands a client context to synchronous invocations only: the door answers no others."""


_ANSWERED_WITHIN_SECONDS: Final = 60
_LONGEST_ANSWER_BYTES: Final = 6 * 1024 * 1024 + 100
"""https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html, with what comes around it."""
_HASH: Final = re.compile(r"[0-9a-f]{64}\Z")
_THROTTLED_PAUSES_SECONDS: Final = (0.1, 0.3, 1.0)


class DoorError(RuntimeError):
    """The door could not be asked, or gave no answer that can be understood."""


class FetchDeniedError(RuntimeError):
    """The door denied a request. `rule` is the only thing it says about why; `record`: None if it could not record."""

    def __init__(self, rule: str, reason: str, record: "Recorded | None" = None) -> None:
        super().__init__(f"{rule}: {reason}")
        self.rule = rule
        self.reason = reason
        self.record = record


@dataclass(frozen=True)
class Recorded:
    """A request's place in the tenant's audit chain: the record's number, and its SHA-256 in hex."""

    seq: int
    hash: str


@dataclass(frozen=True)
class Fetched:
    """An answer, which is given only when it is recorded. `truncated`: there was more than was asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool
    record: Recorded


class Invoke(Protocol):
    """How a door is reached: payload and client context (JSON) in, the function's answer (JSON) out."""

    def __call__(self, payload: bytes, client_context: bytes) -> bytes: ...


class Door:
    """One tenant's door. Which tenant it serves is a matter of its deployment: nothing here can name one."""

    def __init__(self, function: str = "", *, qualifier: str = "live", invoke: Invoke | None = None) -> None:
        """function: name or ARN of a deployed door; or `invoke`: another way to reach one, such as an embedded door."""
        self._invoke = invoke or _by_lambda(function, qualifier)

    def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        max_size: int = DEFAULT_MAX_SIZE_BYTES,
        request_id: str = "",
    ) -> Fetched:
        """Ask for `url`; of the body at most `max_size` bytes come back. Raises FetchDeniedError, DoorError."""
        if not isinstance(cast("object", body), bytes | bytearray | memoryview):
            raise TypeError(f"body={body!r}: give bytes, such as text.encode()")
        request = {
            "method": method,
            "url": url,
            "headers": dict(headers or {}),
            "body_b64": base64.b64encode(body).decode(),
            "max_bytes": max_size,
            "request_id": request_id,
        }
        raw = self._invoke(json.dumps(request).encode(), json.dumps(_CLIENT_CONTEXT).encode())
        try:
            fetched = _read(_mapping(json.loads(raw)))
        except (ValueError, KeyError, RecursionError) as error:
            raise DoorError("the door gave an answer that is none: is the function a door of this version?") from error
        if len(fetched.body) > max_size:
            raise DoorError(f"the door gave {len(fetched.body)} bytes where {max_size} were asked for: is it a door?")
        return fetched

    def fetch_external_data(self, url: str, max_size: int = DEFAULT_MAX_SIZE_BYTES) -> bytes:
        """The body of `url`, at most `max_size` bytes of it. Raises FetchDeniedError, DoorError."""
        return self.fetch(url, max_size=max_size).body


def _read(answer: Mapping[str, object]) -> Fetched:
    """What lambda_proxy/schema.json describes; ValueError or KeyError for anything else, never a guess."""
    if "denied" in answer:
        denial = _mapping(answer["denied"])
        record = _recorded(answer["audit"]) if answer["audit"] is not None else None
        raise FetchDeniedError(_typed(denial["rule"], str), _typed(denial["reason"], str), record)
    return Fetched(
        status=_typed(answer["status"], int),
        headers={name: _typed(value, str) for name, value in _mapping(answer["headers"]).items()},
        body=base64.b64decode(_typed(answer["body_b64"], str), validate=True),
        truncated=_typed(answer["truncated"], bool),
        record=_recorded(answer["audit"]),
    )


def _recorded(audit: object) -> Recorded:
    found = _mapping(audit)
    record = Recorded(_typed(found["seq"], int), _typed(found["hash"], str))
    if record.seq < 1 or not _HASH.match(record.hash):
        raise ValueError("no place in a chain")
    return record


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", _typed(value, dict))


def _typed(value: object, kind: type[_T]) -> _T:
    if type(value) is not kind:  # a bool is an int to isinstance
        raise ValueError(f"{type(value).__name__} where {kind.__name__} was to be")
    return value


def _unless_throttled(ask: "Callable[[], InvocationResponseTypeDef]") -> "InvocationResponseTypeDef":
    """Ask again only while the function was not started at all: who does not hear an answer cannot know whether the
    request was sent, and would send it twice."""
    from botocore.exceptions import ClientError

    for pause_seconds in _THROTTLED_PAUSES_SECONDS:
        try:
            return ask()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") not in {"TooManyRequestsException", "ThrottlingException"}:
                raise
        time.sleep(pause_seconds)
    return ask()


def _by_lambda(function: str, qualifier: str) -> Invoke:
    if not function:
        raise ValueError("function: name the door's function, or give another way to invoke one")
    made: list[LambdaClient] = []

    def invoke(payload: bytes, client_context: bytes) -> bytes:
        import boto3
        from botocore.config import Config

        asking: InvocationRequestTypeDef = {
            "FunctionName": function,
            "Qualifier": qualifier,
            "ClientContext": base64.b64encode(client_context).decode(),
            "Payload": payload,
        }
        try:
            if not made:
                config = Config(retries={"total_max_attempts": 1}, read_timeout=_ANSWERED_WITHIN_SECONDS)
                made.append(boto3.client("lambda", config=config))  # pyright: ignore[reportUnknownMemberType]
            answer = _unless_throttled(lambda: made[0].invoke(**asking))
            raw = answer["Payload"].read(_LONGEST_ANSWER_BYTES + 1)
        except Exception as error:  # no region, no right, no network, an answer that is none: whatever it is, one error
            said = " ".join(str(error).split())
            raise DoorError(f"{function}: the door cannot be invoked: {said}") from error
        if "FunctionError" in answer:
            raise DoorError(f"{function}: the function failed: see its log")
        if len(raw) > _LONGEST_ANSWER_BYTES:
            raise DoorError(f"{function}: the answer is longer than any of a function: is it one?")
        return raw

    return invoke
