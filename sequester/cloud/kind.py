"""One resource type as a row of a table: how it is made, read, changed and removed through the AWS API.

A row is data wherever AWS's call and Pulumi's properties differ only in names (`Call`), and code where they differ in
kind (`@code`). Either way a step says which properties it takes and which outputs it gives, so that a property which
nothing takes and an output which nothing gives are found before any resource is made.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

import jmespath
from botocore.model import StructureShape

from sequester.cloud import shapes
from sequester.cloud.api import Aws, RefusedError
from sequester.cloud.schema import Schema, declared
from sequester.cloud.shapes import fill
from sequester.cloud.wire import Plain, Props

LOCAL = frozenset({"region", "timeouts", "forceDestroy", "skipDestroy", "forceDetachPolicies"})
"""Properties that the provider itself acts on: no AWS call takes them."""


class UnmappedPropertyError(ValueError):
    """A program gives a property that the embedded cloud would silently drop."""


class Step(Protocol):
    """Something done to AWS with a resource's state; returns what became known."""

    def takes(self, aws: Aws, schema: Schema) -> frozenset[str]:
        """The inputs that this step passes on to AWS."""
        ...

    def gives(self, aws: Aws, schema: Schema) -> frozenset[str]:
        """The outputs that this step can fill in."""
        ...

    def __call__(self, aws: Aws, state: Props, schema: Schema) -> Props:
        """Do it. Raises `RefusedError`."""
        ...


@dataclass(frozen=True)
class Call:
    """One API call. `operation` is `service.method` of boto3.

    `names` maps a property path to a parameter path ("" drops it), `fixed` holds parameters as templates over the
    state, `at` is a JMESPath to the described thing in the answer, `outputs` maps an output to a JMESPath within it.
    `tagged` is the resource type under which EC2 takes tags at creation. `only` restricts the properties passed.
    """

    operation: str
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    fixed: Mapping[str, object] = field(default_factory=dict[str, object])
    at: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict[str, str])
    tagged: str = ""
    only: tuple[str, ...] | None = None
    without: tuple[str, ...] = ()

    def takes(self, aws: Aws, schema: Schema) -> frozenset[str]:
        shape = self._input(aws)
        offered = (schema.inputs if self.only is None else frozenset(self.only)) - LOCAL - frozenset(self.without)
        named = {name.split(".")[0] for name in self.names} | ({"tags"} if self.tagged else set[str]())
        return frozenset(name for name in offered if name in named or shapes.member(shape, name))

    def gives(self, aws: Aws, schema: Schema) -> frozenset[str]:
        known = frozenset(self.outputs) - {"id"}
        shape = aws.model(self.operation).output_shape
        for part in filter(None, self.at.replace("[0]", ".[0]").split(".")):
            shape = shape.member if part == "[0]" else shape.members.get(part)  # type: ignore[union-attr]
            if shape is None:
                return known
        if not isinstance(shape, StructureShape):
            return known
        named = {name: shapes.member(shape, name) for name in schema.outputs}
        return known | {name for name, member in named.items() if member and shapes.flat(shape.members[member])}

    def __call__(self, aws: Aws, state: Props, schema: Schema) -> Props:
        shape = self._input(aws)
        sent = cast(Props, fill(self.fixed, state))
        for name in sorted(self.takes(aws, schema)):
            value = state.get(name)
            if value is None:
                continue
            target = self.names.get(name)
            if name == "tags" and self.tagged:
                tags = [{"Key": k, "Value": v} for k, v in cast(dict[str, str], value).items()]
                if tags:
                    sent["TagSpecifications"] = [{"ResourceType": self.tagged, "Tags": tags}]
            elif target != "":
                shapes.place(sent, shape, target or str(shapes.member(shape, name)), value, self.names, name)
        answer = aws.call(self.operation, **sent)
        thing = cast(object, jmespath.search(self.at, answer)) if self.at else answer
        if thing is None:
            raise RefusedError("NotFound", f"{self.operation} answered without {self.at}")
        wanted = (self.gives(aws, schema) | schema.outputs & {"tags"}) - set(self.without)
        found = shapes.outputs(cast(dict[str, object], thing), wanted) if isinstance(thing, dict) else {}
        given = {name: shapes.plain(jmespath.search(path, thing)) for name, path in self.outputs.items()}
        return found | {name: value for name, value in given.items() if value is not None}

    def _input(self, aws: Aws) -> StructureShape:
        return aws.model(self.operation).input_shape or StructureShape("none", {"members": {}})


@dataclass(frozen=True)
class Code:
    """A step that is written out: a function from (Aws, state) to outputs, with what it takes and gives."""

    run: Callable[[Aws, Props], Props | None]
    taken: frozenset[str]
    given: frozenset[str]

    def takes(self, aws: Aws, schema: Schema) -> frozenset[str]:
        return self.taken

    def gives(self, aws: Aws, schema: Schema) -> frozenset[str]:
        return self.given

    def __call__(self, aws: Aws, state: Props, schema: Schema | None = None) -> Props:
        return self.run(aws, state) or {}


def code(takes: str = "", gives: str = "") -> Callable[[Callable[[Aws, Props], Props | None]], Code]:
    """Make a step of a function; the names are separated by blanks."""
    return lambda run: Code(run, frozenset(takes.split()), frozenset(gives.split()))


Rule = Callable[[Aws, Props], None]
"""Refuses (RefusedError) what AWS refuses and moto accepts; sees the inputs."""


@dataclass(frozen=True)
class Kind:
    """A row: `token` is Pulumi's type; the steps are in the order in which they run.

    `id` is a template over the state (`"{vpcId}/{name}"`), or empty where create gives an `id`. `changes` are the steps
    that update in place: after create they run for given properties that create did not take. A property that no
    change takes replaces the resource. `computed` are output templates, `absent` the outputs that no one here fills.
    """

    token: str
    create: Step
    delete: Step | None
    read: Step | None = None
    changes: tuple[Step, ...] = ()
    id: str = ""
    computed: Mapping[str, str] = field(default_factory=dict[str, str])
    absent: frozenset[str] = frozenset()
    defaults: Mapping[str, Plain] = field(default_factory=dict[str, Plain])
    rules: tuple[Rule, ...] = ()
    local: frozenset[str] = frozenset()
    keeps: Callable[[Aws, Props], None] | None = None
    """Refuses a delete that AWS refuses (the thing is in use)."""
    declared_only: bool = False

    @property
    def schema(self) -> Schema:
        """What the SDK declares for the type."""
        return declared(self.token)

    def unmapped(self, aws: Aws, given: frozenset[str]) -> frozenset[str]:
        """The given properties that no step takes."""
        taken = self.create.takes(aws, self.schema).union(*(c.takes(aws, self.schema) for c in self.changes))
        return given - taken - LOCAL - self.local

    def unfilled(self, aws: Aws) -> frozenset[str]:
        """The outputs that only the cloud knows and that neither a step, nor `computed`, nor `absent` accounts for."""
        steps = [self.create, *self.changes, *([self.read] if self.read else [])]
        given = frozenset[str]().union(*(step.gives(aws, self.schema) for step in steps))
        return self.schema.computed - given - frozenset(self.computed) - self.absent - {"tagsAll", "region"}

    def replacing(self, aws: Aws) -> frozenset[str]:
        """The inputs whose change makes a new resource."""
        changed = frozenset[str]().union(*(c.takes(aws, self.schema) for c in self.changes))
        return self.schema.inputs - changed - LOCAL - self.local - {"tags"} | {"region"}
