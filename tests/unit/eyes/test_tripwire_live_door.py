"""The deployed alarms see what a real door logs of real requests, and nothing in ordinary fetches."""

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from deployed import Deployed, deployed
from moto import mock_aws
from sensor_records import DOOR

from lambda_proxy.handler import Clients, serve

sys.path.insert(0, str(Path(__file__).parents[1] / "door"))
import door_lane  # pyright: ignore[reportMissingImports] the door lane of the tests beside

from sequester.loopback import Upstream, trusting

_OURS = f"https://{door_lane.HOST}/v1/items"
_CONTEXT: Any = SimpleNamespace(client_context=object())
Ask = Callable[..., object]
Scene = Callable[[door_lane.Lane, Ask], None]


def many(urls: Iterable[str]) -> Scene:
    def play(lane: door_lane.Lane, ask: Ask) -> None:
        for url in urls:
            ask(url=url)

    return play


def spent(lane: door_lane.Lane, ask: Ask) -> None:
    usual = door_lane.configuration()
    lane.configure({**usual, "budget": {**usual["budget"], "requests_per_minute": 1}})
    many([_OURS] * 2)(lane, ask)


def halted(lane: door_lane.Lane, ask: Ask) -> None:
    lane.clients.dynamodb.put_item(
        TableName=lane.environ["DOOR_TABLE"],
        Item={"tenant": {"S": lane.tenant}, "item": {"S": "control"}, "halted": {"S": "0123"}},
    )
    ask(url=_OURS)


def unrecorded(lane: door_lane.Lane, ask: Ask) -> None:
    bucket = lane.environ["DOOR_AUDIT_BUCKET"]
    for each in lane.clients.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        lane.clients.s3.delete_object(Bucket=bucket, Key=each.get("Key", ""))
    lane.clients.s3.delete_bucket(Bucket=bucket)
    ask(url=_OURS)


SCENES: dict[str, tuple[Scene, set[str]]] = {
    "work": (many([_OURS] * 5), set()),
    "one host that is not allowed": (many(["https://pypi.example.org/"]), set()),
    "search": (many([f"https://h{n}.example.org/" for n in range(10)]), {"door-denied-research"}),
    "parser tricks": (many([f"https://a{n}@{door_lane.HOST}/" for n in range(3)]), {"door-probed-research"}),
    "budget": (spent, {"door-spent-research"}),
    "closed": (halted, {"door-closed-research"}),
    "no record": (unrecorded, {"door-unrecorded-research"}),
}


@pytest.fixture(scope="module")
def logged() -> Iterator[dict[str, list[str]]]:
    """What the door's function printed in each scene, a fresh door each."""
    said: dict[str, list[str]] = {}
    authority = trustme.CA()
    with pytest.MonkeyPatch.context() as patch, Upstream(authority, ["*.example.test"]) as upstream:
        door_lane.no_window_ends(patch)
        for scene, (play, _) in SCENES.items():
            lines = said.setdefault(scene, [])
            patch.setattr("builtins.print", lambda text, lines=lines, **_: lines.append(text))
            with mock_aws():
                clients = Clients(door_lane.session())
                door_lane.make_stores(clients)
                lane = door_lane.Lane("research", clients, upstream, trusting(authority))
                play(lane, lambda lane=lane, **event: serve(lane.door, event, _CONTEXT))
    yield said


@pytest.fixture(scope="module")
def cloud(logged: dict[str, list[str]]) -> Iterator[Deployed]:
    with deployed() as found:
        yield found


@pytest.mark.parametrize("scene", SCENES)
def test_what_the_door_logs_sets_off(cloud: Deployed, logged: dict[str, list[str]], scene: str) -> None:
    assert logged[scene]
    assert cloud.fired(DOOR, logged[scene]) == SCENES[scene][1], logged[scene][-1]
