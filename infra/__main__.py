"""Where `pulumi up` enters."""

from infra.stack import blueprint

blueprint()
