"""Who stores documents in the viewer, and whose signature opens them."""

import base64
import binascii
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from infra.settings.values import RoleArn

_BEGIN, _END = "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"
_RSA_2048_BYTES: Final = 294
_EC_P256_BYTES: Final = 91
"""Lengths of a SubjectPublicKeyInfo of the two kinds that CloudFront takes.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-trusted-signers.html
"""


def _public_key(value: str) -> str:
    """The value is never quoted: whoever pastes the wrong half would find it in a log."""
    mend = "write the public half, from `openssl rsa -in signer.pem -pubout`"
    if "PRIVATE KEY" in value:
        raise ValueError(f"this is a private key: {mend}, and treat this one as known to others")
    body = value.strip()
    if not body.startswith(_BEGIN) or not body.endswith(_END):
        raise ValueError(f"no PEM public key: {mend}")
    try:
        size = len(base64.b64decode("".join(body[len(_BEGIN) : -len(_END)].split()), validate=True))
    except binascii.Error:
        raise ValueError(f"no PEM public key: {mend}") from None
    if size not in (_RSA_2048_BYTES, _EC_P256_BYTES):
        raise ValueError(f"a key of {size} bytes: CloudFront takes RSA of 2048 bits or ECDSA on P-256")
    return body + "\n"


class ViewerSettings(BaseModel):
    """`sequester:viewer`. Left out there is none: without a signer and a writer there is nothing to show."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    public_key: Annotated[str, AfterValidator(_public_key)]
    """PEM; its private half signs URLs, and stays with whoever shows documents to people."""
    writers: tuple[RoleArn, ...] = Field(min_length=1)
    """Roles that store documents. Never an agent's or a node's: what they make is sanitised by somebody else."""
