"""`sequester prove`: decide the claims for a program, a stack export, manifests or a live account, and say so."""

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console

from sequester.proof.facts import BadFactError
from sequester.proof.model import CLAIMS, Model
from sequester.proof.selector import Selector
from sequester.proof.verdict import Escapes, Proved, Verdict

EXIT_PROVED, EXIT_ESCAPES, EXIT_UNKNOWN, EXIT_USAGE = 0, 1, 2, 64


class Source(StrEnum):
    PROGRAM = "program"
    STATE = "state"
    LIVE = "live"
    MANIFESTS = "manifests"


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"
    MARKDOWN = "markdown"


def prove(
    source: Annotated[Source, typer.Option(help="where the facts come from")] = Source.PROGRAM,
    path: Annotated[list[Path] | None, typer.Argument(help="a stack export, manifests, or Pulumi.<stack>.yaml")] = None,
    claim: Annotated[list[str] | None, typer.Option(help="only these claims (E1 ... E8)")] = None,
    form: Annotated[Format, typer.Option("--format", help="how to say it")] = Format.TABLE,
    explain: Annotated[str, typer.Option(help="say everything about one claim")] = "",
    baseline: Annotated[Path | None, typer.Option(help="accepted ways out, each with an owner and a last day")] = None,
    diff: Annotated[Path | None, typer.Option(help="an earlier stack export: say what the change opens")] = None,
    account: Annotated[str, typer.Option(help="the AWS account the facts are of")] = "",
    region: Annotated[str, typer.Option(help="the AWS region")] = "us-east-1",
) -> None:
    """Prove that no other way out exists, or show it. Exit code 0: proved; 1: a way out; 2: not decided."""
    wanted = tuple(claim or ([explain] if explain else CLAIMS))
    try:
        _known(wanted)
        with Console(stderr=True).status(f"reading the {source} and deciding {', '.join(wanted)}"):
            verdicts = _verdicts(_model(source, path or [], account, region), wanted)
        before = _verdicts(_state(diff, account, region), wanted) if diff else None
        failed = _failing(verdicts, baseline)
    except (BadFactError, OSError) as error:
        typer.echo(f"sequester prove: {error}", err=True)
        raise typer.Exit(EXIT_USAGE) from None
    _say(verdicts, form, explain)
    if before is not None:
        from sequester.proof.compare import changes

        for line in changes(before, verdicts):
            typer.echo(line)
    raise typer.Exit(_code(failed))


def _known(wanted: tuple[str, ...]) -> None:
    strange = [c for c in wanted if c not in CLAIMS]
    if strange:
        raise BadFactError(f"--claim {strange[0]}: is no claim: use {', '.join(CLAIMS)}")


def _verdicts(model: Model, wanted: tuple[str, ...]) -> dict[str, Verdict]:
    from sequester.proof.check import check
    from sequester.proof.prove import facts_for, prove

    verdicts = prove(model, wanted)
    for claim, verdict in verdicts.items():
        if isinstance(verdict, Proved):
            check(facts_for(model, claim), verdict.certificate)
    return verdicts


def _failing(verdicts: dict[str, Verdict], baseline: Path | None) -> dict[str, Verdict]:
    from sequester.proof.compare import baseline as read
    from sequester.proof.compare import failing

    return failing(verdicts, read(baseline.read_text()) if baseline else (), datetime.now(UTC).date())


def _code(failed: dict[str, Verdict]) -> int:
    if any(isinstance(v, Escapes) for v in failed.values()):
        return EXIT_ESCAPES
    return EXIT_UNKNOWN if failed else EXIT_PROVED


def _say(verdicts: dict[str, Verdict], form: Format, explain: str) -> None:
    from sequester.proof import render

    if explain:
        typer.echo(render.explain(explain, verdicts[explain]))
        return
    texts = {
        Format.JSON: render.as_json,
        Format.SARIF: render.as_sarif,
        Format.JUNIT: render.as_junit,
        Format.MARKDOWN: render.as_markdown,
    }
    if form in texts:
        typer.echo(texts[form](verdicts))
        return
    from rich.console import Console

    from sequester.proof.render_table import as_table

    Console().print(as_table(verdicts))


def _model(source: Source, paths: list[Path], account: str, region: str) -> Model:
    match source:
        case Source.PROGRAM:
            return _program(paths)
        case Source.STATE:
            if len(paths) != 1:
                raise BadFactError("--source state: name one file, as `pulumi stack export` writes it")
            return _state(paths[0], account, region)
        case Source.MANIFESTS:
            from sequester.sources.manifests import manifest_model

            return manifest_model(paths)
        case Source.LIVE:
            from sequester.sources.live import live_model

            return live_model(region=region)


def _state(path: Path, account: str, region: str) -> Model:
    from sequester.sources.state import state_model

    return state_model(path.read_text(), account=account, region=region)


def _program(paths: list[Path]) -> Model:
    """The blueprint with the settings of a stack file, run in the embedded cloud. No account, no network."""
    from infra.stack import blueprint
    from sequester.cloud import EmbeddedCloud
    from sequester.sources.program import program_model

    path = paths[0] if paths else Path(__file__).resolve().parent.parent / "Pulumi.dev.yaml"
    try:
        config: dict[str, Any] = yaml.safe_load(path.read_text()).get("config", {})
    except (yaml.YAMLError, AttributeError) as error:
        raise BadFactError(f"{path.name}: not a Pulumi stack file") from error
    region, account = str(config.get("aws:region", "us-east-1")), str(config.get("sequester:account", ""))
    with EmbeddedCloud(region=region) as cloud:
        run = cloud.up(blueprint, config=config)
    return program_model(run.resources, Selector(), account=account, region=region)


def main() -> None:
    typer.run(prove)


if __name__ == "__main__":
    sys.exit(main())
