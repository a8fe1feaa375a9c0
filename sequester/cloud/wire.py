"""The codec between Pulumi's Struct messages and plain dicts, shared by every front end and provider.

On the wire a number is always a float, a secret an envelope, an asset a signed dict and an unknown (preview)
a magic string. Here a whole number is an int, a secret is its value, an asset is an `Asset` and an unknown is
`UNKNOWN`.
Signatures: pulumi/pulumi, sdk/go/common/resource/properties.go, asset/asset.go and archive/archive.go.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

from google.protobuf.struct_pb2 import Struct, Value

from sequester.marks import SIGNATURE, UNKNOWNS
from sequester.marks import UNKNOWN as UNKNOWN_MARK

SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105  a type signature, not a secret
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4"

Plain: TypeAlias = object
"""None, bool, int, float, str, `Asset`, `UNKNOWN`, or a list or dict (with str keys) of these."""
Props: TypeAlias = dict[str, Plain]


class Unknown:
    """The value that will be known only after the resource it comes from exists (preview only)."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


@dataclass(frozen=True)
class Asset:
    """A file (`signature` ASSET) or an archive of files (ARCHIVE) as the program gave it."""

    signature: str
    path: str = ""
    text: str = ""
    members: tuple[tuple[str, "Asset"], ...] = ()

    def content(self) -> bytes:
        """The file's bytes, or the archive as a zip file whose bytes depend on its members only."""
        if self.signature == ASSET:
            return Path(self.path).read_bytes() if self.path else self.text.encode()
        if self.path and Path(self.path).is_file():
            return Path(self.path).read_bytes()
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in sorted(self.files().items()):
                entry = zipfile.ZipInfo(name)
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
        return held.getvalue()

    def files(self) -> dict[str, bytes]:
        """An archive's members by path, nested archives and directories laid out."""
        if self.path:
            root = Path(self.path)
            return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        found: dict[str, bytes] = {}
        for name, member in self.members:
            if member.signature == ASSET:
                found[name] = member.content()
            else:
                found |= {f"{name}/{inner}": content for inner, content in member.files().items()}
        return found


def decode(struct: Struct) -> Props:
    """A Struct as plain values; secrets come out in clear (see `secrets` for which they are)."""
    return {key: _decode(value) for key, value in struct.fields.items()}


def encode(props: Mapping[str, Plain]) -> Struct:
    """Plain values as a Struct; None entries are left out, as the SDKs do."""
    struct = Struct()
    for key, value in props.items():
        if value is not None:
            struct.fields[key].CopyFrom(_encode(value))
    return struct


def secrets(struct: Struct) -> frozenset[str]:
    """The top-level properties that hold a secret, at any depth."""
    return frozenset(key for key, value in struct.fields.items() if _holds_secret(value))


def unknown_anywhere(value: Plain) -> bool:
    """Whether any part of a value is not known yet."""
    if isinstance(value, dict):
        return any(map(unknown_anywhere, cast(Props, value).values()))
    if isinstance(value, list):
        return any(map(unknown_anywhere, cast(list[Plain], value)))
    return isinstance(value, Unknown)


def _holds_secret(value: Value) -> bool:
    match value.WhichOneof("kind"):
        case "struct_value":
            fields = value.struct_value.fields
            marked = SIGNATURE in fields and (
                fields[SIGNATURE].string_value == SECRET
                or (fields[SIGNATURE].string_value == OUTPUT and fields["secret"].bool_value)
            )
            return marked or any(map(_holds_secret, fields.values()))
        case "list_value":
            return any(map(_holds_secret, value.list_value.values))
        case _:
            return False


def _decode(value: Value) -> Plain:
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "string_value":
            return UNKNOWN if value.string_value in UNKNOWNS else value.string_value
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_decode(item) for item in value.list_value.values]
        case "struct_value":
            return _decode_struct(value.struct_value)
        case _:
            return None


def _decode_struct(struct: Struct) -> Plain:
    plain = {key: _decode(value) for key, value in struct.fields.items()}
    match plain.get(SIGNATURE):
        case None:
            return plain
        case s if s == SECRET:
            return plain.get("value")
        case s if s == OUTPUT:
            return plain.get("value", UNKNOWN)
        case s if s == RESOURCE:
            return plain.get("id") or plain.get("urn")
        case s if s in (ASSET, ARCHIVE):
            return _asset(plain)
        case other:
            raise ValueError(f"a value with the signature {other} is of no known kind")


def _asset(plain: Props) -> Asset:
    if plain.get("uri"):
        raise ValueError(f"a remote asset ({plain['uri']}) needs a network: use a file or a string")
    members = cast(dict[str, Asset], plain.get("assets") or {})
    return Asset(
        signature=str(plain[SIGNATURE]),
        path=str(plain.get("path") or ""),
        text=str(plain.get("text") or ""),
        members=tuple(sorted(members.items())),
    )


def _encode(value: Plain) -> Value:
    match value:
        case None:
            return Value(null_value=0)  # pyright: ignore[reportArgumentType]
        case bool():
            return Value(bool_value=value)
        case int() | float():
            return Value(number_value=value)
        case str():
            return Value(string_value=value)
        case Unknown():
            return Value(string_value=UNKNOWN_MARK)
        case Asset():
            return _encode(_asset_envelope(value))
        case list() | tuple():
            encoded = Value()
            encoded.list_value.values.extend(_encode(item) for item in cast(list[Plain], value))
            if not value:
                encoded.list_value.SetInParent()
            return encoded
        case dict():
            encoded = Value()
            encoded.struct_value.SetInParent()
            for key, item in cast(Props, value).items():
                encoded.struct_value.fields[key].CopyFrom(_encode(item))
            return encoded
        case _:
            raise TypeError(f"{type(value).__name__} is no plain value: {value!r}")


def _asset_envelope(asset: Asset) -> Props:
    envelope: Props = {SIGNATURE: asset.signature}
    if asset.path:
        return envelope | {"path": asset.path}
    if asset.signature == ASSET:
        return envelope | {"text": asset.text}
    return envelope | {"assets": {name: _asset_envelope(member) for name, member in asset.members}}
