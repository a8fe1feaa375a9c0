"""The content viewer: what agents made is shown on an origin of its own, where it can reach nothing.

A private bucket behind CloudFront with signed URLs. Documents are sanitised before they are stored
(`sequester.render`); the headers of that package's table are set over whatever is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra.iam import Statement, document
from infra.names import Names
from sequester.render.headers import HEADERS, REMOVED_HEADERS

# AWS's managed cache policy CachingDisabled: what is shown is a secret of its tenant's, and is shown once.
_CACHING_DISABLED: Final = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
_HSTS: Final = "Strict-Transport-Security"
_ORIGIN: Final = "documents"
_KEPT_DAYS: Final = 30


@dataclass
class ViewerArgs:
    """public_key: PEM of the RSA key whose private half signs URLs, kept by whoever shows documents to people.

    writers: ARNs of the roles that store documents: the agents' roles have no place here, nor have sandboxes'.
    """

    names: Names
    public_key: str
    writers: Sequence[str]


def bucket_name(names: Names) -> str:
    return f"{names.name}-viewer-{names.account}-{names.region}"


class Viewer(pulumi.ComponentResource):
    """`distribution` serves what a signed URL names, with our headers, and nothing else."""

    def __init__(self, name: str, args: ViewerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:Viewer", name, None, opts)
        self._own = pulumi.ResourceOptions(parent=self)
        self._names, self._title = args.names, f"{args.names.name}-viewer"
        headers = self._headers()
        store = self._store()
        key = aws.cloudfront.PublicKey(
            self._title, name=self._title, encoded_key=args.public_key, comment="signs viewer URLs", opts=self._own
        )
        group = aws.cloudfront.KeyGroup(self._title, name=self._title, items=[key.id], opts=self._own)
        access = aws.cloudfront.OriginAccessControl(
            self._title,
            name=self._title,
            description="the viewer reads its bucket",
            origin_access_control_origin_type="s3",
            signing_behavior="always",
            signing_protocol="sigv4",
            opts=self._own,
        )
        self.distribution = aws.cloudfront.Distribution(
            self._title,
            enabled=True,
            comment=self._title,
            is_ipv6_enabled=True,
            http_version="http2",
            price_class="PriceClass_100",
            origins=[
                {
                    "origin_id": _ORIGIN,
                    "domain_name": f"{bucket_name(args.names)}.s3.{args.names.region}.amazonaws.com",
                    "origin_access_control_id": access.id,
                }
            ],
            default_cache_behavior={
                "target_origin_id": _ORIGIN,
                "viewer_protocol_policy": "https-only",
                "allowed_methods": ["GET", "HEAD"],
                "cached_methods": ["GET", "HEAD"],
                "cache_policy_id": _CACHING_DISABLED,
                "response_headers_policy_id": headers.id,
                "trusted_key_groups": [group.id],
                "compress": False,
            },
            restrictions={"geo_restriction": {"restriction_type": "none"}},
            viewer_certificate={"cloudfront_default_certificate": True, "minimum_protocol_version": "TLSv1"},
            tags=args.names.tags(self._title),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[store]),
        )
        aws.s3.BucketPolicy(
            self._title,
            bucket=bucket_name(args.names),
            policy=bucket_policy(args.names, args.writers),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[store]),
        )
        self.register_outputs({"domain": self.distribution.domain_name})

    def _headers(self) -> aws.cloudfront.ResponseHeadersPolicy:
        """The whole table, each set over what the bucket answers; HSTS is the one that CloudFront sets by itself."""
        max_age = int(HEADERS[_HSTS].partition("=")[2].partition(";")[0])
        return aws.cloudfront.ResponseHeadersPolicy(
            self._title,
            name=self._title,
            comment="what is shown reaches nothing",
            security_headers_config={
                "content_security_policy": {
                    "content_security_policy": HEADERS["Content-Security-Policy"],
                    "override": True,
                },
                "content_type_options": {"override": True},
                "frame_options": {"frame_option": HEADERS["X-Frame-Options"], "override": True},
                "referrer_policy": {"referrer_policy": HEADERS["Referrer-Policy"], "override": True},
                "strict_transport_security": {
                    "access_control_max_age_sec": max_age,
                    "include_subdomains": True,
                    "override": True,
                },
            },
            custom_headers_config={
                "items": [
                    {"header": name, "value": HEADERS[name], "override": True}
                    for name in HEADERS
                    if name not in _SECURITY_HEADERS
                ]
            },
            remove_headers_config={"items": [{"header": name} for name in REMOVED_HEADERS]},
            opts=self._own,
        )

    def _store(self) -> aws.s3.Bucket:
        bucket = bucket_name(self._names)
        made = aws.s3.Bucket(bucket, bucket=bucket, tags=self._names.tags(bucket), opts=self._own)
        below = pulumi.ResourceOptions(parent=self, depends_on=[made])
        aws.s3.BucketPublicAccessBlock(
            bucket,
            bucket=bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=below,
        )
        aws.s3.BucketLifecycleConfiguration(
            bucket,
            bucket=bucket,
            rules=[{"id": "expire", "status": "Enabled", "filter": {"prefix": ""}, "expiration": {"days": _KEPT_DAYS}}],
            opts=below,
        )
        return made


_SECURITY_HEADERS: Final = frozenset(
    {"Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", _HSTS}
)
"""Those that CloudFront has fields of its own for, and refuses as custom headers."""


def bucket_policy(names: Names, writers: Sequence[str]) -> str:
    """Distributions of ours read; the named roles write; nobody writes otherwise, whatever their own policies say.

    The distribution's id is known only once it is made, and a policy that is not known cannot be proved on a preview.
    """
    arn = f"arn:aws:s3:::{bucket_name(names)}"
    return document(
        Statement(
            "Show",
            actions=("s3:GetObject",),
            resources=(f"{arn}/*",),
            principals={"Service": ("cloudfront.amazonaws.com",)},
            conditions={
                "StringEquals": {"aws:SourceAccount": names.account},
                "ArnLike": {"aws:SourceArn": f"arn:aws:cloudfront::{names.account}:distribution/*"},
            },
        ),
        Statement(
            "OnlyWriters",
            effect="Deny",
            actions=("s3:PutObject", "s3:PutObjectAcl", "s3:DeleteObject"),
            resources=(f"{arn}/*",),
            principals="*",
            conditions={"ArnNotLike": {"aws:PrincipalArn": list(writers) or [f"arn:aws:iam::{names.account}:root"]}},
        ),
        Statement(
            "OverTls",
            effect="Deny",
            actions=("s3:GetObject", "s3:PutObject"),
            resources=(f"{arn}/*",),
            principals="*",
            conditions={"Bool": {"aws:SecureTransport": "false"}},
        ),
    )
