"""A network, a host name and a mount tree of this process's own, as root or as anybody: it stays there.

By system calls, since a program that is started (ip, mount) would lose the rights that an ordinary user has in a
user namespace of his own. Sources: unshare(2), user_namespaces(7), netdevice(7), rtnetlink(7). Standard library alone.
"""

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

NEW_USER, NEW_NET, NEW_UTS, NEW_IPC, NEW_MOUNTS = 0x10000000, 0x40000000, 0x04000000, 0x08000000, 0x00020000
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK, _IFF_UP = 0x8914, 0x8916, 0x891C, 1
_NEW_LINK, _REQUEST_CREATE_ACK = 16, 0x605
HOST_NAME = "the-host"

_LIBC = ctypes.CDLL(None, use_errno=True)


class NoNamespaceError(OSError):
    """This machine lets this user make none; the message says what was refused and the mend."""


def unshare(namespaces: int) -> None:
    """unshare(2). Raises OSError."""
    if _LIBC.unshare(namespaces):
        raise OSError(ctypes.get_errno(), f"unshare: {os.strerror(ctypes.get_errno())}")


def enter(addresses: Sequence[str], directory: Path) -> None:
    """Leave the machine's network for one with these addresses on loopback, whose resolver is the first of them.

    The process has one thread. Raises NoNamespaceError.
    """
    uid, gid = os.geteuid(), os.getegid()
    try:
        unshare((NEW_USER if uid else 0) | NEW_NET | NEW_UTS | NEW_IPC | NEW_MOUNTS)
        if uid:
            for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
                Path(f"/proc/self/{name}").write_text(text)
        _mount("/", "/", _MS_REC | _MS_PRIVATE)
        _up("lo")
        for number, address in enumerate(addresses):
            _add(address, number)
        _make_pair()
        _resolve_by(addresses[0], directory)
        socket.sethostname(HOST_NAME)
    except OSError as error:
        raise NoNamespaceError(
            f"no network namespace of its own ({error}): run it as root, or allow unprivileged user namespaces"
        ) from None


def _mount(source: str, target: str, flags: int) -> None:
    if _LIBC.mount(source.encode(), target.encode(), None, ctypes.c_ulong(flags), None):
        raise OSError(ctypes.get_errno(), f"mount {target}: {os.strerror(ctypes.get_errno())}")


def _resolve_by(address: str, directory: Path) -> None:
    target = Path("/etc/resolv.conf").resolve()
    if target.is_file():  # else libc asks 127.0.0.1, which is the sink too
        written = directory / "resolv.conf"
        written.write_text(f"nameserver {address}\noptions timeout:1 attempts:1\n")
        written.chmod(0o644)
        _mount(str(written), str(target), _MS_BIND)


def _up(name: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        fcntl.ioctl(asked, _SIOCSIFFLAGS, struct.pack("16sH22x", name.encode(), _IFF_UP))


def _add(address: str, number: int) -> None:
    if ip_address(address).version == 6:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asked:
            fcntl.ioctl(asked, _SIOCSIFADDR, struct.pack("16sIi", socket.inet_pton(socket.AF_INET6, address), 128, 1))
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for request, value in ((_SIOCSIFADDR, address), (_SIOCSIFNETMASK, "255.255.255.255")):
            words = struct.pack("16sHH4s16x", f"lo:{number}".encode(), socket.AF_INET, 0, socket.inet_aton(value))
            fcntl.ioctl(asked, request, words)


def _make_pair() -> None:
    """A veth pair, so that there is an interface to see besides loopback."""

    def attribute(kind: int, data: bytes) -> bytes:
        return struct.pack("HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)

    link_info = attribute(18, attribute(1, b"veth\0"))
    body = bytes(16) + link_info
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.bind((0, 0))
        link.send(struct.pack("IHHII", 16 + len(body), _NEW_LINK, _REQUEST_CREATE_ACK, 1, 0) + body)
        answer = link.recv(4096)
    error = -struct.unpack_from("i", answer, 16)[0]
    if error:
        raise OSError(error, f"veth: {os.strerror(error)}")
