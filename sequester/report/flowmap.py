"""Where things stand in the picture of all flows: who begins on the left, what answers on the right, a line a flow."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sequester.report.flows import Flow, Quiet

LEFT, WIDTH_LEFT, RIGHT, WIDTH_RIGHT = 24, 290, 476, 440
WIDTH = RIGHT + WIDTH_RIGHT + 24
LINE, PAD, GAP, HEAD = 17, 10, 14, 38
_TITLE_CHARACTERS, _SOURCE_CHARACTERS, _ENTRY_CHARACTERS = 56, 36, 66
"""What fits a box at the sizes of report.css; the table beside the picture has names in full."""


@dataclass(frozen=True)
class Entry:
    """One end of a flow: a line of text in a target's box, at height `y`."""

    text: str
    source: str
    y: float = 0


@dataclass(frozen=True)
class Box:
    """`titles`: one a line. `entries`: the flows that end here. quiet: nothing can be sent from it."""

    x: float
    y: float
    width: float
    height: float
    titles: Sequence[str]
    entries: Sequence[Entry] = ()
    quiet: bool = False


@dataclass(frozen=True)
class Edge:
    """From the right side of a source to an entry of a target."""

    x1: float
    y1: float
    x2: float
    y2: float
    leaves: bool

    @property
    def path(self) -> str:
        """As an SVG path."""
        bend = (self.x2 - self.x1) / 2
        return (
            f"M{self.x1:g} {self.y1:g} C{self.x1 + bend:g} {self.y1:g} {self.x2 - bend:g} {self.y2:g}"
            f" {self.x2:g} {self.y2:g}"
        )


@dataclass(frozen=True)
class Frame:
    """The VPC, or what lies outside of it."""

    title: str
    y: float
    height: float


@dataclass(frozen=True)
class FlowMap:
    """All of it, in units of the SVG's view box."""

    height: float
    frames: Sequence[Frame]
    boxes: Sequence[Box]
    edges: Sequence[Edge]


def flow_map(flows: Sequence[Flow], quiet: Sequence[Quiet]) -> FlowMap:
    """The picture: sources that send least come first; targets with the same flows share a box."""
    inside, outside = [f for f in flows if not f.leaves], [f for f in flows if f.leaves]
    within = _order(dict.fromkeys(f.source for f in flows if not f.outside), flows)
    without = list(dict.fromkeys(f.source for f in flows if f.outside))
    top = HEAD
    sources = [_source(one.source, quiet=True) for one in quiet] + [_source(name) for name in within]
    targets, right_stop = _column(_targets(inside, within), RIGHT, WIDTH_RIGHT, top + HEAD)
    upper, stop = _column(sources, LEFT, WIDTH_LEFT, top + HEAD, right_stop)
    vpc = Frame("VPC", top, max(stop, right_stop) - top)
    below = vpc.y + vpc.height + GAP
    lower, stop = _column([_source(name) for name in without], LEFT, WIDTH_LEFT, below + HEAD)
    beyond, right_stop = _column(_targets(outside, [*within, *without]), RIGHT, WIDTH_RIGHT, below + HEAD)
    out = Frame("outside of the VPC", below, max(stop, right_stop, below + HEAD + GAP) - below)
    starts = dict(zip([*(one.source for one in quiet), *within, *without], (*upper, *lower), strict=True))
    edges = [*_edges(starts, targets, leaves=False), *_edges(starts, beyond, leaves=True)]
    return FlowMap(out.y + out.height + GAP, (vpc, out), (*upper, *targets, *lower, *beyond), edges)


def _order(names: Iterable[str], flows: Sequence[Flow]) -> list[str]:
    return sorted(names, key=lambda name: (sum(f.source == name for f in flows), name))


def _source(name: str, *, quiet: bool = False) -> Box:
    titles = (_short(name, _SOURCE_CHARACTERS), *(("sends nothing, to nobody",) if quiet else ()))
    return Box(0, 0, 0, 2 * PAD + LINE * len(titles), titles, quiet=quiet)


def _targets(flows: Sequence[Flow], order: Sequence[str]) -> list[Box]:
    into: dict[str, tuple[tuple[str, str], ...]] = {}
    for flow in flows:
        into[flow.target] = (*into.get(flow.target, ()), (flow.source, flow.services))
    shared: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for target, those in into.items():
        shared.setdefault(tuple(sorted(those, key=lambda one: order.index(one[0]))), []).append(target)
    boxes: list[Box] = []
    for those in sorted(shared, key=lambda those: sum(order.index(s) for s, _ in those) / len(those)):
        titles = _wrapped(shared[those])
        entries = tuple(
            Entry(_short(f"{services} from {source}", _ENTRY_CHARACTERS), source) for source, services in those
        )
        boxes.append(Box(0, 0, 0, 2 * PAD + LINE * (len(titles) + len(entries)), titles, entries))
    return boxes


def _wrapped(names: Sequence[str]) -> tuple[str, ...]:
    """Names with commas, broken into lines."""
    lines = [""]
    for number, name in enumerate(names):
        word = f"{_short(name, _TITLE_CHARACTERS)}{',' if number < len(names) - 1 else ''}"
        if lines[-1] and len(lines[-1]) + len(word) + 1 > _TITLE_CHARACTERS:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return tuple(lines)


def _short(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def _column(boxes: Sequence[Box], x: float, width: float, y: float, until: float = 0) -> tuple[list[Box], float]:
    """Boxes from `y` down, spread to `until` if that leaves wider gaps; and where the next would begin."""
    gap = max(GAP, (until - y - sum(box.height for box in boxes)) / max(1, len(boxes)))
    placed: list[Box] = []
    for box in boxes:
        first = y + PAD + LINE * len(box.titles)
        entries = tuple(Entry(e.text, e.source, first + LINE * n + LINE * 0.6) for n, e in enumerate(box.entries))
        placed.append(Box(x, y, width, box.height, box.titles, entries, box.quiet))
        y += box.height + gap
    return placed, y


def _edges(starts: Mapping[str, Box], targets: Sequence[Box], *, leaves: bool) -> Iterator[Edge]:
    for box in targets:
        for entry in box.entries:
            start = starts[entry.source]
            yield Edge(start.x + start.width, start.y + start.height / 2, box.x, entry.y - 4, leaves)
