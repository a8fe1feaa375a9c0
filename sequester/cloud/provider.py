"""The second front end: a Pulumi provider called `aws`, over the same kinds, that deploys to a running server.

The engine starts it as the plugin `pulumi-resource-aws` (see `plugin.install`) and speaks gRPC to it
(pulumi/pulumi, proto/pulumi/provider.proto). The server's URL is in
AWS_ENDPOINT_URL, the region in the provider's configuration or AWS_REGION.
"""

import functools
import json
import os
from collections.abc import Callable
from typing import Any, TypeVar, cast

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from sequester.cloud import functions, kinds, lifecycle, plugin, wire
from sequester.cloud.api import DEFAULT_ACCOUNT, HOOKS, Aws, RefusedError
from sequester.cloud.kind import Kind, UnmappedPropertyError
from sequester.cloud.remote import Remote
from sequester.cloud.schema import UnknownTokenError
from sequester.cloud.shapes import UnmappedError
from sequester.cloud.wire import UNKNOWN, Props

VERSION = "7.51.1"
"""The pulumi-aws SDK's version, which the engine looks for."""
_REFUSALS = (
    RefusedError,
    UnmappedPropertyError,
    UnmappedError,
    UnknownTokenError,
    kinds.UnmappedTypeError,
    functions.UnmappedFunctionError,
)
_Method = TypeVar("_Method", bound=Callable[..., Any])


def _refusals_as_status(method: _Method) -> _Method:
    """What AWS refuses becomes the status that the engine prints; anything else keeps its traceback."""

    @functools.wraps(method)
    def answer(self: "Provider", request: object, context: grpc.ServicerContext) -> object:
        try:
            return method(self, request, context)
        except _REFUSALS as refusal:
            context.abort(grpc.StatusCode.UNKNOWN, str(refusal))

    return cast(_Method, answer)


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """The provider's methods, as the engine calls them."""

    def __init__(self, endpoint: str, region: str) -> None:
        self._aws = Aws(account=DEFAULT_ACCOUNT, region=region, endpoint=endpoint)

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:  # noqa: N802
        return plugin_pb2.PluginInfo(version=VERSION)

    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        return empty_pb2.Empty()

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        return empty_pb2.Empty()

    def GetSchema(  # noqa: N802
        self, request: provider_pb2.GetSchemaRequest, context: grpc.ServicerContext
    ) -> provider_pb2.GetSchemaResponse:
        """What the hosts of languages without types (YAML) ask for: each property by its name, of any form."""
        return provider_pb2.GetSchemaResponse(schema=json.dumps(_schema()))

    def CheckConfig(  # noqa: N802
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(  # noqa: N802
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(  # noqa: N802
        self, request: provider_pb2.ConfigureRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ConfigureResponse:
        region = wire.decode(request.args).get("region")
        if isinstance(region, str) and region:
            self._aws = Aws(account=self._aws.account, region=region, endpoint=self._aws.endpoint)
        return provider_pb2.ConfigureResponse(supportsPreview=True, acceptSecrets=False)

    @_refusals_as_status
    def Invoke(  # noqa: N802
        self, request: provider_pb2.InvokeRequest, context: grpc.ServicerContext
    ) -> provider_pb2.InvokeResponse:
        answer = functions.answer(self._aws, request.tok, wire.decode(request.args))
        return provider_pb2.InvokeResponse(**{"return": wire.encode(answer)})  # pyright: ignore[reportArgumentType]

    @_refusals_as_status
    def Check(  # noqa: N802
        self, request: provider_pb2.CheckRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CheckResponse:
        """A name that the SDK does not have, and one that the table would drop, fail before anything is made."""
        kind = kinds.kind(_token(request.urn))
        given = frozenset(name for name in request.news.fields if not name.startswith("__"))
        failures = [
            provider_pb2.CheckFailure(property=name, reason=f"{kind.token} has no property {name}")
            for name in sorted(given - kind.schema.inputs)
        ]
        failures += [
            provider_pb2.CheckFailure(property=name, reason=f"the embedded cloud does not map {kind.token}.{name}")
            for name in sorted(kind.unmapped(self._aws, given & kind.schema.inputs))
        ]
        failures += [
            provider_pb2.CheckFailure(property=name, reason="is required")
            for name in sorted(kind.schema.required - given)
        ]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    @_refusals_as_status
    def Diff(  # noqa: N802
        self, request: provider_pb2.DiffRequest, context: grpc.ServicerContext
    ) -> provider_pb2.DiffResponse:
        """Old inputs against new ones, each changed property listed for the user."""
        kind = kinds.kind(_token(request.urn))
        old, new = wire.decode(request.old_inputs), wire.decode(request.news)
        seen = wire.decode(request.olds)
        drifted = {name: seen[name] for name in old if name in seen and not isinstance(seen[name], dict | list)}
        found = lifecycle.diff(self._aws, kind, old | drifted, new)
        ignored = set(request.ignoreChanges)
        changed = sorted(found.changed - ignored)
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
            replaces=sorted(found.replacing - ignored),
            diffs=changed,
            hasDetailedDiff=True,
            detailedDiff={
                name: provider_pb2.PropertyDiff(
                    kind=_difference(name, old, new, replaces=name in found.replacing), inputDiff=True
                )
                for name in changed
            },
            deleteBeforeReplace=bool(found.replacing),
        )

    @_refusals_as_status
    def Create(  # noqa: N802
        self, request: provider_pb2.CreateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.CreateResponse:
        kind, inputs = kinds.kind(_token(request.urn)), wire.decode(request.properties)
        if request.preview:
            unknown = dict.fromkeys(kind.schema.outputs - kind.schema.echoed - {"region"}, UNKNOWN)
            return provider_pb2.CreateResponse(properties=wire.encode(unknown | _expected(kind, inputs)))
        identity, outputs = lifecycle.create(self._aws, kind, inputs)
        return provider_pb2.CreateResponse(id=identity, properties=wire.encode(outputs))

    @_refusals_as_status
    def Read(  # noqa: N802
        self, request: provider_pb2.ReadRequest, context: grpc.ServicerContext
    ) -> provider_pb2.ReadResponse:
        kind, state = kinds.kind(_token(request.urn)), wire.decode(request.properties)
        seen = lifecycle.read(self._aws, kind, request.id, state)
        if seen is None:
            return provider_pb2.ReadResponse()
        return provider_pb2.ReadResponse(id=request.id, properties=wire.encode(seen), inputs=request.inputs)

    @_refusals_as_status
    def Update(  # noqa: N802
        self, request: provider_pb2.UpdateRequest, context: grpc.ServicerContext
    ) -> provider_pb2.UpdateResponse:
        kind = kinds.kind(_token(request.urn))
        old, new = wire.decode(request.olds), wire.decode(request.news)
        if request.preview:
            kept = {name: value for name, value in old.items() if name not in kind.schema.inputs}
            return provider_pb2.UpdateResponse(properties=wire.encode(kept | _expected(kind, new)))
        return provider_pb2.UpdateResponse(
            properties=wire.encode(lifecycle.update(self._aws, kind, request.id, old, new))
        )

    @_refusals_as_status
    def Delete(self, request: provider_pb2.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        kind = kinds.kind(_token(request.urn))
        lifecycle.delete(self._aws, kind, request.id, wire.decode(request.properties))
        return empty_pb2.Empty()


def _schema() -> Props:
    """A package schema: https://www.pulumi.com/docs/iac/guides/building-extending/packages/schema/."""
    form = {"$ref": "pulumi.json#/Any"}
    resources: Props = {}
    for token in kinds.tokens():
        declared = kinds.kind(token).schema
        resources[token] = {
            "inputProperties": dict.fromkeys(sorted(declared.inputs), form),
            "requiredInputs": sorted(declared.required),
            "properties": dict.fromkeys(sorted(declared.inputs | declared.outputs), form),
        }
    held = {"region": {"type": "string"}, "allowedAccountIds": {"type": "array", "items": {"type": "string"}}}
    provider = {"inputProperties": held, "properties": held}
    return {
        "name": "aws",
        "version": VERSION,
        "meta": {"moduleFormat": "(.*)(?:/[^/]*)"},  # `aws:ec2:Vpc` is `aws:ec2/vpc:Vpc`, as AWS's own package has it
        "config": {"variables": held},
        "provider": provider,
        "resources": resources,
    }


def _expected(kind: Kind, inputs: Props) -> Props:
    """The outputs that a preview knows: the inputs, and the tags as they will be."""
    tags: Props = {"tagsAll": inputs.get("tags") or {}} if "tagsAll" in kind.schema.outputs else {}
    return {**inputs, **tags}


def _token(urn: str) -> str:
    return urn.split("::")[2].split("$")[-1]


def _difference(name: str, old: Props, new: Props, *, replaces: bool) -> Any:
    what = "ADD" if name not in old else "DELETE" if name not in new else "UPDATE"
    return getattr(provider_pb2.PropertyDiff, f"{what}_REPLACE" if replaces else what)


def main() -> None:
    """Serve the engine that started this."""
    endpoint = os.environ["AWS_ENDPOINT_URL"]
    HOOKS.store = Remote(endpoint)
    plugin.serve(Provider(endpoint, os.environ.get("AWS_REGION", "us-east-1")))


if __name__ == "__main__":
    main()
