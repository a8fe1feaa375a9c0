"""An assembler for classic BPF as seccomp(2) runs it: decisions over (arch, number, arguments) become instructions.

The decision on the number is a balanced tree, so 450 system calls cost at most nine comparisons, and a kernel that
caches always-allowed numbers (5.11 and later) skips the filter for them. See linux/bpf_common.h and seccomp(2).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

LOAD_WORD, AND, JUMP, JUMP_EQUAL, JUMP_GREATER_EQUAL, RETURN = 0x20, 0x54, 0x05, 0x15, 0x35, 0x06
OFFSET_NUMBER, OFFSET_ARCH, OFFSET_ARGUMENTS = 0, 4, 16
MAX_INSTRUCTIONS = 4096

RETURN_ALLOW = 0x7FFF0000
RETURN_NOTIFY = 0x7FC00000
RETURN_ERRNO = 0x00050000
RETURN_KILL_PROCESS = 0x80000000


@dataclass(frozen=True)
class Test:
    """``arguments[index] & mask == value``. The kernel's int arguments are 32 bits: their mask must say so, or a
    caller that sets the upper half slips past the comparison (CVE-2019-10063)."""

    index: int
    value: int
    mask: int = 0xFFFFFFFF


@dataclass(frozen=True)
class Branch:
    """What to return when all tests hold."""

    tests: tuple[Test, ...]
    returns: int


@dataclass(frozen=True)
class Decision:
    """First branch whose tests hold, else `otherwise`."""

    branches: tuple[Branch, ...]
    otherwise: int


Instruction = tuple[int, int, int, int]


def assemble(
    arch: int,
    decisions: Sequence[tuple[int, Decision]],
    *,
    unknown: int,
    foreign: int,
    last: int,
    elsewhere: Sequence[tuple[int, int]] = (),
) -> bytes:
    """The program, as an array of struct sock_filter.

    `decisions` is (number, decision) for the numbers up to `last`. A number in between that is not listed, and any
    above `last`, returns `unknown`; from each (number, returns) of `elsewhere` on (ascending) it returns that. Another
    arch returns `foreign`.
    """
    ranges = [
        *_ranges(decisions, unknown, last),
        *((number, Decision((), returns)) for number, returns in elsewhere),
    ]
    code: list[Instruction] = [
        (LOAD_WORD, 0, 0, OFFSET_ARCH),
        (JUMP_EQUAL, 1, 0, arch),
        (RETURN, 0, 0, foreign),
        (LOAD_WORD, 0, 0, OFFSET_NUMBER),
        *_tree(ranges),
    ]
    if len(code) > MAX_INSTRUCTIONS:
        raise ValueError(f"the filter has {len(code)} instructions, the kernel takes {MAX_INSTRUCTIONS}: narrow it")
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _ranges(decisions: Sequence[tuple[int, Decision]], unknown: int, last: int) -> list[tuple[int, Decision]]:
    """(first number, decision) of each run of numbers decided alike, covering 0 up to 2**32 - 1."""
    by_number = dict(decisions)
    nothing = Decision((), unknown)
    ranges: list[tuple[int, Decision]] = []
    for number in range(last + 2):
        decision = by_number.get(number, nothing)
        if not ranges or ranges[-1][1] != decision:
            ranges.append((number, decision))
    return ranges


def _tree(ranges: Sequence[tuple[int, Decision]]) -> list[Instruction]:
    if len(ranges) == 1:
        return _leaf(ranges[0][1])
    middle = len(ranges) // 2
    low, high = _tree(ranges[:middle]), _tree(ranges[middle:])
    # A conditional jump reaches 255 instructions, an unconditional one any number: hence the pair.
    return [(JUMP_GREATER_EQUAL, 0, 1, ranges[middle][0]), (JUMP, 0, 0, len(low)), *low, *high]


def _leaf(decision: Decision) -> list[Instruction]:
    code: list[Instruction] = []
    for branch in decision.branches:
        tests = [part for test in branch.tests for part in _words(test)]
        left = 3 * len(tests) + 1
        for offset, value, mask in tests:
            left -= 3
            code += [
                (LOAD_WORD, 0, 0, offset),
                (AND, 0, 0, mask),
                (JUMP_EQUAL, 0, left, value),
            ]
        code.append((RETURN, 0, 0, branch.returns))
    return [*code, (RETURN, 0, 0, decision.otherwise)]


def _words(test: Test) -> list[tuple[int, int, int]]:
    """The 64-bit test as tests of 32-bit halves (little endian): (offset, value, mask), halves that matter only."""
    low = OFFSET_ARGUMENTS + 8 * test.index
    halves = [(low, test.value & 0xFFFFFFFF, test.mask & 0xFFFFFFFF), (low + 4, test.value >> 32, test.mask >> 32)]
    return [half for half in halves if half[2]]
