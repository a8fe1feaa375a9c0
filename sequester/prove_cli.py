"""`sequester prove`: decide the claims for a program, a plan, a state, manifests or a live account, and say so."""

import json
import re
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sequester.proof.compare import Accepted, changes, excuses, failing, stale
from sequester.proof.compare import baseline as read_baseline
from sequester.proof.facts import BadFactError
from sequester.proof.model import CLAIMS, Model
from sequester.proof.render import Excused, printable
from sequester.proof.selector import Selector
from sequester.proof.verdict import Escapes, Proved, Unknown, Verdict
from sequester.prove_sources import Asked, Source, model, selector_file

EXIT_PROVED, EXIT_ESCAPES, EXIT_UNKNOWN, EXIT_USAGE = 0, 1, 2, 64


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"
    MARKDOWN = "markdown"


class Rights(StrEnum):
    AWS = "aws"
    KUBERNETES = "kubernetes"


def prove(
    source: Annotated[Source, typer.Option(help="where the facts come from")] = Source.PROGRAM,
    path: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Pulumi.<stack>.yaml, a stack export, a preview in JSON or manifests, as the source wants; - is stdin"
        ),
    ] = None,
    claim: Annotated[list[str] | None, typer.Option(help="only these claims (E1 ... E8)")] = None,
    form: Annotated[Format, typer.Option("--format", help="how to say it")] = Format.TABLE,
    explain: Annotated[str, typer.Option(help="say everything about one claim", metavar="CLAIM")] = "",
    baseline: Annotated[Path | None, typer.Option(help="accepted ways out, each with an owner and a last day")] = None,
    diff: Annotated[Path | None, typer.Option(help="an earlier file of the same source: say what changed")] = None,
    selector: Annotated[Path | None, typer.Option(help="which subnets and namespaces are sandboxes (YAML)")] = None,
    account: Annotated[str, typer.Option(help="the AWS account, where the facts do not tell it")] = "",
    region: Annotated[str, typer.Option(help="the AWS region, where the facts do not tell it")] = "",
    kubeconfig: Annotated[
        str,
        typer.Option(help="live: the cluster's kubeconfig, or `in-cluster`", envvar="KUBECONFIG", show_envvar=False),
    ] = "",
    context: Annotated[str, typer.Option(help="live: a context of the kubeconfig")] = "",
    rights: Annotated[Rights | None, typer.Option(help="live: print the read rights that it takes, and end")] = None,
) -> None:
    """Prove that no other way out exists, or show it.

    Exit code 0: proved. 1: a way out. 2: not decided, which is no pass. 64: the command cannot be carried out.
    """
    if rights:
        typer.echo(_rights(rights))
        return
    explain = explain.upper()
    named = [*(claim or ()), *([explain] if explain else ())]
    wanted = tuple(dict.fromkeys(one.upper() for one in named)) or tuple(CLAIMS)
    try:
        _known(wanted)
        _placed(account, region)
        _readable(source, path or [], diff)
        chosen = selector_file(selector) if selector else Selector()
        before: dict[str, Verdict] | None = None
        with Console(stderr=True).status(f"reading the {source}") as status:
            asked = Asked(
                source, tuple(path or ()), account, region, chosen, kubeconfig, context or None,
                lambda what: status.update(f"reading the {source}: {what}"),
            )  # fmt: skip
            facts = model(asked)
            status.update(f"deciding {', '.join(wanted)}")
            verdicts = _verdicts(facts, wanted, chosen)
            if diff:
                status.update(f"reading {diff.name}")
                was = model(Asked(source, (diff,), account, region, chosen))
                before = _verdicts(was, wanted, chosen)
        accepted = _accepted(baseline) if baseline else ()
    except BadFactError as error:
        typer.echo(printable(f"sequester prove: {error}"), err=True)
        raise typer.Exit(EXIT_USAGE) from None
    except OSError as error:
        typer.echo(
            f"sequester prove: {error.filename or source}: {error.strerror or error}: name a file that is there",
            err=True,
        )
        raise typer.Exit(EXIT_USAGE) from None
    today = datetime.now(UTC).date()
    _say(verdicts, form, explain, excuses(accepted, today), _file(path))
    for line in stale(verdicts, accepted, today):
        typer.echo(printable(line), err=True)
    if before is not None:
        # What is read by a program stays as its format wants it.
        for line in changes(before, verdicts):
            typer.echo(printable(line), err=form is not Format.TABLE)
    raise typer.Exit(_code(failing(verdicts, accepted, today)))


def _rights(whose: Rights) -> str:
    if whose is Rights.AWS:
        from sequester.sources.live import rights

        return json.dumps(rights(), indent=2)
    import yaml

    from sequester.sources.live.api_server import rights as cluster_rights

    return yaml.safe_dump(cluster_rights(), sort_keys=False).rstrip()


def _known(wanted: tuple[str, ...]) -> None:
    strange = [c for c in wanted if c not in CLAIMS]
    if strange:
        raise BadFactError(f"{strange[0]}: is no claim: use {', '.join(CLAIMS)}")


def _verdicts(facts: Model, wanted: tuple[str, ...], selector: Selector) -> dict[str, Verdict]:
    """Each verdict; a proof only if the independent checker takes its certificate."""
    from sequester.proof.check import RefusedError, check
    from sequester.proof.prove import facts_for, prove
    from sequester.sources.selection import by_name

    chosen = by_name(selector, facts.manifests)
    verdicts = prove(facts, wanted, chosen)
    for claim, verdict in verdicts.items():
        if isinstance(verdict, Proved):
            try:
                check(facts_for(facts, claim, chosen), verdict.certificate)
            except RefusedError as error:
                verdicts[claim] = Unknown(claim, (f"the checker refuses the proof: {error}",))
    return verdicts


def _file(path: list[Path] | None) -> str:
    """The file that a finding is shown at: the one that was read, else the project's own."""
    return path[0].as_posix() if path and path[0] != Path("-") else "Pulumi.yaml"


def _placed(account: str, region: str) -> None:
    if account and not re.fullmatch(r"[0-9]{12}", account):
        raise BadFactError(f"--account {account}: is no account: write its 12 digits")
    if region and not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", region):
        raise BadFactError(f"--region {region}: is no region: write it as us-east-1")


def _readable(source: Source, paths: list[Path], diff: Path | None) -> None:
    if diff and source is Source.LIVE:
        raise BadFactError("--diff: a live account has no earlier file: compare two stack exports with --source state")
    if [*paths, diff].count(Path("-")) > 1:
        raise BadFactError("-: standard input can be read once: name the other file")


def _accepted(baseline: Path) -> tuple[Accepted, ...]:
    try:
        return read_baseline(baseline.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise BadFactError(f"{baseline.name}: is no UTF-8: write a JSON list") from None


def _code(failed: dict[str, Verdict]) -> int:
    if any(isinstance(v, Escapes) for v in failed.values()):
        return EXIT_ESCAPES
    return EXIT_UNKNOWN if failed else EXIT_PROVED


def _say(verdicts: dict[str, Verdict], form: Format, explain: str, by: Excused, source: str) -> None:
    from sequester.proof import render

    texts = {
        Format.JSON: render.as_json,
        Format.JUNIT: render.as_junit,
        Format.MARKDOWN: render.as_markdown,
    }
    if form is Format.SARIF:
        typer.echo(render.as_sarif(verdicts, by, source))
    elif form in texts:
        typer.echo(texts[form](verdicts, by))
    elif explain:
        typer.echo(render.explain(explain, verdicts[explain]))
    else:
        from sequester.proof.render_table import as_table

        Console().print(as_table(verdicts, by))


def main() -> None:
    typer.run(prove)


if __name__ == "__main__":
    sys.exit(main())
