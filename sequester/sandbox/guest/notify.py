"""Seccomp notifications: what was tried, read from the caller's memory, and the answer.

Nothing is allowed on the strength of that memory: other threads change it while it is read (seccomp_unotify(2)).
Imported at the first notification, so that code which tries nothing does not pay for it.
"""

import _socket
import errno
import os
import struct
import sys
from _collections_abc import Callable
from fcntl import ioctl

from .events import Fields
from .kernel import take_descriptor
from .request import Request
from .syscalls import AUDIT_ARCH, FOREIGN_ARCH, X32_BIT, name_of

_RECEIVE, _SEND, _ID_VALID = 0xC0502100, 0xC0182101, 0x40082102
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")  # id, pid, flags, nr, arch, instruction pointer, arguments
_RESPONSE = struct.Struct("=QqiI")  # id, value, error, flags
_CONTINUE = 1

REFUSED = -errno.EPERM
MAX_SOCKADDR_BYTES, MAX_PAYLOAD_BYTES, MAX_PATH_BYTES = 128, 512, 4096
DNS_PORT = 53
MAX_MESSAGES = 16
"""Of one sendmmsg; the kernel takes 1024, and each is read from the caller's memory."""
_MMSGHDR_BYTES = 64

FAMILIES = {
    number: name
    for name, number in vars(_socket).items()
    if name.startswith("AF_") and name not in ("AF_UNSPEC", "AF_ROUTE")
} | {28: "AF_IB", 27: "AF_MPLS", 38: "AF_ALG", 43: "AF_SMC", 44: "AF_XDP", 45: "AF_MCTP", 40: "AF_VSOCK"}
TYPES = {1: "SOCK_STREAM", 2: "SOCK_DGRAM", 3: "SOCK_RAW", 4: "SOCK_RDM", 5: "SOCK_SEQPACKET", 6: "SOCK_DCCP"}
I386_CALLS = {102: "socketcall", 359: "socket", 362: "connect", 11: "execve", 26: "ptrace", 369: "sendto"}

# What libc tries by itself: its name service cache daemon, and the interface list before resolving a name.
_NOISE = {(1, 0o2004001, 0), (16, 0o2000003, 0)}
_AF_UNSPEC, _SOL_IP, _SOL_IPV6 = 0, 0, 41
_MULTICAST_OPTIONS = {(_SOL_IP, 35), (_SOL_IP, 39), (_SOL_IPV6, 20)}

# What tells one attempt from another when there is no address: the arguments by name.
_DETAILS = {
    "ptrace": (("request", 0), ("target", 1)),
    "process_vm_readv": (("target", 0),),
    "process_vm_writev": (("target", 0),),
    "prlimit64": (("target", 0), ("resource", 1)),
    "setrlimit": (("resource", 0),),
    "sched_setaffinity": (("target", 0),),
    "sched_setscheduler": (("target", 0),),
    "setpriority": (("which", 0), ("target", 1)),
    "ioprio_set": (("which", 0), ("target", 1)),
    "prctl": (("option", 0), ("value", 1)),
    "ioctl": (("request", 1),),
    "unshare": (("flags", 0),),
    "clone": (("flags", 0),),
    "setns": (("type", 1),),
    "setsockopt": (("level", 1), ("option", 2)),
    "keyctl": (("operation", 0),),
    "bpf": (("command", 0),),
    "personality": (("value", 0),),
}


class Notification:
    """One call that waits for an answer."""

    def __init__(self, raw: bytes) -> None:
        self.id, self.pid, _, self.number, self.arch, _, *arguments = _NOTIFICATION.unpack(raw)
        self.arguments: list[int] = arguments
        self.more: list[Fields] = []
        """Of a call that names several addresses: what the event says otherwise for each further one."""

    def int_argument(self, index: int) -> int:
        """The argument as the kernel's int."""
        value = self.arguments[index] & 0xFFFFFFFF
        return value - (1 << 32) if value >> 31 else value

    def read(self, address: int, length: int) -> bytes | None:
        """Bytes of the caller's memory; None where they cannot be read."""
        try:
            memory = os.open(f"/proc/{self.pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            return os.pread(memory, length, address)
        except (OSError, OverflowError):
            return None
        finally:
            os.close(memory)


Reader = Callable[[Notification, Fields], None]
"""Reads what a call points to into its event."""


def receive(listener: int) -> Notification | None:
    """The next notification; None when its caller died meanwhile."""
    raw = bytearray(_NOTIFICATION.size)
    try:
        ioctl(listener, _RECEIVE, raw)
    except OSError:
        return None
    return Notification(bytes(raw))


def answer(listener: int, notification: Notification, error: int = REFUSED, *, proceed: bool = False) -> None:
    """Refuse with `error` (0: pretend success), or let the call proceed. A caller that died needs none."""
    flags, code = (_CONTINUE, 0) if proceed else (0, error)
    try:
        ioctl(listener, _SEND, _RESPONSE.pack(notification.id, 0, code, flags))
    except OSError as failed:
        if failed.errno != errno.ENOENT:
            raise


def judge(listener: int, caught: Notification, request: Request) -> tuple[Fields | None, int, bool]:
    """(event or None, errno to refuse with, whether to let it proceed), which only `request.proceeding` may."""
    native = AUDIT_ARCH[os.uname().machine]
    exe = _exe(caught.pid)
    if caught.arch != native:
        table = FOREIGN_ARCH.get(caught.arch, hex(caught.arch))
        call = f"{table}:{I386_CALLS.get(caught.number, caught.number)}"
        return _event("foreign_abi", call, caught, exe), REFUSED, False
    if caught.number & X32_BIT:
        call = f"x32:{name_of(caught.number & ~X32_BIT)}"
        return _event("foreign_abi", call, caught, exe), REFUSED, False
    call = name_of(caught.number)
    event = _event(request.kinds.get(call, "unlisted"), call, caught, exe)
    if call in ("execve", "execveat"):
        path = caught.read(caught.arguments[call == "execveat"], MAX_PATH_BYTES)
        event.update(detail=_text(path), noise=False)
        if call not in request.proceeding:
            return event, REFUSED, False
        event.update(action="observed")
        return event, 0, True
    if event["kind"] == "network":
        if call == "sendto" and not caught.arguments[4] and call in request.proceeding:
            # As libc's resolver sends: its query is worth seeing, anything else goes on, as a register decides that it
            # has no address.
            event["name"] = _dns_name(caught.read(caught.arguments[1], _length(caught, 2)))
            return (event if event["name"] else None), REFUSED, not event["name"]
        _NETWORK.get(call, _plain)(caught, event)
        if call == "connect" and event["port"] == DNS_PORT and _is_datagram(caught):
            # Not made, yet answered as made: only then does libc send the query that tells the name.
            return event, 0, False
    still_there = _valid(listener, caught)
    if not still_there:
        event.update(address=None, port=None, name=None)
        caught.more.clear()
    return event, REFUSED, False


def _event(kind: str, call: str, caught: Notification, exe: str | None) -> Fields:
    details = " ".join(f"{name}={caught.int_argument(index)}" for name, index in _DETAILS.get(call, ()))
    return {
        "kind": kind,
        "action": "denied",
        "syscall": call,
        "pid": caught.pid,
        "exe": exe,
        "detail": details or None,
        "family": None,
        "address": None,
        "port": None,
        "name": None,
    }


def _plain(_caught: Notification, _event: Fields) -> None:
    """No more to be seen than the call."""


def _socket_call(caught: Notification, event: Fields) -> None:
    family, kind, protocol = (caught.int_argument(index) for index in range(3))
    event["family"] = FAMILIES.get(family, f"AF_{family}")
    event["type"] = TYPES.get(kind & 0xF, str(kind & 0xF))
    event["detail"] = f"protocol={protocol}"
    event["noise"] = (family, kind, protocol) in _NOISE


def _address_at(pointer: int, length: int) -> Reader:
    def read(caught: Notification, event: Fields) -> None:
        size = caught.int_argument(length)
        _put_address(event, caught.read(caught.arguments[pointer], min(max(size, 0), MAX_SOCKADDR_BYTES)))

    return read


def _sendto(caught: Notification, event: Fields) -> None:
    _address_at(4, 5)(caught, event)
    if event["port"] == DNS_PORT:
        event["name"] = _dns_name(caught.read(caught.arguments[1], _length(caught, 2)))


def _messages(caught: Notification, event: Fields) -> None:
    """sendmmsg: the first in the event, others beside it."""
    at = caught.arguments[1]
    _message_at(caught, event, at)
    for index in range(1, min(caught.arguments[2] & 0xFFFFFFFF, MAX_MESSAGES)):
        more: Fields = {}
        _message_at(caught, more, at + index * _MMSGHDR_BYTES)
        caught.more.append(more)


def _message(caught: Notification, event: Fields) -> None:
    _message_at(caught, event, caught.arguments[1])


def _message_at(caught: Notification, event: Fields, at: int) -> None:
    """struct msghdr begins with name, its length, iovec, their count."""
    header = caught.read(at, 32)
    if not header or len(header) < 32:
        return
    name, length, vector, count = struct.unpack("=QIxxxxQQ", header)
    if name:
        _put_address(event, caught.read(name, min(length, MAX_SOCKADDR_BYTES)))
    first = caught.read(vector, 16) if count else None
    if first and len(first) == 16:
        base, size = struct.unpack("=QQ", first)
        event["name"] = _dns_name(caught.read(base, min(size, MAX_PAYLOAD_BYTES)))


def _option(caught: Notification, event: Fields) -> None:
    option = (caught.int_argument(1), caught.int_argument(2))
    if option in _MULTICAST_OPTIONS:
        wide = option[0] == _SOL_IPV6
        value = caught.read(caught.arguments[3], 16 if wide else 4)
        if value:
            event["address"] = _ip(_socket.AF_INET6 if wide else _socket.AF_INET, value)


_NETWORK: dict[str, Reader] = {
    "socket": _socket_call,
    "socketpair": _socket_call,
    "connect": _address_at(1, 2),
    "bind": _address_at(1, 2),
    "sendto": _sendto,
    "sendmsg": _message,
    "sendmmsg": _messages,
    "setsockopt": _option,
}


def _put_address(event: Fields, raw: bytes | None) -> None:
    if raw is None or len(raw) < 2:
        event["detail"] = "address not readable"
        return
    (family,) = struct.unpack_from("=H", raw)
    event["family"] = "AF_UNSPEC" if family == _AF_UNSPEC else FAMILIES.get(family, f"AF_{family}")
    if family == _socket.AF_INET and len(raw) >= 8:
        event["port"] = int.from_bytes(raw[2:4], "big")
        event["address"] = _ip(family, raw[4:8])
    elif family == _socket.AF_INET6 and len(raw) >= 24:
        event["port"] = int.from_bytes(raw[2:4], "big")
        event["address"] = _ip(family, raw[8:24])
        scope = int.from_bytes(raw[24:28], sys.byteorder)
        if scope and event["address"]:
            event["address"] = f"{event['address']}%{scope}"
    elif family == _socket.AF_UNIX:
        path = raw[2:]
        # An abstract name may hold null characters anywhere: each is an @, as ss(8) writes it.
        event["address"] = _text(path.replace(b"\0", b"@")) if path[:1] == b"\0" else _text(path)
    else:
        event["detail"] = f"sockaddr={raw[:32].hex()}"


def _ip(family: int, raw: bytes) -> str | None:
    try:
        return _socket.inet_ntop(family, raw)
    except (OSError, ValueError):
        return None


def _text(raw: bytes | None) -> str:
    return "" if raw is None else raw.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


def _length(caught: Notification, index: int) -> int:
    return min(caught.arguments[index], MAX_PAYLOAD_BYTES)


def _dns_name(payload: bytes | None) -> str | None:
    """The first question's name if `payload` is a DNS query (RFC 1035 section 4), else None."""
    if not payload or len(payload) < 17 or payload[2] & 0x80 or payload[4:6] == b"\0\0":
        return None
    labels: list[str] = []
    at = 12
    while at < len(payload) and payload[at]:
        size = payload[at]
        label = payload[at + 1 : at + 1 + size]
        if size > 63 or len(label) < size or len(labels) > 127:
            return None
        labels.append(label.decode("ascii", "backslashreplace"))
        at += 1 + size
    return ".".join(labels) if labels and at + 5 <= len(payload) else None


def _is_datagram(caught: Notification) -> bool:
    """Whether the socket in the call's first argument is UDP. The answer is a refusal either way."""
    try:
        descriptor = take_descriptor(_group(caught.pid), caught.int_argument(0))
    except OSError:
        return False
    try:
        copy = _socket.socket(fileno=descriptor)
    except OSError:
        os.close(descriptor)
        return False
    try:
        return copy.type & 0xF == _socket.SOCK_DGRAM
    finally:
        copy.close()


def _group(thread: int) -> int:
    """The process of a thread: a pidfd names processes only."""
    with open(f"/proc/{thread}/status", "rb") as status:  # noqa: PTH123 (pathlib costs 5 ms)
        for line in status:
            if line.startswith(b"Tgid:"):
                return int(line.split()[1])
    return thread


def _exe(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/exe")  # noqa: PTH115
    except OSError:
        return None


def _valid(listener: int, caught: Notification) -> bool:
    try:
        ioctl(listener, _ID_VALID, struct.pack("=Q", caught.id))
    except OSError:
        return False
    return True
