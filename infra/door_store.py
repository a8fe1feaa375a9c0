"""What the doors keep: audit records, budgets and heads of chains, configurations, and the keys to them (E7)."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.iam import Statement, document
from infra.names import Names
from infra.settings.door import DoorSettings

KEY_DELETION_DAYS = 30


def audit_bucket(names: Names) -> str:
    """The bucket of audit records; an S3 name is unique in the world, so it holds the account."""
    return f"{names.name}-door-audit-{names.account}-{names.region}"


def config_bucket(names: Names) -> str:
    """The bucket of tenants' configurations."""
    return f"{names.name}-door-config-{names.account}-{names.region}"


def table(names: Names) -> str:
    """The table of budgets, kill switches and chain heads; its partition key is the tenant."""
    return f"{names.name}-door"


def config_key(tenant: str) -> str:
    """Where a tenant's configuration lies in the bucket."""
    return f"{tenant}.json"


@dataclass(frozen=True)
class DoorStoreArgs:
    """How `DoorStore` is made."""

    names: Names
    settings: DoorSettings


class DoorStore(pulumi.ComponentResource):
    """Buckets, table and keys that all doors share; each door's role reaches only its own prefix and partition."""

    def __init__(self, name: str, args: DoorStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:DoorStore", name, None, opts)
        self._own = pulumi.ResourceOptions(parent=self)
        self._names, self._settings = args.names, args.settings
        self.key = self._key(f"{name}-door", "what doors keep", signing=False)
        self.signing_key = self._key(f"{name}-door-head", "heads of audit chains", signing=True)
        self.audit = self._bucket(audit_bucket(args.names), locked=True)
        self.config = self._bucket(config_bucket(args.names), locked=False)
        self.table = aws.dynamodb.Table(
            table(args.names),
            name=table(args.names),
            billing_mode="PAY_PER_REQUEST",
            hash_key="tenant",
            range_key="item",
            attributes=[{"name": "tenant", "type": "S"}, {"name": "item", "type": "S"}],
            ttl={"attribute_name": "expires", "enabled": True},
            point_in_time_recovery={"enabled": True},
            server_side_encryption={"enabled": True, "kms_key_arn": self.key.arn},
            deletion_protection_enabled=args.settings.deletion_protection,
            tags=args.names.tags(table(args.names)),
            opts=self._own,
        )
        self.register_outputs({})

    def _key(self, title: str, what: str, *, signing: bool) -> aws.kms.Key:
        key = aws.kms.Key(
            title,
            description=f"Sequester: {what}",
            policy=document(
                Statement(
                    "AccountDecides",
                    actions=("kms:*",),
                    resources=("*",),
                    principals={"AWS": (f"arn:aws:iam::{self._names.account}:root",)},
                    wildcard="a key policy speaks of its own key only; without this the key cannot be administered",
                )
            ),
            key_usage="SIGN_VERIFY" if signing else "ENCRYPT_DECRYPT",
            customer_master_key_spec="ECC_NIST_P256" if signing else "SYMMETRIC_DEFAULT",
            enable_key_rotation=not signing,  # KMS rotates symmetric keys only
            deletion_window_in_days=KEY_DELETION_DAYS,
            tags=self._names.tags(title),
            opts=self._own,
        )
        aws.kms.Alias(title, name=f"alias/{title}", target_key_id=key.key_id, opts=self._own)
        return key

    def _bucket(self, title: str, *, locked: bool) -> aws.s3.Bucket:
        bucket = aws.s3.Bucket(
            title,
            bucket=title,
            object_lock_enabled=locked,
            # `pulumi destroy` takes old versions of configurations with it; records stop it, as they should.
            force_destroy=not locked,
            tags=self._names.tags(title),
            opts=self._own,
        )
        versioning = aws.s3.BucketVersioning(
            title, bucket=bucket.id, versioning_configuration={"status": "Enabled"}, opts=self._own
        )
        aws.s3.BucketPublicAccessBlock(
            title,
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._own,
        )
        aws.s3.BucketOwnershipControls(
            title, bucket=bucket.id, rule={"object_ownership": "BucketOwnerEnforced"}, opts=self._own
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            title,
            bucket=bucket.id,
            rules=[
                {
                    "apply_server_side_encryption_by_default": {
                        "sse_algorithm": "aws:kms",
                        "kms_master_key_id": self.key.arn,
                    },
                    "bucket_key_enabled": True,
                }
            ],
            opts=self._own,
        )
        aws.s3.BucketPolicy(title, bucket=bucket.id, policy=bucket_policy(title, locked=locked), opts=self._own)
        if locked:
            aws.s3.BucketObjectLockConfiguration(
                title,
                bucket=bucket.id,
                rule={
                    "default_retention": {
                        "mode": self._settings.audit_mode,
                        "days": self._settings.audit_retention_days,
                    }
                },
                opts=pulumi.ResourceOptions(parent=self, depends_on=[versioning]),
            )
        return bucket


def bucket_policy(bucket: str, *, locked: bool) -> str:
    """TLS only; and of audit records: written once, never deleted, no lock lifted.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
    """
    objects = f"arn:aws:s3:::{bucket}/*"
    statements = [
        Statement(
            "TlsOnly",
            effect="Deny",
            principals="*",
            actions=("s3:*",),
            resources=(f"arn:aws:s3:::{bucket}", objects),
            conditions={"Bool": {"aws:SecureTransport": "false"}},
        )
    ]
    if locked:
        statements += [
            Statement(
                "WrittenOnce",
                effect="Deny",
                principals="*",
                actions=("s3:PutObject",),
                resources=(objects,),
                conditions={"Null": {"s3:if-none-match": "true"}},
            ),
            Statement(
                "NeverDeleted",  # Object Lock does not keep anyone from putting a delete marker
                effect="Deny",
                principals="*",
                actions=(
                    *("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"),
                    *("s3:PutObjectLegalHold", "s3:PutObjectRetention"),
                ),
                resources=(objects,),
            ),
        ]
    return document(*statements)
