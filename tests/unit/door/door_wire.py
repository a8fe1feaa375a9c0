"""Between botocore and moto: AWS calls are counted as they are made, and one of them fails in a way that is chosen.

Calls are numbered from 0 in the order in which they are made; each may be several tries of the SDK.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectionClosedError, ConnectTimeoutError, ReadTimeoutError
from moto.core.botocore_stubber import MockRawResponse
from moto.core.models import botocore_stubber


@dataclass(frozen=True)
class Failure:
    """`answer`: by service, or raised as urllib3 and botocore do; `done`: the call has its effect all the same."""

    answer: Callable[[str], AWSResponse]
    done: bool = False


def answered(status: int, body: bytes) -> AWSResponse:
    return AWSResponse("https://aws.example.test", status, cast("Any", {}), cast("Any", MockRawResponse(body)))


def said(status: int, body: bytes) -> Failure:
    return Failure(lambda _service: answered(status, body))


def error(status: int, code: str) -> Failure:
    """In the words of the service that is asked."""

    def fail(service: str) -> AWSResponse:
        xml = f"<Error><Code>{code}</Code><Message>?</Message></Error>"
        return answered(status, xml.encode() if service == "s3" else json.dumps({"__type": code}).encode())

    return Failure(fail)


def raising(failure: Callable[..., Exception], *, done: bool = False) -> Failure:
    def fail(service: str) -> AWSResponse:
        raise failure(endpoint_url=service)

    return Failure(fail, done)


UNHEARD: Final = "done, not heard"
FAILURES: Final[Mapping[str, Failure]] = {
    "no connection": raising(ConnectTimeoutError),
    "reset": raising(ConnectionClosedError),
    UNHEARD: raising(ReadTimeoutError, done=True),
    "internal error": error(500, "InternalServerError"),
    "throttled": error(400, "ThrottlingException"),
    "no right": error(403, "AccessDenied"),
    "conflict": error(409, "ConditionalRequestConflict"),
    "condition": error(412, "PreconditionFailed"),
    "an error of no code": said(500, b""),
    "an error of no form": said(400, b"\xff<<<"),
    "nothing": said(200, b""),
    "no answer of theirs": said(200, b"<html>\xff"),
    "an answer of numbers": said(200, b'{"Item": 7, "Attributes": 7, "SecretString": 7, "Signature": 7}'),
    "an answer of lists": said(200, b'{"Item": {"seq": [], "hash": []}, "Attributes": [], "SecretString": [""]}'),
}


NO_ERRORS: Final = frozenset(name for name in FAILURES if name.startswith(("nothing", "no answer", "an answer")))
"""All is well, these say."""


def never(number: int, attempt: int) -> bool:
    del number, attempt
    return False


@dataclass
class Wire:
    """`fails(number, attempt)`: whether this try of this call does. `keeps_tokens`: a transaction is done only once."""

    failure: Failure = FAILURES["reset"]
    fails: Callable[[int, int], bool] = never
    keeps_tokens: bool = True
    calls: list[str] = field(default_factory=list[str])
    _ids: list[str] = field(default_factory=list[str])
    _tokens: set[str] = field(default_factory=set[str])

    def begin(self, failure: Failure = FAILURES["reset"], fails: Callable[[int, int], bool] = never) -> None:
        """Count from 0 again."""
        self.failure, self.fails = failure, fails
        self.calls.clear()
        self._ids.clear()

    def under(self, session: botocore.session.Session) -> botocore.session.Session:
        events = cast("Any", session).get_component("event_emitter")
        events.unregister("before-send", botocore_stubber)  # all handlers are called, whatever one of them answers
        events.register("before-send", self._send)
        return session

    def _send(self, event_name: str, request: AWSPreparedRequest, **_: object) -> AWSResponse | None:
        service, operation = event_name.split(".")[1:]
        identity = str(request.headers["amz-sdk-invocation-id"])
        if identity not in self._ids:
            self._ids.append(identity)
            self.calls.append(f"{service} {operation}")
        tries = cast("bytes", cast("object", request.headers["amz-sdk-request"]))
        attempt = int(tries.partition(b"attempt=")[2].split(b";")[0])
        if not self.fails(self._ids.index(identity), attempt):
            return self._aws(event_name, request)
        if self.failure.done:
            self._aws(event_name, request)
        return self.failure.answer(service)

    def _aws(self, event_name: str, request: AWSPreparedRequest) -> AWSResponse | None:
        token = (
            json.loads(cast("bytes", request.body))["ClientRequestToken"]
            if event_name.endswith("TransactWriteItems")
            else None
        )
        if token in self._tokens and self.keeps_tokens:
            return answered(200, b"{}")
        response = botocore_stubber(event_name, request)
        if token is not None and response is not None and response.status_code == 200:
            self._tokens.add(token)
        return response
