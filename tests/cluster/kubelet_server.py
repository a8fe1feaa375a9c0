"""What a kubelet serves: attach over WebSocket (`v5.channel.k8s.io`) and logs, for the containers' streams."""

import asyncio
import contextlib
import json
import os
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import IO, Protocol

from aiohttp import WSMsgType, web

PROTOCOL = "v5.channel.k8s.io"
STDIN, STDOUT, STDERR, ERROR, CLOSE = 0, 1, 2, 3, 255
"""The channels of the protocol (KEP-4006); CLOSE carries the number of the stream that is half-closed."""

LOG_BYTES = 64 << 20
_CHUNK_BYTES = 64 << 10
_QUEUED_CHUNKS = 16
_START_SECONDS = 10
_DRAIN_SECONDS = 2
_SERVER_SECONDS = 60


class Process(Protocol):
    """What of a container the server needs: its three pipes."""

    stdin: IO[bytes] | None
    stdout: IO[bytes] | None
    stderr: IO[bytes] | None


class Session:
    """One attached client: what is still to be sent to it. A slow client slows the container, as a real one does."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.queue: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue(_QUEUED_CHUNKS)
        self.gone = threading.Event()

    def deliver(self, item: tuple[int, bytes] | None) -> None:
        """From a thread: puts an item, unless the client leaves first."""
        put = asyncio.run_coroutine_threadsafe(self.queue.put(item), self._loop)
        while not self.gone.is_set():
            try:
                put.result(timeout=0.2)
            except TimeoutError:
                continue
            return
        put.cancel()


class Streams:
    """A started container's standard streams: its output goes to the log and to whoever is attached."""

    def __init__(self, process: Process, *, stdin_once: bool) -> None:
        self.stdin_once = stdin_once
        self.log = bytearray()
        self.ended = threading.Event()
        self._stdin = process.stdin
        self._lock = threading.Lock()
        self._sessions: list[Session] = []
        self._pumps = [
            threading.Thread(target=self._pump, args=(channel, stream), daemon=True)
            for channel, stream in ((STDOUT, process.stdout), (STDERR, process.stderr))
            if stream is not None
        ]
        for pump in self._pumps:
            pump.start()

    def attach(self) -> Session:
        """A new client; what was written before it came is in the log only."""
        session = Session()
        with self._lock:
            self._sessions.append(session)
            ended = self.ended.is_set()
        if ended:
            session.queue.put_nowait(None)
        return session

    def detach(self, session: Session) -> None:
        """The client is gone."""
        session.gone.set()
        with self._lock:
            self._sessions.remove(session)
        if self.stdin_once:
            self.close_stdin()

    def write(self, data: bytes) -> None:
        """To the container's standard input; lost if it no longer reads."""
        if self._stdin is not None and not self._stdin.closed:
            with contextlib.suppress(BrokenPipeError, ValueError):
                self._stdin.write(data)
                self._stdin.flush()

    def close_stdin(self) -> None:
        """End of file for the container."""
        if self._stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._stdin.close()

    def finish(self) -> None:
        """After the container's end: sends what is left, then tells every client."""
        for pump in self._pumps:
            pump.join(_DRAIN_SECONDS)
        with self._lock:
            self.ended.set()
            sessions = list(self._sessions)
        for session in sessions:
            session.deliver(None)

    def _pump(self, channel: int, stream: IO[bytes]) -> None:
        with stream:
            while data := os.read(stream.fileno(), _CHUNK_BYTES):
                with self._lock:
                    self.log += data[: max(0, LOG_BYTES - len(self.log))]
                    sessions = list(self._sessions)
                for session in sessions:
                    session.deliver((channel, data))


Find = Callable[[str, str, str], Streams | None]
"""The streams of a container, by namespace, pod and container."""


@contextmanager
def serving(find: Find, tls: ssl.SSLContext) -> Generator[int]:
    """A server in a thread of its own, on a free loopback port, which is yielded."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = web.AppRunner(_application(find), access_log=None, shutdown_timeout=1)
    try:
        yield asyncio.run_coroutine_threadsafe(_listen(runner, tls), loop).result(timeout=_SERVER_SECONDS)
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(timeout=_SERVER_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=_SERVER_SECONDS)
        loop.close()


async def _listen(runner: web.AppRunner, tls: ssl.SSLContext) -> int:
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    return int(runner.addresses[0][1])


def _application(find: Find) -> web.Application:
    async def container(request: web.Request) -> Streams:
        """The container that a request is about; one that is just being started is waited for."""
        place = (request.match_info["namespace"], request.match_info["pod"], request.match_info["container"])
        for _ in range(_START_SECONDS * 20):
            streams = find(*place)
            if streams is not None:
                return streams
            await asyncio.sleep(0.05)
        raise web.HTTPNotFound(text=f"container {'/'.join(place)} is not running here")

    async def attach(request: web.Request) -> web.WebSocketResponse:
        streams = await container(request)
        socket = web.WebSocketResponse(protocols=(PROTOCOL,), max_msg_size=0, compress=False)
        await socket.prepare(request)
        if socket.ws_protocol != PROTOCOL:
            await socket.close(message=f"only {PROTOCOL} is spoken here".encode())
            return socket
        await _exchange(socket, streams, wanted=_wanted(request))
        return socket

    async def logs(request: web.Request) -> web.StreamResponse:
        streams = await container(request)
        follow = request.query.get("follow", "false") == "true"
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        sent = _tail_start(streams.log, request.query.get("tailLines"))
        while True:
            ended = streams.ended.is_set() or not follow
            more = bytes(streams.log[sent:])
            await response.write(more)
            sent += len(more)
            if ended:
                return response
            await asyncio.sleep(0.05)

    application = web.Application()
    # With the pod's uid the API server adds a part to the path; without it, not.
    for uid in ("", "/{uid}"):
        application.router.add_get(f"/attach/{{namespace}}/{{pod}}{uid}/{{container}}", attach)
    application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", logs)
    return application


async def _exchange(socket: web.WebSocketResponse, streams: Streams, wanted: frozenset[int]) -> None:
    """Both directions until the container ends or the client leaves."""
    session = streams.attach()
    sender = asyncio.create_task(_send(socket, session, wanted))
    try:
        async for message in socket:
            if message.type is not WSMsgType.BINARY or not message.data:
                continue
            channel, data = message.data[0], message.data[1:]
            if channel == STDIN and STDIN in wanted:
                await asyncio.to_thread(streams.write, data)
            elif channel == CLOSE and data[:1] == bytes([STDIN]) and streams.stdin_once:
                await asyncio.to_thread(streams.close_stdin)
    finally:
        streams.detach(session)
        sender.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await sender


async def _send(socket: web.WebSocketResponse, session: Session, wanted: frozenset[int]) -> None:
    while (item := await session.queue.get()) is not None:
        channel, data = item
        if channel in wanted:
            await socket.send_bytes(bytes([channel]) + data)
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    await socket.send_bytes(bytes([ERROR]) + json.dumps(status).encode())
    await socket.close()


def _wanted(request: web.Request) -> frozenset[int]:
    named = {"input": STDIN, "output": STDOUT, "error": STDERR}
    return frozenset(channel for name, channel in named.items() if request.query.get(name) in ("1", "true"))


def _tail_start(log: bytearray, lines: str | None) -> int:
    if lines is None:
        return 0
    if int(lines) == 0:
        return len(log)
    kept = bytes(log).splitlines(keepends=True)[-int(lines) :]
    return len(log) - sum(map(len, kept))
