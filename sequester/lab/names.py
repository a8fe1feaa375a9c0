"""The cluster's own DNS server: which zones the deployed Corefile serves, and what it does with every other name.

It stands for CoreDNS, which is not run here: of a Corefile it knows the zones, `forward`, `template` and `kubernetes`,
and refuses to start on a plugin that it does not know.
"""

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from sequester.lab import dns
from sequester.lab.namespaces import Namespace
from sequester.lab.rules import UntranslatableError
from sequester.lab.serving import Servers

_PORT = 53
_ANSWER_SECONDS = 2.0
_WITHOUT_EFFECT = frozenset(
    {"errors", "cache", "loop", "reload", "loadbalance", "health", "ready", "prometheus", "log"}
)
_ZONE = re.compile(r"^([^{}\n]+?)\s*\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Zone:
    """forward: the server that has the answers, or nothing. refused: names (by pattern) that do not exist."""

    name: str
    forward: str = ""
    refused: tuple[str, ...] = ()
    own: bool = False
    """Names of the cluster itself."""


def zones(corefile: str) -> tuple[Zone, ...]:
    """Raises UntranslatableError for a plugin that is not known here."""
    return tuple(zone for found in _ZONE.finditer(corefile) for zone in _zones(found[1], found[2]))


def _zones(heads: str, body: str) -> Iterator[Zone]:
    forward, refused, own = "", list[str](), False
    depth, plugin = 0, ""
    for raw in body.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        words = line.split()
        if line == "}":
            if plugin == "template" and not refused:
                refused.append(".*")
            depth -= 1
        elif depth:
            if plugin == "template" and words[0] == "match":
                refused.append(words[1].strip('"'))
        else:
            plugin = words[0]
            if plugin == "forward":
                forward = words[2]
            elif plugin == "kubernetes":
                own = True
            elif plugin not in _WITHOUT_EFFECT | {"template"}:
                raise UntranslatableError(f"Corefile: the plugin {plugin} is not known to the lab")
        depth += line.endswith("{")
    for head in heads.split():
        name = head.partition(":")[0].strip(".")
        yield Zone(name, forward, tuple(refused), own)


@dataclass
class ClusterNames:
    """Serves a Corefile in the namespace of a pod. `own`: names of the cluster, with their addresses."""

    zones: tuple[Zone, ...]
    own: Mapping[str, str]
    namespace: Namespace

    def listen(self, address: str, servers: Servers) -> None:
        servers.udp(self.namespace, address, _PORT, self.answer)

    def answer(self, data: bytes, _: tuple[str, int]) -> bytes | None:
        asked = dns.question(data)
        if asked is None:
            return None
        name = asked.name.rstrip(".").lower()
        zone = self.zone(name)
        if zone is not None and zone.own and name in self.own:
            return dns.address(asked, self.own[name])
        if zone is not None and zone.forward and not any(re.search(r, f"{name}.") for r in zone.refused):
            return self._forwarded(data, zone.forward)
        return dns.no_such_name(asked)

    def zone(self, name: str) -> Zone | None:
        """The longest one that holds the name."""
        those = [z for z in self.zones if not z.name or name == z.name or name.endswith(f".{z.name}")]
        return max(those, key=lambda z: len(z.name), default=None)

    def _forwarded(self, data: bytes, server: str) -> bytes | None:
        with self.namespace.inside():
            asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with asking, suppress(OSError):
            asking.settimeout(_ANSWER_SECONDS)
            asking.sendto(data, (server, _PORT))
            return asking.recv(1 << 16)
        return None
