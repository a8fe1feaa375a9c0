"""Whatever the settings: either one clear line a mistake, or a network that stands up with no finding."""

import re
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.settings import Settings, SettingsError, parse
from sequester.readback import Observed, check

ACCOUNT = "123456789012"
LINE = re.compile(r"(?:sequester:[\w.-]+|aws:region|sequester): \S.+\Z")

CIDRS = st.one_of(
    st.builds(
        lambda a, b, p: f"{a}.{b}.0.0/{p}", st.sampled_from([10, 172, 192, 8]), st.integers(0, 255), st.integers(8, 30)
    ),
    st.sampled_from(["10.42.0.0/16", "10.42.16.0/20", "", "10.42.0.0", "::/0", "10.42.0.5/20"]),
)
ZONES = st.lists(st.sampled_from([*(f"us-east-1{z}" for z in "abcdef"), "us-west-2a", "x"]), max_size=7)
NETWORKS = st.fixed_dictionaries(
    {"cidr": CIDRS, "azs": ZONES},
    optional={
        "ipv6": st.sampled_from([False, True, {"cidr": "fd00:42::/56", "pool": "ipam-pool-0a1b2c3d"}]),
        "endpoint_zones": st.dictionaries(st.sampled_from(["ec2", "nonsense"]), st.sampled_from(["all", "one"])),
        "models": st.lists(st.sampled_from(["anthropic.claude-v2:1", "*"]), max_size=2),
        "log_retention_days": st.integers(0, 400),
        "extra": st.integers(),
    },
)
GOOD_NETWORKS = st.fixed_dictionaries(
    {
        "cidr": st.builds(lambda b, p: f"10.{b}.0.0/{p}", st.integers(0, 255), st.integers(16, 20)),
        "azs": st.integers(2, 3).map(lambda n: [f"us-east-1{z}" for z in "abcdef"[:n]]),
    },
    optional={
        "endpoint_zones": st.dictionaries(st.sampled_from(["ec2", "logs", "lambda"]), st.sampled_from(["all", "one"])),
        "models": st.lists(st.just("anthropic.claude-v2:1"), max_size=1),
        "s3_ranges": st.lists(st.just("52.216.0.0/15"), max_size=1),
    },
)


@settings(max_examples=80, deadline=None)
@given(NETWORKS, st.dictionaries(st.text("abcKz-", min_size=1, max_size=6), st.just({}), max_size=2))
def test_settings_are_read_or_every_mistake_has_its_line(network: dict[str, Any], tenants: dict[str, Any]) -> None:
    try:
        read = parse({"account": ACCOUNT, "region": "us-east-1", "network": network, "tenants": tenants})
    except SettingsError as error:
        assert error.lines
        assert all(LINE.match(line) for line in error.lines), error.lines
    else:
        assert isinstance(read, Settings)
        assert read.network.plan().places


@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(GOOD_NETWORKS)
def test_what_is_read_stands_up_sealed(read_back: Callable[..., Observed], network: dict[str, Any]) -> None:
    configuration = {
        "aws:region": "us-east-1",
        "sequester:account": ACCOUNT,
        "sequester:network": network,
        "sequester:tenants": {"research": {}},
    }
    assert [str(finding) for finding in check(read_back(config=configuration))] == []


def test_ipv6_when_on_is_closed_everywhere(read_back: Callable[..., Observed], configuration: Any) -> None:
    configuration["sequester:network"]["ipv6"] = {"cidr": "fd00:42::/56", "pool": "ipam-pool-0a1b2c3d"}
    observed = read_back(config=configuration)
    assert [str(finding) for finding in check(observed)] == []
    assert all(len(subnet.ipv6_cidrs) == 1 for subnet in observed.subnets)
    assert observed.ipv6_cidrs == ("fd00:42::/56",)
    own = [acl for acl in observed.acls if not acl.default]
    assert all(
        next(e for e in acl.entries if e.egress is egress).cidr == "::/0" for acl in own for egress in (True, False)
    )
