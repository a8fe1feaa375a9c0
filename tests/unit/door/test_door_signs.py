"""What is looked for in one pass first, beside the look at everything: both find the same."""

import base64
import gzip
import re
import zlib
from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lambda_proxy import decoding
from lambda_proxy.canaries import KnownValue, KnownValues
from lambda_proxy.compression import decompressed, deflated
from lambda_proxy.decoding import EXPANSION_FLOOR_BYTES, _texts_of, readings
from lambda_proxy.denial import DeniedError
from lambda_proxy.inspection import _LONG_TOKEN, _holds_controls
from lambda_proxy.patterns import PRINTABLE_RUN, PatternSet
from lambda_proxy.secret_rules import _TELLING_ENDS, SECRET_RULES
from lambda_proxy.signs import Sign, signs_in
from lambda_proxy.writings import View, bare

TOLD_BY_LESS = frozenset({Sign.ESCAPE, Sign.TOKEN, Sign.NUMBERS})
"""Signs of more than is decoded by them; each other one is what its decoder wants."""
RULES = dict(SECRET_RULES)
SECRETS = PatternSet([*RULES.values()])
CANARY = KnownValue.of("canary", "canary-Zx12Cv34Bn56Mq78")

WRITERS: list[Callable[[bytes], bytes]] = [
    base64.b64encode,
    lambda data: b"\r\n".join(base64.b64encode(data)[at : at + 9] for at in range(0, len(data) * 4 // 3 + 4, 9)),
    base64.b32encode,
    lambda data: data.hex().encode(),
    lambda data: data.hex(":").encode(),
    lambda data: b"; ".join(b"%d" % byte for byte in data),
    lambda data: b"".join(b"%%%02x" % byte for byte in data),
    lambda data: b"".join(b"\\u%04x" % byte for byte in data),
    lambda data: b"".join(b"\\x%02x" % byte for byte in data),
    lambda data: b"".join(b"&#%d;" % byte for byte in data),
    lambda data: b"<i>".join(data[at : at + 3] for at in range(0, len(data), 3)),
    gzip.compress,
    zlib.compress,
    lambda data: zlib.compress(data, wbits=-15),
]
PIECES = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40).map(str.encode),
    st.from_regex(rb"[A-Za-z0-9+/=_\r\n-]{10,40}\Z"),
    st.from_regex(rb"[0-9A-Fa-fx%:,; \\-]{10,40}\Z"),
    st.from_regex(rb"(?:[0-9]{1,3}[,; ]{1,2}){6,9}[0-9]\Z"),
    st.sampled_from([b"the needle in the haystack", b"]]>", b"BZh91AY&SY", b"x^", b"\\n", b"%41", b"&amp;", b"\x7f"]),
)


@st.composite
def _written(draw: st.DrawFn) -> bytes:
    """Some pieces, each written in up to two ways over each other."""
    pieces: list[bytes] = []
    for piece, writers in draw(st.lists(st.tuples(PIECES, st.lists(st.sampled_from(WRITERS), max_size=2)), max_size=4)):
        written = piece
        for write in writers:
            written = write(written)
        pieces.append(written)
    return draw(st.sampled_from([b"", b" ", b"\n"])).join(pieces)


def _read(data: bytes) -> list[bytes]:
    """The readings, and at the end the rule that ended them if one did."""
    found: list[bytes] = []
    try:
        found += (reading[View.RAW] for reading in readings(data))
    except DeniedError as denied:
        found.append(denied.rule.encode())
    return found


@settings(max_examples=200, deadline=None)
@given(_written())
def test_the_readings_are_those_of_all_decoders(data: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "signs_in", lambda data: signs_in(data) | TOLD_BY_LESS)
        slow = _read(data)
    assert _read(data) == slow


def test_without_its_sign_nothing_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    written = [write(b"the needle in the haystack") for write in WRITERS[3:12]]
    assert all(any(b"the needle" in one for one in _read(data)) for data in written)
    monkeypatch.setattr(decoding, "signs_in", lambda _: frozenset())
    assert not any(any(b"the needle" in one for one in _read(data)) for data in written)


@settings(max_examples=200, deadline=None)
@given(_written())
@example(b"\x00")
@example(b"a" * 31 + b"=")
def test_what_the_surface_is_asked_for_has_its_sign(data: bytes) -> None:
    signs = signs_in(data)
    assert (Sign.CONTROL in signs) == _holds_controls(data)
    assert Sign.TOKEN in signs or not _LONG_TOKEN.occurs_in(data)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SECRET_RULES).flatmap(lambda rule: st.from_regex(re.compile(rule[1]))), st.binary(max_size=9))
def test_every_secret_has_the_sign(secret: bytes, around: bytes) -> None:
    data = around + secret + around
    assert Sign.SECRET in signs_in(data) or not SECRETS.matches(data)


@pytest.mark.parametrize("name", _TELLING_ENDS)
def test_a_telling_end_is_the_end_of_its_rule(name: str) -> None:
    end = _TELLING_ENDS[name]
    begin = RULES[name].removesuffix(end)
    assert begin + end == RULES[name]
    for part in (begin, end):
        re.compile(part)  # each a pattern of its own: nothing was cut within a group or a class
    assert b"|" not in re.sub(rb"\(.*\)|\[.*?\]", b"", RULES[name]), "another branch would have another end"


def _each_alone(some: list[bytes]) -> Iterator[bytes]:
    for one in some:
        runs = PRINTABLE_RUN.found_in(one)
        if runs:
            yield b"\n".join(runs)
        yield from decompressed(one, EXPANSION_FLOOR_BYTES)
    for one in some:
        yield from deflated(one, EXPANSION_FLOOR_BYTES)


@settings(max_examples=100, deadline=None)
@given(st.lists(_written() | st.sampled_from([b"\x1f", b"\x8b\x08", b"a" * 6, b"]\0", b"\0\0", b"x"]), max_size=14))
def test_texts_found_together_are_those_of_each(some: list[bytes]) -> None:
    assert list(_texts_of(some)) == list(_each_alone(some))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*CANARY.pieces, b"a", b"0", b"canary"]), max_size=12).map(b"".join))
def test_pieces_found_in_groups_are_those_of_each(letters: bytes) -> None:
    each = {place for piece, places in CANARY.pieces.items() if piece in letters for place in places}
    assert KnownValues([CANARY]).places_in(letters).get("canary", set()) == each


@given(st.binary(max_size=200))
def test_letters_and_digits_are_lower_case_whatever_they_are_taken_from(data: bytes) -> None:
    assert bare(data) == bytes(c for c in data.lower() if chr(c) in "0123456789abcdefghijklmnopqrstuvwxyz")
    assert decoding.Reading(data)[View.BARE] == bare(data)
