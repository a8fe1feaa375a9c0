"""Where a deployed door and its records are: from a function's own environment, or from a stack's outputs."""

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from sequester.door import DoorError

_VARIABLES = frozenset({"DOOR_TENANT", "DOOR_TABLE", "DOOR_AUDIT_BUCKET", "DOOR_CONFIG_BUCKET", "DOOR_CONFIG_KEY"})
"""What `lambda_proxy.handler.compose` cannot do without."""

Client = Callable[[str], Any]
"""Service name → boto3 client."""


class NotDeployedError(DoorError):
    """No such stack, tenant or function; the message says how to name one."""


def client(service: str) -> Any:
    """A boto3 client with the credentials and the region of this environment."""
    import boto3

    return cast("Any", boto3).client(service)


def function_of(stack: str, tenant: str | None, folder: Path) -> str:
    """The name of a tenant's function, by the stack's output `doors`. Raises NotDeployedError."""
    command = ["pulumi", "stack", "output", "doors", "--json", "--stack", stack, "--cwd", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        doors = cast("Mapping[str, str]", dict(json.loads(done.stdout)))
    except (OSError, subprocess.SubprocessError, ValueError, TypeError) as error:
        said = " ".join(str(getattr(error, "stderr", "") or error).split())
        raise NotDeployedError(f"--stack: {stack} gives no output `doors` ({said}): is it deployed?") from None
    return doors[chosen(doors, tenant)]


def chosen(tenants: Mapping[str, object], tenant: str | None) -> str:
    """`tenant`, or the only one there is. Raises NotDeployedError."""
    if tenant is None and len(tenants) == 1:
        return next(iter(tenants))
    if tenant is None or tenant not in tenants:
        what = f"{tenant} has no door" if tenant else "there is more than one door, or none"
        raise NotDeployedError(f"--tenant: {what}: name one of {', '.join(sorted(tenants)) or 'sequester:tenants'}")
    return tenant


def environment(client: Client, function: str, alias: str = "live") -> Mapping[str, str]:
    """The variables of a function, as its live version has them. Raises NotDeployedError."""
    try:
        found = client("lambda").get_function_configuration(FunctionName=function, Qualifier=alias)
    except (BotoCoreError, ClientError, ResponseParserError) as error:
        raise NotDeployedError(f"{function}: its configuration cannot be read: {error}") from None
    variables = cast("Mapping[str, str]", found.get("Environment", {}).get("Variables", {}))
    if missing := sorted(_VARIABLES - variables.keys()):
        raise NotDeployedError(f"{function}: it has no {', '.join(missing)}: name the function of a door")
    return variables
