"""Stands in for today's `pulumi-language-python`, which is not to be had, where an engine runs a plugin's folder.

By the protocol of the SDK's own stubs. A folder is run as `python <folder> <engine's address>`; nothing is installed,
for this interpreter has what the folder's requirements.txt names.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from queue import Queue
from threading import Thread
from typing import IO, Any

import grpc
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

_SAID: Mapping[str, Callable[[bytes], Any]] = {
    "stdout": lambda some: language_pb2.RunPluginResponse(stdout=some),
    "stderr": lambda some: language_pb2.RunPluginResponse(stderr=some),
}


class Host(language_pb2_grpc.LanguageRuntimeServicer):
    """Programs it runs none."""

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version="0.0.0")

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        yield language_pb2.InstallDependenciesResponse()

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        command = [sys.executable, "-u", request.info.program_directory, *request.args]
        environment = dict(one.split("=", 1) for one in request.env) or dict(os.environ)
        plugin = subprocess.Popen(
            command, cwd=request.pwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        context.add_callback(plugin.kill)
        said: Queue[tuple[str, bytes]] = Queue()
        for name, stream in (("stdout", plugin.stdout), ("stderr", plugin.stderr)):
            Thread(target=_pump, args=(name, stream, said), daemon=True).start()
        open_ = 2
        while open_:
            name, some = said.get()
            open_ -= not some
            if some:
                yield _SAID[name](some)
        yield language_pb2.RunPluginResponse(exitcode=plugin.wait())


def _pump(name: str, stream: IO[bytes], said: Queue[tuple[str, bytes]]) -> None:
    while some := os.read(stream.fileno(), 1 << 16):
        said.put((name, some))
    said.put((name, b""))


def main() -> None:
    """Serve until the engine ends it."""
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    server = grpc.server(ThreadPoolExecutor(16))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(), server)  # type: ignore[no-untyped-call]
    sys.stdout.write(f"{server.add_insecure_port('127.0.0.1:0')}\n")
    sys.stdout.flush()
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
