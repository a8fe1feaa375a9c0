"""Claim E8: what sandboxes try leaves the node, and a function answers every alarm; a link that is gone is named."""

from collections.abc import Callable
from typing import Any

import pytest
from proof_world import World

from sequester.proof.prove import prove
from sequester.proof.verdict import Escapes, Proved, Verdict

Break = Callable[[World], World]
RESPONDER = "sequester-responder"
ALARMS = "arn:aws:sns:us-east-1:123456789012:sequester-alarms"


def decided(world: World) -> Verdict:
    return prove(world.model(), ["E8"])["E8"]


def test_the_blueprint_is_proved(world: World) -> None:
    verdict = decided(world)
    assert isinstance(verdict, Proved), verdict


def _stopped_shipper(manifest: dict[str, Any]) -> None:
    manifest["spec"]["template"]["spec"]["tolerations"] = []


def _silent_shipper(manifest: dict[str, Any]) -> None:
    text = manifest["data"]["fluent-bit.conf"]
    manifest["data"]["fluent-bit.conf"] = text.replace("log_group_name", "# log_group_name")


def _elsewhere(manifest: dict[str, Any]) -> None:
    text = manifest["data"]["fluent-bit.conf"]
    manifest["data"]["fluent-bit.conf"] = text.replace("/sequester/sequester/containers", "/somewhere/else")


SHIPPER = ("log-shipper", "sequester-system")
BREAKS: dict[str, tuple[Break, str]] = {
    "no subscription": (
        lambda w: w.without("TopicSubscription", RESPONDER),
        "nobody is subscribed to its topic",
    ),
    "people only": (
        lambda w: w.set("TopicSubscription", RESPONDER, protocol="email", endpoint="security@example.com"),
        "email is subscribed to its topic",
    ),
    "another topic": (
        lambda w: w.set("TopicSubscription", RESPONDER, topic=f"{ALARMS}-old"),
        "nobody is subscribed to its topic",
    ),
    "a function that is not there": (
        lambda w: w.without("lambda/function:Function", RESPONDER),
        "is not there, may not run, or does not let the topic in",
    ),
    "a function that may not run": (
        lambda w: w.set("lambda/function:Function", RESPONDER, reservedConcurrentExecutions=0),
        "is not there, may not run, or does not let the topic in",
    ),
    "a function that does not let the topic in": (
        lambda w: w.without("lambda/permission:Permission", f"{RESPONDER}-alarms"),
        "is not there, may not run, or does not let the topic in",
    ),
    "no log shipper": (lambda w: w.unapply("DaemonSet", *SHIPPER), "is not there"),
    "a log shipper that sandbox nodes repel": (
        lambda w: w.edit("DaemonSet", *SHIPPER, _stopped_shipper),
        "it is not on nodes with the taint sequester.dev/sandbox",
    ),
    "a log shipper that ships nowhere": (
        lambda w: w.edit("ConfigMap", *SHIPPER, _silent_shipper),
        "its configuration names no log group",
    ),
    "a log shipper that ships elsewhere": (
        lambda w: w.edit("ConfigMap", *SHIPPER, _elsewhere),
        "ships to /somewhere/else, where no filter looks",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_link_that_is_gone_is_found(world: World, name: str) -> None:
    edit, said = BREAKS[name]
    verdict = decided(edit(world))
    assert isinstance(verdict, Escapes), verdict
    assert said in " ".join(hop.how for hop in verdict.witness.hops), verdict.witness


def test_an_alarm_may_call_the_function_itself(world: World) -> None:
    arn = world.one("lambda/function:Function", RESPONDER).properties["arn"]
    direct = world.without("TopicSubscription", RESPONDER).set_all("MetricAlarm", alarmActions=[arn])
    assert isinstance(decided(direct), Escapes), "it does not let CloudWatch in"
    let_in = direct.with_(
        "lambda/permission:Permission",
        "direct",
        function=RESPONDER,
        principal="lambda.alarms.cloudwatch.amazonaws.com",
        action="lambda:InvokeFunction",
    )
    assert isinstance(decided(let_in), Proved)
