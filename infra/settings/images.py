"""Container images named so that nobody can change what they mean: a repository and a digest."""

import re
from typing import Annotated

from pydantic import AfterValidator

_IMAGE = re.compile(
    r"(?P<repository>[a-z0-9.-]+(?::\d+)?(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)+)@sha256:(?P<digest>[0-9a-f]{64})\Z"
)


def _pinned(image: str) -> str:
    if not _IMAGE.match(image):
        raise ValueError(
            f"{image!r} is not pinned: write <registry>/<repository>@sha256:<64 hex digits>, without a tag"
            " (`skopeo inspect --format '{{.Digest}}'` prints the digest)"
        )
    return image


ImageDigest = Annotated[str, AfterValidator(_pinned)]


def repository(image: str) -> str:
    """`<registry>/<repository>` of a pinned image."""
    return image.partition("@")[0]
