"""Seals a report: SHA-256 over every byte before the seal, signed by an Ed25519 key of a file, or by a key of AWS KMS.

The seal is the last line of the file: a comment in HTML, a member of the JSON. Any other byte that changes breaks it.
Without a signature it only shows accidents: whoever changes the file can make the digest anew.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

_FORMAT: Final = "sequester-seal-1"
_HTML: Final = re.compile(rb"<!-- (\{[^\n]*\}) -->\n\Z")
_JSON: Final = re.compile(rb',\n"seal": (\{[^\n]*\})\n\}\n\Z')


class SealError(ValueError):
    """No seal, a broken one, or a key that cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Seal:
    """public_key (SubjectPublicKeyInfo) and signature in hex; algorithm: `Ed25519`, `ECDSA_SHA_256`, or empty."""

    sha256: str
    content: str
    """SHA-256 of the report as canonical JSON: the same in a page and in its JSON."""
    algorithm: str = ""
    public_key: str = ""
    signature: str = ""
    format: str = _FORMAT

    @property
    def fingerprint(self) -> str:
        """Of the key that signed, as `openssl pkey -pubin -outform DER | sha256sum` prints it; empty if nobody did."""
        return _fingerprint(self.public_key) if self.public_key else ""


class Signer(Protocol):
    """Signs a SHA-256 digest, as a message of its own."""

    algorithm: str
    public_key: str

    def sign(self, digest: bytes) -> bytes: ...


class FileKey:
    """An Ed25519 private key in a PEM file."""

    algorithm = "Ed25519"

    def __init__(self, path: Path) -> None:
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise SealError(f"{path}: is no private key ({error}): make one by `sequester report key {path}`") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise SealError(f"{path}: is no Ed25519 key: make one by `sequester report key {path}`")
        self._key = key
        self.public_key = _spki(key.public_key())

    def sign(self, digest: bytes) -> bytes:
        return self._key.sign(digest)


class KmsKey:
    """An asymmetric KMS key for signing, of the spec ECC_NIST_P256; it never leaves KMS."""

    algorithm = "ECDSA_SHA_256"

    def __init__(self, key: str, kms: "KMSClient") -> None:
        self._id, self._kms = key, kms
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            told = kms.get_public_key(KeyId=key)
        except (BotoCoreError, ClientError) as error:
            raise SealError(f"--kms {key}: {error}: name a key for SIGN_VERIFY that you may use") from None
        found = serialization.load_der_public_key(told["PublicKey"])
        if not (isinstance(found, ec.EllipticCurvePublicKey) and isinstance(found.curve, ec.SECP256R1)):
            raise SealError(f"--kms {key}: is another kind of key: use one of the spec ECC_NIST_P256")
        self.public_key = told["PublicKey"].hex()

    @classmethod
    def of_environment(cls, key: str) -> "KmsKey":
        """By the region and credentials that AWS's own tools would use. Raises SealError if there are none."""
        import boto3
        from botocore.exceptions import BotoCoreError

        try:
            client = boto3.client("kms")  # pyright: ignore[reportUnknownMemberType]
        except BotoCoreError as error:
            raise SealError(f"--kms {key}: {error} Set AWS_DEFAULT_REGION and credentials, or AWS_PROFILE") from None
        return cls(key, client)

    def sign(self, digest: bytes) -> bytes:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            told = self._kms.sign(KeyId=self._id, Message=digest, MessageType="RAW", SigningAlgorithm="ECDSA_SHA_256")
        except (BotoCoreError, ClientError) as error:
            raise SealError(f"--kms {self._id}: {error}: name a key that you may sign by") from None
        return told["Signature"]


def new_key(path: Path) -> Path:
    """A new Ed25519 key: the private part at `path`, readable by its owner only, the public one beside it as `.pub`."""
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = path.with_name(f"{path.name}.pub")
    if path.exists() or public.exists():
        raise SealError(f"{path}: is there already: choose another name")
    path.touch(mode=0o600)
    path.write_bytes(secret)
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return public


def fingerprint_of(signer: Signer) -> str:
    """Of the key that a signer signs with."""
    return _fingerprint(signer.public_key)


def _fingerprint(public_key: str) -> str:
    return hashlib.sha256(bytes.fromhex(public_key)).hexdigest()


def content_digest(report: Mapping[str, object]) -> str:
    """SHA-256 of a report's JSON, keys sorted, without spaces."""
    return hashlib.sha256(json.dumps(report, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def sealed_html(page: str, content: str, signer: Signer | None) -> bytes:
    """The page with its seal as a comment behind it."""
    body = page.rstrip("\n").encode() + b"\n"
    return body + f"<!-- {_line(_seal(body, content, signer))} -->\n".encode()


def sealed_json(report: Mapping[str, object], signer: Signer | None) -> bytes:
    """The report as indented JSON, with its seal as the last member."""
    body = json.dumps(report, sort_keys=True, indent=1).removesuffix("\n}").encode()
    return body + f',\n"seal": {_line(_seal(body, content_digest(report), signer))}\n}}\n'.encode()


def _seal(body: bytes, content: str, signer: Signer | None) -> Seal:
    digest = hashlib.sha256(body + content.encode()).digest()
    if signer is None:
        return Seal(digest.hex(), content)
    return Seal(digest.hex(), content, signer.algorithm, signer.public_key, signer.sign(digest).hex())


def _line(seal: Seal) -> str:
    return json.dumps(asdict(seal), sort_keys=True)


def verify(sealed: bytes) -> Seal:
    """The seal, if every byte is as it was sealed and the signature, if any, is its key's. Raises SealError.

    Whose key that is, is for the caller to compare: a changed report can carry another's.
    """
    found = _HTML.search(sealed) or _JSON.search(sealed)
    if not found:
        raise SealError("has no seal at its end: it is cut off, or no report of `sequester report`")
    try:
        told = json.loads(found[1])
        seal = Seal(**told)
    except (ValueError, TypeError):
        raise SealError("its seal cannot be read: it was changed") from None
    if seal.format != _FORMAT or _line(seal).encode() != found[1]:
        raise SealError("its seal is not of this format: it was changed, or another version made it")
    body = sealed[: found.start()]
    digest = hashlib.sha256(body + seal.content.encode()).digest()
    if digest.hex() != seal.sha256:
        raise SealError("was changed after it was sealed: the digest differs")
    if body.startswith(b"{"):
        _same_content(body, seal)
    if seal.algorithm or seal.signature or seal.public_key:
        _signed(seal, digest)
    return seal


def _same_content(body: bytes, seal: Seal) -> None:
    if content_digest(json.loads(body + b"\n}")) != seal.content:
        raise SealError("its content is not what the seal says: it was changed")


def _signed(seal: Seal, digest: bytes) -> None:
    try:
        _by_its_key(seal, digest)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        raise SealError("its signature is not that of the key that it names") from None


def _by_its_key(seal: Seal, digest: bytes) -> None:
    key, signature = serialization.load_der_public_key(_exact(seal.public_key)), _exact(seal.signature)
    match seal.algorithm, key:
        case "Ed25519", Ed25519PublicKey():
            key.verify(signature, digest)
        case "ECDSA_SHA_256", ec.EllipticCurvePublicKey():
            key.verify(signature, digest, ec.ECDSA(hashes.SHA256()))
        case _:
            raise InvalidSignature


def _exact(text: str) -> bytes:
    """Bytes of hex that is written in one way only, so that no other text means the same."""
    found = bytes.fromhex(text)
    if found.hex() != text:
        raise ValueError(text)
    return found


def fingerprint(path: Path) -> str:
    """Of a public key in a PEM file. Raises SealError."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise SealError(f"{path}: is no public key in PEM ({error})") from None
    return hashlib.sha256(_der(key)).hexdigest()


def _der(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _spki(key: PublicKeyTypes) -> str:
    return _der(key).hex()
