"""Random networks with everything at once, and every packet of a small space: the prover's set against one at a time.

Two subnets with an ACL each, routes by prefix and by prefix list, a NAT gateway and a forwarding instance between
them, groups that name prefixes, lists and other groups; IPv4 and IPv6.
"""

from dataclasses import dataclass, replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sequester.proof.certificate import Piece
from sequester.proof.check import RefusedError, check
from sequester.proof.check_lookup import ENDS, SPACE
from sequester.proof.check_packets import Judge
from sequester.proof.model import (
    Device,
    GroupRef,
    ListRef,
    Model,
    Nacl,
    NaclRule,
    Peer,
    Place,
    PrefixList,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityRule,
    Subnet,
    Target,
    Vpc,
)
from sequester.proof.prove import facts_for, prove
from sequester.proof.reach import Network
from sequester.proof.simulate import simulate
from sequester.proof.space import EVERY_SERVICE, TCP, UDP, Prefix, Services, prefix, services
from sequester.proof.verdict import Packet, Proved

_FOUR = [prefix(f"203.0.113.{n}").low for n in range(8)]
_SIX = [prefix(f"2001:db8:ffff::{n:x}").low for n in range(4)]
_NAT64 = [(0x64FF9B << 96) + address for address in _FOUR[:2]]
_SERVICES = [protocol << 16 | port for protocol in (TCP, UDP) for port in range(3)]
_SPACE = [("4", a) for a in _FOUR] + [("6", a) for a in (*_SIX, *_NAT64)]

_PREFIXES = st.one_of(
    st.tuples(st.sampled_from(_FOUR), st.integers(29, 32)).map(
        lambda p: Prefix("4", p[0] >> (32 - p[1]) << (32 - p[1]), p[1])
    ),
    st.tuples(st.sampled_from(_SIX), st.integers(126, 128)).map(
        lambda p: Prefix("6", p[0] >> (128 - p[1]) << (128 - p[1]), p[1])
    ),
    st.sampled_from([Prefix("4", 0, 0), Prefix("6", 0, 0), Prefix("6", 0x64FF9B << 96, 96)]),
)
_PORTS = st.one_of(
    st.tuples(st.sampled_from([TCP, UDP]), st.integers(0, 2), st.integers(0, 2)).map(
        lambda p: services(p[0], min(p[1:]), max(p[1:]))
    ),
    st.just(EVERY_SERVICE),
)
_TARGETS = st.sampled_from(
    [
        Target("internet gateway", "igw"), Target("transit gateway", "tgw"), Target("blackhole", "b"),
        Target("egress-only internet gateway", "eigw"), Target("NAT gateway", "nat"), Target("network interface", "fw"),
        Target("local", "local"),
    ]
)  # fmt: skip
_DESTINATIONS: st.SearchStrategy[Prefix | ListRef] = st.one_of(_PREFIXES, st.just(ListRef("pl")))
_ROUTES = st.dictionaries(_DESTINATIONS, _TARGETS, max_size=4)
_ACLS = st.lists(st.tuples(st.integers(1, 9), _PREFIXES, _PORTS, st.booleans()), max_size=5, unique_by=lambda r: r[0])
_PEERS: st.SearchStrategy[Peer] = st.one_of(_PREFIXES, st.just(ListRef("pl")), st.just(GroupRef("others")))
_RULES = st.lists(st.tuples(_PEERS, _PORTS), max_size=4)


@dataclass(frozen=True)
class Side:
    """One subnet: what its table, ACL and the group of who stands in it say."""

    routes: dict[Prefix | ListRef, Target]
    acl: list[tuple[int, Prefix, Services, bool]]
    rules: list[tuple[Peer, Services]]


_SIDES = st.builds(Side, _ROUTES, _ACLS, _RULES)


def _model(here: Side, there: Side, listed: list[Prefix], *, public: bool, passes: bool) -> Model:
    tables, acls, groups, subnets = {}, {}, {}, {}
    for n, (key, side) in enumerate((("a", here), ("b", there))):
        routes = tuple(Route(f"{key}{i}", to, target) for i, (to, target) in enumerate(side.routes.items()))
        tables[key] = RouteTable(key, key, "v", routes)
        rules = tuple(NaclRule(f"{key}{i}", i, True, allow, peer, s) for i, peer, s, allow in side.acl)
        acls[key] = Nacl(key, key, rules)
        groups[key] = SecurityGroup(
            key, key, tuple(SecurityRule(f"{key}{i}", True, p, s) for i, (p, s) in enumerate(side.rules))
        )
        cidrs = (prefix(f"10.0.{n}.0/24"), prefix(f"2001:db8:0:{n}::/64"))
        subnets[key] = Subnet(key, key, "v", cidrs, key, key)
    groups["others"] = SecurityGroup("others", "others", ())
    return Model(
        "1", "r", vpcs={"v": Vpc("v", "v", (prefix("10.0.0.0/16"), prefix("2001:db8::/56")))}, tables=tables, nacls=acls,
        subnets=subnets, groups=groups, lists={"pl": PrefixList("pl", "pl", tuple(listed))},
        devices={"nat": Device("nat", "nat", "NAT gateway", ("b",), public=True)},
        places={
            "p": Place("p", "p", "instance", ("a",), ("a",), public=public, role="sandbox"),
            "fw": Place("fw", "fw", "instance", ("b",), ("b",), public=True, forwards=passes),
            "o": Place("o", "o", "network interface", ("b",), ("others",), addresses=(Prefix("4", _FOUR[3], 32),)),
        },
    )  # fmt: skip


_EIGHT = Prefix("4", _FOUR[0], 29)
_ANYWHERE: list[tuple[Peer, Services]] = [(Prefix("4", 0, 0), EVERY_SERVICE)]
_OPEN = [(1, Prefix("4", 0, 0), EVERY_SERVICE, True)]
_TIE: dict[Prefix | ListRef, Target] = {
    _EIGHT: Target("internet gateway", "igw"),
    ListRef("pl"): Target("blackhole", "b"),
}


@example(Side(_TIE, _OPEN, _ANYWHERE), Side({}, [], []), [_EIGHT], True, False)
@given(_SIDES, _SIDES, st.lists(_PREFIXES.filter(lambda p: p.length > 0), max_size=3), st.booleans(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_what_is_open_is_what_arrives(
    here: Side, there: Side, listed: list[Prefix], public: bool, passes: bool
) -> None:
    model = _model(here, there, listed, public=public, passes=passes)
    found = list(Network(model).openings(model.places["p"]))
    for axis, address in _SPACE:
        for service in _SERVICES:
            inside = any(
                o.way.axis == axis and o.low <= address < o.end and any(low <= service < end for low, end in o.services)
                for o in found
            )
            trace = simulate(model, Packet("place:p", axis, address, service))
            assert inside == trace.arrived, (axis, address, service, trace.steps)


@given(_SIDES, _SIDES, st.lists(_PREFIXES.filter(lambda p: p.length > 0), max_size=3), st.booleans(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_the_checker_closes_what_does_not_arrive(
    here: Side, there: Side, listed: list[Prefix], public: bool, passes: bool
) -> None:
    """Packet by packet, and for the whole axis as one piece: closed by one of a node's stages if nothing arrives."""
    model = _model(here, there, listed, public=public, passes=passes)
    judge = Judge(facts_for(model, "E1"))
    verdict = prove(model, ["E1"])["E1"]
    if isinstance(verdict, Proved):
        assert check(facts_for(model, "E1"), verdict.certificate)
    for axis, address in _SPACE:
        for service in _SERVICES:
            arrives = simulate(model, Packet("place:p", axis, address, service)).arrived
            packet = Piece(axis, address, address + 1, service, service + 1, "", "")
            closed = [_closed(judge, replace(packet, stage=stage)) for stage in ("path", "group")]
            assert any(closed) is not arrives, (axis, address, service)
            if arrives:
                whole = Piece(axis, 0, ENDS[axis], 0, SPACE, "", "")
                assert not any(_closed(judge, replace(whole, stage=stage)) for stage in ("path", "group"))


def _closed(judge: Judge, piece: Piece) -> bool:
    try:
        judge.closed("out:p:a", piece)
    except RefusedError:
        return False
    return True
