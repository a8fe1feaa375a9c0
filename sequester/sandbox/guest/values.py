"""The code's `data` and `result` as JSON, by the json package's C half: the package itself costs 5 ms to import."""

import _json


class _AsPlain:
    """What _json.make_scanner asks of a decoder: every kind as plain Python has it."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo: dict[str, str] = {}  # noqa: RUF012 (the scanner's own; one decoding a process)


def decode(raw: bytes) -> object:
    """The agent's data, which its json.dumps wrote."""
    scanner = _json.make_scanner(_AsPlain)  # pyright: ignore[reportArgumentType] (anything with these attributes)
    return scanner(raw.decode(), 0)[0]


def encode(value: object) -> bytes:
    """Strict JSON; TypeError, ValueError or RecursionError where `value` is none."""
    sort_keys = skip_keys = allow_nan = False
    encoder = _json.make_encoder(
        {}, _refuse, _json.encode_basestring_ascii, None, ":", ",", sort_keys, skip_keys, allow_nan
    )
    return "".join(encoder(value, 0)).encode()


def _refuse(value: object) -> object:
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
