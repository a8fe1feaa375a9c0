"""The provider `kubernetes` of the real Pulumi engine, over server-side apply to a real API server.

It stands in for pulumi-kubernetes where that plugin cannot be downloaded, for all kinds that the server knows, by the
server's own discovery. The API server is the one of the provider's `kubeconfig`, or of the file that
SEQUESTER_KUBECONFIG names: the cluster that a program in the embedded cloud makes has an address, but nobody answers.
Not offered: automatic names, Helm, Kustomize, YAML components.
"""

import hashlib
import os
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn, cast

import grpc
import urllib3
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from sequester.cloud import kubernetes_provider_waits as waits
from sequester.cloud import provider_process, wire
from sequester.cloud.kubernetes_api import ApiError, Json, KubeconfigError, KubernetesApi
from sequester.cloud.kubernetes_provider_diff import Change, differences
from sequester.cloud.wire import Props

KUBECONFIG_VARIABLE = "SEQUESTER_KUBECONFIG"
VERSION = version("pulumi_kubernetes")
MANAGER = "pulumi-kubernetes"

_DEFAULT_TIMEOUT_SECONDS = 600
_SETTLE_SECONDS = 5
"""How long a kind or namespace that was made a moment ago may take to be known."""
_POLL_SECONDS = 0.1


class CannotError(Exception):
    """What the user reads: one line that names the object and what the server said."""


class NotReadyError(CannotError):
    """The object exists and is not ready; the engine is to remember it as such."""

    def __init__(self, message: str, identity: str, live: Json) -> None:
        super().__init__(message)
        self.identity = identity
        self.live = live


@contextmanager
def _told(context: grpc.ServicerContext) -> Generator[None]:
    """Turns what can go wrong into the one line that the engine shows beside the resource."""
    try:
        yield
    except NotReadyError as error:
        _abort_not_ready(context, error)
    except (CannotError, KubeconfigError) as error:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
    except urllib3.exceptions.HTTPError as error:
        context.abort(grpc.StatusCode.UNAVAILABLE, f"the API server cannot be reached: {error}")


class KubernetesProvider(provider_pb2_grpc.ResourceProviderServicer):
    """Create, read, update and delete of any kind that the API server serves."""

    def __init__(self) -> None:
        self._api: KubernetesApi | None = None
        self._cancelled = threading.Event()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:  # noqa: N802
        return plugin_pb2.PluginInfo(version=VERSION)

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        self._cancelled.set()
        return empty_pb2.Empty()

    def CheckConfig(  # noqa: N802
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(  # noqa: N802
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        changed = request.old_inputs != request.news
        some, none = provider_pb2.DiffResponse.DIFF_SOME, provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=some if changed else none)

    def Configure(  # noqa: N802
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        with _told(context):
            named = os.environ.get(KUBECONFIG_VARIABLE)
            given = wire.decode(request.args).get("kubeconfig") or request.variables.get("kubernetes:config:kubeconfig")
            if named:
                try:
                    given = Path(named).read_text()
                except OSError as error:
                    raise CannotError(
                        f"{KUBECONFIG_VARIABLE}={named}: {error.strerror}: name a kubeconfig file"
                    ) from error
            if isinstance(given, str):
                self._api = KubernetesApi.from_kubeconfig(given)
            return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Check(  # noqa: N802
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        inputs = wire.decode(request.news)
        meta = inputs.get("metadata")
        named = isinstance(meta, wire.Unknown) or (isinstance(meta, dict) and "name" in meta)
        failure = provider_pb2.CheckFailure(
            property="metadata.name", reason="is not given; names are chosen, not made up"
        )
        return provider_pb2.CheckResponse(
            # The engine knows which values the program called secret; what a Secret holds is one even if it did not.
            inputs=_for_engine(inputs) if inputs.get("kind") == "Secret" else request.news,
            failures=[] if named else [failure],
        )

    def Diff(  # noqa: N802
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        with _told(context):
            old, new = wire.decode(request.old_inputs), wire.decode(request.news)
            found = differences(old, new)
            replaces = [difference.path for difference in found if difference.replaces]
            return provider_pb2.DiffResponse(
                changes=provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE,
                replaces=replaces,
                diffs=sorted({difference.path.partition(".")[0].partition("[")[0] for difference in found}),
                detailedDiff={d.path: _property_diff(d.change, replaces=d.replaces) for d in found},
                hasDetailedDiff=True,
                # Two objects cannot have one name: the old must go first unless the new is called differently.
                deleteBeforeReplace=bool(replaces) and _identity(old) == _identity(new),
            )

    def Create(  # noqa: N802
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        with _told(context):
            inputs = wire.decode(request.properties)
            if request.preview:
                return provider_pb2.CreateResponse(properties=_for_engine(self._rehearse(inputs, request.urn)))
            live = self._apply(inputs, request.urn)
            live = self._await_ready(inputs, live, request.timeout)
            return provider_pb2.CreateResponse(id=_identity(inputs), properties=_for_engine(live))

    def Update(  # noqa: N802
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        with _told(context):
            inputs = wire.decode(request.news)
            if request.preview:
                return provider_pb2.UpdateResponse(properties=_for_engine(self._rehearse(inputs, request.urn)))
            live = self._await_ready(inputs, self._apply(inputs, request.urn), request.timeout)
            return provider_pb2.UpdateResponse(properties=_for_engine(live))

    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:  # noqa: N802
        with _told(context):
            known = wire.decode(request.inputs)
            wanted = known or _named_by(request.type, request.id)
            try:
                live = self._reach().read(wanted)
            except ApiError as error:
                if error.reason != "NoKindMatch":
                    raise CannotError(f"{_label(wanted)}: {error}") from error
                live = None
            if live is None:
                return provider_pb2.ReadResponse()
            inputs = cast(Json, _as_in(known, live)) if known else _importable(live)
            return provider_pb2.ReadResponse(id=request.id, properties=_for_engine(live), inputs=_for_engine(inputs))

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        with _told(context):
            api, target = self._reach(), wire.decode(request.old_inputs or request.properties)
            if _is_patch(request.urn):
                self._relinquish(target, request.urn)
                return empty_pb2.Empty()
            try:
                path = api.path(target)
                gone = api.request("DELETE", path, {"propagationPolicy": "Foreground"})
            except ApiError as error:
                if error.reason == "NoKindMatch":  # its definition went first, and it with it
                    return empty_pb2.Empty()
                raise CannotError(f"{_label(target)}: {error}") from error
            if gone.status not in (200, 202, 404):
                raise CannotError(f"{_label(target)}: {gone.message}")
            if gone.status != 404 and not waits.skips(target):
                self._await_gone(target, path, request.timeout)
            return empty_pb2.Empty()

    def _reach(self) -> KubernetesApi:
        if self._api is None:
            raise CannotError(f"kubeconfig: not given; set it on the provider, or {KUBECONFIG_VARIABLE}")
        return self._api

    def _apply(self, inputs: Props, urn: str, *, dry_run: bool = False) -> Json:
        """Server-side apply; what was made a moment ago (a kind, a namespace, its account) may need a little."""
        ends = time.monotonic() + (0 if dry_run else _SETTLE_SECONDS)
        force = waits.annotation(inputs, "pulumi.com/patchForce") == "true"
        while True:
            try:
                return self._reach().apply(inputs, manager=_manager(urn), dry_run=dry_run, force=force)
            except ApiError as error:
                settles = error.status == 404 or "error looking up service account" in str(error)
                if dry_run and settles:
                    raise
                if not settles or time.monotonic() > ends or self._cancelled.wait(_POLL_SECONDS):
                    raise CannotError(f"{_label(inputs)}: {error}") from error

    def _rehearse(self, inputs: Props, urn: str) -> Json:
        """What the object would be: by the server's own dry run, where all is known and what it needs exists."""
        if wire.unknown_anywhere(inputs) or self._api is None:
            return inputs
        try:
            return self._apply(inputs, urn, dry_run=True)
        except ApiError:  # its kind or namespace is to be made by the same update
            return inputs

    def _await_ready(self, inputs: Props, live: Json, timeout_seconds: float) -> Json:
        if waits.skips(inputs):
            return live
        ends = time.monotonic() + (timeout_seconds or _DEFAULT_TIMEOUT_SECONDS)
        while True:
            try:
                missing = waits.waits_for(live)
            except waits.NeverReadyError as error:
                raise NotReadyError(f"{_label(inputs)}: failed: {error}", _identity(inputs), live) from error
            if missing == waits.READY:
                return live
            if time.monotonic() > ends or self._cancelled.wait(_POLL_SECONDS):
                raise NotReadyError(f"{_label(inputs)}: not ready: {missing}", _identity(inputs), live)
            live = self._reach().read(inputs) or live

    def _await_gone(self, target: Props, path: str, timeout_seconds: float) -> None:
        ends = time.monotonic() + (timeout_seconds or _DEFAULT_TIMEOUT_SECONDS)
        first: object = None
        while True:
            answer = self._reach().request("GET", path)
            meta = cast(Json, answer.body.get("metadata") or {})
            first = first or meta.get("uid")
            if answer.status == 404 or meta.get("uid") != first:
                return
            if time.monotonic() > ends or self._cancelled.wait(_POLL_SECONDS):
                held = meta.get("finalizers") or cast(Json, answer.body.get("spec") or {}).get("finalizers")
                raise CannotError(f"{_label(target)}: deleted but still there; its finalizers are {held}")

    def _relinquish(self, target: Props, urn: str) -> None:
        """Gives the fields of a Patch back: applying none of them drops those that nobody else owns."""
        api = self._reach()
        if api.read(target) is None:
            return
        meta = cast(Json, target["metadata"])
        bare = {key: meta[key] for key in ("name", "namespace") if key in meta}
        nothing = {"apiVersion": target["apiVersion"], "kind": target["kind"], "metadata": bare}
        try:
            api.apply(nothing, manager=_manager(urn), force=True)
        except ApiError as error:
            raise CannotError(f"{_label(target)}: {error}") from error


def _manager(urn: str) -> str:
    """Whose fields these are. Patches of one object come from several resources: each is a manager of its own."""
    return f"{MANAGER}-{hashlib.sha256(urn.encode()).hexdigest()[:8]}" if _is_patch(urn) else MANAGER


def _is_patch(urn: str) -> bool:
    return urn.split("::")[2].endswith("Patch")


def _identity(manifest: Props) -> str:
    meta = cast(Json, manifest["metadata"])
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


def _label(manifest: Props) -> str:
    return f"{manifest.get('kind')} {_identity(manifest)}"


def _named_by(token: str, identity: str) -> Props:
    """The object that `.get` or an import asks for, by type token and id."""
    api_version, kind = token.split(":", 1)[1].rsplit(":", 1)
    namespace, _, name = identity.rpartition("/")
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api_version.removeprefix("core/"), "kind": kind.removesuffix("Patch"), "metadata": meta}


def _as_in(known: object, live: object) -> object:
    """The live values of those properties that the program sets: what a refresh compares."""
    if isinstance(known, dict) and isinstance(live, dict):
        values = cast(Json, live)
        # What the server never gives back (stringData) is as the program has it.
        return {
            k: _as_in(v, values[k]) if k in values else v
            for k, v in cast(Json, known).items()
            if k in values or k == "stringData"
        }
    if isinstance(known, list) and isinstance(live, list):
        pairs = zip(cast(list[object], known), cast(list[object], live), strict=False)
        same_length = len(cast(list[object], known)) == len(cast(list[object], live))
        return [_as_in(a, b) for a, b in pairs] if same_length else cast(list[object], live)
    return live


def _importable(live: Json) -> Json:
    """A live object as a program would write it: without what the server adds."""
    meta = cast(Json, live["metadata"])
    own = {key: meta[key] for key in ("name", "namespace", "labels", "annotations") if key in meta}
    return {key: value for key, value in live.items() if key != "status"} | {"metadata": own}


def _for_engine(live: Json) -> struct_pb2.Struct:
    """An object for the engine; what a Secret holds is marked as secret."""
    if live.get("kind") != "Secret":
        return wire.encode(live)
    secret = {key: {wire.SIGNATURE: wire.SECRET, "value": live[key]} for key in ("data", "stringData") if live.get(key)}
    return wire.encode(live | secret)


def _property_diff(change: Change, *, replaces: bool) -> provider_pb2.PropertyDiff:
    name = f"{change.name}_REPLACE" if replaces else change.name
    return provider_pb2.PropertyDiff(kind=provider_pb2.PropertyDiff.Kind.Value(name), inputDiff=True)


def _abort_not_ready(context: grpc.ServicerContext, error: NotReadyError) -> NoReturn:
    """The engine keeps an object that exists but failed to become ready, if it is told so in the status' details."""
    told = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
    properties = _for_engine(error.live)
    told.details.add().Pack(
        provider_pb2.ErrorResourceInitFailed(id=error.identity, properties=properties, reasons=[str(error)])
    )
    context.set_trailing_metadata((("grpc-status-details-bin", told.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, str(error))


if __name__ == "__main__":
    provider_process.serve(KubernetesProvider(), threading.Event())
