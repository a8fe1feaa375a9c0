"""Escapes are read again near what they change only: what they hide is found wherever it stands in a long text."""

import itertools
import json
from collections.abc import Callable, Mapping
from urllib.parse import quote

import pytest
from door_long import LONG, MEGABYTE

from lambda_proxy import decoding, rewriting
from lambda_proxy.canaries import KnownValue, KnownValues
from lambda_proxy.decoding import readings
from lambda_proxy.denial import DeniedError
from lambda_proxy.pieces import _END_BYTES, _of_tokens, pieces
from lambda_proxy.rewriting import REACH_BYTES, percent
from lambda_proxy.writings import View

NEEDLE = b"Zx12Cv34Bn56Mq78Kd90"
KNOWN = KnownValues([KnownValue.of("needle", NEEDLE.decode())])
PROSE = b"It was the best of times, it was the worst of times; and so on. "
FAR = PROSE * (4 * REACH_BYTES // len(PROSE))
ESCAPES: Mapping[str, Callable[[bytes], bytes]] = {
    "percent": lambda data: b"".join(b"%%%02x" % byte for byte in data),
    "JSON": lambda data: "".join(f"\\u{ord(one):04x}" for one in data.decode()).encode(),
    "entities": lambda data: "".join(f"&#{ord(one)};" for one in data.decode()).encode(),
}
WRITERS: Mapping[str, Callable[[bytes], bytes]] = {
    **ESCAPES,
    "tags": lambda data: "<i>".join(data.decode()).encode(),
    "wide": lambda data: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in data.decode()).encode(),
}


def found(text: bytes, reach: int = REACH_BYTES) -> bool:
    return any(KNOWN.any_in(reading) for reading in readings(text, reach))


@pytest.mark.parametrize("names", itertools.product(WRITERS, repeat=2), ids="-".join)
def test_one_kind_over_another_is_read_amid_others(names: tuple[str, str]) -> None:
    data = NEEDLE
    for name in names:
        data = WRITERS[name](data)
    others = b"\n".join([b"%41 \\n <b>bold</b> &amp; 1+1 caf\xc3\xa9 ", FAR] * 3)
    assert found(others + data + b" " + others)
    assert not found(others + others)


@pytest.mark.parametrize("names", itertools.permutations(ESCAPES), ids="-".join)
def test_three_kinds_over_each_other_are_read(names: tuple[str, ...]) -> None:
    data = NEEDLE
    for name in names:
        data = ESCAPES[name](data)
    assert found(FAR + data + FAR)


def test_what_is_hidden_in_the_busiest_megabyte_is_found() -> None:
    text = LONG["Markdown"][1]().encode()[:MEGABYTE]
    half = len(text) // 2
    assert found(text[:half] + quote(json.dumps(WRITERS["JSON"](NEEDLE).decode())).encode() + text[half:])


def test_only_what_lies_near_is_read_again() -> None:
    text = FAR * 9 + b"a%41b" + FAR * 9
    (read,) = [reading[View.RAW] for reading in readings(text)][1:]
    assert b"aAb" in read
    assert 2 * REACH_BYTES <= len(read) <= 4 * REACH_BYTES
    (both,) = percent(text + b"%42" + FAR, REACH_BYTES)
    assert b"aAb" in both
    assert len(both) < 8 * REACH_BYTES
    assert [*percent(FAR, REACH_BYTES)] == [b""]


def test_a_value_between_separators_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of letters and digits as many lie within reach, however far these are from each other."""
    between = b" " * (4 * REACH_BYTES)
    text = FAR + b"%5a" + between.join(bytes([byte]) for byte in NEEDLE[1:]) + b" " + FAR
    assert found(text)
    monkeypatch.setattr(rewriting, "_LETTERS_SHARE", 10**9)
    assert not found(text)


def test_a_long_token_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    token = b"A" * (8 * REACH_BYTES)
    text = FAR + b"%2e" + token + b"." + b" " + FAR
    (read,) = percent(text, REACH_BYTES)
    assert b"." + token + b"." in read
    monkeypatch.setattr(rewriting, "_OF_TOKENS", b"")
    (read,) = percent(text, REACH_BYTES)
    assert token not in read


def test_a_long_value_is_read_as_far_as_it_is_long() -> None:
    value = "".join(f"{n:x} " for n in range(1000, 3000))
    known = KnownValues([KnownValue.of("long", value)])
    text = FAR * 9 + value.encode().replace(b"7d0 ", b"7d%30 ") + FAR * 9
    assert any(known.any_in(reading) for reading in readings(text, 2 * known.longest_bytes))
    assert not any(known.any_in(reading) for reading in readings(text))


def test_the_bounds_still_deny(monkeypatch: pytest.MonkeyPatch) -> None:
    text = FAR + b"%2541" + FAR
    assert len([*readings(text)]) == 3
    for bound, value in (("MAX_READINGS", 2), ("EXPANSION_FLOOR_BYTES", -decoding.MAX_EXPANSION * len(text))):
        with monkeypatch.context() as patch:
            patch.setattr(decoding, bound, value)
            with pytest.raises(DeniedError, match=r"inspect\.limit"):
                list(readings(text))


def test_a_string_without_an_end_goes_on_to_the_end() -> None:
    tail = b'\\"' * 100_000  # looked for from each quote, its end would be looked for in minutes
    values, names, strings = _of_tokens(b'{"a": 1, "b": "' + tail)
    assert (values.partition(b"\n")[0], names, len(strings)) == (b"1" + tail, b"ab", 4)


def test_long_values_are_laid_beside_each_other_by_their_ends() -> None:
    long = (PROSE * (8 * _END_BYTES // len(PROSE))).decode()
    half = len(NEEDLE) // 2
    first, last = long + NEEDLE[:half].decode(), NEEDLE[half:].decode() + long
    body = json.dumps({"first": first, "last": last}).encode()
    laid = pieces(body, "application/json")
    assert NEEDLE in laid
    assert NEEDLE not in body
    assert len(laid) < len(body) / 2
