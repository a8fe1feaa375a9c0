"""The door beside a plain client and beside mitmproxy with an allowlist: whole fetches from one server on loopback.

Each fetch is a new connection, as the door makes them. The door's is parsing, allowlist, inspection, connection and
exchange; budget and records are AWS calls and are in none. mitmproxy runs in its own process, from pinned packages
in an environment of its own; it looks at the host's name and at nothing else.
"""

import contextlib
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterable
from pathlib import Path

import httpx
import trustme
from bench_door import KNOWN, NO_WINDOW, RULES, get_event, post_event, text
from measure import Row, interleaved

from lambda_proxy.allow import decide, request_bytes
from lambda_proxy.connect import Deadline, Internet
from lambda_proxy.inspection import inspect
from lambda_proxy.parse import parse_request
from lambda_proxy.respond import exchange, sent_headers
from sequester.loopback import LOOPBACK, Upstream, http, leading_to, trusting

HERE = Path(__file__).parent
HOST = "api19.example.test"
ADDON = """
class Allowlist:
    def http_connect(self, flow):
        if flow.request.host not in {hosts!r}:
            flow.response = __import__("mitmproxy.http").http.Response.make(403)
    def server_connect(self, data):
        data.server.address = ("{address}", {port})

addons = [Allowlist()]
"""
_START_SECONDS = 60


def rows() -> Iterable[Row]:
    """Medians; `ratio` is the door's to plain httpx."""
    authority = trustme.CA()
    with Upstream(authority) as upstream, tempfile.TemporaryDirectory() as directory:
        upstream.reply = http(b"x" * 1000)
        with _mitmproxy(Path(directory), authority, upstream) as (port, process):
            for what, event, runs in (("200 B GET", get_event(), 200), ("1 MB POST", post_event(text()), 15)):
                yield from _fetches(what, event, runs, authority, upstream, port, Path(directory))
            figure, peer = f"{_peak_alone()} MiB", f"mitmproxy {_resident(process.pid)} MiB"
            yield Row(
                "memory after a 1 MB POST", figure, peer, note="the door's: the most it ever had, a process of its own"
            )


def _fetches(
    what: str, event: dict[str, object], runs: int, authority: trustme.CA, upstream: Upstream, port: int, folder: Path
) -> Iterable[Row]:
    request = parse_request(event)
    headers = sent_headers(request)
    internet: Internet = leading_to(upstream, trusting(authority))
    plain_tls = ssl.create_default_context()
    authority.configure_trust(plain_tls)
    proxied_tls = ssl.create_default_context(cafile=str(folder / "mitmproxy-ca-cert.pem"))

    def door() -> None:
        asked = parse_request(event)
        sent = sent_headers(asked)
        rule = decide(RULES, asked, request_bytes(asked, sent))
        inspect(asked, sent, KNOWN, NO_WINDOW)
        deadline = Deadline.after(60)
        (address, *_) = internet.addresses(asked.target, deadline)
        with internet.connect(asked.target, address, deadline) as connection:
            assert exchange(connection, asked, sent, rule.max_response_bytes, deadline).status == 200

    def plain() -> None:
        with httpx.Client(verify=plain_tls, trust_env=False) as client:
            url = f"https://{LOOPBACK}:{upstream.port}{request.target.request_target}"
            asked = client.build_request(request.method, url, headers={**headers, "host": HOST}, content=request.body)
            asked.extensions["sni_hostname"] = HOST
            assert client.send(asked).status_code == 200

    def proxied() -> None:
        with httpx.Client(verify=proxied_tls, trust_env=False, proxy=f"http://{LOOPBACK}:{port}") as client:
            answer = client.request(request.method, request.target.url, headers=headers, content=request.body)
            assert answer.status_code == 200

    taken = interleaved({"door": door, "httpx": plain, "mitmproxy": proxied}, runs, warm_up=3)
    middle = {name: statistics.median(seconds) for name, seconds in taken.items()}
    late = {name: sorted(seconds)[int(len(seconds) * 0.95)] for name, seconds in taken.items()}
    for peer in ("httpx", "mitmproxy"):
        yield Row(
            f"fetch, {what}, beside {'plain httpx' if peer == 'httpx' else 'httpx through mitmproxy'}",
            f"{middle['door'] * 1000:.1f} ms",
            peer=f"{middle[peer] * 1000:.1f} ms",
            ratio=f"{middle['door'] / middle[peer]:.2f}",
            note=f"p95 {late['door'] * 1000:.1f} and {late[peer] * 1000:.1f} ms; "
            f"{1 / middle['door']:.0f} and {1 / middle[peer]:.0f} a second",
        )


@contextlib.contextmanager
def _mitmproxy(
    folder: Path, authority: trustme.CA, upstream: Upstream
) -> Generator[tuple[int, subprocess.Popen[bytes]]]:
    """mitmdump with the addon: its port, when it answers."""
    venv = folder / "venv"
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, venv], check=True)
    lock = ["--require-hashes", "-r", HERE / "mitmproxy.lock"]
    subprocess.run([uv, "pip", "install", "--quiet", "--python", venv / "bin" / "python", *lock], check=True)
    hosts = sorted(rule.host for rule in RULES)
    (folder / "allowlist.py").write_text(ADDON.format(hosts=hosts, address=LOOPBACK, port=upstream.port))
    authority.cert_pem.write_to_path(str(folder / "upstream.pem"))
    with socket.create_server((LOOPBACK, 0)) as free:
        port = int(free.getsockname()[1])
    command = [
        *(str(venv / "bin" / "mitmdump"), "--quiet", "--scripts", str(folder / "allowlist.py")),
        *("--listen-host", LOOPBACK, "--listen-port", str(port), "--set", f"confdir={folder}"),
        *("--set", f"ssl_verify_upstream_trusted_ca={folder / 'upstream.pem'}", "--set", "connection_strategy=lazy"),
    ]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        _wait(port, process)
        yield port, process
    finally:
        process.terminate()
        process.wait(20)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), 1):
            return
        time.sleep(0.2)
    raise RuntimeError("mitmproxy did not start")


def _peak_alone() -> int:
    """MiB that a new process had at most, which decided on one request."""
    code = (
        "import bench_door as b; b.decision(b.post_event(b.text()))(); "
        "print(next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')))"
    )
    environ = {**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parents[1]}"}
    return int(subprocess.check_output([sys.executable, "-c", code], env=environ)) // 1024


def _resident(pid: int) -> int:
    """MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20
