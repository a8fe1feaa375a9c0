"""Synthetic deployments for bench_proof: as a script, one of them is proved and checked in a process of its own.

python proof_stacks.py SHAPE SIZE   → prove seconds, check seconds, peak MiB, verdict
"""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from sequester.proof.check import RefusedError, check
from sequester.proof.model import (
    GroupRef,
    Model,
    Nacl,
    NaclRule,
    Place,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityRule,
    Subnet,
    Target,
    Vpc,
)
from sequester.proof.prove import facts_for, prove
from sequester.proof.space import EVERY_SERVICE, TCP, Prefix, prefix, services
from sequester.proof.verdict import Proved

_VPC = prefix("10.0.0.0/8")
# A way leads out, so that only the groups (or the policies) hold: every rule has to be looked at.
_OUT4 = prefix("0.0.0.0/0")
_OUT = Route("out", _OUT4, Target("internet gateway", "igw"))
_ACL = Nacl("acl", "acl", tuple(
    NaclRule("all", 100, egress, True, prefix("0.0.0.0/0"), EVERY_SERVICE) for egress in (True, False)
))  # fmt: skip


def _rules(count: int, first: int = 0) -> tuple[SecurityRule, ...]:
    """Each to another address and port of the VPC."""
    return tuple(
        SecurityRule(f"r{n}", True, Prefix("4", _VPC.low + n * 4, 30), services(TCP, 1 + n % 60000))
        for n in range(first, first + count)
    )


def _network(subnets: int, groups: Mapping[str, tuple[SecurityRule, ...]], role: str = "sandbox") -> Model:
    """A sandbox instance for each group, spread over the subnets; a table for each subnet."""
    keys = [f"subnet{n}" for n in range(subnets)]
    return Model(
        "123456789012", "us-east-1",
        vpcs={"vpc": Vpc("vpc", "vpc", (_VPC,))},
        subnets={
            key: Subnet(key, key, "vpc", (Prefix("4", _VPC.low + (n << 8), 24),), f"table-{key}", "acl", True)
            for n, key in enumerate(keys)
        },
        tables={f"table-{key}": RouteTable(f"table-{key}", key, "vpc", (_OUT,)) for key in keys},
        nacls={"acl": _ACL},
        groups={key: SecurityGroup(key, key, rules) for key, rules in groups.items()},
        places={
            f"i-{key}": Place(f"i-{key}", key, "instance", (keys[n % subnets],), (key,), role=role)
            for n, key in enumerate(groups)
        },
    )  # fmt: skip


def _pods(count: int, in_each: int, inside: str = "10") -> Model:
    """`count` pods and as many policies, `in_each` to a namespace: each opens one port of a block to one app's pods."""

    def policy(n: int) -> dict[str, object]:
        to = {"ipBlock": {"cidr": f"{inside}.{n >> 8 & 255}.{n & 255}.0/24"}}
        return {
            "podSelector": {"matchLabels": {"app": f"a{n}"}},
            "policyTypes": ["Egress"],
            "egress": [{"to": [to], "ports": [{"protocol": "TCP", "port": 1 + n % 60000}]}],
        }

    def named(api: str, kind: str, name: str, n: int, spec: Mapping[str, object]) -> Mapping[str, object]:
        space = f"a{n // in_each}-agent"
        return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": space}, "spec": spec}

    firsts, policies = range(0, count, in_each), "networking.k8s.io/v1"
    manifests = [
        *({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"a{n // in_each}-agent"}} for n in firsts),
        *(named(policies, "NetworkPolicy", "deny", n, {"podSelector": {}, "policyTypes": ["Egress"]}) for n in firsts),
        *(named(policies, "NetworkPolicy", f"p{n}", n, policy(n)) for n in range(count)),
        *(named("v1", "Pod", f"pod{n}", n, {"containers": [{"name": "c", "image": "i"}]}) for n in range(count)),
    ]
    return replace(_network(1, {"none": ()}, "agent"), manifests=tuple(manifests))


def _instances(count: int) -> Model:
    """One sandbox among `count` instances with a way out and addresses of their own, which it cannot speak to."""
    model = _network(4, {"g": _rules(10)})
    rules = (
        SecurityRule("in", False, GroupRef("others"), EVERY_SERVICE),
        SecurityRule("out", True, _OUT4, EVERY_SERVICE),
    )
    others = {
        f"o{n}": Place(
            f"o{n}", f"o{n}", "instance", (f"subnet{n % 4}",), ("others",),
            addresses=(Prefix("4", _VPC.low + ((n % 4) << 8) + (1 << 20) + n // 4, 32),),
        )
        for n in range(count)
    }  # fmt: skip
    groups = {**model.groups, "others": SecurityGroup("others", "others", rules)}
    return replace(model, groups=groups, places={**model.places, **others})


SHAPES: Mapping[str, Callable[[int], Model]] = {
    "rules in groups of 50": lambda n: _network(4, {f"g{k}": _rules(50, k * 50) for k in range(n // 50)}),
    "rules in one group": lambda n: _network(1, {"g": _rules(n)}),
    "pods and policies": lambda n: _pods(n, n),
    "pods and policies, 10 in a namespace": lambda n: _pods(n, 10),
    "pods and policies that the node holds": lambda n: _pods(n, n, inside="100"),
    "instances beside a sandbox": _instances,
    "subnets": lambda n: _network(n, {f"g{k}": _rules(1, k) for k in range(n)}),
}


def main() -> None:
    model = SHAPES[sys.argv[1]](int(sys.argv[2]))
    began = time.process_time()
    verdict = prove(model, ["E1"])["E1"]
    proved = time.process_time() - began
    print(f"{proved:.4f}", flush=True)
    began = time.process_time()
    said = type(verdict).__name__
    if isinstance(verdict, Proved):
        try:
            check(facts_for(model, "E1"), verdict.certificate)
        except RefusedError as error:
            said = f"refused: {error}"
    print(f"{time.process_time() - began:.4f}")
    # Not ru_maxrss: that keeps the parent's peak across exec.
    status = Path("/proc/self/status").read_text()
    print(int(status.partition("VmHWM:")[2].split()[0]) // 1024)
    print(said if isinstance(verdict, Proved) else str(verdict)[:300])


if __name__ == "__main__":
    main()
