"""Step 4: what leaves is read in every way it can be read, and then searched for secrets, credentials and canaries.

Bytes that cannot be read (encrypted, or in an unknown form) are no verdict: they spend a budget of their own.
"""

import math
import secrets
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Final
from urllib.parse import unquote_to_bytes

from .canaries import COVERED, KnownValue, KnownValues, Window
from .decoding import readings
from .denial import DeniedError
from .parse import Request
from .patterns import Pattern, PatternSet
from .pieces import pieces
from .rewriting import REACH_BYTES
from .secret_rules import SECRET_RULES
from .signs import Sign
from .writings import View

MAX_DECODED_BODY_BYTES: Final = 16 * 1024 * 1024
_SAMPLE_BYTES: Final = 4096
_TEXT_ENTROPY_BITS: Final = 4.5
_TEXT_ALPHABET: Final = int(2**_TEXT_ENTROPY_BITS)
"""So many characters cannot have more entropy."""
_BINARY_ENTROPY_BITS: Final = 7.0
_BINARY_SHARE: Final = 0.85
_LONG_TOKEN: Final = Pattern(rb"[A-Za-z0-9+/=_-]{32,}")
_LONGEST_DIGEST: Final = 128
"""Characters of SHA-512 in hex: a longer run of few different characters is no digest, but more data in their code."""
_EVEN_SHARE: Final = 0.9
_FEWEST_DIGITS: Final = 8
_BLOCK_BYTES: Final = 16 * 1024
_BLOCK_SAMPLE_BYTES: Final = 2048
_CONTINUATION: Final = bytes(range(0x80, 0xC0))
"""With what a block begins that cuts a character in UTF-8."""
_NOT_IN_TEXT: Final = bytes(set(range(0x20)) - set(b"\t\n\v\f\r")) + b"\x7f"


@cache
def _secrets() -> PatternSet:
    """Made when a sign of one is first seen."""
    return PatternSet([pattern for _, pattern in SECRET_RULES])


@dataclass(frozen=True)
class Known:
    """The values to look for: the tenant's canaries, and the credentials of all its hosts."""

    canaries: KnownValues = field(default_factory=KnownValues)
    credentials: KnownValues = field(default_factory=KnownValues)

    @classmethod
    def of(cls, canaries: Sequence[KnownValue] = (), credentials: Sequence[KnownValue] = ()) -> "Known":
        return cls(KnownValues(canaries), KnownValues(credentials))

    @cached_property
    def either(self) -> KnownValues:
        """Both, for which what is sent is searched once."""
        return KnownValues([*self.canaries.values, *self.credentials.values])


def inspect(request: Request, headers: dict[str, str], known: Known, window: Window) -> int:
    """How many bytes of the request could not be read. Raises DeniedError(inspect.*) for what must not leave."""
    unreadable: list[int] = []
    places: dict[str, set[int]] = {canary.name: set() for canary in known.canaries.values}
    reach = max(REACH_BYTES, 2 * known.either.longest_bytes)
    for surface in surfaces(request, headers):
        for nth, reading in enumerate(readings(surface, reach)):
            if nth == 0:
                unreadable.append(_unreadable(surface, reading.signs))
            if Sign.SECRET in reading.signs and _secrets().matches(reading[View.RAW]):
                raise DeniedError("inspect.secret")
            if known.either.any_in(reading):
                credential = known.credentials.any_in(reading)
                raise DeniedError("inspect.credential" if credential else "inspect.canary")
            if known.canaries.values:
                for name, some in known.canaries.places_in(reading[View.BARE]).items():
                    places[name] |= some
    for canary in known.canaries.values:
        if places[canary.name]:
            left = places[canary.name] | window.add(canary.name, places[canary.name])
            if len(left) >= COVERED * len(canary.bare):
                raise DeniedError("inspect.canary")
    head, *bodies = unreadable
    return head + max(bodies, default=0)  # the same bytes, as they stand and laid end to end


def surfaces(request: Request, headers: dict[str, str]) -> Iterator[bytes]:
    """What a receiver could put together: the head of the request, the body, and the pieces of each laid end to end."""
    target = request.target
    pairs = target.query_pairs()
    head = (
        target.host.encode(),
        unquote_to_bytes(target.path),
        unquote_to_bytes(target.path).replace(b"/", b""),
        target.query.encode(),
        b"".join(target.query_values()),
        b"".join(value for _, value in pairs),
        b"".join(value for _, value in reversed(pairs)),
        b"".join(key for key, _ in pairs),
        "\n".join(f"{name}: {value}" for name, value in headers.items()).encode(),
        "".join(headers.values()).encode(),
        "".join(reversed(headers.values())).encode(),
        "".join(headers).encode(),
    )
    yield b"\n".join(piece for piece in dict.fromkeys(head) if piece)
    if request.body:
        body = decoded_body(request.body, headers.get("content-encoding", ""))
        yield body
        laid_out = pieces(body, headers.get("content-type", ""))
        if laid_out:
            yield laid_out


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


def _unreadable(surface: bytes, signs: Collection[Sign]) -> int:
    """Bytes that look like ciphertext: binary blocks, or long tokens in text, of high entropy (by samples)."""
    if Sign.CONTROL not in signs and surface.isascii():
        return _random_tokens(surface) if Sign.TOKEN in signs else 0
    blocks = (surface[start : start + _BLOCK_BYTES] for start in range(0, len(surface), _BLOCK_BYTES))
    return sum(_random_tokens(block) if _is_text(block) else _random_bytes(block) for block in blocks)


def _random_bytes(block: bytes) -> int:
    """All of the block or nothing. Where the sample lies is drawn each time: nobody can write around it."""
    start = secrets.randbelow(len(block) - _BLOCK_SAMPLE_BYTES + 1) if len(block) > _SAMPLE_BYTES else 0
    sample = block[start : start + _BLOCK_SAMPLE_BYTES] if start else block[:_SAMPLE_BYTES]
    # Few bytes cannot reach seven bits each: of 32 different ones it is five.
    most = _BINARY_SHARE * math.log2(len(sample)) if len(sample) > 1 else 0.0
    return len(block) if _entropy(sample) > min(_BINARY_ENTROPY_BITS, most) else 0


def _random_tokens(text: bytes) -> int:
    return sum(len(token) for token in _LONG_TOKEN.found_in(text) if _is_random(token))


def _is_random(token: bytes) -> bool:
    """Of many characters, more than words need; or long, and each of its few characters as frequent as the others."""
    begin = token[:_SAMPLE_BYTES]
    characters = len(set(begin))
    if characters > _TEXT_ALPHABET and _entropy(begin) > _TEXT_ENTROPY_BITS:
        return True
    return (
        len(token) > _LONGEST_DIGEST
        and characters >= _FEWEST_DIGITS
        and _entropy(begin) > _EVEN_SHARE * math.log2(characters)
    )


def _holds_controls(data: bytes) -> bool:
    return len(data.translate(None, _NOT_IN_TEXT)) < len(data)


def _is_text(block: bytes) -> bool:
    if _holds_controls(block):
        return False
    whole = block.lstrip(_CONTINUATION) if len(block) - len(block.lstrip(_CONTINUATION)) < 4 else block
    try:
        whole.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(whole) - 3  # a character that the block cuts
    return True


def _entropy(sample: bytes) -> float:
    """Shannon entropy in bits a byte."""
    size = len(sample)
    return -sum(n / size * math.log2(n / size) for n in Counter(sample).values()) if size else 0.0
