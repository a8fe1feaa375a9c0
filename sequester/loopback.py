"""A real TLS server on loopback in the place of the internet, and the door's way to it.

Nothing here can be reached by a setting of a deployed function: who wants it composes a door with it in code.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import trustme

from lambda_proxy.addresses import is_special
from lambda_proxy.connect import Internet, Resolve, public_tls

LOOPBACK: Final = "127.0.0.1"

Reply = bytes | Iterable[bytes] | Callable[[bytes], bytes | Iterable[bytes]]
"""What an upstream sends: all at once, in pieces, or either by what it was asked."""


def http(
    body: bytes = b"ok", status: str = "200 OK", headers: Mapping[str, str] | Sequence[tuple[str, str]] = ()
) -> bytes:
    """A well-formed answer."""
    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in pairs)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Upstream:
    """A TLS server on loopback that keeps what reaches it and answers by script; `with` starts and stops it.

    names: what its certificate says. Without any, it has one for whatever name is asked for.
    """

    def __init__(self, authority: trustme.CA, names: Sequence[str] = (), address: str = LOOPBACK) -> None:
        self.reply: Reply = http()
        self.connections = 0
        self.received: list[bytes] = []
        self._authority = authority
        self._issued: dict[str, ssl.SSLContext] = {}
        self.tls = self._certified(*(names or ("localhost",)))
        if not names:
            self.tls.sni_callback = self._as_named
        self._listener = socket.create_server((address, 0))
        self.port = int(self._listener.getsockname()[1])
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def _certified(self, *names: str) -> ssl.SSLContext:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*names).configure_cert(tls)  # pyright: ignore[reportUnknownMemberType]
        return tls

    def _as_named(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name:
            connection.context = self._issued.setdefault(name, self._issued.get(name) or self._certified(name))

    def __enter__(self) -> "Upstream":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._listener.close()
        self._thread.join(5)

    def reset(self) -> None:
        self.reply, self.connections, self.received = http(), 0, []

    def _accept(self) -> None:
        self._listener.settimeout(0.2)
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(10)
        try:
            with self.tls.wrap_socket(plain, server_side=True) as connection:
                request = self._read(connection)
                self.received.append(request)
                reply = self.reply(request) if callable(self.reply) else self.reply
                for piece in [reply] if isinstance(reply, bytes) else reply:
                    connection.sendall(piece)
                    if self._closing.is_set():
                        return
                connection.unwrap()
        except (OSError, ValueError):
            plain.close()

    @staticmethod
    def _read(connection: ssl.SSLSocket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return data
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        while len(body) < length:
            piece = connection.recv(65536)
            if not piece:
                break
            body += piece
        return head + b"\r\n\r\n" + body


def loopback_is_public(address: str) -> bool:
    """The address policy with one exception: the upstream's own address."""
    return address != LOOPBACK and is_special(address)


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """The door's own TLS settings, and one root more."""
    tls = public_tls()
    authority.configure_trust(tls)  # pyright: ignore[reportUnknownMemberType]
    return tls


def every_name(host: str, port: int) -> Sequence[str]:
    """Every name leads to the upstream."""
    del host, port
    return [LOOPBACK]


def leading_to(
    upstream: Upstream, tls: ssl.SSLContext, resolve: Resolve = every_name, seconds: float = 20.0
) -> Internet:
    """An internet that is one server: the door differs from a deployed one in these values and in nothing else."""

    def dial(address: tuple[str, int], timeout: float) -> socket.socket:
        if address[0] != LOOPBACK:
            raise AssertionError(f"the door dialled {address}")
        return socket.create_connection((LOOPBACK, upstream.port), timeout)

    return Internet(resolve=resolve, refuse=loopback_is_public, tls=tls, dial=dial, seconds=seconds)
