"""PID 1's first steps: take one request and start the watched child; what watches is loaded while the child begins.

It makes itself unreadable first; its child is of the same uid, and is kept from its limits, priority and signals by the
filter, by Landlock and by being PID 1.
"""

import gc
import posix as os
import select

from . import frames, kernel, launch
from .request import BadRequestError, Request
from .signals import signal

READ_BYTES = 1 << 16


def main() -> None:
    """Serve one run on the standard descriptors."""
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    # PID 1 takes from inside its namespace only signals that it handles: handle none.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    arrives = select.poll()
    arrives.register(0, select.POLLIN)
    if not arrives.poll(0):
        _load()  # started ahead: there is time
    request, buffer = Request(), frames.FrameBuffer()
    try:
        later = _wait_for_go(request, buffer)
        if later is None:
            kernel.leave(0)
        request.check()
        given = _place(request)
        gc.freeze()  # what is there now is neither's garbage: the child need not touch, and so copy, its pages
        started = launch.start(request)
    except (BadRequestError, frames.MalformedFrameError, ValueError, OSError) as error:
        _load().refuse(request, buffer, f"{type(error).__name__}: {error}")
    else:
        _load().Supervisor(request, buffer, started, given).serve(later)
    kernel.leave(0)  # nothing is left to be done, and an interpreter's end takes 2 ms


def _load():
    from . import supervisor

    return supervisor


def _wait_for_go(request: Request, buffer: frames.FrameBuffer) -> "list[tuple[bytes, bytes]] | None":
    """Frames after GO; None when the client left before."""
    while data := os.read(0, READ_BYTES):
        arrived = buffer.feed(data)
        for index, (kind, payload) in enumerate(arrived):
            if kind == frames.GO:
                return arrived[index + 1 :]
            request.take(kind, payload)
    return None


def _place(request: Request) -> "dict[str, tuple[int, int]]":
    if not request.files:
        return {}
    from . import files

    return files.place(request.files)
