"""Bad settings: one line each, which names the key, the value and the mend, before any resource is made."""

import copy
from typing import Any

import pulumi
import pytest

from infra.settings import SettingsError, load, parse

GOOD: dict[str, Any] = {
    "account": "123456789012",
    "region": "us-east-1",
    "network": {"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]},
}


def existing(**change: Any) -> dict[str, Any]:
    """An existing network that is right but for `change` of its sandbox subnet in the first zone."""
    subnets: dict[str, list[dict[str, str]]] = {}
    for number, (tier, zone) in enumerate(
        (tier, zone) for tier in ("sandbox", "system", "endpoint", "control") for zone in GOOD["network"]["azs"]
    ):
        subnets.setdefault(tier, []).append(
            {
                "id": f"subnet-{number:08x}",
                "cidr": f"10.42.{number}.0/24",
                "az": zone,
                "route_table": f"rtb-{number:08x}",
            }
        )
    subnets["sandbox"][0] |= change
    return {"existing": {"vpc": "vpc-0a1b2c3d", "subnets": subnets}}


MISTAKES = [
    ({"account": None}, "sequester:account", "is missing", "pulumi config set"),
    ({"account": 123456789012}, "sequester:account", "123456789012", "in quotes"),
    ({"account": "12345"}, "sequester:account", "'12345'", "12 digits"),
    ({"region": None}, "aws:region", "is missing", "aws:region us-east-1"),
    ({"region": "us-est-1"}, "aws:region", "'us-est-1'", "us-east-1"),
    ({"region": "cn-north-1"}, "aws:region", "'cn-north-1'", "commercial"),
    ({"netwrk": {}}, "sequester:netwrk", "is no key", "did you mean network?"),
    ({"kubernetes": "yes"}, "sequester:kubernetes", "'yes'", "'apply' or 'render'"),
    ({"name": "a-name-that-is-far-too-long"}, "sequester:name", "too long", "20 characters"),
    ({"name": "Upper"}, "sequester:name", "'Upper'", "lower-case"),
    ({"tags": {"aws:x": "1"}}, "sequester:tags", "aws:x", "another key"),
    ({"network": {"cidr": None}}, "sequester:network.cidr", "is missing", "10.42.0.0/16"),
    ({"network": {"cidr": "10.42.0.0/29"}}, "sequester:network.cidr", "10.42.0.0/29 is too small", "use /20"),
    ({"network": {"cidr": "10.0.0.0/8"}}, "sequester:network.cidr", "10.0.0.0/8 is too large", "/16"),
    ({"network": {"cidr": "10.42.0.1/16"}}, "sequester:network.cidr", "'10.42.0.1/16'", "use 10.42.0.0/16"),
    ({"network": {"cidr": "10.42.0.0"}}, "sequester:network.cidr", "'10.42.0.0'", "is no CIDR"),
    ({"network": {"cidr": "8.8.0.0/16"}}, "sequester:network.cidr", "8.8.0.0/16", "RFC 1918"),
    ({"network": {"cidr": "172.17.0.0/16"}}, "sequester:network.cidr", "172.17.0.0/16", "use 10.42.0.0/16"),
    ({"network": {"azs": []}}, "sequester:network.azs", "none is too few", "name another"),
    ({"network": {"azs": ["us-east-1a"]}}, "sequester:network.azs", "us-east-1a is too few", "name another"),
    ({"network": {"azs": ["us-east-1a"] * 2}}, "sequester:network.azs", "twice", "once"),
    ({"network": {"azs": [f"us-east-1{z}" for z in "abcdefg"]}}, "sequester:network.azs", "7 zones", "6 at most"),
    ({"network": {"azs": ["us-east-1a", "us-west-2a"]}}, "sequester:network.azs", "us-west-2a", "zones of aws:region"),
    ({"network": {"azs": ["us-east-1a", "east"]}}, "sequester:network.azs.1", "'east'", "us-east-1a"),
    ({"network": {"azz": ["us-east-1a"]}}, "sequester:network.azz", "is no key", "did you mean azs?"),
    ({"network": {"ipv6": True}}, "sequester:network.ipv6", "True", "mapping"),
    (
        {"network": {"ipv6": {"cidr": "fd00:42::/48", "pool": "ipam-pool-0a1b2c3d"}}},
        "sequester:network.ipv6.cidr",
        "fd00:42::/48",
        "/56",
    ),
    (
        {"network": {"ipv6": {"cidr": "fd00:42::/56", "pool": "pool"}}},
        "sequester:network.ipv6.pool",
        "'pool'",
        "ipam-pool-",
    ),
    ({"network": {"models": ["claude"]}}, "sequester:network.models.0", "'claude'", "anthropic."),
    ({"network": {"log_retention_days": 1}}, "sequester:network.log_retention_days", "1", "30"),
    ({"network": {"endpoint_zones": {"ec3": "one"}}}, "sequester:network.endpoint_zones.ec3", "'ec3'", "'ec2'"),
    (
        {"network": {"endpoint_zones": {"ec2": "two"}}},
        "sequester:network.endpoint_zones.ec2",
        "'two'",
        "'all' or 'one'",
    ),
    ({"network": {"s3_ranges": ["10.0.0.0/16"]}}, "sequester:network.s3_ranges", "10.0.0.0/16", "ip-ranges.json"),
    (
        {"network": {"web_identity_roles": ["arn:aws:iam::210987654321:role/x"]}},
        "sequester:network.web_identity_roles",
        "210987654321",
        "our roles",
    ),
    (
        {"network": {"web_identity_roles": ["arn:aws:iam::123456789012:role/*"]}},
        "sequester:network.web_identity_roles.0",
        "role/*",
        "without a wildcard",
    ),
    (
        {"network": {"existing": {"vpc": "vpc-0a1b2c3d", "subnets": {}}}},
        "sequester:network.existing.subnets.sandbox",
        "none",
        "list one",
    ),
    (
        {"network": existing(cidr="10.42.1.0/24")},
        "sequester:network.existing.subnets",
        "10.42.1.0/24 and 10.42.1.0/24 overlap",
        "correct",
    ),
    (
        {"network": existing(cidr="10.43.0.0/24")},
        "sequester:network.existing.subnets.sandbox",
        "10.43.0.0/24",
        "outside of cidr",
    ),
    (
        {"network": existing(cidr="10.42.0.0/27")},
        "sequester:network.existing.subnets.sandbox",
        "10.42.0.0/27",
        "/25 or larger",
    ),
    (
        {"network": existing(az="us-east-1c")},
        "sequester:network.existing.subnets.sandbox",
        "us-east-1c",
        "one subnet for each",
    ),
    (
        {"network": existing(route_table="rtb-00000001")},
        "sequester:network.existing.subnets",
        "rtb-00000001",
        "its own",
    ),
    ({"network": existing(id="subnet")}, "sequester:network.existing.subnets.sandbox.0.id", "'subnet'", "subnet-0123"),
    (
        {"cluster": {"service_cidr": "10.42.128.0/20"}},
        "sequester:cluster.service_cidr",
        "10.42.128.0/20",
        "172.20.0.0/16",
    ),
    ({"tenants": {"Kube": {}}}, "sequester:tenants.Kube", "'Kube'", "lower-case"),
]


def settings(change: dict[str, Any]) -> dict[str, Any]:
    given = copy.deepcopy(GOOD)
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(given.get(key), dict):
            given[key] = {k: v for k, v in {**given[key], **value}.items() if v is not None}
        else:
            given[key] = value
    return {key: value for key, value in given.items() if value is not None}


def test_good_settings_are_read() -> None:
    assert str(parse(GOOD).network.cidr) == "10.42.0.0/16"
    assert parse(settings({"network": existing()})).network.existing is not None


@pytest.mark.parametrize(("change", "key", "value", "mend"), MISTAKES, ids=lambda x: x if isinstance(x, str) else "")
def test_a_mistake_is_one_line_with_key_value_and_mend(change: dict[str, Any], key: str, value: str, mend: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(settings(change))
    (line,) = caught.value.lines
    assert line.startswith(f"{key}: "), line
    assert value in line
    assert mend in line
    assert "\n" not in line


def test_all_mistakes_are_told_at_once() -> None:
    wrong = settings({"account": "1", "network": {"cidr": "x", "azs": ["y", "z"]}, "tenants": {"a": {"quotta": 1}}})
    with pytest.raises(SettingsError) as caught:
        parse(wrong)
    assert [line.split(": ")[0] for line in caught.value.lines] == [
        "sequester:account",
        "sequester:network.cidr",
        "sequester:network.azs.0",
        "sequester:network.azs.1",
        "sequester:tenants.a.quotta",
    ]


def test_a_stacks_configuration_is_read_as_pulumi_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi.runtime.settings, "get_project", lambda: "sequester")
    pulumi.runtime.set_all_config(
        {
            "aws:region": "us-east-1",
            "sequester:account": "123456789012",
            "sequester:network": '{"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]}',
        }
    )
    assert load() == parse(GOOD)
    pulumi.runtime.set_all_config({"aws:region": "us-east-1", "sequester:acount": "123456789012"})
    with pytest.raises(SettingsError, match="did you mean account"):
        load()
