"""The door's lanes: moto in this process, one TLS upstream, and a tenant of its own for each test."""

import itertools
import os
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

sys.path.insert(0, str(Path(__file__).parent))

import door_lane

from lambda_proxy.handler import Clients
from sequester.loopback import Upstream, trusting

_tenants = itertools.count()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def shared_upstream(authority: trustme.CA) -> Iterator[Upstream]:
    names = ["*.example.test", "*.wild.example.test", "127.0.0.1"]
    with Upstream(authority, names) as upstream:
        yield upstream


@pytest.fixture(autouse=True)
def as_new(shared_upstream: Upstream) -> None:
    """Whatever another test had it answer."""
    shared_upstream.reset()


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    """AWS as moto has it, in this process; one for a file, since what stays open is open under the next one."""
    with mock_aws():
        made = Clients(door_lane.session())
        door_lane.make_stores(made)
        yield made


@pytest.fixture(scope="session")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    return trusting(authority)


@pytest.fixture
def lane(clients: Clients, shared_upstream: Upstream, tls: ssl.SSLContext) -> door_lane.Lane:
    tenant = f"tenant-{os.getpid()}-{next(_tenants)}"
    return door_lane.Lane(tenant, clients, shared_upstream, tls)


@pytest.fixture
def endless_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    door_lane.no_window_ends(monkeypatch)


@pytest.fixture
def moto_lock(monkeypatch: pytest.MonkeyPatch) -> threading.Lock:
    """moto's conditional writes are not atomic under threads, AWS's are: one call at a time, each in any order."""
    lock = threading.Lock()
    plain = BotocoreStubber.__call__

    def one_at_a_time(self: BotocoreStubber, *args: object, **kwargs: object) -> object:
        with lock:
            return plain(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(BotocoreStubber, "__call__", one_at_a_time)
    return lock
