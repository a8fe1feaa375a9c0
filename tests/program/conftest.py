"""Programs of this folder run in the embedded cloud, and are judged by what boto3 reads there."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pytest

from infra.settings import Settings, load, parse
from infra.stack import Foundation, foundation
from sequester.cloud import Edit, EmbeddedCloud, Run
from sequester.readback import Layout, Observed, observe

Configuration = dict[str, Any]

CONFIGURATION: Configuration = {
    "aws:region": "us-east-1",
    "sequester:account": "123456789012",
    "sequester:network": {"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]},
    "sequester:tenants": {
        "research": {"allow": [{"host": "api.github.com", "paths": ["/repos/*"]}]},
        "support": {"allow": [{"host": "www.example.com", "paths": ["/"]}]},
    },
}


@dataclass
class Program:
    """The sealed network alone; what it made is at hand for an edit that adds to it."""

    made: list[Foundation] = field(default_factory=list[Foundation])

    def __call__(self) -> None:
        self.made.append(foundation(load(), pulumi.ResourceOptions()))

    @property
    def base(self) -> Foundation:
        """What the last run made."""
        return self.made[-1]


@dataclass(frozen=True)
class Deployed:
    """One run, in a cloud that is still there."""

    cloud: EmbeddedCloud
    run: Run
    settings: Settings
    observed: Observed


def settings_of(configuration: Configuration) -> Settings:
    return parse({key.partition(":")[2]: value for key, value in configuration.items()})


@pytest.fixture
def configuration() -> Configuration:
    """A working configuration that a test may change."""
    return copy.deepcopy(CONFIGURATION)


@pytest.fixture(scope="module")
def network() -> Iterator[Deployed]:
    """The sealed network, made once for a file; its tests must not change it."""
    with EmbeddedCloud() as cloud:
        run = cloud.up(Program(), config=CONFIGURATION)
        settings = settings_of(CONFIGURATION)
        yield Deployed(cloud, run, settings, observe(cloud.client, Layout.of(settings)))


@pytest.fixture(scope="session")
def read_back() -> Callable[..., Observed]:
    """Make the network in a cloud of its own, changed on the way, and read it back."""

    def deploy(edit: Callable[[Program], Edit] | None = None, config: Configuration | None = None) -> Observed:
        given = config or CONFIGURATION
        program = Program()
        with EmbeddedCloud() as cloud:
            cloud.up(program, config=given, edit=edit(program) if edit else None)
            return observe(cloud.client, Layout.of(settings_of(given)))

    return deploy
