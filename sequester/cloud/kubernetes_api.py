"""A Kubernetes API server as one identity sees it: requests, discovery, server-side apply, delete, watch.

The official client takes a second to import, and the provider is a process that starts several times in an `up`;
this needs urllib3 only. It authenticates by bearer token, over TLS with a given certificate authority.
"""

import base64
import binascii
import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias, cast
from urllib.parse import quote, urlencode

import urllib3
import yaml

Json: TypeAlias = dict[str, object]
"""A JSON object: what manifests and answers are."""

APPLY = "application/apply-patch+yaml"
_CONNECT_SECONDS = 10
_READ_SECONDS = 60


class ApiError(Exception):
    """The server's refusal: HTTP status, Kubernetes reason (`Forbidden`, `Invalid`...) and message."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class KubeconfigError(ValueError):
    """A kubeconfig that cannot be used, with what it lacks."""


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    body: Json

    @property
    def message(self) -> str:
        """The Status object's message, where the answer is one."""
        return str(self.body.get("message", ""))

    def or_raise(self) -> Json:
        """The body of a success."""
        if self.status >= 400:
            raise ApiError(self.status, str(self.body.get("reason", "")), self.message or f"HTTP {self.status}")
        return self.body


@dataclass(frozen=True)
class ApiResource:
    """Where objects of a kind live."""

    collection: str
    """For example `/apis/apps/v1`."""
    plural: str
    namespaced: bool

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The path of one object, or of the collection."""
        parts = [self.collection]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        return "/".join(parts)


class KubernetesApi:
    """One identity's view of one API server; a `token` of None is an anonymous one. Threads may share it."""

    def __init__(self, server: str, ca_pem: str, token: str | None) -> None:
        self.server = server
        self.ca_pem = ca_pem
        self.token = token
        self._resources: dict[tuple[str, str], ApiResource] = {}
        self._pool = urllib3.PoolManager(
            ca_cert_data=ca_pem,
            cert_reqs="CERT_REQUIRED",
            maxsize=8,
            retries=urllib3.Retry(0, redirect=0),
        )

    @classmethod
    def from_kubeconfig(cls, text: str) -> "KubernetesApi":
        """The current context of a kubeconfig with inline data and a token."""
        try:
            config = cast(Json, yaml.safe_load(text))
            context = _named(config, "contexts", str(config["current-context"]), "context")
            cluster = _named(config, "clusters", str(context["cluster"]), "cluster")
            user = _named(config, "users", str(context["user"]), "user")
            server, ca = str(cluster["server"]), str(cluster["certificate-authority-data"])
            ca_pem = base64.b64decode(ca, validate=True).decode()
        except (yaml.YAMLError, KeyError, TypeError, StopIteration, binascii.Error, UnicodeDecodeError) as error:
            what = "is no YAML" if isinstance(error, yaml.YAMLError) else f"lacks or misspells {error}"
            raise KubeconfigError(f"kubeconfig: {what}; it needs a current-context with a server and its CA") from error
        if "token" not in user:
            raise KubeconfigError(f"kubeconfig: user {context['user']} has no token: put one in")
        return cls(server, ca_pem, str(user["token"]))

    def kubeconfig(self) -> str:
        """This identity as a kubeconfig, which JSON is."""
        ca = base64.b64encode(self.ca_pem.encode()).decode()
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "it", "cluster": {"server": self.server, "certificate-authority-data": ca}}],
                "users": [{"name": "it", "user": {"token": self.token}}],
                "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
                "current-context": "it",
            }
        )

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request, whatever the server thinks of it; a text answer (logs) comes as `{"text": ...}`."""
        response = self._open(method, path, body, query, content_type, headers, preload=True)
        return Answer(response.status, _json(response))

    def resource(self, api_version: str, kind: str) -> ApiResource:
        """Where a kind lives, by the server's own discovery; an ApiError where it has no such kind."""
        known = self._resources
        if (api_version, kind) not in known:
            collection = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            answer = self.request("GET", collection)
            for entry in cast(list[Json], answer.body.get("resources", [])):
                if "/" not in str(entry["name"]):
                    place = ApiResource(collection, str(entry["name"]), bool(entry["namespaced"]))
                    known[api_version, str(entry["kind"])] = place
            if (api_version, kind) not in known:
                if answer.status not in (200, 404):
                    answer.or_raise()
                raise ApiError(404, "NoKindMatch", f"no matches for kind {kind} in version {api_version}")
        return known[api_version, kind]

    def path(self, manifest: Mapping[str, object]) -> str:
        """The path of the object that a manifest describes; its namespace is `default` where it names none."""
        meta = cast(Json, manifest["metadata"])
        place = self.resource(str(manifest["apiVersion"]), str(manifest["kind"]))
        return place.path(str(meta.get("namespace") or "default"), str(meta["name"]))

    def apply(
        self, manifest: Mapping[str, object], *, manager: str, dry_run: bool = False, force: bool = False
    ) -> Json:
        """Server-side apply with strict field validation: an unknown field is refused, not dropped.

        `force` takes over fields that another manager set to something else; without it that is a conflict.
        """
        query = {"fieldManager": manager, "fieldValidation": "Strict", "force": str(force).lower()}
        if dry_run:
            query["dryRun"] = "All"
        return self.request("PATCH", self.path(manifest), manifest, query=query, content_type=APPLY).or_raise()

    def read(self, manifest: Mapping[str, object]) -> Json | None:
        """The live object that a manifest names, None where there is none."""
        answer = self.request("GET", self.path(manifest))
        return None if answer.status == 404 else answer.or_raise()

    def watch(self, path: str, *, seconds: int, query: Mapping[str, str] | None = None) -> Generator[Json]:
        """Events of a collection, until the server ends the watch after `seconds`: `{"type": ..., "object": ...}`."""
        asked = {"watch": "true", "timeoutSeconds": str(seconds), **(query or {})}
        with self._stream(path, asked, read_seconds=seconds + 10) as response:
            if response.status >= 400:
                Answer(response.status, _json(response)).or_raise()
            held = b""
            for chunk in response.stream(None):
                held += chunk
                *lines, held = held.split(b"\n")
                yield from (cast(Json, json.loads(line)) for line in lines if line)

    @contextmanager
    def _stream(self, path: str, query: Mapping[str, str], read_seconds: float) -> Generator[urllib3.BaseHTTPResponse]:
        response = self._open("GET", path, None, query, "", None, preload=False, read_seconds=read_seconds)
        try:
            yield response
        finally:
            response.close()

    def _open(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        query: Mapping[str, str] | None,
        content_type: str,
        headers: Mapping[str, str] | None,
        *,
        preload: bool,
        read_seconds: float = _READ_SECONDS,
    ) -> urllib3.BaseHTTPResponse:
        sent = {"Accept": "application/json, */*", **(headers or {})}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            sent["Content-Type"] = content_type
        return self._pool.request(
            method,
            f"{self.server}{path}" + (f"?{urlencode(query)}" if query else ""),
            body=None if body is None else json.dumps(body).encode(),
            headers=sent,
            timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=read_seconds),
            preload_content=preload,
        )


def _json(response: urllib3.BaseHTTPResponse) -> Json:
    """The answer's object; what is none (a log, which may well be a number) as `{"text": ...}`."""
    data = response.data
    if not response.headers.get("Content-Type", "").startswith("application/json"):
        return {"text": data.decode(errors="replace")}
    return cast(Json, json.loads(data or b"{}"))


def _named(config: Json, collection: str, name: str, inner: str) -> Json:
    entries = cast(list[Json], config[collection])
    return cast(Json, next(entry for entry in entries if entry["name"] == name)[inner])
