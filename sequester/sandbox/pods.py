"""The Kubernetes objects of a sandbox: the pod that admission asks for, the Job of a run, the warm pool, the claim.

Names and labels are those of the deployment (infra/labels.py, infra/admission.py); a test holds them together.
"""

from dataclasses import dataclass

from sequester.sandbox.bubblewrap import ENVIRONMENT, SHARED_MEMORY_BYTES
from sequester.sandbox.guest.request import SCRATCH, WORK
from sequester.sandbox.task import Limits

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Object = dict[str, Json]

CONTAINER = "sandbox"
ACCOUNT = "sandbox"
POOL_LABEL, POOL = "sequester.dev/pool", "sandbox"
TAINT = "sequester.dev/sandbox"
RUN_LABEL, WARM_LABEL = "sequester.dev/run", "sequester.dev/warm"
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


def pod_spec(settings: PodSettings, limits: Limits, restart: str) -> Object:
    """What PSA `restricted` and the deployment's admission policies ask for: no token, no network, nothing mounted."""
    memory = str(limits.memory_bytes + SUPERVISOR_MEMORY_BYTES)
    disk = str(2 * limits.disk_bytes + SHARED_MEMORY_BYTES)
    share: Object = {"cpu": settings.cpu, "memory": memory, "ephemeral-storage": disk}
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
                "resources": {"requests": share, "limits": share},
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
        "metadata": {"name": "warm-sandboxes", "namespace": settings.namespace, "labels": labels},
        "spec": {
            "replicas": size,
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod_spec(settings, limits, "Always")},
        },
    }


def claim(settings: PodSettings, name: str, run: str, owner: Object) -> Object:
    """The Lease that makes a pod or a Job one client's own; it goes with its owner."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": name,
            "namespace": settings.namespace,
            "labels": {**MANAGED_BY, RUN_LABEL: run},
            "ownerReferences": [owner],
        },
        "spec": {"holderIdentity": run},
    }
