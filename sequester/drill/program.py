"""Ways out of a sandbox, as small programs: each is tried behind the walls and, as its baseline, without them.

A body is the inside of a function with `to` (where the sink listens), `canary` (what must not arrive there) and `mark`
(the same as bytes) in sight; it returns when it reached what it wanted and raises OSError when it was refused. The same
source runs in both places. Standard library alone: the system's Python tries it as any user.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Layer(StrEnum):
    """A wall of a local sandbox: `sandbox:<layer>` as a control."""

    SECCOMP = "seccomp"
    LANDLOCK = "landlock"
    MOUNT = "mounts"
    NETWORK = "network"
    UNREADABLE = "unreadable-supervisor"
    NO_NEW_PRIVILEGES = "no-new-privileges"
    PID = "processes"
    UTS = "host-name"
    ENVIRONMENT = "environment"
    RIGHTS = "rights"


LAYERS: Mapping[Layer, str] = {
    Layer.SECCOMP: "a filter refuses the system call and tells the supervisor",
    Layer.LANDLOCK: "no file is written, no TCP is spoken and no signal sent out of the run",
    Layer.MOUNT: "the tree holds no file of the host's but read-only programs",
    Layer.NETWORK: "a network namespace of its own, in which there is nothing",
    Layer.UNREADABLE: "the supervisor's memory and descriptors cannot be opened",
    Layer.NO_NEW_PRIVILEGES: "setuid programs give no rights",
    Layer.PID: "processes are the sandbox's own, and its supervisor is PID 1 there",
    Layer.UTS: "the host name is the sandbox's own",
    Layer.RIGHTS: "an ordinary user without capabilities",
    Layer.ENVIRONMENT: "variables and descriptors of the agent are not handed down",
}


class Bare(StrEnum):
    """What the same source does without a sandbox, in a namespace of the drill's own."""

    REACHES = "reaches"
    REACHES_SINK = "reaches the sink"
    KERNEL_LACKS = "not in this kernel, or reaches"
    UNSAFE = "would harm the machine: not tried"


@dataclass(frozen=True)
class Program:
    """One technique.

    event: what one of the supervisor's events must say, `{v4}` and `{canary}` as in `to`; None where no filtered system
    call is made, and so no event can be. error: the names that errno may have. does: a sentence, where it is not plain
    from the event.
    """

    family: str
    name: str
    body: str
    event: Mapping[str, object] | None
    layer: Layer = Layer.SECCOMP
    error: str = "EPERM"
    bare: Bare = Bare.REACHES
    does: str = ""

    @property
    def id(self) -> str:
        """`direct-tcp-v4`: stable, for reports and `--only`."""
        return slug(f"{self.family} {self.name}")

    def matches(self, event: Mapping[str, object], to: Mapping[str, object]) -> bool:
        """Whether this is the event that the technique must leave behind. to: as the body saw it, `canary` included."""
        return self.event is not None and all(
            event.get(key) == (value.format(**to) if isinstance(value, str) else value)
            for key, value in self.event.items()
        )


def slug(text: str) -> str:
    """Letters, digits and dashes."""
    words = "".join(c if c.isascii() and c.isalnum() else " " for c in text.lower().replace("'s ", "s "))
    return "-".join(words.split())


def program(row: Program, numbers: Mapping[str, int]) -> str:
    """The whole source of a technique: it leaves {"reached", "error"} in `result`. numbers: of system calls."""
    return program_of(row.body, {name: number for name, number in numbers.items() if f"'{name}'" in row.body})


def program_of(body: str, numbers: Mapping[str, int]) -> str:
    """The whole source around a body."""
    body = "".join(f"    {line}\n" for line in body.splitlines())
    head = _PRELUDE.replace("{NUMBERS}", repr(dict(numbers)))
    return f"{head}\ndef attempt(to, canary):\n    mark = canary.encode(); wait = to.get('wait', 5)\n{body}{_EPILOGUE}"


_PRELUDE = """
import ctypes, errno, mmap, os, select, signal, socket, struct, sys, tempfile, time
_libc = ctypes.CDLL(None, use_errno=True)
_NUMBERS = {NUMBERS}
def number(n, *args):
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    answer = _libc.syscall(ctypes.c_long(n), *converted)
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer
def call(name, *args):
    return number(_NUMBERS[name], *args)
def buffer(content):
    return ctypes.create_string_buffer(content, content if isinstance(content, int) else len(content))
def here():
    return id(None)
def fork_and(step):
    pid = os.fork()
    if pid == 0:
        try:
            step()
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        raise OSError(status, os.strerror(status))
def deny():
    raise OSError(errno.ENOMSG, "not so")
def is_open(n):
    try:
        os.fstat(n)
    except OSError:
        return False
    return True
def tmp():
    return tempfile.mkdtemp()
def need(s):
    if not s.recv(64):
        raise OSError(errno.ECONNRESET, "closed")
def wait_for_death():
    time.sleep(0.2)
_low = []
def low32(content):
    page = _libc.mmap
    page.restype = ctypes.c_void_p
    at = page(None, ctypes.c_size_t(4096), 7, 0x22 | 0x40, -1, ctypes.c_size_t(0))
    ctypes.memmove(at, content, len(content))
    return at
def args32(*values):
    return low32(struct.pack(f"{len(values)}I", *values))
def int80(n, b, c, d):
    # push rbx; mov eax, n; mov ebx, b; mov ecx, c; mov edx, d; int 0x80; pop rbx; ret
    word = struct.Struct("I").pack
    machine = b"\\x53\\xb8" + word(n) + b"\\xbb" + word(b) + b"\\xb9" + word(c) + b"\\xba" + word(d)
    machine += b"\\xcd\\x80\\x5b\\xc3"
    return ctypes.CFUNCTYPE(ctypes.c_int)(low32(machine))()
"""

_EPILOGUE = """
try:
    attempt(data, data["canary"])
    result = {"reached": True, "error": ""}
except OSError as error:
    named = "ETIMEDOUT" if isinstance(error, TimeoutError) else errno.errorcode.get(error.errno, str(error.errno))
    result = {"reached": False, "error": named}
"""
