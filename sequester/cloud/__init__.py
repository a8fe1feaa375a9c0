"""The embedded cloud: a Pulumi program's resources made in moto, without an engine, an account or a network."""

from sequester.cloud.api import Aws, RefusedError
from sequester.cloud.embedded import Edit, EmbeddedCloud, Run
from sequester.cloud.kind import UnmappedPropertyError
from sequester.cloud.kinds import UnmappedTypeError
from sequester.cloud.monitor import CreateFailedError, Recorded

__all__ = [
    "Aws",
    "CreateFailedError",
    "Edit",
    "EmbeddedCloud",
    "Recorded",
    "RefusedError",
    "Run",
    "UnmappedPropertyError",
    "UnmappedTypeError",
]
