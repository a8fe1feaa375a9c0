"""The function inside the VPC: it speaks to the Kubernetes API alone, so that no endpoint has to let it."""

import base64
import http.client
import json
import os
import re
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol, cast
from urllib.parse import quote, urlencode, urlsplit

import botocore.session
from botocore.signers import RequestSigner

from .config import Config, load
from .subject import pod_of

QUARANTINE_LABEL: Final = "sequester.dev/quarantine"
_NODE = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}\Z")
_LABEL_VALUE = re.compile(r"[a-f0-9]{1,63}\Z")
_TOKEN_SECONDS: Final = 60
_TIMEOUT_SECONDS: Final = 10
_ATTEMPTS: Final = 3
_PAUSE_SECONDS: Final = 0.5
_GONE: Final = 404
_PASSING: Final = frozenset({429, 500, 502, 503, 504})


class RefusedError(Exception):
    """Not a pod of a tenant's, or not a node's name."""


class KubernetesError(Exception):
    """What the API server answered, without what it said: that may quote an attacker."""


class Api(Protocol):
    """One request to the API server: method, path, body and its media type; the status and the answer's JSON."""

    def __call__(self, method: str, path: str, body: object = None, kind: str = ...) -> tuple[int, object]: ...


def cluster_token(cluster: str, region: str) -> str:
    """What EKS takes as a bearer token: a presigned GetCallerIdentity, computed here without any request.

    https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster
    """
    session = botocore.session.get_session()
    credentials = session.get_credentials()
    if credentials is None:
        raise RefusedError("no credentials: the function has no role")
    signer = RequestSigner(
        session.get_service_model("sts").service_id,
        region,
        "sts",
        "v4",
        credentials,
        session.get_component("event_emitter"),
    )
    query = urlencode({"Action": "GetCallerIdentity", "Version": "2011-06-15"})
    url = signer.generate_presigned_url(
        {
            "method": "GET",
            "url": f"https://sts.{region}.amazonaws.com/?{query}",
            "body": {},
            "headers": {"x-k8s-aws-id": cluster},
            "context": {},
        },
        region_name=region,
        expires_in=_TOKEN_SECONDS,
        operation_name="",
    )
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def api(endpoint: str, authority: str, token: Callable[[], str]) -> Api:
    """endpoint: https URL. authority: the cluster's CA as PEM. A passing failure is tried again, three times in all."""
    where = urlsplit(endpoint)
    trust = ssl.create_default_context(cadata=authority)

    def once(method: str, path: str, body: object, kind: str) -> tuple[int, object]:
        connection = http.client.HTTPSConnection(
            where.hostname or "", where.port or 443, timeout=_TIMEOUT_SECONDS, context=trust
        )
        try:
            headers = {"Authorization": f"Bearer {token()}", "Accept": "application/json", "Content-Type": kind}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def call(method: str, path: str, body: object = None, kind: str = "application/json") -> tuple[int, object]:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                status, answer = once(method, path, body, kind)
            except (OSError, http.client.HTTPException, ValueError) as error:
                if attempt == _ATTEMPTS:
                    raise KubernetesError(f"{method} {path}: {type(error).__name__}") from error
            else:
                if status not in _PASSING or attempt == _ATTEMPTS:
                    return status, answer
            time.sleep(_PAUSE_SECONDS * attempt)
        raise AssertionError("the last attempt returns or raises")

    return call


@dataclass(frozen=True)
class Inside:
    config: Config
    api: Api

    def handle(self, event: Mapping[str, object]) -> dict[str, object]:
        """`{"op": node_of | evidence | delete_pod | cordon, ...}`. Raises RefusedError or KubernetesError."""
        match event.get("op"):
            case "node_of":
                return self._node_of(self._pod(event))
            case "evidence":
                return self._evidence(self._pod(event), self._event(event, "pod"))
            case "delete_pod":
                return self._delete(self._pod(event), self._event(event, "incident"))
            case "cordon":
                return self._cordon(self._event(event, "node"))
            case other:
                raise RefusedError(f"{other!r} is no operation: use node_of, evidence, delete_pod or cordon")

    @staticmethod
    def _event(event: Mapping[str, object], key: str) -> str:
        found = event.get(key)
        if not isinstance(found, str):
            raise RefusedError(f"{key}: missing, or no text")
        return found

    def _pod(self, event: Mapping[str, object]) -> str:
        """The pod's path. Checked here again: this function trusts the other one with nothing."""
        pod = pod_of(self.config, self._event(event, "namespace"), self._event(event, "pod"))
        if pod is None:
            raise RefusedError("not a pod of a tenant of this stack")
        return f"/api/v1/namespaces/{quote(pod.namespace)}/pods/{quote(pod.name)}"

    def _node_of(self, path: str) -> dict[str, object]:
        """Whether the pod is there, and the node that it runs on; empty while it has none."""
        pod = self._call("GET", path)
        spec = cast("dict[str, object]", pod).get("spec") if isinstance(pod, dict) else None
        node = cast("dict[str, object]", spec).get("nodeName") if isinstance(spec, dict) else None
        return {"there": pod is not None, "node": node or ""}

    def _evidence(self, path: str, name: str) -> dict[str, object]:
        pod = self._call("GET", path)
        namespace = path.rpartition("/pods/")[0]
        query = urlencode({"fieldSelector": f"involvedObject.name={name}", "limit": "100"})
        return {"pod": pod, "events": self._call("GET", f"{namespace}/events?{query}")}

    def _delete(self, path: str, incident: str) -> dict[str, object]:
        """Labelled first: the label ends what NetworkPolicy allows, at once, while the pod is still stopping."""
        if not _LABEL_VALUE.match(incident):
            raise RefusedError("incident: not an id of ours")
        labels = {"metadata": {"labels": {QUARANTINE_LABEL: incident}}}
        self._call("PATCH", path, labels, "application/merge-patch+json")
        self._call("DELETE", path, {"gracePeriodSeconds": 0})
        return {"deleted": path}

    def _cordon(self, node: str) -> dict[str, object]:
        if not _NODE.match(node):
            raise RefusedError("node: not a node's name")
        path = f"/api/v1/nodes/{quote(node)}"
        self._call("PATCH", path, {"spec": {"unschedulable": True}}, "application/merge-patch+json")
        return {"cordoned": node}

    def _call(self, method: str, path: str, body: object = None, kind: str = "application/json") -> object:
        """What is gone already is as good as deleted."""
        status, answer = self.api(method, path, body, kind)
        if status == _GONE:
            return None
        if not 200 <= status < 300:
            raise KubernetesError(f"{method} {path.partition('?')[0]}: the API server answered {status}")
        return answer


def handler(event: Mapping[str, object], context: object) -> dict[str, object]:
    """Where Lambda starts."""
    config = load()
    authority = base64.b64decode(os.environ["CLUSTER_CA"]).decode()

    def token() -> str:
        return cluster_token(config.cluster, config.region)

    return Inside(config, api(os.environ["CLUSTER_ENDPOINT"], authority, token)).handle(event)
