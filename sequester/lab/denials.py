"""Lines of the network policy agent, from the packets that a node's policies denied.

The form of aws-network-policy-agent's own (`pkg/ebpf/events`); protocols that it does not know are UNKNOWN.
"""

from collections.abc import Mapping

from sequester.lab.headers import headers
from sequester.lab.nflog import Logged

_PROTOCOLS: Mapping[int, str] = {6: "TCP", 17: "UDP", 132: "SCTP", 1: "ICMP"}


def line(node: str, one: Logged) -> str | None:
    """node: the name of the node, as Kubernetes has it."""
    seen = headers(one.data)
    if seen is None:
        return None
    ports = (seen.source_port, seen.port) if seen.protocol in (6, 17, 132) else (0, 0)
    return (
        f"Node: {node};SIP: {seen.source};SPORT: {ports[0]};DIP: {seen.target};DPORT: {ports[1]};"
        f"PROTOCOL: {_PROTOCOLS.get(seen.protocol, 'UNKNOWN')};PolicyVerdict: DENY;Tier: NETWORK_POLICY"
    )
