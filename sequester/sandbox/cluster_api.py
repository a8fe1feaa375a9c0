"""The few calls that a tenant's agent makes on the Kubernetes API, by the official client, with typed answers."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import kubernetes
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from websocket import WebSocketException

from sequester.sandbox.errors import SandboxUnavailable
from sequester.sandbox.session import ERR, OUT, ChannelClosed

# The official client has no types: what it gives is typed by the time it leaves this file.
_K8S = cast(Any, kubernetes)

CONFLICT, NOT_FOUND = 409, 404
SEND_BYTES = 1 << 16
REQUEST_SECONDS = 30

Manifest = Mapping[str, object]


@dataclass(frozen=True)
class Pod:
    """What the backend needs to know of a pod."""

    name: str
    uid: str
    phase: str
    running: bool
    restarts: int
    deleting: bool
    waiting: str
    """Why it does not run yet, as the kubelet or the scheduler says it."""
    hopeless: bool
    """It will not run without someone's help: the image cannot be pulled, the container cannot be made."""
    share: Mapping[str, Decimal]
    """What its container may use at most, as its spec says it."""
    ended: str
    """The reason its container ended with: ``OOMKilled``, ``Completed``, ``Error``; empty while it runs."""


_HOPELESS = frozenset(
    ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError"]
)


def connect(context: str | None = None) -> "ClusterApi":
    """By the service account of this pod, else the kubeconfig; SandboxUnavailable when there is neither."""
    try:
        _K8S.config.load_incluster_config()
    except ConfigException:
        try:
            _K8S.config.load_kube_config(context=context)
        except (ConfigException, OSError) as error:
            raise SandboxUnavailable(
                f"no cluster: {error}: run in a pod with a service account, or point KUBECONFIG at a kubeconfig"
            ) from None
    return ClusterApi(_K8S.client.Configuration.get_default_copy())


class ClusterApi:
    """One cluster as one identity sees it. ApiException's reasons come back as SandboxUnavailable."""

    def __init__(self, configuration: Any) -> None:
        self._configuration = configuration

    def _client(self) -> Any:
        return _K8S.client.ApiClient(self._configuration)

    def create_job(self, namespace: str, body: Manifest) -> bool:
        """False when a Job of that name is there already."""
        return self._create(_K8S.client.BatchV1Api(self._client()).create_namespaced_job, namespace, body)

    def create_lease(self, namespace: str, body: Manifest) -> bool:
        """False when someone else has it: creating is the claim."""
        return self._create(_K8S.client.CoordinationV1Api(self._client()).create_namespaced_lease, namespace, body)

    def lease_expired(self, namespace: str, name: str) -> bool:
        """Whether a claim is past its time; a Lease that is gone, or says nothing of time, is not."""
        api = self._client()
        call = _K8S.client.CoordinationV1Api(api).read_namespaced_lease
        try:
            found = call(name, namespace, _request_timeout=REQUEST_SECONDS)
            spec = _LeaseSpec.model_validate(api.sanitize_for_serialization(found.spec))
        except ApiException as error:
            if _status(error) == NOT_FOUND:
                return False
            raise _unavailable(error) from None
        except ValidationError:
            return False
        return datetime.now(UTC) > spec.acquire_time + timedelta(seconds=spec.lease_duration_seconds)

    def delete_job(self, namespace: str, name: str) -> None:
        call = _K8S.client.BatchV1Api(self._client()).delete_namespaced_job
        self._delete(lambda: call(name, namespace, propagation_policy="Background"))

    def delete_pod(self, namespace: str, name: str) -> None:
        call = _K8S.client.CoreV1Api(self._client()).delete_namespaced_pod
        self._delete(lambda: call(name, namespace, grace_period_seconds=0))

    def pods(self, namespace: str, selector: str) -> list[Pod]:
        api = self._client()
        call = _K8S.client.CoreV1Api(api).list_namespaced_pod
        found = self._asked(lambda: call(namespace, label_selector=selector, _request_timeout=REQUEST_SECONDS))
        return [_pod(api.sanitize_for_serialization(item)) for item in found.items]

    def watch_pods(self, namespace: str, selector: str, timeout_seconds: int) -> Iterator[Pod]:
        """The pods there are, then each change; ends after `timeout_seconds`."""
        api = self._client()
        watcher = _K8S.watch.Watch()
        changes = watcher.stream(
            _K8S.client.CoreV1Api(api).list_namespaced_pod,
            namespace,
            label_selector=selector,
            timeout_seconds=max(1, timeout_seconds),
            _request_timeout=timeout_seconds + REQUEST_SECONDS,
        )
        with contextlib.closing(changes):
            while (change := self._asked(lambda: next(changes, None))) is not None:
                pod = _pod(change["raw_object"])
                yield replace(pod, deleting=True) if change["type"] == "DELETED" else pod

    def attach(self, namespace: str, pod: str, container: str) -> "Attached":
        call = _K8S.client.CoreV1Api(self._client()).connect_get_namespaced_pod_attach
        asked = {"container": container, "stdin": True, "stdout": True, "stderr": True, "tty": False}
        return Attached(
            self._asked(lambda: _K8S.stream.stream(call, pod, namespace, **asked, _preload_content=False, binary=True))
        )

    def _create(self, call: Any, namespace: str, body: Manifest) -> bool:
        try:
            call(namespace, dict(body), _request_timeout=REQUEST_SECONDS)
        except ApiException as error:
            if _status(error) == CONFLICT:
                return False
            raise _unavailable(error) from None
        return True

    def _delete(self, call: Any) -> None:
        try:
            call()
        except ApiException as error:
            if _status(error) != NOT_FOUND:
                raise _unavailable(error) from None

    def _asked(self, call: Any) -> Any:
        try:
            return call()
        except ApiException as error:
            raise _unavailable(error) from None


class Attached:
    """The streams of one container, as a session's Channel wants them."""

    def __init__(self, websocket: Any) -> None:
        self._websocket: Any = websocket

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            for at in range(0, len(view), SEND_BYTES):
                self._websocket.write_channel(0, bytes(view[at : at + SEND_BYTES]))
        except (OSError, WebSocketException):
            raise ChannelClosed from None

    def receive(self, timeout_seconds: float) -> tuple[int, bytes] | None:
        for source in (OUT, ERR):
            if source in self._websocket._channels:  # noqa: SLF001 (read_channel would wait for more)
                return source, cast(bytes, self._websocket.read_channel(source))
        if not self._websocket.is_open():
            raise ChannelClosed
        try:
            self._websocket.update(timeout=timeout_seconds)
        except (OSError, WebSocketException):
            raise ChannelClosed from None
        return None

    def close(self) -> None:
        with contextlib.suppress(OSError, WebSocketException):
            self._websocket.close()


def quantities(share: Mapping[str, str]) -> dict[str, Decimal]:
    """Amounts of resources as numbers: the API server writes 1000000000 as 1G."""
    return {name: _K8S.utils.parse_quantity(text) for name, text in share.items()}


def _unavailable(error: ApiException) -> SandboxUnavailable:
    untyped = cast(Any, error)
    said = str(untyped.body or untyped.reason).replace("\n", " ")
    return SandboxUnavailable(f"the Kubernetes API refused ({untyped.status}): {said[:500]}")


def _status(error: ApiException) -> int:
    return int(cast(Any, error).status or 0)


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class _Reason(_Part):
    reason: str = ""
    message: str = ""


class _State(_Part):
    running: dict[str, str | None] | None = None
    waiting: _Reason | None = None
    terminated: _Reason | None = None


class _Container(_Part):
    state: _State = _State()
    last_state: _State = _State()
    restart_count: int = 0


class _Condition(_Part):
    type: str
    status: str
    message: str = ""


class _Status(_Part):
    phase: str = "Pending"
    container_statuses: list[_Container] | None = None
    conditions: list[_Condition] | None = None


class _Metadata(_Part):
    name: str
    uid: str
    deletion_timestamp: str | None = None


class _Resources(_Part):
    limits: dict[str, str] = {}


class _ContainerSpec(_Part):
    resources: _Resources = _Resources()


class _Spec(_Part):
    containers: list[_ContainerSpec] = []


class _RawPod(_Part):
    metadata: _Metadata
    spec: _Spec = _Spec()
    status: _Status = _Status()


class _LeaseSpec(_Part):
    acquire_time: datetime
    lease_duration_seconds: int


def _pod(raw: object) -> Pod:
    seen = _RawPod.model_validate(raw)
    container = (seen.status.container_statuses or [_Container()])[0]
    waiting = container.state.waiting
    ended = container.state.terminated or container.last_state.terminated
    unscheduled = [
        condition.message
        for condition in seen.status.conditions or []
        if condition.type == "PodScheduled" and condition.status == "False"
    ]
    return Pod(
        name=seen.metadata.name,
        uid=seen.metadata.uid,
        phase=seen.status.phase,
        running=container.state.running is not None,
        restarts=container.restart_count,
        deleting=seen.metadata.deletion_timestamp is not None,
        waiting=f"{waiting.reason}: {waiting.message}" if waiting else "; ".join(unscheduled),
        hopeless=waiting is not None and waiting.reason in _HOPELESS,
        share=quantities(seen.spec.containers[0].resources.limits) if seen.spec.containers else {},
        ended=(ended.reason or "Error") if ended else "",
    )
