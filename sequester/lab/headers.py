"""The headers of a packet that was seen: who, to whom, which protocol and ports."""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

_PORTED = (6, 17, 132)
_TCP = 6


@dataclass(frozen=True)
class Headers:
    """source_port and port are 0 where the protocol has none; for ICMP `port` is type × 256 + code."""

    source: str
    target: str
    protocol: int
    source_port: int
    port: int
    length: int
    flags: int
    """TCP's, else 0."""
    data: bytes
    """After the headers, as far as it was kept."""

    @property
    def version(self) -> int:
        return 6 if ":" in self.target else 4


def headers(packet: bytes) -> Headers | None:
    """None for what is no whole IP header."""
    if len(packet) >= 20 and packet[0] >> 4 == 4:
        start = 4 * (packet[0] & 15)
        source, target = str(IPv4Address(packet[12:16])), str(IPv4Address(packet[16:20]))
        return _transport(source, target, packet[9], struct.unpack_from(">H", packet, 2)[0], packet[start:])
    if len(packet) >= 40 and packet[0] >> 4 == 6:
        source, target = str(IPv6Address(packet[8:24])), str(IPv6Address(packet[24:40]))
        return _transport(source, target, packet[6], 40 + struct.unpack_from(">H", packet, 4)[0], packet[40:])
    return None


def _transport(source: str, target: str, protocol: int, length: int, body: bytes) -> Headers:
    source_port = port = flags = 0
    data = body
    if protocol in _PORTED and len(body) >= 8:
        source_port, port = struct.unpack_from(">HH", body)
        data = body[8:]
        if protocol == _TCP and len(body) >= 14:
            flags = body[13]
            data = body[4 * (body[12] >> 4) :]
    elif protocol in (1, 58) and len(body) >= 2:
        port = struct.unpack_from(">H", body)[0]
        data = body[8:]
    return Headers(source, target, protocol, source_port, port, length, flags, data)
