"""Starting the watched child: its pipes, the fork, and the listener that its filter announces."""

import posix as os

from . import child, kernel
from .request import WORK, Request

EXIT_WALL_MISSING = 70
EXIT_UNCAUGHT = 1


class Started:
    """The child behind its walls, and the supervisor's ends of what joins them."""

    def __init__(self, pid: int, listener: int, landlock: int, streams: tuple[int, int, int, int]) -> None:
        self.pid = pid
        self.ended = os.pidfd_open(pid)
        self.listener = listener
        self.landlock = landlock
        self.stdin, self.stdout, self.stderr, self.result = streams


def start(request: Request) -> Started:
    """Fork the child and take its listener; OSError, with the child's own word, when a wall did not take."""
    stdin, stdout, stderr, result, announce, go = (os.pipe() for _ in range(6))
    theirs = (stdin[0], stdout[1], stderr[1], result[1], announce[1], go[0])
    pid = os.fork()
    if not pid:
        _become_child(request, theirs)
    for end in theirs:
        os.close(end)
    said = os.read(announce[0], 64).split()
    os.close(announce[0])
    if len(said) != 2:
        os.waitpid(pid, 0)
        reason = b"".join(iter(lambda: os.read(stderr[0], 4096), b"")).decode(errors="replace").strip()
        raise OSError(0, reason or "the child ended before its walls stood")
    listener = kernel.take_descriptor(pid, int(said[0]))
    os.write(go[1], b".")
    os.close(go[1])
    return Started(pid, listener, int(said[1]), (stdin[1], stdout[0], stderr[0], result[0]))


def _become_child(request: Request, ends: tuple[int, ...]) -> None:
    """In the fork: never returns."""
    try:
        os.setsid()
        # Out of the way first, yet low: whoever started us may be allowed few descriptors.
        above = max(*ends, len(ends)) + 1
        high = [os.dup2(end, above + index, inheritable=True) for index, end in enumerate(ends)]
        for index, end in enumerate(high):
            os.dup2(end, index, inheritable=index < 3)
        os.closerange(len(ends), 1 << 20)
        os.chdir(WORK)
        child.enter(request)
    except BaseException as error:  # noqa: BLE001 (nothing may run past a wall that does not stand)
        os.write(2, f"{type(error).__name__}: {error}".encode())
        kernel.leave(EXIT_WALL_MISSING)
    try:
        if request.arguments:
            kernel.leave(child.run_program(request))
        child.finish(child.run_code(request))
    finally:
        kernel.leave(EXIT_UNCAUGHT)  # whatever the code broke, it does not go on as the supervisor
