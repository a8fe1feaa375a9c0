"""Packets that are sent and looked for: each carries a number, and whoever gets one shows it.

Raw sockets send any protocol the kernel knows or does not know; a packet socket in each namespace sees what arrives
before any of its own filters.
"""

import os
import secrets
import selectors
import socket
import struct
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from ipaddress import IPv6Address

from sequester.lab.namespaces import Namespace
from sequester.proof.space import BITS, Prefix

TCP, UDP, SCTP, ICMP, ICMPV6 = 6, 17, 132, 1, 58
_ETH_P_ALL = 3
_PACKET_OUTGOING = 4
_SO_RCVBUFFORCE = 33
_IPV6_HDRINCL = 36
_BUFFER_BYTES = 1 << 25
_SYN, _ACK = 0x02, 0x10
_MARK_BYTES, _NUMBER = 8, struct.Struct(">I")
# Extension headers of IPv6 are no payload: the kernel reads them (RFC 8200).
UNPROBEABLE_V6 = frozenset({0, 43, 44, 50, 51, 60, 135, 139, 140})
_BATCH = 100
"""Fewer than a CPU's queue holds (net.core.netdev_max_backlog, 1000)."""
_MOST_LINKS = 80
_FENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Probe:
    """One packet. `space`: where it is sent. `service`: as in space.py; `device`: the way it leaves, if not routed.

    `answer`: it is the packet that answers one from the other side's port `source_port` (TCP: SYN and ACK).
    """

    space: str
    source: Prefix
    target: Prefix
    service: int
    source_port: int = 0
    dscp: int = 0
    device: str = ""
    answer: bool = False


class Prober:
    """Watches namespaces; `arrivals` sends probes and tells for each where it arrived."""

    def __init__(self, spaces: Mapping[str, Namespace], watched: Iterable[str]) -> None:
        self._spaces = spaces
        self._mark = secrets.token_bytes(_MARK_BYTES)
        self._count = 0
        self._stack = ExitStack()
        self._senders: dict[tuple[str, str, str], socket.socket] = {}
        self._selector = self._stack.enter_context(selectors.DefaultSelector())
        self._fence = _Fence(next(iter(spaces.values())))
        self._stack.callback(self._fence.close)
        for name in dict.fromkeys(watched):
            self._selector.register(self._watcher(name), selectors.EVENT_READ, name)

    def __enter__(self) -> "Prober":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def arrivals(self, probes: Sequence[Probe]) -> list[frozenset[str]]:
        """Where each probe arrived besides its own namespace: names of namespaces, and `namespace device`."""
        found: list[set[str]] = [set() for _ in probes]
        here = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(here)})  # see _Fence; of this thread only
        try:
            for start in range(0, len(probes), _BATCH):
                numbers: dict[int, int] = {}
                for index in range(start, min(start + _BATCH, len(probes))):
                    self._count += 1
                    numbers[self._count] = index
                    self._send(probes[index], self._mark + _NUMBER.pack(self._count))
                self._fence.passed()
                self._drain(numbers, found)
        finally:
            os.sched_setaffinity(0, here)
        return [frozenset(f) - {probes[i].space} for i, f in enumerate(found)]

    def _send(self, probe: Probe, data: bytes) -> None:
        sender = self._sender(probe.space, probe.target.axis, probe.device)
        address = _text(probe.target)
        with suppress(OSError):  # no route or no such protocol: it does not arrive
            sender.sendto(packet(probe, data), (address, 0))

    def _sender(self, space: str, axis: str, device: str) -> socket.socket:
        key = (space, axis, device)
        if key not in self._senders:
            family = socket.AF_INET if axis == "4" else socket.AF_INET6
            with self._spaces[space].inside():
                made = self._stack.enter_context(socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW))
                if axis == "6":
                    made.setsockopt(socket.IPPROTO_IPV6, _IPV6_HDRINCL, 1)
                if device:
                    made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
            self._senders[key] = made
        return self._senders[key]

    def _watcher(self, space: str) -> socket.socket:
        with self._spaces[space].inside():
            made = self._stack.enter_context(
                socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
            )
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        made.settimeout(0)
        return made

    def _drain(self, numbers: Mapping[int, int], found: list[set[str]]) -> None:
        """Reads what has arrived."""
        for key, _ in self._selector.select(0):
            watcher = key.fileobj
            if not isinstance(watcher, socket.socket):
                continue
            with suppress(BlockingIOError):
                while True:
                    data, (device, _, kind, *_) = watcher.recvfrom(2048)
                    at = data.find(self._mark)
                    if at < 0 or kind == _PACKET_OUTGOING:
                        continue
                    (number,) = _NUMBER.unpack_from(data, at + _MARK_BYTES)
                    if number in numbers:
                        found[numbers[number]] |= {str(key.data), f"{key.data} {device}"}


class _Fence:
    """Waits until every packet that this thread has sent is where it goes, without guessing at a time.

    Links between namespaces and the loopback put packets into one queue a CPU, first in, first out. So when a packet
    to oneself has come back, all that was queued before has gone one link further; after more rounds than a way has
    links, nothing is under way any more.
    """

    def __init__(self, namespace: Namespace) -> None:
        with namespace.inside():
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.connect(self._socket.getsockname())
        self._socket.settimeout(_FENCE_SECONDS)

    def passed(self) -> None:
        for _ in range(_MOST_LINKS):
            self._socket.send(b"fence")
            self._socket.recv(16)

    def close(self) -> None:
        self._socket.close()


def packet(probe: Probe, data: bytes) -> bytes:
    """The bytes on the wire, checksums included."""
    protocol = probe.service >> 16
    body = _payload(probe, protocol, data)
    if probe.target.axis == "4":
        head = struct.pack(
            ">BBHHHBBH4s4s", 0x45, probe.dscp << 2, 20 + len(body), 0, 0, 64, protocol, 0,
            probe.source.low.to_bytes(4, "big"), probe.target.low.to_bytes(4, "big"),
        )  # fmt: skip
        return head[:10] + _checksum(head) + head[12:] + body
    traffic = 6 << 28 | probe.dscp << 22
    return (
        struct.pack(">IHBB", traffic, len(body), protocol, 64)
        + probe.source.low.to_bytes(16, "big")
        + probe.target.low.to_bytes(16, "big")
        + body
    )


def _payload(probe: Probe, protocol: int, data: bytes) -> bytes:
    low = probe.service & 0xFFFF
    match protocol:
        case 6:
            flags = _SYN | _ACK if probe.answer else _SYN
            head = struct.pack(">HHIIBBHHH", probe.source_port, low, 1, 2 * probe.answer, 0x50, flags, 0xFFFF, 0, 0)
            return _summed(probe, protocol, head + data, 16)
        case 17:
            head = struct.pack(">HHHH", probe.source_port, low, 8 + len(data), 0)
            return _summed(probe, protocol, head + data, 6)
        case 132:
            # An INIT chunk (RFC 9260, 3.3.2), so that connection tracking sees an association begin.
            chunk = struct.pack(">BBHIIHHI", 1, 0, 20 + len(data), 1, 0xFFFF, 1, 1, 1) + data
            head = struct.pack(">HHI", probe.source_port, low, 0)
            return head + struct.pack("<I", _crc32c(head + bytes(4) + chunk)) + chunk
        case 1:
            body = struct.pack(">HHHH", low, 0, probe.source_port, 1) + data
            return body[:2] + _checksum(body) + body[4:]
        case 58:
            return _summed(probe, protocol, struct.pack(">HHHH", low, 0, probe.source_port, 1) + data, 2)
        case _:
            return data


def _summed(probe: Probe, protocol: int, body: bytes, at: int) -> bytes:
    size = BITS[probe.target.axis] // 8
    pseudo = probe.source.low.to_bytes(size, "big") + probe.target.low.to_bytes(size, "big")
    pseudo += struct.pack(">IHBB", len(body), 0, 0, protocol)
    return body[:at] + _checksum(pseudo + body) + body[at + 2 :]


def _checksum(data: bytes) -> bytes:
    """RFC 1071. A sum of zero is sent as ones, which UDP over IPv6 demands and the others take."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ((~total & 0xFFFF) or 0xFFFF).to_bytes(2, "big")


def _table() -> tuple[int, ...]:
    found: list[int] = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        found.append(value)
    return tuple(found)


_CRC = _table()


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _text(address: Prefix) -> str:
    if address.axis == "6":
        return str(IPv6Address(address.low))
    return socket.inet_ntoa(address.low.to_bytes(4, "big"))
