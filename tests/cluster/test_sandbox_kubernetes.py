"""Runs on a real API server, under the deployment's own rights and admission: Jobs, attach, warm pods, endings."""

import base64
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import kubelet as node
import pytest
from kubernetes import client

import tools
from infra.labels import POOL_LABEL, SANDBOX_TAINT
from infra.settings.cluster import ClusterSettings
from infra.settings.tenants import Quota, SandboxSize, TenantSettings
from infra.warm_pool import warm_pool
from infra.workloads import objects
from sequester import IsolatedExecutor
from sequester.cloud import control_plane as planes
from sequester.cloud.control_plane import ControlPlane, wait_for
from sequester.cloud.kubernetes_api import Json, KubernetesApi
from sequester.drill.tenants import REPOSITORIES, SITE
from sequester.sandbox import cgroup, local, pods
from sequester.sandbox.cluster_api import ClusterApi
from sequester.sandbox.errors import MemoryExceeded, SandboxLost, SandboxUnavailable, TimedOut
from sequester.sandbox.kubernetes import KubernetesBackend
from sequester.sandbox.task import Limits

pytestmark = [
    pytest.mark.lane("cluster", *planes.EXECUTABLES, "bwrap", "root"),
    pytest.mark.xdist_group("sandbox-cluster"),
]

TENANT, NODE = "runs", "node-a"
IMAGE = f"{REPOSITORIES}/sandbox@sha256:" + "0" * 64
# What the platform deploys, and so what a run may use: 96 MiB of memory, 16 MiB of files in each place.
SETTINGS = TenantSettings(
    sandbox=SandboxSize(cpu="100m", memory="144Mi", disk="48Mi"), warm_pool=2, image=IMAGE, quota=Quota(sandboxes=10)
)
PLACE = pods.PodSettings(TENANT, IMAGE, cpu="100m")
PODS = f"/api/v1/namespaces/{TENANT}-sandbox/pods"
LIMITS = replace(pods.limits_of("144MiB", "48MiB"), timeout_seconds=20)

# What PSA admits and our policies do not: told apart from a pod of ours by its aliases alone.
FORBIDDEN: Json = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "forbidden", "namespace": f"{TENANT}-sandbox"},
    "spec": {
        **pods.pod_spec(pods.PodSettings(TENANT, IMAGE), LIMITS, "Never"),
        "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["x.test"]}],
    },
}


class Container:
    """A container as the test kubelet runs it: the image's entrypoint behind bubblewrap, in a cgroup with a limit.

    As the kubelet does since 1.28, an out-of-memory kill takes the whole container (memory.oom.group).
    """

    def __init__(self, limits: Limits) -> None:
        machine = local.machine()
        self._process = local.start(local.command(machine, limits), local.FIRST_UID)
        self.stdin, self.stdout, self.stderr = self._process.stdin, self._process.stdout, self._process.stderr
        self.oom_killed = False
        self._group = cgroup.Cgroup(machine.cgroups, cgroup.new_name()) if machine.cgroups else None
        if self._group:
            self._group.limit(limits)
            _kill_as_a_group(self._group)
            self._group.add_family(self._process.pid)
            threading.Thread(target=self._end_as_a_group, args=(self._group,), daemon=True).start()

    def _end_as_a_group(self, group: cgroup.Cgroup) -> None:
        with contextlib.suppress(OSError):  # it ended, and its cgroup is gone
            while self._process.poll() is None:
                if group.memory_kills() or _out_of_memory(group):
                    self.oom_killed = True
                    self._process.kill()
                time.sleep(0.02)

    def wait(self, timeout: float | None = None) -> int:
        code = self._process.wait(timeout)
        if self._group:
            group, self._group = self._group, None
            self.oom_killed = self.oom_killed or bool(group.memory_kills())
            group.remove()
        return code

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


def _kill_as_a_group(group: cgroup.Cgroup) -> None:
    """One out-of-memory kill for all, so that none lives on to report another's end as something else.

    v2 has memory.oom.group. v1 has not: there the kernel stops who asks for more, and this kubelet does the killing.
    """
    if group.version == 2:
        (group.memory / "memory.oom.group").write_text("1")
    else:
        (group.memory / "memory.oom_control").write_text("1")


def _out_of_memory(group: cgroup.Cgroup) -> bool:
    """Whether someone in a v1 cgroup waits for memory that will not come."""
    return group.version == 1 and "under_oom 1" in (group.memory / "memory.oom_control").read_text().splitlines()


def run_container(container: Json, pod: Json) -> node.Running:
    return Container(LIMITS)


@dataclass(frozen=True)
class Cluster:
    """A control plane with one sandbox node and one tenant."""

    plane: ControlPlane
    agent: KubernetesApi


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with (
        pytest.MonkeyPatch.context() as patch,
        planes.running(tools.find, nodes=(NODE,), service_cidr="172.20.0.0/16") as plane,
    ):
        patch.setattr(
            node, "_WATCH_SECONDS", 5
        )  # a node's watch, which nothing else ends, keeps the server from stopping
        items = objects(SITE, ClusterSettings(), {TENANT: SETTINGS})
        items = [item for item in items if item["kind"] != "Deployment"]  # see `warm`
        admission = [item for item in items if "AdmissionPolicy" in str(item["kind"])]
        for item in (item for item in items if item not in admission):
            plane.admin.apply(item, manager="tests")
        agent = plane.service_account(f"{TENANT}-agent", "agent")  # with the policies on, only kubelets get one
        for item in admission:
            plane.admin.apply(item, manager="tests")
        until(lambda: plane.admin.request("POST", PODS, FORBIDDEN, query={"dryRun": "All"}).status == 403, "admission")
        labels = {POOL_LABEL: "sandbox"}
        taints = [{"key": SANDBOX_TAINT, "value": "true", "effect": "NoSchedule"}]
        with node.joined(plane, NODE, runner=run_container, labels=labels, taints=taints):
            yield Cluster(plane, agent)


@pytest.fixture(scope="module")
def plane(cluster: Cluster) -> ControlPlane:
    return cluster.plane


@pytest.fixture(scope="module")
def api(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> ClusterApi:
    """The cluster as the tenant's agent sees it: with its service account's token, and no other rights."""
    authority = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.write_text(cluster.agent.ca_pem)
    configuration: Any = client.Configuration()
    configuration.host = cluster.agent.server
    configuration.ssl_ca_cert = str(authority)
    configuration.api_key = {"authorization": f"Bearer {cluster.agent.token}"}
    return ClusterApi(configuration)


def backend(api: ClusterApi, **options: Any) -> IsolatedExecutor:
    settings = pods.PodSettings(TENANT, IMAGE, cpu="100m")
    options = {
        "start_seconds": 90,
        **options,
    }  # on a busy machine the quota gives back slowly, and a Job tries again later
    return IsolatedExecutor(KubernetesBackend(api, settings, **options), limits=LIMITS)


@pytest.fixture
def executor(api: ClusterApi, plane: ControlPlane) -> Iterator[IsolatedExecutor]:
    with backend(api) as made:
        yield made
    until(lambda: left(plane) == [], "nothing is left")


def until(condition: Callable[[], bool], named: str) -> None:
    wait_for(lambda: condition() or None, named, seconds=60)


def left(plane: ControlPlane) -> list[str]:
    """Jobs, pods and Leases that are still in the sandbox namespace."""
    namespace = f"/namespaces/{TENANT}-sandbox"
    paths = (
        f"/apis/batch/v1{namespace}/jobs",
        f"/api/v1{namespace}/pods",
        f"/apis/coordination.k8s.io/v1{namespace}/leases",
    )
    found: list[str] = []
    for path in paths:
        items: Any = plane.admin.request("GET", path).or_raise()["items"]
        found += [f"{path.rsplit('/', 1)[1]}/{item['metadata']['name']}" for item in items]
    return [name for name in found if "warm" not in name]


def test_the_same_call(executor: IsolatedExecutor) -> None:
    result = executor.run_untrusted_code(
        "import sys\nprint('out'); print('err', file=sys.stderr)\nopen('f', 'w').write('x')\nresult = sum(data['xs'])",
        {"xs": [1, 2]},
    )
    assert (result.value, result.stdout, result.stderr, dict(result.files)) == (3, "out\n", "err\n", {"f": b"x"})
    assert result.usage.enforcement == "kubernetes"


def test_attempts_arrive_as_events(executor: IsolatedExecutor) -> None:
    result = executor.run_untrusted_code(
        "import socket\ntry: socket.create_connection(('192.0.2.1', 443))\nexcept PermissionError: result = 'refused'"
    )
    assert result.value == "refused"
    assert [attempt.target for attempt in result.attempts] == ["192.0.2.1:443"]


def test_five_megabytes_each_way(executor: IsolatedExecutor) -> None:
    text = base64.b64encode(bytes(range(256)) * 16384).decode()
    assert executor.run_untrusted_code("result = data", text).value == text


def test_many_at_once(executor: IsolatedExecutor) -> None:
    with ThreadPoolExecutor(4) as pool:
        values = pool.map(lambda number: executor.run_untrusted_code("result = data * 2", number).value, range(8))
        assert list(values) == [0, 2, 4, 6, 8, 10, 12, 14]


def test_out_of_memory_is_the_kubelets_word(executor: IsolatedExecutor) -> None:
    with pytest.raises(MemoryExceeded, match="96 MiB"):
        executor.run_untrusted_code("kept = []\nwhile True: kept.append(bytearray(1 << 20))")


def test_timeout(executor: IsolatedExecutor) -> None:
    with pytest.raises(TimedOut):
        executor.run_untrusted_code("while True: pass", timeout=0.5)


def test_an_evicted_run_is_a_lost_run(executor: IsolatedExecutor, plane: ControlPlane) -> None:
    def evict(_stream: str, _piece: bytes) -> None:
        plane.admin.request("DELETE", f"{PODS}/{running(plane)[0]}", {"gracePeriodSeconds": 0}).or_raise()

    with pytest.raises(SandboxLost) as caught:
        executor.run_untrusted_code("import time\nprint('up', flush=True)\ntime.sleep(15)", on_output=evict)
    assert caught.value.result.stdout == "up\n"


def test_a_second_start_of_the_same_run_is_refused(executor: IsolatedExecutor) -> None:
    up, over = threading.Event(), threading.Event()

    def hold(_stream: str, _piece: bytes) -> None:
        """Whoever started it first takes no more of its output until the second is over: its pod is still there."""
        up.set()
        over.wait(60)

    code = "import time\nprint('up', flush=True)\ntime.sleep(2)\nresult = 1"
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(executor.run_untrusted_code, code, run="same", on_output=hold)
        try:
            assert up.wait(120)
            with pytest.raises(SandboxLost, match="run same was started before"):
                executor.run_untrusted_code("result = 2", run="same")
        finally:
            over.set()
        assert first.result().value == 1


def test_a_retry_takes_over_a_job_that_no_one_attached_to(executor: IsolatedExecutor, api: ClusterApi) -> None:
    settings = pods.PodSettings(TENANT, IMAGE, cpu="100m")
    assert api.create_job(settings.namespace, pods.job(settings, LIMITS, "again", 30))
    assert executor.run_untrusted_code("result = 'taken over'", run="again").value == "taken over"


def test_what_admission_refuses_is_said(api: ClusterApi) -> None:
    settings = pods.PodSettings(TENANT, "docker.io/library/python@sha256:" + "0" * 64)
    made = IsolatedExecutor(KubernetesBackend(api, settings, start_seconds=3), limits=LIMITS)
    with pytest.raises(SandboxUnavailable) as caught:
        made.run_untrusted_code("pass")
    assert "\n" not in str(caught.value)


def test_another_tenants_namespace_is_refused(api: ClusterApi) -> None:
    made = IsolatedExecutor(KubernetesBackend(api, pods.PodSettings("other", IMAGE)), limits=LIMITS)
    with pytest.raises(SandboxUnavailable, match=r"\(403\)"):
        made.run_untrusted_code("pass")


@pytest.fixture
def warm(plane: ControlPlane) -> Iterator[None]:
    """The tenant's pool, as infra/workloads.py deploys it."""
    (pool,) = warm_pool(TENANT, SETTINGS, ClusterSettings())
    plane.admin.apply(pool, manager="tests")
    until(lambda: len(ready(plane)) == 2, "the warm pool")
    yield
    namespace = f"{TENANT}-sandbox"
    plane.admin.request(
        "DELETE",
        f"/apis/apps/v1/namespaces/{namespace}/deployments/warm-sandboxes",
        {"propagationPolicy": "Foreground"},
    ).or_raise()
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment"}
    gone = {**deployment, "metadata": {"name": "warm-sandboxes", "namespace": namespace}}
    until(lambda: plane.admin.read(gone) is None and ready(plane) == [], "the pool is gone")


def ready(plane: ControlPlane) -> list[str]:
    return running(plane, {"labelSelector": f"{pods.WARM_LABEL}=true"})


def running(plane: ControlPlane, query: dict[str, str] | None = None) -> list[str]:
    items: Any = plane.admin.request("GET", PODS, query=query).or_raise()["items"]
    return [item["metadata"]["name"] for item in items if item["status"]["phase"] == "Running"]


def test_a_warm_pod_serves_once_and_is_replaced(api: ClusterApi, plane: ControlPlane, warm: None) -> None:
    before = set(ready(plane))
    with backend(api, warm=True) as executor:
        assert executor.run_untrusted_code("result = 1").value == 1
    until(lambda: len(ready(plane)) == 2 and len(set(ready(plane)) - before) >= 1, "a new one")
    until(lambda: left(plane) == [], "nothing is left")


SEEN = "import os\nresult = os.path.exists('/tmp/seen')\nopen('/tmp/seen', 'w')"


def test_parallel_claims_never_share_a_pod(api: ClusterApi, warm: None) -> None:
    """Six agents at once, two waiting pods: who gets none takes a Job."""
    with ExitStack() as stack, ThreadPoolExecutor(6) as pool:
        agents = [stack.enter_context(backend(api, warm=True)) for _ in range(6)]
        runs = [pool.submit(agent.run_untrusted_code, SEEN) for agent in agents]
        assert [run.result().value for run in runs] == [False] * 6


def test_one_claim_in_many_wins(api: ClusterApi, plane: ControlPlane, warm: None) -> None:
    pod = api.pods(f"{TENANT}-sandbox", f"{pods.WARM_LABEL}=true")[0]
    owner: pods.Object = {"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid}
    bodies = [pods.claim(PLACE, pod.name, f"run-{number}", owner, 20) for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        won = list(pool.map(lambda body: api.create_lease(PLACE.namespace, body), bodies))
    assert won.count(True) == 1
    api.delete_pod(PLACE.namespace, pod.name)
    until(lambda: left(plane) == [], "the claim goes with its pod")


def test_a_claim_that_no_one_used_is_cleared_in_time(api: ClusterApi, plane: ControlPlane, warm: None) -> None:
    claimed = api.pods(PLACE.namespace, f"{pods.WARM_LABEL}=true")
    for pod in claimed:
        owner: pods.Object = {"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid}
        body = pods.claim(PLACE, pod.name, "died", owner, 20)
        old: Any = {**body, "spec": {**body["spec"], "acquireTime": "2020-01-01T00:00:00.000001Z"}}  # type: ignore[dict-item]
        assert api.create_lease(PLACE.namespace, old)
    with backend(api, warm=True) as executor:
        assert executor.run_untrusted_code("result = 1").value == 1
    until(lambda: not {pod.name for pod in claimed} & set(ready(plane)), "pods of the dead agent are gone")


def test_an_empty_pool_means_a_job(api: ClusterApi, plane: ControlPlane) -> None:
    assert ready(plane) == []
    with backend(api, warm=True) as executor:
        assert executor.run_untrusted_code("result = 1").value == 1


def test_a_run_of_another_size_takes_a_job(api: ClusterApi, plane: ControlPlane, warm: None) -> None:
    before = set(ready(plane))
    with backend(api, warm=True) as executor:
        assert executor.run_untrusted_code("result = 1", memory="64MiB").value == 1
    assert set(ready(plane)) == before


def test_a_drained_cluster_is_said(api: ClusterApi, plane: ControlPlane, warm: None) -> None:
    def cordon(*, on: bool) -> None:
        plane.admin.request(
            "PATCH", f"/api/v1/nodes/{NODE}", {"spec": {"unschedulable": on}}, content_type=node._STRATEGIC
        ).or_raise()

    cordon(on=True)
    try:
        for name in ready(plane):
            plane.admin.request("DELETE", f"{PODS}/{name}", {"gracePeriodSeconds": 0}).or_raise()
        until(lambda: ready(plane) == [], "the node is empty")

        def said() -> bool:
            """Until the controller has made the pod and the scheduler has looked at it, nobody knows better."""
            with backend(api, warm=True, start_seconds=3) as executor, pytest.raises(SandboxUnavailable) as caught:
                executor.run_untrusted_code("result = 1")
            return "nodes are available" in str(caught.value)

        until(said, "the scheduler's word")
    finally:
        cordon(on=False)
    until(lambda: len(ready(plane)) == 2, "the pool comes back")
    with backend(api, warm=True) as executor:
        assert executor.run_untrusted_code("result = 2").value == 2


@pytest.mark.parametrize(
    ("verb", "path", "body"),
    [
        ("PATCH", PODS, {"metadata": {"labels": {"x": "y"}}}),
        ("PATCH", f"/apis/coordination.k8s.io/v1/namespaces/{TENANT}-sandbox/leases", {"spec": {}}),
        ("POST", PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {}}),
        ("POST", f"/apis/apps/v1/namespaces/{TENANT}-sandbox/deployments", {}),
        ("PATCH", f"/apis/apps/v1/namespaces/{TENANT}-sandbox/deployments", {"spec": {"replicas": 100}}),
        ("POST", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases", {}),
    ],
)
def test_an_agent_claims_and_does_no_more(cluster: Cluster, verb: str, path: str, body: Json) -> None:
    target = path if verb == "POST" else f"{path}/warm-sandboxes"
    assert cluster.agent.request(verb, target, body, content_type=node._STRATEGIC).status in (403, 415)
