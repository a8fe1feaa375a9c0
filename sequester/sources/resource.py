"""Resources as every source gives them: a Pulumi type token, a name, an id and properties in camelCase."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

from sequester.proof.facts import BadFactError, items, mapping, text


@dataclass(frozen=True)
class Resource:
    """`properties` are outputs overlaid with inputs; an unknown or secret value has been replaced before."""

    type: str
    name: str
    id: str
    properties: Mapping[str, object] = field(default_factory=dict[str, object])
    urn: str = ""
    parent: str = ""
    component: bool = False
    """It only groups others: there is nothing of it in any cloud."""
    provider: str = ""
    """The URN of the provider that makes it, where the source tells."""
    unknown: frozenset[str] = frozenset()
    """Properties that have a value which nobody knows yet: who asks for one learns that, and not that it is absent."""

    def get(self, key: str) -> object:
        """A property. Raises BadFactError if its value is not known before the deployment."""
        if key in self.unknown:
            raise BadFactError(f"{self.name}.{key} is not known before the deployment")
        return self.properties.get(key)

    def maybe(self, key: str) -> str:
        """A text property, or the empty text where it is absent. Raises BadFactError, naming it, if it is no text."""
        value = self.get(key)
        return "" if value in (None, "") else text(value, f"{self.name}.{key}")

    def text(self, key: str) -> str:
        """A text property. Raises BadFactError, naming it, if it is absent or something else."""
        return text(self.get(key), f"{self.name}.{key}")

    def flag(self, key: str, *, default: bool = False) -> bool:
        value = self.get(key)
        return default if value is None else str(value).lower() == "true"

    def several(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(text(one, f"{self.name}.{key}") for one in items(self.get(key), f"{self.name}.{key}"))


@dataclass(frozen=True)
class Stack:
    """All resources of a deployment, found by type or id."""

    resources: tuple[Resource, ...]
    account: str
    region: str

    @cached_property
    def _by_type(self) -> Mapping[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for one in self.resources:
            found.setdefault(one.type, []).append(one)
        return found

    @cached_property
    def first_interfaces(self) -> Mapping[str, str]:
        """The interface that AWS made with each instance, which no resource describes → the instance's id."""
        return {
            key: one.id for one in self.of("ec2/instance:Instance") if (key := one.maybe("primaryNetworkInterfaceId"))
        }

    @cached_property
    def _by_id(self) -> Mapping[tuple[str, str], Resource]:
        return {(one.type, one.id): one for one in self.resources}

    def of(self, *types: str) -> Iterator[Resource]:
        """The resources of these types, the `aws:` of the token left out."""
        for kind in types:
            yield from self._by_type.get(f"aws:{kind}", ())

    def by_id(self, kind: str, key: str) -> Resource | None:
        return self._by_id.get((f"aws:{kind}", key))

    def types(self) -> Iterable[str]:
        return self._by_type


def block(one: Resource, key: str) -> Mapping[str, object]:
    """A block of a resource's properties."""
    return single(one.get(key), f"{one.name}.{key}")


def single(raw: object, where: str) -> Mapping[str, object]:
    """A block that providers write as an object or as a list of one."""
    if isinstance(raw, list | tuple):
        return mapping(next(iter(items(cast("object", raw), where)), None), where)
    return mapping(raw, where)
