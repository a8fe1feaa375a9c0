"""`make docs`: write the generated parts of the README and of docs/ anew, from the tables that the code itself uses.

A part stands between `<!-- generated: NAME -->` and `<!-- /generated -->`; a test fails when one is out of date.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from sequester import cost, first_deploy, rights
from sequester.cli import SETTINGS_FILE
from sequester.readback import CONTROLS
from sequester.readback.cluster import CLUSTER_CONTROLS
from sequester.standing import stand_up

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = (README, ROOT / "docs" / "who-may-do-what.md")
_PART = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- /generated -->)", re.DOTALL)


def controls() -> str:
    """One row a control of the network, then of the cluster."""
    rows = (f"| {control.protects} | {control.claim} | `{control.id}` |" for control in (*CONTROLS, *CLUSTER_CONTROLS))
    return "\n".join(["| what holds | claim | check |", "|---|---|---|", *rows])


def standing_cost() -> str:
    """The cost of Pulumi.dev.yaml."""
    resources = stand_up(SETTINGS_FILE).resources
    return cost.markdown(cost.estimate((resource.type, resource.inputs) for resource in resources))


PARTS: Mapping[str, Callable[[], str]] = {
    "controls": controls,
    "cost": standing_cost,
    "first-deploy": first_deploy.markdown,
    "rights": rights.rights,
    "admission": rights.admission,
}


def renewed(page: str) -> str:
    """The page with every generated part made anew."""
    return _PART.sub(lambda found: f"{found[1]}{PARTS[found['name']]()}\n{found[3]}", page)


def main() -> None:
    """Rewrite the pages in place."""
    for page in PAGES:
        page.write_text(renewed(page.read_text()))


if __name__ == "__main__":
    main()
