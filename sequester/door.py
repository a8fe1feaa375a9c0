"""The agent's side of the door: ask for a URL, get its body or the rule that denied it.

>>> door = Door("dev-door-research")
>>> door.fetch_external_data("https://api.github.com/repos/python/cpython", max_size=100_000)
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

DEFAULT_MAX_SIZE_BYTES: Final = 1_000_000
_CLIENT_CONTEXT: Final = {"custom": {"caller": "sequester"}}
"""Lambda hands a client context to synchronous invocations only: the door answers no others."""


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
            return _read(cast("Mapping[str, object]", json.loads(raw)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DoorError("the door gave an answer that is none: is the function a door of this version?") from error

    def fetch_external_data(self, url: str, max_size: int = DEFAULT_MAX_SIZE_BYTES) -> bytes:
        """The body of `url`, at most `max_size` bytes of it. Raises FetchDeniedError, DoorError."""
        return self.fetch(url, max_size=max_size).body


def _read(answer: Mapping[str, object]) -> Fetched:
    denied = answer.get("denied")
    if denied is not None:
        denial = cast("Mapping[str, str]", denied)
        record = _recorded(answer["audit"]) if answer["audit"] is not None else None
        raise FetchDeniedError(denial["rule"], denial["reason"], record)
    return Fetched(
        status=int(cast("int", answer["status"])),
        headers=cast("Mapping[str, str]", answer["headers"]),
        body=base64.b64decode(cast("str", answer["body_b64"]), validate=True),
        truncated=bool(answer["truncated"]),
        record=_recorded(answer["audit"]),
    )


def _recorded(audit: object) -> Recorded:
    found = cast("Mapping[str, object]", audit)
    return Recorded(int(cast("int", found["seq"])), str(found["hash"]))


def _by_lambda(function: str, qualifier: str) -> Invoke:
    if not function:
        raise ValueError("function: name the door's function, or give another way to invoke one")
    made: list[LambdaClient] = []

    def invoke(payload: bytes, client_context: bytes) -> bytes:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError

        if not made:
            made.append(boto3.client("lambda"))  # pyright: ignore[reportUnknownMemberType]
        try:
            answer = made[0].invoke(
                FunctionName=function,
                Qualifier=qualifier,
                ClientContext=base64.b64encode(client_context).decode(),
                Payload=payload,
            )
            raw = answer["Payload"].read()
        except (BotoCoreError, ClientError) as error:
            raise DoorError(f"{function}: the door cannot be invoked: {error}") from error
        if "FunctionError" in answer:
            raise DoorError(f"{function}: the function failed: see its log")
        return raw

    return invoke
