"""The VPC's resolver: a DNS server that applies the deployed DNS Firewall rules and writes query-log records.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resolver-query-logs-format.html; domain lists:
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resolver-dns-firewall-domain-lists.html.
"""

import json
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from socket import socket

from sequester.lab import dns
from sequester.lab.namespaces import Namespace
from sequester.lab.serving import Servers
from sequester.lab.sink import UPSTREAM
from sequester.proof.model import Association, FirewallRule

_PORT = 53


@dataclass(frozen=True)
class Asker:
    """What is known of an address that asks."""

    instance: str
    vpc: str


@dataclass
class Resolver:
    """`records`: (time, JSON line) of each query. zones: names that exist inside, with their addresses."""

    account: str
    region: str
    firewall: Sequence[Association]
    zones: Mapping[str, str]
    askers: Mapping[str, Asker]
    beyond: Callable[[str, str], None]
    """Called with (name, asker) for each query that goes on to the internet."""
    records: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])

    def listen(self, namespace: Namespace, addresses: Sequence[str], servers: Servers) -> None:
        for address in addresses:
            servers.udp(namespace, address, _PORT, lambda data, peer: self.answer(data, peer, "UDP"))
            servers.tcp(namespace, address, _PORT, self._stream)

    def answer(self, message: bytes, peer: tuple[str, int], transport: str) -> bytes | None:
        """None for what is no query."""
        asked = dns.question(message)
        if asked is None:
            return None
        rule = self.judged(asked.name)
        blocked = rule is not None and rule.action == "BLOCK"
        found = None if blocked else self._resolved(asked.name, peer[0])
        self.records.append((time.time(), self._record(asked, found, peer, transport, rule)))
        return dns.no_such_name(asked) if found is None else dns.address(asked, found)

    def judged(self, name: str) -> FirewallRule | None:
        """The first rule whose list has the name, by priority of groups and then of rules."""
        for group in sorted(self.firewall, key=lambda one: one.priority):
            for rule in sorted(group.rules, key=lambda one: one.priority):
                if any(listed(name, pattern) for pattern in rule.domains or ()):
                    return rule
        return None

    def _resolved(self, name: str, asker: str) -> str:
        for pattern, address in self.zones.items():
            if listed(name, pattern):
                return address
        self.beyond(name, asker)
        return UPSTREAM

    def _record(
        self, asked: dns.Question, found: str | None, peer: tuple[str, int], transport: str, rule: FirewallRule | None
    ) -> str:
        asker = self.askers.get(peer[0], Asker("", ""))
        record: dict[str, object] = {
            "version": "1.100000",
            "account_id": self.account,
            "region": self.region,
            "vpc_id": asker.vpc,
            "query_timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "query_name": asked.name,
            "query_type": asked.kind,
            "query_class": "IN",
            "rcode": "NXDOMAIN" if found is None else "NOERROR",
            "answers": [{"Rdata": found, "Type": "A", "Class": "IN"}] if found and asked.kind == "A" else [],
            "srcaddr": peer[0],
            "srcport": str(peer[1]),
            "transport": transport,
            "srcids": {"instance": asker.instance} if asker.instance else {},
        }
        if rule is not None:
            record |= {
                "firewall_rule_action": rule.action,
                "firewall_rule_group_id": "rslvr-frg-lab",
                "firewall_domain_list_id": f"rslvr-fdl-{rule.name}",
            }
        return json.dumps(record)

    def _stream(self, connection: socket, peer: tuple[str, int]) -> None:
        while len(size := connection.recv(2)) == 2:
            data = connection.recv(struct.unpack(">H", size)[0])
            said = self.answer(data, peer, "TCP")
            if said is None:
                return
            connection.sendall(struct.pack(">H", len(said)) + said)


def listed(name: str, pattern: str) -> bool:
    """Whether a domain list's entry has the name. `*.x` is every name below x; `*` (or `*.`) every name at all."""
    name, pattern = name.rstrip(".").lower(), pattern.rstrip(".").lower()
    if pattern == "*":
        return True
    if pattern.startswith("*."):
        return name.endswith(pattern[1:])
    return name == pattern
