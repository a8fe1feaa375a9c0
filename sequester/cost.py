"""What a stack costs a month before any traffic: the resources that the program declares, priced from one dated table.

Prices are list prices of us-east-1 in USD, each with the page it was read from. What depends on use (bytes, queries,
requests) is listed with its unit price, and not added up.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from rich.table import Table

HOURS_PER_MONTH = 730


@dataclass(frozen=True, slots=True)
class Price:
    """`usd` for one `unit`; `monthly` is what one unit costs in a month if it is there all the time, else None."""

    item: str
    usd: float
    unit: str
    monthly: float | None
    source: str
    read: str


def _hourly(item: str, usd: float, unit: str, source: str, read: str) -> Price:
    return Price(item, usd, unit, usd * HOURS_PER_MONTH, source, read)


PRICES: Mapping[str, Price] = {
    "endpoint": _hourly(
        "interface endpoint, per availability zone", 0.01, "hour", "aws.amazon.com/privatelink/pricing", "2026-05"
    ),
    "cluster": _hourly("EKS control plane (standard support)", 0.10, "hour", "aws.amazon.com/eks/pricing", "2026-06"),
    "m7i.large": _hourly("node m7i.large, on demand", 0.1008, "hour", "aws.amazon.com/ec2/pricing/on-demand", "2026"),
    "key": Price("KMS key", 1.0, "month", 1.0, "aws.amazon.com/kms/pricing", "2019-10"),
    "secret": Price(
        "Secrets Manager secret", 0.40, "month", 0.40, "aws.amazon.com/secrets-manager/pricing", "2026-09-20"
    ),
    "domain": Price(
        "DNS Firewall domain name", 0.0005, "month", 0.0005, "aws.amazon.com/route53/pricing", "2026-09-20"
    ),
    "dashboard": Price("CloudWatch dashboard", 3.0, "month", 3.0, "aws.amazon.com/cloudwatch/pricing", "2026-06"),
}

BY_USE: tuple[Price, ...] = (
    Price("data through interface endpoints", 0.01, "GB", None, "aws.amazon.com/privatelink/pricing", "2026-05"),
    Price("log ingestion", 0.50, "GB", None, "aws.amazon.com/cloudwatch/pricing", "2026-06"),
    Price("DNS Firewall queries", 0.60, "million", None, "aws.amazon.com/route53/pricing", "2026-09-20"),
    Price("Secrets Manager calls", 0.05, "10,000", None, "aws.amazon.com/secrets-manager/pricing", "2026-09-20"),
)

Inputs = Mapping[str, object]
"""A resource's inputs as the engine sees them: camelCase keys, plain values."""


def _length(inputs: Inputs, key: str) -> int:
    value = inputs.get(key)
    return len(cast("list[object]", value)) if isinstance(value, list) else 0


def _zones(inputs: Inputs) -> tuple[str, int]:
    if inputs.get("vpcEndpointType") != "Interface":
        return "endpoint", 0  # gateway endpoints cost nothing
    return "endpoint", max(_length(inputs, "subnetIds"), _length(inputs, "subnetConfigurations"))


def _nodes(inputs: Inputs) -> tuple[str, int]:
    """A group's desired nodes, at the price of its (first) instance type."""
    scaling = inputs.get("scalingConfig")
    desired = cast("Mapping[str, object]", scaling).get("desiredSize", 0) if isinstance(scaling, Mapping) else 0
    types = inputs.get("instanceTypes")
    instance = str(cast("list[object]", types)[0]) if isinstance(types, list) and types else "node"
    return instance, int(desired) if isinstance(desired, int | float) else 0


def _one(price: str) -> Callable[[Inputs], tuple[str, int]]:
    return lambda _: (price, 1)


COUNTS: Mapping[str, Callable[[Inputs], tuple[str, int]]] = {
    "aws:ec2/vpcEndpoint:VpcEndpoint": _zones,
    "aws:eks/cluster:Cluster": _one("cluster"),
    "aws:eks/nodeGroup:NodeGroup": _nodes,
    "aws:kms/key:Key": _one("key"),
    "aws:secretsmanager/secret:Secret": _one("secret"),
    "aws:route53/resolverFirewallDomainList:ResolverFirewallDomainList": lambda i: ("domain", _length(i, "domains")),
    "aws:cloudwatch/dashboard:Dashboard": _one("dashboard"),
}
"""Resource type → (which price, how many units) of one resource of it."""


def _price(key: str) -> Price:
    return PRICES.get(key) or Price(f"{key}: not in the table of prices, not added up", 0.0, "hour", None, "–", "–")


@dataclass(frozen=True, slots=True)
class Line:
    """`count` units of `price`; `monthly` in USD."""

    price: Price
    count: int

    @property
    def monthly(self) -> float:
        return self.count * (self.price.monthly or 0.0)


def estimate(resources: Iterable[tuple[str, Inputs]]) -> list[Line]:
    """The standing cost of `(type, inputs)` pairs, dearest first; types without a standing price are left out."""
    counts: Counter[str] = Counter()
    for type_, inputs in resources:
        if type_ in COUNTS:
            price, units = COUNTS[type_](inputs)
            counts[price] += units
    lines = [Line(_price(price), count) for price, count in counts.items() if count]
    return sorted(lines, key=lambda line: -line.monthly)


def table(lines: Iterable[Line]) -> Table:
    """The same for a terminal."""
    priced = list(lines)
    shown = Table(title="Standing cost, us-east-1, list prices", title_justify="left", show_footer=True)
    shown.add_column("what", footer="a month")
    shown.add_column("how many", justify="right")
    shown.add_column("USD each", justify="right")
    shown.add_column("USD a month", justify="right", footer=f"{sum(line.monthly for line in priced):.2f}")
    shown.add_column("price read", justify="right")
    for line in priced:
        price = line.price
        shown.add_row(price.item, str(line.count), f"{price.usd:g} / {price.unit}", f"{line.monthly:.2f}", price.read)
    for price in BY_USE:
        shown.add_row(price.item, "by use", f"{price.usd:g} / {price.unit}", "", price.read, style="dim")
    return shown


def markdown(lines: Iterable[Line]) -> str:
    """The README's table."""
    priced = list(lines)
    out = [
        "| what | how many | USD each | USD a month | price from | read |",
        "|---|---:|---:|---:|---|---|",
    ]
    for line in priced:
        price = line.price
        out.append(
            f"| {price.item} | {line.count} | {price.usd:g} / {price.unit} | {line.monthly:.2f} "
            f"| {price.source} | {price.read} |"
        )
    out.append(f"| **standing, us-east-1** | | | **{sum(line.monthly for line in priced):.2f}** | | |")
    out += [
        f"| {price.item} | by use | {price.usd:g} / {price.unit} | | {price.source} | {price.read} |"
        for price in BY_USE
    ]
    return "\n".join(out)
