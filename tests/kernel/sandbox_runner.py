"""Tries every technique behind the walls and without them, in a network namespace of its own with a sink in it.

A program: it reads a job as JSON on standard input and writes what happened as JSON on standard output. It starts as
root to make the namespace; the sandboxes are then started by the user that the job names.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

CLONE_NEWNET, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNS = 0x40000000, 0x04000000, 0x08000000, 0x00020000
ADDRESSES = ("192.0.2.1/32", "169.254.169.254/32", "127.0.0.53/32", "2001:db8::1/128")
CONTROL_SECONDS = 20.0


class Sink:
    """Listens wherever a technique may aim, and counts what arrives."""

    def __init__(self, directory: Path) -> None:
        self.received = 0
        self.lock = threading.Lock()
        self.to: dict[str, Any] = {"v4": "192.0.2.1", "v6": "2001:db8::1"}
        tcp = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.to["port"] = tcp.getsockname()[1]
        self._serve(tcp)
        self._serve(socket.create_server(("::", 53), family=socket.AF_INET6, dualstack_ipv6=True))
        for port in (self.to["port"], 53):
            udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            udp.bind(("::", port))
            self._drain(udp)
        self.to["abstract"], self.to["abstract_datagram"] = f"sink-{os.getpid()}", f"sink-datagram-{os.getpid()}"
        self.to["unix"], self.to["unix_datagram"] = str(directory / "stream"), str(directory / "datagram")
        for name in (self.to["unix"], "\0" + self.to["abstract"]):
            stream = socket.socket(socket.AF_UNIX)
            stream.bind(name)
            stream.listen(16)
            self._serve(stream)
        for name in (self.to["unix_datagram"], "\0" + self.to["abstract_datagram"]):
            datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            datagram.bind(name)
            self._drain(datagram)
        for name in ("stream", "datagram"):
            (directory / name).chmod(0o777)

    def count(self, data: bytes) -> None:
        with self.lock:
            self.received += len(data)

    def _serve(self, listener: socket.socket) -> None:
        def accept() -> None:
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._read, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            try:
                while data := connection.recv(4096):
                    self.count(data)
            except OSError:
                return

    def _drain(self, datagrams: socket.socket) -> None:
        def receive() -> None:
            while True:
                data, sender = datagrams.recvfrom(4096)
                self.count(data)
                if len(data) > 12 and datagrams.family == socket.AF_INET6:  # as a resolver: no such name
                    datagrams.sendto(data[:2] + b"\x81\x83" + data[4:], sender)

        threading.Thread(target=receive, daemon=True).start()


def unshare(namespaces: int) -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(namespaces):
        raise OSError(ctypes.get_errno(), "unshare")


def make_namespace(directory: Path) -> None:
    unshare(CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNS)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    for words in (
        ["link", "set", "lo", "up"],
        ["link", "add", "veth0", "type", "veth", "peer", "name", "veth1"],
        ["link", "set", "veth0", "up"],
    ):
        subprocess.run(["ip", *words], check=True)
    for address in ADDRESSES:
        subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)
    resolv = directory / "resolv.conf"
    resolv.write_text("nameserver 192.0.2.1\noptions timeout:1 attempts:1\n")
    resolv.chmod(0o644)
    subprocess.run(["mount", "--bind", resolv, "/etc/resolv.conf"], check=True)
    socket.sethostname("the-host")


def behind_walls(job: dict[str, Any], to: dict[str, Any]) -> dict[str, Any]:
    """Each technique in a sandbox of its own, by the ordinary user or by root."""
    from sequester import IsolatedExecutor
    from sequester.sandbox import builders, tree
    from sequester.sandbox.errors import RunFailed

    if job["builder"] == "unshare":
        which = shutil.which
        builders.shutil.which = lambda name, **more: None if name == "bwrap" else which(name, **more)  # type: ignore[assignment]
    tree.START = job["start"] or tree.START
    if job["walls"]:

        def fewer(builder: Any, _steps: Any, _guest: Any, python: Any) -> list[str]:
            return [builder.program, *job["walls"], "--", *tree.program(python)]

        builders.Bubblewrap.command = fewer  # type: ignore[method-assign]
    if job["allow_all"]:
        import struct

        from sequester.sandbox import seccomp

        seccomp.program = lambda *_: struct.pack("HBBI", 6, 0, 0, 0x7FFF0000)  # type: ignore[assignment]
    executor = IsolatedExecutor.local()

    def one(name: str) -> tuple[str, dict[str, Any]]:
        try:
            result = executor.run_untrusted_code(job["sources"][name], {**to, "sandboxed": True}, timeout=20)
        except RunFailed as failed:
            result = failed.result
        return name, {
            "value": result.value,
            "exit": result.exit,
            "stderr": result.stderr[-2000:],
            "events": [vars(event) for event in result.events],
        }

    with ThreadPoolExecutor(2) as pool:
        return dict(pool.map(one, job["sources"]))


def without_walls(source: str, to: dict[str, Any]) -> bool:
    """Whether it reached what it wanted: it says so, or its parent did not survive it."""
    read, write = os.pipe()
    parent = os.fork()
    if not parent:
        unshare(CLONE_NEWNS | CLONE_NEWUTS)  # what one technique unmounts or renames, the next still finds
        child = os.fork()
        if not child:
            scope: dict[str, Any] = {"data": {**to, "sandboxed": False}}
            try:
                exec(compile(source, "technique", "exec"), scope)
                os.write(write, b"1" if scope["result"]["reached"] else b"0")
            except BaseException as error:  # noqa: BLE001 (a control that breaks did not reach)
                os.write(write, b"0")
                os.write(2, f"{error!r}\n".encode())
            os._exit(0)
        os.waitpid(child, 0)
        os._exit(0)
    os.close(write)
    until = time.monotonic() + CONTROL_SECONDS
    died = False
    while time.monotonic() < until:
        pid, status = os.waitpid(parent, os.WUNTRACED | os.WNOHANG)
        if pid:
            died = os.WIFSIGNALED(status) or os.WIFSTOPPED(status)
            break
        time.sleep(0.005)
    else:
        pid, status = 0, 0
    if not pid or os.WIFSTOPPED(status):
        os.kill(parent, signal.SIGKILL)
        os.waitpid(parent, 0)
    os.set_blocking(read, False)
    try:
        said = os.read(read, 1)
    except BlockingIOError:
        said = b""
    os.close(read)
    return died or said == b"1"


def as_user(uid: int, work: Any) -> Any:
    """`work` in a child process of that user; its JSON result."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        if uid:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.environ["HOME"] = "/nonexistent"
        with os.fdopen(write, "w") as out:
            json.dump(work(), out)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as said:
        found = json.load(said)
    os.waitpid(child, 0)
    return found


def main() -> None:
    job = json.load(sys.stdin)
    sys.path.insert(0, job["package"])
    os.environ["SEQUESTER_CANARY"] = "seen"
    directory = Path(job["directory"])
    make_namespace(directory)
    sink = Sink(directory)
    host_file = directory / "host-file"
    host_file.write_text("seen")
    host_file.chmod(0o644)
    sink.to |= {"host_file": str(host_file), "canary": job["canary"]}
    behind = as_user(job["uid"], lambda: behind_walls(job, sink.to))
    time.sleep(0.2)
    leaked = sink.received
    controls: dict[str, Any] = {}
    for name in job["controls"]:
        before = sink.received
        reached = without_walls(job["sources"][name], sink.to)
        until = time.monotonic() + 1
        while name in job["to_sink"] and sink.received == before and time.monotonic() < until:
            time.sleep(0.005)
        controls[name] = {"reached": reached, "bytes": sink.received - before}
    json.dump({"behind": behind, "leaked_bytes": leaked, "controls": controls}, sys.stdout)


if __name__ == "__main__":
    main()
