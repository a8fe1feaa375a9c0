"""The deployment with every part running at once: the lab, a real API server, the deployed doors, the responder.

Pods of the agents are objects of the API server with the lab's addresses; a node of the lab is an instance of the
embedded cloud. What the responder changes there, labels and groups, the lab follows as AWS and Kubernetes would.
"""

import base64
import json
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from infra.labels import agent_namespace
from infra.names import Names
from infra.rbac import RESPONDER_GROUP, cluster_roles, tenant_roles
from infra.settings import Settings
from infra.tenancy import accounts, namespaces
from infra.tripwire_table import Sensor
from lambda_responder.inside import Api, api
from sequester.cloud.control_plane import ControlPlane, running, wait_for
from sequester.cloud.executables import find
from sequester.drill.machine import Machine, sandbox_machine
from sequester.embedded_door import EmbeddedDoor, embedded_door
from sequester.eyes.records import SensorRecord
from sequester.lab.deployed import deployed
from sequester.lab.endpoints import ok
from sequester.lab.lab import lab
from sequester.lab.world import World
from sequester.proof.model import Place
from sequester.standing import Standing, settings_of, standing

POD: Final = "agent-1"
_AS: Final = "responder"
_MANAGER: Final = "lab"
_KEPT: Final = "sequester.dev/lab"
"""A finalizer: as on a node, a pod that is deleted is there until the kubelet has stopped it."""
_MERGE: Final = "application/merge-patch+json"

_SEND: Final = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()
    print("connected")
except OSError as error:
    print(error)
"""
_FETCH: Final = """
import sys
from sequester import Door, FetchDeniedError
try:
    print(Door(sys.argv[1]).fetch(sys.argv[2]).status)
except FetchDeniedError as denied:
    print(denied.rule)
"""


@dataclass
class Everything:
    """here: the blueprint in its cloud. world: the same as namespaces. node: the agents' node. doors: by function."""

    here: Standing
    settings: Settings
    world: World
    plane: ControlPlane
    node: str
    responder: Api
    doors: Mapping[str, EmbeddedDoor]

    @property
    def names(self) -> Names:
        return Names.of(self.settings)

    @property
    def tenants(self) -> list[str]:
        return sorted(self.settings.tenants)

    def door(self, tenant: str) -> EmbeddedDoor:
        return self.doors[self.names.door(tenant)]

    def connects(self, place: str, address: str, seconds: float) -> bool:
        """Whether a TCP connection to port 443 opens, from a place of the lab."""
        program = [sys.executable, "-I", "-c", _SEND, address, "443", str(seconds)]
        return self.world.run(place, program, timeout=60).out.strip() == "connected"

    def fetch(self, tenant: str, url: str) -> str:
        """Of an agent's pod that asks its door by Lambda's API: the status, or the rule that denied it."""
        environment = {
            "AWS_CA_BUNDLE": str(self.world.trust), "AWS_DEFAULT_REGION": self.settings.region,
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1", "NO_PROXY": "*", "no_proxy": "*",
            "AWS_ACCESS_KEY_ID": "agent", "AWS_SECRET_ACCESS_KEY": "agent",
        }  # fmt: skip
        program = [sys.executable, "-c", _FETCH, self.names.door(tenant), url]
        ran = self.world.run(agent_namespace(tenant), program, environment=environment, timeout=60)
        return ran.out.strip() or ran.err.strip()[-200:]

    def admit(self, tenant: str) -> None:
        """The lab's pod of a tenant's agent, as an object of the API server; its kubelet reports the lab's address."""
        namespace = agent_namespace(tenant)
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": namespace},
        }
        wait_for(lambda: self.plane.admin.read(account), "the default service account")
        self.plane.admin.apply(_pod(namespace, self.node), manager=_MANAGER)
        status = {"status": {"phase": "Running", "podIP": self.world.place(namespace).addresses[0]}}
        node = self.plane.node(self.node)
        node.request("PATCH", f"{_path(namespace)}/status", status, content_type=_MERGE).or_raise()

    def history(self) -> list[SensorRecord]:
        """The API server's audit log, as EKS sends it: who had which address."""
        return [SensorRecord(Sensor.AUDIT, json.dumps(one.record), time.time()) for one in self.plane.audit()]

    def labels(self, namespace: str) -> dict[str, str]:
        """Those that the tenant's agent has in the API server now."""
        found: Any = self.plane.admin.request("GET", _path(namespace)).or_raise()
        return found["metadata"].get("labels", {})

    def follow_labels(self) -> None:
        """What the policy agents do when the API server tells them of labels."""
        for tenant in self.tenants:
            self.world.label(agent_namespace(tenant), self.labels(agent_namespace(tenant)))

    def machine(self) -> Machine:
        """A sandbox node: in its subnet, with its address and its groups, and a Node of the API server."""
        spot = self.world.place("sandbox-node")
        place = next(filter(_is_sandbox_node, self.world.facts.model.places.values()))
        subnet = next(i.subnet for i in self.world.topology.interfaces.values() if i.space == spot.space)
        made = sandbox_machine(
            self.here.cloud, self.names, SubnetId=subnet, Groups=list(place.groups), PrivateIpAddress=spot.addresses[0]
        )
        self.plane.admin.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": made.name}}, manager=_MANAGER)
        return made

    def follow_groups(self, node: Machine) -> None:
        """What the network does when an interface's groups change: the lab's node has them, too."""
        (found,) = self.here.cloud.client("ec2").describe_network_interfaces(NetworkInterfaceIds=[node.interface])[
            "NetworkInterfaces"
        ]
        groups = tuple(each["GroupId"] for each in found["Groups"])
        model = self.world.facts.model
        places = {
            key: replace(place, groups=groups) if _is_sandbox_node(place) else place
            for key, place in model.places.items()
        }
        self.world.change(replace(self.world.facts, model=replace(model, places=places)))


def _is_sandbox_node(place: Place) -> bool:
    return place.kind == "node group" and place.role == "sandbox"


@contextmanager
def everything(config: Mapping[str, object], progress: Callable[[str], None]) -> Generator[Everything]:
    """All of it, for as long as it is open. config: a stack's. Raises LabError, ApiError, what `standing` raises."""
    settings = settings_of(config)
    names, version, tenants = Names.of(settings), settings.cluster.version, sorted(settings.tenants)
    progress("the whole chain: standing the stack up in the embedded cloud")
    with ExitStack() as open_:
        here = open_.enter_context(standing(config))
        progress("the whole chain: building the lab, and starting an API server")
        world = open_.enter_context(lab(deployed(here)))
        functions = map(names.door, tenants)
        doors = {name: open_.enter_context(embedded_door(here.cloud.client, name)) for name in functions}
        world.services.answers[f"{names.name}-lambda"] = lambda request: _lambda_api(doors, request)
        node = f"ip-{world.place('system-node').addresses[0].replace('.', '-')}.ec2.internal"
        cidr = str(settings.cluster.service_cidr)
        plane = open_.enter_context(running(find, nodes=(node,), service_cidr=cidr))
        plane.admin.apply({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node}}, manager=_MANAGER)
        for tenant in tenants:
            for each in (*namespaces(tenant, version), *accounts(tenant)):
                plane.admin.apply(json.loads(json.dumps(each)), manager=_MANAGER)
        made = Everything(here, settings, world, plane, node, _granted(plane, tenants), doors)
        for tenant in tenants:
            made.admit(tenant)
        made.follow_labels()
        yield made


def _lambda_api(doors: Mapping[str, EmbeddedDoor], request: bytes) -> bytes:
    """Lambda's Invoke (API reference, 2015-03-31) as the doors' functions answer it."""
    head, _, payload = request.partition(b"\r\n\r\n")
    path, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    function = path.split("/functions/")[1].split("/")[0]
    return ok(doors[function].invoke(payload, base64.b64decode(headers["x-amz-client-context"])))


def _granted(plane: ControlPlane, tenants: list[str]) -> Api:
    """The responder's way in: the blueprint's roles, for a service account instead of the group that EKS maps."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": _AS, "namespace": "default"}}
    plane.admin.apply(account, manager=_MANAGER)
    for each in (*cluster_roles(), *(role for tenant in tenants for role in tenant_roles(tenant))):
        mine = json.loads(json.dumps(each))
        for subject in mine.get("subjects", []):
            if subject["name"] == RESPONDER_GROUP:
                subject.clear()
                subject.update(kind="ServiceAccount", name=_AS, namespace="default")
        plane.admin.apply(mine, manager=_MANAGER)
    token = plane.service_account("default", _AS).token or ""
    return api(plane.server, plane.admin.ca_pem, lambda: token)


def _pod(namespace: str, node: str) -> dict[str, Any]:
    """What Pod Security lets in, bound to a node."""
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": namespace, "name": POD, "finalizers": [_KEPT]},
        "spec": {
            "nodeName": node,
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": "code", "image": "registry.example/x@sha256:" + "0" * 64,
                "resources": {key: {"cpu": "100m", "memory": "64Mi"} for key in ("requests", "limits")},
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }],
        },
    }  # fmt: skip


def _path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods/{POD}"
