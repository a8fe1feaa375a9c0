"""The deployed door run here: what decides is what the program put into the cloud; the demo says when it does not."""

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from infra.door_store import audit_bucket, config_bucket
from infra.names import Names
from sequester.audit import Fault, verify
from sequester.demo.door import play
from sequester.demo.scene import Scene
from sequester.door import Door, FetchDeniedError
from sequester.embedded_door import EmbeddedDoor, embedded_door
from sequester.standing import Standing, doors_standing, settings_of

NAMES = Names("sequester", "123456789012", "us-east-1")
URL = "https://api.github.com/repos/example"
CONFIG = {
    "aws:region": "us-east-1",
    "sequester:account": "123456789012",
    "sequester:network": {"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]},
    "sequester:tenants": {
        "research": {
            "allow": [{"host": "api.github.com", "paths": ["/repos/*"]}],
            "credentials": {"api.github.com": {"secret": "research/github", "prefix": "Bearer "}},
            "canaries": "research/canaries",
        },
    },
}


@pytest.fixture(scope="module")
def standing() -> Iterator[Standing]:
    with doors_standing(CONFIG) as here:
        yield here


@pytest.fixture
def here(standing: Standing) -> Iterator[EmbeddedDoor]:
    with embedded_door(standing.cloud.client, NAMES.door("research")) as door:
        yield door


def rule(here: EmbeddedDoor, url: str, **request: Any) -> str:
    try:
        Door(invoke=here.invoke).fetch(url, **request)
    except FetchDeniedError as denied:
        return denied.rule
    return "allowed"


def test_the_deployed_rules_decide(here: EmbeddedDoor) -> None:
    assert rule(here, URL) == "allowed"
    assert b"authorization: bearer " in here.upstream.received[0].lower(), "the door adds the tenant's credential"
    assert rule(here, "https://pypi.org/") == "allow.host"
    (planted,) = here.canaries.values()
    assert rule(here, URL, headers={"x-note": planted}) == "inspect.canary"
    assert here.upstream.connections == 1
    assert [json.loads(line)["rule"] for line in here.log] == [None, "allow.host", "inspect.canary"]
    assert verify(here.store, "research").findings == ()


@contextmanager
def configured(standing: Standing, change: Callable[[list[dict[str, Any]]], object]) -> Generator[None]:
    """Another allowlist in the tenant's configuration, for a while."""
    s3 = standing.cloud.client("s3")
    at = {"Bucket": config_bucket(NAMES), "Key": "research.json"}
    deployed = s3.get_object(**at)["Body"].read()
    document = json.loads(deployed)
    change(document["allow"])
    s3.put_object(**at, Body=json.dumps(document).encode())
    try:
        yield
    finally:
        s3.put_object(**at, Body=deployed)


def test_another_configuration_in_the_bucket_is_another_verdict(standing: Standing) -> None:
    with (
        configured(standing, lambda allow: allow[0].update(host="pypi.org")),
        embedded_door(standing.cloud.client, NAMES.door("research")) as door,
    ):
        assert rule(door, "https://pypi.org/repos/x") == "allowed"
        assert rule(door, URL) == "allow.host"


def test_another_environment_of_the_function_is_another_door(standing: Standing) -> None:
    """Positive control: a function that names no such bucket can record nothing, and fetches nothing."""
    client = standing.cloud.client("lambda")
    name = NAMES.door("research")
    variables = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    client.update_function_configuration(
        FunctionName=name, Environment={"Variables": {**variables, "DOOR_AUDIT_BUCKET": "no-such-bucket"}}
    )
    version = client.publish_version(FunctionName=name)["Version"]
    before = client.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
    client.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
    try:
        with embedded_door(standing.cloud.client, name) as door:
            assert rule(door, URL) == "audit.unavailable"
            assert door.upstream.connections == 0
    finally:
        client.update_alias(FunctionName=name, Name="live", FunctionVersion=before)


def test_the_demo_says_when_the_door_lets_too_much_through(standing: Standing, tmp_path: Path) -> None:
    def told() -> tuple[str, int]:
        console = Console(file=StringIO(), width=200)
        failures = play(Scene(settings_of(CONFIG), standing, cast("Any", None), tmp_path, console))
        return cast("StringIO", console.file).getvalue(), len(failures)

    said, failures = told()
    assert failures == 0
    assert "inspect.canary" in said
    with configured(standing, lambda allow: allow.append({**allow[0], "host": "exfil.example", "paths": ["/*"]})):
        assert told()[1] == 1


def test_the_deployed_bucket_lets_nobody_delete_a_record(here: EmbeddedDoor, standing: Standing) -> None:
    """The last of the file: it leaves a broken chain."""
    rule(here, URL)
    s3 = standing.cloud.client("s3")
    (newest, *_) = s3.list_objects_v2(Bucket=audit_bucket(NAMES))["Contents"]
    with pytest.raises(ClientError, match="Forbidden"):
        s3.delete_object(Bucket=audit_bucket(NAMES), Key=newest["Key"])
    s3.delete_bucket_policy(Bucket=audit_bucket(NAMES))
    s3.delete_object(Bucket=audit_bucket(NAMES), Key=newest["Key"])
    assert Fault.DELETED in {finding.fault for finding in verify(here.store, "research").findings}
