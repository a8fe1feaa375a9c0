"""The walls of a local sandbox where there is no bubblewrap: mounts, host name, user, capabilities; then the program.

Runs as root of a fresh user namespace and PID 1 of a fresh PID namespace (unshare(1) made them), and reads the words of
bwrap(1) that sequester/sandbox/tree.py writes, so that both build the same tree. Nothing is left out: what cannot be
done ends it, with the layer's name.

Sources: mount_namespaces(7), user_namespaces(7), pivot_root(2), mount_setattr(2), capabilities(7); bubblewrap.c.
"""

import os
import stat
import struct
import sys

from .native import call

BASE = "/tmp"  # noqa: S108 (hidden by the new root, then gone with the old)
_READ_ONLY, _NO_SETUID, _NO_DEVICES, _NO_EXEC = 1, 2, 4, 8  # MS_* and MOUNT_ATTR_* alike
_BIND, _RECURSIVE = 1 << 12, 1 << 14
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_DETACH = 2
_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_SIGKILL = 9
_CAPABILITIES_VERSION = 0x20080522

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_LINKS = {
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "fd": "/proc/self/fd",
    "core": "/proc/kcore",
    "ptmx": "pts/ptmx",
}
_KERNEL_SETTINGS = ("sys", "sysrq-trigger", "irq", "bus")

ARITY = {
    "--ro-bind": 2,
    "--symlink": 2,
    "--size": 1,
    "--tmpfs": 1,
    "--proc": 1,
    "--dev": 1,
    "--remount-ro": 1,
    "--setenv": 2,
    "--chdir": 1,
    "--hostname": 1,
    "--uid": 1,
    "--gid": 1,
}

Step = tuple[str, tuple[str, ...]]


def main() -> None:
    """Build what the arguments say and become the program after ``--``; exit status 1 and one line where that fails."""
    os.closerange(3, 1 << 20)
    steps, program = parse(sys.argv[1:])
    layer = "mounts"
    try:
        _build_root(steps)
        layer = "host name"
        for _, (name,) in _named(steps, "--hostname"):
            call("sethostname", name.encode(), len(name))
        layer = "user namespace"
        _become_ordinary(int(_only(steps, "--uid")), int(_only(steps, "--gid")))
        layer = "capabilities"
        _drop_capabilities()
        layer = "session"
        os.setsid()
        os.chdir(_only(steps, "--chdir"))
        call("prctl", _PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
        layer = "program"
        os.execve(program[0], program, {name: value for _, (name, value) in _named(steps, "--setenv")})  # noqa: S606
    except OSError as error:
        os.write(2, f"sequester: {layer}: {error}: install bubblewrap, or ask for what was refused\n".encode())
        os._exit(1)


def parse(words: list[str]) -> tuple[list[Step], list[str]]:
    """(steps in order, the program's words); ValueError for a word that is not of tree.py's."""
    steps: list[Step] = []
    at = 0
    while words[at] != "--":
        if words[at] not in ARITY:
            raise ValueError(f"{words[at]!r}: no such step")
        end = at + 1 + ARITY[words[at]]
        steps.append((words[at], tuple(words[at + 1 : end])))
        at = end
    return steps, words[at + 1 :]


def _named(steps: list[Step], name: str) -> list[Step]:
    return [step for step in steps if step[0] == name]


def _only(steps: list[Step], name: str) -> str:
    ((_, (value,)),) = _named(steps, name)
    return value


def _build_root(steps: list[Step]) -> None:
    # Opened first: what lies below BASE is out of sight once the new root is mounted there.
    sources = {values[0]: _path(values[0]) for _, values in _named(steps, "--ro-bind")}
    devices = {name: _path(f"/dev/{name}") for name in _DEVICES}
    _mount("tmpfs", BASE, "tmpfs", _NO_SETUID | _NO_DEVICES, "mode=0755")
    size = ""
    for name, values in steps:
        here = BASE + values[-1]
        if name == "--ro-bind":
            _bind(sources[values[0]], here)
            _restrict(here, _READ_ONLY | _NO_SETUID | _NO_DEVICES, _AT_RECURSIVE)
        elif name == "--symlink":
            os.makedirs(os.path.dirname(here), exist_ok=True)  # noqa: PTH103, PTH120 (pathlib costs 5 ms)
            os.symlink(values[0], here)  # noqa: PTH211
        elif name == "--size":
            size = values[0]
        elif name == "--tmpfs":
            os.makedirs(here, exist_ok=True)  # noqa: PTH103
            _mount("tmpfs", here, "tmpfs", _NO_SETUID | _NO_DEVICES, f"mode=0755,size={size}")
        elif name == "--proc":
            _mount_proc(here)
        elif name == "--dev":
            _make_devices(here, devices)
        elif name == "--remount-ro":
            _restrict(here, _READ_ONLY, 0)
    os.chdir(BASE)
    call("pivot_root", b".", b".")
    call("umount2", b".", _DETACH)
    os.chdir("/")


def _path(path: str) -> int:
    return os.open(path, os.O_PATH | os.O_CLOEXEC)


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    try:
        call("mount", source.encode(), target.encode(), kind.encode(), flags, data.encode())
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror} ({kind or 'bind'} on {target.removeprefix(BASE)})") from None


def _bind(source: int, target: str) -> None:
    if stat.S_ISDIR(os.fstat(source).st_mode):
        os.makedirs(target, exist_ok=True)  # noqa: PTH103
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o444))
    _mount(f"/proc/self/fd/{source}", target, "", _BIND | _RECURSIVE)


def _restrict(path: str, attributes: int, reach: int) -> None:
    """Adds to what a mount refuses, and with _AT_RECURSIVE to what lies below; takes nothing away."""
    wanted = struct.pack("4Q", attributes, 0, 0, 0)
    call("syscall", _MOUNT_SETATTR, _AT_FDCWD, path.encode(), reach, wanted, len(wanted))


def _mount_proc(here: str) -> None:
    os.makedirs(here, exist_ok=True)  # noqa: PTH103
    _mount("proc", here, "proc", _NO_SETUID | _NO_DEVICES | _NO_EXEC)
    for name in _KERNEL_SETTINGS:
        setting = f"{here}/{name}"
        if os.path.exists(setting):  # noqa: PTH110
            _bind(_path(setting), setting)
            _restrict(setting, _READ_ONLY, _AT_RECURSIVE)


def _make_devices(here: str, devices: dict[str, int]) -> None:
    os.makedirs(here, exist_ok=True)  # noqa: PTH103
    _mount("tmpfs", here, "tmpfs", _NO_SETUID | _NO_DEVICES, "mode=0755")
    for name, source in devices.items():
        _bind(source, f"{here}/{name}")
    for name, target in _DEVICE_LINKS.items():
        os.symlink(target, f"{here}/{name}")  # noqa: PTH211
    for name in ("shm", "pts"):
        os.mkdir(f"{here}/{name}")  # noqa: PTH102
    _mount("devpts", f"{here}/pts", "devpts", _NO_SETUID | _NO_EXEC, "newinstance,ptmxmode=0666,mode=620")


def _become_ordinary(uid: int, gid: int) -> None:
    """A second user namespace, in which this process is that user: it owns none of the namespaces around it."""
    call("unshare", _CLONE_NEWUSER)
    for name, content in (("setgroups", "deny"), ("uid_map", f"{uid} 0 1"), ("gid_map", f"{gid} 0 1")):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, content.encode())
        finally:
            os.close(descriptor)


def _drop_capabilities() -> None:
    capability = 0
    while True:
        try:
            call("prctl", _PR_CAPBSET_DROP, capability, 0, 0, 0)
        except OSError:
            break  # past the last that the kernel knows; without any the next call would have failed too
        capability += 1
    if not capability:
        raise OSError(1, "the bounding set cannot be emptied")
    call("capset", struct.pack("Ii", _CAPABILITIES_VERSION, 0), bytes(24))
    call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
