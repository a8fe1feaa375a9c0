"""`IsolatedExecutor`: the one call that runs untrusted code, wherever it runs."""

import asyncio
import difflib
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import EllipsisType, TracebackType
from typing import Protocol, Self, TypedDict, Unpack, cast

from sequester.sandbox.errors import InvalidRequest
from sequester.sandbox.result import Json, Result
from sequester.sandbox.session import OnOutput
from sequester.sandbox.task import Limits, Task, new_run_id, size_bytes, utf_8

Size = int | str


class Backend(Protocol):
    """Where tasks run."""

    def run(self, task: Task, on_output: OnOutput | None = None, stop: threading.Event | None = None) -> Result:
        """Run to the end; `stop` ends it early."""
        ...

    def close(self) -> None: ...


class Fetcher(Protocol):
    """The door's client: it fetches with credentials that no sandbox has."""

    def fetch_external_data(self, url: str, max_size: int) -> bytes: ...


class Options(TypedDict, total=False):
    """What a run may be given besides its code or command."""

    timeout: float
    """Seconds."""
    memory: Size
    """Bytes, or text such as ``"256MiB"``; so too `max_output`."""
    max_output: Size
    """Of standard output, standard error, value and files together."""
    max_files: int
    files: Mapping[str, bytes | str]
    """By path below the working directory."""
    stdin: bytes | str
    environment: Mapping[str, str]
    profile: str
    """``"default"``, or ``"strict"`` for pure computation (Python code only)."""
    allowed_syscalls: Iterable[str]
    """Narrows the profile to these system calls."""
    run: str
    """The run's id: on Kubernetes a retry with the same id is the same run."""
    on_output: OnOutput


class _Common(TypedDict):
    files: Mapping[str, bytes]
    stdin: bytes
    environment: Mapping[str, str]
    profile: str
    allowed_syscalls: frozenset[str] | None
    limits: Limits
    run: str


class IsolatedExecutor:
    """Runs untrusted code with no network, and records each attempt to get out.

    >>> with IsolatedExecutor.local() as executor:
    ...     executor.run_untrusted_code("result = sum(data['xs'])", {"xs": [1, 2]}).value
    3
    """

    def __init__(self, backend: Backend, *, limits: Limits | None = None, door: Fetcher | None = None) -> None:
        self._backend = backend
        self._limits = limits or Limits()
        self._door = door

    @classmethod
    def local(
        cls,
        *,
        interpreter: str = "",
        binds: Sequence[str] = (),
        warm: int = 0,
        limits: Limits | None = None,
        door: Fetcher | None = None,
    ) -> Self:
        """Sandboxes on this machine (Linux with bubblewrap).

        `interpreter` runs Python code (default: the system's python3), `binds` are directories shown read-only at their
        own paths, `warm` is how many sandboxes wait, started ahead. SandboxUnavailable says what is missing.
        """
        from sequester.sandbox.local import LocalBackend

        limits = limits or Limits()
        backend = LocalBackend(interpreter_path=interpreter, binds=binds, warm=warm, limits=limits)
        return cls(backend, limits=limits, door=door)

    @classmethod
    def kubernetes(
        cls,
        *,
        tenant: str,
        image: str,
        context: str | None = None,
        warm: bool = False,
        cpu: str = "1",
        memory: Size = "1GiB",
        disk: Size = "1GiB",
        runtime_class: str = "",
        machine: str = "x86_64",
        limits: Limits | None = None,
        door: Fetcher | None = None,
    ) -> Self:
        """Sandboxes of a tenant on the deployed cluster, as its agent.

        `image` by digest; `warm` claims waiting pods where the platform deployed them; `machine` is what the sandbox
        nodes are (uname -m). `cpu`, `memory` and `disk` are one sandbox's, as the tenant's settings have them: `limits`
        follow from them, and waiting pods serve only runs of that size. The identity is this pod's service account,
        else the kubeconfig's (`context`).
        """
        from sequester.sandbox.cluster_api import connect
        from sequester.sandbox.kubernetes import KubernetesBackend
        from sequester.sandbox.pods import PodSettings, limits_of

        settings = PodSettings(tenant=tenant, image=image, cpu=cpu, runtime_class=runtime_class)
        backend = KubernetesBackend(connect(context), settings, warm=warm, machine=machine)
        return cls(backend, limits=limits or limits_of(memory, disk), door=door)

    def run_untrusted_code(self, code: str, data: Json | EllipsisType = ..., **options: Unpack[Options]) -> Result:
        """Run Python source that sees `data` (JSON) and may leave JSON in `result`, which comes back as `value`.

        Raises the errors of `sequester.sandbox.errors`; that the code itself fails is `Result.exit`, not an error.
        """
        return self._backend.run(self._code_task(code, data, options), options.get("on_output"))

    def run(self, command: Sequence[str], **options: Unpack[Options]) -> Result:
        """Run a program of the sandbox's image in a working directory that holds `files`; errors as above."""
        return self._backend.run(self._command_task(command, options), options.get("on_output"))

    async def run_untrusted_code_async(
        self, code: str, data: Json | EllipsisType = ..., **options: Unpack[Options]
    ) -> Result:
        """As `run_untrusted_code`; cancelling it kills the run."""
        return await self._in_thread(self._code_task(code, data, options), options.get("on_output"))

    async def run_async(self, command: Sequence[str], **options: Unpack[Options]) -> Result:
        """As `run`; cancelling it kills the run."""
        return await self._in_thread(self._command_task(command, options), options.get("on_output"))

    async def _in_thread(self, task: Task, on_output: OnOutput | None) -> Result:
        stop = threading.Event()
        try:
            return await asyncio.to_thread(self._backend.run, task, on_output, stop)
        finally:
            stop.set()

    def fetch_external_data(self, url: str, *, max_size: Size = "1MiB") -> bytes:
        """What `url` holds, by the door: the agent's own request, which no sandbox can make."""
        if self._door is None:
            raise InvalidRequest("no door: give door=Door(name of the function) when making the executor")
        return self._door.fetch_external_data(url, size_bytes("max_size", max_size))

    def close(self) -> None:
        """End what waits; runs in other threads end by themselves."""
        self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _code_task(self, code: str, data: Json | EllipsisType, options: Options) -> Task:
        task = Task(code=code, **self._common(options))
        return task if isinstance(data, EllipsisType) else replace(task, data=data, has_data=True)

    def _command_task(self, command: object, options: Options) -> Task:
        if isinstance(command, str | bytes) or not isinstance(command, Sequence):
            raise InvalidRequest(f"command={command!r}: give a list of words, such as ['python3', 'main.py']")
        return Task(command=tuple(cast(Sequence[str], command)), **self._common(options))

    def _common(self, options: Options) -> _Common:
        check_options(options)
        allowed = options.get("allowed_syscalls")
        return {
            "files": {name: _bytes(f"file {name!r}", content) for name, content in options.get("files", {}).items()},
            "stdin": _bytes("stdin", options.get("stdin", b"")),
            "environment": options.get("environment", {}),
            "profile": options.get("profile", "default"),
            "allowed_syscalls": None if allowed is None else frozenset(allowed),
            "limits": self._narrowed(options),
            "run": options.get("run") or new_run_id(),
        }

    def _narrowed(self, options: Options) -> Limits:
        limits = self._limits
        if "timeout" in options:
            limits = replace(limits, timeout_seconds=options["timeout"])
        if "memory" in options:
            limits = replace(limits, memory_bytes=size_bytes("memory", options["memory"]))
        if "max_output" in options:
            limits = replace(limits, max_output_bytes=size_bytes("max_output", options["max_output"]))
        if "max_files" in options:
            limits = replace(limits, max_files=options["max_files"])
        return limits


_FORMS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "timeout": (lambda value: isinstance(value, int | float) and not isinstance(value, bool), "seconds"),
    "memory": (lambda value: True, ""),  # read by size_bytes, as is the next
    "max_output": (lambda value: True, ""),
    "max_files": (lambda value: isinstance(value, int) and not isinstance(value, bool), "a whole number"),
    "files": (lambda value: isinstance(value, Mapping), "a dict of contents by path"),
    "stdin": (lambda value: True, ""),
    "environment": (lambda value: isinstance(value, Mapping), "a dict of texts by name"),
    "profile": (lambda value: isinstance(value, str), "'default' or 'strict'"),
    "allowed_syscalls": (
        lambda value: isinstance(value, Iterable) and not isinstance(value, str | bytes),
        "a list of names, such as ['read', 'write']",
    ),
    "run": (lambda value: isinstance(value, str), "text"),
    "on_output": (callable, "a function of a stream's name and bytes"),
}
"""For each option: whether a value can be meant at all, and what to give instead."""


def check_options(options: Mapping[str, object]) -> None:
    """A limit that is misspelt would not hold, and nobody would know. Raises InvalidRequest with the mend."""
    for name, value in options.items():
        if name not in _FORMS:
            near = difflib.get_close_matches(name, _FORMS, 1)
            meant = f"did you mean {near[0]}=?" if near else f"there are {', '.join(_FORMS)}"
            raise InvalidRequest(f"{name}={value!r}: no such option: {meant}")
        fits, mend = _FORMS[name]
        if not fits(value):
            raise InvalidRequest(f"{name}={value!r}: give {mend}")


def _bytes(name: str, content: object) -> bytes:
    if isinstance(content, bytes | bytearray):
        return bytes(content)
    if not isinstance(content, str):
        raise InvalidRequest(f"{name}: {type(content).__name__} is neither text nor bytes: give either")
    return utf_8(name, content)
