"""The network as a picture: Mermaid for READMEs, SVG for browsers and print; drawn from what was read back."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as Xml


@dataclass(frozen=True, slots=True)
class Box:
    """One subnet: `tier` is its row, `zone` its column."""

    tier: str
    zone: str
    cidr: str


@dataclass(frozen=True, slots=True)
class Network:
    """What is drawn. `doors` lie outside the VPC; `ways_out` are gateways and the like, none in a sealed network."""

    cidr: str
    boxes: Sequence[Box]
    endpoints: Sequence[str]
    doors: Sequence[str] = ()
    ways_out: Sequence[str] = ()

    @property
    def tiers(self) -> list[str]:
        """Rows, in the order in which they were given."""
        return list(dict.fromkeys(box.tier for box in self.boxes))

    @property
    def zones(self) -> list[str]:
        """Columns, sorted."""
        return sorted({box.zone for box in self.boxes})


def mermaid(network: Network) -> str:
    """A Mermaid flowchart."""
    out = ["flowchart LR", f'  subgraph vpc["VPC {network.cidr}"]']
    for zone in network.zones:
        out.append(f'    subgraph {_id(zone)}["{zone}"]')
        out += [
            f'      {_id(box.tier, box.zone)}["{box.tier}<br/>{box.cidr}"]' for box in network.boxes if box.zone == zone
        ]
        out.append("    end")
    out.append(f'    endpoints["endpoints, one policy each<br/>{"<br/>".join(network.endpoints)}"]')
    out.append("  end")
    for door in network.doors:
        out.append(f'  {_id("door", door)}(["{door}"])')
        out.append(f'  endpoints -- "lambda:InvokeFunction" --> {_id("door", door)}')
        out.append(f'  {_id("door", door)} --> allowed(["allowlisted hosts"])')
    for number, way in enumerate(network.ways_out):
        out.append(f'  way{number}{{{{"{way}"}}}}:::out')
        out.append(f"  vpc ==> way{number}")
    if network.ways_out:
        out.append("  classDef out fill:#fde8e8,stroke:#b91c1c,color:#7f1d1d")
    return "\n".join(out) + "\n"


def _id(*parts: str) -> str:
    return "_".join("".join(c if c.isalnum() else "_" for c in part) for part in parts)


_CELL_WIDTH, _CELL_HEIGHT, _GAP, _HEAD = 190, 54, 14, 44
_INK, _FAINT, _PAPER, _ALARM = "#1f2937", "#6b7280", "#ffffff", "#b91c1c"
_TIER_FILL = {"sandbox": "#fff4e5", "system": "#e8f1ff", "endpoint": "#eaf7ee", "control": "#f3f0fb"}


def svg(network: Network) -> str:
    """A self-contained SVG without scripts or fonts of its own."""
    zones, tiers = network.zones, network.tiers
    vpc_width = len(zones) * (_CELL_WIDTH + _GAP) + _GAP
    listing = [*network.endpoints]
    rows_height = len(tiers) * (_CELL_HEIGHT + _GAP)
    vpc_height = _HEAD + 24 + rows_height + _GAP + 20 + 18 * ((len(listing) + 2) // 3)
    outside = [*network.doors, *network.ways_out]
    width = vpc_width + 40 + (240 if outside else 0)
    height = max(vpc_height, _HEAD + 60 * len(outside)) + 40
    root = Xml.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width} {height}",
            "width": str(width),
            "height": str(height),
            "font-family": "system-ui, sans-serif",
            "font-size": "13",
            "role": "img",
            "aria-label": f"Network {network.cidr}: {len(network.boxes)} subnets, {len(network.ways_out)} ways out",
        },
    )
    _rect(root, (0, 0, width, height), _PAPER, None)
    _rect(root, (20, 20, vpc_width, vpc_height), "#fafafa", _INK)
    _text(root, 20 + _GAP, 46, f"VPC {network.cidr}", weight="600")
    for column, zone in enumerate(zones):
        x = 20 + _GAP + column * (_CELL_WIDTH + _GAP)
        _text(root, x, 20 + _HEAD + 8, zone, fill=_FAINT)
        for row, tier in enumerate(tiers):
            box = next((b for b in network.boxes if (b.tier, b.zone) == (tier, zone)), None)
            if box is None:
                continue
            y = 20 + _HEAD + 18 + row * (_CELL_HEIGHT + _GAP)
            _rect(root, (x, y, _CELL_WIDTH, _CELL_HEIGHT), _TIER_FILL.get(tier, "#f5f5f5"), _FAINT)
            _text(root, x + 10, y + 22, tier, weight="600")
            _text(root, x + 10, y + 41, box.cidr, fill=_FAINT)
    y = 20 + _HEAD + 18 + rows_height + 16
    _text(root, 20 + _GAP, y, "endpoints, one policy each", weight="600")
    for index, name in enumerate(listing):
        _text(root, 20 + _GAP + (index % 3) * (vpc_width / 3), y + 18 * (index // 3 + 1), name, fill=_FAINT)
    for index, name in enumerate(outside):
        alarm = index >= len(network.doors)
        x, top = 20 + vpc_width + 40, 40 + index * 60
        _rect(root, (x, top, 200, 44), "#fde8e8" if alarm else "#eaf7ee", _ALARM if alarm else _FAINT)
        _text(root, x + 10, top + 27, name, fill=_ALARM if alarm else _INK)
        arrow = {"x1": str(x - 38), "x2": str(x - 2), "y1": str(top + 22), "y2": str(top + 22)}
        Xml.SubElement(root, "line", arrow | {"stroke": _ALARM if alarm else _INK, "stroke-width": "2"})
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode") + "\n"


def _rect(parent: Xml.Element, at: tuple[float, float, float, float], fill: str, stroke: str | None) -> None:
    x, y, width, height = (f"{value:g}" for value in at)
    attributes = {"x": x, "y": y, "width": width, "height": height, "rx": "8", "fill": fill}
    Xml.SubElement(parent, "rect", attributes | ({"stroke": stroke} if stroke else {}))


def _text(parent: Xml.Element, x: float, y: float, said: str, *, fill: str = _INK, weight: str = "400") -> None:
    attributes = {"x": f"{x:g}", "y": f"{y:g}", "fill": fill, "font-weight": weight}
    Xml.SubElement(parent, "text", attributes).text = said
