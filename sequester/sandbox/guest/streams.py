"""Writing without waiting: a slow or absent reader must not stop the supervisor's eyes."""

import posix as os
import select

TYPE_CHECKING = False  # what type checkers know by this name; typing's own costs 5 ms

if TYPE_CHECKING:
    from collections.abc import Callable

READ_BYTES = 1 << 16
BACKLOG_BYTES = 1 << 20


class Outbox:
    """Bytes queued for a descriptor, written as it takes them."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.broken = False
        self._queue = bytearray()
        os.set_blocking(descriptor, False)

    @property
    def waiting(self) -> bool:
        """Something is queued."""
        return bool(self._queue)

    @property
    def full(self) -> bool:
        """More is queued than should be: stop reading what fills it."""
        return len(self._queue) >= BACKLOG_BYTES

    def put(self, data: bytes) -> None:
        self._queue += data
        self.flush()

    def flush(self) -> None:
        """Write what the reader takes now; `broken` once it has gone."""
        while self._queue and not self.broken:
            try:
                del self._queue[: os.write(self.descriptor, self._queue[: 1 << 20])]
            except BlockingIOError:
                return
            except OSError:
                self.broken = True

    def close(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor, self.broken = -1, True


def read_some(descriptor: int) -> bytes | None:
    """What is there; b"" at the end, None when there is nothing yet."""
    try:
        return os.read(descriptor, READ_BYTES)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def drain(descriptor: int, take: "Callable[[bytes], None]") -> None:
    """Everything up to the end or to what is there now."""
    while piece := read_some(descriptor):
        take(piece)


def register(poll: "select.poll", descriptor: int, wanted: int) -> None:
    """Wait for `wanted` on a descriptor from now on, or (0) for nothing; a closed one (-1) is no matter."""
    if descriptor < 0:
        return
    if wanted:
        poll.register(descriptor, wanted)
        return
    try:
        poll.unregister(descriptor)
    except KeyError:
        return


def readable(descriptor: int) -> bool:
    """Whether reading would not wait."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return any(happened & select.POLLIN for _, happened in poll.poll(0))
