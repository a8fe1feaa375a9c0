"""The certificate of E1: the whole space of packets in pieces, each with the stage that closes it."""

from collections.abc import Iterator, Sequence

from sequester.proof.certificate import Piece, Question
from sequester.proof.model import Place, Subnet
from sequester.proof.netpol import Allowed
from sequester.proof.reach import Network, Way
from sequester.proof.selector import Destination
from sequester.proof.space import EVERY_SERVICE, Services, covered, difference, intersection, whole


class Tiles:
    """Questions about nodes. Subnets on the same path share their pieces."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._known: dict[object, tuple[tuple[str, tuple[Piece, ...]], ...]] = {}

    def of_node(self, place: Place) -> Iterator[Question]:
        for key in place.subnets:
            subnet = self._network.model.subnets.get(key)
            if subnet is not None:
                path = self._network.path_of(subnet, public=place.public_in(subnet))
                if path not in self._known:
                    self._known[path] = tuple(self._both(subnet, public=place.public_in(subnet)))
                for direction, pieces in self._known[path]:
                    yield Question(f"{direction}:{place.id}:{key}", pieces)

    def _both(self, subnet: Subnet, *, public: bool) -> Iterator[tuple[str, tuple[Piece, ...]]]:
        ways = self._network.ways(subnet, public=public)
        yield "out", tuple(self._tile(subnet, ways))
        yield "in", tuple(self._tile(subnet, tuple(self._network.answerable(subnet, ways))))

    def _tile(self, subnet: Subnet, ways: Sequence[Way]) -> Iterator[Piece]:
        """The whole space: closed by the path outside of the ways, and by the security groups on them."""
        table = self._network.model.tables.get(subnet.table)
        path = f"{table.name if table else subnet.table} and {subnet.acl}: no way leads out"
        for axis in self._network.model.axes:
            here = [(way.low, way.end, way.services) for way in ways if way.axis == axis]
            at = sorted({0, whole(axis).end, *(low for low, _, _ in here), *(end for _, end, _ in here)})
            shape: list[tuple[int, int, Services]] = []
            for low, stop, open_ in covered(at, here):
                if shape and shape[-1][2] == open_:
                    shape[-1] = (shape[-1][0], stop, open_)
                else:
                    shape.append((low, stop, open_))
            for low, stop, open_ in shape:
                for first, last in difference(EVERY_SERVICE, open_):
                    yield Piece(axis, low, stop, first, last, "path", path)
                for first, last in open_:
                    yield Piece(axis, low, stop, first, last, "group", "no security group rule")


def tile_pods(axes: Sequence[str], allowed: Sequence[Allowed], declared: Sequence[Destination]) -> Iterator[Piece]:
    """The whole space of a namespace's pods: closed by policies, declared, to pods, or not to be sent by a node."""
    for axis in axes:
        sent = [(a.low, a.end, a.services) for a in allowed if a.axis == axis]
        to_pods = [(a.low, a.end, a.services) for a in allowed if a.axis == axis and a.pods]
        fine = [(d.prefix.low, d.prefix.end, d.services) for d in declared if d.prefix.axis == axis]
        ends = {end for low_end in (*sent, *fine) for end in low_end[:2]}
        at = sorted({0, whole(axis).end, *ends})
        for (low, stop, out), (_, _, inside), (_, _, pods) in zip(
            covered(at, sent), covered(at, fine), covered(at, to_pods), strict=True
        ):
            declared_here = intersection(out, inside)
            for stage, part in (
                ("policy", difference(EVERY_SERVICE, out)),
                ("declared", declared_here),
                ("pods", difference(intersection(out, pods), declared_here)),
                ("node", difference(difference(out, inside), pods)),
            ):
                for first, last in part:
                    yield Piece(axis, low, stop, first, last, stage, "")
