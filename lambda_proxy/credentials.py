"""The credentials that the door owns: put into requests for their host, and never let back out."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from .canaries import KnownValue
from .config import Configuration
from .denial import DeniedError, denying
from .inspection import Known
from .respond import Response
from .writings import Views

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
        if self.known.credentials.any_in(Views(text)):
            raise DeniedError("response.credential")
        for value in self.values:
            if response.truncated and any(
                response.body.endswith(value[:n]) for n in range(_TAIL_CHARACTERS, len(value))
            ):
                raise DeniedError("response.credential")


class SecretSource:
    """Secrets by name, kept for FRESH_SECONDS."""

    def __init__(
        self, secrets: "Callable[[], SecretsManagerClient]", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._secrets, self._clock = secrets, clock
        self._kept: tuple[str, float, Keyring] | None = None
        self._last_known: tuple[tuple[tuple[tuple[str, str], ...], ...], Known] | None = None

    def keyring(self, configuration: Configuration) -> Keyring:
        """Raises DeniedError(door.credential) if any secret cannot be had, or is too short to be looked for."""
        now = self._clock()
        if self._kept is not None:
            digest, at, keyring = self._kept
            if digest == configuration.digest and now - at < FRESH_SECONDS:
                return keyring
        with denying("door.credential"):
            keyring = self._read(configuration)
        self._kept = (configuration.digest, now, keyring)
        return keyring

    def _read(self, configuration: Configuration) -> Keyring:
        values = {
            host: _sendable(self._value(credential.secret)) for host, credential in configuration.credentials.items()
        }
        canaries: dict[str, str] = {}
        if configuration.canaries is not None:
            canaries = _canaries(self._value(configuration.canaries))
        return Keyring(
            headers={
                host: (credential.header, credential.prefix + values[host])
                for host, credential in configuration.credentials.items()
            },
            known=self._known(canaries, values),
            values=tuple(value.encode() for value in values.values()),
        )

    def _known(self, canaries: Mapping[str, str], credentials: Mapping[str, str]) -> Known:
        """The last one again if the values are the same: to write each in all ways takes milliseconds."""
        found = tuple(tuple(values.items()) for values in (canaries, credentials))
        if self._last_known is None or self._last_known[0] != found:
            known = Known.of(*([KnownValue.of(name, value) for name, value in values] for values in found))
            self._last_known = found, known
        return self._last_known[1]

    def _value(self, name: str) -> str:
        return self._secrets().get_secret_value(SecretId=name)["SecretString"].strip()


def _canaries(text: str) -> dict[str, str]:
    """The canaries by name. Raises ValueError if the secret holds anything else."""
    found = json.loads(text)
    if not isinstance(found, dict) or not all(
        isinstance(value, str) for value in cast("dict[str, object]", found).values()
    ):
        raise ValueError("the canaries' secret is no JSON object of texts")
    return cast("dict[str, str]", found)


def _sendable(value: str) -> str:
    """Raises ValueError for a credential that no header can carry: of several lines, or not ASCII."""
    if not value.isascii() or not value.isprintable():
        raise ValueError("a credential is one line of ASCII")
    return value
