"""Patterns and network algebra against brute force over small spaces."""

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequester.proof.iam.pattern import includes, intersects
from sequester.proof.model import (
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
)  # fmt: skip
from sequester.proof.reach import Network
from sequester.proof.simulate import simulate
from sequester.proof.space import TCP, Prefix, Services, difference, intersection, prefix, services, union
from sequester.proof.verdict import Packet

_TEXTS = ["".join(letters) for size in range(5) for letters in itertools.product("ab", repeat=size)]
_PATTERNS = st.text("ab*?", max_size=5)


def matches(pattern: str, text: str) -> bool:
    return re.fullmatch("".join({"*": ".*", "?": "."}.get(c, c) for c in pattern), text) is not None


@given(_PATTERNS, _PATTERNS)
@settings(max_examples=150, deadline=None)
def test_patterns_against_every_short_text(left: str, right: str) -> None:
    """Two patterns of at most 5 signs that share a text share a short one, or need more than 4 letters to do so."""
    both = [t for t in _TEXTS if matches(left, t) and matches(right, t)]
    assert intersects(left, right) or not both
    if includes([left], right):
        assert all(matches(left, t) for t in _TEXTS if matches(right, t))


@pytest.mark.parametrize(
    ("outer", "inner", "answer"),
    [
        (["*a*"], "*a", True),
        (["?*"], "*?", True),
        (["a*", "b*"], "?x", False),
        (["a", "b"], "?", False),
        (["a*"], "*", False),
    ],
)
def test_inclusion_where_it_is_easily_got_wrong(outer: list[str], inner: str, answer: bool) -> None:
    assert includes(outer, inner) is answer


_RANGES = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5)).map(lambda p: (p[0], p[0] + p[1])), max_size=4)


@given(_RANGES, _RANGES)
@settings(max_examples=100, deadline=None)
def test_sets_of_services_are_sets(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> None:
    def members(those: Services) -> set[int]:
        return {n for low, end in those for n in range(low, end)}

    a, b = union(tuple(left)), union(tuple(right))
    assert members(union(a, b)) == members(a) | members(b)
    assert members(intersection(a, b)) == members(a) & members(b)
    assert members(difference(a, b)) == members(a) - members(b)


# A space of eight /32 outside of the VPC and four ports: every packet can be tried.
_OUTSIDE = [prefix(f"203.0.113.{n}").low for n in range(8)]
_PREFIXES = st.tuples(st.integers(0, 7), st.integers(29, 32)).map(
    lambda p: Prefix("4", (_OUTSIDE[0] + p[0]) >> (32 - p[1]) << (32 - p[1]), p[1])
)
_PORTS = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda p: services(TCP, min(p), max(p)))


@given(
    st.lists(
        st.tuples(_PREFIXES, st.sampled_from(["internet gateway", "blackhole", "transit gateway", "local"])), max_size=4
    ),
    st.lists(st.tuples(_PREFIXES, _PORTS, st.booleans()), max_size=4),
    st.lists(st.tuples(_PREFIXES, _PORTS), max_size=4),
    st.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_openings_are_exactly_the_packets_that_leave(
    routes: list[tuple[Prefix, str]],
    acl: list[tuple[Prefix, Services, bool]],
    group: list[tuple[Prefix, Services]],
    public: bool,
) -> None:
    table = RouteTable(
        "t", "t", "v", tuple(Route(f"r{i}", p, Target(kind, "x")) for i, (p, kind) in enumerate(dict(routes).items()))
    )
    rules = tuple(NaclRule(f"n{i}", i, True, allow, p, s) for i, (p, s, allow) in enumerate(acl))
    sg = SecurityGroup("g", "g", tuple(SecurityRule(f"s{i}", True, p, s) for i, (p, s) in enumerate(group)))
    place = Place("p", "p", "instance", ("s",), ("g",), public=public, role="sandbox")
    model = Model(
        "1", "r", vpcs={"v": Vpc("v", "v", (prefix("10.0.0.0/16"),))}, tables={"t": table}, nacls={"a": Nacl("a", "a", rules)},
        subnets={"s": Subnet("s", "s", "v", (prefix("10.0.0.0/24"),), "t", "a")}, groups={"g": sg}, places={"p": place},
    )  # fmt: skip
    found = {
        (address, service)
        for o in Network(model).openings(place)
        for address in _OUTSIDE
        for service in range(TCP << 16, (TCP << 16) + 4)
        if o.low <= address < o.end and any(low <= service < end for low, end in o.services)
    }
    tried = {
        (address, service)
        for address in _OUTSIDE
        for service in range(TCP << 16, (TCP << 16) + 4)
        if simulate(model, Packet("place:p", "4", address, service)).arrived
    }
    assert found == tried
