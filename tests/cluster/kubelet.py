"""A small kubelet for tests: a node that really takes pods, runs their commands, reports, and serves attach and logs.

What it does as the real one does: it registers the node and renews its Lease with a kubelet's own rights, takes the
pods that the scheduler binds to it, reports their status, ends and removes deleted ones, and serves attach
(`v5.channel.k8s.io`, half-close, stdinOnce) and logs over mutual TLS. What it does not: images, volumes, probes,
init containers, restarts with back-off. Containers are started by a runner, so that a test chooses what a pod is.
"""

import os
import ssl
import subprocess
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol

import urllib3
from kubelet_server import Streams, serving

from sequester.cloud.control_plane import ControlPlane
from sequester.cloud.kubernetes_api import ApiError, Json, KubernetesApi

LEASE_SECONDS = 40
_RENEW_SECONDS = 10
_WATCH_SECONDS = 240
_RESTART_SECONDS = 0.2
_STRATEGIC = "application/strategic-merge-patch+json"
_POD_ADDRESS = "192.0.2.10"


class Running(Protocol):
    """A started container; `subprocess.Popen[bytes]` with three pipes is one."""

    stdin: IO[bytes] | None
    stdout: IO[bytes] | None
    stderr: IO[bytes] | None

    def wait(self, timeout: float | None = None) -> int: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


Runner = Callable[[Json, Json], Running]
"""Starts a container, given its spec and its pod; OSError or StartError where that fails.

An attribute `oom_killed` of what it returns, if true after the end, is reported as the reason.
"""


def plain_process(container: Json, pod: Json) -> Running:
    """The container's command as an ordinary process with the container's environment only."""
    spec: Any = container
    command = [*spec.get("command", []), *spec.get("args", [])]
    if not command:
        raise StartError(f"container {spec['name']} has no command, and this kubelet has no images")
    environment = {entry["name"]: entry.get("value", "") for entry in spec.get("env", [])}
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment | {"PATH": os.environ["PATH"]},
        start_new_session=True,
    )


class StartError(Exception):
    """A container that a runner could not start, and why; its pod fails with that."""


@dataclass
class _Pod:
    """A pod on this node: what runs in it and how it went."""

    manifest: Any
    streams: dict[str, Streams] = field(default_factory=dict)
    running: dict[str, Running] = field(default_factory=dict)
    deleted: threading.Event = field(default_factory=threading.Event)
    expired: bool = False
    restarts: int = 0

    @property
    def path(self) -> str:
        meta = self.manifest["metadata"]
        return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"


class Kubelet:
    """One node; see `joined`."""

    def __init__(self, plane: ControlPlane, name: str, runner: Runner) -> None:
        self.name = name
        self._api: KubernetesApi = plane.node(name)
        self._runner = runner
        self._pods: dict[str, _Pod] = {}
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def find(self, namespace: str, pod: str, container: str) -> Streams | None:
        """The streams of a started container, for the server."""
        for held in list(self._pods.values()):
            meta = held.manifest["metadata"]
            if (meta["namespace"], meta["name"]) == (namespace, pod):
                return held.streams.get(container)
        return None

    def join(self, port: int, labels: dict[str, str], taints: list[dict[str, str]]) -> None:
        """Registers the node, ready, and starts to take pods."""
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.name, "labels": labels}}
        spec: Json = {"taints": taints} if taints else {}
        self._api.request("POST", "/api/v1/nodes", node | {"spec": spec}).or_raise()
        self._api.request(
            "PATCH", f"/api/v1/nodes/{self.name}/status", {"status": _node_status(port)}, content_type=_STRATEGIC
        ).or_raise()
        self._renew()
        for work in (self._keep_lease, self._watch_pods):
            self._start(work)

    def leave(self) -> None:
        """Ends all that runs here and waits for it."""
        self._stopping.set()
        for pod in list(self._pods.values()):
            pod.deleted.set()
            for running in list(pod.running.values()):
                running.kill()
        for thread in self._threads:
            thread.join(timeout=20)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True, name=f"{self.name} {work.__name__}")
        self._threads.append(thread)
        thread.start()

    def _keep_lease(self) -> None:
        while not self._stopping.wait(_RENEW_SECONDS):
            self._renew()

    def _renew(self) -> None:
        lease: Json = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.name, "namespace": "kube-node-lease"},
            "spec": {
                "holderIdentity": self.name,
                "leaseDurationSeconds": LEASE_SECONDS,
                "renewTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            },
        }
        collection = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        if self._api.request("PATCH", f"{collection}/{self.name}", lease, content_type=_STRATEGIC).status == 404:
            self._api.request("POST", collection, lease).or_raise()

    def _watch_pods(self) -> None:
        query = {"fieldSelector": f"spec.nodeName={self.name}"}
        while not self._stopping.is_set():
            try:
                for event in self._api.watch("/api/v1/pods", seconds=_WATCH_SECONDS, query=query):
                    if self._stopping.is_set():
                        return
                    self._take(event)
            except (ApiError, urllib3.exceptions.HTTPError):
                self._stopping.wait(0.2)

    def _take(self, event: Any) -> None:
        pod = event["object"]
        uid = pod["metadata"]["uid"]
        held = self._pods.get(uid)
        if event["type"] == "DELETED" or pod["metadata"].get("deletionTimestamp"):
            if held is None:
                if event["type"] != "DELETED":
                    self._remove(_Pod(pod))
                return
            if not held.deleted.is_set():
                held.deleted.set()
                self._start(self._end, held, pod["metadata"].get("deletionGracePeriodSeconds", 0))
        elif held is None and pod["status"]["phase"] == "Pending":
            self._pods[uid] = _Pod(pod)
            self._start(self._run, self._pods[uid])

    def _run(self, pod: _Pod) -> None:
        spec = pod.manifest["spec"]
        deadline = threading.Timer(spec.get("activeDeadlineSeconds", 0), self._expire, (pod,))
        deadline.daemon = True
        if "activeDeadlineSeconds" in spec:
            deadline.start()
        try:
            codes = self._run_to_the_end(pod)
        except (OSError, StartError) as error:
            for running in pod.running.values():  # started before the one that failed
                running.kill()
            self._report(pod, {"phase": "Failed", "reason": "StartError", "message": str(error)})
            return
        finally:
            deadline.cancel()
        failed = pod.expired or any(code != 0 for code in codes.values())
        status: Json = {"phase": "Failed" if failed else "Succeeded"} | _conditions(ready=False)
        if pod.expired:
            status |= {"reason": "DeadlineExceeded", "message": "Pod was active longer than specified deadline"}
        ended = [self._ended(pod, name, code) for name, code in codes.items()]
        self._report(pod, status | {"containerStatuses": ended})
        if pod.deleted.is_set():
            self._remove(pod)

    def _run_to_the_end(self, pod: _Pod) -> dict[str, int]:
        """Runs the containers, again as the restart policy says: their last exit codes by name."""
        codes = self._run_once(pod)
        while not pod.deleted.is_set() and not pod.expired and _again(pod.manifest["spec"]["restartPolicy"], codes):
            pod.restarts += 1
            if pod.deleted.wait(_RESTART_SECONDS):
                break
            codes = self._run_once(pod)
        return codes

    def _run_once(self, pod: _Pod) -> dict[str, int]:
        """Starts all containers and waits for them: their exit codes by name."""
        for container in pod.manifest["spec"]["containers"]:
            name = container["name"]
            pod.running[name] = running = self._runner(container, pod.manifest)
            pod.streams[name] = Streams(running, stdin_once=container.get("stdinOnce", False))
        if pod.deleted.is_set() or pod.expired:  # while it was being started
            for running in pod.running.values():
                running.kill()
        started = [self._state(pod, name, {"running": {"startedAt": _now()}}) for name in pod.running]
        addresses = {"podIP": _POD_ADDRESS, "podIPs": [{"ip": _POD_ADDRESS}], "hostIP": "127.0.0.1"}
        self._report(
            pod,
            {"phase": "Running", "startTime": _now(), "containerStatuses": started}
            | addresses
            | _conditions(ready=True),
        )
        codes = {name: running.wait() for name, running in pod.running.items()}
        for streams in pod.streams.values():
            streams.finish()
        return codes

    def _ended(self, pod: _Pod, name: str, code: int) -> Json:
        out_of_memory = bool(getattr(pod.running[name], "oom_killed", False))
        reason = "OOMKilled" if out_of_memory else "Completed" if code == 0 else "Error"
        # A process that a signal ended is -signal to Python and 128+signal to a container runtime.
        exit_code = code if code >= 0 else 128 - code
        return self._state(pod, name, {"terminated": {"exitCode": exit_code, "reason": reason, "finishedAt": _now()}})

    def _state(self, pod: _Pod, name: str, state: Json) -> Json:
        image = next(c["image"] for c in pod.manifest["spec"]["containers"] if c["name"] == name)
        up = "running" in state
        return {
            "name": name,
            "image": image,
            "imageID": image,
            "containerID": f"test://{pod.manifest['metadata']['uid']}/{name}/{pod.restarts}",
            "ready": up,
            "started": up,
            "restartCount": pod.restarts,
            "state": state,
        }

    def _report(self, pod: _Pod, status: Json) -> None:
        self._api.request("PATCH", f"{pod.path}/status", {"status": status}, content_type=_STRATEGIC)

    def _expire(self, pod: _Pod) -> None:
        pod.expired = True
        for running in list(pod.running.values()):
            running.kill()

    def _end(self, pod: _Pod, grace_seconds: float) -> None:
        for running in list(pod.running.values()):
            running.terminate()
        for running in list(pod.running.values()):
            try:
                running.wait(max(grace_seconds, 0.1))
            except subprocess.TimeoutExpired:
                running.kill()
        for running in list(pod.running.values()):
            running.wait()
        self._remove(pod)

    def _remove(self, pod: _Pod) -> None:
        """The last word on a deleted pod is the kubelet's."""
        uid = pod.manifest["metadata"]["uid"]
        self._api.request("DELETE", pod.path, {"gracePeriodSeconds": 0, "preconditions": {"uid": uid}})
        self._pods.pop(uid, None)


@contextmanager
def joined(
    plane: ControlPlane,
    name: str,
    *,
    runner: Runner = plain_process,
    labels: dict[str, str] | None = None,
    taints: list[dict[str, str]] | None = None,
) -> Generator[Kubelet]:
    """A node in the cluster until the end of the block; `name` is one of the control plane's `nodes`."""
    kubelet = Kubelet(plane, name, runner)
    with serving(kubelet.find, _tls(plane)) as port:
        kubelet.join(port, {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"} | (labels or {}), taints or [])
        try:
            yield kubelet
        finally:
            kubelet.leave()
            plane.admin.request("DELETE", f"/api/v1/nodes/{name}")


def _tls(plane: ControlPlane) -> ssl.SSLContext:
    """Nobody but the API server may attach: it shows a certificate of the cluster's authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(plane.kubelet_client_ca))
    context.verify_mode = ssl.CERT_REQUIRED
    leaf = plane.authority.issue_cert("127.0.0.1")
    leaf.configure_cert(context)
    return context


def _node_status(port: int) -> Json:
    resources = {"cpu": "16", "memory": "64Gi", "pods": "500", "ephemeral-storage": "100Gi"}
    return {
        "capacity": resources,
        "allocatable": resources,
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        # Without it the API server turns an attach into SPDY, which this server does not speak.
        "declaredFeatures": ["ExtendWebSocketsToKubelet"],
        "nodeInfo": {
            "kubeletVersion": "v1.36.0",
            "operatingSystem": "linux",
            "architecture": "amd64",
            "containerRuntimeVersion": "test://1",
            "osImage": "test",
            "kernelVersion": Path("/proc/sys/kernel/osrelease").read_text().strip(),
            "machineID": "",
            "systemUUID": "",
            "bootID": "",
            "kubeProxyVersion": "",
        },
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "KubeletReady",
                "message": "test kubelet",
                "lastHeartbeatTime": _now(),
                "lastTransitionTime": _now(),
            }
        ],
    }


def _conditions(*, ready: bool) -> Json:
    status = "True" if ready else "False"
    kinds = ("Ready", "ContainersReady")
    now = _now()
    found = [{"type": kind, "status": status, "lastTransitionTime": now} for kind in kinds]
    return {"conditions": [*found, {"type": "Initialized", "status": "True", "lastTransitionTime": now}]}


def _again(policy: str, codes: dict[str, int]) -> bool:
    return policy == "Always" or (policy == "OnFailure" and any(codes.values()))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
