"""`sequester fetch` and `sequester audit verify`: a door here or in the account, and the same words for both."""

import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table

from sequester.audit import HARMLESS, AuditStore, Report, UnreadableError, verify
from sequester.door import DEFAULT_MAX_SIZE_BYTES, Door, DoorError, FetchDeniedError, Fetched
from sequester.example import PROGRAM, SETTINGS_FILE

DENIED, UNAVAILABLE = 1, 69

Settings = Annotated[
    Path,
    typer.Option("--settings", "-s", exists=True, dir_okay=False, help="settings of the door that is run here"),
]
Function = Annotated[str | None, typer.Option(help="a deployed door, by the name or ARN of its function")]
Stack = Annotated[str | None, typer.Option(help="a deployed door, by a Pulumi stack that you are logged in to")]
Tenant = Annotated[str | None, typer.Option(help="whose door; not needed where there is one")]

audit = typer.Typer(help="The audit chain of a door.", no_args_is_help=True)


def fetch(
    url: Annotated[str, typer.Argument(help="https://...")],
    method: Annotated[
        str, typer.Option("--method", "-X", help="GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS")
    ] = "GET",
    header: Annotated[list[str] | None, typer.Option("--header", "-H", help="'name: value'; may be repeated")] = None,
    data: Annotated[
        str | None, typer.Option("--data", "-d", help="the body, or @file, or @- for what is piped in")
    ] = None,
    max_size: Annotated[
        int, typer.Option(min=1, help="bytes of the body that come back at most")
    ] = DEFAULT_MAX_SIZE_BYTES,
    function: Function = None,
    stack: Stack = None,
    tenant: Tenant = None,
    settings: Settings = SETTINGS_FILE,
) -> None:
    """Ask a tenant's door for a URL: its status, headers and body go to standard output.

    Without --function or --stack the door of your settings is run here, in the embedded cloud: rules, budget,
    inspection and records are those that would be deployed; behind it is a server on this machine, not the internet.

    Exit code 0: fetched, whatever the status; 1: denied, with one line that names the rule; 2: wrong use;
    69: the door cannot be asked.

    Try: `sequester fetch https://api.github.com/repos/python/cpython`, then `sequester fetch https://example.com/`.
    """
    notes = Console(stderr=True)
    headers, body = _headers(header or []), _body(data)
    try:
        with _door(function, stack, tenant, settings, notes) as door:
            answer = door.fetch(url, method=method, headers=headers, body=body, max_size=max_size)
    except FetchDeniedError as denied:
        record = f"record {denied.record.seq}" if denied.record else "not recorded"
        typer.echo(f"denied by {denied.rule}: {denied.reason} ({record})", err=True)
        raise typer.Exit(DENIED) from None
    except _cannot_be_asked() as error:
        typer.echo(_in_one_line(error), err=True)
        raise typer.Exit(UNAVAILABLE) from None
    _show(answer)


def _show(answer: Fetched) -> None:
    head = [str(answer.status), *(f"{name}: {value}" for name, value in sorted(answer.headers.items())), "", ""]
    sys.stdout.write("\n".join(head))
    sys.stdout.flush()
    sys.stdout.buffer.write(answer.body)
    sys.stdout.buffer.flush()
    more = ", cut off: ask for more with --max-size" if answer.truncated else ""
    typer.echo(f"record {answer.record.seq} {answer.record.hash}{more}", err=True)


def _headers(given: list[str]) -> dict[str, str]:
    pairs = [one.partition(":") for one in given]
    wrong = next((one for one, (name, colon, _) in zip(given, pairs, strict=True) if not (name and colon)), None)
    if wrong is not None:
        raise typer.BadParameter(f"{wrong!r} is no header: write 'name: value'", param_hint="--header")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _body(data: str | None) -> bytes:
    if data is None:
        return b""
    if not data.startswith("@"):
        return data.encode()
    try:
        return sys.stdin.buffer.read() if data == "@-" else Path(data[1:]).read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{data}: {error.strerror}", param_hint="--data") from None


def _cannot_be_asked() -> tuple[type[Exception], ...]:
    from sequester.standing import EXPECTED

    return (DoorError, UnreadableError, BotoCoreError, ClientError, *EXPECTED)


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())


@contextmanager
def _door(
    function: str | None, stack: str | None, tenant: str | None, settings: Path, notes: Console
) -> Generator[Door]:
    """The door that the options name."""
    from sequester.deployed_door import function_of

    if function or stack:
        yield Door(function or function_of(str(stack), tenant, PROGRAM))
        return
    from sequester.embedded_door import tenants_door

    with notes.status("standing the door up in the embedded cloud"), tenants_door(settings, tenant) as here:
        notes.print(f"the door of {here.tenant}, run here: nothing leaves this machine", style="dim", highlight=False)
        yield Door(invoke=here.invoke)


@audit.command("verify")
def audit_verify(
    since: Annotated[
        str | None, typer.Option(help="RECORD:HASH that an earlier verification ended with: it must still be there")
    ] = None,
    function: Function = None,
    stack: Stack = None,
    tenant: Tenant = None,
    settings: Settings = SETTINGS_FILE,
) -> None:
    """Read a tenant's chain of records back and say whether anybody touched it.

    An edit, a deletion or a delete marker, a reorder, a truncation and a fork are each named, with the record. The
    names of bucket, table and key are those of the function (--function, --stack); you need to read them, and to verify
    with the key. Keep the last line: who can write to both bucket and table could put an older head back, with its
    older signature, and only --since shows that.

    Without either, a chain is made here in the embedded cloud, verified, and then tampered with in every way that is
    known: each must be found.

    Exit code 0: nobody touched it; 1: somebody did; 2: wrong use; 69: it cannot be read.
    """
    from sequester.deployed_door import client, environment, function_of
    from sequester.embedded_door import audit_store

    console = Console()
    known = _known(since)
    try:
        if not (function or stack):
            raise typer.Exit(0 if _tampered(tenant, settings, console) else DENIED)
        name = function or function_of(str(stack), tenant, PROGRAM)
        variables = environment(client, name)
        report = verify(audit_store(client, variables), variables["DOOR_TENANT"], known)
    except _cannot_be_asked() as error:
        typer.echo(_in_one_line(error), err=True)
        raise typer.Exit(UNAVAILABLE) from None
    _tell(report, console)
    raise typer.Exit(0 if report.intact else DENIED)


def _known(since: str | None) -> tuple[int, str] | None:
    if since is None:
        return None
    found = _RECORD_AND_HASH.match(since)
    if found is None:
        raise typer.BadParameter(
            f"{since!r}: write RECORD:HASH, as the last line of a verification has them", param_hint="--since"
        )
    return int(found[1]), found[2].lower()


def _tell(report: Report, console: Console) -> None:
    for finding in report.findings:
        mark = "?" if finding.fault in HARMLESS else "✗"
        console.print(f"{mark} record {finding.seq}: {finding.fault}: {finding.detail}", markup=False, soft_wrap=True)
    first = f", first at record {report.first_break}" if report.first_break else ""
    verdict = "nobody touched the chain" if report.intact else f"somebody touched the chain{first}"
    console.print(
        f"{report.tenant}: {report.records} records, the last is {report.last[0]}:{report.last[1]}: {verdict}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _tampered(tenant: str | None, settings: Path, console: Console) -> bool:
    """Whether the chain of a door that is run here verifies, and every tampering with a copy of it is found."""
    from sequester.embedded_door import tenants_door
    from sequester.tampering import TAMPERINGS, copied

    with console.status("making a chain in the embedded cloud"), tenants_door(settings, tenant) as here:
        door = Door(invoke=here.invoke)
        for number in range(_DENIALS):
            try:
                door.fetch(f"https://example.test/{number}")
            except FetchDeniedError:
                continue
        report = verify(here.store, here.tenant)
        found: list[tuple[str, bool, str]] = []
        for tampering in TAMPERINGS:
            store: AuditStore = copied(here.store, here.tenant)
            tampering.act(store, here.tenant)
            after = verify(store, here.tenant)
            said = "; ".join(f"{f.fault} at {f.seq}" for f in after.findings) or "nothing"
            found.append((tampering.what, not after.intact, said))
    _tell(report, console)
    table = Table(title="Tampered with, in a copy without the bucket's lock", title_justify="left")
    for column in ("what was done", "found", "said"):
        table.add_column(column)
    for what, seen, said in found:
        table.add_row(what, "yes" if seen else "NO", said)
    console.print(table)
    return report.intact and all(seen for _, seen, _ in found)


_DENIALS = 6
_RECORD_AND_HASH = re.compile(r"([0-9]{1,16}):([0-9A-Fa-f]{64})\Z")
