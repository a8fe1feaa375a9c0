"""Whose a record is: addresses change hands, and who may write into a log group may name others and many."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from quarantine import AUDIT, CONTAINERS, DOOR, FLOW, SHIPPED, World, supervisor_event, world
from sensor_records import flow

from lambda_responder import logs

SWEEP = {"sweep": True}
ALARM = "sequester-network-call-research"
SCANNED = "sequester-packet-left"


@pytest.fixture
def at() -> Iterator[World]:
    with world() as made:
        yield made


def reported(at: World, node: str, ip: str, seconds_before: float, namespace: str = "kube-system") -> None:
    """A kubelet says where a pod of the host's network is: so, what the node's own address is."""
    record = {
        "user": {"username": f"system:node:{node}"},
        "objectRef": {"resource": "pods", "subresource": "status", "namespace": namespace, "name": "aws-node-1"},
        "requestObject": {"status": {"hostIP": ip, "podIP": ip}},
    }
    at.write(AUDIT, record, at.now - seconds_before)


def scan_from(at: World, address: str, when: float) -> dict[str, Any]:
    at.write(FLOW, flow(action="REJECT", flow_direction="ingress", srcaddr=address), when)
    return at.alarm(SCANNED)


def subjects(at: World) -> list[str]:
    return [subject for record in at.chain if record["kind"] == "incident" for subject in record["subjects"]]


def described(at: World, instance: str) -> dict[str, Any]:
    found: Any = at.cloud.client("ec2").describe_instances(InstanceIds=[instance])
    return found["Reservations"][0]["Instances"][0]


def test_a_machine_that_has_the_address_of_one_that_is_gone_is_left_alone(at: World) -> None:
    later = at.node()
    at.responder().handle(scan_from(at, described(at, later)["PrivateIpAddress"], at.now - 120))
    assert at.done() == []
    assert described(at, later)["State"]["Name"] == "running"
    assert ("sns", "Publish") in at.calls, "a person has to look"


def test_a_machine_that_had_it_already_is_not(at: World) -> None:
    then = at.node()
    at.responder().handle(scan_from(at, described(at, then)["PrivateIpAddress"], time.time() + 2))
    assert described(at, then)["State"]["Name"] == "terminated"


def test_the_audit_log_says_whose_the_address_was_and_is_believed_before_the_present(at: World) -> None:
    then, now = described(at, at.node()), described(at, at.node())
    reported(at, then["PrivateDnsName"], now["PrivateIpAddress"], 3600)
    at.responder().handle(scan_from(at, now["PrivateIpAddress"], time.time() + 2))
    assert described(at, then["InstanceId"])["State"]["Name"] == "terminated"
    assert described(at, now["InstanceId"])["State"]["Name"] == "running"


def test_who_of_two_nodes_it_was_is_not_guessed(at: World) -> None:
    one, other = described(at, at.node()), described(at, at.node())
    reported(at, one["PrivateDnsName"], "10.42.0.77", 40)
    reported(at, other["PrivateDnsName"], "10.42.0.77", 20)
    at.responder().handle(scan_from(at, "10.42.0.77", at.now))
    assert subjects(at) == []
    assert ("sns", "Publish") in at.calls


def accuse(at: World, pod: str, streams: str = "") -> None:
    at.write(CONTAINERS, supervisor_event("research-sandbox", pod), streams=streams or None)


def test_a_pod_is_accused_in_a_stream_of_its_own_node_only(at: World) -> None:
    at.kubernetes.add_pod("research-sandbox", "elsewhere", node="ip-10-42-0-10.ec2.internal")
    at.kubernetes.add_pod("research-sandbox", "here")
    accuse(at, "elsewhere")
    accuse(at, "here")
    at.responder().handle(at.alarm(ALARM))
    assert [path.rpartition("/")[2] for path in at.kubernetes.objects] == ["elsewhere"]
    assert ("sns", "Publish") in at.calls, "somebody forges"


def test_a_pod_of_no_node_yet_and_one_of_a_node_named_alike_are_not_accused(at: World) -> None:
    at.kubernetes.add_pod("research-sandbox", "x", node="ip-10-42-0-9.ec2")
    at.kubernetes.add_pod("research-sandbox", "unbound", node="")
    accuse(at, "x")
    accuse(at, "unbound")
    at.responder().handle(at.alarm(ALARM))
    assert at.done() == []


def test_a_forged_record_does_not_hide_the_true_one(at: World) -> None:
    at.kubernetes.add_pod("research-sandbox", "run-1", node="ip-10-42-0-10.ec2.internal")
    accuse(at, "run-1")
    logs_of = at.cloud.client("logs")
    stream = f"{SHIPPED}ip-10-42-0-10.ec2.internal-x"
    logs_of.create_log_stream(logGroupName=CONTAINERS, logStreamName=stream)
    at.responder().handle(at.alarm(ALARM))
    assert at.done() == []
    accused = supervisor_event("research-sandbox", "run-1")
    at.write_to(CONTAINERS, stream, accused)
    at.responder().handle(SWEEP)
    assert at.done() == ["delete_pod"]


def test_pods_that_are_not_there_take_nothing_from_the_hours_limit(at: World) -> None:
    for number in range(10):
        accuse(at, f"made-up-{number}")
    at.kubernetes.add_pod("research-sandbox", "run-1")
    accuse(at, "run-1")
    at.responder(actions_per_hour=2).handle(at.alarm(ALARM))
    assert at.done() == ["delete_pod"]


def test_who_names_very_many_keeps_nobody_busy_for_long_and_it_is_said(
    at: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MOST_SUBJECTS", 5)
    for number in range(30):
        accuse(at, f"made-up-{number}")
    at.responder().handle(at.alarm(ALARM))
    assert len(at.kubernetes.calls) == 5
    assert ("sns", "Publish") in at.calls


def test_an_alarm_that_comes_and_goes_does_not_use_up_the_hour(at: World) -> None:
    """Of one tenant's own making: what another's needs is left."""
    responder = at.responder(actions_per_hour=6)
    for _ in range(4):
        at.write(DOOR.format("research"), {"event": "fetch", "tenant": "research", "verdict": "denied"})
        responder.handle(at.alarm("sequester-door-secret-research"))
        at.alarm("sequester-door-secret-research", state="OK")
    assert len({record["incident"] for record in at.chain if record["kind"] == "incident"}) == 4
    at.write(DOOR.format("support"), {"event": "fetch", "tenant": "support", "verdict": "denied"})
    responder.handle(at.alarm("sequester-door-secret-support"))
    assert at.halted("support")
    assert at.revoked("support")
    assert not [record for record in at.chain if record["kind"] == "limit"]
