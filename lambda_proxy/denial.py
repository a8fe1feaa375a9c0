"""Denials as data: every way in which the door says no, with the one sentence that the caller is told.

A caller learns which rule denied it and nothing more: neither what was found, nor what would have been allowed.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

RULES: Mapping[str, str] = MappingProxyType(
    {
        # the invocation
        "request.malformed": "the request is not of the documented form",
        "request.asynchronous": "the door answers synchronous invocations only",
        "request.method": "this method is never sent",
        "request.header": "a header name or value is not plain HTTP",
        "request.body": "the body is not strict base64, or is longer than a request may be",
        # the URL
        "url.malformed": "the URL does not parse, or not in one way only",
        "url.characters": "the URL holds control characters, spaces or backslashes",
        "url.scheme": "only https:// is fetched",
        "url.userinfo": "the URL names a user or a password",
        "url.port": "the URL's port is empty, zero or oddly written",
        "url.host": "the URL's host is not a canonical DNS name",
        "url.ip_literal": "the URL names an address instead of a host",
        "url.path": "the URL's path has more than one reading",
        "url.query": "the URL's query has more than one reading",
        # the tenant's rules
        "allow.host": "this host is not on the allowlist",
        "allow.port": "this port is not on the allowlist for this host",
        "allow.method": "this method is not on the allowlist for this host",
        "allow.path": "this path is not on the allowlist for this host",
        "allow.query": "a query key is not on the allowlist for this path",
        "allow.content_type": "this content type is not on the allowlist for this path",
        "allow.request_size": "the request is longer than the allowlist lets through",
        # what the tenant has left
        "budget.requests": "the requests of this minute are spent",
        "budget.bytes_out": "the outgoing bytes of this day are spent",
        "budget.bytes_in": "the incoming bytes of this day are spent",
        "budget.entropy": "the unreadable bytes of this day are spent",
        "budget.unavailable": "the budget cannot be read",
        # what leaves
        "inspect.undecodable": "the body is not what its headers say",
        "inspect.limit": "the request is nested deeper than it can be inspected",
        "inspect.secret": "the request holds what looks like a secret",
        "inspect.canary": "the request holds a canary",
        "inspect.credential": "the request holds a credential that the door owns",
        "inspect.unavailable": "the request cannot be inspected",
        # the door itself
        "door.halted": "the door of this tenant is closed",
        "door.config": "the door has no valid configuration",
        "door.credential": "the credential for this host cannot be had",
        "door.failed": "the door failed; nothing more is known",
        "audit.unavailable": "the request cannot be recorded",
        # the upstream
        "resolve.failed": "the host does not resolve",
        "resolve.special": "the host resolves to an address that is not public",
        "connect.failed": "the host cannot be reached",
        "connect.tls": "the host is not who it says, or does not speak TLS 1.2",
        "connect.peer": "the connection does not lead to the resolved address",
        "redirect.limit": "the host redirects too often",
        "redirect.malformed": "the host redirects to what is not a URL",
        "response.malformed": "the answer is not HTTP/1.1, or has more than one reading",
        "response.encoding": "the answer's content coding is unknown, broken or a bomb",
        "response.timeout": "the answer took too long",
        "response.credential": "the answer holds a credential that the door owns",
    }
)


class DeniedError(Exception):
    """The request is denied by `rule`, one of RULES."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"{rule}: {RULES[rule]}")
        self.rule = rule
        self.reason = RULES[rule]


@contextmanager
def denying(rule: str) -> Generator[None]:
    """Whatever fails inside is a denial by `rule`: an answer can be broken in more ways than could be listed."""
    try:
        yield
    except DeniedError:
        raise
    except Exception as error:
        raise DeniedError(rule) from error
