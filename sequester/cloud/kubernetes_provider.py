"""The provider `kubernetes` of the real Pulumi engine, over server-side apply to a real API server.

It stands in for pulumi-kubernetes where that plugin cannot be downloaded, for all kinds that the server knows, by the
server's own discovery. The API server is the one of the provider's `kubeconfig`, or of the file that
SEQUESTER_KUBECONFIG names: the cluster that a program in the embedded cloud makes has an address, but nobody answers.
Not offered: automatic names, Helm, Kustomize, YAML components.
"""

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn, cast

import grpc
import urllib3
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from sequester.cloud import provider_process, wire
from sequester.cloud.kubernetes_api import Json, KubeconfigError, KubernetesApi
from sequester.cloud.kubernetes_provider_apply import Applied, CannotError, NotReadyError, identity
from sequester.cloud.kubernetes_provider_diff import Change, differences
from sequester.cloud.kubernetes_provider_render import Rendered
from sequester.cloud.wire import Props

KUBECONFIG_VARIABLE = "SEQUESTER_KUBECONFIG"
VERSION = version("pulumi_kubernetes")


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
        self._target: Applied | Rendered | None = None
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
            given = wire.decode(request.args)
            folder, kubeconfig = given.get("renderYamlToDirectory"), _kubeconfig(given)
            if isinstance(folder, str):
                self._target = Rendered(Path(folder))
            elif kubeconfig is not None:
                self._target = Applied(KubernetesApi.from_kubeconfig(kubeconfig), self._cancelled)
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
                deleteBeforeReplace=bool(replaces) and identity(old) == identity(new),
            )

    def Create(  # noqa: N802
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        with _told(context):
            inputs = wire.decode(request.properties)
            if request.preview:
                foreseen = self._target.rehearse(inputs, request.urn) if self._target else inputs
                return provider_pb2.CreateResponse(properties=_for_engine(_without_identity(foreseen)))
            live = self._reach().make(inputs, request.urn, request.timeout)
            return provider_pb2.CreateResponse(id=identity(inputs), properties=_for_engine(live))

    def Update(  # noqa: N802
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        with _told(context):
            inputs = wire.decode(request.news)
            if request.preview:
                foreseen = self._target.rehearse(inputs, request.urn) if self._target else inputs
                return provider_pb2.UpdateResponse(properties=_for_engine(foreseen))
            live = self._reach().make(inputs, request.urn, request.timeout)
            return provider_pb2.UpdateResponse(properties=_for_engine(live))

    def Read(self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext) -> provider_pb2.ReadResponse:  # noqa: N802
        with _told(context):
            known = wire.decode(request.inputs)
            live = self._reach().read(known or _named_by(request.type, request.id))
            if live is None:
                return provider_pb2.ReadResponse()
            inputs = cast(Json, _as_in(known, live)) if known else _importable(live)
            return provider_pb2.ReadResponse(id=request.id, properties=_for_engine(live), inputs=_for_engine(inputs))

    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        with _told(context):
            target = wire.decode(request.old_inputs or request.properties)
            self._reach().remove(target, request.urn, request.timeout)
            return empty_pb2.Empty()

    def _reach(self) -> Applied | Rendered:
        if self._target is None:
            raise CannotError(f"kubeconfig: not given; set it on the provider, or {KUBECONFIG_VARIABLE}")
        return self._target


def _kubeconfig(given: Props) -> str | None:
    """The one that the environment names, else the provider's; None while that is unknown."""
    named = os.environ.get(KUBECONFIG_VARIABLE)
    if named:
        try:
            return Path(named).read_text()
        except OSError as error:
            raise CannotError(f"{KUBECONFIG_VARIABLE}={named}: {error.strerror}: name a kubeconfig file") from error
    inline = given.get("kubeconfig")
    return inline if isinstance(inline, str) else None


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


def _without_identity(rehearsed: Json) -> Json:
    """A rehearsed object without what a dry run makes up: the real one's uid, time and version will be others.

    They are left out rather than unknown: one unknown in `metadata` would hide the name, which is known.
    """
    if wire.unknown_anywhere(rehearsed):  # it was not rehearsed at all
        return rehearsed
    made_up = ("uid", "resourceVersion", "creationTimestamp", "managedFields")
    meta = {key: value for key, value in cast(Json, rehearsed["metadata"]).items() if key not in made_up}
    return {key: value for key, value in rehearsed.items() if key != "status"} | {"metadata": meta}


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
        provider_pb2.ErrorResourceInitFailed(id=error.name, properties=properties, reasons=[str(error)])
    )
    context.set_trailing_metadata((("grpc-status-details-bin", told.SerializeToString()),))
    context.abort(grpc.StatusCode.UNKNOWN, str(error))


if __name__ == "__main__":
    provider_process.serve(KubernetesProvider(), threading.Event())
