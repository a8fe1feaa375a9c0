"""The internet of a lab: it answers every address, protocol and port, and keeps every byte that arrives."""

import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from typing import Any, cast

import trustme

from sequester.lab import dns
from sequester.lab.headers import headers
from sequester.lab.namespaces import Namespace
from sequester.lab.parts import Space
from sequester.lab.serving import Servers

_OWN4, _OWN6 = "198.18.0.1", "2001:db8:ffff::1"
_TCP_PORT, _UDP_PORT = 9000, 9001
_ETH_P_ALL, _OUTGOING, _SO_RCVBUFFORCE = 3, 4, 33
_SO_ORIGINAL_DST = 80
_HANDSHAKE = 0x16
_LONGEST_BYTES = 1 << 22
_METHODS = (b"GET ", b"POST ", b"PUT ", b"HEAD ", b"DELETE ", b"PATCH ", b"OPTIONS ")
UPSTREAM = "203.0.113.10"
"""What names on the internet resolve to."""
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nsink"


@dataclass
class Arrival:
    """What arrived: one packet (`kind` "packet"), or what a connection said (`tcp`, `tls`: in clear, `dns`: a name)."""

    at: float
    kind: str
    source: str
    target: str
    protocol: int
    port: int
    data: bytes
    server_name: str = ""


@dataclass
class Sink:
    """What has arrived, in order. A canary is found in packets, in what connections said (decrypted), and in names."""

    authority: trustme.CA = field(default_factory=trustme.CA)
    _arrivals: list[Arrival] = field(default_factory=list[Arrival], init=False)
    _watcher: socket.socket | None = field(default=None, init=False)
    _reading: threading.Lock = field(default_factory=threading.Lock, init=False)

    @property
    def arrivals(self) -> list[Arrival]:
        # An answer can be back before the watching thread has run; the kernel queued the packet before it was answered.
        self._read()
        return list(self._arrivals)

    def saw(self, canary: bytes) -> list[Arrival]:
        return [one for one in self.arrivals if canary in one.data]

    def since(self, mark: float) -> list[Arrival]:
        return [one for one in self.arrivals if one.at >= mark]

    def listen(self, namespace: Namespace, servers: Servers) -> None:
        """Starts to answer and to record. The namespace has been prepared by `prepare`."""
        with namespace.inside():
            watcher = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        watcher.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 25)
        watcher.settimeout(0)
        self._watcher = watcher
        servers.run(self._watch, watcher, servers)
        contexts = Certificates(self.authority)
        for address in (_OWN4, _OWN6):
            servers.tcp(namespace, address, _TCP_PORT, lambda c, peer: self._converse(c, peer, contexts))
            servers.udp(namespace, address, _UDP_PORT, self._datagram)

    def name(self, name: str, source: str) -> None:
        """A query that a resolver passed on to the internet."""
        self._arrivals.append(Arrival(time.time(), "dns", source, "", 17, 53, name.encode()))

    def _watch(self, watcher: socket.socket, servers: Servers) -> None:
        """Reads before the socket's buffer can be full, however long nobody asks."""
        ready = select.poll()
        ready.register(watcher, select.POLLIN)
        while not servers.closed:
            if ready.poll(200):
                self._read()
        with self._reading:
            self._watcher = None
            watcher.close()

    def _read(self) -> None:
        """Records every packet that the kernel holds for the watcher."""
        with self._reading:
            while self._watcher:
                try:
                    data, (device, _, kind, *_) = self._watcher.recvfrom(1 << 16)
                except BlockingIOError:
                    return
                seen = headers(data)
                if kind == _OUTGOING or seen is None or device == "lo" or seen.target.startswith("ff"):
                    continue  # multicast is the links' own
                self._arrivals.append(
                    Arrival(time.time(), "packet", seen.source, seen.target, seen.protocol, seen.port, seen.data)
                )

    def _converse(self, connection: socket.socket, peer: tuple[str, int], contexts: "Certificates") -> None:
        target, port = original_target(connection)
        arrival = Arrival(time.time(), "tcp", peer[0], target, 6, port, b"")
        self._arrivals.append(arrival)
        speaking = connection
        first = connection.recv(1, socket.MSG_PEEK)
        if first and first[0] == _HANDSHAKE:
            arrival.kind = "tls"
            speaking = contexts.wrapped(connection, lambda name: setattr(arrival, "server_name", name))
        with speaking:
            answered = False
            while len(arrival.data) < _LONGEST_BYTES and (data := speaking.recv(1 << 16)):
                arrival.data += data
                if not answered:
                    answered = True
                    speaking.sendall(_ANSWER if arrival.data.startswith(_METHODS) else data)

    def _datagram(self, data: bytes, peer: tuple[str, int]) -> bytes:
        asked = dns.question(data)
        if asked is None:
            return data
        self.name(asked.name, peer[0])
        return dns.address(asked, UPSTREAM)


class Certificates:
    """TLS for any name that is asked for, under the lab's own authority."""

    def __init__(self, authority: trustme.CA, *names: str) -> None:
        self._authority, self._names = authority, names or ("sink.example",)
        self._known: dict[str, ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def wrapped(self, connection: socket.socket, named: Callable[[str], None]) -> ssl.SSLSocket:
        """The server's side; `named` is told the name that the client asked for."""

        def choose(side: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            if name:
                named(name)
                side.context = self._context(name)

        fresh = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._issue(self._names[0], fresh)
        fresh.sni_callback = choose
        return fresh.wrap_socket(connection, server_side=True)

    def _context(self, name: str) -> ssl.SSLContext:
        with self._lock:
            if name not in self._known:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self._issue(name, context)
                self._known[name] = context
            return self._known[name]

    def _issue(self, name: str, context: ssl.SSLContext) -> None:
        leaf = self._authority.issue_cert(name)
        cast("Any", leaf).configure_cert(context)


def prepare(space: Space) -> None:
    """Everything that reaches the namespace ends at the sink's servers, whatever address and port it was meant for."""
    space.ip += [f"addr add {_OWN4}/32 dev lo", f"addr add {_OWN6}/128 dev lo nodad"]
    space.rules += "".join(
        f"table {family} sink {{\n  chain every_address {{\n    type nat hook prerouting priority -100;\n"
        f'    iifname "in*" meta l4proto tcp dnat to {_joined(own, _TCP_PORT)}\n'
        f'    iifname "in*" meta l4proto udp dnat to {_joined(own, _UDP_PORT)}\n'
        f'    iifname "in*" dnat to {own}\n  }}\n}}\n'
        for family, own in (("ip", _OWN4), ("ip6", _OWN6))
    )


def _joined(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def original_target(connection: socket.socket) -> tuple[str, int]:
    """Where a connection was meant to go before it was turned to the sink."""
    if connection.family == socket.AF_INET6:
        raw = connection.getsockopt(socket.IPPROTO_IPV6, _SO_ORIGINAL_DST, 28)
        return str(IPv6Address(raw[8:24])), struct.unpack_from(">H", raw, 2)[0]
    raw = connection.getsockopt(socket.IPPROTO_IP, _SO_ORIGINAL_DST, 16)
    return str(IPv4Address(raw[4:8])), struct.unpack_from(">H", raw, 2)[0]
