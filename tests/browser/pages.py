"""One page of an attacker's, and the two forms that most of them have."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_SCRIPT = "<!doctype html><body><script>{}</script>"
_STYLE = "<!doctype html><style>{}</style><body><p id=secret class=secret>text</p><input value=secret>"


@dataclass(frozen=True)
class Page:
    """`body` as the attacker's page; `headers` as the attacker's origin would add; `files` beside it, by name."""

    name: str
    body: str
    media_type: str = "text/html"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])


def script(name: str, code: str, files: Mapping[str, tuple[str, str]] = MappingProxyType({})) -> Page:
    return Page(name, _SCRIPT.format(code), files=files)


def style(name: str, css: str) -> Page:
    return Page(name, _STYLE.replace("{}", css))
