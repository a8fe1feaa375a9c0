"""`make docs`: write the generated parts of the README and of docs/ anew, from the tables that the code itself uses.

A part stands between `<!-- generated: NAME -->` and `<!-- /generated -->`; a test fails when one is out of date.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from infra import sensor_matrix
from sequester import cost, first_deploy, rights
from sequester.drill import page as drill_page
from sequester.example import SETTINGS_FILE
from sequester.report import limits
from sequester.sandbox import seccomp
from sequester.sandbox.guest.events import KEYS
from sequester.standing import stand_up
from tools import control_pages, reference_page, runbooks

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = (
    README,
    *(
        ROOT / "docs" / f"{name}.md"
        for name in (
            "who-may-do-what",
            "threat-model",
            "objectives",
            "controls",
            "reference-configuration",
            "sandbox",
            "drill",
            "tripwires",
        )
    ),
)
_PART = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- /generated -->)", re.DOTALL)


def standing_cost() -> str:
    """The cost of Pulumi.dev.yaml."""
    resources = stand_up(SETTINGS_FILE).resources
    return cost.markdown(cost.estimate((resource.type, resource.inputs) for resource in resources))


def events() -> str:
    """The keys of the supervisor's events."""
    rows = [f"| `{name}` | {meaning} |" for name, meaning in KEYS.items()]
    return "\n".join(["| key | what it says |", "|---|---|", *rows])


def syscalls() -> str:
    """Both profiles that run in process."""
    return "\n".join(seccomp.docs_table(name) for name in ("default", "strict"))


PARTS: Mapping[str, Callable[[], str]] = {
    "controls": control_pages.for_readme,
    "all-controls": control_pages.whole_table,
    "claims": control_pages.by_claim,
    "frameworks": control_pages.frameworks,
    "flows": reference_page.flows,
    "services": reference_page.endpoints,
    "names": reference_page.names,
    "settings": reference_page.settings,
    "cost": standing_cost,
    "first-deploy": first_deploy.markdown,
    "not-covered": limits.markdown,
    "drill": drill_page.markdown,
    "rights": rights.rights,
    "admission": rights.admission,
    "events": events,
    "syscalls": syscalls,
    "sensor-matrix": sensor_matrix.markdown,
}


def renewed(page: str) -> str:
    """The page with every generated part made anew."""
    return _PART.sub(lambda found: f"{found[1]}{PARTS[found['name']]()}\n{found[3]}", page)


def main() -> None:
    """Rewrite the pages in place, the runbooks' heads and index too."""
    for page in PAGES:
        page.write_text(renewed(page.read_text()))
    runbooks.main()


if __name__ == "__main__":
    main()
