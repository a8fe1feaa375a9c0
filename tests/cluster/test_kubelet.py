"""The test kubelet is a node like any other: a Job's pod is scheduled to it, runs, is attached to, ends and goes."""

import ssl
import sys
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import kubelet as node
import pytest
import urllib3
from kubernetes import client, stream

from sequester.cloud.control_plane import EXECUTABLES, ControlPlane, wait_for
from sequester.cloud.kubernetes_api import Json

pytestmark = pytest.mark.lane("cluster", *EXECUTABLES)

NODE = "node-a"
TAINT = {"key": "kubelet.test/own", "value": "true", "effect": "NoSchedule"}
TOLERATION = {"key": "kubelet.test/own", "operator": "Exists"}
MEBIBYTE = 1 << 20

ECHO = """
import os
while data := os.read(0, 65536):
    os.write(1, data)
os.write(2, b"done")
"""


def run(container: Json, pod: Json) -> node.Running:
    """The runner of these tests: a plain process; `oom` is said to be out of memory, `late` starts after a while."""
    if container["name"] == "late":
        time.sleep(1.5)
    started: Any = node.plain_process(container, pod)
    started.oom_killed = container["name"] == "oom"
    return started


@pytest.fixture(scope="module")
def joined(control_plane: ControlPlane) -> Iterator[node.Kubelet]:
    with node.joined(control_plane, NODE, runner=run, labels={"kubelet.test/own": "true"}, taints=[TAINT]) as kubelet:
        yield kubelet


@pytest.fixture
def namespace(control_plane: ControlPlane, joined: node.Kubelet) -> Iterator[str]:
    name = f"kubelet-{uuid4().hex[:8]}"
    control_plane.admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, manager="test")
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
    wait_for(lambda: control_plane.admin.read(account), "the default service account")
    yield name
    control_plane.admin.request("DELETE", f"/api/v1/namespaces/{name}")


def python(code: str, *, name: str = "code", **fields: Any) -> Json:
    return {"name": name, "image": "registry.example/x", "command": [sys.executable, "-c", code], **fields}


def pod_spec(container: Json, **fields: Any) -> Json:
    placed = {"nodeSelector": {"kubelet.test/own": "true"}, "tolerations": [TOLERATION]}
    return {"restartPolicy": "Never", "containers": [container], "terminationGracePeriodSeconds": 1, **placed, **fields}


def start(plane: ControlPlane, namespace: str, container: Json, **fields: Any) -> str:
    manifest: Json = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "it", "namespace": namespace}}
    plane.admin.request(
        "POST", f"/api/v1/namespaces/{namespace}/pods", manifest | {"spec": pod_spec(container, **fields)}
    ).or_raise()
    return f"/api/v1/namespaces/{namespace}/pods/it"


def reached(plane: ControlPlane, path: str, *phases: str) -> Any:
    def look() -> Any:
        pod: Any = plane.admin.request("GET", path).body
        return pod if pod.get("status", {}).get("phase") in phases else None

    return wait_for(look, f"{path} to be {' or '.join(phases)}")


def terminated(pod: Any) -> Any:
    return pod["status"]["containerStatuses"][0]["state"]["terminated"]


def test_a_job_runs_to_completion_and_its_log_is_read(control_plane: ControlPlane, namespace: str) -> None:
    job: Json = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "sum", "namespace": namespace},
        "spec": {"backoffLimit": 0, "template": {"spec": pod_spec(python("print(6 * 7)"))}},
    }
    control_plane.admin.apply(job, manager="test")

    def completed() -> Any:
        live: Any = control_plane.admin.read(job)
        done = {c["type"] for c in live["status"].get("conditions", []) if c["status"] == "True"}
        return live if "Complete" in done else None

    assert wait_for(completed, "the job")["status"]["succeeded"] == 1
    pods: Any = control_plane.admin.request("GET", f"/api/v1/namespaces/{namespace}/pods").body
    (pod,) = pods["items"]
    assert pod["spec"]["nodeName"] == NODE  # the scheduler's doing, not ours
    log = control_plane.admin.request("GET", f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/log")
    assert log.body == {"text": "42\n"}


@pytest.mark.parametrize(
    ("name", "code", "exit_code", "reason"),
    [
        ("fails", "raise SystemExit(3)", 3, "Error"),
        ("signalled", "import os; os.kill(os.getpid(), 9)", 137, "Error"),
        ("oom", "import os; os.kill(os.getpid(), 9)", 137, "OOMKilled"),
    ],
)
def test_a_failure_is_reported_with_its_reason(
    control_plane: ControlPlane, namespace: str, name: str, code: str, exit_code: int, reason: str
) -> None:
    path = start(control_plane, namespace, python(code, name=name))
    ended = terminated(reached(control_plane, path, "Failed"))
    assert (ended["exitCode"], ended["reason"]) == (exit_code, reason)


@pytest.mark.parametrize(
    ("command", "said"), [(["/no/such/program"], "No such file"), ([], "has no command")], ids=["missing", "none"]
)
def test_what_cannot_be_started_fails_with_the_reason(
    control_plane: ControlPlane, namespace: str, command: list[str], said: str
) -> None:
    path = start(control_plane, namespace, python("") | {"command": command})
    status = reached(control_plane, path, "Failed")["status"]
    assert status["reason"] == "StartError"
    assert said in status["message"]


def test_a_pod_that_is_to_go_on_is_restarted(control_plane: ControlPlane, namespace: str) -> None:
    path = start(control_plane, namespace, python("pass"), restartPolicy="Always")

    def restarted() -> Any:
        pod: Any = control_plane.admin.request("GET", path).body
        found = pod["status"].get("containerStatuses", [])
        return pod if found and found[0]["restartCount"] >= 2 else None

    assert wait_for(restarted, "the second restart")["status"]["phase"] == "Running"


def attach(plane: ControlPlane, namespace: str) -> Any:
    configuration = client.Configuration(host=plane.server)
    configuration.ssl_ca_cert = str(plane.folder / "ca.pem")
    configuration.api_key = {"authorization": f"Bearer {plane.admin.token}"}
    core = client.CoreV1Api(client.ApiClient(configuration))
    return stream.stream(
        core.connect_get_namespaced_pod_attach,
        "it",
        namespace,
        stdin=True,
        stdout=True,
        stderr=True,
        tty=False,
        _preload_content=False,
        binary=True,
    )


def received(attached: Any, channel: int, size: int) -> bytes:
    got = b""
    ends = time.monotonic() + 60
    while len(got) < size and attached.is_open() and time.monotonic() < ends:
        attached.update(timeout=1)
        got += attached.read_channel(channel, timeout=0) or b""
    return got


def test_five_mebibytes_go_in_and_come_back(control_plane: ControlPlane, namespace: str) -> None:
    path = start(control_plane, namespace, python(ECHO, stdin=True, stdinOnce=True))
    reached(control_plane, path, "Running")
    sent = bytes(range(256)) * (5 * MEBIBYTE // 256)
    attached = attach(control_plane, namespace)
    back = b""
    for at in range(0, len(sent), MEBIBYTE // 4):
        piece = sent[at : at + MEBIBYTE // 4]
        attached.write_channel(0, piece)
        back += received(attached, 1, len(piece))
    assert back == sent
    attached.sock.send_binary(bytes([255, 0]))  # half-close: end of input, the output still comes
    assert received(attached, 2, 4) == b"done"
    attached.close()
    assert terminated(reached(control_plane, path, "Succeeded"))["exitCode"] == 0


def test_a_client_that_goes_ends_the_input(control_plane: ControlPlane, namespace: str) -> None:
    path = start(control_plane, namespace, python(ECHO, stdin=True, stdinOnce=True))
    reached(control_plane, path, "Running")
    attach(control_plane, namespace).close()
    reached(control_plane, path, "Succeeded")


def test_without_stdin_once_the_input_stays_open(control_plane: ControlPlane, namespace: str) -> None:
    path = start(control_plane, namespace, python(ECHO, stdin=True))
    reached(control_plane, path, "Running")
    attach(control_plane, namespace).close()
    second = attach(control_plane, namespace)
    second.write_channel(0, b"still")
    assert received(second, 1, 5) == b"still"
    second.close()
    assert reached(control_plane, path, "Running")


def test_a_deleted_pod_is_ended_and_gone(control_plane: ControlPlane, namespace: str, joined: node.Kubelet) -> None:
    path = start(control_plane, namespace, python("import time; time.sleep(300)"))
    reached(control_plane, path, "Running")
    control_plane.admin.request("DELETE", path)
    wait_for(lambda: control_plane.admin.request("GET", path).status == 404 or None, "the pod to go")
    assert joined.find(namespace, "it", "code") is None


@pytest.mark.parametrize("name", ["code", "late"])
def test_a_deadline_is_enforced(control_plane: ControlPlane, namespace: str, name: str) -> None:
    """Also where the time is up before the container has started, as on a busy machine."""
    path = start(control_plane, namespace, python("import time; time.sleep(300)", name=name), activeDeadlineSeconds=1)
    assert reached(control_plane, path, "Failed")["status"]["reason"] == "DeadlineExceeded"


def test_nobody_but_the_api_server_may_connect(control_plane: ControlPlane, joined: node.Kubelet) -> None:
    live: Any = control_plane.admin.request("GET", f"/api/v1/nodes/{NODE}").body
    port = live["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    pool = urllib3.PoolManager(ca_certs=str(control_plane.folder / "ca.pem"), retries=False)
    with pytest.raises((urllib3.exceptions.HTTPError, ssl.SSLError)):
        pool.request("GET", f"https://127.0.0.1:{port}/containerLogs/a/b/c")
