"""The credentials that the door owns: put into requests for their host, and never let back out."""

import base64
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from .canaries import KnownValue, forms
from .config import Configuration
from .denial import DeniedError
from .inspection import Known
from .respond import Response

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

FRESH_SECONDS: Final = 300.0
_TAIL_CHARACTERS: Final = 6


@dataclass(frozen=True)
class Keyring:
    """What one configuration's secrets hold: header and value for each host, and all the values to look for."""

    headers: Mapping[str, tuple[str, str]]
    known: Known
    values: tuple[bytes, ...]

    def refuse_echo(self, response: Response) -> None:
        """Raises DeniedError(response.credential) if a credential comes back, plain, encoded or cut off at the end."""
        if not self.values:
            return
        text = (
            "\n".join(f"{name}: {value}" for name, value in response.headers.items()).encode() + b"\n" + response.body
        )
        plain, bare = forms(text)
        if any(value.whole_in(plain, bare) for value in self.known.credentials):
            raise DeniedError("response.credential")
        for value in self.values:
            if any(writing in text for writing in _writings(value)):
                raise DeniedError("response.credential")
            if response.truncated and any(
                response.body.endswith(value[:n]) for n in range(_TAIL_CHARACTERS, len(value))
            ):
                raise DeniedError("response.credential")


def _writings(value: bytes) -> Iterable[bytes]:
    """A value in hex, percent-encoded, and in base64 at each alignment without the characters at its edges."""
    yield value.hex().encode()
    yield value.hex().upper().encode()
    yield quote(value, safe="").encode()
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + value)[-(-shift * 8 // 6) :].rstrip(b"=")[:-1]
        yield encoded
        yield encoded.translate(bytes.maketrans(b"+/", b"-_"))


class SecretSource:
    """Secrets by name, kept for FRESH_SECONDS."""

    def __init__(
        self, secrets: "Callable[[], SecretsManagerClient]", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._secrets, self._clock = secrets, clock
        self._kept: tuple[str, float, Keyring] | None = None

    def keyring(self, configuration: Configuration) -> Keyring:
        """Raises DeniedError(door.credential) if any secret cannot be had, or is too short to be looked for."""
        now = self._clock()
        if self._kept is not None:
            digest, at, keyring = self._kept
            if digest == configuration.digest and now - at < FRESH_SECONDS:
                return keyring
        try:
            keyring = self._read(configuration)
        except (BotoCoreError, ClientError, ValueError, KeyError) as error:
            raise DeniedError("door.credential") from error
        self._kept = (configuration.digest, now, keyring)
        return keyring

    def _read(self, configuration: Configuration) -> Keyring:
        values = {host: self._value(credential.secret) for host, credential in configuration.credentials.items()}
        canaries: dict[str, str] = {}
        if configuration.canaries is not None:
            canaries = cast("dict[str, str]", json.loads(self._value(configuration.canaries)))
        return Keyring(
            headers={
                host: (credential.header, credential.prefix + values[host])
                for host, credential in configuration.credentials.items()
            },
            known=Known(
                canaries=tuple(KnownValue.of(name, value) for name, value in canaries.items()),
                credentials=tuple(KnownValue.of(host, value) for host, value in values.items()),
            ),
            values=tuple(value.encode() for value in values.values()),
        )

    def _value(self, name: str) -> str:
        return self._secrets().get_secret_value(SecretId=name)["SecretString"].strip()
