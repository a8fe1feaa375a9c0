"""Sandboxes on the deployed cluster: a Job a run, or a warm pod claimed for one, spoken to over pods/attach."""

import random
import threading
import time
from dataclasses import dataclass

from sequester.sandbox import pods
from sequester.sandbox.cluster_api import Attached, ClusterApi, Pod, quantities
from sequester.sandbox.errors import InvalidRequest, SandboxLost, SandboxUnavailable
from sequester.sandbox.result import Result
from sequester.sandbox.session import OnOutput, converse
from sequester.sandbox.task import Task
from sequester.sandbox.tree import ENVIRONMENT

START_SECONDS = 180.0
ENDING_SECONDS = 15


@dataclass(frozen=True)
class Place:
    """The pod that a run has to itself, and what goes when the run is over."""

    pod: Pod
    job: str = ""


class PodChannel:
    """The attached supervisor of one pod: a session.Channel."""

    enforcement = "kubernetes"

    def __init__(self, backend: "KubernetesBackend", place: Place, attached: Attached) -> None:
        self._backend = backend
        self._place = place
        self._attached = attached
        self.send = attached.send
        self.receive = attached.receive

    def close(self) -> None:
        self._attached.close()  # the supervisor loses its client, and ends the run if it had not ended
        self._backend.discard(self._place)

    def memory_exceeded(self, *, ended: bool) -> bool:
        """The kubelet's own word; it is asked only when the supervisor could not say how the run ended."""
        return not ended and self._backend.ending(self._place) == "OOMKilled"

    def peak_memory_bytes(self) -> int | None:
        return None


class KubernetesBackend:
    """Runs tasks in a tenant's sandbox namespace. Many runs may be in flight from many threads."""

    def __init__(
        self,
        api: ClusterApi,
        settings: pods.PodSettings,
        *,
        warm: bool = False,
        machine: str = "x86_64",
        start_seconds: float = START_SECONDS,
    ) -> None:
        self._api = api
        self._settings = settings
        self._warm = warm
        self._machine = machine
        self._start_seconds = start_seconds
        self._closed = False

    def run(self, task: Task, on_output: OnOutput | None = None, stop: threading.Event | None = None) -> Result:
        if self._closed:
            raise InvalidRequest("the executor is closed: make a new one")
        # Built first: a task that cannot be sent must not cost a pod.
        request = task.request({}, (), ENVIRONMENT, self._machine)
        place = self._claim_warm(task) or self._start_job(task)
        try:
            attached = self._api.attach(self._settings.namespace, place.pod.name, pods.CONTAINER)
        except BaseException:
            self.discard(place)
            raise
        return converse(PodChannel(self, place, attached), task, request, on_output, stop)

    def close(self) -> None:
        self._closed = True

    def _claim_warm(self, task: Task) -> Place | None:
        """A waiting pod of the run's size that is now this run's alone; None when there is none."""
        if not self._warm:
            return None
        namespace = self._settings.namespace
        wanted = quantities(pods.share(self._settings, task.limits))
        waiting = self._api.pods(namespace, f"{pods.WARM_LABEL}=true")
        random.shuffle(waiting)  # two agents that begin with the same pod would meet at each
        for pod in waiting:
            if not pod.running or pod.deleting or pod.share != wanted:
                continue
            if pod.restarts:  # it served someone who did not come to delete it
                self._api.delete_pod(namespace, pod.name)
            elif self._api.create_lease(namespace, self._claim(pod, pod.name, task)):
                return Place(pod)
            elif self._api.lease_expired(namespace, pod.name):  # by someone who never came
                self._api.delete_pod(namespace, pod.name)
        return None

    def _claim(self, pod: Pod, name: str, task: Task) -> pods.Object:
        owner: pods.Object = {"apiVersion": "v1", "kind": "Pod", "name": pod.name, "uid": pod.uid}
        return pods.claim(self._settings, name, task.run, owner, task.limits.timeout_seconds)

    def _start_job(self, task: Task) -> Place:
        """A Job's pod, running. A Job of the same run that is there already is taken over if no one did before."""
        namespace, name = self._settings.namespace, pods.job_name(task.run)
        made = self._api.create_job(namespace, pods.job(self._settings, task.limits, task.run, self._start_seconds))
        try:
            pod = self._wait_until_running(task.run)
            claimed = self._api.create_lease(namespace, self._claim(pod, name, task))
        except BaseException:
            if made:
                self._api.delete_job(namespace, name)
            raise
        if not claimed:
            raise SandboxLost(
                f"run {task.run} was started before, and results are kept nowhere: give a new run id",
                Result(exit=None, run=task.run),
            )
        return Place(pod, name)

    def _wait_until_running(self, run: str) -> Pod:
        until = time.monotonic() + self._start_seconds
        last = ""
        while (left := until - time.monotonic()) > 0:
            for pod in self._api.watch_pods(self._settings.namespace, f"{pods.RUN_LABEL}={run}", int(left)):
                if pod.running:
                    return pod
                last = pod.waiting or last
                if pod.hopeless or pod.phase in ("Failed", "Succeeded"):
                    raise SandboxUnavailable(f"the sandbox's pod does not start: {last or pod.ended or pod.phase}")
                if time.monotonic() > until:
                    break
        raise SandboxUnavailable(
            f"no sandbox within {self._start_seconds:g} s: {last or 'no pod was made: is the quota spent?'}"
        )

    def ending(self, place: Place) -> str:
        """Why the pod's container ended, waiting a moment for the kubelet to say so; '' when it does not."""
        selector = f"{pods.WARM_LABEL}=true" if not place.job else f"{pods.RUN_LABEL}={place.job.removeprefix('run-')}"
        if place.pod.name not in {pod.name for pod in self._api.pods(self._settings.namespace, selector)}:
            return ""  # evicted, or deleted by someone else
        for pod in self._api.watch_pods(self._settings.namespace, selector, ENDING_SECONDS):
            if pod.name == place.pod.name and (pod.ended or pod.deleting):
                return pod.ended
        return ""

    def discard(self, place: Place) -> None:
        """Delete what the run had: nothing of it serves again. Its Lease goes with its pod."""
        if place.job:
            self._api.delete_job(self._settings.namespace, place.job)
        else:
            self._api.delete_pod(self._settings.namespace, place.pod.name)
