"""The system calls that Python's standard library does not offer: seccomp, prctl, Landlock, pidfd_getfd.

Sources: seccomp(2), seccomp_unotify(2), landlock(7), pidfd_getfd(2), prctl(2); linux/landlock.h.
"""

import ctypes
import os
import struct

PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 4, 38
PR_SET_PDEATHSIG = 1

_LIBC = ctypes.CDLL(None, use_errno=True)
_SECCOMP = {"x86_64": 317, "aarch64": 277}
# The same on every machine since Linux 5.
_PIDFD_GETFD, _LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 438, 444, 445, 446

_SECCOMP_SET_MODE_FILTER = 1
_FILTER_FLAG_NEW_LISTENER, _FILTER_FLAG_WAIT_KILLABLE = 1 << 3, 1 << 5
_EINVAL = 22


def syscall(number: int, *arguments: int | ctypes.Array[ctypes.c_char] | None) -> int:
    """The system call by number; OSError when the kernel refuses."""
    words = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    answer = _LIBC.syscall(ctypes.c_long(number), *words)
    if answer < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return int(answer)


def prctl(option: int, value: int) -> None:
    """prctl(option, value, 0, 0, 0); OSError when the kernel refuses."""
    if _LIBC.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def load_filter(program: bytes) -> int:
    """Load a seccomp filter on the calling thread for good; its notification listener as a descriptor."""
    instructions = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(instructions))
    argument = ctypes.create_string_buffer(fprog, len(fprog))
    number = _SECCOMP[os.uname().machine]
    flags = _FILTER_FLAG_NEW_LISTENER | _FILTER_FLAG_WAIT_KILLABLE
    try:
        return syscall(number, _SECCOMP_SET_MODE_FILTER, flags, argument)
    except OSError as error:
        if error.errno != _EINVAL:
            raise
        # Before Linux 5.19 a waiting caller could be interrupted by a signal, and asks again.
        return syscall(number, _SECCOMP_SET_MODE_FILTER, _FILTER_FLAG_NEW_LISTENER, argument)


def take_descriptor(pid: int, number: int) -> int:
    """A copy of another process's descriptor; OSError where it may not be traced."""
    pidfd = os.pidfd_open(pid)
    try:
        return syscall(_PIDFD_GETFD, pidfd, number, 0)
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
        return syscall(_LANDLOCK_CREATE, None, 0, 1)
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
    ruleset = syscall(_LANDLOCK_CREATE, ctypes.create_string_buffer(attributes, len(attributes)), len(attributes), 0)
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
            rule = struct.pack("=Qi", rights, parent)
            syscall(_LANDLOCK_ADD, ruleset, 1, ctypes.create_string_buffer(rule, len(rule)), 0)
        finally:
            os.close(parent)
    syscall(_LANDLOCK_RESTRICT, ruleset, 0)
    os.close(ruleset)
    return abi
