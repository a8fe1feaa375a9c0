"""The prover, the simulator and the Linux kernel are asked about the same packets, and must say the same.

Random networks are built out of namespaces, routes and nftables (sequester/lab, which shares no reading of the facts
with the proof), and every packet is really sent. A prover or a translator that is wrong in one thing is told apart.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from kernel_questions import Disagreements, asked, disagreements, openings
from random_networks import network

from sequester.lab import rules, subnet, topology
from sequester.proof import reach
from sequester.proof.check import check
from sequester.proof.model import Nacl, NaclRule, Place, Subnet
from sequester.proof.prove import facts_for, prove
from sequester.proof.simulate import simulate
from sequester.proof.space import Prefix, Services
from sequester.proof.verdict import Escapes, Proved, Unknown

pytestmark = [pytest.mark.lane("kernel", "root", "nft", "ip"), pytest.mark.xdist_group("kernel-proof")]

FULL = os.environ.get("SEQUESTER_LANES") == "all"
NETWORKS = 90 if FULL else 9


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_prover_simulator_and_kernel_agree(seed: int) -> None:
    assert disagreements(asked(seed)) == Disagreements((), (), ())


def test_enough_was_asked() -> None:
    """An agreement on nothing would be none."""
    kinds: Counter[str] = Counter()
    packets: Counter[tuple[str, int, bool]] = Counter()
    for seed in range(NETWORKS):
        one = asked(seed)
        prover = reach.Network(one.net.model)
        for question, arrived in zip(one.questions, one.arrived, strict=True):
            packets["all", 0, arrived] += 1
            if arrived:
                packets[question.axis, question.service >> 16, question.inbound] += 1
                kinds.update({hop.how for o in openings(prover, question)[:1] for hop in o.way.hops})
    assert packets["all", 0, False] > 100 * NETWORKS
    assert packets["all", 0, True] > 20 * NETWORKS
    assert {(axis, protocol) for axis, protocol, _ in packets} >= {("4", 6), ("6", 6), ("4", 17), ("6", 17), ("4", 1)}
    assert {inbound for axis, _, inbound in packets if axis != "all"} == {True, False}
    if FULL:
        said = " ".join(kinds)
        for kind in ("NAT gateway", "network interface", "egress-only", "transit", "peering", "forwards"):
            assert kind in said, kind


@pytest.mark.parametrize("seed", range(0, NETWORKS, 3))
def test_the_verdict_on_each_place_holds(seed: int) -> None:
    """What is proved, the checker accepts; what escapes, the simulator sees arrive."""
    model = network(seed).model
    for key in model.places:
        places = {one: replace(place, role="sandbox" * (one == key)) for one, place in model.places.items()}
        alone = replace(model, places=places)
        match prove(alone)["E1"]:
            case Proved(certificate=certificate):
                assert check(facts_for(alone, "E1"), certificate)
            case Escapes(witness=witness):
                assert witness.packet
                assert simulate(alone, witness.packet).arrived
            case Unknown(reasons=reasons):
                assert reasons


Patch = Callable[[pytest.MonkeyPatch], None]


def _replaced(owner: Any, name: str, other: Callable[..., Any]) -> Patch:
    """Instead of a function, another one, which is given the function first."""
    real = getattr(owner, name)
    return lambda patch: patch.setattr(owner, name, lambda *args, **named: other(real, *args, **named))


def _backwards(real: Any, rules: Sequence[NaclRule], axis: str, low: int, end: int) -> Services:
    return real(list(reversed(rules)), axis, low, end)


def _shortest(real: Any, axis: str, entries: dict[Prefix, Any]) -> Any:
    return real(axis, {p: r for p, r in entries.items() if not any(q != p and q.covers(p) for q in entries)})


def _any_port(real: Any, *args: Any, **named: Any) -> Any:
    for rule in real(*args, **named):
        every = tuple((low >> 16 << 16, ((end - 1 >> 16) + 1) << 16) for low, end in rule.services)
        yield rule._replace(services=every)


def _only_first(real: Any, *args: Any, **named: Any) -> Any:
    return tuple(real(*args, **named))[:1]


WRONG_PROVERS: dict[str, Patch] = {
    "an ACL's rules from the last": _replaced(reach, "acl_services", _backwards),
    "an ACL that lets all": _replaced(reach, "acl_services", lambda real, *_: reach.EVERY_SERVICE),
    "the shortest prefix": _replaced(reach, "longest_prefix", _shortest),
    "ports are not looked at": _replaced(reach.Network, "group_rules", _any_port),
    "one rule a group": _replaced(reach.Network, "group_rules", _only_first),
    "everybody has a public address": _replaced(Place, "public_in", lambda real, place, subnet: True),
    "nobody has a public address": _replaced(Place, "public_in", lambda real, place, subnet: False),
    "nobody begins outside": _replaced(reach.Network, "answerable", lambda real, *_: iter(())),
    "what forwards is not followed": _replaced(reach.Network, "_onward", lambda real, *_, **__: iter(())),
}


@pytest.mark.parametrize("name", WRONG_PROVERS)
def test_a_wrong_prover_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [asked(seed) for seed in range(9)]
    WRONG_PROVERS[name](monkeypatch)
    found = [disagreements(one) for one in answers]
    assert any(one.missed or one.invented for one in found)


def _sorted_backwards(real: Any, acl: Nacl, *, egress: bool) -> list[str]:
    flipped = tuple(NaclRule(r.name, -r.number, r.egress, r.allow, r.peer, r.services) for r in acl.rules)
    return real(Nacl(acl.id, acl.name, flipped), egress=egress)


def _one_short(real: Any, low: int, high: int) -> str:
    return real(low, high - 1 if high > low else high)


def _v4_only(real: Any, services: Iterable[Any]) -> list[str]:
    return [f"meta nfproto ipv4 {match}" for match in real(services)]


WRONG_TRANSLATORS: dict[str, Patch] = {
    "an ACL's rules from the last": _replaced(subnet, "acl_lines", _sorted_backwards),
    "ranges end one early": _replaced(rules, "_span", _one_short),
    "rules for IPv4 only": _replaced(rules, "service_matches", _v4_only),
    "a gateway carries private addresses": _replaced(topology, "internet_gate", lambda real, *_: []),
    "an egress-only gateway lets in": _replaced(topology, "egress_only_gate", lambda real, *_: []),
    "groups are not asked": _replaced(subnet, "group_lines", lambda real, *_, **__: ["return"]),
}


@pytest.mark.parametrize("name", WRONG_TRANSLATORS)
def test_a_wrong_translator_is_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    WRONG_TRANSLATORS[name](monkeypatch)
    found = (disagreements(asked.__wrapped__(seed)) for seed in _REVEALING)
    assert any(one.missed or one.invented for one in found)


_REVEALING = (4, 5, 2)
"""Networks in which much is open."""


def test_the_networks_are_what_they_seem() -> None:
    """A network is its seed's: what failed once can be looked at again."""
    assert network(3) == network(3)
    assert network(3) != network(4)
    assert all(isinstance(one, Subnet) for one in network(3).model.subnets.values())
