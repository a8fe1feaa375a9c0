"""A closed internet with one browser in it: run inside namespaces of its own, prints what the sink saw as JSON.

Resolver, viewer's origin and a sink with an address and a name for each page and way answer from one process. The
addresses are the documentation networks (RFC 5737); the namespace has no other end.
"""

import contextlib
import http.server
import itertools
import json
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import cast

import dnslib
from benign import BENIGN, Benign
from chromium import Browser
from exfiltration import BEYOND_THE_ALLOWLIST, BEYOND_THE_POLICY, CLICKED, PAGES, TRIED
from pages import Page
from ways import ALLOWLIST_ALONE, CLOSED, CONTROL, POLICY_ALONE, SANITISER_ALONE, WAYS, Response, with_headers

VIEWER = "192.0.2.1"
_SINK_NETWORKS = ("198.51.100.0/24", "203.0.113.0/24", "192.0.2.0/24")
_NAMES = [page.name for page in TRIED]
_SLOW = {page.name for page in PAGES}
_UDP_PORTS = (443, 3478)
_WINDOWS = 24
# How long each round shows its pages: first several times what the slowest positive control takes; what comes later
# counts, too. A busy Chromium loses more than every other hint of a Link header: many short rounds for those.
_ROUNDS = (1.0, 3.0, *(1.0,) * 12, 9.0, 27.0)
_LAST_SECONDS = 1.0
_TOGETHER = "together"  # one page of everything sanitised: what is left of an attack is a fragment without a head

Key = tuple[str, str]
"""A page's name and the way that it is shown."""


def _held(key: Key) -> Key:
    name, way = key
    return (name, "closed") if way in CLOSED else key


class World:
    """Which name and address belong to which page and way, what is served for them, and what the sink saw."""

    def __init__(self) -> None:
        self.pages = {page.name: page for page in (*TRIED, CLICKED)}
        self.pages |= {page.name: Page(page.name, page.body, page.media_type) for page in BENIGN}
        keys = [
            *itertools.product(_NAMES, (CONTROL, *CLOSED)),
            *itertools.product(BEYOND_THE_POLICY, [POLICY_ALONE]),
            *itertools.product(BEYOND_THE_ALLOWLIST, [ALLOWLIST_ALONE]),
            *itertools.product([CLICKED.name], (CONTROL, "viewer", "embedded")),
            *itertools.product((page.name for page in BENIGN), ("viewer", "embedded")),
        ]
        spare = (f"{net.rsplit('.', 1)[0]}.{last}" for net in _SINK_NETWORKS for last in range(2, 255))
        self.labels = {key: f"k{n}" for n, key in enumerate(keys)}
        self.keys = {label: key for key, label in self.labels.items()}
        # The closed ways of a page share an address, for there are not many. Whatever connects there has asked for the
        # name of its own way before, and is a failure whichever it was.
        groups = dict.fromkeys(map(_held, keys))
        of_group = dict(zip(groups, spare, strict=False))
        self.address = {label: of_group[_held(key)] for label, key in self.keys.items()}
        self.label_at = {address: label for label, address in self.address.items()}
        self.seen: defaultdict[Key, Counter[str]] = defaultdict(Counter)
        self.shown: set[Key] = set()
        self._visits: Counter[str] = Counter()
        self._lock = threading.Lock()

    def saw(self, label: str, what: str) -> None:
        with self._lock:
            self.seen[self.keys[label]][what] += 1

    def url(self, name: str, way: str) -> str:
        return f"http://viewer.test/{self.labels[name, way]}/"

    def response(self, label: str, file: str) -> Response | None:
        """What the viewer's origin answers for a page, or for a `file` beside it."""
        if label == _TOGETHER:
            sanitised = [self.response(label, "") for label, (_, way) in self.keys.items() if way == SANITISER_ALONE]
            return b"".join(body for body, _ in filter(None, sanitised)), {"Content-Type": "text/html; charset=utf-8"}
        if label not in self.keys:
            return None
        name, way = self.keys[label]
        page = self.pages[name]
        if not file:
            self._visits[label] += 1
        # A renderer asks for a name once in its life: a hint that was lost, because its window went on to the next
        # page, is never given again. So each visit has a name of its own.
        host = f"v{self._visits[label]}.{label}.sink.test"
        if file in page.files:
            media_type, body = page.files[file]
            beside = body.replace("HOST", host).encode(), {"Content-Type": media_type}
            return with_headers(beside) if way in ("headers alone", "viewer") else beside
        if file:
            return None
        self.shown.add((name, way))
        headers = {name: value.replace("HOST", host) for name, value in page.headers.items()}
        return WAYS[way](replace(page, body=page.body.replace("HOST", host), headers=headers))


def resolve(world: World) -> None:
    """Answers every name below sink.test with its own address, and remembers that it was asked."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    while True:
        data, peer = server.recvfrom(4096)
        query = dnslib.DNSRecord.parse(data)
        name = str(query.q.qname).rstrip(".")
        answer = query.reply()
        label = name.removesuffix(".sink.test").rpartition(".")[2]
        address = VIEWER if name == "viewer.test" else world.address.get(label)
        if label in world.keys:
            world.saw(label, "name")
        if address and query.q.qtype == dnslib.QTYPE.A:
            answer.add_answer(dnslib.RR(name, dnslib.QTYPE.A, rdata=dnslib.A(address)))
        server.sendto(answer.pack(), peer)


def count_datagrams(world: World, port: int) -> None:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO: tells the address that a datagram was sent to
    server.bind(("0.0.0.0", port))
    while True:
        _, ancillary, _, _ = server.recvmsg(65536, 64)
        world.saw(world.label_at[socket.inet_ntoa(ancillary[0][2][8:12])], "datagram")


class Web(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """The viewer's origin at its address, the sink at every other."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, world: World, port: int) -> None:
        self.world = world
        super().__init__(("0.0.0.0", port), Handler)

    def verify_request(self, request: object, client_address: object) -> bool:
        here = cast(socket.socket, request).getsockname()[0]
        if here != VIEWER:
            self.world.saw(self.world.label_at[here], "connection")
        return True

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that hangs up in the middle of a request is no error of ours."""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        world = cast(Web, self.server).world
        here = self.connection.getsockname()[0]
        if here == VIEWER:
            label, _, file = self.path.strip("/").partition("/")
            response = world.response(label, file)
        else:
            world.saw(world.label_at[here], "request")
            response = b"", {"Content-Type": "text/plain", "Access-Control-Allow-Origin": "*"}
        body, headers = response or (b"", {})
        self.send_response(200 if response else 404)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_HEAD = do_OPTIONS = do_PUT = do_GET  # noqa: N815, the names that http.server calls

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, its name there
        """Standard error is for errors."""


def show_all(browser: Browser, world: World) -> None:
    """Every page in every way, `_WINDOWS` at a time; again those whose positive control did not get through."""
    windows = [browser.open() for _ in range(_WINDOWS)]
    names = _NAMES
    for seconds in _ROUNDS:
        for window in windows:  # what the last round left there would go on working, and slow the next one
            browser.visit(window, "about:blank")
        labels = [label for label, (name, way) in world.keys.items() if name in names and way != SANITISER_ALONE]
        labels.append(_TOGETHER)
        for start in range(0, len(labels), _WINDOWS):
            for window, label in zip(windows, labels[start:], strict=False):
                browser.visit(window, f"http://viewer.test/{label}/")
            time.sleep(seconds)
        names = [name for name in names if name in _SLOW and (name, CONTROL) not in world.seen]
        if not names:
            return


def click(browser: Browser, world: World) -> None:
    """On the link, wherever each way draws it (the embedded frame starts below its host's heading)."""
    for way, (x, y) in {CONTROL: (60, 40), "viewer": (60, 60), "embedded": (60, 130)}.items():
        window = browser.open()  # of its own: the next page would end what a click has begun
        browser.show(window, world.url(CLICKED.name, way))
        browser.click(window, x, y)


def look(browser: Browser, world: World, page: Benign, pictures: Path) -> dict[str, object]:
    """What a benign document looks like in the viewer; pictures of it go to `pictures`."""
    window = browser.open()
    for way in ("embedded", "viewer"):
        browser.show(window, world.url(page.name, way))
        (pictures / f"{page.name} {way}.png".replace(" ", "-")).write_bytes(browser.picture(window))
    return {
        "widths": {selector: browser.width(window, selector) for selector in page.widths},
        "styles": {selector: browser.style(window, selector)[rule] for selector, (rule, _) in page.styles.items()},
        "body": browser.style(window, "body")["max-width"],
        "text": browser.text(window),
    }


def internet(scratch: Path) -> World:
    """Addresses, names and servers, in the namespaces that this process was started in."""
    for command in (
        "ip link set lo up",
        "ip link add eth0 type veth peer name far0",
        f"ip addr add {VIEWER}/32 dev eth0",
        "ip link set eth0 up",
        "ip link set far0 up",
        "ip route add default dev eth0",
        *(f"ip route add local {network} dev lo" for network in _SINK_NETWORKS),
    ):
        subprocess.run(command.split(), check=True)
    resolv = scratch / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.1\n")
    subprocess.run(["mount", "--bind", resolv, "/etc/resolv.conf"], check=True)  # of this mount namespace only
    world = World()
    loops = [(resolve, (world,)), *((count_datagrams, (world, port)) for port in _UDP_PORTS)]
    loops += [(Web(world, port).serve_forever, ()) for port in (80, 443)]
    for loop, arguments in loops:
        threading.Thread(target=loop, args=arguments, daemon=True).start()
    return world


def main(pictures: Path) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        world = internet(Path(scratch))
        with contextlib.closing(Browser(f"{scratch}/profile", "http://viewer.test")) as browser:
            looks = {page.name: look(browser, world, page, pictures) for page in BENIGN}
            click(browser, world)
            show_all(browser, world)
            time.sleep(_LAST_SECONDS)
        json.dump(
            {
                "seen": [[*key, dict(counts)] for key, counts in world.seen.items()],
                "shown": sorted(world.shown),
                "looks": looks,
            },
            sys.stdout,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
