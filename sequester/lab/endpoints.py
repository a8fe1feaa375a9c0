"""What answers at the addresses of AWS's services in a lab: TLS for their names, and a record of every request.

Whoever wants more behind a service (a door) gives it an answer; a whole server is put there with `World.attach`.
"""

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import trustme

from sequester.lab.namespaces import Namespace
from sequester.lab.serving import Servers
from sequester.lab.sink import Certificates

_REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
_LONGEST_BYTES = 1 << 22
TOKEN = "lab-token"  # noqa: S105 (a marker that shows where it came from, no secret)
CREDENTIALS = b'{"AccessKeyId":"lab-key-of-the-node","SecretAccessKey":"lab-value","Token":"lab-session"}'


@dataclass
class Call:
    """A request that reached a service's address. `data` is what was sent, decrypted."""

    at: float
    service: str
    source: str
    server_name: str = ""
    data: bytes = b""


@dataclass
class Services:
    """`calls` in order."""

    authority: trustme.CA
    calls: list[Call] = field(default_factory=list[Call])
    answers: dict[str, Callable[[bytes], bytes]] = field(default_factory=dict[str, Callable[[bytes], bytes]])
    """By the name of the place: what it makes of a request. Without one it refuses everything."""

    def tls(self, namespace: Namespace, address: str, service: str, servers: Servers) -> None:
        """An API: that a request arrived is what counts, unless somebody gave it an answer."""
        certificates = Certificates(self.authority, f"{service}.example")

        def serve(connection: socket.socket, peer: tuple[str, int]) -> None:
            call = Call(time.time(), service, peer[0])
            self.calls.append(call)
            with certificates.wrapped(connection, lambda name: setattr(call, "server_name", name)) as speaking:
                call.data = _request(speaking)
                answer = self.answers.get(service)
                speaking.sendall(answer(call.data) if answer else _REFUSED)

        servers.tcp(namespace, address, 443, serve)

    def metadata(self, namespace: Namespace, address: str, service: str, servers: Servers) -> None:
        """Instance metadata, version 2: a token by PUT, then credentials for whoever shows it."""

        def serve(connection: socket.socket, peer: tuple[str, int]) -> None:
            call = Call(time.time(), service, peer[0])
            self.calls.append(call)
            call.data = _request(connection)
            if call.data.startswith(b"PUT /latest/api/token"):
                connection.sendall(ok(TOKEN.encode()))
            elif TOKEN.encode() in call.data:
                connection.sendall(ok(CREDENTIALS))
            else:
                connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        servers.tcp(namespace, address, 80, serve)


def _request(connection: socket.socket) -> bytes:
    """Headers, and as much of the body as they state."""
    data = b""
    while b"\r\n\r\n" not in data and len(data) < _LONGEST_BYTES and (more := connection.recv(1 << 16)):
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        key, _, value = line.partition(b":")
        if key.lower() == b"content-length":
            with suppress(ValueError):
                length = min(int(value), _LONGEST_BYTES)
    while len(body) < length and (more := connection.recv(1 << 16)):
        body += more
        data += more
    return data


def ok(body: bytes) -> bytes:
    """A whole response."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body)
