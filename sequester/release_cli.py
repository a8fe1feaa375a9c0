"""`sequester release`: a person ends a tenant's quarantine, says who and why, and can try it before it matters."""

import getpass
import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from sequester.example import SETTINGS_FILE
from sequester.release import Released, ReleaseError
from sequester.release import release as ask

_SECRET = {"event": "fetch", "verdict": "denied", "rule": "inspect.canary"}


def release(
    tenant: Annotated[str, typer.Argument(help="whose door and sessions are opened again")],
    why: Annotated[str, typer.Option(help="goes into the audit chain: what was found, which ticket")],
    by: Annotated[str | None, typer.Option(help="who releases; left out, the caller as AWS knows it")] = None,
    settings: Annotated[
        Path, typer.Option("--settings", "-s", exists=True, dir_okay=False, help="the settings of the deployed stack")
    ] = SETTINGS_FILE,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="in the embedded cloud: quarantine the tenant first, then release it")
    ] = False,
) -> None:
    """Open what quarantine closed for a tenant: its door, and its agent's sessions.

    Uses your AWS credentials to invoke the stack's responder, which writes who and why into its audit chain before it
    opens anything. What a person should look at before is in docs/quarantine.md.

    Exit code 0: released. 1: not released, or not everything, and a line says why. 2: the command was not understood.
    """
    from sequester.standing import EXPECTED, settings_of, stack_config

    console = Console()
    try:
        config = stack_config(settings)
        given = settings_of(config)
        done = _rehearsed(config, tenant, by, why, console) if rehearse else _deployed(given, tenant, by, why)
    except (ReleaseError, *EXPECTED) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(f"released {done.tenant}: record {done.record} of the responder's chain")
    if not done.associated:
        typer.echo(f"{done.tenant}: its agent has no identity yet: `pulumi up --refresh` makes the association again")


def _deployed(given: Any, tenant: str, by: str | None, why: str) -> Released:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    from infra.names import Names
    from infra.responder_config import outside_name

    session: Any = boto3
    try:
        who = by or str(session.client("sts", region_name=given.region).get_caller_identity()["Arn"])
        functions = session.client("lambda", region_name=given.region)
    except (BotoCoreError, ClientError) as error:
        raise ReleaseError(f"AWS does not know you: {error}: log in, or name another profile") from error
    return ask(functions, outside_name(Names.of(given)), tenant, who, why)


def _rehearsed(config: Any, tenant: str, by: str | None, why: str, console: Console) -> Released:
    """The same, with the same function, where it can do no harm."""
    from infra.names import Names
    from infra.responder_config import outside_name
    from infra.sensors import Sensor
    from sequester.eyes import Watch
    from sequester.eyes.chain import respond
    from sequester.eyes.records import SensorRecord
    from sequester.eyes.responder import Invoking, Noted, deployed_responder
    from sequester.standing import settings_of, standing

    given = settings_of(config)
    names = Names.of(given)
    with console.status("standing the program up in the embedded cloud"), standing(config) as here:
        if tenant in given.tenants:
            record = SensorRecord(Sensor.DOOR, json.dumps(_SECRET | {"tenant": tenant}), time.time(), tenant)
            alarm = Watch.read(here.cloud.client).described[f"{names.name}-door-secret-{tenant}"]
            for act in respond(here.cloud, names, [record], alarm).acts:
                console.print(f"quarantine: {act.act} {act.subject}: {act.outcome}", highlight=False)
        function = outside_name(names)
        responder = deployed_responder(here.cloud, function, Noted())
        who = by or f"{getpass.getuser()}, rehearsing"
        return ask(Invoking(function, responder.handle), function, tenant, who, why)
