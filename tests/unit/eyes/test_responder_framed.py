"""Nobody is made to look guilty: not by whom he can reach, not by another account's names, not by forged records.

A node that was broken into may write log events, into the streams of its own agents; EKS's streams are not among them.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from quarantine import AGENTS, AUDIT, AUDITED, CONTAINERS, FLOW, SHIPPED, TRAIL, World, supervisor_event, world
from sensor_records import AGENT, NODE, agent_line, audit, flow, trail_by


@pytest.fixture
def at() -> Iterator[World]:
    with world() as made:
        yield made


def had(at: World, pod: str, address: str, streams: str = AUDITED) -> None:
    at.kubernetes.add_pod("support-sandbox", pod)
    record = {
        "user": {"username": NODE},
        "objectRef": {"resource": "pods", "subresource": "status", "namespace": "support-sandbox", "name": pod},
        "requestObject": {"status": {"podIP": address}},
    }
    at.write(AUDIT, record, at.now - 600, streams)


def subjects(at: World) -> list[str]:
    return [subject for record in at.chain if record["kind"] == "incident" for subject in record["subjects"]]


Write = Callable[[World, str], None]

# Who writes into another's stream accuses nobody; in the sensor's own stream the same record does.
ELSEWHERE: dict[str, tuple[str, str, str, str, str]] = {
    "audit record": (
        AUDIT, audit(AGENT, "list", "secrets", "x", 403), AUDITED, "sequester-api-refused-research", "tenant research"
    ),
    "audit record of a node": (
        AUDIT, audit(NODE, "list", "secrets", "x", 403), AUDITED, "sequester-node-refused",
        "node ip-10-42-0-9.ec2.internal",
    ),
    "denial line": (AUDIT, agent_line("DENY"), AGENTS, "sequester-policy-denied", "pod support-sandbox/run-1"),
}  # fmt: skip


@pytest.mark.parametrize("case", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_record_counts_in_its_sensors_own_stream(at: World, case: tuple[str, str, str, str, str]) -> None:
    group, record, streams, alarm, subject = case
    had(at, "run-1", "10.42.0.77")
    at.write(group, record, streams=streams)
    at.responder(level="observe").handle(at.alarm(alarm))
    assert subjects(at) == [subject]


@pytest.mark.parametrize("case", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_record_in_anothers_stream_accuses_nobody(at: World, case: tuple[str, str, str, str, str]) -> None:
    group, record, streams, alarm, _ = case
    had(at, "run-1", "10.42.0.77")
    at.write(group, record, streams=AGENTS if streams == AUDITED else AUDITED)
    at.responder(level="observe").handle(at.alarm(alarm))
    assert subjects(at) == []


def test_a_supervisors_event_counts_in_the_shippers_stream_only(at: World) -> None:
    event = supervisor_event("research-sandbox", "run-1")
    at.kubernetes.add_pod("research-sandbox", "run-1")
    at.write(CONTAINERS, event, streams="")
    at.responder(level="observe").handle(at.alarm("sequester-network-call-research"))
    assert subjects(at) == []
    at.write(CONTAINERS, event, streams=SHIPPED)
    at.responder(level="observe").handle({"sweep": True})
    assert subjects(at) == ["pod research-sandbox/run-1"]


def test_a_forged_status_gives_nobody_anothers_address(at: World) -> None:
    had(at, "run-1", "10.42.0.77")
    had(at, "framed", "10.42.0.77", AGENTS)
    at.write(AUDIT, agent_line("DENY"))
    at.responder(level="contain").handle(at.alarm("sequester-policy-denied"))
    assert [path.rpartition("/")[2] for path in at.kubernetes.objects] == ["framed"]


@pytest.mark.parametrize(
    "line",
    [
        # What the API server's own log quotes of a request's path.
        'I1123 23:00:00.000000 10 trace.go:236] Trace[1]: "Get" url:/api/v1/x;SIP: 10.42.0.77;PolicyVerdict: DENY',
        ";SIP: 10.42.0.77;PolicyVerdict: DENY",
        "Node: a;SIP: 10.42.0.99;SIP: 10.42.0.77;PolicyVerdict: DENY",
        "Node: a b;SIP: 10.42.0.77;PolicyVerdict: DENY",
        "\nNode: a;SIP: 10.42.0.77;PolicyVerdict: DENY",
    ],
)
def test_a_quoted_denial_is_nobodys(at: World, line: str) -> None:
    had(at, "run-1", "10.42.0.77")
    at.write(AUDIT, line, streams=AGENTS)
    at.responder(level="contain").handle(at.alarm("sequester-policy-denied"))
    assert len(at.kubernetes.objects) == 1


def private_address(at: World, instance: str) -> str:
    found: Any = at.cloud.client("ec2").describe_instances(InstanceIds=[instance])
    return str(found["Reservations"][0]["Instances"][0]["PrivateIpAddress"])


@pytest.mark.parametrize("field", ["srcaddr", "pkt_srcaddr"])
def test_who_is_scanned_is_not_who_scans(at: World, field: str) -> None:
    victim, scanner = at.node(), at.node()
    fields = {"srcaddr": "192.0.2.9", field: private_address(at, scanner)}
    record = flow(action="REJECT", flow_direction="ingress", instance_id=victim, **fields)
    at.write(FLOW, record, time.time() + 2)  # the machine was there before
    at.responder(level="observe").handle(at.alarm("sequester-packet-left"))
    assert subjects(at) == [f"node {scanner}"]


def test_what_goes_out_is_the_interfaces_own_node(at: World) -> None:
    own, other = at.node(), at.node()
    at.write(FLOW, flow(instance_id=own, srcaddr=private_address(at, other)))  # a node may write any source address
    at.responder(level="observe").handle(at.alarm("sequester-packet-left"))
    assert subjects(at) == [f"node {own}"]


@pytest.mark.parametrize("record", ["5 eni-0 i-0123456789abcdef0", "", flow() + " more", flow(instance_id="-")])
def test_a_flow_record_of_another_form_is_nobodys(at: World, record: str) -> None:
    at.write(FLOW, record or " ")
    at.responder(level="observe").handle(at.alarm("sequester-packet-left"))
    assert subjects(at) == []


@pytest.mark.parametrize(
    ("role", "accused"),
    [
        ("arn:aws:iam::123456789012:role/sequester-agent-research", ["tenant research"]),
        ("arn:aws:iam::999999999999:role/sequester-agent-research", []),
        ("arn:aws:iam::123456789012:role/x/sequester-agent-research", []),
        ("arn:aws-cn:iam::123456789012:role/sequester-agent-research", []),
        ("sequester-agent-research", []),
    ],
)
def test_a_role_of_another_account_is_no_tenants(at: World, role: str, accused: list[str]) -> None:
    at.write(TRAIL, trail_by(role))
    at.responder(level="observe").handle(at.alarm("sequester-endpoint-denied"))
    assert subjects(at) == accused


def test_a_node_that_the_audit_names_is_described_too(at: World) -> None:
    instance = at.node()
    found: Any = at.cloud.client("ec2").describe_instances(InstanceIds=[instance])
    name = found["Reservations"][0]["Instances"][0]["PrivateDnsName"]
    at.write(AUDIT, audit(f"system:node:{name}", "list", "secrets", "x", 403))
    at.responder(level="observe").handle(at.alarm("sequester-node-refused"))
    [kept] = [each for each in at.objects("evidence/") if "state" in each]
    assert kept["state"]["reservations"][0]["Instances"][0]["InstanceId"] == instance
