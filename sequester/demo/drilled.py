"""Step: a few techniques of every family, really tried; what stopped each, who saw it, and what was done."""

from collections.abc import Iterable, Sequence

from rich.table import Table

from infra.labels import sandbox_namespace
from sequester.demo.quarantine import quiet, released
from sequester.demo.scene import NotShownError, Scene
from sequester.drill.eyes import Eyes
from sequester.drill.local import Local
from sequester.drill.outcome import Drill, Family, Outcome, Response, Result, Target, Technique
from sequester.drill.run import drill
from sequester.drill.sandboxed import DrillFailedError
from sequester.drill.show import summary
from sequester.drill.table import FAST, chosen


def play(scene: Scene) -> Sequence[str]:
    """Hold it; a line for each leak and for each technique that was stopped otherwise, unseen or unanswered."""
    if not scene.settings.tenants:
        raise NotShownError("sequester:tenants names no tenant: there is nobody's sandbox to try")
    techniques = [each for each in chosen([], [], target=Target.LOCAL) if each.id in FAST]
    eyes = Eyes(scene.standing.cloud, scene.settings)
    known: set[str] = set()
    try:
        with scene.console.status("holding the drill") as status:

            def tell(technique: Technique, outcome: Outcome) -> None:
                known.add(technique.id)
                status.update(f"holding the drill: {len(known)} of {len(techniques)}, {technique.id}: {outcome.result}")

            held = drill(Local(eyes), techniques, [], tell)
    except DrillFailedError as error:
        return [str(error)]
    scene.held.append(held)
    scene.console.print(families(eyes.tenant, held))
    skipped = sorted({outcome.reason for outcome in held.of(Result.NOT_RUN)})
    for reason in skipped:
        scene.console.print(f"not run: {reason}", style="dim", markup=False, highlight=False)
    if eyes.kubernetes is None:
        said = "what the responder asks of the cluster's API server was noted, not sent"
        scene.console.print(said, style="dim", highlight=False)
    scene.console.print(f"{summary(held)}; each technique is in the report", markup=False, highlight=False)
    if not held.of(Result.STOPPED) and held.exit_code == 2:
        raise NotShownError("; ".join(skipped))
    return [
        *(
            f"{outcome.technique}: {'; '.join(outcome.problems) or outcome.result.upper()}"
            for outcome in held.outcomes
            if outcome.failed or outcome.result is Result.BASELINE_FAILED
        ),
        *answered(scene, eyes, held),
    ]


def answered(scene: Scene, eyes: Eyes, held: Drill) -> list[str]:
    """The drill's own alarms have closed the tenant's door: release it, so that the steps after it find it open."""
    alarms = sorted({outcome.alarm.name for outcome in held.outcomes if outcome.alarm})
    if not alarms:
        return []
    quiet(scene, alarms)
    return released(scene, eyes.tenant, "it was a drill")


def families(tenant: str, held: Drill) -> Table:
    """One row a family: how many were tried, and all that stopped, saw and answered them."""
    table = Table(title=f"The drill in {sandbox_namespace(tenant)}, and at its door", title_justify="left")
    for column in ("family", "stopped", "by", "seen by", "done about it"):
        table.add_column(column, overflow="fold")
    by_id = {technique.id: technique for technique in held.techniques}
    for family in Family:
        mine = [outcome for outcome in held.outcomes if by_id[outcome.technique].family is family]
        if not mine:
            continue
        stopped = sum(outcome.result is Result.STOPPED for outcome in mine)
        table.add_row(
            family.heading,
            f"{stopped} of {len(mine)}",
            _distinct((outcome.stopped_by or "").rpartition(":")[2] for outcome in mine),
            _distinct(outcome.seen_by or "" for outcome in mine),
            _distinct(act for outcome in mine if outcome.response for act in _acts(outcome.response)),
        )
    return table


def _acts(response: Response) -> list[str]:
    """What was done, one each; what is said in brackets about all of it is said once, under the table."""
    return response.action.partition(" (")[0].replace("_", " ").split(", ")


def _distinct(those: Iterable[str]) -> str:
    return "\n".join(dict.fromkeys(filter(None, those)))
