"""The deployed alarms see what a real sandbox's supervisor reports of real attempts, and nothing in ordinary work."""

from collections.abc import Iterator
from dataclasses import asdict

import pytest
from deployed import Deployed, deployed
from sensor_records import CONTAINERS

from sequester import IsolatedExecutor
from sequester.eyes.records import shipped

pytestmark = pytest.mark.lane("kernel", "root", "bwrap")

ATTEMPTS = (
    ("import socket; socket.create_connection(('192.0.2.1', 443), 1)", "network-call-research"),
    ("import socket; socket.getaddrinfo('secret.example.com', 443)", "network-call-research"),
    ("import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)", "network-call-research"),
    ("import ctypes; ctypes.CDLL(None).unshare(0x10000000)", "kernel-call-research"),
    ("import ctypes; ctypes.CDLL(None).ptrace(0, 0, 0, 0)", "kernel-call-research"),
)
WORK = (
    "result = sum(range(10))",
    "import json, math, tempfile\nwith tempfile.TemporaryFile() as f:\n    f.write(b'x')\nresult = math.pi",
)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Deployed]:
    with deployed() as found:
        yield found


@pytest.fixture(scope="module")
def executor() -> Iterator[IsolatedExecutor]:
    with IsolatedExecutor.local() as made:
        yield made


def records(executor: IsolatedExecutor, code: str) -> list[str]:
    return [
        shipped({"sequester": 1, **asdict(event)}, namespace="research-sandbox", pod="run-1")
        for event in executor.run_untrusted_code(code).events
    ]


@pytest.mark.parametrize(("code", "alarm"), ATTEMPTS)
def test_an_attempt_in_a_sandbox_sets_its_alarm_off(
    cloud: Deployed, executor: IsolatedExecutor, code: str, alarm: str
) -> None:
    assert alarm in cloud.fired(CONTAINERS, records(executor, code))


@pytest.mark.parametrize("code", WORK)
def test_ordinary_code_sets_nothing_off(cloud: Deployed, executor: IsolatedExecutor, code: str) -> None:
    assert cloud.fired(CONTAINERS, records(executor, code)) == set()
