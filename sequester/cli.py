"""The `sequester` command: each subcommand says what it shows and ends with an exit code that a script can use."""

import io
import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from typer.core import TyperGroup
from typer.exceptions import TyperException

from sequester import report_cli
from sequester.door_cli import audit, fetch
from sequester.drill.cli import drill
from sequester.example import SETTINGS_FILE
from sequester.prove_cli import EXIT_USAGE, prove
from sequester.release_cli import release

_SAY_TWO = ("prove", "report", "drill")


class _Commands(TyperGroup):
    """Where 2 is an answer of the command, wrong use of it ends with EX_USAGE of sysexits(3)."""

    def invoke(self, ctx: Any) -> object:
        try:
            return super().invoke(ctx)
        except TyperException as error:
            if ctx.invoked_subcommand in _SAY_TWO:
                error.exit_code = EXIT_USAGE
            raise


app = typer.Typer(
    cls=_Commands,
    help="One door between agent code and the internet.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
)

app.command()(prove)
app.add_typer(report_cli.app, name="report")
app.command()(drill)
app.command()(fetch)
app.add_typer(audit, name="audit")
app.command()(release)

Settings = Annotated[
    Path,
    typer.Option("--settings", "-s", exists=True, dir_okay=False, help="a stack's settings, such as Pulumi.prod.yaml"),
]


@app.command()
def demo(
    settings: Settings = SETTINGS_FILE,
    out: Annotated[Path, typer.Option(help="where the picture and the recorded resources go")] = Path("out"),
) -> None:
    """Stand the whole blueprint up in the embedded cloud, read it back, check it.

    No account and no network are used. Exit code 0: every check holds; 1: a line says which does not.
    """
    from sequester.demo import tell

    raise typer.Exit(tell(settings, out, Console()))


@app.command()
def cost(
    settings: Settings = SETTINGS_FILE,
    markdown: Annotated[bool, typer.Option("--markdown", help="print the table of the README")] = False,
) -> None:
    """What the stack of these settings costs a month before any traffic, counted on what the program declares."""
    from sequester.cost import estimate, table
    from sequester.cost import markdown as as_markdown
    from sequester.standing import EXPECTED, stand_up

    console = Console()
    try:
        with console.status("running the program in the embedded cloud"):
            run = stand_up(settings)
    except EXPECTED as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    lines = estimate((resource.type, resource.inputs) for resource in run.resources)
    if markdown:
        typer.echo(as_markdown(lines))
    else:
        console.print(table(lines))


@app.command()
def mirror(
    images: Annotated[list[str], typer.Argument(help="repository=image, such as log-shipper=<image>@sha256:...")],
    settings: Settings = SETTINGS_FILE,
    tool: Annotated[Literal["skopeo", "crane"], typer.Option(help="what copies")] = "skopeo",
    dry_run: Annotated[bool, typer.Option("--print", help="print a script to run elsewhere")] = False,
) -> None:
    """Copy the images that the sealed cluster pulls into its private registry, by digest, and check them there."""
    from infra.settings import SettingsError
    from sequester import mirror as mirroring
    from sequester.standing import NoSettingsError, settings_of, stack_config

    try:
        given = settings_of(stack_config(settings))
        copies = mirroring.plan(given, {name: image for name, _, image in (one.partition("=") for one in images)})
        if dry_run:
            typer.echo(mirroring.script(copies, tool), nl=False)
            return
        made = mirroring.run(copies, tool)
        typer.echo(f"{len(made)} copied, {len(copies) - len(made)} there already")
    except (mirroring.MirrorError, SettingsError, NoSettingsError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


@app.command()
def door_zip(
    target: Annotated[Path, typer.Argument(help="the zip that is written")] = Path("out/door.zip"),
) -> None:
    """Build the door's code for Lambda, with its locked wheels: what `pulumi up` and the component `Door` deploy.

    Asks the package registry for wheels, by hash. The same sources give the same bytes.
    """
    from sequester.door_zip import NoDoorError, build

    try:
        digest = build(target)
    except (NoDoorError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{target}: {target.stat().st_size / 1024 / 1024:.1f} MiB, sha256 {digest}")


def _source(file: Path) -> str:
    """Python source as Python reads it: by its coding cookie or mark, else UTF-8."""
    import tokenize

    try:
        raw = file.read_bytes()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        return raw.decode(encoding)
    except OSError as error:
        typer.echo(f"{file}: {error.strerror}: name a file that you may read", err=True)
    except (SyntaxError, UnicodeError, LookupError) as error:
        typer.echo(f"{file}: no Python source ({error}): give UTF-8, or name its coding as Python wants it", err=True)
    raise typer.Exit(2)


@app.command()
def run(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Python source, run without any network")],
    data: Annotated[str | None, typer.Option(help="JSON that the code sees as `data`")] = None,
    timeout: Annotated[float, typer.Option(help="seconds")] = 30.0,
    memory: Annotated[str, typer.Option(help="such as 256MiB")] = "512MiB",
    strict: Annotated[
        bool, typer.Option("--strict", help="pure computation: read, write, exit and little more")
    ] = False,
) -> None:
    """Run untrusted code in a local sandbox and show what it tried.

    What the code prints goes to standard output and standard error, and the JSON it leaves in `result` after it.
    The exit code is the code's own; 125 says that no sandbox could be made, 124 that it ran out of time.
    """
    from sequester import IsolatedExecutor
    from sequester.sandbox.errors import RunFailed, SandboxError, TimedOut
    from sequester.sandbox.report import attempts_table

    notes = Console(stderr=True)
    try:
        given = ... if data is None else json.loads(data)
    except (ValueError, RecursionError) as error:
        notes.print(f"--data: {str(data)[:80]!r} is not JSON ({error}): write it as '{{\"xs\": [1, 2]}}'", markup=False)
        raise typer.Exit(2) from None
    failure: SandboxError | None = None
    try:
        with IsolatedExecutor.local() as executor:
            result = executor.run_untrusted_code(
                _source(file), given, timeout=timeout, memory=memory, profile="strict" if strict else "default"
            )
    except RunFailed as error:
        result, failure = error.result, error
    except SandboxError as error:
        notes.print(str(error), markup=False)
        raise typer.Exit(125) from None
    sys.stdout.write(result.stdout)
    sys.stderr.write(result.stderr)
    if result.value is not None:
        sys.stdout.write(json.dumps(result.value) + "\n")
    if result.attempts:
        notes.print(attempts_table(result.attempts))
    if failure is not None:
        notes.print(f"{type(failure).__name__}: {failure}", markup=False)
        raise typer.Exit(124 if isinstance(failure, TimedOut) else 1)
    raise typer.Exit(result.exit if result.exit is not None else 128 + (result.signal or 0))
