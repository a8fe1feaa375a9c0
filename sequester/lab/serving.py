"""Small servers in namespaces: threads of this process, on sockets that were made inside."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from sequester.lab.namespaces import LabError, Namespace

Connection: TypeAlias = Callable[[socket.socket, tuple[str, int]], None]
Datagram: TypeAlias = Callable[[bytes, tuple[str, int]], bytes | None]
"""The answer, or None."""
_IDLE_SECONDS = 5.0
_JOIN_SECONDS = 10.0


class Servers:
    """What listens in a world. `close` ends all of it."""

    def __init__(self) -> None:
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closed = False

    def tcp(self, namespace: Namespace, address: str, port: int, serve: Connection) -> None:
        """`serve` has each connection in a thread of its own; it may raise OSError, which ends the connection."""
        listening = self._socket(namespace, address, port, socket.SOCK_STREAM)
        listening.listen(64)
        self._thread(self._accept, listening, serve)

    def udp(self, namespace: Namespace, address: str, port: int, answer: Datagram) -> None:
        self._thread(self._receive, self._socket(namespace, address, port, socket.SOCK_DGRAM), answer)

    def relay(self, namespace: Namespace, address: str, port: int, to: tuple[str, int]) -> None:
        """What connects there speaks with a server of this machine's own loopback."""
        self.tcp(namespace, address, port, lambda connection, _: self._splice(connection, to))

    def run(self, target: Callable[..., None], *arguments: object) -> None:
        self._thread(target, *arguments)

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        with self._lock:
            self._closed = True
            those = list(self._sockets)
        for one in those:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in list(self._threads):
            thread.join(_JOIN_SECONDS)

    def _socket(self, namespace: Namespace, address: str, port: int, kind: socket.SocketKind) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with namespace.inside():
            made = socket.socket(family, kind)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((address, port))
        except OSError as error:
            made.close()
            raise LabError(f"{namespace.name}: nothing can listen on {address} port {port}: {error}") from error
        made.settimeout(0.2)
        self._keep(made)
        return made

    def _keep(self, one: socket.socket) -> None:
        with self._lock:
            self._sockets.add(one)

    def _drop(self, one: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(one)
        one.close()

    def _thread(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listening: socket.socket, serve: Connection) -> None:
        while not self._closed:
            try:
                connection, peer = listening.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self._keep(connection)
            self._thread(self._serve, connection, peer[:2], serve)

    def _serve(self, connection: socket.socket, peer: tuple[str, int], serve: Connection) -> None:
        connection.settimeout(_IDLE_SECONDS)
        with suppress(OSError):
            serve(connection, peer)
        self._drop(connection)

    def _receive(self, listening: socket.socket, answer: Datagram) -> None:
        while not self._closed:
            try:
                data, peer = listening.recvfrom(1 << 16)
            except TimeoutError:
                continue
            except OSError:
                return
            said = answer(data, peer[:2])
            if said is not None:
                with suppress(OSError):
                    listening.sendto(said, peer)

    def _splice(self, connection: socket.socket, to: tuple[str, int]) -> None:
        with socket.create_connection(to, timeout=_IDLE_SECONDS) as far:
            for one in (connection, far):
                one.settimeout(None)
            self._keep(far)
            back = threading.Thread(target=_copy, args=(far, connection), daemon=True)
            back.start()
            _copy(connection, far)
            back.join()
        with self._lock:
            self._sockets.discard(far)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
