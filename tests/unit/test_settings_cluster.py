"""Mistakes in the settings of the cluster and of tenants: each is one line that names the key, the value, the mend."""

from typing import Any

import pytest

from infra.settings import SettingsError, parse
from infra.settings.quantities import amount, times

_DIGEST = "@sha256:" + "0" * 64


def _parse(cluster: dict[str, Any] | None = None, tenants: dict[str, Any] | None = None) -> Any:
    return parse(
        {
            "account": "123456789012",
            "region": "us-east-1",
            "network": {"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]},
            "cluster": cluster or {},
            "tenants": tenants or {},
        }
    )


_CLUSTER_MISTAKES = [
    ({"version": "1.27"}, "cluster.version", "not offered by EKS"),
    ({"version": "1.34"}, "cluster.addons.kube-proxy", "set addons.kube-proxy to v1.34."),
    ({"verison": "1.35"}, "cluster.verison", "version"),
    ({"service_cidr": "10.42.0.0/20"}, "cluster.service_cidr", "overlaps network.cidr"),
    ({"service_cidr": "172.20.0.0/28"}, "cluster.service_cidr", "between /12 and /24"),
    ({"service_cidr": "203.0.113.0/24"}, "cluster.service_cidr", "use a private one"),
    ({"sandbox": {"min": 5, "max": 2}}, "cluster.sandbox.min", "above max"),
    ({"sandbox": {"instance": "t2.large"}}, "cluster.sandbox.instance", "Nitro"),
    ({"sandbox": {"instance": "large"}}, "cluster.sandbox.instance", "m7i.large"),
    ({"ami_release": "1.34.2-20260415"}, "cluster.ami_release", "not for Kubernetes 1.35"),
    ({"ami_release": "1.35.0-20251101"}, "cluster.ami_release", "no nft"),
    ({"ami_release": "latest"}, "cluster.ami_release", "1.35.2-20260415"),
    ({"addons": {"vpc-cni": "latest"}}, "cluster.addons.vpc-cni", "pinned"),
    ({"addons": {"vpc-cni": "v1.20.0-eksbuild.1"}, "admin_network_policy": True}, "cluster.admin_network_policy",
     "v1.21.1"),
    ({"admins": ["arn:aws:iam::123456789012:role/*"]}, "cluster.admins.0", "without a wildcard"),
    ({"log_shipper": "registry.example.com/fluent-bit:stable"}, "cluster.log_shipper", "@sha256:"),
    ({"autoscaling": f"registry.example.com/autoscaler:v1{_DIGEST}"}, "cluster.autoscaling", "without a tag"),
    ({"processes_per_pod": 1}, "cluster.processes_per_pod", "32"),
]  # fmt: skip

_TENANT_MISTAKES = [
    ({"Research": {}}, "tenants.Research", "no DNS label"),
    ({"a_b": {}}, "tenants.a_b", "no DNS label"),
    ({"-a": {}}, "tenants.-a", "no DNS label"),
    ({"a" * 40: {}}, f"tenants.{'a' * 40}", "at most 32"),
    ({"kube": {}}, "tenants.kube", "system namespace"),
    ({"sequester-system": {}}, "tenants.sequester-system", "system namespace"),
    ({"a": {"quota": {"memory": "512Mi"}}}, "tenants.a.quota.memory", "less than one sandbox needs (1Gi)"),
    ({"a": {"quota": {"cpu": "500m"}}}, "tenants.a.quota.cpu", "less than one sandbox needs (1)"),
    ({"a": {"quota": {"sandboxes": 0}}}, "tenants.a.quota.sandboxes", "1"),
    ({"a": {"sandbox": {"cpu": "1Gi"}}}, "tenants.a.sandbox.cpu", "500m"),
    ({"a": {"sandbox": {"memory": "500m"}}}, "tenants.a.sandbox.memory", "512Mi"),
    ({"a": {"sandbox": {"memory": "0"}}}, "tenants.a.sandbox.memory", "above zero"),
    ({"a": {"sandbox": {"memory": "lots"}}}, "tenants.a.sandbox.memory", "512Mi"),
    ({"a": {"warm_pool": 3}}, "tenants.a.warm_pool", "need an image"),
    ({"a": {"warm_pool": 30, "image": f"registry.example.com/sandbox{_DIGEST}"}}, "tenants.a.warm_pool", "lower it"),
    ({"a": {"image": "registry.example.com/sandbox:latest"}}, "tenants.a.image", "@sha256:"),
    ({"a": {"colour": "blue"}}, "tenants.a.colour", "no key"),
]  # fmt: skip


@pytest.mark.parametrize(("cluster", "key", "mend"), _CLUSTER_MISTAKES, ids=lambda value: str(value)[:40])
def test_a_mistake_in_the_cluster_is_one_line(cluster: dict[str, Any], key: str, mend: str) -> None:
    _is_one_line(key, mend, cluster=cluster)


@pytest.mark.parametrize(("tenants", "key", "mend"), _TENANT_MISTAKES, ids=lambda value: str(value)[:40])
def test_a_mistake_in_a_tenant_is_one_line(tenants: dict[str, Any], key: str, mend: str) -> None:
    _is_one_line(key, mend, tenants=tenants)


def _is_one_line(key: str, mend: str, **given: Any) -> None:
    with pytest.raises(SettingsError) as raised:
        _parse(**given)
    (line,) = raised.value.lines
    assert line.startswith(f"sequester:{key}"), line
    assert mend in line


def test_an_amount_that_is_not_given_is_that_many_times_one_sandbox() -> None:
    tenant = _parse(tenants={"a": {"sandbox": {"cpu": "500m", "disk": "1.5Gi"}, "quota": {"sandboxes": 3}}}).tenants[
        "a"
    ]
    assert tenant.shares() == {"cpu": ("1500m", "500m"), "memory": ("3Gi", "1Gi"), "disk": ("4.5Gi", "1.5Gi")}


@pytest.mark.parametrize(
    ("text", "number"), [("2", 2), ("500m", 0.5), ("1Ki", 1024), ("1k", 1000), ("1.5Gi", 1.5 * 2**30)]
)
def test_quantities_are_kubernetes_own(text: str, number: float) -> None:
    assert amount(text) == number


@pytest.mark.parametrize(("one", "count", "all_"), [("1", 10, "10"), ("250m", 4, "1000m"), ("1.5Gi", 2, "3Gi")])
def test_a_multiple_keeps_its_unit(one: str, count: int, all_: str) -> None:
    assert times(one, count) == all_


@pytest.mark.parametrize(
    ("instance", "ami"),
    [("m7i.large", "x86_64"), ("m7g.large", "ARM_64"), ("c7gn.xlarge", "ARM_64"), ("g5.xlarge", "x86_64"),
     ("t4g.medium", "ARM_64"), ("m8i-flex.large", "x86_64"), ("a1.large", "ARM_64")],
)  # fmt: skip
def test_the_ami_follows_the_instance(instance: str, ami: str) -> None:
    assert ami in _parse(cluster={"sandbox": {"instance": instance}}).cluster.sandbox.ami_type
