"""CloudFront serves the header table of the renderer, only signed URLs, and only what the named roles stored."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from deployed import NAMES

from infra.viewer import Viewer, ViewerArgs, bucket_name
from sequester.cloud import EmbeddedCloud, Recorded
from sequester.render import HEADERS, REMOVED_HEADERS, document, embed


@dataclass(frozen=True)
class Deployed:
    """The cloud, and what the program made in it by type."""

    cloud: EmbeddedCloud
    made: dict[str, Recorded]


WRITER = NAMES.role_arn("show")


@pytest.fixture(scope="module")
def cloud() -> Iterator[Deployed]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with EmbeddedCloud() as made:
        run = made.up(lambda: Viewer("sequester", ViewerArgs(NAMES, pem, [WRITER])) and None)
        yield Deployed(made, {resource.type.rpartition(":")[2]: resource for resource in run.resources})


def headers_policy(cloud: Deployed) -> dict[str, Any]:
    answer = cloud.cloud.client("cloudfront").get_response_headers_policy(Id=cloud.made["ResponseHeadersPolicy"].id)
    return answer["ResponseHeadersPolicy"]["ResponseHeadersPolicyConfig"]


def test_the_whole_table_is_set_over_what_is_stored(cloud: Deployed) -> None:
    config = headers_policy(cloud)
    security = config["SecurityHeadersConfig"]
    custom = config["CustomHeadersConfig"]["Items"]
    hsts = security["StrictTransportSecurity"]
    assert {
        "Content-Security-Policy": security["ContentSecurityPolicy"]["ContentSecurityPolicy"],
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": security["FrameOptions"]["FrameOption"],
        "Referrer-Policy": security["ReferrerPolicy"]["ReferrerPolicy"],
        "Strict-Transport-Security": f"max-age={hsts['AccessControlMaxAgeSec']}; includeSubDomains",
        **{each["Header"]: each["Value"] for each in custom},
    } == dict(HEADERS)
    assert all(each["Override"] for each in [*security.values(), *custom])
    assert {each["Header"] for each in config["RemoveHeadersConfig"]["Items"]} == set(REMOVED_HEADERS)


def test_the_table_is_within_cloudfronts_limits() -> None:
    assert len(REMOVED_HEADERS) <= 10
    assert len([name for name in HEADERS if name.startswith(("Cross", "Perm", "Conn", "Orig", "Cache", "X-DNS"))]) <= 10
    assert sum(len(name) + len(value) for name, value in HEADERS.items()) < 10_240


def test_only_signed_urls_over_https_and_nothing_kept(cloud: Deployed) -> None:
    [summary] = cloud.cloud.client("cloudfront").list_distributions()["DistributionList"]["Items"]
    config = cloud.cloud.client("cloudfront").get_distribution_config(Id=summary["Id"])["DistributionConfig"]
    behaviour = config["DefaultCacheBehavior"]
    assert behaviour["TrustedKeyGroups"]["Enabled"]
    assert behaviour["TrustedKeyGroups"]["Quantity"] == 1
    assert behaviour["ViewerProtocolPolicy"] == "https-only"
    assert sorted(behaviour["AllowedMethods"]["Items"]) == ["GET", "HEAD"]
    [origin] = cast(Any, cloud.made["Distribution"].inputs["origins"])  # moto keeps no access control of an origin
    assert origin["originAccessControlId"] == cloud.made["OriginAccessControl"].id


def test_nobody_but_the_named_roles_stores(cloud: Deployed) -> None:
    policy = json.loads(cloud.cloud.client("s3").get_bucket_policy(Bucket=bucket_name(NAMES))["Policy"])
    statements = {statement["Sid"]: statement for statement in policy["Statement"]}
    assert statements["OnlyWriters"]["Effect"] == "Deny"
    assert statements["OnlyWriters"]["Condition"] == {"ArnNotLike": {"aws:PrincipalArn": [WRITER]}}
    assert statements["Show"]["Condition"]["StringEquals"] == {"aws:SourceAccount": NAMES.account}
    assert statements["Show"]["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    block = cloud.cloud.client("s3").get_public_access_block(Bucket=bucket_name(NAMES))[
        "PublicAccessBlockConfiguration"
    ]
    assert all(block.values())


@pytest.mark.parametrize(
    "media_type", ["application/pdf", "application/xhtml+xml", "text/xml", "image/png", "", "text/htm"]
)
def test_what_is_not_known_is_a_download(media_type: str) -> None:
    stored = document(b"<script>", media_type)
    assert (stored.content_type, stored.disposition) == ("application/octet-stream", "attachment")
    with pytest.raises(ValueError, match="not shown inline; offer document"):
        embed(b"<script>", media_type)


def test_what_is_too_large_to_show_is_a_download() -> None:
    assert document(b"x" * (5 * 1024 * 1024 + 1), "text/plain").disposition == "attachment"


def test_the_charset_is_ours_whatever_the_content_says() -> None:
    stored = document(b"\x1b$B<script>", "text/html; charset=iso-2022-jp")
    assert stored.content_type == "text/html; charset=utf-8"
    assert b"<script" not in stored.body
