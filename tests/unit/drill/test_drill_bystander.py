"""A chain shows that others are spared: where a stack has one tenant alone, another stands beside it."""

import pytest

from sequester.drill.chains import with_bystander
from sequester.standing import settings_of

ALLOW = [{"host": "api.github.com", "paths": ["/repos/*"]}]
BASE = {
    "aws:region": "us-east-1",
    "sequester:account": "123456789012",
    "sequester:network": {"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]},
}


@pytest.mark.parametrize("name", ["research", "bystander"])
def test_one_tenant_alone_gets_another_beside_it(name: str) -> None:
    secret = {"api.github.com": {"secret": "research/github", "header": "Authorization"}}
    config = BASE | {"sequester:tenants": {name: {"allow": ALLOW, "credentials": secret}}}
    settings = settings_of(with_bystander(config))
    assert len(settings.tenants) == 2
    (other,) = settings.tenants.keys() - {name}
    assert settings.tenants[other].allow == settings.tenants[name].allow
    assert not settings.tenants[other].credentials, "what is one tenant's is not given to another"


@pytest.mark.parametrize("tenants", [{}, {"a": {"allow": ALLOW}, "b": {}}])
def test_other_stacks_stand_as_they_are(tenants: dict[str, object]) -> None:
    config = BASE | {"sequester:tenants": tenants}
    assert with_bystander(config) == config
