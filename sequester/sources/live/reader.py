"""Calls of one account and region: every list to its end, and a gap by name for whatever is refused or slow."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sequester.proof.model import Gap
from sequester.sources.live.calls import CALLS
from sequester.sources.types import EVERY_CLAIM

Raw: TypeAlias = dict[str, Any]

# Throttling is waited out, but not for ever: what is still refused then is a gap.
_CONFIG = Config(
    retries={"mode": "adaptive", "max_attempts": 8}, connect_timeout=10, read_timeout=30, user_agent_extra="sequester"
)
_MOST_PAGES = 10_000
# What a well-behaved answer never raises while it is read: it is not of the form that botocore describes.
MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError)


@dataclass
class Reader:
    """`progress` is told each call before it is made. Nothing here raises for a refusal."""

    session: boto3.Session
    region: str
    progress: Callable[[str], None] = lambda _: None
    gaps: list[Gap] = field(default_factory=list[Gap])
    made: set[str] = field(default_factory=set[str])
    _clients: dict[str, Any] = field(default_factory=dict[str, Any])

    def each(self, operation: str, **asked: object) -> Iterator[Any]:
        """The things of a list call, all pages. A refusal in the middle ends them, as a gap."""
        try:
            call = CALLS[operation]
            for page in self._pages(operation, asked):
                yield from page.get(call.key, ()) if call.optional else page[call.key]
        except ClientError as error:
            if _code(error) not in CALLS[operation].absent:
                self._refused(operation, error)
        except (BotoCoreError, NotImplementedError, *MALFORMED) as error:
            self._refused(operation, error)

    def one(self, operation: str, **asked: object) -> Raw:
        """What a call answers; empty where there is nothing, or where it was refused (a gap says which)."""
        try:
            answer = cast("Raw", self._method(operation)(**asked))
            key = CALLS[operation].key
            return cast("Raw", answer[key]) if key else answer
        except ClientError as error:
            if _code(error) not in CALLS[operation].absent:
                self._refused(operation, error)
        except (BotoCoreError, NotImplementedError, *MALFORMED) as error:
            self._refused(operation, error)
        return {}

    def pages(self, operation: str, **asked: object) -> Iterator[Raw]:
        """Whole pages, for a call that answers several lists at once."""
        try:
            yield from self._pages(operation, asked)
        except (ClientError, BotoCoreError, NotImplementedError, *MALFORMED) as error:
            self._refused(operation, error)

    def offered(self, service: str) -> bool:
        """Whether the region has the service at all, by botocore's own table. An unknown region has everything."""
        regions = self.session.get_available_regions(service, self._partition)
        return self.region in regions or self.region not in self.session.get_available_regions("ec2", self._partition)

    @cached_property
    def _partition(self) -> str:
        try:
            return self.session.get_partition_for_region(self.region)
        except (BotoCoreError, ClientError):
            return "aws"

    def _pages(self, operation: str, asked: Mapping[str, object]) -> Iterator[Raw]:
        client, method = self._client(operation.split(".")[0]), operation.split(".")[1]
        call = self._method(operation)
        if client.can_paginate(method):
            pages = iter(client.get_paginator(method).paginate(**asked))
            for _ in range(_MOST_PAGES):
                page = next(pages, None)
                if page is None:
                    return
                yield page
            raise ValueError(f"more than {_MOST_PAGES} pages")
        page = cast("Raw", call(**asked))
        if page.get("NextToken") or page.get("nextToken"):
            raise ValueError("the answer goes on, and botocore has no paginator for it")
        yield page

    def _method(self, operation: str) -> Callable[..., Any]:
        service, method = operation.split(".")
        self.made.add(operation)
        self.progress(f"{service} {method.replace('_', ' ')}")
        return cast("Callable[..., Any]", getattr(self._client(service), method))

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            # boto3-stubs type each service by its literal name; here the names are data.
            make = cast("Callable[..., Any]", cast("Any", self.session).client)
            self._clients[service] = make(service, region_name=self.region, config=_CONFIG)
        return self._clients[service]

    def _refused(self, operation: str, error: Exception) -> None:
        said = " ".join(str(error).split())[:200]
        if not isinstance(error, ClientError | BotoCoreError):
            said = f"an answer that cannot be read ({type(error).__name__}: {said})"
        self.gaps.append(Gap(CALLS[operation].claims, f"live: {operation.replace('.', ' ')}: {said}"))

    def unreadable(self, what: str, error: Exception) -> None:
        """A fact that was answered but is not of its form."""
        self.gaps.append(Gap(EVERY_CLAIM, f"live: {what}: cannot be read ({type(error).__name__}: {error})"))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def part(raw: Mapping[str, Any], key: str) -> Raw:
    """A member that is a structure; an absent one is empty."""
    return cast("Raw", raw.get(key) or {})


def parts(raw: Mapping[str, Any], key: str) -> list[Any]:
    """A member that is a list; an absent one is empty."""
    return cast("list[Any]", raw.get(key) or [])


def tags_of(raw: Mapping[str, Any], key: str = "Tags") -> dict[str, str]:
    return {str(t["Key"]): str(t["Value"]) for t in raw.get(key) or ()}


def name_of(raw: Mapping[str, Any], key: str, tags: str = "Tags") -> str:
    """The Name tag, else the id."""
    return tags_of(raw, tags).get("Name") or str(raw[key])
