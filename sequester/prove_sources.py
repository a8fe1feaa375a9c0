"""Where `sequester prove` gets its facts from: one reader a source, and what each wants on the command line."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import yaml

from sequester.example import SETTINGS_FILE
from sequester.proof.facts import BadFactError
from sequester.proof.model import Model
from sequester.proof.selector import Selector

_STDIN = Path("/dev/stdin")


class Source(StrEnum):
    PROGRAM = "program"
    STATE = "state"
    PREVIEW = "preview"
    LIVE = "live"
    MANIFESTS = "manifests"


@dataclass(frozen=True)
class Asked:
    """What a person asked for. `account` and `region` are empty where the source shall tell."""

    source: Source
    paths: tuple[Path, ...] = ()
    account: str = ""
    region: str = ""
    selector: Selector = field(default_factory=Selector)
    kubeconfig: str = ""
    context: str | None = None
    progress: Callable[[str], None] = lambda _: None


def model(asked: Asked) -> Model:
    """Raises BadFactError or OSError for what cannot be read at all; what is missing in the facts is a gap in them."""
    paths = tuple(_STDIN if path == Path("-") else path for path in asked.paths)
    return _READERS[asked.source](replace(asked, paths=paths))


def selector_file(path: Path) -> Selector:
    """A selector in YAML or JSON. Raises BadFactError naming the key."""
    from sequester.sources.cluster import strict
    from sequester.sources.selection import selector_of

    try:
        return selector_of(strict(path.read_bytes().decode("utf-8-sig")), path.name)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise BadFactError(f"{path.name}: neither YAML nor JSON: {' '.join(str(error).split())[:120]}") from error


def _one(asked: Asked, how: str) -> Path:
    if len(asked.paths) != 1:
        raise BadFactError(f"--source {asked.source}: name one file, as `{how}` writes it")
    return asked.paths[0]


def _program(asked: Asked) -> Model:
    """The blueprint with the settings of a stack file, run in the embedded cloud. No account, no network."""
    from infra.settings.errors import SettingsError
    from sequester.sources.program import program_model
    from sequester.standing import NoSettingsError, stack_config, standing

    path = asked.paths[0] if asked.paths else SETTINGS_FILE
    try:
        config = stack_config(path)
    except NoSettingsError as error:
        raise BadFactError(str(error)) from None
    region = asked.region or str(config.get("aws:region", "us-east-1"))
    account = asked.account or str(config.get("sequester:account", ""))
    try:
        with standing(
            config, progress=lambda made: asked.progress(f"{made.type.rpartition(':')[2]} {made.name}")
        ) as here:
            return program_model(here.run.resources, asked.selector, account=account, region=region)
    except SettingsError as error:
        raise BadFactError(str(error)) from None


def _state(asked: Asked) -> Model:
    from sequester.sources.state import state_file

    path = _one(asked, "pulumi stack export")
    return state_file(path, asked.selector, account=asked.account, region=asked.region)


def _preview(asked: Asked) -> Model:
    from sequester.sources.plan import plan_file

    path = _one(asked, "pulumi preview --json")
    return plan_file(path, asked.selector, account=asked.account, region=asked.region)


def _manifests(asked: Asked) -> Model:
    from sequester.sources.manifests import manifest_model

    if not asked.paths:
        raise BadFactError("--source manifests: name files or directories of YAML")
    return manifest_model(asked.paths, asked.selector)


def _live(asked: Asked) -> Model:
    """Objects of the cluster from its API server, or from manifests where some are named, else not at all."""
    from sequester.sources.live import live_model, no_cluster

    region = asked.region or "us-east-1"
    if asked.kubeconfig:
        from sequester.sources.live import api_server

        inside = None if asked.kubeconfig == "in-cluster" else asked.kubeconfig
        cluster = api_server.read(inside, asked.context, asked.progress)
        objects, gaps = cluster.objects, cluster.gaps
    elif asked.paths:
        from sequester.sources.manifests import manifests

        objects, gaps = manifests(asked.paths)
    else:
        objects, gaps = (), (no_cluster(),)
    return live_model(asked.selector, region=region, manifests=objects, gaps=gaps, progress=asked.progress)


_READERS: dict[Source, Callable[[Asked], Model]] = {
    Source.PROGRAM: _program,
    Source.STATE: _state,
    Source.PREVIEW: _preview,
    Source.LIVE: _live,
    Source.MANIFESTS: _manifests,
}
