"""The deployed blueprint in a lab: nothing leaves; without layers, precisely what these layers stop does leave."""

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from lab_facts import blueprint_facts

from sequester.lab.lab import lab
from sequester.lab.world import World

pytestmark = [pytest.mark.lane("kernel", "root", "nft", "ip"), pytest.mark.xdist_group("lab")]

# Sends a canary and prints whether an answer came back.
_PROBE = """
import socket, sys
address, port, kind, canary = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, getattr(socket, "SOCK_" + kind))
s.settimeout(float(sys.argv[5]))
try:
    s.connect(socket.getaddrinfo(address, port)[0][4])
    s.sendall(f"GET /{canary} HTTP/1.1\\r\\n\\r\\n".encode())
    print("answered" if s.recv(64) else "closed")
except OSError:
    print("nothing")
"""


@dataclass(frozen=True)
class Try:
    """From where to where, and how."""

    name: str
    place: str
    address: str
    port: int
    kind: str = "STREAM"


INTERNET = (
    Try("node-https", "sandbox-node", "203.0.113.9", 443),
    Try("node-tcp", "sandbox-node", "203.0.113.9", 8443),
    Try("node-udp", "sandbox-node", "203.0.113.9", 53, "DGRAM"),
    Try("pod-tcp", "research-sandbox", "203.0.113.9", 8080),
    Try("pod-udp", "research-sandbox", "203.0.113.9", 443, "DGRAM"),
    Try("agent-tcp", "research-agent", "203.0.113.9", 443),
)
POD = (
    Try("pod-to-metadata", "research-sandbox", "169.254.169.254", 80),
    Try("pod-to-pod-identity", "research-sandbox", "169.254.170.23", 80),
    Try("pod-to-kubelet", "research-sandbox", "NODE", 10250),
    Try("pod-to-kubelet-v6", "research-sandbox", "fe80::1%eth0", 10250),
    Try("agent-to-metadata", "research-agent", "169.254.169.254", 80),
)
TRIES = (*INTERNET, *POD)


@contextmanager
def opened(layers: Iterable[str]) -> Generator[World]:
    with lab(blueprint_facts(), layers) as world:
        kubelet = world.spaces[world.place("sandbox-node").space]
        world.servers.tcp(kubelet, "::", 10250, lambda connection, _: connection.sendall(b"kubelet"))
        yield world


def arrives(world: World, one: Try, expected: bool) -> bool:
    """Whether it is answered, or arrived on the internet. What is expected has time, even on a busy machine."""
    canary, seconds = f"canary-{one.name}", "20" if expected else "1"
    address = world.place("sandbox-node").addresses[0] if one.address == "NODE" else one.address
    program = ["/usr/bin/python3", "-c", _PROBE, address, str(one.port), one.kind, canary, seconds]
    ran = world.run(one.place, program, timeout=60)
    return bool(world.sink.saw(canary.encode())) if one in INTERNET else ran.out.strip() == "answered"


def arrived(world: World, expected: set[str]) -> set[str]:
    with ThreadPoolExecutor(len(TRIES)) as pool:
        found = pool.map(lambda one: arrives(world, one, one.name in expected), TRIES)
    return {one.name for one, out in zip(TRIES, found, strict=True) if out}


_INTERNET = {one.name for one in INTERNET}
_FROM_NODE = {one.name for one in INTERNET if one.place == "sandbox-node"}
_OUT = "security-group nacl routes"
WITHOUT = {
    "": set[str](),
    # Each layer of the network alone, and two of three: the third holds.
    "routes": set[str](),
    "security-group nacl": set[str](),
    # S3's addresses cannot be named in an ACL: it lets HTTPS pass (infra.filters.acls).
    "security-group routes": {"node-https"},
    "nacl routes": set[str](),
    _OUT: _FROM_NODE,
    # A pod's own layers. The policy agent lets its node's address pass, and does not see IPv6.
    "network-policy": set[str](),
    "node-drops": {"pod-to-kubelet"},
    "no-v6": set[str](),
    "node-drops no-v6": {"pod-to-kubelet", "pod-to-kubelet-v6"},
    "imds-hops": set[str](),
    "network-policy node-drops": {"pod-to-kubelet", "pod-to-pod-identity"},
    "network-policy imds-hops": {"agent-to-metadata"},
    "network-policy node-drops imds-hops": {one.name for one in POD} - {"pod-to-kubelet-v6"},
    # Agents' nodes have no such drops: the policy is their pods' only layer before the VPC's.
    f"network-policy {_OUT}": _FROM_NODE | {"agent-tcp"},
    f"node-drops {_OUT}": _FROM_NODE | {"pod-to-kubelet"},
    f"network-policy node-drops {_OUT}": _INTERNET | {"pod-to-kubelet", "pod-to-pod-identity"},
}


@pytest.mark.parametrize("layers", WITHOUT, ids=lambda name: name.replace(" ", "+") or "all-layers")
def test_precisely_what_a_layer_stops_arrives_without_it(layers: str) -> None:
    with opened(layers.split()) as world:
        assert arrived(world, WITHOUT[layers]) == WITHOUT[layers]
