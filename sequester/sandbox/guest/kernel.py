"""The system calls that Python's standard library does not offer: seccomp, prctl, Landlock, pidfd_getfd.

Sources: seccomp(2), seccomp_unotify(2), landlock(7), pidfd_getfd(2), prctl(2); linux/landlock.h.
"""

import posix as os
import struct
from posix import _exit as leave  # pyright: ignore[reportPrivateUsage] (os._exit: the end, at once)

from .native import Buffer, call

PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38

_SECCOMP = {"x86_64": 317, "aarch64": 277}
# The same on every machine since Linux 5.
_PIDFD_GETFD, _LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 438, 444, 445, 446

_SECCOMP_SET_MODE_FILTER = 1
_FILTER_FLAG_NEW_LISTENER, _FILTER_FLAG_WAIT_KILLABLE = 1 << 3, 1 << 5
_EINVAL = 22


def prctl(option: int, value: int) -> None:
    """prctl(option, value, 0, 0, 0); OSError when the kernel refuses."""
    call("prctl", option, value, 0, 0, 0)


# As setrlimit(2) numbers them on x86-64 and arm64. The resource module is a shared object: 0.5 ms at each start.
_LIMITS = {
    "RLIMIT_CPU": 0,
    "RLIMIT_FSIZE": 1,
    "RLIMIT_DATA": 2,
    "RLIMIT_CORE": 4,
    "RLIMIT_NPROC": 6,
    "RLIMIT_NOFILE": 7,
    "RLIMIT_MEMLOCK": 8,
    "RLIMIT_SIGPENDING": 11,
    "RLIMIT_MSGQUEUE": 12,
    "RLIMIT_NICE": 13,
    "RLIMIT_RTPRIO": 14,
}
_RUSAGE = struct.Struct("=4q14q")  # two timevals, then ru_maxrss (KiB) and what follows it
_RUSAGE_CHILDREN = -1


def limit(name: str, value: int) -> None:
    """Hold this process and its children to `value`, or to less where they are held to less already."""
    held = Buffer(bytes(16))
    call("getrlimit", _LIMITS[name], held)
    value = min(value, struct.unpack("QQ", bytes(held))[1])
    call("setrlimit", _LIMITS[name], struct.pack("QQ", value, value))


def children_usage() -> tuple[float, int]:
    """(processor seconds, resident bytes of the largest) of the children that were waited for (getrusage(2))."""
    used = Buffer(bytes(_RUSAGE.size))
    call("getrusage", _RUSAGE_CHILDREN, used)
    user, user_us, system, system_us, largest_kib, *_ = _RUSAGE.unpack(bytes(used))
    return user + system + (user_us + system_us) / 1e6, largest_kib << 10


def load_filter(program: bytes) -> int:
    """Load a seccomp filter on the calling thread for good; its notification listener as a descriptor."""
    instructions = Buffer(program)
    argument = struct.pack("HxxxxxxP", len(program) // 8, instructions.address)
    number = _SECCOMP[os.uname().machine]
    flags = _FILTER_FLAG_NEW_LISTENER | _FILTER_FLAG_WAIT_KILLABLE
    try:
        return call("syscall", number, _SECCOMP_SET_MODE_FILTER, flags, argument)
    except OSError as error:
        if error.errno != _EINVAL:
            raise
        # Before Linux 5.19 a waiting caller could be interrupted by a signal, and asks again.
        return call("syscall", number, _SECCOMP_SET_MODE_FILTER, _FILTER_FLAG_NEW_LISTENER, argument)


def take_descriptor(pid: int, number: int) -> int:
    """A copy of another process's descriptor; OSError where it may not be traced."""
    pidfd = os.pidfd_open(pid)
    try:
        return call("syscall", _PIDFD_GETFD, pidfd, number, 0)
    finally:
        os.close(pidfd)


_READ = 1 << 0 | 1 << 2 | 1 << 3  # execute, read files, read directories
_DEVICE = 1 << 1 | 1 << 2  # write, read
_REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
_MAKE_DEVICES_AND_SOCKETS = 1 << 6 | 1 << 9 | 1 << 11
_WRITABLE_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/ptmx", "/dev/pts")


def landlock_abi() -> int:
    """The kernel's Landlock version, 0 where it has none."""
    try:
        return call("syscall", _LANDLOCK_CREATE, None, 0, 1)
    except OSError:
        return 0


def restrict_files(writable: tuple[str, ...]) -> int:
    """Landlock: the whole tree readable, `writable` writable, no TCP, no signal out of the domain.

    The ABI version that was enforced, 0 where the kernel has no Landlock.
    """
    abi = landlock_abi()
    if not abi:
        return 0
    files = (1 << 13) - 1
    for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _IOCTL_DEVICE)):
        files |= right if abi >= since else 0
    attributes = struct.pack("QQQ", files, 3, 3)[: 8 if abi < 4 else 16 if abi < 6 else 24]
    ruleset = call("syscall", _LANDLOCK_CREATE, attributes, len(attributes), 0)
    rules = [("/", _READ)]
    rules += [(path, files & ~_MAKE_DEVICES_AND_SOCKETS) for path in writable]
    rules += [(path, (_DEVICE | _TRUNCATE | _IOCTL_DEVICE) & files) for path in _WRITABLE_DEVICES]
    for path, rights in rules:
        try:
            parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue  # not in this sandbox, so nothing to allow
        try:
            if path == "/dev/pts":
                rights |= 1 << 3
            call("syscall", _LANDLOCK_ADD, ruleset, 1, struct.pack("=Qi", rights, parent), 0)
        finally:
            os.close(parent)
    call("syscall", _LANDLOCK_RESTRICT, ruleset, 0)
    os.close(ruleset)
    return abi


__all__ = [
    "PR_SET_DUMPABLE",
    "PR_SET_NO_NEW_PRIVS",
    "children_usage",
    "leave",
    "limit",
    "load_filter",
    "prctl",
    "restrict_files",
    "take_descriptor",
]
