"""Whole chains on real parts: they hold, and where one part is dead the result says which link broke, and why.

The sensors' records, filters, alarms, the responder with the rights that the blueprint grants it, a real API server,
the deployed doors behind the lab's Lambda endpoint, and the quarantine as the lab's network then holds it.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial

import pytest
from lab_facts import CONFIG, NAMES, TENANTS

from lambda_responder.inside import api
from sequester.cloud import executables
from sequester.cloud.control_plane import EXECUTABLES
from sequester.drill import chains
from sequester.drill.chains import LINKS, Steps, links
from sequester.drill.everything import Everything, everything
from sequester.drill.eyes import ROWS
from sequester.drill.outcome import Link
from sequester.eyes.records import SensorRecord

pytestmark = [
    pytest.mark.lane("kernel", "root", "nft", "ip", *EXECUTABLES),
    pytest.mark.xdist_group("lab"),
]

ISOLATE = {"sequester:tripwires": {"response": "isolate"}}
ALLOWED, OTHER = "https://api.github.com/repos/x/y", "https://api.github.com/user"


def test_every_chain_holds_and_its_steps_are_told() -> None:
    told: list[str] = []
    found = chains.chains(CONFIG, told.append)
    assert [chain.id for chain in found] == list(chains.TITLES)
    for chain in found:
        assert [(link.name, link.state) for link in chain.links] == [(name, "held") for name in LINKS], chain
        assert any(chain.title in line for line in told)
    said = {(chain.id, link.name): link.said for chain in found for link in chain.links}
    assert "delete pod (pod research-agent/agent-1)" in said["pod", "answered"]
    assert said["pod", "spared"] == "still reach it: support-agent"
    assert "terminate" in said["node", "answered"]
    assert said["door", "quarantined"] == "the same fetch now: door.halted"


def test_what_is_missing_is_said_and_nothing_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executables, "find", lambda _: None)
    found = chains.chains(CONFIG, print)
    assert [chain.id for chain in found] == list(chains.TITLES)
    assert all("etcd" in chain.not_run and not chain.links for chain in found)


@pytest.fixture(scope="module")
def all_() -> Generator[Everything]:
    with everything(CONFIG | ISOLATE, print) as made:
        yield made


def test_the_deployed_doors_answer_the_agents_pods(all_: Everything) -> None:
    assert all_.fetch("research", ALLOWED) == "200"
    assert all_.fetch("research", OTHER) == "allow.path"


@dataclass(frozen=True)
class Fault:
    """What is dead, which chain is followed then, at which link it breaks, and what is said of it."""

    name: str
    kill: Callable[[Everything, pytest.MonkeyPatch], None]
    chain: Callable[[Everything], Steps]
    link: str
    says: str


def no_sensor(all_: Everything, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(all_.world, "records", lambda _since: [])


def late(_: Everything, patch: pytest.MonkeyPatch) -> None:
    worst = ROWS["policy-denied"].worst_seconds
    assert worst
    # By half a second: later, it would be out of the alarm's window, and no alarm at all.
    patch.setattr(SensorRecord, "arrives", property(lambda record: record.at + worst + 0.5))


def nobody_had_it(_: Everything, patch: pytest.MonkeyPatch) -> None:
    """The audit log does not say whose address it was: who might be anybody is not acted on."""
    patch.setattr(Everything, "history", lambda _: [])


def no_rights(all_: Everything, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(all_, "responder", api(all_.plane.server, all_.plane.admin.ca_pem, lambda: "nobody"))


def no_alarm(all_: Everything, _: pytest.MonkeyPatch) -> None:
    all_.here.cloud.client("cloudwatch").delete_alarms(AlarmNames=[f"{NAMES.name}-packet-rejected"])


def not_followed(_: Everything, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Everything, "follow_labels", lambda _: None)


def no_subscription(all_: Everything, _: pytest.MonkeyPatch) -> None:
    sns = all_.here.cloud.client("sns")
    for each in sns.list_subscriptions()["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=each["SubscriptionArn"])


def sent(_: Everything, patch: pytest.MonkeyPatch) -> None:
    """No layer refuses it: as far as the sender can tell, everything arrives."""
    patch.setattr(Everything, "connects", lambda *_: True)


POD = partial(chains.pod, tenant=TENANTS[0])
FAULTS = (
    Fault("nothing refuses", sent, POD, "stopped", "not so: its packet to 203.0.113.9 is refused"),
    Fault("the sensor is dead", no_sensor, POD, "recorded", "no record of the"),
    Fault("the record is late", late, POD, "alarm", "s are stated"),
    Fault("nobody had the address", nobody_had_it, POD, "answered", "not done: delete_pod"),
    Fault("the responder has no rights", no_rights, POD, "answered", "did not finish"),
    Fault("the alarm is gone", no_alarm, chains.node, "alarm", "no alarm of packet-rejected"),
    # The last two act, or are for good.
    Fault("nobody follows the labels", not_followed, POD, "quarantined", "not so: it is labelled"),
    Fault(
        "no subscription",
        no_subscription,
        partial(chains.door, tenant=TENANTS[1]),
        "answered",
        "the alarm's topic tells no responder",
    ),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_dead_part_breaks_its_link(all_: Everything, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    fault.kill(all_, monkeypatch)
    found: list[Link] = list(links(lambda: fault.chain(all_)))
    at = LINKS.index(fault.link)
    assert [link.state for link in found] == ["held"] * at + ["broken"] + ["not-reached"] * (len(LINKS) - at - 1), found
    assert fault.says in found[at].said, found[at]
