"""A model from a live account, by describe, list and get calls: the same facts, in the form of a program's.

Every list is read to its end. A call that is refused becomes a gap: what was not read is Unknown, never closed.
"""

from collections.abc import Callable, Iterable, Mapping

import boto3

from sequester.proof.model import Gap, Model
from sequester.proof.selector import Selector
from sequester.sources.live import access, cluster, hosts, names, network, stores, watching
from sequester.sources.live.calls import rights
from sequester.sources.live.reader import Reader
from sequester.sources.resource import Resource
from sequester.sources.selection import chosen_subnets
from sequester.sources.stack import model_of
from sequester.sources.types import EVERY_CLAIM

__all__ = ["live_model", "live_resources", "rights"]


def live_model(
    selector: Selector | None = None,
    *,
    region: str,
    session: boto3.Session | None = None,
    manifests: Iterable[Mapping[str, object]] = (),
    gaps: Iterable[Gap] = (),
    progress: Callable[[str], None] = lambda _: None,
) -> Model:
    """Needs the read rights of `rights()` only. Never raises for a refused call, nor for an odd answer.

    `manifests` and `gaps` are what the cluster's API server said (`live.api_server`): AWS does not know it.
    """
    reader = Reader(session or boto3.Session(region_name=region), region, progress)
    account = str(reader.one("sts.get_caller_identity").get("Account") or "")
    found = live_resources(reader, selector or Selector()) if account else []
    return model_of(
        found, selector, account=account, region=region, manifests=manifests, gaps=(*reader.gaps, *gaps),
        assumptions=(f"what account {account} answered is what is there, and nothing changed while it was read",),
    )  # fmt: skip


def live_resources(reader: Reader, selector: Selector) -> list[Resource]:
    """Everything that the claims ask about, of one account and region."""
    found = list(network.read(reader))
    found += hosts.read(reader, chosen_subnets(found, selector))
    found += names.read(reader)
    found += cluster.read(reader)
    found += access.read(reader, selector)
    found += stores.read(reader)
    found += watching.read(reader)
    return _unique(found)


def _unique(found: Iterable[Resource]) -> list[Resource]:
    """One of each: node groups that share a template's version bring it twice."""
    return list({(one.type, one.id): one for one in found}.values())


def no_cluster() -> Gap:
    """What is missing where no API server was asked."""
    return Gap(EVERY_CLAIM - {"E2", "E3", "E7"}, "live: no API server was asked: name its kubeconfig")
