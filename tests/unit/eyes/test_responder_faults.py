"""Whichever call fails: nothing is done before evidence is kept, it is said, and the next look makes it good."""

from collections.abc import Callable
from typing import Any

import pytest
from quarantine import CONTAINERS, DOOR, FLOW, World, supervisor_event, world
from sensor_records import flow

from lambda_responder.outside import UnfinishedError

SWEEP = {"sweep": True}
ACTS = {"UpdateItem halted", "AttachRolePolicy", "DeletePodIdentityAssociation", "CreateSnapshots"} | {
    "ModifyNetworkInterfaceAttribute",
    "TerminateInstances",
}
DONE = {
    "sandbox": ["delete_pod"],
    "door": ["close_door", "delete_association", "revoke_sessions"],
    "node": ["cordon", "cut_off", "snapshot", "terminate"],
}


def sandbox(at: World) -> dict[str, Any]:
    at.kubernetes.add_pod("research-sandbox", "run-1")
    at.write(CONTAINERS, supervisor_event("research-sandbox", "run-1"))
    return at.alarm("sequester-network-call-research")


def door(at: World) -> dict[str, Any]:
    at.write(DOOR.format("research"), {"event": "fetch", "tenant": "research", "verdict": "denied"})
    return at.alarm("sequester-door-secret-research")


def node(at: World) -> dict[str, Any]:
    at.write(FLOW, flow(instance_id=at.node()))
    return at.alarm("sequester-packet-left")


SCENES: dict[str, Callable[[World], dict[str, Any]]] = {"sandbox": sandbox, "door": door, "node": node}


def _acts(at: World) -> list[int]:
    """Where, in the order of calls, something was changed that is nobody's record."""
    return [
        number
        for number, (_, operation, asked) in enumerate(at.asked)
        if operation in ACTS or (operation == "UpdateItem" and "halted" in str(asked.get("UpdateExpression")))
    ]


def calls_of(scene: str) -> int:
    with world() as at:
        event = SCENES[scene](at)
        at.calls.clear()
        at.responder().handle(event)
        return len(at.calls)


@pytest.mark.parametrize(("scene", "lasting"), [*((scene, False) for scene in SCENES), ("door", True)])
def test_any_call_may_fail(scene: str, lasting: bool) -> None:
    """Each call in turn, once or from then on; afterwards the clock asks again."""
    for number in range(1, calls_of(scene) + 1):
        with world() as at:
            event = SCENES[scene](at)
            at.asked.clear()
            counted = 0

            def fails(_service: str, _operation: str, number: int = number) -> bool:
                nonlocal counted
                counted += 1
                return counted == number or (lasting and counted > number)

            at.fault = fails
            try:
                at.responder().handle(event)
                quiet = True
            except Exception:  # noqa: BLE001, Lambda reports and delivers again whatever is raised
                quiet = False
            at.fault = lambda *_: False
            where = f"{scene}: call {number} ({at.asked[number - 1][:2]})"
            acted = sorted(at.done()) == DONE[scene]
            assert acted or not quiet, f"{where}: half done, and nothing said"
            kept = [n for n, (_, op, asked) in enumerate(at.asked) if op == "PutObject" and "evidence/" in asked["Key"]]
            if acts := _acts(at):
                assert kept, f"{where}: done without evidence"
                assert kept[0] < acts[0], f"{where}: done before evidence"
            at.responder().handle(SWEEP)
            assert set(at.done()) == set(DONE[scene]), f"{where}: not made good"
            before = at.done()
            at.responder().handle(SWEEP)
            assert at.done() == before, f"{where}: done again"


@pytest.mark.parametrize("status", [403, 409, 500, 503])
@pytest.mark.parametrize("nth", [1, 2, 3, 4, 5])
def test_any_answer_of_the_api_server_may_be_a_failure(nth: int, status: int) -> None:
    with world() as at:
        event = sandbox(at)
        at.kubernetes.fails = {nth: status}
        try:
            at.responder().handle(event)
        except UnfinishedError:
            at.responder().handle(SWEEP)
        assert at.kubernetes.objects == {}
        assert set(at.done()) == {"delete_pod"}
