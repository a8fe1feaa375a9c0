"""Step: a door as it is deployed, run here: what it may fetch, what it may not, and the chain of its records."""

from collections.abc import Mapping, Sequence

from rich.table import Table

from infra.names import Names
from sequester.audit import verify
from sequester.demo.scene import NotShownError, Scene
from sequester.door import Door, DoorError, FetchDeniedError, Recorded
from sequester.embedded_door import EmbeddedDoor, embedded_door

ELSEWHERE = "https://exfil.example/drop"


def play(scene: Scene) -> Sequence[str]:
    """Ask the first tenant's door; a failure for each verdict that is not the expected one, and for a broken chain."""
    tenant = min(scene.settings.tenants, default=None)
    if tenant is None:
        raise NotShownError("sequester:tenants names no tenant: there is no door")
    with embedded_door(scene.standing.cloud.client, Names.of(scene.settings).door(tenant)) as here:
        asked = requests(here)
        answers = [(what, expected, *ask(here, url, headers)) for what, url, headers, expected in asked]
        report = verify(here.store, tenant)
    table = Table(title=f"The door of {tenant}", title_justify="left")
    for column in ("asked", "verdict", "rule", "record"):
        table.add_column(column, overflow="fold")
    for what, _, verdict, record in answers:
        said = (verdict, "") if verdict == "allowed" else ("denied", verdict)
        table.add_row(what, *said, str(record.seq) if record else "none")
    scene.console.print(table)
    scene.console.print(
        f"audit chain: {report.records} records, head {report.last[0]} {report.last[1][:16]}…, "
        f"{'intact and signed' if report.intact else 'NOT intact'}",
        highlight=False,
    )
    return [
        *(f"{what}: {verdict} instead of {wanted}" for what, wanted, verdict, _ in answers if verdict != wanted),
        *(f"record {finding.seq}: {finding.fault}: {finding.detail}" for finding in report.findings),
        *([] if here.upstream.connections == sum(v == "allowed" for _, _, v, _ in answers) else ["a denial was sent"]),
    ]


def requests(here: EmbeddedDoor) -> list[tuple[str, str, Mapping[str, str], str]]:
    """(what, URL, headers, expected verdict). What the tenant's settings do not allow or plant is not asked."""
    found: list[tuple[str, str, Mapping[str, str], str]] = []
    url = here.allowed
    if url is not None:
        found.append((f"GET {url}", url, {}, "allowed"))
    found.append((f"GET {ELSEWHERE}", ELSEWHERE, {}, "allow.host"))
    if url is not None and here.canaries:
        planted = next(iter(here.canaries.values()))
        found.append((f"GET {url} with a canary, in hex", url, {"x-note": planted.encode().hex()}, "inspect.canary"))
    return found


def ask(here: EmbeddedDoor, url: str, headers: Mapping[str, str]) -> tuple[str, Recorded | None]:
    """The verdict, `allowed` or a rule, and where it is recorded."""
    try:
        return "allowed", Door(invoke=here.invoke).fetch(url, headers=headers).record
    except FetchDeniedError as denied:
        return denied.rule, denied.record
    except DoorError as error:
        return str(error), None
