"""All forms of the system call table say the same: the BPF program, the OCI profile (by libseccomp), the docs."""

import ctypes
import ctypes.util
import errno
import json
import os
import platform
import signal
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from sequester.sandbox import bpf, seccomp
from sequester.sandbox.guest import syscalls
from sequester.sandbox.seccomp_table import DEFAULT, ENOSYS, EPERM, Action

MACHINE = platform.machine()
NATIVE = syscalls.AUDIT_ARCH.get(MACHINE, 0)
NUMBERS = syscalls.numbers(MACHINE)


def interpret(program: bytes, number: int, arguments: tuple[int, ...] = (), arch: int = NATIVE) -> int:
    """What the kernel would answer: classic BPF over struct seccomp_data."""
    words = [*arguments, *([0] * (6 - len(arguments)))]
    data = struct.pack("=iIQ6Q", number if number < 1 << 31 else number - (1 << 32), arch, 0, *words)
    code = list(struct.iter_unpack("=HBBI", program))
    at = accumulator = 0
    for _ in range(len(code)):
        operation, true, false, value = code[at]
        at += 1
        value = int(value)
        if operation == bpf.LOAD_WORD:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif operation == bpf.AND:
            accumulator &= value
        elif operation == bpf.JUMP:
            at += value
        elif operation == bpf.JUMP_EQUAL:
            at += true if accumulator == value else false
        elif operation == bpf.JUMP_GREATER_EQUAL:
            at += true if accumulator >= value else false
        elif operation == 0x25:  # greater than: libseccomp's
            at += true if accumulator > value else false
        elif operation == 0x45:  # any bit set
            at += true if accumulator & value else false
        elif operation == bpf.RETURN:
            return int(value)
        else:
            raise AssertionError(f"unknown instruction {operation:#x}")
    raise AssertionError("the program does not end")


@dataclass(frozen=True)
class Probe:
    call: str
    arguments: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.call}({', '.join(map(hex, self.arguments))})"


def probes() -> Iterator[Probe]:
    """Each system call with arguments that hold each of its conditions, miss it by one, and hide it above 32 bits."""
    for call in NUMBERS:
        yield Probe(call, (0,) * 6)
        yield Probe(call, (0xFFFFFFFFFFFFFFFF,) * 6)
    for name in ("default", "node"):
        for row in seccomp.PROFILES[name].rows:
            for call in row.calls.split():
                if not row.when or call not in NUMBERS:
                    continue
                held = [0] * 6
                for test in row.when:
                    held[test.index] |= test.value
                yield Probe(call, tuple(held))
                for test in row.when:
                    for wrong in (held[test.index] + 1, held[test.index] | 1 << 32, held[test.index] ^ 1 << 31):
                        missed = list(held)
                        missed[test.index] = wrong & 0xFFFFFFFFFFFFFFFF
                        yield Probe(call, tuple(missed))


PROBES = sorted(set(probes()), key=str)


@cache
def by_libseccomp(profile: str) -> bytes:
    """The OCI profile compiled as container runtimes compile it: rule by rule through libseccomp."""
    name = ctypes.util.find_library("seccomp")
    assert name, "libseccomp is missing: apt install libseccomp2"
    library = ctypes.CDLL(name, use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p

    class Comparison(ctypes.Structure):
        _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))

    def action(rule: dict[str, Any]) -> int:
        allowed = rule["action"] == "SCMP_ACT_ALLOW"
        return bpf.RETURN_ALLOW if allowed else bpf.RETURN_ERRNO | int(rule.get("errnoRet", EPERM))

    oci: Any = json.loads(json.dumps(seccomp.oci_profile(profile)))
    context = ctypes.c_void_p(library.seccomp_init(bpf.RETURN_ERRNO | oci["defaultErrnoRet"]))
    for rule in oci["syscalls"]:
        for call in rule["names"]:
            number = library.seccomp_syscall_resolve_name(call.encode())
            if number < 0:
                continue  # newer than this library, as runtimes skip it
            arguments = rule.get("args", [])
            compared = (Comparison * len(arguments))(
                *(Comparison(test["index"], 7, test["value"], test["valueTwo"]) for test in arguments)
            )
            assert {test["op"] for test in arguments} <= {"SCMP_CMP_MASKED_EQ"}
            added = library.seccomp_rule_add_exact_array(
                context, ctypes.c_uint32(action(rule)), number, len(arguments), compared
            )
            assert added == 0, (call, os.strerror(-added))
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    import fcntl

    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 1 << 20)
    assert library.seccomp_export_bpf(context, writing) == 0
    os.close(writing)
    program = b""
    while piece := os.read(reading, 1 << 16):
        program += piece
    os.close(reading)
    return program


def known_to_libseccomp(call: str) -> bool:
    library = ctypes.CDLL(ctypes.util.find_library("seccomp"))
    return library.seccomp_syscall_resolve_name(call.encode()) >= 0


def as_decided(answer: int) -> int:
    """The loaded filter asks the supervisor, which refuses with EPERM; at the runtime's level that is the refusal."""
    return bpf.RETURN_ERRNO | EPERM if answer == bpf.RETURN_NOTIFY else answer


@pytest.mark.parametrize("profile", ["default", "strict", "node"])
def test_the_oci_profile_decides_as_the_loaded_filter(profile: str) -> None:
    ours, theirs = seccomp.program(profile), by_libseccomp(profile)
    differ = []
    for probe in PROBES:
        if not known_to_libseccomp(probe.call):
            continue
        mine = interpret(ours, NUMBERS[probe.call], probe.arguments)
        if mine == bpf.RETURN_NOTIFY and probe.call in ("execve", "execveat") and profile != "strict":
            mine = bpf.RETURN_ALLOW  # observed, not refused
        if as_decided(mine) != interpret(theirs, NUMBERS[probe.call], probe.arguments):
            differ.append(str(probe))
    assert differ == []


# Those that would end, stop or block the process that tries them, or act on the machine.
NOT_TRIED = frozenset(
    [
        "exit",
        "exit_group",
        "pause",
        "rt_sigreturn",
        "rt_sigsuspend",
        "restart_syscall",
        "vfork",
        "fork",
        "clone",
        "clone3",
        "kill",
        "tkill",
        "tgkill",
        "rt_sigqueueinfo",
        "rt_tgsigqueueinfo",
        "pidfd_send_signal",
        "wait4",
        "waitid",
        "reboot",
        "sync",
        "vhangup",
        "shutdown",
        "close_range",
        "select",
        "pselect6",
        "poll",
        "ppoll",
        "epoll_wait",
        "epoll_pwait",
        "epoll_pwait2",
        "execve",
        "execveat",
        "munmap",
        "arch_prctl",
        "set_tid_address",
        "rt_sigtimedwait",
        "futex_waitv",
        "setsid",
        "setuid",
        "setgid",
        "seccomp",
        "prctl",
        "kexec_load",
        "swapoff",
        "acct",
    ]
)


def outcome_of(program: bytes, call: str) -> int:
    """errno (0: none) of the call under the program, with arguments that no kernel accepts, in a child of its own."""
    from sequester.sandbox.guest import kernel

    child = os.fork()
    if not child:
        signal.alarm(5)
        try:
            kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
            buffer = ctypes.create_string_buffer(program, len(program))
            fprog = ctypes.create_string_buffer(
                struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer)), 16
            )
            libc = ctypes.CDLL(None, use_errno=True)
            assert libc.prctl(22, 2, fprog, 0, 0) == 0
            found = libc.syscall(ctypes.c_long(NUMBERS[call]), *([ctypes.c_long(-1)] * 6))
            os._exit(ctypes.get_errno() if found == -1 else 0)
        except BaseException:  # noqa: BLE001 (a child reports by its status alone)
            os._exit(255)
    return os.waitpid(child, 0)[1]


def test_each_system_call_ends_alike_under_both() -> None:
    """Really loaded, one after the other; without a listener the kernel answers what would be asked with ENOSYS."""
    ours, theirs = seccomp.program("default"), by_libseccomp("default")
    for call in sorted(NUMBERS.keys() - NOT_TRIED):
        if not known_to_libseccomp(call):
            continue
        mine, other = outcome_of(ours, call), outcome_of(theirs, call)
        decided = interpret(ours, NUMBERS[call], (0xFFFFFFFFFFFFFFFF,) * 6)
        if decided == bpf.RETURN_NOTIFY:
            assert (mine, other) == (errno.ENOSYS << 8, errno.EPERM << 8), call
        else:
            assert mine == other, call


def test_other_tables_are_seen_and_refused() -> None:
    program = seccomp.program()
    for call in ("read", "socket", "getpid"):
        assert interpret(program, NUMBERS[call], arch=0x40000003) == bpf.RETURN_NOTIFY
        assert interpret(program, syscalls.X32_BIT | NUMBERS[call]) == bpf.RETURN_NOTIFY
        assert interpret(program, 0xFFFFFFFF) == bpf.RETURN_NOTIFY


def test_unknown_numbers_do_not_exist() -> None:
    program = seccomp.program()
    for number in (max(NUMBERS.values()) + 1, 1000, 0x3FFFFFFF):
        assert interpret(program, number) == bpf.RETURN_ERRNO | ENOSYS


def test_the_tree_finds_every_number() -> None:
    """A filter that allows one number only: every other is refused, whatever its place in the tree."""
    for machine in ("x86_64", "aarch64"):
        numbers = syscalls.numbers(machine)
        program = seccomp.program("default", frozenset(["getpid"]), machine)
        for call, number in numbers.items():
            allowed = interpret(program, number, arch=syscalls.AUDIT_ARCH[machine]) == bpf.RETURN_ALLOW
            assert allowed == (call == "getpid" or call in seccomp.ESSENTIAL), (machine, call)


def test_int_arguments_are_compared_in_32_bits() -> None:
    for row in DEFAULT:
        for test in row.when:
            assert test.mask <= 0xFFFFFFFF or (row.calls, test.value, test.mask) in (
                ("sendto", 0, (1 << 64) - 1),
                ("prlimit64", 0, (1 << 64) - 1),
            )


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_name_is_a_system_call_of_some_machine(machine: str) -> None:
    every = syscalls.numbers("x86_64").keys() | syscalls.numbers("aarch64").keys()
    assert {call for row in DEFAULT for call in row.calls.split()} <= every
    assert len(set(syscalls.numbers(machine).values())) == len(syscalls.numbers(machine))


def test_every_row_says_why_and_every_refusal_its_class() -> None:
    for row in DEFAULT:
        assert row.why
        assert bool(row.kind) == (row.action in (Action.NOTIFY, Action.OBSERVE)), row


def test_the_nodes_profile_keeps_what_no_namespace_confines() -> None:
    program = seccomp.program("node")
    for family, allowed in (
        (1, True),
        (2, True),
        (10, True),
        (16, True),
        (17, True),
        (40, False),
        (38, False),
        (44, False),
    ):
        assert (interpret(program, NUMBERS["socket"], (family, 1, 0)) == bpf.RETURN_ALLOW) == allowed, family
    for call in ("io_uring_setup", "bpf", "unshare", "mount", "keyctl", "userfaultfd", "memfd_create", "setns"):
        assert interpret(program, NUMBERS[call]) != bpf.RETURN_ALLOW, call
    for call in ("connect", "sendmsg", "ptrace", "execve", "seccomp", "pidfd_getfd"):
        assert interpret(program, NUMBERS[call]) in (bpf.RETURN_ALLOW, bpf.RETURN_NOTIFY), call


def test_docs_name_every_call_once_a_row() -> None:
    text = seccomp.docs_table()
    for row in DEFAULT:
        for call in row.calls.split():
            assert f"`{call}`" in text
    assert "| any other | errno | not on the list |" in text


def test_bad_names_are_one_line() -> None:
    with pytest.raises(ValueError, match="no such profile, use one of default, strict, node"):
        seccomp.oci_profile("docker")
    with pytest.raises(ValueError, match="opne"):
        seccomp.program("default", frozenset(["opne"]))


def test_a_filter_that_is_too_long_is_refused() -> None:
    branch = bpf.Branch((bpf.Test(0, 1),), 1)
    decisions = [(number, bpf.Decision((branch,) * 3, number)) for number in range(450)]
    with pytest.raises(ValueError, match="the kernel takes 4096"):
        bpf.assemble(NATIVE, decisions, unknown=0, foreign=0, last=450)
