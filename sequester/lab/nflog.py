"""What nftables logs, read from the kernel by netlink: https://docs.kernel.org, linux/netfilter/nfnetlink_log.h."""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from sequester.lab.namespaces import LabError, Namespace

_NETLINK_NETFILTER, _SUBSYSTEM = 12, 4 << 8
_PACKET, _CONFIG = 0, 1
_REQUEST_ACK = 1 | 4
_ERROR = 2
_ATTR_IN, _ATTR_OUT, _ATTR_PAYLOAD, _ATTR_PREFIX = 4, 5, 9, 10
_CFG_CMD, _CFG_MODE, _CFG_TIMEOUT, _CFG_THRESHOLD = 1, 2, 4, 5
_BIND, _COPY_PACKET = 1, 2
_SO_RCVBUFFORCE = 33
_BUFFER_BYTES = 1 << 24
_SNAP_BYTES = 256
_PAYLOAD_MASK = 0x3FFF


@dataclass(frozen=True)
class Logged:
    """One packet that a rule logged. data: from its IP header on. entered, left: devices, or nothing."""

    at: float
    words: str
    entered: str
    left: str
    data: bytes


class Log:
    """What rules of one group in one namespace log, from now on. Nothing is lost as long as it is read in time."""

    def __init__(self, namespace: Namespace, group: int) -> None:
        self._names: dict[int, str] = {}
        with namespace.inside():
            self._names = dict(socket.if_nameindex())
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        self.socket.bind((0, 0))
        command = _attribute(_CFG_CMD, bytes([_BIND]))
        mode = _attribute(_CFG_MODE, struct.pack(">IBx", _SNAP_BYTES, _COPY_PACKET))
        at_once = _attribute(_CFG_TIMEOUT, struct.pack(">I", 1)) + _attribute(_CFG_THRESHOLD, struct.pack(">I", 1))
        self._configure(namespace, group, command)
        self._configure(namespace, group, mode + at_once)
        self.socket.settimeout(0)

    def _configure(self, namespace: Namespace, group: int, attributes: bytes) -> None:
        body = struct.pack(">BBH", 0, 0, group) + attributes
        head = struct.pack("=IHHII", 16 + len(body), _SUBSYSTEM | _CONFIG, _REQUEST_ACK, 1, 0)
        self.socket.send(head + body)
        answer = self.socket.recv(4096)
        code = struct.unpack_from("=i", answer, 16)[0]
        if struct.unpack_from("=H", answer, 4)[0] == _ERROR and code:
            raise LabError(f"{namespace.name}: nflog group {group}: error {-code}: needs CONFIG_NETFILTER_NETLINK_LOG")

    def read(self) -> Iterator[Logged]:
        """What has been logged since the last time."""
        with suppress(BlockingIOError):
            while True:
                data = self.socket.recv(1 << 16)
                at = 0
                while at + 16 <= len(data):
                    length, kind = struct.unpack_from("=IH", data, at)
                    if kind == _SUBSYSTEM | _PACKET:
                        yield self._packet(data[at + 20 : at + length])
                    at += max(length + 3 & ~3, 16)

    def _packet(self, body: bytes) -> Logged:
        found = dict(_attributes(body))
        return Logged(
            time.time(),
            found.get(_ATTR_PREFIX, b"").rstrip(b"\0").decode(errors="replace"),
            self._name(found.get(_ATTR_IN)),
            self._name(found.get(_ATTR_OUT)),
            found.get(_ATTR_PAYLOAD, b""),
        )

    def _name(self, index: bytes | None) -> str:
        return self._names.get(struct.unpack(">I", index)[0], "") if index else ""

    def close(self) -> None:
        self.socket.close()


def _attribute(kind: int, value: bytes) -> bytes:
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + bytes(-length % 4)


def _attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(body):
        length, kind = struct.unpack_from("=HH", body, at)
        if length < 4:
            return
        yield kind & _PAYLOAD_MASK, body[at + 4 : at + length]
        at += length + 3 & ~3
