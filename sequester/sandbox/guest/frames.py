"""Frames between the agent and the supervisor: one type byte, a big-endian length in 4 bytes, that many bytes.

Never an end of file: a closed stream is a lost client, and ends the run.
"""

import struct

HEADER = struct.Struct(">cI")
MAX_FRAME_BYTES = 256 << 20

# To the supervisor. Nothing runs before GO.
PARAMETER = b"P"  # name=value
FILTER = b"S"  # the seccomp program
CODE = b"C"  # Python source, UTF-8
DATA = b"D"  # JSON, what the code sees as `data`
ARGUMENT = b"A"  # one word of a command
ENVIRONMENT = b"E"  # NAME=value
FILE = b"F"  # path length (2 bytes), path, permissions (2 bytes), content
GO = b"G"
STDIN = b"I"  # a piece of standard input; empty: its end
KILL = b"K"
ACKNOWLEDGED = b"Z"  # all was received: the supervisor may leave

# From the supervisor. Nothing is written before GO.
STDOUT = b"o"
STDERR = b"e"
VALUE = b"v"  # what the code left in `result`, as the sandbox wrote it: to be decoded with suspicion
RESULT_FILE = b"f"  # path length (2 bytes), path, content
EXIT = b"x"  # JSON object, the last frame


class MalformedFrameError(Exception):
    """The peer does not speak frames, or one is larger than the limit."""


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    """One frame, ready to be written."""
    if len(payload) > MAX_FRAME_BYTES:
        raise MalformedFrameError(f"a frame of {len(payload)} bytes: the limit is {MAX_FRAME_BYTES}")
    return HEADER.pack(kind, len(payload)) + payload


def file_frame(kind: bytes, path: str, content: bytes, mode: int | None = None) -> bytes:
    """A FILE (with permissions) or RESULT_FILE (without)."""
    name = path.encode()
    permissions = b"" if mode is None else struct.pack(">H", mode)
    return frame(kind, struct.pack(">H", len(name)) + name + permissions + content)


class FrameBuffer:
    """Bytes in, whole frames out."""

    def __init__(self, limit_bytes: int = MAX_FRAME_BYTES) -> None:
        self._buffer = bytearray()
        self._limit_bytes = limit_bytes

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """The frames that `data` completes. MalformedFrameError on a length over the limit."""
        self._buffer += data
        frames: list[tuple[bytes, bytes]] = []
        at = 0
        while len(self._buffer) - at >= HEADER.size:
            kind, length = HEADER.unpack_from(self._buffer, at)
            if length > self._limit_bytes:
                raise MalformedFrameError(f"a frame of {length} bytes: the limit is {self._limit_bytes}")
            end = at + HEADER.size + length
            if len(self._buffer) < end:
                break
            frames.append((kind, bytes(self._buffer[at + HEADER.size : end])))
            at = end
        del self._buffer[:at]
        return frames
