"""A sink: it listens wherever a technique may aim, and knows which canaries arrived where. Standard library alone."""

import os
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

V4, V4_SECOND, V6 = "192.0.2.1", "203.0.113.1", "2001:db8::1"
"""Reserved for documentation (RFC 5737, RFC 3849)."""
ADDRESSES = (
    *(V4, V4_SECOND, V6, "169.254.169.254", "169.254.170.23", "169.254.170.2", "fd00:ec2::254", "127.0.0.53"),
    *("10.255.0.7", "172.31.255.7", "192.168.255.7"),
)
TCP_PORTS = (22, 25, 53, 80, 443, 853, 8443)
UDP_PORTS = (53, 443, 5353)
READ_SECONDS = 5


_MOST_PATH: Final = 95
"""Of the directory: a UNIX socket's whole path has at most 107 bytes (unix(7))."""


class Sink:
    """Call in a network namespace of its own: it takes low ports on every address. `to`: what techniques are told."""

    def __init__(self, directory: Path) -> None:
        self._received: list[tuple[str, bytearray]] = []
        if len(str(directory)) > _MOST_PATH:
            raise OSError(f"TMPDIR: {directory} is too long for the sink's sockets: set a TMPDIR of fewer characters")
        self._lock = threading.Lock()
        tcp = _tcp(0)
        port = int(tcp.getsockname()[1])
        names = {name: f"sink-{name}-{os.getpid()}" for name in ("stream", "datagram")}
        self.to: dict[str, str | int] = {
            "v4": V4,
            "v4_b": V4_SECOND,
            "v6": V6,
            "port": port,
            "abstract": names["stream"],
            "abstract_datagram": names["datagram"],
            "unix": str(directory / "stream"),
            "unix_datagram": str(directory / "datagram"),
            "engine": str(directory / "docker.sock"),
        }
        self._serve(tcp, f"TCP {port}")
        for number in TCP_PORTS:
            self._serve(_tcp(number), f"TCP {number}")
        for number in (port, *UDP_PORTS):
            self._drain(_udp(number), f"UDP {number}")
        for name in (str(self.to["unix"]), str(self.to["engine"]), "\0" + names["stream"]):
            stream = socket.socket(socket.AF_UNIX)
            stream.bind(name)
            stream.listen(16)
            self._serve(stream, f"UNIX {name!r}")
        for name in (str(self.to["unix_datagram"]), "\0" + names["datagram"]):
            datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            datagrams.bind(name)
            self._drain(datagrams, f"UNIX {name!r}")
        for name in ("unix", "engine", "unix_datagram"):
            Path(str(self.to[name])).chmod(0o777)

    def arrived(self, canary: str) -> str:
        """Where this canary arrived, empty if nowhere."""
        mark = canary.encode()
        with self._lock:
            return next((where for where, data in self._received if mark in data), "")

    def arrivals(self, canaries: Sequence[str]) -> dict[str, str]:
        """Of these canaries, those that arrived, and where."""
        return {canary: where for canary in canaries if (where := self.arrived(canary))}

    def _keep(self, where: str) -> bytearray:
        kept = bytearray()
        with self._lock:
            self._received.append((where, kept))
        return kept

    def _serve(self, listener: socket.socket, where: str) -> None:
        def accept() -> None:
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._read, args=(connection, where), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()

    def _read(self, connection: socket.socket, where: str) -> None:
        kept = self._keep(where)
        with connection:
            connection.settimeout(READ_SECONDS)
            try:
                while data := connection.recv(4096):
                    with self._lock:
                        kept += data
            except OSError:
                return

    def _drain(self, datagrams: socket.socket, where: str) -> None:
        def receive() -> None:
            while True:
                data, sender = datagrams.recvfrom(4096)
                self._keep(where).extend(data)
                if len(data) > 12 and datagrams.family == socket.AF_INET6:  # as a resolver: no such name
                    datagrams.sendto(data[:2] + b"\x81\x83" + data[4:], sender)

        threading.Thread(target=receive, daemon=True).start()


def _tcp(port: int) -> socket.socket:
    return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)


def _udp(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    made.bind(("::", port))
    return made
