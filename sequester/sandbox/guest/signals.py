"""The signal module without its enums, which cost 3 ms to import."""

TYPE_CHECKING = False  # what type checkers know by this name; typing's own costs 5 ms

if TYPE_CHECKING:
    import signal
else:
    import _signal as signal

__all__ = ["signal"]
