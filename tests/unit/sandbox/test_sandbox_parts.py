"""Frames, events, strict JSON, sizes and tables: the parts that need no sandbox."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import infra.admission
import infra.labels
from sequester.sandbox import cgroup, pods, staging
from sequester.sandbox.errors import InvalidRequest
from sequester.sandbox.guest import events, frames
from sequester.sandbox.guest.request import BadRequestError, Request
from sequester.sandbox.report import merged, printable
from sequester.sandbox.result import Attempt, check_path, decode_json
from sequester.sandbox.session import parse_event
from sequester.sandbox.task import Limits, Task, size_bytes

KINDS = st.sampled_from([b"o", b"e", b"v", b"x"])


@given(st.lists(st.tuples(KINDS, st.binary(max_size=200))), st.integers(1, 40))
def test_frames_survive_any_cut(sent: list[tuple[bytes, bytes]], step: int) -> None:
    stream = b"".join(frames.frame(kind, payload) for kind, payload in sent)
    buffer = frames.FrameBuffer()
    got = [found for at in range(0, len(stream), step) for found in buffer.feed(stream[at : at + step])]
    assert got == sent


def test_a_frame_over_the_limit_is_refused_before_it_is_kept() -> None:
    with pytest.raises(frames.MalformedFrameError, match="the limit is 10"):
        frames.FrameBuffer(10).feed(b"o\0\0\0\x0b")


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.booleans(), st.none())))
def test_events_are_json_in_ascii(fields: events.Fields) -> None:
    line = events.encode(fields)
    assert json.loads(line) == fields
    assert all(0x20 <= byte < 0x7F for byte in line)


def test_every_event_has_every_key() -> None:
    written: list[bytes] = []
    log = events.EventLog("run", written.append)
    log.record({"kind": "network", "action": "denied", "syscall": "connect"})
    assert json.loads(written[0]).keys() == events.KEYS.keys()
    assert written[0].startswith(b'{"sequester":1,')


def test_a_storm_is_counted() -> None:
    written: list[bytes] = []
    log = events.EventLog("run", written.append)
    for number in range(10_000):
        log.record({"kind": "network", "action": "denied", "syscall": "connect", "port": number % 3})
    log.flush()
    found = [json.loads(line) for line in written]
    assert sum(event["count"] for event in found) == 10_000
    assert log.lines == len(found) < 200
    assert [event["sequence"] for event in found] == list(range(1, len(found) + 1))


def test_distinct_attempts_are_bounded() -> None:
    written: list[bytes] = []
    log = events.EventLog("run", written.append)
    for number in range(5_000):
        log.record({"kind": "network", "action": "denied", "port": number})
    log.flush()
    assert len(written) < events.BURST_EVENTS + 3 * events.MAX_DISTINCT
    assert sum(json.loads(line)["count"] for line in written) == 5_000


def test_time_is_rfc_3339() -> None:
    assert events.timestamp(0.5) == "1970-01-01T00:00:00.500000Z"
    assert events.timestamp(time.time()).endswith("Z")


def test_only_our_lines_are_events() -> None:
    assert parse_event(b"bwrap: something failed") is None
    assert parse_event(b'{"kind":"network"}') is None


@pytest.mark.parametrize(
    "raw", [b"", b"NaN", b"[Infinity]", b'{"a":1,"a":2}', b"\xff", b"1 2", b"[" * 101 + b"]" * 101]
)
def test_json_is_strict(raw: bytes) -> None:
    with pytest.raises(ValueError):
        decode_json(raw)


@given(st.recursive(st.one_of(st.none(), st.booleans(), st.integers(), st.text()), st.lists, max_leaves=20))
def test_json_round_trips(value: object) -> None:
    assert decode_json(json.dumps(value).encode()) == value


def test_brackets_in_text_are_not_depth() -> None:
    assert decode_json(json.dumps('["\\' * 300).encode()) == '["\\' * 300


@pytest.mark.parametrize("name", ["", "/a", "../a", "a/../b", "a//b", "./a", "a\nb", "a\x1bb", "x" * 300, "a/"])
def test_paths_lead_down(name: str) -> None:
    with pytest.raises(InvalidRequest, match="file"):
        check_path(name)


@pytest.mark.parametrize(
    ("value", "expected"), [(1, 1), ("1", 1), ("2KiB", 2048), ("1.5 MB", 1_500_000), (" 1GiB ", 1 << 30)]
)
def test_sizes(value: int | str, expected: int) -> None:
    assert size_bytes("memory", value) == expected


@pytest.mark.parametrize("value", [0, -1, "", "MiB", "1 parsec", "-1MiB", "0", True])
def test_bad_sizes(value: int | str) -> None:
    with pytest.raises(InvalidRequest, match="memory="):
        size_bytes("memory", value)


def test_a_request_without_a_wall_is_refused() -> None:
    whole = Task(code="pass").request({}, (), {})
    for wall in (b"memory_bytes", b"max_processes", b"timeout_seconds"):
        request = Request()
        for kind, payload in frames.FrameBuffer().feed(whole):
            if kind == frames.GO:
                break
            if not payload.startswith(wall + b"="):
                request.take(kind, payload)
        with pytest.raises(BadRequestError, match=wall.decode()):
            request.check()
    request = Request()
    for kind, payload in frames.FrameBuffer().feed(whole):
        if kind == frames.GO:
            break
        if kind != frames.FILTER:
            request.take(kind, payload)
    with pytest.raises(BadRequestError, match="program"):
        request.check()


@pytest.mark.parametrize("kind", [frames.GO, frames.STDIN, b"?"])
def test_the_supervisor_takes_no_other_frames(kind: bytes) -> None:
    with pytest.raises(BadRequestError):
        Request().take(kind, b"")


def test_the_report_shows_no_control_characters() -> None:
    assert str(printable("a\x1b[2Jb\u202ec\n")) == "a\\x1b[2Jb\\u202ec\\n"
    assert len(str(printable("x" * 500))) == 80


def test_the_report_counts_what_is_alike() -> None:
    one = Attempt("network", "denied", "t", count=3, syscall="connect", address="2001:db8::1", port=443)
    assert merged([one, one]) == [(one, 6)]
    assert one.target == "[2001:db8::1]:443"


def test_pods_are_what_the_deployment_admits() -> None:
    """The names are the deployment's own, kept apart so that neither imports the other."""
    settings = pods.PodSettings("research", "registry.example/sandbox@sha256:" + "0" * 64)
    assert settings.namespace == infra.labels.sandbox_namespace("research")
    assert (pods.POOL_LABEL, pods.TAINT) == (infra.labels.POOL_LABEL, infra.labels.SANDBOX_TAINT)
    assert pods.ACCOUNT == infra.labels.SANDBOX_ACCOUNT
    assert pods.SECCOMP_PROFILE == infra.admission.SECCOMP_PROFILE


def test_limits_are_checked() -> None:
    for wrong in ({"processes": 0}, {"max_files": -1}, {"memory_bytes": 1}, {"timeout_seconds": 1e9}):
        with pytest.raises(InvalidRequest, match=next(iter(wrong)).split("_")[0]):
            Limits(**wrong)  # type: ignore[arg-type]


def test_a_claims_time_always_has_microseconds() -> None:
    """The Kubernetes client writes a datetime anew, and drops a fraction of zero, which the API server refuses."""
    from datetime import UTC, datetime

    assert pods._micro_time(datetime(2026, 1, 2, 3, 4, 5, 0, UTC)) == "2026-01-02T03:04:05.000001Z"
    assert pods._micro_time(datetime(2026, 1, 2, 3, 4, 5, 678, UTC)) == "2026-01-02T03:04:05.000678Z"


@pytest.mark.parametrize("quotes", [b'\\"', b'"', b'\\\\"', b'"\\'], ids=ascii)
def test_a_value_is_read_in_time_that_grows_with_its_length_only(quotes: bytes) -> None:
    """Untrusted code writes it: 80 kB of one string that does not end took the agent 18 s, and 16 MB may be sent."""

    def seconds(size: int) -> float:
        raw = b"[" * 101 + b'"' + quotes * (size // len(quotes))
        started = time.perf_counter()
        with pytest.raises(ValueError, match=r"nested|Expecting|string|delimiter"):
            decode_json(raw)
        return time.perf_counter() - started

    assert seconds(2_000_000) < 5


def test_brackets_within_strings_are_no_containers() -> None:
    text = ["[" * 200, 'a"[' * 200, "\\", "[" * 200]
    assert decode_json(json.dumps(text).encode()) == text


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"memory_bytes": 2**70}, "memory=.*at most 1 PiB"),
        ({"memory_bytes": 10**5000}, "memory=.*at most 1 PiB"),
        ({"memory_bytes": "64MiB"}, "memory='64MiB': give a whole number"),
        ({"processes": 2**70}, "processes=.*give 1 to"),
        ({"processes": True}, "processes=True: give a whole number"),
        ({"disk_bytes": 1.5}, "disk_bytes=1.5: give a whole number"),
        ({"open_files": 5}, "open_files=5: give 16"),
        ({"max_files": None}, "max_files=None: give a whole number"),
        ({"timeout_seconds": "5"}, "timeout='5': give seconds"),
        ({"timeout_seconds": 10**5000}, "timeout=.*give seconds"),
        ({"timeout_seconds": None}, "timeout=None: give seconds"),
    ],
)
def test_a_limit_that_no_kernel_could_hold_is_refused_by_name(limits: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        Limits(**limits)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", ["9" * 400 + "B", "9" * 5000 + "GiB"], ids=len)
def test_a_size_beyond_every_number_is_refused(size: str) -> None:
    with pytest.raises(InvalidRequest, match="memory='999"):
        size_bytes("memory", size)


def test_files_that_do_not_fit_are_refused_before_a_sandbox_is_made() -> None:
    limits = Limits(disk_bytes=8192)
    Task(command=["true"], files={"a": b"1", "b": b"1"}, limits=limits)
    for files in ({"a": b"1", "b": b"1", "c": b"1"}, {"a": bytes(8193)}):
        with pytest.raises(InvalidRequest, match="files take 12288 bytes on disk: give fewer, or Limits"):
            Task(command=["true"], files=files, limits=limits)


@pytest.mark.parametrize(
    "given", [{"code": "1", "data": "x" * 300, "has_data": True}, {"code": "#" * 300}, {"files": {"a": bytes(300)}}]
)
def test_input_of_more_than_a_frame_is_refused_by_name(
    given: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = Task(**{"command": [] if "code" in given else ["true"], **given})  # type: ignore[arg-type]
    assert task.request({}, [], {})
    monkeypatch.setattr("sequester.sandbox.task.MAX_PATH_BYTES", frames.MAX_FRAME_BYTES - 300)
    with pytest.raises(InvalidRequest, match="bytes: give at most 296, or stdin="):
        task.request({}, [], {})


def test_who_sweeps_leaves_what_another_tries_just_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = cgroup.Parents(1, tmp_path / "memory", tmp_path / "pids")
    make, kept = Path.mkdir, list[bool]()
    for directory in where.directories:
        make(directory)

    def swept(path: Path) -> None:
        make(path)
        cgroup.sweep(where)
        kept.append(path.is_dir())

    monkeypatch.setattr(Path, "mkdir", swept)
    cgroup._works(where)
    assert kept == [True, True]
    assert [left for directory in where.directories for left in directory.iterdir()] == []


def test_a_file_that_another_process_renames_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python writes what it compiles under another name first."""

    def listed(directory: Path, _: str) -> Iterator[Path]:
        yield directory / "frames.cpython-311.pyc.139942"
        yield directory / "frames.py"

    (tmp_path / "frames.py").touch(mode=0o600)
    monkeypatch.setattr(Path, "rglob", listed)
    staging._open_to_all(tmp_path)
    assert (tmp_path / "frames.py").stat().st_mode & 0o777 == 0o644
