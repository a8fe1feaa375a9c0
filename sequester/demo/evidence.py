"""Step: what a person takes away, in `out/`: the evidence of all this on one page, and the files behind it."""

from collections.abc import Sequence

from sequester.demo import records
from sequester.demo.scene import Scene
from sequester.report.document import Overall
from sequester.report.made import Writing, report_of, write
from sequester.report.page import headline


def play(scene: Scene) -> Sequence[str]:
    """Write the report, with the drill if one was held; a failure if it says that something does not hold."""
    records.keep(scene)
    report = report_of(scene.standing, scene.settings, scene.seen, next(iter(scene.held), None))
    page, told = scene.out / "report.html", scene.out / "report.json"
    write(report, Writing(page, told))
    scene.console.print(f"report: {headline(report)}", highlight=False)
    scene.console.print(f"open in a browser: {page} (as data: {told})", highlight=False, soft_wrap=True)
    # What could not be tried on this machine leaves a drill undecided: its own step says so.
    return [headline(report)] if report.overall is Overall.BROKEN else []
