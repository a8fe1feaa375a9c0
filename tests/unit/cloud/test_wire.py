"""The codec: what goes onto the wire comes back, and what the wire adds is taken away."""

import io
import zipfile
from pathlib import Path

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sequester import marks
from sequester.cloud import wire
from sequester.cloud.wire import ARCHIVE, ASSET, UNKNOWN, Asset
from sequester.marks import SIGNATURE

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault of the codec
@given(st.dictionaries(st.text(max_size=8), PLAIN.filter(lambda value: value is not None), max_size=4))
def test_plain_values_come_back(props: dict[str, object]) -> None:
    assert wire.decode(wire.encode(props)) == props


def test_a_whole_number_is_an_int_and_an_unknown_stays_unknown() -> None:
    struct = Struct()
    struct.update({"port": 443.0, "ratio": 0.5, "id": marks.UNKNOWN})
    decoded = wire.decode(struct)
    assert repr(decoded["port"]) == "443"
    assert decoded["ratio"] == 0.5
    assert decoded["id"] is UNKNOWN
    assert wire.unknown_anywhere({"deep": [{"x": UNKNOWN}]})
    assert not wire.unknown_anywhere({"deep": [{"x": 1}]})
    assert wire.decode(wire.encode(decoded)) == decoded


def test_a_secret_comes_out_in_clear_and_its_property_is_named() -> None:
    struct = Struct()
    struct.update(
        {"a": {SIGNATURE: wire.SECRET, "value": "hush"}, "b": {"deep": [{SIGNATURE: wire.SECRET, "value": 1}]}}
    )
    struct.update({"c": "plain"})
    assert wire.decode(struct) == {"a": "hush", "b": {"deep": [1]}, "c": "plain"}
    assert wire.secrets(struct) == {"a", "b"}


def test_an_archive_is_the_same_bytes_each_time_and_holds_its_members(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "deep.py").write_text("deep")
    archive = Asset(
        ARCHIVE,
        members=(
            ("door.py", Asset(ASSET, text="door")),
            ("lib", Asset(ARCHIVE, path=str(tmp_path / "folder"))),
        ),
    )
    assert archive.content() == archive.content()
    with zipfile.ZipFile(io.BytesIO(archive.content())) as held:
        assert {name: held.read(name) for name in held.namelist()} == {"door.py": b"door", "lib/deep.py": b"deep"}
    assert wire.decode(wire.encode({"code": archive})) == {"code": archive}


def test_a_remote_asset_and_an_unknown_signature_are_refused() -> None:
    for value, words in (
        ({SIGNATURE: ASSET, "uri": "https://example.test"}, "network"),
        ({SIGNATURE: "x"}, "signature"),
    ):
        struct = Struct()
        struct.update({"a": value})
        with pytest.raises(ValueError, match=words):
            wire.decode(struct)
