"""What watches and answers, as AWS tells of it: every control holds, and each turns red when it is taken away."""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from deployed import NAMES, TENANTS, program

from infra.settings import parse
from infra.viewer import Viewer, ViewerArgs
from sequester.cloud import Edit, EmbeddedCloud
from sequester.readback.eyes import EYES_CONTROLS, EyesSeen, check_eyes, observe_eyes

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
SETTINGS = parse(
    {
        "region": NAMES.region,
        "account": NAMES.account,
        "network": {"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]},
        "tenants": {tenant: {} for tenant in TENANTS},
        "viewer": {
            "public_key": _KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
            "writers": ["arn:aws:iam::123456789012:role/show-documents"],
        },
    }
)
RESPONDER = "sequester-responder"


def shown() -> None:
    program()
    assert SETTINGS.viewer
    Viewer("sequester", ViewerArgs(NAMES, SETTINGS.viewer.public_key, SETTINGS.viewer.writers))


@contextmanager
def seen(edit: Edit | None = None) -> Generator[EyesSeen]:
    with EmbeddedCloud() as cloud:
        cloud.up(shown, edit=edit)
        yield observe_eyes(cloud.client, SETTINGS)


def test_every_control_holds() -> None:
    with seen() as found:
        assert [str(finding) for finding in check_eyes(found)] == []


class Mutation(NamedTuple):
    """One resource that is changed, or left out where `change` is None."""

    control: str
    type: str
    name: str
    change: Callable[[dict[str, Any]], object] | None


def _set(**values: Any) -> Callable[[dict[str, Any]], object]:
    return lambda inputs: inputs.update(values)


def _headers(inputs: dict[str, Any]) -> None:
    security = inputs["securityHeadersConfig"]["contentSecurityPolicy"]
    security["contentSecurityPolicy"] = security["contentSecurityPolicy"].replace("'none'", "*")


def _any_policy(inputs: dict[str, Any]) -> None:
    [own] = inputs["inlinePolicies"]
    document = json.loads(own["policy"])
    for statement in document["Statement"]:
        if statement["Sid"] == "Revoke":
            del statement["Condition"]
    own["policy"] = json.dumps(document)


def _only_reads(inputs: dict[str, Any]) -> None:
    inputs["policy"] = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*",
                                                                          "Resource": "*"}]})  # fmt: skip


def _anybody(inputs: dict[str, Any]) -> None:
    document = json.loads(inputs["policy"])
    document["Statement"][0].pop("Condition")
    inputs["policy"] = json.dumps(document)


def _no_writers(inputs: dict[str, Any]) -> None:
    document = json.loads(inputs["policy"])
    document["Statement"] = [s for s in document["Statement"] if s["Sid"] != "OnlyWriters"]
    inputs["policy"] = json.dumps(document)


MUTATIONS = (
    Mutation("alarms-tell", "MetricAlarm", "sequester-packet-left", None),
    Mutation("alarms-tell", "MetricAlarm", "sequester-network-call-research", _set(alarmActions=[])),
    Mutation("alarms-wait", "MetricAlarm", "sequester-packet-left", _set(evaluationPeriods=1)),
    Mutation("topic-encrypted", "Topic", "sequester-alarms", lambda inputs: inputs.pop("kmsMasterKeyId")),
    Mutation("topic-publishers", "TopicPolicy", "sequester-alarms", _anybody),
    Mutation("responder-told", "TopicSubscription", RESPONDER, None),
    Mutation("responder-told", "Permission", f"{RESPONDER}-alarms", None),
    Mutation("responder-told", "Function", RESPONDER, _set(reservedConcurrentExecutions=0)),
    Mutation("responder-clock", "EventRule", f"{RESPONDER}-sweep", _set(state="DISABLED")),
    Mutation("responder-clock", "EventTarget", f"{RESPONDER}-sweep", None),
    Mutation("responder-clock", "Permission", f"{RESPONDER}-sweep", None),
    Mutation("quarantine-denies", "Policy", "sequester-quarantined", _only_reads),
    Mutation("responder-rights", "Role", RESPONDER, _any_policy),
    Mutation(
        "viewer-signed",
        "Distribution",
        "sequester-viewer",
        lambda inputs: inputs["defaultCacheBehavior"].pop("trustedKeyGroups"),
    ),
    Mutation("viewer-policy", "ResponseHeadersPolicy", "sequester-viewer", _headers),
    Mutation("viewer-writers", "BucketPolicy", "sequester-viewer", _no_writers),
)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: f"{m.control} {m.type} {m.name}")
def test_a_control_that_is_gone_is_named(mutation: Mutation) -> None:
    met: list[str] = []

    def change(type_: str, name: str, inputs: dict[str, Any]) -> dict[str, Any] | None:
        if not type_.endswith(f":{mutation.type}") or name != mutation.name:
            return inputs
        met.append(name)
        if mutation.change is None:
            return None
        mutation.change(inputs)
        return inputs

    with seen(Edit(change=change)) as found:
        assert mutation.control in {finding.id for finding in check_eyes(found)}
    assert met


def test_every_control_has_a_mutation() -> None:
    assert {mutation.control for mutation in MUTATIONS} == {control.id for control in EYES_CONTROLS}
