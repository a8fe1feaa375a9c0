"""The Kubernetes objects of a sandbox: the pod that admission asks for, the Job of a run, the warm pool, the claim.

Names and labels are those of the deployment (infra/labels.py, infra/admission.py); a test holds them together.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sequester.sandbox.guest.request import SCRATCH, WORK
from sequester.sandbox.task import Limits, size_bytes
from sequester.sandbox.tree import ENVIRONMENT, SHARED_MEMORY_BYTES

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Object = dict[str, Json]

CONTAINER = "sandbox"
ACCOUNT = "sandbox"
POOL_LABEL, POOL = "sequester.dev/pool", "sandbox"
TAINT = "sequester.dev/sandbox"
RUN_LABEL, WARM_LABEL = "sequester.dev/run", "sequester.dev/warm"
WARM_POOL = "warm-sandboxes"
SECCOMP_PROFILE = "sequester/sandbox.json"
MANAGED_BY: Object = {"app.kubernetes.io/managed-by": "sequester"}

SUPERVISOR_MEMORY_BYTES = 48 << 20
"""What the supervisor and the streams need on top of the run's own memory."""

GRACE_SECONDS = 60
KEEP_SECONDS = 60
"""How long a Job that no client deleted stays, and with it the container's log on the node."""


@dataclass(frozen=True)
class PodSettings:
    """Of a tenant's sandboxes on one cluster."""

    tenant: str
    image: str
    """By digest: ``<account>.dkr.ecr.<region>.amazonaws.com/<name>@sha256:...``."""
    cpu: str = "1"
    runtime_class: str = ""
    """``gvisor`` where the deployment has it."""

    @property
    def namespace(self) -> str:
        return f"{self.tenant}-sandbox"


def limits_of(memory: int | str, disk: int | str) -> Limits:
    """What a run may use in a pod that has this much in all: what the supervisor and the mounts need is set aside."""
    memory_bytes = size_bytes("memory", memory) - SUPERVISOR_MEMORY_BYTES
    disk_bytes = (size_bytes("disk", disk) - SHARED_MEMORY_BYTES) // 2
    return Limits(memory_bytes=memory_bytes, disk_bytes=disk_bytes)


def share(settings: PodSettings, limits: Limits) -> dict[str, str]:
    """What a pod for runs of these limits asks for, and may use at most."""
    return {
        "cpu": settings.cpu,
        "memory": str(limits.memory_bytes + SUPERVISOR_MEMORY_BYTES),
        "ephemeral-storage": str(2 * limits.disk_bytes + SHARED_MEMORY_BYTES),
    }


def pod_spec(settings: PodSettings, limits: Limits, restart: str) -> Object:
    """What PSA `restricted` and the deployment's admission policies ask for: no token, no network, nothing mounted."""
    resources: Object = dict(share(settings, limits))
    spec: Object = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "serviceAccountName": ACCOUNT,
        "restartPolicy": restart,
        "terminationGracePeriodSeconds": 0,
        "nodeSelector": {POOL_LABEL: POOL},
        "tolerations": [{"key": TAINT, "operator": "Exists", "effect": "NoSchedule"}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "fsGroup": 1000,
            "seccompProfile": {"type": "Localhost", "localhostProfile": SECCOMP_PROFILE},
        },
        "containers": [
            {
                "name": CONTAINER,
                "image": settings.image,
                "stdin": True,
                "stdinOnce": True,
                "env": [{"name": name, "value": value} for name, value in ENVIRONMENT.items()],
                "workingDir": WORK,
                "resources": {"requests": resources, "limits": resources},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [{"name": "work", "mountPath": WORK}, {"name": "scratch", "mountPath": SCRATCH}],
            }
        ],
        "volumes": [
            {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": str(limits.disk_bytes)}}
            for name in ("work", "scratch")
        ],
    }
    if settings.runtime_class:
        spec["runtimeClassName"] = settings.runtime_class
    return spec


def job_name(run: str) -> str:
    return f"run-{run}"


def job(settings: PodSettings, limits: Limits, run: str, start_seconds: float) -> Object:
    """One run: one pod, never tried twice, gone by itself if its client is."""
    labels: Object = {**MANAGED_BY, RUN_LABEL: run}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": job_name(run), "namespace": settings.namespace, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "activeDeadlineSeconds": int(limits.timeout_seconds + start_seconds) + GRACE_SECONDS,
            "ttlSecondsAfterFinished": KEEP_SECONDS,
            "template": {"metadata": {"labels": labels}, "spec": pod_spec(settings, limits, "Never")},
        },
    }


def warm_pool(settings: PodSettings, limits: Limits, size: int) -> Object:
    """A Deployment of waiting pods, for the platform to deploy: each is claimed once, then deleted and replaced."""
    labels: Object = {**MANAGED_BY, WARM_LABEL: "true"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": WARM_POOL, "namespace": settings.namespace, "labels": labels},
        "spec": {
            "replicas": size,
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod_spec(settings, limits, "Always")},
        },
    }


CLAIM_GRACE_SECONDS = 120


def claim(settings: PodSettings, name: str, run: str, owner: Object, timeout_seconds: float) -> Object:
    """The Lease that makes a pod or a Job one client's own; it goes with its owner.

    A client that died leaves a claim past its time: whoever meets it throws the pod away.
    """
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": name,
            "namespace": settings.namespace,
            "labels": {**MANAGED_BY, RUN_LABEL: run},
            "ownerReferences": [owner],
        },
        "spec": {
            "holderIdentity": run,
            "acquireTime": _micro_time(datetime.now(UTC)),
            "leaseDurationSeconds": int(timeout_seconds) + CLAIM_GRACE_SECONDS,
        },
    }


def _micro_time(when: datetime) -> str:
    """The client leaves out microseconds that are zero, and the API server takes no MicroTime without them."""
    return when.replace(microsecond=when.microsecond or 1).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
