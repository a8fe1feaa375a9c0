"""Any part of a real export or manifest, replaced by junk: a verdict comes back, and no proof of what was not read."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from proof_world import World

from sequester.marks import UNKNOWN
from sequester.proof.facts import BadFactError
from sequester.proof.model import CLAIMS
from sequester.proof.prove import prove
from sequester.proof.verdict import Proved, Unknown
from sequester.sources.manifests import manifest_model
from sequester.sources.plan import read as read_plan
from sequester.sources.preview import preview_model
from sequester.sources.state import state_file, state_model

JUNK: Any = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(10**30), max_value=10**30),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
    st.sampled_from(
        ["", "0.0.0.0/0", "*", "04da6b54-80e4-46f7-96ec-b56ff0331ba9", "\ud800".encode("utf8", "ignore").decode()]
    ),
)

FUZZED = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inside:
        yield from places(value, (*path, key))


def replaced(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.copy(node)
    changed[path[0]] = replaced(node[path[0]], path[1:], value)
    return changed


@pytest.fixture(scope="session")
def exported(world: World) -> tuple[Any, list[tuple[Any, ...]]]:
    """A real export, small enough to be proved often: what the packets of one tenant meet."""
    kinds = (
        "Vpc",
        "Subnet",
        "RouteTable",
        "SecurityGroup",
        "NetworkAcl",
        "LaunchTemplate",
        "Role",
        "Cluster",
        "NodeGroup",
    )
    those = [r for r in world.resources if r.type.startswith("aws:") and r.type.rpartition(":")[2] in kinds][:16]
    listed = [
        {"urn": f"urn:pulumi:dev::x::{r.type}::{r.name}", "custom": True, "id": r.id, "type": r.type, "inputs": {},
         "outputs": json.loads(json.dumps(dict(r.properties), default=str))}
        for r in those
    ]  # fmt: skip
    whole = {"version": 3, "deployment": {"manifest": {}, "resources": listed}}
    return whole, list(places(whole))


@FUZZED
@given(data=st.data())
def test_no_part_of_an_export_brings_a_traceback(exported: Any, data: st.DataObject) -> None:
    whole, every = exported
    path = data.draw(st.sampled_from(every))
    raw = json.dumps(replaced(whole, path, data.draw(JUNK)))
    prove(state_model(raw, account="123456789012", region="us-east-1"), CLAIMS)


@FUZZED
@given(data=st.data())
def test_several_parts_at_once_bring_none_either(exported: Any, data: st.DataObject) -> None:
    """Values of one place in another, resources twice, and things that only together make no sense."""
    whole, every = exported
    for _ in range(data.draw(st.integers(2, 4))):
        path = data.draw(st.sampled_from(every))
        other = data.draw(st.sampled_from(every))
        try:
            whole = replaced(whole, path, data.draw(st.one_of(JUNK, st.just(at(whole, other)))))
        except (KeyError, IndexError, TypeError):
            continue  # an earlier edit took that place away
    prove(state_model(json.dumps(whole), account="123456789012", region="us-east-1"), CLAIMS)


def at(node: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        node = node[key]
    return node


@pytest.fixture(scope="session")
def previewed(exported: tuple[Any, list[tuple[Any, ...]]]) -> tuple[Any, list[tuple[Any, ...]]]:
    """The same as a first preview: what refers to another resource is not known, and depends on it."""
    listed = exported[0]["deployment"]["resources"]
    urns = {one["id"]: one["urn"] for one in listed}
    steps: list[Any] = []
    for one in listed:
        inputs = {k: UNKNOWN if isinstance(v, str) and v in urns else v for k, v in one["outputs"].items()}
        waits = {k: [urns[v]] for k, v in one["outputs"].items() if isinstance(v, str) and v in urns}
        state = {
            **one,
            "id": "",
            "inputs": inputs,
            "outputs": {**inputs, "arn": UNKNOWN},
            "propertyDependencies": waits,
        }
        steps.append({"op": "create", "urn": one["urn"], "newState": state})
    whole = {"config": {}, "steps": steps}
    return whole, list(places(whole))


@FUZZED
@given(data=st.data())
def test_no_part_of_a_preview_brings_a_traceback(previewed: Any, data: st.DataObject) -> None:
    whole, every = previewed
    path = data.draw(st.sampled_from(every))
    raw = json.dumps(
        replaced(whole, path, data.draw(st.one_of(JUNK, st.just(at(whole, data.draw(st.sampled_from(every)))))))
    )
    try:
        planned = read_plan(raw)
    except BadFactError:
        return
    prove(preview_model(planned, account="123456789012", region="us-east-1"), CLAIMS)


def one(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"urn": f"urn:{name}", "type": f"aws:{kind}", "custom": True, "id": name, "outputs": {}, **more}


VPC = one("ec2/vpc:Vpc", "vpc-1", outputs={"cidrBlock": "10.0.0.0/16"})
ODD: dict[str, list[Any]] = {
    "parents in a circle": [one("ec2/vpc:Vpc", "a", parent="urn:b"), one("ec2/vpc:Vpc", "b", parent="urn:a")],
    "its own parent": [VPC | {"parent": "urn:vpc-1"}],
    "dependencies in a circle": [
        VPC | {"dependencies": ["urn:vpc-1"], "propertyDependencies": {"cidrBlock": ["urn:vpc-1"]}}
    ],
    "a provider that is no text": [VPC | {"provider": {"a": 1}}],
    "a provider that is itself": [VPC | {"provider": "urn:vpc-1::vpc-1"}],
    "an infinite number": [VPC, one("ec2/networkAclRule:NetworkAclRule", "r", outputs={"ruleNumber": float("inf")})],
    "a huge number": [VPC, one("ec2/networkAclRule:NetworkAclRule", "r", outputs={"ruleNumber": 10**400})],
    "a range without end": [one("ec2/vpc:Vpc", "v", outputs={"cidrBlock": "10.0.0.0/-1"})],
    "a type that is all colons": [one("::", "v")],
    "a surrogate in a name": [VPC | {"urn": "urn:\ud800"}],
}


@pytest.mark.parametrize("name", ODD)
def test_what_makes_no_sense_is_never_proved(name: str) -> None:
    """Not even where it is the only resource that is wrong."""
    raw = json.dumps({"version": 3, "deployment": {"resources": ODD[name]}})
    verdicts = prove(state_model(raw, account="123456789012", region="us-east-1"), CLAIMS)
    assert not [claim for claim in ("E1", "E2", "E5", "E6", "E7", "E8") if isinstance(verdicts[claim], Proved)], (
        verdicts
    )


def test_ten_megabytes_of_resources_that_nobody_knows_end(tmp_path: Path) -> None:
    """All are read, and none is taken for harmless."""
    strange = [
        {"urn": f"urn:{i}", "type": "x:y:Z", "custom": True, "id": "i", "outputs": {"a": "b" * 900}}
        for i in range(10_000)
    ]
    path = tmp_path / "state.json"
    path.write_text(json.dumps({"version": 3, "deployment": {"resources": [VPC, *strange]}}))
    assert path.stat().st_size > 9_000_000
    verdicts = prove(state_file(path, account="123456789012", region="us-east-1"), CLAIMS)
    assert all(isinstance(one, Unknown) for one in verdicts.values())


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "\ufeff{}",
        "[]",
        "null",
        '{"version": 3, "deployment": {"resources": NaN}}',
        '{"version": 3, "version": 3, "deployment": {"resources": []}}',
        '{"version": 3, "deployment": {"resources": 1e999}}',
        '{"version": 3, "deployment": {"resources": [{"urn": "u", "type": "t", "outputs": -Infinity}]}}',
        '{"version": true, "deployment": {"resources": []}}',
        '{"version": 99, "deployment": {"resources": []}}',
        '{"version": 3, "deployment": {"resources": [{"urn": "a", "type": "b", "id": 3}]}}',
        '{"version": 3, "deployment": {"resources": {}}}',
        '{"deployment": {"resources": [{"urn": "u", "type": "aws:ec2/vpc:Vpc", "custom": true, "id": "v", "delete": true}]}}',
        "1" * 10_000,
    ],
)
def test_a_state_that_is_none_proves_nothing(raw: str) -> None:
    verdicts = prove(state_model(raw, account="123456789012", region="us-east-1"), CLAIMS)
    assert all(isinstance(v, Unknown) for v in verdicts.values()), verdicts


def test_what_is_no_text_proves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(b"\xff\xfe\x00{")
    assert not [v for v in prove(state_file(path), CLAIMS).values() if isinstance(v, Proved)]


def test_a_urn_that_is_there_twice_is_named() -> None:
    one = {
        "urn": "urn:a::v",
        "type": "aws:ec2/vpc:Vpc",
        "custom": True,
        "id": "vpc-1",
        "outputs": {"cidrBlock": "10.0.0.0/16"},
    }
    verdict = prove(state_model(json.dumps({"version": 3, "deployment": {"resources": [one, one]}})), ["E1"])["E1"]
    assert isinstance(verdict, Unknown)
    assert any("described 2 times" in reason for reason in verdict.reasons)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]" for i in range(9)
)
MANIFESTS = {
    "a bomb of aliases": BOMB,
    "no YAML": "{{ if .Values.x }}\nkind: Pod",
    "a template in a name": "kind: Pod\napiVersion: v1\nmetadata: {name: '{{ .Release.Name }}'}",
    "a key twice": "kind: Pod\nkind: Service\nmetadata: {name: a}",
    "no kind": "metadata: {name: a}",
    "no name": "kind: Pod\nmetadata: {}",
    "metadata of another form": "kind: Pod\nmetadata: [a]",
    "lists in lists": "kind: List\nitems:\n- kind: List\n  items: 3",
    "a bare word": "pod",
    "a kind that nobody reviewed": "kind: Tunnel\napiVersion: net.example/v1\nmetadata: {name: out}",
    "a kind of a foreign group": "kind: Job\napiVersion: batch.example/v1\nmetadata: {name: out}",
    "kustomize": "kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1beta1\nmetadata: {name: k}",
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests_that_cannot_be_read_prove_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(MANIFESTS[name])
    verdicts = prove(manifest_model([path]), ["E1", "E5", "E6"])
    assert all(isinstance(v, Unknown) for v in verdicts.values()), verdicts


def test_a_step_of_an_odd_kind_is_still_read() -> None:
    """What is done to a resource may be anything: unless it goes, it is there."""
    (planned,) = read_plan('{"steps": [{"op": [], "newState": {"urn": "u", "type": "aws:ec2/vpc:Vpc"}}]}')
    assert planned.type == "aws:ec2/vpc:Vpc"


@pytest.mark.parametrize("raw", ["", "[]", "{}", '{"steps": 3}', '{"steps": [{"newState": {"urn": 3}}]}', "{" * 9_000])
def test_a_preview_that_is_none_is_refused(raw: str) -> None:
    with pytest.raises(BadFactError):
        read_plan(raw)
