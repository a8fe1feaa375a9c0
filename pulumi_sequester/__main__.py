"""Serves the components to other languages: `pulumi-resource-sequester`, and what `PulumiPlugin.yaml` starts."""

import sys
from typing import Final

from pulumi import InputPropertiesError, Inputs, ResourceOptions
from pulumi.provider import ConstructResult, main
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.server import ComponentInitError

from infra.settings import SettingsError
from pulumi_sequester import Door, SandboxTenants, SealedNetwork, Tripwires

VERSION: Final = "0.1.0"
"""The package's own; a test holds them together."""


class Components(ComponentProvider):
    """The four components; a mistake in their arguments reaches the user as its lines, without a traceback."""

    def __init__(self) -> None:
        super().__init__([SealedNetwork, SandboxTenants, Door, Tripwires], "sequester", version=VERSION)

    def construct(
        self, name: str, resource_type: str, inputs: Inputs, options: ResourceOptions | None = None
    ) -> ConstructResult:
        try:
            return super().construct(name, resource_type, inputs, options)
        except ComponentInitError as error:
            if isinstance(error.inner, SettingsError):
                # No details by property: the engine would print the values, and one may be secret. None at all will not
                # do: the SDK (3.259, `provider/server.py`) then leaves out a part of the status that gRPC reads.
                raise InputPropertiesError("\n".join(error.inner.lines), []) from None
            raise


def serve() -> None:
    """What `component_provider_host` does, with a provider of our own. The engine gives its address as an argument."""
    main(Components(), sys.argv[1:])


if __name__ == "__main__":
    serve()
