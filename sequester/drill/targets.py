"""Makes a target ready: what it needs is started here, and is gone when the drill is over."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import count

from sequester.cloud import Recorded
from sequester.drill.cluster import InCluster, NamedSink
from sequester.drill.eyes import Eyes
from sequester.drill.lab import Lab
from sequester.drill.local import Local
from sequester.drill.outcome import Target
from sequester.drill.run import Ground
from sequester.drill.session import Asked, NotAskedRightError
from sequester.lab.deployed import deployed
from sequester.sandbox.executor import IsolatedExecutor
from sequester.standing import settings_of, stack_config, standing


@contextmanager
def ready(asked: Asked, progress: Callable[[str], None]) -> Generator[Ground]:
    """A target with the tripwires of a stack's settings watching it. `progress` hears what is being done."""
    config = stack_config(asked.settings)
    made = count(1)

    def standing_up(resource: Recorded) -> None:
        progress(f"standing the stack up in the embedded cloud, for its tripwires: {next(made)} made, {resource.name}")

    with standing(config, progress=standing_up) as here:
        settings = settings_of(config)
        if not settings.tenants:
            raise NotAskedRightError(f"{asked.settings}: sequester:tenants names no tenant: there is nobody to try as")
        match asked.target:
            case Target.LOCAL:
                yield Local(Eyes(here.cloud, settings), asked.without)
            case Target.LAB:
                yield Lab(Eyes(here.cloud, settings), deployed(here), asked.without)
            case Target.CLUSTER:
                where = asked.cluster
                if where.tenant not in settings.tenants:
                    raise NotAskedRightError(f"--tenant {where.tenant}: not in {asked.settings}: name one that is")
                sink = NamedSink.read(where.sink)
                eyes = Eyes(here.cloud, settings, tenant=where.tenant)
                with IsolatedExecutor.kubernetes(
                    tenant=where.tenant, image=where.image, context=where.context
                ) as executor:
                    yield InCluster(eyes, executor, sink, where.tenant)
