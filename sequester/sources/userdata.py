"""What a node's user data does before kubelet starts: whether it keeps pods from their own node (E1)."""

import base64
import binascii
import re
from collections.abc import Mapping

POD_INTERFACE = "eni*"
"""How the VPC CNI names the node's end of a pod's interface, unless it is told another prefix."""


def drops_from_pods(user_data: str) -> bool:
    """Whether user data loads nftables rules that drop every new packet from a pod interface to the node, v4 and v6.

    Only rules of a known form count: an input chain of family inet whose first rule for the CNI's interfaces jumps to
    a chain that accepts established connections and neighbour discovery, and then drops.
    """
    text = _decoded(user_data)
    if "nft -f" not in text or any(_meddles(line) for line in text.splitlines()):
        return False
    tables = re.findall(r"^table inet \w+ \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    return any(_table_drops(table) for table in tables)


def _meddles(line: str) -> bool:
    """A command beside the loading of the rules that could change them, or keep them from being loaded."""
    other = re.search(r"\b(iptables|ip6tables|iptables-restore|firewall-cmd|ufw|ebtables)\b", line)
    other = other or re.search(r"(?<![.\w])nft\s+(?!-f\b)\S", line)
    stops = re.search(r"systemctl\s+(stop|disable|mask)\b", line)
    return bool(other or (stops and "sequester" in line) or (stops and "nft" in line))


def _table_drops(table: str) -> bool:
    chains = {
        name: [line.strip() for line in body.splitlines() if line.strip()]
        for name, body in re.findall(r"^\s*chain (\w+) \{\n(.*?)^\s*\}", table, re.MULTILINE | re.DOTALL)
    }
    return any(_chain_drops(lines, chains) for lines in chains.values() if lines and "hook input" in lines[0])


def _chain_drops(lines: list[str], chains: Mapping[str, list[str]]) -> bool:
    for line in lines[1:]:
        jump = re.fullmatch(r'iifname "([^"]+)" (?:jump|goto) (\w+)', line)
        dropped = re.fullmatch(r'iifname "([^"]+)" (?:ct state new )?(?:counter )?drop(?: comment "[^"]*")?', line)
        if dropped and dropped[1] == POD_INTERFACE:
            return True
        if jump and jump[1] == POD_INTERFACE:
            return _always_drops(chains.get(jump[2], []))
        if not (jump or dropped):
            return False  # something else is decided before, which is not understood here
    return False


def _always_drops(lines: list[str]) -> bool:
    for line in lines:
        bare = re.sub(r' comment "[^"]*"$', "", line)
        if re.fullmatch(r"(counter )?drop", bare):
            return True
        if not re.fullmatch(
            r"ct state established(,related)? (counter )?accept|icmpv6 type \{[a-z, -]*nd-neighbor[a-z, -]*\} accept",
            bare,
        ):
            return False
    return False


def _decoded(user_data: str) -> str:
    try:
        return base64.b64decode(user_data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return user_data
