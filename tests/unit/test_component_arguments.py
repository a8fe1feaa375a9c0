"""A component's arguments: what a mistake in them says, and what arrives from languages that know no whole numbers."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from infra.settings import SettingsError
from pulumi_sequester.given import bare, given, settings

GIVEN = {"account": "123456789012", "region": "us-east-1", "stack": "agents"}
ZONES = ["us-east-1a", "us-east-1b"]
NETWORK = {"cidr": "10.60.0.0/16", "azs": ZONES}


def lines(told: Mapping[str, Any], network: Mapping[str, object] | None = None, **parts: object) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        settings(told, network, **parts)
    return caught.value.lines


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ({"account": 12}, "account: 12 is no account id: write its 12 digits, in quotes"),
        ({"account": 1234567890}, "account: 1234567890 is no account id: write its 12 digits, in quotes"),
        ({"region": "nowhere"}, "region: 'nowhere' is no region of the commercial partition: write it as us-east-1"),
        ({"stack": "A B"}, "stack: 'A B' is no DNS label: use lower-case letters, digits and single inner dashes"),
        ({"tags": ["a"]}, "tags: a list will not do: input should be a valid mapping"),
    ],
    ids=lambda told: next(iter(told)) if isinstance(told, dict) else "",
)
def test_a_mistake_is_one_line_by_the_name_of_the_argument(told: dict[str, object], line: str) -> None:
    """What only follows from an argument, such as zones of a wrong region, says nothing beside it."""
    assert lines(GIVEN | told) == (line,)


@pytest.mark.parametrize(
    ("key", "argument"),
    [("azs", "zones"), ("cidr", "cidr"), ("log_retention_days", "log_retention_days")],
)
def test_keys_of_the_blueprint_become_arguments(key: str, argument: str) -> None:
    [line] = lines(GIVEN | {argument: "x"}, NETWORK | {key: "x"})
    assert line.startswith(f"{argument}: ")


def test_zones_elsewhere_are_told_by_both_names() -> None:
    [line] = lines(GIVEN | {"zones": ["us-west-1a", "us-west-1b"]}, NETWORK | {"azs": ["us-west-1a", "us-west-1b"]})
    assert line == "zones: us-west-1a is not in us-east-1: name zones of region"


def test_a_door_s_rows_are_its_own() -> None:
    told = GIVEN | {"tenant": "research", "allow": [], "budget": {}}
    own = {"allow": [{"host": "https://x", "paths": ["/"]}], "budget": {"requests_per_minute": "many"}}
    said = lines(told, tenants={"research": own})
    assert [line.partition(": ")[0] for line in said] == ["allow.0.host", "budget.requests_per_minute"]
    assert lines(told | {"tenant": "A"}, tenants={"A": own | {"allow": [], "budget": {}}})[0].startswith("tenant: 'A'")


def test_a_list_of_tenants_must_be_one() -> None:
    assert bare(["a", "b"]) == {"a": {}, "b": {}}
    with pytest.raises(SettingsError, match="tenants: 'research' will not do: give a list of names"):
        bare("research")


def test_numbers_arrive_whole() -> None:
    """The engine's numbers are doubles: 400 is 400.0 in the plugin."""
    told = given({**GIVEN, "account": 123456789012.0, "days": 400.0, "deep": [{"n": 5.0, "half": 0.5}], "on": True})
    assert repr(told["deep"]) == "[{'n': 5, 'half': 0.5}]"
    assert repr(told["days"]) == "400"
    assert told["on"] is True
    assert settings(told).account == "123456789012"


def test_what_names_are_made_from_must_be_known() -> None:
    async def asked() -> None:  # an output wants a loop that runs
        late = {"account": pulumi.Output.from_input("123456789012"), "endpoint": pulumi.Output.from_input("vpce-1")}
        said = r"^account: is an output: names are made from it, so give a plain value$"
        with pytest.raises(SettingsError, match=said):
            given(GIVEN | late, "endpoint")

    asyncio.run(asked())
