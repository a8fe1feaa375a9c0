"""Quarantine acts on who did it and on nobody else: evidence first, once, within bounds, in the open."""

import hashlib
import json
from collections.abc import Iterator

import pytest
from quarantine import (
    AUDIT,
    BUCKET,
    CONTAINERS,
    DOOR,
    FLOW,
    LEVELS,
    TABLE,
    TOPIC,
    World,
    notice,
    supervisor_event,
    world,
)
from sensor_records import flow

from lambda_responder import ledger
from lambda_responder.config import Level
from lambda_responder.ledger import CHAIN, Ledger
from lambda_responder.outside import UnfinishedError


@pytest.fixture
def at() -> Iterator[World]:
    with world() as made:
        yield made


def attempt_in_sandbox(at: World, tenant: str = "research", pod: str = "run-1") -> dict[str, object]:
    at.kubernetes.add_pod(f"{tenant}-sandbox", pod)
    at.write(CONTAINERS, supervisor_event(f"{tenant}-sandbox", pod))
    return at.alarm(f"sequester-network-call-{tenant}")


def attempt_by_node(at: World, instance: str) -> dict[str, object]:
    at.write(FLOW, flow(instance_id=instance, dstaddr="192.0.2.1", traffic_path="8"))
    return at.alarm("sequester-packet-left")


def test_a_sandbox_that_tried_is_deleted_and_its_tenant_goes_on_working(at: World) -> None:
    at.responder().handle(attempt_in_sandbox(at))
    assert at.done() == ["delete_pod"]
    assert at.kubernetes.objects == {}
    assert not at.halted("research")


def test_a_secret_on_its_way_out_closes_the_door_and_ends_the_sessions(at: World) -> None:
    at.write(DOOR.format("research"), {"event": "fetch", "tenant": "research", "verdict": "denied"})
    at.responder().handle(at.alarm("sequester-door-secret-research"))
    assert at.done() == ["close_door", "revoke_sessions", "delete_association"]
    assert at.halted("research")
    assert at.revoked("research")
    eks = at.cloud.client("eks")
    left = [a["namespace"] for a in eks.list_pod_identity_associations(clusterName="sequester")["associations"]]
    assert left == ["support-agent"]
    assert not at.halted("support")
    assert not at.revoked("support")


@pytest.mark.parametrize(
    ("level", "acts"),
    list(zip(LEVELS, ([], ["cordon"], ["cordon", "cut_off", "snapshot", "terminate"]), strict=True)),
)
def test_a_node_by_level(at: World, level: Level, acts: list[str]) -> None:
    instance = at.node()
    at.responder(level=level).handle(attempt_by_node(at, instance))
    assert at.done() == acts
    found = at.cloud.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert (found["State"]["Name"] == "terminated") == ("terminate" in acts)
    cut = [call for call in at.calls if call == ("ec2", "ModifyNetworkInterfaceAttribute")]
    assert len(cut) == (2 if "cut_off" in acts else 0), "every interface of the node"


def test_evidence_is_kept_before_the_first_act(at: World) -> None:
    instance = at.node()
    at.responder().handle(attempt_by_node(at, instance))
    order = [operation for _, operation in at.calls]
    acts = ["ModifyNetworkInterfaceAttribute", "CreateSnapshots", "TerminateInstances"]
    assert order.index("PutObject") < min(order.index(act) for act in acts)
    assert order.index("CreateSnapshots") < order.index("TerminateInstances")
    kept = at.objects("evidence/")
    assert any(instance in json.dumps(each) for each in kept)


def test_the_pod_is_read_before_it_is_deleted(at: World) -> None:
    at.responder().handle(attempt_in_sandbox(at))
    pod = "/api/v1/namespaces/research-sandbox/pods/run-1"
    assert [call for call in at.kubernetes.calls if call[1] == pod] == [
        ("GET", pod),  # is it of the node that accuses it?
        ("GET", pod),
        ("PATCH", pod),
        ("DELETE", pod),
    ]


def test_the_chain_holds(at: World) -> None:
    at.responder().handle(attempt_in_sandbox(at))
    s3, previous = at.cloud.client("s3"), "0" * 64
    for number, record in enumerate(at.chain, start=1):
        assert (record["seq"], record["prev"]) == (number, previous)
        body = s3.get_object(Bucket=BUCKET, Key=f"audit/{CHAIN}/{number:016d}.json")["Body"].read()
        previous = hashlib.sha256(body).hexdigest()
    assert len(at.chain) == 3  # the incident, the action, its outcome


def test_the_same_alarm_again_does_nothing_more(at: World) -> None:
    event = attempt_in_sandbox(at)
    first = at.responder().handle(event)
    before = at.chain
    assert at.responder().handle(event) == first
    assert at.chain == before


def test_two_hundred_alarms_at_once_stay_within_the_limit_and_page(at: World) -> None:
    for number in range(20):
        at.kubernetes.add_pod("research-sandbox", f"run-{number}")
        at.write(CONTAINERS, supervisor_event("research-sandbox", f"run-{number}"))
    event = at.alarm("sequester-network-call-research")
    responder = at.responder(actions_per_hour=5)
    for _ in range(200):
        responder.handle(event)
    assert len(at.done()) == 5
    assert len(at.kubernetes.objects) == 15
    assert sum(record["kind"] == "limit" for record in at.chain) == 15
    assert at.calls.count(("sns", "Publish")) == 1, "people are told once, not fifteen times"


def test_each_hour_has_its_own_limit_and_a_step_costs_once_in_it(at: World) -> None:
    now = [0.0]
    made = Ledger(at.client("s3"), at.client("dynamodb"), BUCKET, TABLE, lambda: now[0])
    assert [made.within_limit(1, step) for step in ("one", "one", "two")] == [True, True, False]
    now[0] += ledger.HOUR_SECONDS
    assert [made.within_limit(1, step) for step in ("two", "one", "two")] == [True, False, True]


def test_dry_run_says_and_does_nothing(at: World) -> None:
    at.responder(dry_run=True).handle(attempt_in_sandbox(at))
    assert [record["kind"] for record in at.chain] == ["incident", "dry run"]
    assert len(at.kubernetes.objects) == 1
    assert at.objects("evidence/")


def test_a_row_that_only_observes_stays_so_under_any_setting(at: World) -> None:
    at.kubernetes.add_pod("research-sandbox", "run-1")
    at.write(CONTAINERS, supervisor_event("research-sandbox", "run-1", "memory_growth"))
    at.responder(level="isolate").handle(at.alarm("sequester-memory-growth-research"))
    assert at.done() == []
    assert at.objects("evidence/")


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Records": []},
        {"Records": [{"Sns": {"TopicArn": "arn:aws:sns:us-east-1:999999999999:x", "Message": "{}"}}]},
        notice("sequester-network-call-research", topic="arn:aws:sns:us-east-1:999999999999:sequester-alarms"),
        notice("no-such-alarm"),
        {
            "Records": [
                {"Sns": {"TopicArn": "arn:aws:sns:us-east-1:123456789012:sequester-alarms", "Message": "not json"}}
            ]
        },
        {"Records": [{"Sns": {"TopicArn": TOPIC, "Message": "[1]"}}]},
    ],
)
def test_a_forged_message_does_nothing(at: World, event: dict[str, object]) -> None:
    attempt_in_sandbox(at)
    assert at.responder().handle(event) == {"incidents": []}
    assert at.chain == []


def test_a_message_that_cloudwatch_does_not_confirm_does_nothing(at: World) -> None:
    attempt_in_sandbox(at)
    at.alarm("sequester-network-call-research", state="OK")
    assert at.responder().handle(notice("sequester-network-call-research")) == {"incidents": []}
    assert at.chain == []


@pytest.mark.parametrize(
    "record",
    [
        supervisor_event("support-sandbox", "run-1"),  # another tenant's namespace in this tenant's alarm
        supervisor_event("kube-system", "coredns"),
        supervisor_event("research-sandbox-x", "run-1"),
        supervisor_event("research-sandbox", "../../nodes/n"),
        supervisor_event("research-sandbox", "run-1?x=%2f"),
        supervisor_event("research-sandbox", "run-1\nrun-2"),
        {"event": {"kind": "network"}, "kubernetes": "research-sandbox"},
        {"event": {"kind": "network"}, "kubernetes": {"namespace_name": ["research-sandbox"], "pod_name": 1}},
    ],
)
def test_a_crafted_record_touches_nobody(at: World, record: dict[str, object]) -> None:
    for namespace, pod in (("support-sandbox", "run-1"), ("kube-system", "coredns"), ("research-sandbox", "run-2")):
        at.kubernetes.add_pod(namespace, pod)
    at.write(CONTAINERS, record)
    at.responder().handle(at.alarm("sequester-network-call-research"))
    assert at.done() == []
    assert len(at.kubernetes.objects) == 3


@pytest.mark.parametrize("instance", ["i-0", "i-0123456789abcdef0", "-", "i-0 OR 1=1"])
def test_a_crafted_flow_record_touches_no_instance(at: World, instance: str) -> None:
    at.node()
    at.responder().handle(attempt_by_node(at, instance))
    assert at.done() == []


def test_system_nodes_and_named_instances_are_left_to_a_person(at: World) -> None:
    system, spared = at.node("sequester-system"), at.node()
    responder = at.responder(never_touch=frozenset({spared}))
    attempt_by_node(at, system)
    responder.handle(attempt_by_node(at, spared))
    assert at.done() == []
    assert {record["outcome"] for record in at.chain if record["kind"] == "outcome"} == {"refused"}
    assert ("sns", "Publish") in at.calls


def test_what_cannot_be_done_is_said_and_the_rest_is_done(at: World) -> None:
    at.write(DOOR.format("research"), {"event": "fetch", "tenant": "research", "verdict": "denied"})
    at.fault = lambda service, _: service == "iam"
    with pytest.raises(UnfinishedError, match="revoke_sessions"):
        at.responder().handle(at.alarm("sequester-door-secret-research"))
    assert at.done() == ["close_door", "delete_association"]
    assert [record["act"] for record in at.chain if record.get("outcome") == "failed"] == ["revoke_sessions"]


def policy_denied(at: World, address: str) -> dict[str, object]:
    at.write(
        AUDIT, f"Node: ip-10-42-0-9;SIP: {address};SPORT: 5;DIP: 192.0.2.1;DPORT: 53;PROTOCOL: UDP;PolicyVerdict: DENY"
    )
    return at.alarm("sequester-policy-denied")


def pod_had(at: World, address: str, namespace: str, pod: str, seconds_before: float) -> None:
    at.kubernetes.add_pod(namespace, pod)
    at.write(
        AUDIT,
        {
            "kind": "Event",
            "user": {"username": "system:node:ip-10-42-0-9"},
            "objectRef": {"resource": "pods", "subresource": "status", "namespace": namespace, "name": pod},
            "requestObject": {"status": {"podIP": address}},
        },
        at.now - seconds_before,
    )


def test_the_pod_behind_an_address_is_found_in_the_audit_log(at: World) -> None:
    pod_had(at, "10.42.0.77", "support-sandbox", "yesterday", 7200)
    pod_had(at, "10.42.0.77", "research-sandbox", "today", 600)
    pod_had(at, "10.42.0.78", "research-sandbox", "neighbour", 600)
    at.responder().handle(policy_denied(at, "10.42.0.77"))
    assert sorted(path.rpartition("/")[2] for path in at.kubernetes.objects) == ["neighbour", "yesterday"]


def test_an_address_that_just_changed_hands_deletes_no_pod(at: World) -> None:
    pod_had(at, "10.42.0.77", "support-sandbox", "before", 65)
    pod_had(at, "10.42.0.77", "support-sandbox", "before", 20)
    pod_had(at, "10.42.0.77", "research-sandbox", "after", 10)
    at.responder().handle(policy_denied(at, "10.42.0.77"))
    assert len(at.kubernetes.objects) == 2
