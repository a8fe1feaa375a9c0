"""When a Kubernetes object is ready to be depended on, as users of pulumi-kubernetes expect it."""

from collections.abc import Callable, Mapping
from typing import cast

from sequester.cloud.kubernetes_api import Json

READY = ""
"""What a wait says when there is nothing more to wait for; otherwise what it still waits for, in words."""


class NeverReadyError(Exception):
    """The object failed for good; waiting longer is of no use."""


def waits_for(live: Json) -> str:
    """READY, or what is still missing for the object to be ready; kinds without a wait are ready at once."""
    group = str(live["apiVersion"]).rpartition("/")[0]
    wait = _WAITS.get((group, str(live["kind"])))
    return wait(live) if wait else READY


def skips(live: Mapping[str, object]) -> bool:
    """Whether the program asked not to wait for this object."""
    return annotation(live, "pulumi.com/skipAwait") == "true"


def annotation(manifest: Mapping[str, object], name: str) -> str | None:
    """An annotation of a manifest."""
    meta = cast(Json, manifest.get("metadata") or {})
    value = cast(Json, meta.get("annotations") or {}).get(name)
    return None if value is None else str(value)


def _namespace(live: Json) -> str:
    phase = _status(live).get("phase")
    return READY if phase == "Active" else f"its phase is {phase}, not Active"


def _definition(live: Json) -> str:
    refused = _condition(live, "NamesAccepted")
    if refused and refused["status"] == "False":
        raise NeverReadyError(str(refused.get("message")))
    return _needs(live, "Established")


def _deployment(live: Json) -> str:
    progress = _condition(live, "Progressing")
    if progress and progress["status"] == "False":
        raise NeverReadyError(str(progress.get("message")))
    status, wanted = _status(live), cast(Json, live["spec"]).get("replicas", 1)
    if not _observed(live):
        return "the controller has not seen this version yet"
    if status.get("updatedReplicas", 0) != wanted:
        return f"{status.get('updatedReplicas', 0)} of {wanted} replicas are of this version"
    return _needs(live, "Available")


def _daemon_set(live: Json) -> str:
    status = _status(live)
    wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
    if not _observed(live):
        return "the controller has not seen this version yet"
    return READY if ready == wanted else f"{ready} of {wanted} pods are ready"


def _stateful_set(live: Json) -> str:
    ready, wanted = _status(live).get("readyReplicas", 0), cast(Json, live["spec"]).get("replicas", 1)
    if not _observed(live):
        return "the controller has not seen this version yet"
    return READY if ready == wanted else f"{ready} of {wanted} pods are ready"


def _job(live: Json) -> str:
    failed = _condition(live, "Failed")
    if failed and failed["status"] == "True":
        raise NeverReadyError(str(failed.get("message")))
    return _needs(live, "Complete")


def _pod(live: Json) -> str:
    phase = _status(live).get("phase")
    if phase == "Failed":
        raise NeverReadyError(str(_status(live).get("message") or "its containers failed"))
    return READY if phase == "Succeeded" else _needs(live, "Ready")


_WAITS: dict[tuple[str, str], Callable[[Json], str]] = {
    ("", "Namespace"): _namespace,
    ("", "Pod"): _pod,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "Job"): _job,
}


def _status(live: Json) -> Json:
    return cast(Json, live.get("status") or {})


def _observed(live: Json) -> bool:
    generation = cast(Json, live["metadata"]).get("generation", 0)
    return cast(int, _status(live).get("observedGeneration", 0)) >= cast(int, generation)


def _condition(live: Json, kind: str) -> Json | None:
    conditions = cast(list[Json], _status(live).get("conditions") or [])
    return next((condition for condition in conditions if condition["type"] == kind), None)


def _needs(live: Json, kind: str) -> str:
    found = _condition(live, kind)
    if found and found["status"] == "True":
        return READY
    why = f": {found['message']}" if found and found.get("message") else ""
    return f"it is not {kind} yet{why}"
