"""The composition root of the runtime lane: what Lambda's runtime client loads, with the lane's three values.

It runs in a process of its own; moto, the upstream and its authority are named by the environment that the test gives.
"""

import itertools
import os
import signal
import socket
import time
from collections.abc import Sequence

import botocore.session
from botocore.config import Config

from lambda_proxy.addresses import is_special
from lambda_proxy.connect import Internet, public_tls
from lambda_proxy.handler import Clients, LambdaContext, compose, serve


def _resolve(host: str, port: int) -> Sequence[str]:
    del port
    return ["10.0.0.1"] if host.startswith("inside.") else ["127.0.0.1"]


def _refuse(address: str) -> bool:
    return address != "127.0.0.1" and is_special(address)


_end, _, _at = os.environ.get("TEST_END", "").partition(" ")
"""A signal, and at which call to AWS, counted from 0, or at `dial`, this process sends it to itself."""
_calls = itertools.count()


def _end_at(here: str) -> None:
    if _end and here == _at:
        os.kill(os.getpid(), signal.Signals[_end])
        time.sleep(60)  # a signal that is handled comes a little later


def _session() -> botocore.session.Session:
    session = botocore.session.get_session()
    session.register("before-send", lambda **_: _end_at(str(next(_calls))))  # pyright: ignore[reportUnknownMemberType]
    return session


def _dial(address: tuple[str, int], seconds: float) -> socket.socket:
    _end_at("dial")
    return socket.create_connection((address[0], int(os.environ["TEST_UPSTREAM_PORT"])), seconds)


_tls = public_tls()
_tls.load_verify_locations(os.environ["TEST_AUTHORITY"])
_clients = Clients(
    _session(),
    Config(s3={"addressing_style": "path"}, proxies={}),
    os.environ["TEST_AWS"],
)
_door = compose(os.environ, _clients, Internet(resolve=_resolve, refuse=_refuse, tls=_tls, dial=_dial, seconds=60))


def handler(event: object, context: LambdaContext) -> dict[str, object]:
    if isinstance(event, dict) and "break" in event:
        object.__setattr__(_door, "budget", None)  # an unforeseen failure, from here on
    return serve(_door, event, context)
