"""Every attack of the table is denied by the rule it names, and no byte of it reaches the upstream."""

import json

import pytest
from door_attacks import ATTACKS, CANARY, CREDENTIAL, Attack
from door_lane import HOST, Lane, configuration, put_secret

from lambda_proxy.handler import Clients


@pytest.fixture(scope="module")
def secrets(clients: Clients) -> tuple[str, str]:
    """Names of the canaries' and of the credential's secret."""
    return (
        put_secret(clients, "attacks/canaries", json.dumps({"planted": CANARY})),
        put_secret(clients, "attacks/credential", CREDENTIAL),
    )


def prepared(lane: Lane, attack: Attack, secrets: tuple[str, str]) -> Lane:
    """The tenant has a canary and a credential for another host than the one that is asked."""
    lane.names.update({name: list(addresses) for name, addresses in attack.names.items()})
    canaries, credential = secrets
    lane.seconds = attack.seconds
    lane.configure(
        configuration(
            canaries=canaries,
            credentials={
                "brokered.example.test": {"secret": credential, "header": "Authorization", "prefix": "Bearer "}
            },
            **attack.changes,
        )
    )
    if attack.reply is not None:
        lane.upstream.reply = attack.reply
    return lane


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_every_attack_is_denied(lane: Lane, attack: Attack, secrets: tuple[str, str]) -> None:
    answer = prepared(lane, attack, secrets).fetch(**{"url": "", **attack.request})
    assert answer.get("denied", {}).get("rule") == attack.rule, answer
    if not attack.reached:
        assert lane.upstream.connections == 0
        assert lane.upstream.received == []
    assert CANARY not in json.dumps(answer)
    assert CREDENTIAL not in json.dumps(answer)
    last = lane.records()[-1]
    assert last["rule"] == attack.rule
    assert answer["audit"]["seq"] == last["seq"]
    assert CANARY not in json.dumps(last)


def test_the_table_is_large_and_names_each_attack_once() -> None:
    assert len(ATTACKS) >= 150
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    assert HOST == "api.example.test"
