"""After a lab, however it ends: no namespace, process, thread, descriptor, nor a file that the next one leaves."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir

import pytest
from leftovers import descriptors

from sequester.lab.facts import Facts
from sequester.lab.lab import lab
from sequester.lab.namespaces import LabError, Namespace
from sequester.proof.model import Model, Nacl, NaclRule, Place, RouteTable, Subnet, Vpc
from sequester.proof.space import EVERY_SERVICE, prefix, whole

pytestmark = [pytest.mark.lane("kernel", "root", "nft", "ip"), pytest.mark.xdist_group("lab")]

_HOLDER = """
import json, os, sys, threading, time
sys.path[:0] = {path!r}
from test_lab_leaves_nothing import small
from sequester.lab.lab import lab
with lab(small()) as world:
    inside = world.spaces[world.place("sleeper").space]
    threading.Thread(target=world.run, args=("sleeper", ["sleep", "600"]), kwargs=dict(timeout=900)).start()
    while not inside.processes():
        time.sleep(0.01)
    inodes = [one.inode for one in world.spaces.values()]
    print(json.dumps(inodes), flush=True)
    time.sleep(600)
"""


def small() -> Facts:
    cidr = prefix("10.9.0.0/24")
    rules = tuple(
        NaclRule("all", 1, egress, allow=True, peer=whole(a), services=EVERY_SERVICE)
        for a in ("4", "6")
        for egress in (True, False)
    )
    model = Model(
        "123456789012",
        "us-east-1",
        vpcs={"v": Vpc("v", "v", (cidr,))},
        subnets={"s": Subnet("s", "s", "v", (cidr,), "t", "a")},
        tables={"t": RouteTable("t", "t", "v", ())},
        nacls={"a": Nacl("a", "a", rules)},
        places={"sleeper": Place("sleeper", "sleeper", "instance", ("s",), (), public=False)},
    )
    return Facts(model)


def namespaces_of_processes() -> set[int]:
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                found.add((entry / "ns/net").stat().st_ino)
    return found


def soon(holds: Callable[[], bool], seconds: float) -> bool:
    """Whether something holds, now or within so many seconds."""
    until = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < until:
        time.sleep(0.02)
    return held


def empty(namespaces: set[int], seconds: float = 30) -> bool:
    """Whether no process is left in namespaces, also none that had only begun when its parent was killed."""
    return soon(lambda: not namespaces & namespaces_of_processes(), seconds)


def directories() -> set[Path]:
    return set(Path(gettempdir()).glob(f"sequester-lab-{os.getpid()}-*"))


def started(pid: int) -> str:
    """When a process began, in the kernel's ticks (proc_pid_stat(5)); nothing if there is none, or one that has ended.

    What has ended holds nothing any more; when its number goes is up to init, which a busy machine keeps waiting.
    """
    try:
        state, *fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else fields[18]


def gone(begun: dict[int, str], seconds: float = 30) -> bool:
    """Whether processes have ended. A number alone says little: a busy machine soon gives it to another one."""
    return soon(lambda: not any(started(pid) == at for pid, at in begun.items()), seconds)


def test_a_lab_that_ends_leaves_nothing() -> None:
    before, threads = descriptors(), set(threading.enumerate())
    forwarding = Path("/proc/sys/net/ipv4/ip_forward").read_text()
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, check=True).stdout
    with lab(small()) as world:
        inodes = {one.inode for one in world.spaces.values()}
        assert directories()
        # It says its number when it has left, and the run waits until it holds the pipes no more.
        ran = world.run("sleeper", ["sh", "-c", "setsid sh -c 'echo $$; exec sleep 600 >/dev/null 2>&1' </dev/null &"])
        left = int(ran.out)
        begun = {left: started(left)}
        assert begun[left], "what left its session is still there"
        late = world.run("sleeper", ["sleep", "600"], timeout=0.2)
        assert late.code is None
    assert gone(begun)
    assert not inodes & namespaces_of_processes()
    assert not directories()
    assert descriptors() <= before
    assert set(threading.enumerate()) <= threads
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == forwarding
    assert subprocess.run(["nft", "list", "tables"], capture_output=True, check=True).stdout == tables


def test_a_lab_that_fails_leaves_nothing() -> None:
    before = descriptors()
    with pytest.raises(ZeroDivisionError), lab(small()):
        raise ZeroDivisionError
    assert descriptors() <= before
    assert not directories()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_lab_whose_process_is_ended_leaves_nothing(number: signal.Signals) -> None:
    path = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    holder = subprocess.Popen([sys.executable, "-c", _HOLDER.format(path=path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        namespaces = set(json.loads(holder.stdout.readline()))
        assert namespaces & namespaces_of_processes()
        holder.send_signal(number)
        holder.wait(30)
    finally:
        holder.kill()
        holder.wait()
        if holder.stdout is not None:
            holder.stdout.close()
    assert empty(namespaces)
    with lab(small()):  # the next one sweeps what a killed one could not
        assert not list(Path(gettempdir()).glob(f"sequester-lab-{holder.pid}-*"))


def test_what_is_wrong_is_said_with_the_line() -> None:
    one = Namespace("a place")
    try:
        with pytest.raises(LabError, match="a place: nft"):
            one.nft("table inet x { chain y { nonsense } }")
    finally:
        one.close()
    with pytest.raises(LabError, match="is closed"), one.inside():
        pass
