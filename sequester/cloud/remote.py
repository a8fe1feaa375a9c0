"""The declared-only store of a server, reached over HTTP by every process that uses that server."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.request import Request, urlopen

from sequester.cloud.declared import Record, RecordError

_TIMEOUT_SECONDS = 30


class Remote:
    """A `Store` in the process of `sequester.cloud.server` at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def operate(self, service: str, operation: str, parameters: Record, scope: Mapping[str, str]) -> list[Record]:
        return self._ask("operate", service, operation, parameters, dict(scope))

    def keep(self, thing: str, identity: str, members: Record) -> None:
        self._ask("keep", thing, identity, members)

    def kept(self, thing: str, identity: str) -> Record:
        return self._ask("kept", thing, identity)

    def held(self) -> list[str]:
        return self._ask("held")

    def clear(self) -> None:
        self._ask("clear")

    def _ask(self, method: str, *arguments: object) -> Any:
        body = json.dumps(arguments, default=str).encode()
        request = Request(f"{self._url}/sequester/{method}", data=body, method="POST")  # noqa: S310  our own loopback URL
        with urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
            said = json.load(answer)
        if "code" in said:
            raise RecordError(said["code"], said["message"])
        return said["answer"]
