"""From fork to untrusted code: descriptors, limits, Landlock, the filter; then the code or the program.

Runs in the supervisor's child. After `enter` nothing here is trusted any more: the code shares its interpreter.
"""

import posix as os
import sys

from . import kernel, values
from .request import Request
from .signals import signal

RESULT, ANNOUNCE, START = 3, 4, 5
"""Descriptors besides the standard three: where the value goes, where the listener is announced, where to wait."""

# What pure computation may import under `strict`: loaded before the filter, as no file can be opened after.
PRELOADED = (
    "json",
    "math",
    "re",
    "decimal",
    "fractions",
    "itertools",
    "functools",
    "collections",
    "statistics",
    "datetime",
    "random",
    "string",
    "textwrap",
    "heapq",
    "bisect",
    "operator",
    "hashlib",
    "base64",
    "traceback",
    "encodings.utf_8",
)

EXIT_NOT_FOUND, EXIT_NOT_EXECUTABLE = 127, 126
SIGNALS = range(1, 65)


def enter(request: Request) -> None:
    """Every layer that a process puts on by itself. OSError when one does not take: then nothing may run."""
    kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # the supervisor reads what its calls point to
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    _prefer_for_oom_kill()
    for name, value in request.limits.items():
        kernel.limit(name, value)
    if request.profile == "strict":
        for module in PRELOADED:
            __import__(module)
    if request.arguments:
        __import__("os")  # for `run_program`: a narrowed filter may open no file
        for number in (signal.SIGPIPE, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
    else:
        _as_started_normally()
        _set_environment(request.environment)
    abi = kernel.restrict_files(request.writable)
    listener = kernel.load_filter(request.program)
    os.write(ANNOUNCE, b"%d %d\n" % (listener, abi))
    os.read(START, 1)
    for descriptor in (listener, ANNOUNCE, START):
        os.close(descriptor)


def _prefer_for_oom_kill() -> None:
    try:
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    except OSError:
        return  # a convenience: the limit holds whichever process the kernel picks
    try:
        os.write(descriptor, b"1000")
    except OSError:
        pass
    finally:
        os.close(descriptor)


def run_code(request: Request) -> int:
    """Run Python source as __main__ with `data` in sight; its exit status. What it leaves in `result` is the value."""
    main = type(sys)("__main__")
    main.__builtins__ = __builtins__
    sys.modules["__main__"] = main
    sys.argv[:] = ["main.py"]
    sys.path[:] = ["", *(request.path or sys.path)]
    sys.dont_write_bytecode = True
    scope = main.__dict__
    status = 0
    try:
        if request.data is not None:
            scope["data"] = values.decode(request.data)
        # As text: bytes may say of themselves, in a comment, that they are not the UTF-8 they are sent as.
        exec(compile(request.code.decode().removeprefix("\ufeff"), "main.py", "exec"), scope)  # noqa: S102 (what this package is for)
        if "result" in scope:
            _send_value(scope["result"])
    except SystemExit as leaving:
        status = _status(leaving)
    except BaseException as error:  # noqa: BLE001 (whatever the code raises is its own failure)
        _print_traceback(error, request.code)
        status = 1
    return status


def finish(status: int) -> None:
    """What the interpreter does at its end, then the end."""
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()  # noqa: SLF001 (waits for the code's threads, as a normal end does)
        if "atexit" in sys.modules:
            sys.modules["atexit"]._run_exitfuncs()  # noqa: SLF001
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        kernel.leave(status)


def _as_started_normally() -> None:
    import builtins

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    builtins.exit = builtins.quit = sys.exit  # `site` gives these, and is not imported for speed


def _set_environment(wanted: "dict[str, str]") -> None:
    """As a program would find it: for `os`, which reads it once, and for what the code starts."""
    sys.modules.pop("os", None)  # placing files took it: the code's is read anew
    for name in [*os.environ]:
        del os.environ[name]
        os.unsetenv(name)
    for name, value in wanted.items():
        os.environ[name.encode()] = value.encode()
        os.putenv(name.encode(), value.encode())


def _send_value(value: object) -> None:
    try:
        encoded = values.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"result: not JSON ({error}): leave text, numbers, lists and string-keyed dicts") from None
    while encoded:
        encoded = encoded[os.write(RESULT, encoded) :]


def _status(leaving: SystemExit) -> int:
    if leaving.code is None:
        return 0
    if isinstance(leaving.code, int):
        return leaving.code & 0xFF
    print(leaving.code, file=sys.stderr)
    return 1


def _print_traceback(error: BaseException, source: bytes) -> None:
    # The first frame is ours; without it the trace reads as that of main.py.
    trace = error.__traceback__ and error.__traceback__.tb_next
    try:
        import linecache
        import traceback

        text = source.decode(errors="replace")
        linecache.cache["main.py"] = (len(text), None, text.splitlines(keepends=True), "main.py")
        traceback.print_exception(type(error), error, trace)
    except BaseException:  # noqa: BLE001 (no file may be opened, or the code broke these modules)
        sys.__excepthook__(type(error), error, trace)


def run_program(request: Request) -> int:
    """Become the program; the status to end with when that fails."""
    from os import execvpe, fsdecode

    words = [fsdecode(word) for word in request.arguments]
    try:
        execvpe(words[0], words, request.environment)  # noqa: S606 (the program that was asked for)
    except FileNotFoundError:
        os.write(2, f"sequester: {words[0]}: no such program in the sandbox\n".encode())
        return EXIT_NOT_FOUND
    except OSError as error:
        os.write(2, f"sequester: {words[0]}: {error.strerror}\n".encode())
        return EXIT_NOT_EXECUTABLE
