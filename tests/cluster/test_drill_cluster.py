"""The drill in a tenant's sandbox namespace: real API server, real Jobs, the test kubelet's sandboxes as pods."""

from types import SimpleNamespace
from typing import Any

import pytest
from test_sandbox_kubernetes import (
    TENANT,
    api,
    backend,
    cluster,
    left,
    plane,
    until,
)

from sequester.cloud import control_plane as planes
from sequester.cloud.control_plane import ControlPlane
from sequester.drill.cluster import BadSinkError, InCluster, NamedSink
from sequester.drill.outcome import Target, Technique
from sequester.drill.table import BY_ID
from sequester.sandbox.cluster_api import ClusterApi

pytestmark = [
    pytest.mark.lane("cluster", *planes.EXECUTABLES, "bwrap", "root"),
    pytest.mark.xdist_group("sandbox-cluster"),
]

TRIED = (
    "direct-tcp-v4",
    "direct-udp-v6",
    "dns-query-by-libc",
    "metadata-version-1",
    "host-io-uring",
    "host-the-hosts-files",
)
FIXTURES = (api, cluster, plane)


def test_programs_are_stopped_and_recorded_in_pods(api: ClusterApi, plane: ControlPlane) -> None:
    techniques: list[Technique] = [BY_ID[name] for name in TRIED]
    assert all(Target.CLUSTER in technique.targets for technique in techniques)
    eyes: Any = SimpleNamespace()  # who counts the records is asked elsewhere
    heard: list[str] = []
    with backend(api) as executor:
        ground = InCluster(eyes, executor, NamedSink.read("192.0.2.7:8080"), TENANT)
        found = {one.technique: one for one in ground.hold(techniques, lambda one: heard.append(one.technique))}
    assert heard == list(TRIED)
    for technique in techniques:
        attempt = found[technique.id]
        assert not attempt.reached
        assert attempt.stopped_by == technique.control, attempt
        assert attempt.baseline
        assert attempt.baseline.arrived
        assert bool(attempt.seconds) == (technique.tripwire != "none")
    assert "192.0.2.7 port 8080" in found["direct-tcp-v4"].evidence[0]
    until(lambda: left(plane) == [], "nothing is left")


@pytest.mark.parametrize("text", ["", "example.com:80", "192.0.2.7", "192.0.2.7:x"])
def test_a_sink_is_an_address_and_a_port(text: str) -> None:
    with pytest.raises(BadSinkError, match="--sink"):
        NamedSink.read(text)
