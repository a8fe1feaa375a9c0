"""Step 4: what leaves is read in every way it can be read, and then searched for secrets, credentials and canaries.

Bytes that cannot be read (encrypted, or in an unknown form) are no verdict: they spend a budget of their own.
"""

import json
import math
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from typing import Final, cast
from urllib.parse import unquote_to_bytes

from .canaries import COVERED, KnownValue, Window, forms
from .decoding import readings
from .denial import DeniedError
from .parse import Request
from .patterns import Pattern, PatternSet
from .secret_rules import SECRET_RULES

MAX_DECODED_BODY_BYTES: Final = 16 * 1024 * 1024
MAX_JSON_BYTES: Final = 4 * 1024 * 1024
_SAMPLE_BYTES: Final = 4096
_TEXT_ENTROPY_BITS: Final = 4.5
_BINARY_ENTROPY_BITS: Final = 7.0
_LONG_TOKEN: Final = Pattern(rb"[A-Za-z0-9+/=_-]{32,}")

_SECRETS: Final = PatternSet([pattern for _, pattern in SECRET_RULES])


@dataclass(frozen=True, slots=True)
class Known:
    """The values to look for: the tenant's canaries, and the credentials of all its hosts."""

    canaries: Sequence[KnownValue] = ()
    credentials: Sequence[KnownValue] = ()


def inspect(request: Request, headers: dict[str, str], known: Known, window: Window) -> int:
    """How many bytes of the request could not be read. Raises DeniedError(inspect.*) for what must not leave."""
    unreadable = 0
    places: dict[str, set[int]] = {canary.name: set() for canary in known.canaries}
    for surface in surfaces(request, headers):
        unreadable += _unreadable(surface)
        for reading in readings(surface):
            if _SECRETS.matches(reading):
                raise DeniedError("inspect.secret")
            plain, bare = forms(reading) if known.canaries or known.credentials else (b"", b"")
            if any(value.whole_in(plain, bare) for value in known.credentials):
                raise DeniedError("inspect.credential")
            for canary in known.canaries:
                if canary.whole_in(plain, bare):
                    raise DeniedError("inspect.canary")
                places[canary.name] |= canary.places_in(bare)
    for canary in known.canaries:
        if places[canary.name]:
            left = places[canary.name] | window.add(canary.name, places[canary.name])
            if len(left) >= COVERED * len(canary.bare):
                raise DeniedError("inspect.canary")
    return unreadable


def surfaces(request: Request, headers: dict[str, str]) -> Iterator[bytes]:
    """What a receiver could put together: the head of the request, the body, and the pieces of each laid end to end."""
    target = request.target
    pairs = target.query_pairs()
    head = (
        target.host.encode(),
        unquote_to_bytes(target.path),
        unquote_to_bytes(target.path).replace(b"/", b""),
        target.query.encode(),
        b"".join(value for _, value in pairs),
        b"".join(key for key, _ in pairs),
        "\n".join(f"{name}: {value}" for name, value in headers.items()).encode(),
        "".join(headers.values()).encode(),
        "".join(headers).encode(),
    )
    yield b"\n".join(piece for piece in head if piece)
    if request.body:
        body = decoded_body(request.body, headers.get("content-encoding", ""))
        yield body
        pieces = _pieces(body, headers.get("content-type", ""))
        if pieces:
            yield pieces


def decoded_body(body: bytes, coding: str) -> bytes:
    """The body as the upstream will read it. Raises DeniedError(inspect.undecodable) when that is not known."""
    match coding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
        case "deflate":
            inflate = zlib.decompressobj()
        case _:
            raise DeniedError("inspect.undecodable")
    try:
        decoded = inflate.decompress(body, MAX_DECODED_BODY_BYTES)
    except zlib.error as error:
        raise DeniedError("inspect.undecodable") from error
    if not inflate.eof or inflate.unused_data:
        raise DeniedError("inspect.undecodable")
    return decoded


def _pieces(body: bytes, content_type: str) -> bytes:
    """The values in a form, JSON or multipart body, laid end to end; then the names. Empty if there are none."""
    message = Message()
    message["content-type"] = content_type
    match message.get_content_type():
        case "application/x-www-form-urlencoded":
            pairs = [piece.partition(b"=") for piece in body.replace(b"+", b" ").split(b"&")]
            values, names = [value for _, _, value in pairs], [name for name, _, _ in pairs]
            return unquote_to_bytes(b"".join(values)) + b"\n" + unquote_to_bytes(b"".join(names))
        case kind if kind.startswith("multipart/"):
            boundary = message.get_boundary("")
            parts = body.split(b"--" + boundary.encode("utf-8", "replace")) if boundary else []
            contents = [part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n") for part in parts]
            return b"".join(contents)
        case _ if body[:1] in b'{["' and len(body) <= MAX_JSON_BYTES:
            return _json_pieces(body)
        case _:
            return b""


def _json_pieces(body: bytes) -> bytes:
    try:
        waiting: list[object] = [json.loads(body)]
    except (ValueError, RecursionError):
        return b""
    values: list[str] = []
    names: list[str] = []
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            mapping = cast("dict[str, object]", value)
            names += mapping
            waiting += reversed(mapping.values())
        elif isinstance(value, list):
            waiting += reversed(cast("list[object]", value))
        elif value is not None:
            values.append(str(value))
    return ("".join(values) + "\n" + "".join(names)).encode("utf-8", "replace")


def _unreadable(surface: bytes) -> int:
    """Bytes that look like ciphertext: long tokens, or a binary surface, of high entropy (by a sample)."""
    if b"\0" in surface[:_SAMPLE_BYTES] or not _is_text(surface[:_SAMPLE_BYTES]):
        return len(surface) if _entropy(surface[:_SAMPLE_BYTES]) > _BINARY_ENTROPY_BITS else 0
    tokens = _LONG_TOKEN.found_in(surface)
    return sum(len(token) for token in tokens if _entropy(token[:_SAMPLE_BYTES]) > _TEXT_ENTROPY_BITS)


def _is_text(sample: bytes) -> bool:
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(sample) - 3  # a character that the sample cuts
    return True


def _entropy(sample: bytes) -> float:
    """Shannon entropy in bits a byte."""
    size = len(sample)
    return -sum(n / size * math.log2(n / size) for n in Counter(sample).values()) if size else 0.0
