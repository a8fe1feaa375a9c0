"""The blueprint, stood up in the embedded cloud from a stack's settings file."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import pulumi
import yaml

from infra.settings import Settings, SettingsError, parse
from sequester.cloud import (
    CreateFailedError,
    Edit,
    EmbeddedCloud,
    Recorded,
    RefusedError,
    Run,
    UnmappedPropertyError,
    UnmappedTypeError,
)
from sequester.readback import NotFoundError


class NoSettingsError(ValueError):
    """A settings file that is none; the message names the file and the mend."""


EXPECTED: Final = (
    SettingsError,
    NoSettingsError,
    CreateFailedError,
    RefusedError,
    UnmappedPropertyError,
    UnmappedTypeError,
    NotFoundError,
)
"""What can be wrong with the settings or the program: said in a line, never as a traceback."""


DOOR_SOURCES = Path(__file__).resolve().parent.parent / "lambda_proxy"
_NO_ENDPOINT = "vpce-00000000000000000"


def blueprint() -> None:
    """The program, with the door's sources alone as its code: their libraries are this environment's.

    What is deployed has the locked wheels for Lambda beside them (`make door`); nothing is downloaded here.
    """
    from infra.stack import blueprint as program

    program(door_sources())


def doors_alone() -> None:
    """The doors and their logs without the network before them: to ask a door here, nobody passes an endpoint."""
    from infra.logs import Logs, LogsArgs
    from infra.names import Names
    from infra.settings import load
    from infra.stack import doors, log_groups

    settings = load()
    names = Names.of(settings)
    logs = Logs(names.name, LogsArgs(names, log_groups(settings)))
    doors(settings, door_sources(), _NO_ENDPOINT, logs, pulumi.ResourceOptions())


def door_sources() -> pulumi.Archive:
    """The door's sources, as a function's code."""
    files = [path for path in sorted(DOOR_SOURCES.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    root = DOOR_SOURCES.parent
    return pulumi.AssetArchive({str(path.relative_to(root)): pulumi.FileAsset(str(path)) for path in files})


@dataclass(frozen=True)
class Standing:
    """A cloud in which the blueprint stands, and what the program registered."""

    cloud: EmbeddedCloud
    run: Run


def stack_config(path: Path) -> Mapping[str, object]:
    """The `config:` of a stack's settings file, `project:key` → value."""
    try:
        found = cast(object, yaml.safe_load(path.read_text()))
        if problem := next(_no_json(found), None):
            raise NoSettingsError(f"{path}: {problem}")
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        said = " ".join(str(error).split())
        raise NoSettingsError(f"{path}: is no YAML ({said}): begin with Pulumi.dev.yaml") from None
    config = cast(Mapping[str, object], found).get("config") if isinstance(found, Mapping) else None
    if not isinstance(config, Mapping):
        raise NoSettingsError(f"{path}: has no `config:` with sequester:network in it: begin with Pulumi.dev.yaml")
    return cast(Mapping[str, object], config)


def _no_json(value: object, where: str = "") -> Iterator[str]:
    """What YAML can say and Pulumi's configuration, which is JSON, cannot: dates, sets, keys that are no text."""
    if isinstance(value, Mapping):
        for key, inner in cast("Mapping[object, object]", value).items():
            here = f"{where}.{key}" if where else str(key)
            if not isinstance(key, str):
                yield f"{here}: the key {key!r} is no text: quote it"
            yield from _no_json(inner, here)
    elif isinstance(value, list):
        for number, inner in enumerate(cast("list[object]", value)):
            yield from _no_json(inner, f"{where}[{number}]")
    elif not isinstance(value, str | int | float | None):
        yield f"{where}: {value!r} is a {type(value).__name__}, which no setting is: quote it"


def settings_of(config: Mapping[str, object]) -> Settings:
    """The settings that the program will read from this configuration. Raises SettingsError."""
    own = {key.partition(":")[2]: value for key, value in config.items() if key.startswith("sequester:")}
    region = config.get("aws:region")
    return parse(own if region is None else own | {"region": region})


@contextmanager
def standing(
    config: Mapping[str, object], edit: Edit | None = None, progress: Callable[[Recorded], None] | None = None
) -> Generator[Standing]:
    """The program run with `config` in a new embedded cloud, which is gone afterwards."""
    with _stood(blueprint, config, edit, progress) as here:
        yield here


@contextmanager
def doors_standing(config: Mapping[str, object]) -> Generator[Standing]:
    """Likewise, `doors_alone`: in a third of the time."""
    with _stood(doors_alone, config) as here:
        yield here


@contextmanager
def _stood(
    program: Callable[[], None],
    config: Mapping[str, object],
    edit: Edit | None = None,
    progress: Callable[[Recorded], None] | None = None,
) -> Generator[Standing]:
    region = config.get("aws:region", "us-east-1")
    with EmbeddedCloud(region=str(region)) as cloud:
        yield Standing(cloud, cloud.up(program, config=config, edit=edit, progress=progress))


def stand_up(path: Path) -> Run:
    """What the program registers with a settings file."""
    with standing(stack_config(path)) as here:
        return here.run
