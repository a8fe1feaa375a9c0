"""Run a Lambda handler here, under AWS's own runtime client: the Runtime API that it polls, and the process that polls.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. The process gets a clean environment: what is given and
nothing else, as in Lambda.
"""

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self
from uuid import uuid4

ARN: Final = "arn:aws:lambda:us-east-1:000000000000:function:embedded"
_VERSION: Final = "/2018-06-01/runtime"
_POLL_SECONDS: Final = 0.2


class HandlerFailedError(RuntimeError):
    """The handler raised, or its process ended, instead of answering."""


@dataclass
class _Invocation:
    payload: bytes
    client_context: bytes | None
    seconds: float
    answered: threading.Event = field(default_factory=threading.Event)
    answer: bytes = b""
    failed: bool = False


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A runtime process that ends drops its connection: that is no news."""


class LambdaRuntime:
    """`with LambdaRuntime("package.module.handler", environ) as runtime: runtime.invoke(payload, context)`.

    One instance, one invocation at a time, as in Lambda.
    """

    def __init__(self, handler: str, environ: Mapping[str, str], seconds: float = 30.0) -> None:
        self._handler, self._environ, self._seconds = handler, environ, seconds
        self._waiting: queue.Queue[_Invocation] = queue.Queue()
        self._running: dict[str, _Invocation] = {}
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._api())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        host, port = self._server.server_address[:2]
        environ = {
            "AWS_LAMBDA_RUNTIME_API": f"{host!s}:{port}",
            "AWS_LAMBDA_FUNCTION_NAME": "embedded",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            **self._environ,
        }
        self._process = subprocess.Popen([sys.executable, "-m", "awslambdaric", self._handler], env=environ)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._server.shutdown()
        self._server.server_close()

    def invoke(self, payload: bytes, client_context: bytes | None = None) -> bytes:
        """The handler's answer. Raises HandlerFailedError."""
        invocation = _Invocation(payload, client_context, self._seconds)
        self._waiting.put(invocation)
        until = time.monotonic() + self._seconds
        while not invocation.answered.wait(_POLL_SECONDS):
            if self._process is None or self._process.poll() is not None or time.monotonic() > until:
                raise HandlerFailedError(f"{self._handler} ended or ran for {self._seconds} s without an answer")
        if invocation.failed:
            raise HandlerFailedError(invocation.answer.decode("utf-8", "replace"))
        return invocation.answer

    def _api(self) -> type[BaseHTTPRequestHandler]:
        runtime = self

        class Api(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                invocation = runtime._next()
                if invocation is None:
                    self.close_connection = True
                    return
                request_id = str(uuid4())
                runtime._running[request_id] = invocation
                headers = {
                    "Content-Type": "application/json",  # without it the native client dies of a null pointer
                    "Lambda-Runtime-Aws-Request-Id": request_id,
                    "Lambda-Runtime-Deadline-Ms": str(int((time.time() + invocation.seconds) * 1000)),
                    "Lambda-Runtime-Invoked-Function-Arn": ARN,
                }
                if invocation.client_context is not None:
                    headers["Lambda-Runtime-Client-Context"] = invocation.client_context.decode()
                self._answer(200, invocation.payload, headers)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                *_, request_id, kind = self.path.removeprefix(_VERSION).split("/")
                invocation = runtime._running.pop(request_id, None)
                if invocation is not None:
                    invocation.answer, invocation.failed = body, kind == "error"
                    invocation.answered.set()
                self._answer(202, b'{"status":"OK"}', {})

            def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Say nothing: the handler's own log is what counts."""

        return Api

    def _next(self) -> _Invocation | None:
        while not self._closing.is_set():
            try:
                return self._waiting.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
        return None
