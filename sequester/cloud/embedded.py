"""A cloud in this process: moto for AWS, strict validation for Kubernetes, and Pulumi programs that run against it."""

import asyncio
import io
import json
import os
import zipfile
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

import botocore.session
from moto import mock_aws
from moto.backends import get_backend
from moto.moto_api._internal import mock_random

from sequester.cloud import functions, kinds, lifecycle
from sequester.cloud.api import DEFAULT_ACCOUNT, HOOKS, Aws
from sequester.cloud.declared import Memory
from sequester.cloud.monitor import STACK, Change, Record, Recorded, RecordingMonitor
from sequester.cloud.wire import Props

if TYPE_CHECKING:
    from botocore.client import BaseClient

PROJECT = "sequester"

# moto opens a session for each of its backends, and each would read every service's endpoints anew.
botocore.session.create_loader = cache(botocore.session.create_loader)


def _same(_type: str, _name: str, inputs: Props) -> Props:
    return inputs


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Edit:
    """A change to a program on its way to the cloud, so that a test can remove a control or open a way out.

    `change` sees (type, name, inputs) of each resource and returns the inputs to use, or None to leave it out (the
    program goes on with a made-up id). `add` runs inside the program, after it.
    """

    change: Change = _same
    add: Callable[[], None] = _nothing


@dataclass(frozen=True)
class Run:
    """What one run of a program registered."""

    resources: tuple[Recorded, ...]
    """Every resource and component in the order in which they were made; the stack itself is left out."""
    outputs: Props
    """The stack's exports."""
    components: Mapping[str, Props] = field(default_factory=dict[str, Props])
    """What each component registered as its outputs, by URN."""

    @property
    def declared_only(self) -> list[str]:
        """The types that moto lacks, sorted: validated by botocore and stored, but not acted on."""
        return sorted({resource.type for resource in self.resources if resource.declared_only})

    @property
    def kubernetes(self) -> list[Props]:
        """The Kubernetes manifests, in the order in which they were made."""
        return [r.inputs for r in self.resources if r.type.startswith("kubernetes:") and r.id]


class EmbeddedCloud:
    """One AWS account and one cluster in this process; a context manager. One is open at a time.

    >>> with EmbeddedCloud(region="us-east-1") as cloud:
    ...     run = cloud.up(program, config={"sequester:network": "{...}"})
    ...     cloud.client("ec2").describe_vpcs()
    """

    def __init__(self, region: str = "us-east-1") -> None:
        self.aws = Aws(account=DEFAULT_ACCOUNT, region=region)
        self._moto = mock_aws()
        self._environment: dict[str, str] = {}
        self._times_made: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        for name in self._environment:
            del os.environ[name]
        os.environ["AWS_DEFAULT_REGION"] = self.aws.region
        os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
        mock_random.seed("account")
        self._moto.start()
        get_backend("ec2")[self.aws.account][self.aws.region]  # now: it makes up what AWS's own prefix lists are called
        HOOKS.install()
        HOOKS.store = Memory()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        HOOKS.store = None
        self._moto.stop()
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(self._environment)

    def client(self, service: str) -> Any:
        """A boto3 client of this cloud."""
        client: BaseClient = self.aws.client(service)
        return client

    def archive(self, function: str) -> dict[str, bytes]:
        """The files of a deployed function, for which AWS gives a presigned URL. Raises what GetFunction does."""
        self.client("lambda").get_function(FunctionName=function)
        backend: Any = get_backend("lambda")[self.aws.account][self.aws.region]
        with zipfile.ZipFile(io.BytesIO(backend.get_function(function).code_bytes)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def up(
        self,
        program: Callable[[], None],
        *,
        config: Mapping[str, object] | None = None,
        edit: Edit | None = None,
        stack: str = "dev",
        progress: Callable[[Recorded], None] | None = None,
    ) -> Run:
        """Run a program; every resource is made before this returns. May be called again, in one cloud or in many.

        `config` maps `project:key` to a string or to anything that JSON can say. Raises `CreateFailedError` for the
        first resource that could not be made, and whatever the program itself raises.
        """
        edit = edit or Edit()
        monitor = RecordingMonitor(self, edit.change, progress or (lambda _: None), PROJECT, stack)

        async def whole() -> None:
            program()
            edit.add()
            await _outputs_done()

        # A context of its own: Pulumi keeps its settings and its root resource in context variables.
        copy_context().run(_run, whole, monitor, dict(config or {}), stack)
        return _as_run(monitor.record)

    def make(self, urn: str, token: str, name: str, inputs: Props) -> tuple[str, Props, bool]:
        """Make one resource. See `sequester.cloud.monitor.Maker`.

        Whatever moto makes up for it follows from its URN: the same program has the same ids in every run, though
        Pulumi's threads make its resources in another order each time.
        """
        if token.startswith("pulumi:"):
            return name, inputs, False
        if token.startswith("kubernetes:"):
            from sequester.cloud import manifests  # reading the schemas' package costs a tenth of a second

            return *manifests.make(inputs), False
        kind = kinds.kind(token)
        with self.aws.lock:
            self._times_made[urn] += 1  # a second run of one program makes other things, not the same again
            mock_random.seed(f"{urn} {self._times_made[urn]}")
            identity, outputs = lifecycle.create(self.aws, kind, inputs)
        return identity, outputs, kind.declared_only

    def invoke(self, token: str, arguments: Props) -> Props:
        """Answer one provider function."""
        return functions.answer(self.aws, token, arguments)


def _run(
    program: Callable[[], Awaitable[None]], monitor: RecordingMonitor, config: Mapping[str, object], stack: str
) -> None:
    from pulumi import runtime
    from pulumi.runtime import mocks, settings
    from pulumi.runtime.stack import run_in_stack

    class _Stack:
        """Keeps `set_mocks` from making a root: `run_in_stack` makes the one that holds the exports."""

    settings.ROOT.set(_Stack())  # type: ignore[arg-type]
    mocks.set_mocks(monitor.mocks, project=PROJECT, stack=stack, preview=False, monitor=monitor)
    settings.ROOT.set(None)
    settings.SETTINGS.outputs = set()  # pyright: ignore[reportAttributeAccessIssue]  else a failed run's are awaited
    settings.SETTINGS.package_refs = {}  # pyright: ignore[reportAttributeAccessIssue]
    text = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    runtime.set_all_config(text)
    try:
        with asyncio.Runner() as runner:  # on a failure too, it waits for what is under way in other threads
            runner.get_loop().set_exception_handler(_say_nothing)
            runner.run(run_in_stack(program))
    except Exception:
        if monitor.record.failures:
            raise monitor.record.failures[0] from monitor.record.failures[0].said
        raise
    if monitor.record.failures:
        raise monitor.record.failures[0]


async def _outputs_done() -> None:
    """Until no output is pending, or one failed, which Pulumi then says.

    Pulumi itself looks at all that are pending after each one that is done: a third of the program's whole time.
    """
    from pulumi.runtime import settings

    made: Any = settings.SETTINGS
    while pending := cast("list[asyncio.Task[object]]", list(made.outputs)):
        done, _ = await asyncio.wait(pending, return_when=asyncio.FIRST_EXCEPTION)
        if any(task.cancelled() or task.exception() for task in done):
            return


def _say_nothing(_loop: asyncio.AbstractEventLoop, _context: Mapping[str, object]) -> None:
    """After the first failure, those that waited for it have nothing to add."""


def _as_run(record: Record) -> Run:
    stacks = [outputs for urn, outputs in record.outputs.items() if f"::{STACK}::" in urn]
    return Run(
        resources=tuple(record.resources),
        outputs=stacks[0] if stacks else {},
        components={urn: outputs for urn, outputs in record.outputs.items() if f"::{STACK}::" not in urn},
    )
