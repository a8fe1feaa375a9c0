"""Tenants' objects: from settings alone, each tenant's own, in an order in which rights come last."""

import inspect
from typing import Any

import pytest
import yaml

from infra.labels import sandbox_namespace
from infra.manifests import Manifest, documents, identity, title
from infra.settings import Settings, parse
from infra.settings.quantities import amount
from infra.settings.tenants import SandboxSize
from infra.workloads import RENDER_DIRECTORY, cluster_objects, objects, site, tenant_objects
from sequester import IsolatedExecutor
from sequester.cloud import EmbeddedCloud, Run
from sequester.sandbox import pods
from sequester.standing import blueprint

pytestmark = pytest.mark.xdist_group("cluster-program")

_BASE: dict[str, Any] = {
    "account": "123456789012",
    "region": "us-east-1",
    "network": {"cidr": "10.42.0.0/16", "azs": ["us-east-1a", "us-east-1b"]},
}


def _settings(tenants: dict[str, Any], **more: Any) -> Settings:
    return parse(_BASE | {"tenants": tenants} | more)


def _made(settings: Settings) -> list[Manifest]:
    return objects(site(settings), settings.cluster, settings.tenants)


def _fifty(domain: str) -> list[dict[str, Any]]:
    return [{"host": f"host{number}.{domain}", "paths": ["/*"]} for number in range(50)]


def test_two_tenants_do_not_change_each_others_objects() -> None:
    alone = _settings({"research": {"allow": _fifty("example.com")}})
    both = _settings(
        {
            "research": {"allow": _fifty("example.com")},
            "finance": {"allow": _fifty("example.org"), "quota": {"sandboxes": 3}},
        }
    )
    before = {identity(item): item for item in _made(alone)}
    after = {identity(item): item for item in _made(both)}
    added = {key for key in after if key not in before}
    assert {key: after[key] for key in before} == before
    assert added
    for kind, namespace, name in added:
        assert (name if kind == "Namespace" else namespace) in ("finance-agent", "finance-sandbox")


def test_every_object_is_there_once() -> None:
    names = [title(item) for item in _made(_settings({"research": {}, "finance": {}}))]
    assert len(names) == len(set(names))


def test_no_object_of_a_tenant_lies_outside_of_its_namespaces() -> None:
    settings = _settings({"research": {}})
    own = {"research-agent", "research-sandbox"}
    for item in tenant_objects("research", settings.tenants["research"], site(settings), settings.cluster):
        kind, namespace, name = identity(item)
        assert (name if kind == "Namespace" else namespace) in own


def test_agents_reach_exactly_the_designed_addresses() -> None:
    settings = _settings({"research": {}})
    policy: Any = next(item for item in _made(settings) if identity(item)[2] == "agent-egress")
    reached = [
        (peer["ipBlock"]["cidr"], port["port"])
        for rule in policy["spec"]["egress"]
        for peer in rule["to"]
        if "ipBlock" in peer
        for port in rule["ports"]
    ]
    assert reached == [
        ("172.20.0.1/32", 443),
        ("10.42.224.0/28", 443),
        ("10.42.228.0/28", 443),
        ("169.254.170.23/32", 80),
        ("10.42.192.24/32", 443),
        ("10.42.196.24/32", 443),
    ]
    assert policy["spec"]["podSelector"]["matchExpressions"][0]["operator"] == "DoesNotExist"


def test_sandboxes_have_one_policy_and_it_allows_nothing() -> None:
    for settings in (_settings({"research": {}}), _settings({"research": {}}, cluster={"admin_network_policy": True})):
        policies: list[Any] = [
            item["spec"]
            for item in _made(settings)
            if identity(item)[:2] == ("NetworkPolicy", sandbox_namespace("research"))
        ]
        assert policies == [{"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [], "egress": []}]


def test_optional_objects_follow_their_settings() -> None:
    digest = "@sha256:" + "0" * 64
    plain = _cluster_titles(_settings({}))
    cluster = {
        "gvisor": True,
        "admin_network_policy": True,
        "autoscaling": f"registry.example.com/autoscaler{digest}",
        "log_shipper": f"registry.example.com/fluent-bit{digest}",
    }
    full = _cluster_titles(_settings({}, cluster=cluster))
    assert plain < full
    assert {name.partition("/")[0] for name in full - plain} == {
        "clusternetworkpolicy", "clusterrole", "clusterrolebinding", "configmap", "daemonset", "deployment",
        "namespace", "networkpolicy", "runtimeclass", "serviceaccount",
    }  # fmt: skip


def _cluster_titles(settings: Settings) -> set[str]:
    return {title(item) for item in cluster_objects(site(settings), settings.cluster)}


def test_the_yaml_is_the_objects() -> None:
    made = _made(_settings({"research": {}}))
    files = documents(made)
    assert list(files) == sorted(files)
    assert [yaml.safe_load(text) for text in files.values()] == made


def _up(**more: Any) -> Run:
    given = _BASE | {"tenants": {"research": {}, "finance": {}}} | more
    config = {f"sequester:{key}": value for key, value in given.items() if key != "region"}
    with EmbeddedCloud() as cloud:
        return cloud.up(blueprint, config={"aws:region": "us-east-1", **config})


@pytest.fixture(scope="module")
def applied() -> Run:
    return _up()


def test_what_is_deployed_is_what_the_settings_say(applied: Run) -> None:
    deployed: list[Any] = list(applied.kubernetes)
    assert sorted(map(title, deployed)) == sorted(map(title, _made(_settings({"research": {}, "finance": {}}))))


def test_rights_come_after_what_limits_them(applied: Run) -> None:
    """A binding waits for its namespace, policies and quota; a tenant's objects wait for admission."""
    by_urn = {resource.urn: resource for resource in applied.resources}

    def all_before(urn: str) -> set[str]:
        seen: set[str] = set()
        waiting = [urn]
        while waiting:
            found = by_urn.get(waiting.pop())
            new = set(found.dependencies) - seen if found else set[str]()
            seen |= new
            waiting += new
        return {by_urn[one].name for one in seen if one in by_urn}

    binding = next(r for r in applied.resources if r.name == "rolebinding/research-sandbox/agent")
    before = all_before(binding.urn)
    assert {
        "namespace/research-sandbox",
        "networkpolicy/research-sandbox/deny-all",
        "networkpolicy/research-agent/agent-egress",
        "resourcequota/research-sandbox/sandboxes",
        "validatingadmissionpolicybinding/sequester-sandbox-pods",
    } <= before
    assert not {name for name in before if "finance" in name}


def test_objects_are_applied_with_the_cluster_address_and_no_stored_secret(applied: Run) -> None:
    provider = next(r for r in applied.resources if r.type == "pulumi:providers:kubernetes")
    config: Any = yaml.safe_load(str(provider.inputs["kubeconfig"]))
    assert config["users"][0]["user"]["exec"]["args"][-2:] == ["--cluster-name", "sequester"]
    assert "token" not in str(config["users"][0]["user"].keys())


def test_render_needs_no_cluster() -> None:
    provider = next(r for r in _up(kubernetes="render").resources if r.type == "pulumi:providers:kubernetes")
    assert provider.inputs["renderYamlToDirectory"] == RENDER_DIRECTORY
    assert "kubeconfig" not in provider.inputs


def test_a_warm_pool_is_a_setting_of_the_tenant() -> None:
    """Its size, image and share; made last, when all that holds it is there."""
    image = f"123456789012.dkr.ecr.us-east-1.amazonaws.com/sequester/sandbox@sha256:{'0' * 64}"
    waiting = {"warm_pool": 4, "image": image, "sandbox": {"cpu": "500m", "memory": "2Gi", "disk": "1Gi"}}
    made = _made(_settings({"research": waiting, "support": {}}))
    pools = [item for item in made if item["kind"] == "Deployment"]
    assert [identity(item) for item in pools] == [("Deployment", "research-sandbox", "warm-sandboxes")]
    spec: Any = pools[0]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert spec["replicas"] == 4
    assert container["image"] == image
    shares = {"cpu": "500m", "memory": str(2 << 30), "ephemeral-storage": str(1 << 30)}
    assert container["resources"] == {"requests": shares, "limits": shares}
    own = [item for item in made if "research-sandbox" in identity(item)]
    assert own[-1] is pools[0]


def test_an_executor_of_defaults_fits_a_pool_of_defaults() -> None:
    one = SandboxSize()
    limits = pods.limits_of("1GiB", "1GiB")
    assert inspect.signature(IsolatedExecutor.kubernetes).parameters["memory"].default == "1GiB"
    share = pods.share(pods.PodSettings("research", "image"), limits)
    assert [amount(share[key]) for key in ("cpu", "memory", "ephemeral-storage")] == [
        amount(one.cpu),
        amount(one.memory),
        amount(one.disk),
    ]
