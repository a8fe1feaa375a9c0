"""Every form of the system call table: the filter loaded in process, the OCI profile of the nodes, the docs' table.

Imports nothing heavy: the Pulumi program takes the node's profile from here.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from sequester.sandbox import bpf
from sequester.sandbox.guest import syscalls
from sequester.sandbox.seccomp_table import (
    DEFAULT,
    ENOSYS,
    EPERM,
    ESSENTIAL,
    SEEN_IN_PODS,
    STRICT,
    SUPERVISOR,
    TO_START_A_PROGRAM,
    Action,
    Row,
)

Json = dict[str, object]


@dataclass(frozen=True)
class Profile:
    """Rows in order, and what happens to a known system call that no row decides."""

    name: str
    rows: tuple[Row, ...]
    otherwise: Row
    why: str


def _for_nodes(rows: Sequence[Row]) -> tuple[Row, ...]:
    """`rows` as a container runtime must apply them around a supervisor: what the supervisor does itself, and what it
    must see to report, passes; a runtime's refusal would come before its own and leave no event (seccomp(2): ERRNO
    before USER_NOTIF)."""
    own = {call for row in SUPERVISOR for call in row.calls.split()}
    seen = {call for row in rows if row.kind in SEEN_IN_PODS for call in row.calls.split()} - own
    kept = [replace(row, calls=" ".join(call for call in row.calls.split() if call not in own | seen)) for row in rows]
    through = Row(" ".join(sorted(seen)), Action.ALLOW, "refused by the supervisor's filter, which reports it")
    return (*SUPERVISOR, through, *(row for row in kept if row.calls))


_REFUSED = Row("", Action.ERRNO, "not on the list", errno=EPERM)

PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("default", DEFAULT, _REFUSED, "what CPython, Node and compilers need, and no way out"),
        Profile(
            "strict",
            STRICT,
            Row("", Action.NOTIFY, "not needed for pure computation", "strict"),
            "computation on what is already loaded: no files, processes or sockets",
        ),
        Profile(
            "node",
            _for_nodes(DEFAULT),
            _REFUSED,
            "for the runtime of sandbox nodes: `default`, but network and trace calls reach the supervisor's eyes",
        ),
    )
}


def profile(name: str) -> Profile:
    """The profile called `name`; ValueError names those there are."""
    try:
        return PROFILES[name]
    except KeyError:
        raise ValueError(f"seccomp profile {name!r}: no such profile, use one of {', '.join(PROFILES)}") from None


@cache
def program(name: str = "default", allowed: frozenset[str] | None = None, machine: str = "") -> bytes:
    """The BPF program of a profile, for seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER).

    `allowed` narrows it: a system call outside that set (and the few that ending a process takes) is refused and seen.
    """
    machine = machine or os.uname().machine
    numbers = syscalls.numbers(machine)
    if allowed is not None and (unknown := sorted(allowed - numbers.keys())):
        raise ValueError(f"allowed_syscalls: no system call {', '.join(unknown)} on {machine}: check the spelling")
    chosen = profile(name)
    narrowed = bpf.Decision((), bpf.RETURN_NOTIFY)
    decisions: list[tuple[int, bpf.Decision]] = []
    for call, number in numbers.items():
        outside = allowed is not None and call not in allowed and call not in ESSENTIAL
        decisions.append((number, narrowed if outside else _decision(rows_of(chosen, call), chosen.otherwise)))
    return bpf.assemble(
        syscalls.AUDIT_ARCH[machine],
        decisions,
        unknown=bpf.RETURN_ERRNO | ENOSYS,
        foreign=bpf.RETURN_NOTIFY,
        last=max(numbers.values()),
        elsewhere=[(syscalls.X32_BIT, bpf.RETURN_NOTIFY)],
    )


def missing_to_start(allowed: frozenset[str], machine: str = "") -> list[str]:
    """What a program cannot start without, and `allowed` lacks."""
    numbers = syscalls.numbers(machine or os.uname().machine)
    return sorted(call for call in TO_START_A_PROGRAM - allowed if call in numbers)


@cache
def proceeding(name: str, allowed: frozenset[str] | None) -> frozenset[str]:
    """The calls of a profile that the supervisor looks at and may let go on: none outside of `allowed`."""
    found = {
        call
        for row in profile(name).rows
        for call in row.calls.split()
        if row.action is Action.OBSERVE or (row.action is Action.ALLOW and call == "sendto")
    }
    return frozenset(found if allowed is None else found & allowed)


def rows_of(chosen: Profile, call: str) -> list[Row]:
    """The rows that speak of `call`, in order."""
    return [row for row in chosen.rows if call in row.calls.split()]


def _decision(rows: Sequence[Row], otherwise: Row) -> bpf.Decision:
    branches: list[bpf.Branch] = []
    for row in rows:
        if not row.when:
            return bpf.Decision(tuple(branches), _returns(row))
        branches.append(bpf.Branch(row.when, _returns(row)))
    return bpf.Decision(tuple(branches), _returns(otherwise))


def _returns(row: Row) -> int:
    match row.action:
        case Action.ALLOW:
            return bpf.RETURN_ALLOW
        case Action.OBSERVE | Action.NOTIFY:
            return bpf.RETURN_NOTIFY
        case Action.ERRNO:
            return bpf.RETURN_ERRNO | row.errno


def kind_of(call: str) -> str:
    """The class of attempt that a refused `call` is, as events name it."""
    for row in DEFAULT:
        if row.kind and call in row.calls.split():
            return row.kind
    return "unlisted"


_OCI_ARCHITECTURES = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}


def oci_profile(name: str = "node") -> Json:
    """The profile as the OCI runtime specification's `linux.seccomp` (what `localhostProfile` names on a node).

    There is no supervisor at that level, so what it would be asked about is refused with EPERM in `default` and
    `strict`; `node` lets through to the supervisor's own filter what it must see to report it. Architectures other than
    the native ones are left out on purpose: the runtime kills what enters by them. SECCOMP_FILTER_FLAG_LOG puts each
    refusal into the node's audit log.
    https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#seccomp
    """
    chosen = profile(name)
    listed = sorted({call for row in chosen.rows for call in row.calls.split()})
    rules: dict[tuple[str, int, tuple[bpf.Test, ...]], list[str]] = {}
    for call in listed:
        for row in rows_of(chosen, call):
            action, errno = _oci_action(row)
            if (action, errno) != ("SCMP_ACT_ERRNO", EPERM):  # that is the default action
                rules.setdefault((action, errno, row.when), []).append(call)
            if not row.when:
                break
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": EPERM,
        "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        "architectures": list(_OCI_ARCHITECTURES.values()),
        "syscalls": [
            {
                "names": calls,
                "action": action,
                **({"errnoRet": errno} if errno else {}),
                **({"args": [_oci_argument(test) for test in when]} if when else {}),
            }
            for (action, errno, when), calls in rules.items()
        ],
    }


def _oci_action(row: Row) -> tuple[str, int]:
    match row.action:
        case Action.ALLOW | Action.OBSERVE:
            return "SCMP_ACT_ALLOW", 0
        case Action.NOTIFY:
            return "SCMP_ACT_ERRNO", EPERM
        case Action.ERRNO:
            return "SCMP_ACT_ERRNO", row.errno


def _oci_argument(test: bpf.Test) -> Json:
    # valueTwo is the datum and value the mask for SCMP_CMP_MASKED_EQ.
    return {"index": test.index, "value": test.mask, "valueTwo": test.value, "op": "SCMP_CMP_MASKED_EQ"}


def _as_text(test: bpf.Test) -> str:
    masked = "" if test.mask in (0xFFFFFFFF, (1 << 64) - 1) else f" & {test.mask:#x}"
    return f"arg{test.index}{masked} = {test.value:#x}"


def docs_table(name: str = "default") -> str:
    """The profile as a Markdown table: system calls, what happens, why."""
    chosen = profile(name)
    merged: dict[tuple[str, str, str], list[str]] = {}
    for row in chosen.rows:
        condition = " and ".join(_as_text(test) for test in row.when)
        for call in row.calls.split():
            merged.setdefault((call if row.when else row.calls, row.action, "" if row.when else row.why), [])
            if row.when:
                merged[(call, row.action, "")].append(f"{row.why}: {condition}")
    lines = [f"`{name}`: {chosen.why}.", "", "| system calls | action | why |", "|---|---|---|"]
    for (calls, action, why), conditions in merged.items():
        names = " ".join(f"`{call}`" for call in calls.split())
        lines.append(f"| {names} | {action} | {why or '; '.join(dict.fromkeys(conditions))} |")
    lines.append(f"| any other | {chosen.otherwise.action} | {chosen.otherwise.why} |")
    return "\n".join(lines) + "\n"
