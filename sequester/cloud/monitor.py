"""The first front end: a resource monitor in this process that makes each resource at once and records it.

Pulumi's mocks show neither dependencies nor secrets; the request of the SDK carries both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from google.protobuf import empty_pb2
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.proto import resource_pb2

from sequester.cloud import wire
from sequester.cloud.api import RefusedError
from sequester.cloud.wire import Props

STACK = "pulumi:pulumi:Stack"


class CreateFailedError(Exception):
    """A resource could not be made. The message names it, its type and what AWS, moto or the table said."""

    def __init__(self, urn: str, said: Exception) -> None:
        kind, name = urn.split("::")[2].split("$")[-1], urn.split("::")[3]
        why = (
            str(said) if isinstance(said, RefusedError | LookupError) and not isinstance(said, KeyError) else repr(said)
        )
        super().__init__(f"{name} ({kind}): {why}")
        self.urn = urn
        self.said = said


@dataclass(frozen=True)
class Recorded:
    """One registered resource: what the program asked for and what it got back."""

    urn: str
    type: str
    name: str
    id: str
    """The cloud's id; empty for a component."""
    parent: str
    """The parent's URN; the stack's where the program names none."""
    inputs: Props
    outputs: Props
    dependencies: tuple[str, ...]
    """URNs that this resource waits for, by `depends_on` or by any property."""
    property_dependencies: Mapping[str, tuple[str, ...]]
    """For each top-level input, the URNs whose outputs are in it."""
    secret: frozenset[str]
    """Top-level inputs that hold a secret; `inputs` and `outputs` have them in clear."""
    declared_only: bool = False
    """moto has no such thing: botocore validated the call, and our store keeps and answers it."""


class Maker(Protocol):
    """What makes resources and answers functions."""

    def make(self, urn: str, token: str, name: str, inputs: Props) -> tuple[str, Props, bool]:
        """Make a resource: its id, its outputs, and whether it is declared only."""
        ...

    def invoke(self, token: str, arguments: Props) -> Props:
        """Answer a provider function."""
        ...


Change = Callable[[str, str, Props], Props | None]
"""(type, name, inputs) to the inputs to use instead, or None to leave the resource out."""


@dataclass
class Record:
    """What a run registered, in order."""

    resources: list[Recorded] = field(default_factory=list[Recorded])
    outputs: dict[str, Props] = field(default_factory=dict[str, Props])
    failures: list[CreateFailedError] = field(default_factory=list[CreateFailedError])


class RecordingMonitor(MockMonitor):
    """Pulumi's mock monitor with our makers behind it; the SDK calls it from many threads."""

    def __init__(
        self, maker: Maker, change: Change, progress: Callable[[Recorded], None], project: str, stack: str
    ) -> None:
        super().__init__(_Unused())
        self._root = f"urn:pulumi:{stack}::{project}"
        self.record = Record()
        self._maker = maker
        self._change = change
        self._progress = progress
        self._lock = Lock()

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """The URN that the real engine gives: the whole chain of parents' types, without the stack's."""
        above = parent.split("::")[2] if parent else STACK
        chain = type_ if above == STACK else f"{above}${type_}"
        return f"{self._root}::{chain}::{name}"

    def RegisterResource(  # noqa: N802
        self, request: resource_pb2.RegisterResourceRequest
    ) -> resource_pb2.RegisterResourceResponse:
        urn = self.make_urn(request.parent, request.type, request.name)
        inputs = wire.decode(request.object)
        try:
            kept = self._change(request.type, request.name, inputs) if request.type != STACK else inputs
            if not request.custom:
                identity, outputs, declared_only = "", inputs, False
            elif kept is None:
                left_out = wire.encode(inputs)
                return resource_pb2.RegisterResourceResponse(urn=urn, id=f"left-out-{request.name}", object=left_out)
            else:
                inputs = kept
                identity, outputs, declared_only = self._maker.make(urn, request.type, request.name, inputs)
        except Exception as error:
            failure = CreateFailedError(urn, error)
            self.record.failures.append(failure)
            raise failure from error
        recorded = Recorded(
            urn=urn,
            type=request.type,
            name=request.name,
            id=identity,
            parent=request.parent,
            inputs=inputs,
            outputs=outputs,
            dependencies=tuple(request.dependencies),
            property_dependencies={k: tuple(v.urns) for k, v in request.propertyDependencies.items() if v.urns},
            secret=wire.secrets(request.object),
            declared_only=declared_only,
        )
        with self._lock:
            if any(urn == earlier.urn for earlier in self.record.resources):
                failure = CreateFailedError(urn, ValueError("two resources have this type and name"))
                self.record.failures.append(failure)
                raise failure
            self.resources[urn] = self.ResourceRegistration(urn, identity, outputs)
            if request.type != STACK:
                self.record.resources.append(recorded)
                self._progress(recorded)
        return resource_pb2.RegisterResourceResponse(urn=urn, id=identity, object=wire.encode(outputs))

    def RegisterResourceOutputs(  # noqa: N802
        self, request: resource_pb2.RegisterResourceOutputsRequest
    ) -> empty_pb2.Empty:
        with self._lock:
            self.record.outputs[request.urn] = wire.decode(request.outputs)
        return empty_pb2.Empty()

    def Invoke(  # noqa: N802
        self, request: resource_pb2.ResourceInvokeRequest
    ) -> resource_pb2.ResourceInvokeResponse:
        if request.tok.startswith("pulumi:"):
            raise NotImplementedError(f"{request.tok}: the embedded cloud answers no functions of the engine")
        answer = self._maker.invoke(request.tok, wire.decode(request.args))
        return resource_pb2.ResourceInvokeResponse(**{"return": wire.encode(answer)})  # pyright: ignore[reportArgumentType]

    def ReadResource(self, request: resource_pb2.ReadResourceRequest) -> resource_pb2.ReadResourceResponse:  # noqa: N802
        urn = self.make_urn(request.parent, request.type, request.name)
        raise CreateFailedError(urn, NotImplementedError("existing resources are literal ids in settings, not .get"))


class _Unused(Mocks):
    """The mock monitor wants mocks; ours answers every request itself."""

    def call(self, args: MockCallArgs) -> tuple[dict[str, object], list[tuple[str, str]] | None]:
        raise NotImplementedError(args.token)

    def new_resource(self, args: MockResourceArgs) -> tuple[str | None, dict[str, object]]:
        raise NotImplementedError(args.typ)
