"""Step 6: resolve once, refuse what is not public, connect to that very address, and speak TLS to the name.

Nothing of the environment takes part: no proxy variables, no netrc, no key log, no name but the one that was allowed.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from .addresses import is_special
from .denial import DeniedError
from .parse import Target

RESOLVE_SECONDS: Final = 3.0
CONNECT_SECONDS: Final = 3.0

Resolve = Callable[[str, int], Sequence[str]]
"""(host, port) -> every address, numeric. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in time (time.monotonic) by which the whole fetch must be over."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        return cls(time.monotonic() + seconds)

    def left(self, at_most: float = float("inf")) -> float:
        """Seconds left; raises TimeoutError when there are none."""
        left = min(self.at - time.monotonic(), at_most)
        if left <= 0:
            raise TimeoutError
        return left


def system_resolve(host: str, port: int) -> Sequence[str]:
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(sockaddr[0]) for _, _, _, _, sockaddr in answers]


def public_tls() -> ssl.SSLContext:
    """TLS 1.2 or later, the system's roots, the name checked; no SSLKEYLOGFILE, unlike create_default_context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    context.set_alpn_protocols(["http/1.1"])
    return context


@dataclass(frozen=True, slots=True)
class Internet:
    """How the door reaches upstreams. A deployed function uses `Internet.public()` and has no way to say otherwise."""

    resolve: Resolve
    refuse: Callable[[str], bool]
    tls: ssl.SSLContext
    dial: Callable[[tuple[str, int], float], socket.socket] = socket.create_connection
    seconds: float = 20.0
    """For one fetch with all its redirects."""

    @classmethod
    def public(cls) -> "Internet":
        return cls(resolve=system_resolve, refuse=is_special, tls=public_tls())

    def addresses(self, target: Target, deadline: Deadline) -> list[str]:
        """Every address of the target, none of them special; IPv4 first, since Lambda has no IPv6 way out.

        Raises DeniedError(resolve.*).
        """
        if target.is_address:
            found: Sequence[str] = [target.host]
        else:
            found = self._resolve_in_time(target, deadline)
        if not found:
            raise DeniedError("resolve.failed")
        if any(map(self.refuse, found)):
            raise DeniedError("resolve.special")
        return sorted(dict.fromkeys(found), key=lambda address: ":" in address)

    def _resolve_in_time(self, target: Target, deadline: Deadline) -> Sequence[str]:
        """getaddrinfo has no timeout of its own: it runs aside, and is left behind when it is too slow."""
        found: list[Sequence[str]] = []

        def ask() -> None:
            try:
                found.append(self.resolve(target.host, target.port))
            except (OSError, UnicodeError):
                found.append(())

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        try:
            asking.join(deadline.left(RESOLVE_SECONDS))
        except TimeoutError as error:
            raise DeniedError("resolve.failed") from error
        return found[0] if found else ()

    def connect(self, target: Target, address: str, deadline: Deadline) -> ssl.SSLSocket:
        """A TLS connection to `address`, verified for the target's host. Raises DeniedError(connect.*)."""
        try:
            plain = self.dial((address, target.port), deadline.left(CONNECT_SECONDS))
        except OSError as error:
            raise DeniedError("connect.failed") from error
        try:
            return self._verified(plain, target, address, deadline)
        except (ssl.SSLError, ssl.CertificateError) as error:
            plain.close()
            raise DeniedError("connect.tls") from error
        except OSError as error:
            plain.close()
            raise DeniedError("connect.failed") from error
        except DeniedError:
            plain.close()
            raise

    def _verified(self, plain: socket.socket, target: Target, address: str, deadline: Deadline) -> ssl.SSLSocket:
        if plain.getpeername()[0] != address:
            raise DeniedError("connect.peer")
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.settimeout(deadline.left(CONNECT_SECONDS))
        # A ragged end is an error here: without it, whoever cuts the connection could shorten an answer.
        return self.tls.wrap_socket(plain, server_hostname=target.host, suppress_ragged_eofs=False)
