"""The blueprint, stood up in the embedded cloud from a stack's settings file."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml

from infra.settings import Settings, parse
from sequester.cloud import Edit, EmbeddedCloud, Recorded, Run


class NoSettingsError(ValueError):
    """A settings file that is none; the message names the file and the mend."""


@dataclass(frozen=True)
class Standing:
    """A cloud in which the blueprint stands, and what the program registered."""

    cloud: EmbeddedCloud
    run: Run


def stack_config(path: Path) -> Mapping[str, object]:
    """The `config:` of a stack's settings file, `project:key` → value."""
    try:
        found = cast(object, yaml.safe_load(path.read_text()))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        raise NoSettingsError(f"{path}: is no YAML ({said}): begin with Pulumi.dev.yaml") from None
    config = cast(Mapping[str, object], found).get("config") if isinstance(found, Mapping) else None
    if not isinstance(config, Mapping):
        raise NoSettingsError(f"{path}: has no `config:` with sequester:network in it: begin with Pulumi.dev.yaml")
    return cast(Mapping[str, object], config)


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
    from infra.stack import blueprint

    region = config.get("aws:region", "us-east-1")
    with EmbeddedCloud(region=str(region)) as cloud:
        yield Standing(cloud, cloud.up(blueprint, config=config, edit=edit, progress=progress))


def stand_up(path: Path) -> Run:
    """What the program registers with a settings file."""
    with standing(stack_config(path)) as here:
        return here.run
