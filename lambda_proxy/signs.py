"""What a pass over some bytes tells of them: which of the closer looks could find anything at all.

A sign occurs wherever that does which it stands for, and costs little: it is what can be told without counting far. A
look that is not taken for want of its sign would have found nothing.
"""

from enum import IntEnum, auto
from typing import Final

from .compression import COMPRESSED
from .patterns import PatternSet
from .secret_rules import SECRET_SIGN


class Sign(IntEnum):
    """What may be there."""

    SECRET = auto()
    PERCENT = auto()
    ESCAPE = auto()
    ENTITY = auto()
    MARKUP = auto()
    COMPRESSED = auto()
    TOKEN = auto()
    NUMBERS = auto()
    CONTROL = auto()


SIGNS: Final[tuple[dict[Sign, bytes], ...]] = (
    {
        Sign.SECRET: SECRET_SIGN,
        Sign.PERCENT: rb"%[0-9A-Fa-f]{2}",
        Sign.ESCAPE: rb"\\[ux0-7nrtbf/\"'\\]",
        Sign.ENTITY: rb"&(?:#[xX]?[0-9A-Fa-f]{2}|[0-9A-Za-z]{2,31};)",
        Sign.MARKUP: rb"<[A-Za-z!?/]|\]\]>",
        Sign.COMPRESSED: COMPRESSED.pattern,
    },
    {
        Sign.TOKEN: rb"[A-Za-z0-9+/=_\r\n-]{16}",  # base32, base64 over lines, and whatever looks random
        Sign.NUMBERS: rb"[0-9A-Fa-fx%:,; \\-]{15}",  # hexadecimal bytes and decimal codes, with what stands between
        Sign.CONTROL: rb"[\x00-\x08\x0e-\x1f\x7f]",
    },
)
"""In two passes, of few states each: what is counted, and what begins with something rare. One of all has the states
of either for each of the other's, and these are made while text of a new kind is read."""

_PASSES: Final = tuple((tuple(signs), PatternSet([*signs.values()])) for signs in SIGNS)


def signs_in(data: bytes) -> frozenset[Sign]:
    """Raises DeniedError(inspect.limit) if the engine did not reach the end."""
    return frozenset([signs[index] for signs, patterns in _PASSES for index in patterns.matches(data)])
