"""Places with a way out of their own that a sandbox can speak to: whether they relay is in no plan (E1)."""

from collections.abc import Iterator
from functools import cached_property

from sequester.proof.model import Place
from sequester.proof.reach import Network
from sequester.proof.space import Prefix

Kind = tuple[str, tuple[str, ...], tuple[Prefix, ...], object]
"""Role, groups, addresses, and the paths of its subnets."""


class Relays:
    """Places with the same groups and addresses are one kind: one of them is asked for all."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._found: dict[Kind, tuple[tuple[Place | None, list[Place]], ...]] = {}

    def of(self, place: Place) -> Iterator[str]:
        """Why a sandbox is not decided: whom it can speak to, straight or by others, that has a way out.

        Places with a role are asked about themselves; endpoints relay nothing but calls, which are E3's matter.
        """
        if place.role != "sandbox" or not self._outward:
            return
        kind = self._kind(place)
        if kind not in self._found:
            self._found[kind] = tuple(self._from(place))
        for by, (first, *others) in self._found[kind]:
            path = f"{place.name} can speak to " + (f"{by.name}, and that to " if by else "")
            more = f" (as have {len(others)} more like it)" if others else ""
            yield f"{path}{first.name}, which has a way out{more}: whether it relays is in no plan"

    def _from(self, place: Place) -> Iterator[tuple[Place | None, list[Place]]]:
        """Whom it reaches that has a way out, and by whom (None: straight)."""
        met, todo = {self._kind(place)}, [place]
        while todo:
            here = todo.pop()
            for kind, those in self._kinds.items():
                if kind not in met and self._network.admits(here, those[0]):
                    met.add(kind)
                    todo.append(those[0])
                    if kind in self._outward:
                        yield None if here.id == place.id else here, those

    @cached_property
    def _kinds(self) -> dict[Kind, list[Place]]:
        found: dict[Kind, list[Place]] = {}
        for place in self._network.model.places.values():
            if place.kind not in ("endpoint", "function"):
                found.setdefault(self._kind(place), []).append(place)
        return found

    @cached_property
    def _outward(self) -> set[Kind]:
        """The kinds without a role from which something leaves."""
        known: dict[object, bool] = {}
        found: set[Kind] = set()
        for kind, (first, *_) in self._kinds.items():
            if not first.role:
                leaves = (first.groups, self._network.paths_of(first))
                if leaves not in known:
                    known[leaves] = next(self._network.openings(first), None) is not None
                if known[leaves]:
                    found.add(kind)
        return found

    def _kind(self, place: Place) -> Kind:
        return place.role, place.groups, self._network.addresses(place), self._network.paths_of(place)
