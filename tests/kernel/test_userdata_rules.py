"""The sandbox nodes' packet rules, loaded for real: a fake pod behind a veth pair tries the node and what is beyond."""

import subprocess
import textwrap
import uuid
from collections.abc import Generator
from dataclasses import dataclass

import pytest

from infra.userdata import POD_RULES

pytestmark = [pytest.mark.lane("kernel", "root", "nft", "ip"), pytest.mark.xdist_group("userdata")]

_POD4, _NODE4, _FAR4 = "192.0.2.10", "192.0.2.1", "198.51.100.20"
_POD6, _NODE6, _FAR6 = "2001:db8:1::10", "2001:db8:1::1", "2001:db8:2::20"
_KUBELET, _FAR_PORT, _POD_PORT = 10250, 443, 8080

# A server that answers every datagram and every connection with what it got, on both families.
_SERVER = """
import selectors, socket, sys
port, chosen = int(sys.argv[1]), selectors.DefaultSelector()
for family in (socket.AF_INET, socket.AF_INET6):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        s = socket.socket(family, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        s.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
        if kind == socket.SOCK_STREAM:
            s.listen()
        chosen.register(s, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in chosen.select():
        if key.fileobj.type == socket.SOCK_STREAM:
            connection, _ = key.fileobj.accept()
            connection.settimeout(2)
            connection.sendall(connection.recv(64))
            connection.close()
        else:
            data, peer = key.fileobj.recvfrom(64)
            key.fileobj.sendto(data, peer)
"""

# Prints "arrived" when the answer comes back. Loopback-fast links: a third of a second of silence is a drop.
_PROBE = """
import socket, sys
address, port, kind = sys.argv[1], int(sys.argv[2]), getattr(socket, sys.argv[3])
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
s.settimeout(0.3)
try:
    s.connect((address, port))
    s.sendall(b"probe")
    print("arrived" if s.recv(64) == b"probe" else "garbled")
except OSError:
    print("dropped")
"""


@dataclass(frozen=True)
class Node:
    """Three namespaces: a pod, its node, and a host beyond the node."""

    pod: str
    node: str
    far: str

    def load(self, rules: str) -> None:
        subprocess.run(["ip", "netns", "exec", self.node, "nft", "-f", "-"], input=rules, text=True, check=True)

    def clear(self) -> None:
        subprocess.run(["ip", "netns", "exec", self.node, "nft", "flush", "ruleset"], check=True)

    def probe(self, source: str, address: str, port: int, kind: str) -> str:
        command = ["ip", "netns", "exec", source, "/usr/bin/python3", "-c", _PROBE, address, str(port), kind]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def node() -> Generator[Node]:
    tag = uuid.uuid4().hex[:6]
    names = Node(*(f"sq-{tag}-{role}" for role in ("pod", "node", "far")))
    servers: list[subprocess.Popen[str]] = []
    setup = f"""
        netns add {names.pod}
        netns add {names.node}
        netns add {names.far}
        -n {names.node} link add eni{tag} type veth peer name eth0 netns {names.pod}
        -n {names.node} link add eth0 type veth peer name eth0 netns {names.far}
        -n {names.node} addr add {_NODE4}/24 dev eni{tag}
        -n {names.node} addr add {_NODE6}/64 dev eni{tag} nodad
        -n {names.pod} addr add {_POD4}/24 dev eth0
        -n {names.pod} addr add {_POD6}/64 dev eth0 nodad
        -n {names.node} addr add 198.51.100.1/24 dev eth0
        -n {names.node} addr add 2001:db8:2::1/64 dev eth0 nodad
        -n {names.far} addr add {_FAR4}/24 dev eth0
        -n {names.far} addr add {_FAR6}/64 dev eth0 nodad
        -n {names.node} link set eni{tag} up
        -n {names.node} link set eth0 up
        -n {names.node} link set lo up
        -n {names.pod} link set eth0 up
        -n {names.far} link set eth0 up
        -n {names.pod} route add default via {_NODE4}
        -n {names.pod} -6 route add default via {_NODE6}
        -n {names.far} route add default via 198.51.100.1
        -n {names.far} -6 route add default via 2001:db8:2::1
    """
    try:
        for line in textwrap.dedent(setup).strip().splitlines():
            subprocess.run(["ip", *line.split()], check=True, capture_output=True)
        for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            subprocess.run(["ip", "netns", "exec", names.node, "sysctl", "-qw", f"{key}=1"], check=True)
        for namespace, port in ((names.node, _KUBELET), (names.far, _FAR_PORT), (names.pod, _POD_PORT)):
            command = ["ip", "netns", "exec", namespace, "/usr/bin/python3", "-c", _SERVER, str(port)]
            server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            servers.append(server)
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
        yield names
    finally:
        for server in servers:
            server.kill()
            server.wait()
            if server.stdout is not None:
                server.stdout.close()
        for namespace in (names.pod, names.node, names.far):
            subprocess.run(["ip", "netns", "del", namespace], check=False, capture_output=True)


_KINDS = ("SOCK_STREAM", "SOCK_DGRAM")
_WAYS_OUT = [
    pytest.param(address, port, kind, id=f"{what}-{'v6' if ':' in address else 'v4'}-{kind[5:].lower()}")
    for what, addresses, port in (
        ("kubelet", (_NODE4, _NODE6), _KUBELET),
        ("kubelet-by-other-address", ("198.51.100.1", "2001:db8:2::1"), _KUBELET),
        ("beyond", (_FAR4, _FAR6), _FAR_PORT),
    )
    for address in addresses
    for kind in _KINDS
    # A datagram server on all addresses answers from the nearest one, which a connected client does not take.
    if not (what == "kubelet-by-other-address" and kind == "SOCK_DGRAM")
]
_WAYS_IN = [
    pytest.param(source, address, kind, id=f"{source}-{'v6' if ':' in address else 'v4'}-{kind[5:].lower()}")
    for source in ("node", "far")
    for address in (_POD4, _POD6)
    for kind in _KINDS
]


@pytest.mark.parametrize(("address", "port", "kind"), _WAYS_OUT)
def test_a_pod_begins_nothing(node: Node, address: str, port: int, kind: str) -> None:
    node.clear()
    assert node.probe(node.pod, address, port, kind) == "arrived", "the positive control did not arrive"
    node.load(POD_RULES)
    assert node.probe(node.pod, address, port, kind) == "dropped"


@pytest.mark.parametrize(("source", "address", "kind"), _WAYS_IN)
def test_a_pod_answers_what_others_begin(node: Node, source: str, address: str, kind: str) -> None:
    """Kubelet's probes come from the node; the return path of a forwarded connection stays open too."""
    node.load(POD_RULES)
    assert node.probe(getattr(node, source), address, _POD_PORT, kind) == "arrived"


def test_the_node_itself_still_reaches_its_network(node: Node) -> None:
    node.load(POD_RULES)
    for address in (_FAR4, _FAR6):
        for kind in _KINDS:
            assert node.probe(node.node, address, _FAR_PORT, kind) == "arrived"


def test_each_chain_is_needed(node: Node) -> None:
    """Without the hook on forwarded packets the pod reaches beyond; without the one on input, the kubelet."""
    for hook, address, port in (("forward", _FAR4, _FAR_PORT), ("input", _NODE4, _KUBELET)):
        lines = POD_RULES.splitlines(keepends=True)
        start = next(number for number, line in enumerate(lines) if f"hook {hook}" in line) - 1
        end = next(number for number, line in enumerate(lines[start:], start) if line == "  }\n")
        node.clear()
        node.load("".join(lines[:start] + lines[end + 1 :]))
        assert node.probe(node.pod, address, port, "SOCK_STREAM") == "arrived"


def test_loading_twice_leaves_one_copy(node: Node) -> None:
    node.clear()
    node.load(POD_RULES)
    node.load(POD_RULES)
    listed = subprocess.run(
        ["ip", "netns", "exec", node.node, "nft", "list", "ruleset"], capture_output=True, text=True, check=True
    ).stdout
    assert listed.count("chain pods {") == 1
    assert listed.count(" drop ") == 1
