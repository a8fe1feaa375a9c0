"""What a node does with the packets of its pods: its user data's rules, the policy agent, services and address sharing.

The rules that user data loads are taken as they are deployed. The agent stands for aws-network-policy-agent, which
always lets a pod reach its own node's address, and on an IPv4 cluster every packet that is not IPv4 (facts in the
deployment's threat model). Outside of the VPC pods appear under their node's address, as the VPC CNI has it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sequester.lab.addresses import bare, joined
from sequester.lab.policies import Cluster, Pod, lines
from sequester.lab.rules import chain
from sequester.proof.space import Prefix, prefix

NODE_LOCAL = (prefix("169.254.170.23"), prefix("fd00:ec2::23"))
"""Where EKS Pod Identity's agent listens on each node."""
_DEVICE_LETTERS = 11


@dataclass(frozen=True)
class Hosted:
    """A pod on the node; `device` is the node's end of its link, named as the VPC CNI does."""

    pod: Pod
    device: str


def pod_device(key: str) -> str:
    return "eni" + hashlib.sha256(key.encode()).hexdigest()[:_DEVICE_LETTERS]


def node_rules(
    cluster: Cluster,
    hosted: Sequence[Hosted],
    *,
    own: Sequence[Prefix],
    inside: Sequence[Prefix],
    guard: str,
    strict: bool,
    dual_stack: bool,
    services: Mapping[Prefix, tuple[Prefix, ...]],
    shared: bool,
) -> str:
    """A node's whole ruleset. own: the node's addresses. inside: the VPC's ranges. guard: its user data's rules."""
    return (
        guard
        + _agent(cluster, hosted, own, strict=strict, dual_stack=dual_stack)
        + _translation(inside if shared else (), services)
    )


def _agent(cluster: Cluster, hosted: Sequence[Hosted], own: Sequence[Prefix], *, strict: bool, dual_stack: bool) -> str:
    unseen = [] if dual_stack else ["meta nfproto != ipv4 return"]
    chains = [
        # Before addresses of services are translated, and after connections are tracked.
        chain("egress", ["type filter hook prerouting priority -150; policy accept;",
                         *(f'iifname "{h.device}" jump from_{h.device}' for h in hosted)]),
        chain("ingress", ["type filter hook postrouting priority 50; policy accept;",
                          *(f'oifname "{h.device}" jump to_{h.device}' for h in hosted)]),
    ]  # fmt: skip
    for one in hosted:
        to_node = [f"{f} daddr {known} return" for a, f in (("4", "ip"), ("6", "ip6")) if (known := joined(own, a))]
        from_node = [line.replace("daddr", "saddr") for line in to_node]
        for name, direction, free in (("from", "Egress", to_node), ("to", "Ingress", from_node)):
            body = [*unseen, *free, *lines(cluster, one.pod, direction, strict=strict)]
            chains.append(chain(f"{name}_{one.device}", body))
    return f"table inet policy_agent {{\n{''.join(chains)}}}\n"


def _translation(inside: Sequence[Prefix], services: Mapping[Prefix, tuple[Prefix, ...]]) -> str:
    to_pods = [
        f"ip daddr {bare(address)} dnat to {bare(targets[0])}"
        for address, targets in services.items()
        if address.axis == "4" and targets
    ]
    ranges = ", ".join(str(c) for c in inside if c.axis == "4")
    shared = [f'oifname "eth0" ip daddr != {{ {ranges} }} masquerade'] if ranges else []
    return (
        "table ip node {\n"
        + chain("from_pods", ["type nat hook prerouting priority -100;", *to_pods])
        + chain("own", ["type nat hook output priority -100;", *to_pods])
        + chain("shared_address", ["type nat hook postrouting priority 100;", *shared])
        + "}\n"
    )
