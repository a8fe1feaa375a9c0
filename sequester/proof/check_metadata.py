"""The checker of metadata (E6): its addresses at every policy, and how nodes answer."""

# Facts are parsed JSON: their parts are looked up, never trusted to be there.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false

import ipaddress
from collections.abc import Iterator
from typing import Any

from sequester.proof.check_lookup import HOSTS
from sequester.proof.check_reasons import Facts, Reason, Refusal, sandboxes_of

_LINK_LOCAL = ("169.254.169.254", "fd00:ec2::254", "169.254.170.23", "fd00:ec2::23")


def reasons(model: Facts, selector: Facts) -> Iterator[Reason]:
    for namespace in sandboxes_of(model, selector):
        yield Reason(f"namespace {namespace}", ("no policy lets its pods reach metadata or Pod Identity",))
    for place in model["places"].values():
        if place["role"] == "sandbox" and place["kind"] in HOSTS:
            yield Reason(place["name"], ("metadata wants a token, and its answer ends at the node",))


def _serves_http(rule: Any) -> bool:
    """Whether a rule lets TCP port 80 pass; a named port may be it."""
    listed: list[Any] = list(rule.get("ports") or [{}])
    ports = [p for p in listed if (p.get("protocol") or "TCP") == "TCP"]
    firsts = [(str(p.get("port") or 80), p.get("endPort") or p.get("port") or 80) for p in ports]
    return any(not first.isdigit() or int(first) <= 80 <= int(last) for first, last in firsts)


def refusals(model: Facts, selector: Facts) -> Iterator[Refusal]:
    sandboxes = {*sandboxes_of(model, selector)}
    for one in model["manifests"]:
        name = (one.get("metadata") or {}).get("namespace") or "default"
        if one.get("kind") != "NetworkPolicy" or name not in sandboxes:
            continue
        for rule in (r for r in one["spec"].get("egress") or () if _serves_http(r)):
            for peer in rule.get("to") or ({"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}):
                block = peer.get("ipBlock")
                holes = [ipaddress.ip_network(h, strict=False) for h in (block or {}).get("except") or ()]
                for text in _LINK_LOCAL if block else ():
                    address = ipaddress.ip_address(text)
                    inside = address in ipaddress.ip_network(block["cidr"], strict=False)
                    if inside and not any(address in hole for hole in holes):
                        yield f"{name}: {one['metadata']['name']} lets pods reach {text}"
    for place in model["places"].values():
        nodes = place["kind"] in HOSTS and place["role"] == "sandbox"
        hops = place["metadata_hops"]
        if nodes and hops is not None and (hops > 1 or not place["metadata_token"]):
            yield f"{place['name']}: metadata answers across a pod's hop, or without a token"
