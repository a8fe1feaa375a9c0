"""Tries programs behind the walls and without them, in a network of its own with a sink in it.

A program: it reads a job as JSON on standard input and writes a JSON line for each technique as it is done, then one
that says which canaries of the sandboxed runs arrived at the sink. The sandboxes are started by the user that the job
names; the baselines run as whoever started this. It is killed with its parent. Standard library alone.
"""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

BARE_SECONDS = 20.0
SINK_SECONDS = 1.0
BASELINE_TRIES = 3
"""A datagram may be lost on a busy machine: one that arrives shows that the technique works."""
SETTLE_SECONDS = 0.2
_SET_DEATH_SIGNAL = 1


def main() -> None:
    """Serve one job."""
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
    signal.signal(signal.SIGTERM, _leave)
    job = json.load(sys.stdin)
    sys.path.insert(0, job["package"])
    with TemporaryDirectory(prefix="sequester-drill-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        _work(directory).mkdir()
        _work(directory).chmod(0o777)
        hold(job, directory)


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def hold(job: Mapping[str, Any], directory: Path) -> None:
    """The namespace, the sink, the sandboxes in a child, the baselines here."""
    from sequester.drill.namespace import NoNamespaceError, enter
    from sequester.drill.sink import ADDRESSES, Sink

    os.environ["SEQUESTER_CANARY"] = "seen"
    try:
        enter(ADDRESSES, directory)
    except NoNamespaceError as error:
        say({"unable": str(error)})
        return
    sink = Sink(directory)
    canary = directory / "host-file"
    canary.write_text("seen")
    canary.chmod(0o644)
    to = {**sink.to, "host_file": str(canary)}
    say({"to": to})
    if job["only_baselines"]:  # the sandboxes are elsewhere
        for name, program in job["programs"].items():
            say({"id": name, "bare": _baseline(program, to, sink)})
        return
    child, lines = _sandboxes(job, to, directory)
    try:
        for line in lines:
            found = json.loads(line)
            if "unable" in found:
                say(found)
                return
            say({**found, "bare": _baseline(job["programs"][found["id"]], to, sink)})
    finally:
        lines.close()
        os.waitpid(child, 0)
    time.sleep(SETTLE_SECONDS)
    say({"arrived": sink.arrivals([program["canary"] for program in job["programs"].values()])})


def say(line: Mapping[str, Any]) -> None:
    """One line of the answer."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _work(directory: Path) -> Path:
    return directory / "work"


def _sandboxes(job: Mapping[str, Any], to: Mapping[str, Any], directory: Path) -> tuple[int, IO[str]]:
    """A child, of the job's user, that runs every program in a sandbox; its lines."""
    read, write = os.pipe()
    child = os.fork()
    if child:
        os.close(write)
        return child, os.fdopen(read)
    os.close(read)
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if job["uid"] and not os.geteuid():
        os.setgroups([])
        os.setresgid(job["uid"], job["uid"], job["uid"])
        os.setresuid(job["uid"], job["uid"], job["uid"])
        os.environ["HOME"] = "/nonexistent"
    code = 0
    try:
        with os.fdopen(write, "w") as out:
            behind_walls(job, to, _work(directory), out)
    except BaseException as error:  # noqa: BLE001 (the parent says so, and the drill fails)
        os.write(2, f"{error!r}\n".encode())
        code = 1
    os._exit(code)


def behind_walls(job: Mapping[str, Any], to: Mapping[str, Any], work: Path, out: IO[str]) -> None:
    """Each program in a sandbox of its own."""
    from sequester import IsolatedExecutor
    from sequester.drill import weaken
    from sequester.drill.program import Layer
    from sequester.sandbox.errors import RunFailed, SandboxError

    def tell(line: Mapping[str, Any]) -> None:
        out.write(json.dumps(line) + "\n")
        out.flush()

    try:
        if job["without"]:
            weaken.remove([Layer(name) for name in job["without"]], work)
        executor = IsolatedExecutor.local()
    except (SandboxError, weaken.NotRemovableError) as error:
        tell({"unable": str(error)})
        return
    with executor:
        for name, program in job["programs"].items():
            started = time.time()
            failed = ""
            try:
                data = {**to, "canary": program["canary"], "sandboxed": True}
                result = executor.run_untrusted_code(program["source"], data, timeout=20)
            except RunFailed as error:
                result, failed = error.result, f"{type(error).__name__}: {error}"
            except SandboxError as error:
                tell({"unable": str(error)})
                return
            tell(
                {
                    "id": name,
                    "started": started,
                    "value": result.value,
                    "exit": result.exit,
                    "failed": failed,
                    "stderr": result.stderr[-2000:],
                    "events": [vars(event) for event in result.events],
                }
            )


def _baseline(program: Mapping[str, Any], to: Mapping[str, Any], sink: Any) -> dict[str, Any] | None:
    """What the same program does without a sandbox; None where that is not tried."""
    if not program["bare"]:
        return None
    found: dict[str, Any] = {}
    for _ in range(BASELINE_TRIES if program["to_sink"] else 1):
        found = without_walls(program["source"], {**to, "canary": program["bare"], "sandboxed": False})
        until = time.monotonic() + SINK_SECONDS
        while program["to_sink"] and not sink.arrived(program["bare"]) and time.monotonic() < until:
            time.sleep(0.005)
        if sink.arrived(program["bare"]):
            break
    return {**found, "arrived": sink.arrived(program["bare"])}


def without_walls(source: str, to: Mapping[str, Any]) -> dict[str, Any]:
    """Whether it reached what it wanted: it says so, or its parent did not survive it; else its errno."""
    from sequester.drill.namespace import NEW_MOUNTS, NEW_UTS, unshare

    read, write = os.pipe()
    parent = os.fork()
    if not parent:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        unshare(NEW_MOUNTS | NEW_UTS)  # what one technique unmounts or renames, the next still finds
        child = os.fork()
        if not child:
            scope: dict[str, Any] = {"data": to}
            try:
                exec(compile(source, "technique", "exec"), scope)  # noqa: S102 (our own table)
                os.write(write, json.dumps(scope["result"]).encode())
            except BaseException as error:  # noqa: BLE001 (a baseline that breaks did not reach)
                os.write(write, json.dumps({"reached": False, "error": repr(error)[:200]}).encode())
            os._exit(0)
        os.waitpid(child, 0)
        os._exit(0)
    os.close(write)
    until = time.monotonic() + BARE_SECONDS
    pid, status = os.waitpid(parent, os.WUNTRACED | os.WNOHANG)
    while not pid and time.monotonic() < until:
        time.sleep(0.002)
        pid, status = os.waitpid(parent, os.WUNTRACED | os.WNOHANG)
    stopped = bool(pid) and os.WIFSTOPPED(status)
    died = stopped or (bool(pid) and os.WIFSIGNALED(status))
    if not pid or stopped:
        os.kill(parent, signal.SIGKILL)
        os.waitpid(parent, 0)
    os.set_blocking(read, False)
    try:
        said = os.read(read, 4096)
    except BlockingIOError:
        said = b""
    os.close(read)
    if died:
        return {"reached": True, "error": ""}
    return json.loads(said) if said else {"reached": False, "error": "it said nothing"}


if __name__ == "__main__":
    main()
