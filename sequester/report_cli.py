"""`sequester report`: the evidence on one page, sealed; `sequester report verify` says whether it is as it was made."""

from itertools import combinations
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from sequester.example import SETTINGS_FILE

EXIT_SEALED, EXIT_CHANGED, EXIT_UNVOUCHED, EXIT_USAGE = 0, 1, 2, 64
EXIT_OF = {"holds": 0, "broken": 1, "undecided": 2}

app = typer.Typer(help="The evidence on one page that a reviewer reads.", rich_markup_mode="markdown")


@app.callback(invoke_without_command=True)
def report(
    context: typer.Context,
    settings: Annotated[
        Path | None, typer.Option("--settings", "-s", exists=True, dir_okay=False, help="a stack's settings")
    ] = None,
    out: Annotated[Path, typer.Option(dir_okay=False, help="the page")] = Path("out/report.html"),
    json_: Annotated[Path | None, typer.Option("--json", dir_okay=False, help="the same as JSON")] = None,
    drill: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="what `sequester drill --json` wrote")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="sign by this Ed25519 key (PEM)")] = None,
    kms: Annotated[str, typer.Option(help="sign by this KMS key (ECC_NIST_P256)")] = "",
    repository: Annotated[str, typer.Option(help="URL of the repository, for links to tests")] = "",
) -> None:
    """Stand the blueprint up in the embedded cloud, decide every claim, and write the evidence.

    No account and no network are used, but by --kms. Exit code 0: all holds; 1: something does not; 2: not decided;
    64: wrong use.
    """
    if context.invoked_subcommand:
        return
    from infra.settings import SettingsError
    from sequester.drill.outcome import MalformedDrillError, from_json
    from sequester.readback.whole import observe_whole
    from sequester.report.evidence import NoEvidenceError
    from sequester.report.made import Writing, report_of, write
    from sequester.report.page import headline
    from sequester.report.seal import FileKey, KmsKey, SealError, Signer
    from sequester.standing import EXPECTED, settings_of, stack_config, standing

    if key and kms:
        _refuse("--key and --kms: use one of them")
    files = {"--out": out, "--json": json_, "--drill": drill, "--key": key}
    named = [(option, file.resolve()) for option, file in files.items() if file]
    for (one, path), (other, same) in combinations(named, 2):
        if path == same:
            _refuse(f"{one} and {other}: both name {files[one]}: use one file for each")
    if repository and not repository.startswith("https://"):
        _refuse(f"--repository {repository}: is no address of a repository: begin with https://")
    signer: Signer | None = None
    try:
        if key:
            signer = FileKey(key)
        elif kms:
            signer = KmsKey.of_environment(kms)
        held = from_json(drill.read_bytes()) if drill else None
        config = stack_config(settings or SETTINGS_FILE)
        with Console(stderr=True).status("standing the program up in the embedded cloud") as status:
            given = settings_of(config)
            with standing(config) as here:
                status.update("deciding the claims and reading everything back")
                made = report_of(here, given, observe_whole(here.cloud.client, given), held)
        write(made, Writing(out, json_, signer, repository))
    except (*EXPECTED, SettingsError, SealError, NoEvidenceError, OSError) as error:
        _refuse(str(error))
    except MalformedDrillError as error:
        _refuse(f"{drill}: {error}")
    typer.echo(headline(made))
    typer.echo(f"{out}{f' and {json_}' if json_ else ''}{'' if signer else ' (not signed: give --key or --kms)'}")
    raise typer.Exit(EXIT_OF[made.overall.value])


@app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="a page, its JSON, or both")],
    public_key: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="whose signature it must be (PEM)")
    ] = None,
) -> None:
    """Say whether a report is, byte for byte, what was sealed. Several files must say the same.

    Exit code 0: sealed and signed by --public-key; 1: changed, or not signed by it; 2: as it was sealed, but nobody
    whom you named vouches for it; 64: wrong use.
    """
    from sequester.report.seal import Seal, SealError, fingerprint, verify

    seals: dict[Path, Seal] = {}
    for file in files:
        try:
            seals[file] = verify(file.read_bytes())
        except SealError as error:
            typer.echo(f"{file}: {error}", err=True)
            raise typer.Exit(EXIT_CHANGED) from None
    if len({seal.content for seal in seals.values()}) > 1:
        typer.echo("these are not of one report: their contents differ", err=True)
        raise typer.Exit(EXIT_CHANGED)
    try:
        wanted = fingerprint(public_key) if public_key else ""
    except SealError as error:
        _refuse(str(error))
    vouched = True
    for file, seal in seals.items():
        signed = f"signed by {seal.fingerprint}" if seal.fingerprint else "not signed"
        if wanted and seal.fingerprint != wanted:
            typer.echo(f"{file}: is {signed}, and not by {public_key} ({wanted})", err=True)
            raise typer.Exit(EXIT_CHANGED)
        vouched = vouched and bool(wanted)
        typer.echo(f"{file}: as it was sealed; {signed}; content {seal.content}")
    if not vouched:
        typer.echo("name the key that you trust: --public-key KEY.pub", err=True)
        raise typer.Exit(EXIT_UNVOUCHED)


@app.command()
def key(
    path: Annotated[Path, typer.Argument(help="where the private key goes; the public one goes beside it")],
) -> None:
    """Make an Ed25519 key to sign reports with. Keep it off the repository."""
    from sequester.report.seal import SealError, fingerprint, new_key

    try:
        public = new_key(path)
    except (SealError, OSError) as error:
        _refuse(str(error))
    typer.echo(f"{path} (private) and {public} ({fingerprint(public)})")


def _refuse(line: str) -> NoReturn:
    typer.echo(line, err=True)
    raise typer.Exit(EXIT_USAGE)
