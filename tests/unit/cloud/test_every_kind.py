"""Every row of the table: what it makes is read back without a difference, and goes away again."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from kinds_programs import PROGRAMS

from sequester.cloud import Aws, EmbeddedCloud, kinds, lifecycle
from sequester.cloud.api import DEFAULT_ACCOUNT
from sequester.cloud.kind import Kind
from sequester.cloud.shapes import same_document

ROWS = {token: kind for module in kinds.FILES for token, kind in kinds.table(module).items()}
SEEN: set[str] = set()
AWS = Aws(DEFAULT_ACCOUNT, "us-east-1")
"""Enough to look at the table: no call is made."""

pytestmark = pytest.mark.xdist_group("every_kind")  # one process: the last test asks what the others used


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_what_a_program_makes_reads_back_as_it_was_made_and_goes_away(
    cloud: EmbeddedCloud, program: Callable[[], None]
) -> None:
    run = cloud.up(program)
    made = [(resource, ROWS[resource.type]) for resource in run.resources if resource.id]
    SEEN.update(kind.token for _, kind in made)
    flat = str | int | float | bool
    read = {resource.urn: lifecycle.read(cloud.aws, kind, resource.id, resource.outputs) for resource, kind in made}
    assert not [urn for urn, seen in read.items() if seen is None]
    drift = {
        resource.name: (name, value, resource.inputs[name])
        for resource, _ in made
        for name, value in (read[resource.urn] or {}).items()
        if name in resource.inputs and isinstance(value, flat) and not same_document(value, resource.inputs[name])
    }
    assert not drift
    for resource, kind in reversed(made):
        lifecycle.delete(cloud.aws, kind, resource.id, resource.outputs)
    left = [
        f"{resource.type} {resource.id}"
        for resource, kind in made
        if kind.read
        and kind.delete
        and lifecycle.read(cloud.aws, kind, resource.id, resource.outputs) is not None
        and kind.token not in LINGER
    ]
    assert not left


LINGER = {"aws:ec2/vpcBlockPublicAccessOptions:VpcBlockPublicAccessOptions"}
"""A setting of the account: deleted, it goes back to its default."""


def test_every_row_is_used_by_a_program() -> None:
    if len(SEEN) == 0:
        pytest.fail("run this with the whole file: it asks what the programs used")
    assert not sorted(ROWS.keys() - SEEN)


@pytest.mark.parametrize("kind", ROWS.values(), ids=ROWS)
def test_every_output_that_the_sdk_declares_is_given_or_named_absent(kind: Kind) -> None:
    assert not kind.unfilled(AWS)


@pytest.mark.parametrize("kind", ROWS.values(), ids=ROWS)
def test_every_required_input_is_passed_on(kind: Kind) -> None:
    assert not kind.unmapped(AWS, kind.schema.required)


def test_a_row_without_its_output_is_found() -> None:
    """The check above can fail: take an output's source away."""
    row = ROWS["aws:ec2/vpc:Vpc"]
    assert "arn" in replace(row, computed={}).unfilled(AWS)
