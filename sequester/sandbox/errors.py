"""How a run can fail other than by its own exit status: each with the mend, each with what was seen until then."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sequester.sandbox.result import Result


class SandboxError(Exception):
    """Any failure of a sandbox."""


class SandboxUnavailable(SandboxError):  # noqa: N818 (named for what is the case, as its siblings)
    """No sandbox could be made here; the message says what is missing and how to get it."""


class InvalidRequest(SandboxError, ValueError):  # noqa: N818
    """The caller asked for something that cannot be; the message names the argument, the value and the mend."""


class RunFailed(SandboxError):  # noqa: N818
    """The run was ended before its own end; `result` holds what there was until then."""

    def __init__(self, message: str, result: "Result") -> None:
        super().__init__(message)
        self.result = result


class TimedOut(RunFailed):
    """The run reached its time limit and was killed."""


class MemoryExceeded(RunFailed):
    """The run reached its memory limit: by the kernel's count of kills, or the supervisor's own measurement."""


class OutputTooLarge(RunFailed):
    """More output, value or files than allowed: the run was killed, nothing over the limit was read."""


class InvalidResult(RunFailed):
    """What the code left in `result` is not the JSON that it claims to be."""


class SandboxLost(RunFailed):
    """The sandbox went away without an ending: the pod was evicted, or its supervisor was killed from outside."""
