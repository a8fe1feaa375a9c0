"""The AWS API as the kinds use it: one client a service, and errors that say what AWS (or moto) said."""

from dataclasses import dataclass, field
from functools import cache
from threading import RLock
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from sequester.cloud.hooks import Installed

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.model import OperationModel

DEFAULT_ACCOUNT = "123456789012"
"""moto's own default account."""
FAKE_KEY_ID = "embedded"
"""Credentials of no account: neither moto nor the declared-only store looks at them."""


class RefusedError(Exception):
    """AWS, moto, botocore or one of our rules refused a call. `code` is AWS's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}" if code else message)
        self.code = code

    @property
    def gone(self) -> bool:
        """Whether the refusal says that the thing does not exist (any more)."""
        return self.code == "404" or any(
            mark in self.code for mark in ("NotFound", "NoSuch", "NonExist", "DoesNotExist")
        )


HOOKS = Installed(DEFAULT_ACCOUNT)
"""The handlers of this process; whoever opens a cloud gives them its store."""


@cache
def client(service: str, region: str, endpoint: str | None = None) -> "BaseClient":
    """A boto3 client, kept for the life of the process (making one costs a tenth of a second)."""
    HOOKS.install()
    made = _new(service, region, endpoint)
    if endpoint is None:
        made.meta.events.register_first("before-call", _refuse_when_closed)
    return made


def _refuse_when_closed(**_: object) -> None:
    """A client that is kept beyond its cloud must not reach for the real one."""
    if HOOKS.store is None:
        raise RefusedError("Closed", "the embedded cloud that this client belongs to is closed")


def _new(service: str, region: str, endpoint: str | None) -> "BaseClient":
    session = _session()
    return cast("BaseClient", session.client(service, region_name=region, endpoint_url=endpoint))  # pyright: ignore[reportCallIssue, reportUnknownMemberType, reportArgumentType]


@cache
def _session() -> boto3.Session:
    return boto3.Session(aws_access_key_id=FAKE_KEY_ID, aws_secret_access_key=FAKE_KEY_ID)


@dataclass(frozen=True)
class Aws:
    """One account in one region: moto in this process, or `moto_server` behind `endpoint`."""

    account: str
    region: str
    endpoint: str | None = None
    partition: str = "aws"
    lock: RLock = field(default_factory=RLock, compare=False, repr=False)
    """Held while one resource is made or changed: the rules look before they leap, and moto is one process."""

    def keep(self, thing: str, identity: str, **members: object) -> None:
        """Keep members of a thing of moto's that moto drops: `thing` is `service:IdMember` (see `hooks.OVERLAYS`)."""
        if HOOKS.store is not None:
            HOOKS.store.keep(thing, identity, members)

    def client(self, service: str) -> "BaseClient":
        """The client of a service by its boto3 name."""
        return client(service, self.region, self.endpoint)

    def model(self, operation: str) -> "OperationModel":
        """botocore's model of an operation such as `ec2.create_vpc`."""
        service, method = operation.split(".")
        bound = self.client(service)
        return bound.meta.service_model.operation_model(bound.meta.method_to_api_mapping[method])

    def call(self, operation: str, **parameters: object) -> dict[str, Any]:
        """The answer of an operation such as `ec2.create_vpc`; a refusal of any kind is a `RefusedError`."""
        service, method = operation.split(".")
        try:
            answer = getattr(self.client(service), method)(**parameters)
        except ClientError as error:
            said = error.response.get("Error", {})
            raise RefusedError(str(said.get("Code", "")), str(said.get("Message", ""))) from error
        except BotoCoreError as error:
            raise RefusedError(type(error).__name__, " ".join(str(error).split())) from error
        except NotImplementedError as error:
            raise RefusedError("NotImplemented", f"moto has no {operation}: {error}") from error
        return cast(dict[str, Any], answer)
