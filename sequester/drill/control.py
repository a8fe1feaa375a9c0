"""Every control that a technique may name as what stops it, from the tables that the controls are made of."""

from collections.abc import Mapping
from functools import cache
from typing import Final

from infra.admission import policies
from lambda_proxy.denial import RULES
from sequester.drill import broken_out, calls, doorway
from sequester.drill.outcome import Target
from sequester.drill.program import LAYERS
from sequester.drill.through_door import DROPPED
from sequester.readback.whole import EVERY_CONTROL

API_SERVER: Final[Mapping[str, str]] = {
    "pod-security": "the namespace enforces the `restricted` Pod Security Standard",
    "rbac": "no role grants it",
    "node-restriction": "a kubelet writes about itself and its own pods only",
    "quota": "no more sandboxes than the tenant's quota",
    "limits": "no sandbox larger than the limit range",
    "schema": "fields that the server does not know are refused, not ignored",
}
"""What the API server itself decides by, under our configuration."""

NETWORK_POLICY: Final = "network-policy"


@cache
def controls() -> Mapping[str, str]:
    """`<table>:<id>` → what it protects, for people."""
    rules = {rule.name: rule.why for policy in policies("registry", gvisor=False) for rule in policy.rules}
    tables: dict[str, Mapping[str, str]] = {
        "sandbox": {layer.value: why for layer, why in LAYERS.items()},
        "door": {**RULES, DROPPED: "host, credentials and forwarding are the door's to say: the caller's are dropped"},
        "admission": rules,
        "kubernetes": API_SERVER | {NETWORK_POLICY: "no policy of the namespace lets the packet out"},
    }
    tables |= {part: {one.id: one.protects for one in those} for part, those in EVERY_CONTROL.items()}
    return {f"{table}:{name}": why for table, rows in tables.items() for name, why in rows.items()}


REMOVABLE_AT_THE_API_SERVER: Final = frozenset(
    f"kubernetes:{each}" for each in ("pod-security", "rbac", "quota", "limits")
)
"""Besides each admission rule; see `sequester.drill.api_server.without`."""


@cache
def removable(target: Target) -> frozenset[str]:
    """Which of them a drill on this target can take away on purpose; of a deployed cluster, none.

    Of the sandbox's walls a few cannot be, for reasons of their own: see `sequester.drill.weaken.NOT_REMOVABLE`.
    """
    if target is Target.CLUSTER:
        return frozenset()
    layers = {f"sandbox:{layer.value}" for layer in LAYERS}
    rules = {f"door:{rule}" for rule in doorway.REMOVABLE}
    admission = {control for control in controls() if control.startswith("admission:")}
    network = set(broken_out.LAYERS) if target is Target.LAB else set[str]()
    return frozenset(layers | rules | admission | network | calls.REMOVABLE | REMOVABLE_AT_THE_API_SERVER)
