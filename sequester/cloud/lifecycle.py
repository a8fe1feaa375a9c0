"""Create, read, update, delete and diff of any kind of the table: what both front ends do with a resource."""

from collections.abc import Mapping
from dataclasses import dataclass

from sequester.cloud.api import Aws, RefusedError
from sequester.cloud.kind import Kind, UnmappedPropertyError
from sequester.cloud.shapes import fill, same_document
from sequester.cloud.wire import Plain, Props


@dataclass(frozen=True)
class Difference:
    """The inputs that changed, and those of them that need a new resource."""

    changed: frozenset[str]
    replacing: frozenset[str]


def create(aws: Aws, kind: Kind, inputs: Mapping[str, Plain]) -> tuple[str, Props]:
    """Make the resource; returns its id and every output that the SDK declares and someone knows.

    Raises `RefusedError`, `UnmappedPropertyError`; what was half made is taken away again.
    """
    given = {name: value for name, value in inputs.items() if value is not None}
    state: Props = {**_context(aws), **kind.defaults, **given}
    asked = frozenset(state) - frozenset(_context(aws))
    unmapped = kind.unmapped(aws, asked)
    if unmapped:
        raise UnmappedPropertyError(
            f"{', '.join(sorted(unmapped))}: the embedded cloud passes this to no AWS call; add it to the kind"
        )
    if "name" in kind.create.takes(aws, kind.schema) and not given.get("name"):
        raise RefusedError("MissingParameter", "name: give one; names are chosen here, never made up")
    with aws.lock:
        for rule in kind.rules:
            rule(aws, state)
        state = kind.create(aws, state, kind.schema) | state
        _identify(kind, state)
        try:
            taken = kind.create.takes(aws, kind.schema)
            for change in kind.changes:
                if (change.takes(aws, kind.schema) - taken) & asked:
                    state = change(aws, state, kind.schema) | state
            _settle(aws, kind, state)
        except RefusedError:
            if kind.delete:
                kind.delete(aws, state, kind.schema)
            raise
    return str(state["id"]), _outputs(kind, state)


def read(aws: Aws, kind: Kind, identity: str, state: Mapping[str, Plain]) -> Props | None:
    """What the cloud says now about a resource, or None where it is gone.

    Only flat values are read back: a nested one keeps the program's spelling, as AWS orders and completes those.
    """
    if kind.read is None:
        return dict(state)
    known: Props = {**_context(aws), **state, "id": identity}
    try:
        seen = kind.read(aws, known, kind.schema)
    except RefusedError as refusal:
        if refusal.gone:
            return None
        raise
    if seen.get("state") in ("deleted", "deleting"):  # AWS shows some things for a while after they are gone
        return None
    fresh = {name: value for name, value in seen.items() if not isinstance(state.get(name, value), dict | list)}
    same = {name for name, value in fresh.items() if same_document(value, state.get(name))}
    return dict(state) | {name: value for name, value in fresh.items() if name not in same}


def update(aws: Aws, kind: Kind, identity: str, old: Mapping[str, Plain], new: Mapping[str, Plain]) -> Props:
    """Change a resource in place from its old state to new inputs; returns its outputs."""
    given = {name: value for name, value in new.items() if value is not None}
    kept = {name: value for name, value in old.items() if name in kind.schema.computed}
    state: Props = {**_context(aws), **kind.defaults, **kept, **given, "id": identity}
    changed = diff(aws, kind, old, given).changed
    with aws.lock:
        for rule in kind.rules:
            rule(aws, state)
        for change in kind.changes:
            if change.takes(aws, kind.schema) & changed:
                state |= {n: v for n, v in change(aws, state, kind.schema).items() if n not in given}
        _settle(aws, kind, state)
    return _outputs(kind, state)


def delete(aws: Aws, kind: Kind, identity: str, state: Mapping[str, Plain]) -> None:
    """Remove a resource; one that is gone already is no error."""
    known: Props = {**_context(aws), **state, "id": identity}
    with aws.lock:
        try:
            if kind.keeps:
                kind.keeps(aws, known)
            if kind.delete:
                kind.delete(aws, known, kind.schema)
        except RefusedError as refusal:
            if not refusal.gone:
                raise


def diff(aws: Aws, kind: Kind, old: Mapping[str, Plain], new: Mapping[str, Plain]) -> Difference:
    """Which inputs differ; an input that the program leaves out is whatever the cloud chose."""
    inputs = kind.schema.inputs
    changed = frozenset(
        name
        for name in inputs
        if (name in new or name in old) and not same_document(_settled(old.get(name)), _settled(new.get(name)))
    )
    return Difference(changed, changed & kind.replacing(aws))


def _settled(value: Plain) -> Plain:
    return None if value in ([], {}, "", None) else value


def _context(aws: Aws) -> Props:
    return {"account": aws.account, "partition": aws.partition, "region": aws.region}


def _identify(kind: Kind, state: Props) -> None:
    if kind.id:
        state["id"] = fill(kind.id, state)
    if not state.get("id"):
        raise LookupError(f"{kind.token}: create gave no id; name one in the kind's row")


def _settle(aws: Aws, kind: Kind, state: Props) -> None:
    state |= {name: fill(template, state) for name, template in kind.computed.items() if name not in state}
    missing = kind.schema.computed - state.keys() - kind.absent - {"tagsAll"}
    if missing and kind.read:
        seen = kind.read(aws, state, kind.schema)
        state |= {name: value for name, value in seen.items() if name not in state}


def _outputs(kind: Kind, state: Props) -> Props:
    if "tagsAll" in kind.schema.outputs:
        state["tagsAll"] = state.get("tags") or {}
    return {name: state.get(name) for name in sorted(kind.schema.outputs) if state.get(name) is not None}
