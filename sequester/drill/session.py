"""From the command line to a held drill: what is asked is checked, the target is made ready, the result is written."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from sequester.drill.control import controls, removable
from sequester.drill.junit import to_junit
from sequester.drill.outcome import Drill, Family, Target, Technique, to_json
from sequester.drill.show import growing, listing, told
from sequester.drill.table import FAST, UnknownTechniqueError, chosen

FAILED, USED_WRONGLY = 2, 64


class NotAskedRightError(ValueError):
    """Something asked for does not exist; the message names it and the mend."""


@dataclass(frozen=True)
class ClusterAsked:
    """Where `--target cluster` is, and to whom canaries may go."""

    sink: str = ""
    tenant: str = ""
    image: str = ""
    context: str | None = None


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    target: Target
    families: Sequence[Family] = ()
    only: Sequence[str] = ()
    fast: bool = False
    without: Sequence[str] = ()
    settings: Path = Path("Pulumi.dev.yaml")
    cluster: ClusterAsked = ClusterAsked()

    @property
    def chained(self) -> bool:
        """Whether whole chains are followed, too: a whole drill in the lab, with every control in its place."""
        narrowed = self.families or self.only or self.fast or self.without
        return self.target is Target.LAB and not narrowed

    def techniques(self) -> list[Technique]:
        """Raises NotAskedRightError where nothing is left."""
        if self.target is Target.CLUSTER:
            for option in ("sink", "tenant", "image"):
                if not getattr(self.cluster, option):
                    raise NotAskedRightError(f"--target cluster: give --{option} too")
            if self.without:
                raise NotAskedRightError("--without: no control of a deployed cluster is taken away; use --target lab")
        for control in self.without:
            if control not in controls():
                raise NotAskedRightError(f"--without {control}: no such control: `sequester drill --list` names them")
            if control not in removable(self.target):
                raise NotAskedRightError(_kept(control, self.target))
        try:
            found = chosen(self.families, self.only, target=self.target)
        except UnknownTechniqueError as error:
            raise NotAskedRightError(str(error)) from None
        if self.fast:
            found = [technique for technique in found if technique.id in FAST or technique.id in self.only]
        if not found:
            raise NotAskedRightError("no technique is left: ask for another --family, --only or --target")
        return found


def _kept(control: str, target: Target) -> str:
    """That it cannot be taken away, and what can: else a drill that misses nothing would seem to show that it holds."""
    elsewhere = "; --target lab can" if control in removable(Target.LAB) else ""
    table = control.partition(":")[0]
    others = sorted(each for each in removable(target) if each.startswith(f"{table}:"))
    mend = f"; of {table}: {', '.join(others)}" if others and not elsewhere else elsewhere
    return f"--without {control}: the drill cannot take this away at --target {target}{mend}"


def show_list(asked: Asked, console: Console) -> int:
    """What would be tried."""
    try:
        console.print(listing(asked.techniques()))
    except NotAskedRightError as error:
        return _ended(console, str(error), USED_WRONGLY)
    return 0


def _ended(console: Console, why: str, code: int) -> int:
    console.print(why, style="red", markup=False, highlight=False, soft_wrap=True)
    return code


def hold(asked: Asked, console: Console, json_file: Path | None, junit_file: Path | None, *, details: bool) -> int:
    """Hold the drill, show it, write it; the exit code."""
    from sequester.demo import EXPECTED
    from sequester.drill.chains import chains
    from sequester.drill.cluster import BadSinkError
    from sequester.drill.run import drill
    from sequester.drill.sandboxed import DrillFailedError
    from sequester.drill.targets import ready
    from sequester.drill.weaken import NotRemovableError
    from sequester.sandbox.errors import SandboxError
    from sequester.standing import stack_config

    try:
        techniques = asked.techniques()
        with ExitStack() as stack:
            with console.status("getting ready") as status:
                ground = stack.enter_context(ready(asked, status.update))
            with growing(console, techniques) as tell:
                held = drill(ground, techniques, asked.without, tell)
        if asked.chained:
            with console.status("the whole chain") as status:
                held = replace(held, chains=chains(stack_config(asked.settings), status.update))
        write(held, json_file, junit_file)
    except NotAskedRightError as error:
        return _ended(console, str(error), USED_WRONGLY)
    except (DrillFailedError, BadSinkError, NotRemovableError, SandboxError, *EXPECTED) as error:
        return _ended(console, str(error), FAILED)
    except OSError as error:
        return _ended(console, f"{error.filename or ''}: {error.strerror}", FAILED)
    except KeyboardInterrupt:
        console.print("stopped; nothing is left running", style="yellow")
        return 130
    told(console, held, details=details)
    return held.exit_code


def write(held: Drill, json_file: Path | None, junit_file: Path | None) -> None:
    """To the files that were asked for."""
    if json_file:
        json_file.write_text(to_json(held))
    if junit_file:
        junit_file.write_text(to_junit(held))
