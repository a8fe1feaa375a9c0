"""The table of kinds, by AWS module: what the embedded cloud can make. A module is read when its first type is met."""

from functools import cache
from importlib import import_module

from sequester.cloud.kind import Kind

FILES: dict[str, tuple[str, ...]] = {
    "ec2": ("network", "firewalls", "endpoints", "gateways", "compute", "observability"),
    "ec2transitgateway": ("gateways",),
    "eks": ("cluster",),
    "ecr": ("cluster",),
    "vpc": ("firewalls",),
    "route53": ("dns",),
    "cloudwatch": ("observability",),
    "cloudtrail": ("observability",),
    "kms": ("keys",),
    "secretsmanager": ("keys",),
    "ssm": ("keys",),
    "iam": ("identity",),
    "lambda": ("lambdas",),
    "signer": ("lambdas",),
    "s3": ("storage",),
    "dynamodb": ("storage",),
    "sns": ("messaging",),
    "sqs": ("messaging",),
    "guardduty": ("messaging",),
    "cloudfront": ("edge",),
}
"""The files of this folder that hold a module's kinds (`aws:ec2/vpc:Vpc` is of the module `ec2`)."""


class UnmappedTypeError(LookupError):
    """No kind for a type that a program uses."""


def kind(token: str) -> Kind:
    """The row of a type such as `aws:ec2/vpc:Vpc`."""
    module = token.split(":")[1].split("/")[0]
    found = table(module).get(token)
    if found is None:
        where = ", ".join(f"sequester/cloud/kinds/{file}.py" for file in FILES.get(module, (module,)))
        raise UnmappedTypeError(f"{token}: the embedded cloud does not know this type; add a Kind to {where}")
    return found


@cache
def table(module: str) -> dict[str, Kind]:
    """The rows of one module's types."""
    files = [import_module(f"{__name__}.{file}") for file in FILES.get(module, ())]
    rows = [row for file in files for row in file.KINDS if row.token.startswith(f"aws:{module}/")]
    return {row.token: row for row in rows}


def tokens() -> list[str]:
    """Every type that the embedded cloud can make."""
    return [token for module in FILES for token in table(module)]
