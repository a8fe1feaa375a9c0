"""The target `local`: this machine. Real sandboxes, and the stack's tripwires as they stand in the embedded cloud."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sequester.drill.api_server import hold as hold_at_the_api_server
from sequester.drill.asks import ASKS
from sequester.drill.attempt import Attempt, Sight
from sequester.drill.calls import BY_ID as CALLS
from sequester.drill.calls import hold as hold_calls
from sequester.drill.doorway import hold as hold_at_the_door
from sequester.drill.eyes import Eyes
from sequester.drill.outcome import How, Outcome, Target, Technique
from sequester.drill.pods import NODE
from sequester.drill.program import Layer
from sequester.drill.run import outcome
from sequester.drill.sandboxed import hold as hold_sandboxed
from sequester.drill.table import PROGRAMS
from sequester.drill.through_door import FETCHES


@dataclass(frozen=True)
class Local:
    """eyes: of the stack that stands. removed: controls that are taken away on purpose."""

    eyes: Eyes
    removed: Sequence[str] = ()
    target: Target = Target.LOCAL

    def hold(self, techniques: Sequence[Technique], tell: Callable[[Attempt], None]) -> list[Attempt]:
        programs = [technique.id for technique in techniques if technique.id in PROGRAMS]
        fetches = [technique for technique in techniques if technique.id in FETCHES]
        asks = [technique for technique in techniques if technique.id in ASKS]
        calls = [technique.id for technique in techniques if technique.id in CALLS]
        found: list[Attempt] = []
        with ThreadPoolExecutor(1) as beside:  # an API server takes seconds to start, and nothing of this process
            asked = beside.submit(self._ask, asks) if asks else None
            # What is told is answered at once, and a door that was probed is closed: all of it is tried first.
            if fetches:
                found += hold_at_the_door(fetches, self._removed("door"), self.eyes)
            if calls:
                found += hold_calls(calls, self.removed, self.eyes)
            for attempt in found:
                tell(attempt)
            if programs:
                layers = [Layer(name) for name in self._removed("sandbox")]
                found += hold_sandboxed(programs, layers, self.eyes.tenant, tell)
            refused = asked.result() if asked else []
        for attempt in refused:
            tell(attempt)
        return found + refused

    def _ask(self, asks: Sequence[Technique]) -> list[Attempt]:
        return hold_at_the_api_server(asks, self.removed, self.eyes.tenant)

    def _removed(self, table: str) -> list[str]:
        return [name for of, _, name in (each.partition(":") for each in self.removed) if of == table]

    def judge(self, technique: Technique, attempt: Attempt) -> Outcome:
        return outcome(self.target, technique, attempt, self.sight(technique, attempt))

    def sight(self, technique: Technique, attempt: Attempt) -> Sight:
        """Who saw it."""
        if attempt.not_run or attempt.how is How.COMPUTED:  # nothing was tried, so there was nothing to see
            return Sight()
        user = f"system:node:{NODE}"
        records = self.eyes.of_the_machine(attempt.records, user, lambda machine: f"system:node:{machine.name}")
        return self.eyes.look(technique, records)
