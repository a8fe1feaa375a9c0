"""libc's functions by name, with the errors they set.

By _ctypes, the half of ctypes that is a shared object: the other half costs 1 ms at each start.
"""

import _ctypes
import posix as os

_CDECL_WITH_ERRNO = 1 | 8  # FUNCFLAG_CDECL | FUNCFLAG_USE_ERRNO


class _Long(_ctypes._SimpleCData):  # noqa: SLF001 # pyright: ignore[reportMissingTypeArgument, reportPrivateUsage] (as ctypes derives c_long)
    _type_ = "l"


class _Char(_ctypes._SimpleCData):  # noqa: SLF001 # pyright: ignore[reportMissingTypeArgument, reportPrivateUsage]
    _type_ = "c"


class _Function(_ctypes.CFuncPtr):
    _flags_ = _CDECL_WITH_ERRNO
    _restype_ = _Long


class Buffer:
    """Memory that a call reads or fills."""

    def __init__(self, content: bytes) -> None:
        self._content = bytearray(content)
        self._first = _Char.from_buffer(self._content)
        self.address: int = _ctypes.addressof(self._first)

    def __bytes__(self) -> bytes:
        return bytes(self._content)


_LIBC = _ctypes.dlopen(None, os.RTLD_NOW)  # pyright: ignore[reportArgumentType] (None: this program itself)


def call(name: str, *arguments: int | bytes | Buffer | None) -> int:
    """What the function answers; OSError when that is negative. Integers are passed as long."""
    function = _Function(_ctypes.dlsym(_LIBC, name))
    words = [a.address if isinstance(a, Buffer) else a for a in arguments]
    answer = int(function(*(_Long(word) if isinstance(word, int) else word for word in words)))
    # Functions that return int leave the upper half of the register as it was.
    if answer & 0xFFFFFFFF == 0xFFFFFFFF:
        error = _ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return answer
