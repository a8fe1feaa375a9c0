"""The report of the real blueprint, and of one with a way out: what it says is what is there."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from types import SimpleNamespace
from typing import cast

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.tripwire_table import TRIPWIRES
from sequester.example import SETTINGS_FILE
from sequester.proof.model import Model, Nacl, NaclRule, Place, SecurityRule
from sequester.proof.reach import Network
from sequester.proof.selector import Selector
from sequester.proof.space import EVERY_SERVICE, TCP, UDP, Prefix, prefix, services
from sequester.readback.whole import Whole, observe_whole
from sequester.report.document import Overall, Report, gather
from sequester.report.flows import VIEWER, Flow, flows, named
from sequester.report.made import report_of
from sequester.report.page import page
from sequester.sources.program import program_model
from sequester.standing import settings_of, stack_config, standing

pytestmark = pytest.mark.xdist_group("report-program")


@pytest.fixture(scope="module")
def made() -> Iterator[tuple[Report, Model]]:
    config = stack_config(SETTINGS_FILE)
    settings = settings_of(config)
    with standing(config) as here:
        model = program_model(here.run.resources, account=settings.account, region=settings.region)
        yield report_of(here, settings, observe_whole(here.cloud.client, settings)), model


def test_it_says_what_holds(made: tuple[Report, Model]) -> None:
    report, _ = made
    assert report.overall is Overall.HOLDS
    assert [claim.id for claim in report.claims] == [f"E{number}" for number in range(1, 9)]
    assert all(claim.digest and (claim.holds or claim.pieces) for claim in report.claims)
    assert report.claims[0].checked > 1000
    assert {control.state for control in report.controls} == {"holds", "tested"}
    assert all(control.without.line for control in report.controls)
    assert len(report.tripwires) == len(TRIPWIRES)
    assert report.drill is None
    assert report.origin.versions["sequester"]
    assert [one.source for one in report.quiet] == ["pods of research-sandbox"]


def test_no_flow_begins_in_a_sandbox_pod(made: tuple[Report, Model]) -> None:
    report, _ = made
    assert [flow for flow in report.flows if "research-sandbox" in flow.source] == []
    outside = {flow.source: flow.target for flow in report.flows if flow.leaves}
    assert outside["door sequester-door-research"] == "api.github.com (GET)"
    assert all("gateway endpoint" in to for source, to in outside.items() if source.startswith("node group"))


def test_what_stands_outside_of_the_vpc_is_shown_with_what_bounds_it(made: tuple[Report, Model]) -> None:
    report, model = made
    beyond = {flow.source: flow for flow in report.flows if flow.outside}
    assert set(beyond) == {"door sequester-door-research", "function sequester-responder"}
    responder = beyond["function sequester-responder"]
    assert {"ec2", "iam", "lambda", "logs", "s3"} <= set(responder.target.removeprefix("AWS's APIs: ").split(", "))
    assert "no network filter" in responder.by
    inside = {key: replace(one, in_vpc=True) for key, one in model.functions.items()}
    within = flows(replace(model, functions=inside), Selector())
    assert not any(flow.source == responder.source and flow.outside for flow in within), (
        "in a VPC its security group bounds it"
    )


def test_a_viewer_is_shown_where_there_is_one(made: tuple[Report, Model]) -> None:
    plain, model = made
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    viewer = {"public_key": pem, "writers": ["arn:aws:iam::123456789012:role/reports"]}
    settings = settings_of({**stack_config(SETTINGS_FILE), "sequester:viewer": viewer})
    seen = cast("Whole", SimpleNamespace(findings=list))
    shown = gather(settings, model, seen, (), "a test")
    assert set(shown.flows) - set(plain.flows) == set(VIEWER)
    assert "CloudFront, for the viewer" in page(shown, "")
    assert "CloudFront, for the viewer" not in page(plain, "")


_PORTS = (22, 53, 80, 123, 443, 8080, 10250)


def admitted(model: Model, source: Place, target: Place, protocol: int, port: int) -> bool:
    """One packet at a time, by the documents alone: any address of one to any of the other."""
    service = services(protocol, port, port)[0][0]
    network = Network(model)
    return any(
        lets(model, source, there, service, egress=True)
        and lets(model, target, here, service, egress=False)
        and (a == b or (first(model, a, there, service, egress=True) and first(model, b, here, service, egress=False)))
        for here, there in product(map(middle, network.addresses(source)), map(middle, network.addresses(target)))
        for a in source.subnets
        for b in target.subnets
        if inside(model, a, here) and inside(model, b, there)
    )


def middle(one: Prefix) -> int:
    return (one.low + one.end) // 2


def inside(model: Model, subnet: str, address: int) -> bool:
    return any(address in cidr for cidr in model.subnets[subnet].cidrs)


def lets(model: Model, place: Place, other: int, service: int, *, egress: bool) -> bool:
    for key in place.groups:
        for rule in model.groups[key].rules:
            peers = [rule.peer] if isinstance(rule.peer, Prefix) else []
            if not peers:
                members = [p for p in model.places.values() if rule.peer.id in p.groups]  # type: ignore[union-attr]
                peers = [cidr for member in members for cidr in Network(model).addresses(member)]
            here = rule.egress is egress and any(p.axis == "4" and other in p for p in peers)
            if here and any(low <= service < end for low, end in rule.services):
                return True
    return False


def first(model: Model, subnet: str, other: int, service: int, *, egress: bool) -> bool:
    acl: Nacl = model.nacls[model.subnets[subnet].acl]
    for rule in sorted(acl.rules, key=lambda r: r.number):
        here = rule.egress is egress and rule.peer.axis == "4" and other in rule.peer
        if here and any(low <= service < end for low, end in rule.services):
            return rule.allow
    return False


def test_flows_between_places_are_those_that_single_packets_find(made: tuple[Report, Model]) -> None:
    _, model = made
    told = {(flow.source, flow.target): flow.services for flow in flows(model, Selector())}
    seen = 0
    for source, target in product(model.places.values(), repeat=2):
        if source.kind == "endpoint":
            continue
        words = told.get((named(source), named(target)), "")
        for protocol, name in ((TCP, "tcp"), (UDP, "udp")):
            for port in _PORTS:
                expected = words == "everything" or f"{name} port {port}" in words.split(", ")
                assert admitted(model, source, target, protocol, port) == expected, (
                    source.name,
                    target.name,
                    name,
                    port,
                )
                seen += expected
    assert seen > 20


def test_a_rule_that_opens_something_is_a_flow_more(made: tuple[Report, Model]) -> None:
    _, model = made
    sandbox = next(place for place in model.places.values() if place.role == "sandbox")
    control = next(place for place in model.places.values() if place.kind == "control plane")
    ssh = services(TCP, 22, 22)
    groups = dict(model.groups)
    for key, egress in ((sandbox.groups[0], True), (control.groups[0], False)):
        group = groups[key]
        groups[key] = replace(group, rules=(*group.rules, SecurityRule("more", egress, prefix("10.0.0.0/8"), ssh)))
    before = set(flows(model, Selector()))
    opened = set(flows(replace(model, groups=groups), Selector())) - before
    assert not any("port 22" in flow.services for flow in opened), "the ACLs are a second layer"
    anything = tuple(NaclRule("all", 1, way, True, prefix("0.0.0.0/0"), EVERY_SERVICE) for way in (True, False))
    acls = {key: replace(acl, rules=anything) for key, acl in model.nacls.items()}
    opened = set(flows(replace(model, groups=groups, nacls=acls), Selector()))
    assert any(
        (flow.source, flow.target) == (named(sandbox), named(control)) and "port 22" in flow.services for flow in opened
    )


def test_a_policy_that_opens_something_is_a_flow_more(made: tuple[Report, Model]) -> None:
    _, model = made
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "more", "namespace": "research-sandbox"},
        "spec": {
            "podSelector": {},
            "policyTypes": ["Egress"],
            "egress": [{"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}], "ports": [{"protocol": "TCP", "port": 443}]}],
        },
    }
    opened = flows(replace(model, manifests=(*model.manifests, policy)), Selector())
    by = "policy research-sandbox/more egress[0]"
    assert Flow("pods of research-sandbox", "203.0.113.0 to 203.0.113.255", "tcp port 443", by) in opened


@pytest.mark.parametrize(
    ("peer", "said"),
    [
        ({"podSelector": {}}, "pods"),
        ({"podSelector": {"matchLabels": {"a": "b", "c": "d"}}}, "pods a=b,c=d"),
        ({"namespaceSelector": {}}, "pods of every namespace"),
        ({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "x"}}}, "pods of x"),
        ({"namespaceSelector": {"matchLabels": {"tier": "x"}}, "podSelector": {"matchLabels": {"a": "b"}}},
         "pods a=b of tier=x"),
        ({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}, "pods that the policy selects"),
        ({"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}},
         "pods of the namespaces that the policy selects"),
    ],
)  # fmt: skip
def test_pods_by_selectors_are_named_by_their_labels(
    made: tuple[Report, Model], peer: dict[str, object], said: str
) -> None:
    _, model = made
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "more", "namespace": "research-sandbox"},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [peer]}]},
    }
    opened = flows(replace(model, manifests=(*model.manifests, policy)), Selector())
    assert [flow.target for flow in opened if flow.source == "pods of research-sandbox"] == [said]
    assert opened == flows(replace(model, manifests=(policy, *model.manifests)), Selector())
