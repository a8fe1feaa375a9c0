"""DNS messages, as far as a lab reads and writes them: one question, and an address, nothing or "no such name"."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import dnslib

_dns = cast("Any", dnslib)  # it ships no types


@dataclass(frozen=True)
class Question:
    """name: as it was asked, with the dot at its end. kind: `A`, `TXT`, ..."""

    name: str
    kind: str
    message: bytes


def question(message: bytes) -> Question | None:
    """None for what is no query with a question."""
    with suppress(_dns.DNSError, ValueError, UnicodeDecodeError):
        asked = _dns.DNSRecord.parse(message)
        if asked.questions and not asked.header.qr:
            kind = str(_dns.QTYPE.get(asked.q.qtype) or f"TYPE{asked.q.qtype}")
            return Question(str(asked.q.qname).rstrip(".") + ".", kind, message)
    return None


def address(asked: Question, value: str) -> bytes:
    """The IPv4 address for a question of type A, and no answer for any other."""
    reply = _dns.DNSRecord.parse(asked.message).reply()
    if asked.kind == "A":
        reply.add_answer(_dns.RR(reply.q.qname, _dns.QTYPE.A, rdata=_dns.A(value), ttl=60))
    return bytes(reply.pack())


def no_such_name(asked: Question) -> bytes:
    reply = _dns.DNSRecord.parse(asked.message).reply()
    reply.header.rcode = _dns.RCODE.NXDOMAIN
    return bytes(reply.pack())
