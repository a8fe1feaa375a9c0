"""`sequester drill`: try every known way out, and say which control stopped it and who saw it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sequester.drill.words import Family, Target
from sequester.example import SETTINGS_FILE


def drill(
    target: Annotated[
        Target,
        typer.Option(
            help="local: this machine. lab: namespaces as pods, nodes and internet (root). cluster: a deployed one"
        ),
    ] = Target.LOCAL,
    family: Annotated[list[Family] | None, typer.Option(help="only this family; may be given again")] = None,
    only: Annotated[list[str] | None, typer.Option(help="only this technique, by id; may be given again")] = None,
    fast: Annotated[bool, typer.Option("--fast", help="a few techniques of every family, in seconds")] = False,
    without: Annotated[
        list[str] | None,
        typer.Option(help="take a control away on purpose, as `sandbox:seccomp`: what only it stops must leak"),
    ] = None,
    sink: Annotated[
        str, typer.Option(help="cluster: a server of yours that canaries may arrive at, as 192.0.2.7:8080")
    ] = "",
    tenant: Annotated[str, typer.Option(help="cluster: whose sandbox namespace is used")] = "",
    image: Annotated[str, typer.Option(help="cluster: the sandbox image, by digest")] = "",
    context: Annotated[str | None, typer.Option(help="cluster: the kubeconfig's context")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="write the whole result here")] = None,
    junit_file: Annotated[Path | None, typer.Option("--junit", help="write JUnit XML here, for a CI server")] = None,
    settings: Annotated[
        Path, typer.Option("--settings", "-s", exists=True, dir_okay=False, help="the stack whose tripwires watch")
    ] = SETTINGS_FILE,
    listed: Annotated[
        bool, typer.Option("--list", help="show the techniques and what is expected; try nothing")
    ] = False,
    details: Annotated[bool, typer.Option("--details", help="a row for each technique, however many")] = False,
) -> None:
    """Try every known way out, and say what stopped it, who saw it and how soon.

    Each technique is a small real program or request with a random canary. It is first tried where no control stands:
    if it does not work there, it proves nothing. Payloads go to a sink of the drill's own, or to addresses that are
    reserved for documentation.

        sequester drill                                  # everything that this machine can try
        sequester drill --fast                           # a few of every family
        sequester drill --family dns --details
        sequester drill --without sandbox:seccomp        # does it notice? what the filter alone stops must LEAK
        sequester drill --json drill.json --junit drill.xml
        sequester drill --target cluster --tenant research --image <registry>/sandbox@sha256:... --sink 192.0.2.7:8080

    Exit code 0: all that was tried is stopped and seen as expected; 1: a leak, or something stopped otherwise, unseen,
    late or unanswered; 2: it could not be tried, or the trial proves nothing; 64: what was asked does not exist.
    """
    from sequester.drill import session

    asked = session.Asked(
        target=target,
        families=tuple(family or ()),
        only=tuple(only or ()),
        fast=fast,
        without=tuple(without or ()),
        settings=settings,
        cluster=session.ClusterAsked(sink, tenant, image, context),
    )
    console = Console()
    if listed:
        raise typer.Exit(session.show_list(asked, console))
    raise typer.Exit(session.hold(asked, console, json_file, junit_file, details=details))
