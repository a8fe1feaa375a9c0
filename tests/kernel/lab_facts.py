"""The blueprint, deployed once into the embedded cloud: facts for labs, and what watches it."""

from dataclasses import dataclass
from functools import cache

from infra.names import Names
from sequester.eyes.watch import Watch
from sequester.lab.deployed import deployed
from sequester.lab.facts import Facts
from sequester.standing import settings_of, standing

TENANTS = ("research", "support")
CONFIG: dict[str, object] = {
    "aws:region": "us-east-1",
    "sequester:account": "123456789012",
    "sequester:network": {"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]},
    "sequester:tenants": {
        name: {"allow": [{"host": "api.github.com", "methods": ["GET"], "paths": ["/repos/*"]}]} for name in TENANTS
    },
}
NAMES = Names.of(settings_of(CONFIG))


@dataclass(frozen=True)
class Deployed:
    facts: Facts
    watch: Watch


@cache
def blueprint() -> Deployed:
    with standing(CONFIG) as here:
        return Deployed(deployed(here), Watch.read(here.cloud.client))


def blueprint_facts() -> Facts:
    return blueprint().facts
