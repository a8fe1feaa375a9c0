"""The path of a request through the door, in the order of its steps; each can only deny it, none can skip another.

Every redirect takes the whole path again. What is denied before the intent is recorded as a denial; after the
intent, the outcome says how it ended. An answer is given only when its outcome is recorded.
"""

import base64
import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from .allow import decide, request_bytes
from .audit import Chain, Link, Value
from .budget import Budget
from .canaries import Window
from .config import ConfigurationSource
from .connect import Deadline, Internet
from .credentials import SecretSource
from .denial import DeniedError
from .inspection import inspect
from .parse import Request, join_url, parse_request
from .respond import MAX_REDIRECTS, OF_A_PART, Response, exchange, sent_headers

_KEPT_ACROSS_ORIGINS: Final = frozenset({"accept", "accept-language", "user-agent", "content-type", "content-encoding"})
_OF_THE_BODY: Final = frozenset({"content-type", "content-encoding", "content-language", "content-location"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller gets, and what the door's log says of it (no URL, no header, no body)."""

    payload: dict[str, object]
    log: dict[str, Value]


@dataclass(frozen=True, slots=True)
class _Ended:
    """One hop's end, recorded as `link`: with a response or with the rule that denied it."""

    link: Link
    response: Response | None
    rule: str | None


@dataclass(frozen=True, slots=True)
class Door:
    """The door of one tenant. `answer` never raises DeniedError: a denial is an answer."""

    tenant: str
    configurations: ConfigurationSource
    budget: Budget
    secrets: SecretSource
    window: Window
    chain: Chain
    internet: Internet

    def answer(self, event: object) -> Answer:
        started = time.monotonic()
        seen: dict[str, Value] = {"host": None, "method": None, "bytes_out": 0, "bytes_in": 0, "status": None}
        entry: dict[str, Value] = {}
        link: Link | None = None
        try:
            request = parse_request(event)
            entry |= {"request_id": request.request_id, "host": request.target.host, "method": request.method}
            ended = self._fetch(request, entry, seen)
            link = ended.link
            if ended.response is None:
                return self._denied(ended.rule or "door.failed", link, seen, started)
        except DeniedError as denied:
            try:
                link = self.chain.append("denial", {**entry, "rule": denied.rule})
            except DeniedError as unrecorded:
                return self._denied(unrecorded.rule, None, seen, started)
            return self._denied(denied.rule, link, seen, started)
        response = ended.response
        seen |= {"status": response.status}
        payload: dict[str, object] = {
            "status": response.status,
            "headers": dict(response.headers),
            "body_b64": base64.b64encode(response.body).decode(),
            "truncated": response.truncated,
            "audit": {"seq": link.seq, "hash": link.hash},
        }
        return Answer(payload, self._log("allowed", None, link, seen, started))

    def _denied(self, rule: str, link: Link | None, seen: Mapping[str, Value], started: float) -> Answer:
        payload: dict[str, object] = {
            "denied": {"rule": rule, "reason": DeniedError(rule).reason},
            "audit": {"seq": link.seq, "hash": link.hash} if link else None,
        }
        return Answer(payload, self._log("denied", rule, link, seen, started))

    def _log(
        self, verdict: str, rule: str | None, link: Link | None, seen: Mapping[str, Value], started: float
    ) -> dict[str, Value]:
        return {
            "event": "fetch",
            "tenant": self.tenant,
            "verdict": verdict,
            "rule": rule,
            "seq": link.seq if link else None,
            **seen,
            "milliseconds": int((time.monotonic() - started) * 1000),
        }

    def _fetch(self, request: Request, entry: dict[str, Value], seen: dict[str, Value]) -> _Ended:
        deadline = Deadline.after(self.internet.seconds)
        for _ in range(MAX_REDIRECTS + 1):
            ended = self._hop(request, deadline, seen)
            if ended.response is None or ended.response.location is None:
                return ended
            request = follow(request, ended.response)
            entry |= {"host": request.target.host, "method": request.method}
        raise DeniedError("redirect.limit")

    def _hop(self, request: Request, deadline: Deadline, seen: dict[str, Value]) -> _Ended:
        """Steps 2 to 7 for one parsed request. Raises DeniedError for what is denied before the intent."""
        configuration = self.configurations.current()
        headers = sent_headers(request)
        size = request_bytes(request, headers)
        rule = decide(configuration.rules, request, size)
        seen |= {"host": request.target.host, "method": request.method}
        limit = min(request.max_bytes, rule.max_response_bytes)
        reservation = self.budget.reserve(configuration.allowance, request.target.host, size, limit)
        try:
            keyring = self.secrets.keyring(configuration)
            owned = keyring.headers.get(request.target.host)
            if owned is not None:
                headers = {name: value for name, value in headers.items() if name not in {owned[0], *OF_A_PART}}
            unreadable = inspect(request, headers, keyring.known, self.window)
            if unreadable:
                self.budget.spend_unreadable(configuration.allowance, unreadable)
            intent = self.chain.append("intent", _intent(request, size, unreadable, configuration.digest, limit))
        except DeniedError:
            self.budget.settle(reservation, 0)
            raise
        seen["bytes_out"] = int(seen["bytes_out"] or 0) + size
        if owned is not None:
            headers[owned[0]] = owned[1]
        address: str | None = None
        asked = False
        try:
            addresses = self.internet.addresses(request.target, deadline)
            address = addresses[0]
            with self.internet.connect(request.target, address, deadline) as connection:
                asked = True
                response = exchange(connection, request, headers, limit, deadline)
            keyring.refuse_echo(response)
        except (DeniedError, TimeoutError) as error:
            rule = error.rule if isinstance(error, DeniedError) else "response.timeout"
            link = self.chain.append("outcome", {"intent": intent.seq, "address": address, "rule": rule})
            if not asked:  # once it was, nobody knows how much came
                self.budget.settle(reservation, 0)
            return _Ended(link, None, rule)
        seen["bytes_in"] = int(seen["bytes_in"] or 0) + len(response.body)
        link = self.chain.append("outcome", {"intent": intent.seq, "address": address, **_outcome(response)})
        self.budget.settle(reservation, len(response.body))
        return _Ended(link, response, None)


def _intent(request: Request, size: int, unreadable: int, configuration: str, limit: int) -> dict[str, Value]:
    """Sizes and hashes; the path is written out, since it has just been found to hold no secret."""
    return {
        "request_id": request.request_id,
        "method": request.method,
        "host": request.target.host,
        "port": request.target.port,
        "path": request.target.path,
        "url_sha256": hashlib.sha256(request.target.url.encode()).hexdigest(),
        "body_sha256": hashlib.sha256(request.body).hexdigest(),
        "body_bytes": len(request.body),
        "bytes_out": size,
        "unreadable_bytes": unreadable,
        "max_bytes_in": limit,
        "configuration": configuration,
    }


def _outcome(response: Response) -> dict[str, Value]:
    return {
        "status": response.status,
        "bytes_in": len(response.body),
        "body_sha256": hashlib.sha256(response.body).hexdigest(),
        "truncated": response.truncated,
    }


def follow(request: Request, response: Response) -> Request:
    """The request that a redirect asks for (RFC 9110 15.4); unknown headers do not go to another origin."""
    target = join_url(request.target, response.location or "")
    headers = dict(request.headers)
    method, body = request.method, request.body
    if (response.status == 303 and method != "HEAD") or (response.status in {301, 302} and method == "POST"):
        method, body = "GET", b""
        headers = {name: value for name, value in headers.items() if name not in _OF_THE_BODY}
    if (target.host, target.port) != (request.target.host, request.target.port):
        headers = {name: value for name, value in headers.items() if name in _KEPT_ACROSS_ORIGINS}
    return replace(request, method=method, target=target, headers=headers, body=body)
