"""Builds a topology out of namespaces, and takes it down again whatever happens."""

import fcntl
import os
import signal
import socket
import struct
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress

from sequester.lab.namespaces import LabError, Namespace
from sequester.lab.parts import Link, Topology

_MAC = "02:00:00:00:00:01"
"""One address for all: links do not ask for neighbours, so no packet waits for an answer or is lost to one."""
_STRICT_SYSCTLS = (
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv4/conf/all/send_redirects", "0"),
    ("ipv4/conf/default/send_redirects", "0"),
    ("ipv4/conf/all/accept_redirects", "0"),
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/default/disable_ipv6", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/addr_gen_mode", "1"),
)
_ROUTER_SYSCTLS = (("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1"), ("ipv6/conf/default/forwarding", "1"))
_QUIET_SECONDS = 5
_CARRIER_SECONDS = 60
_SIOCGIFFLAGS, _IFF_RUNNING = 0x8913, 0x40


@contextmanager
def built(topology: Topology) -> Generator[Mapping[str, Namespace]]:
    """The namespaces by name. Afterwards none is left, nor any process in them."""
    made: dict[str, Namespace] = {}
    try:
        for name, space in topology.spaces.items():
            made[name] = Namespace(name)
            made[name].sysctl((*_STRICT_SYSCTLS, *(_ROUTER_SYSCTLS if space.forwards else ())))
        links: dict[str, list[Link]] = {name: [] for name in made}
        devices: dict[str, list[str]] = {name: [] for name in made}
        for link in topology.links:
            links[link.left[0]].append(link)
            for space_name, device in (link.left, link.right):
                devices[space_name].append(device)
        for name, namespace in made.items():
            if links[name]:
                namespace.ip(_pair(link, made[link.right[0]]) for link in links[name])
        for name, namespace in made.items():
            space = topology.spaces[name]
            ups = [f"link set {device} arp off up" for device in ("lo", *devices[name]) if device != "lo"]
            namespace.ip(["link set lo up", *ups, *space.ip])
            namespace.ip6(space.ip6)
            namespace.nft(space.rules)
        _wait_for_carriers(made, devices)
        yield made
    finally:
        clear(made)


def clear(made: Mapping[str, Namespace]) -> None:
    """Ends whatever runs in the namespaces, then lets go of them."""
    until = time.monotonic() + _QUIET_SECONDS
    while (left := [pid for one in made.values() for pid in one.processes()]) and time.monotonic() < until:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    for one in made.values():
        one.close()


def _wait_for_carriers(made: Mapping[str, Namespace], devices: Mapping[str, list[str]]) -> None:
    """A link whose other end came up later drops all packets until a worker of the kernel has noticed."""
    until = time.monotonic() + _CARRIER_SECONDS
    for name, namespace in made.items():
        with namespace.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            while not all(_runs(asking, device) for device in devices[name]):
                if time.monotonic() > until:
                    raise LabError(f"{name}: a link does not come up: is the machine out of memory?")
                time.sleep(0.001)
    for namespace in list(made.values())[:1]:
        namespace.ip(["link set lo up"])  # it waits for the lock under which that worker works


def _runs(asking: socket.socket, device: str) -> bool:
    request = struct.pack("16sH14x", device.encode(), 0)
    flags: int = struct.unpack_from("H", fcntl.ioctl(asking, _SIOCGIFFLAGS, request), 16)[0]
    return bool(flags & _IFF_RUNNING)


def _pair(link: Link, far: Namespace) -> str:
    (_, device), (_, other) = link.left, link.right
    return f"link add {device} address {_MAC} type veth peer name {other} address {_MAC} netns {far.path}"
