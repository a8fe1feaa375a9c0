"""The door: a decision without network, inspection by kind of body, imports, cold start.

`decision` is parsing, allowlist (20 rules) and inspection; budget and audit are AWS calls and are not in it. The cold
start runs under AWS's runtime client, beside a bare handler in turn. Zip: `sequester door-zip`.
"""

import base64
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

from measure import Row, interleaved, medians

from lambda_proxy.allow import Rule, decide, request_bytes
from lambda_proxy.canaries import KnownValue
from lambda_proxy.inspection import Known, inspect
from lambda_proxy.parse import METHODS, Request, parse_request
from lambda_proxy.respond import sent_headers
from sequester.lambda_runtime import LambdaRuntime

ROOT = Path(__file__).resolve().parents[2]
MEGABYTE = 1_000_000
PROSE = b'{"title": "Found a bug", "body": "It does not work as expected in release 4.2.", "labels": ["bug"]}'


def rows() -> Iterable[Row]:
    """Every figure, measured here and now."""
    yield decision_row("decision, 200 B GET", get_event(), 2000, "<= 0.3 ms")
    yield decision_row("decision, 1 MB JSON POST", post_event(text()), 20, "")
    names = bodies()
    taken = medians({name: lambda body=body: inspected(body) for name, body in names.items()}, 10)
    for name, seconds in taken.items():
        aim = ">= 50 MB/s" if name.endswith("text") and "base64" not in name else ""
        yield Row(f"inspection, {name}", f"{len(names[name]) / seconds / 1e6:.0f} MB/s", aim=aim)
    for module in ("lambda_proxy.handler", "lambda_proxy.inspection", "botocore.session"):
        yield Row(f"import {module}", f"{imported(module):.0f} ms")
    yield cold_start_row()


def decision_row(what: str, event: dict[str, object], runs: int, aim: str) -> Row:
    samples = sorted(interleaved({what: decision(event)}, runs)[what])
    median, late = statistics.median(samples), samples[int(len(samples) * 0.95)]
    return Row(what, f"{median * 1000:.2f} ms", aim=aim, note=f"p95 {late * 1000:.2f} ms, {1 / median:.0f} a second")


RULES = tuple(
    Rule(
        f"api{n}.example.test",
        METHODS,
        ("/v1/*",),
        query=frozenset({"*"}),
        content_types=frozenset({"application/json"}),
        max_request_bytes=4 * MEGABYTE,
    )
    for n in range(20)
)
KNOWN = Known.of([KnownValue.of("one", "canary-" + "Zx12Cv34Bn56Mq78")])


class _NoWindow:
    """In a megabyte of random characters a piece of a canary may occur."""

    def add(self, canary: str, places: Iterable[int]) -> set[int]:
        del canary
        return set(places)


NO_WINDOW = cast("Any", _NoWindow())


def text() -> bytes:
    return b"[" + b", ".join([PROSE] * (MEGABYTE // (len(PROSE) + 2))) + b"]"


def bodies() -> dict[str, bytes]:
    return {
        "1 MB of JSON text": text(),
        "1 MB of base64 of text": base64.b64encode(text())[:MEGABYTE],
        "1 MB of base64 of random bytes": base64.b64encode(os.urandom(MEGABYTE))[:MEGABYTE],
        "1 MB of random bytes": os.urandom(MEGABYTE),
    }


def get_event() -> dict[str, object]:
    headers = {"accept": "application/json", "user-agent": "agent/1.0"}
    return {
        "method": "GET",
        "url": "https://api19.example.test/v1/items?page=2&per_page=100&state=open&q=" + "a" * 80,
        "headers": headers,
    }


def post_event(body: bytes) -> dict[str, object]:
    headers = {"content-type": "application/json"}
    return {
        "method": "POST",
        "url": "https://api19.example.test/v1/items",
        "headers": headers,
        "body_b64": base64.b64encode(body).decode(),
    }


def decision(event: dict[str, object]) -> Callable[[], object]:
    def once() -> Request:
        request = parse_request(event)
        headers = sent_headers(request)
        decide(RULES, request, request_bytes(request, headers))
        inspect(request, headers, KNOWN, NO_WINDOW)
        return request

    return once


def inspected(body: bytes) -> int:
    target = parse_request(get_event()).target
    request = Request("POST", target, {"content-type": "text/plain"}, body, 1, "")
    return inspect(request, {"content-type": "text/plain"}, KNOWN, NO_WINDOW)


def imported(module: str) -> float:
    """Milliseconds, in a new process each."""
    code = f"import time; t = time.perf_counter(); import {module}; print((time.perf_counter() - t) * 1000)"
    return statistics.median(float(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT)) for _ in range(5))


def cold_start_row() -> Row:
    """From starting the runtime client to its first answer."""
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "bare.py").write_text("def handler(event, context):\n    return {}\n")
        (Path(directory) / "loaded.py").write_text("from lambda_proxy.handler import handler\n")

        def start(module: str) -> None:
            environ = {"PYTHONPATH": f"{directory}:{ROOT}", "PATH": os.environ["PATH"]}
            # The door has no environment here and says so after everything is loaded.
            with LambdaRuntime(f"{module}.handler", environ) as runtime, contextlib.suppress(RuntimeError):
                runtime.invoke(b"{}")

        taken = medians({"bare": lambda: start("bare"), "loaded": lambda: start("loaded")}, 5)
    return Row(
        "cold start, first answer",
        f"{taken['loaded'] * 1000:.0f} ms",
        peer=f"bare handler {taken['bare'] * 1000:.0f} ms",
        ratio=f"{taken['loaded'] / taken['bare']:.1f}",
        aim="<= 300 ms more",
    )
