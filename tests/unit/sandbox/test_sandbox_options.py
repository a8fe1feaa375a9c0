"""What a run is given: whatever cannot be meant is one clear error before anything starts, never a traceback."""

import threading
from typing import Any

import pytest

from sequester import IsolatedExecutor
from sequester.sandbox.errors import InvalidRequest
from sequester.sandbox.executor import Options
from sequester.sandbox.result import Result
from sequester.sandbox.seccomp_table import TO_START_A_PROGRAM
from sequester.sandbox.session import OnOutput
from sequester.sandbox.task import Task

HALF = "\ud800"


class Recorder:
    """A backend that only says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Task] = []

    def run(self, task: Task, on_output: OnOutput | None = None, stop: threading.Event | None = None) -> Result:
        del on_output, stop
        self.asked.append(task)
        task.request({}, (), {})
        return Result(exit=0, run=task.run)

    def close(self) -> None: ...


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"timeot": 5}, "did you mean timeout=?"),
    ({"colour": 5}, "no such option"),
    ({"timeout": "5"}, "give seconds"),
    ({"timeout": True}, "give seconds"),
    ({"timeout": None}, "give seconds"),
    ({"memory": 1e9}, "give bytes"),
    ({"max_files": "5"}, "whole number"),
    ({"files": ["a"]}, "by path"),
    ({"files": {5: "a"}}, "is no text"),
    ({"files": {"a": 5}}, "neither text nor bytes"),
    ({"files": {"a": HALF}}, "surrogate"),
    ({"files": {HALF: "a"}}, "surrogate"),
    ({"files": {"a": "x", "a/b/c": "y"}}, "no directory"),
    ({"stdin": 5}, "neither text nor bytes"),
    ({"stdin": HALF}, "surrogate"),
    ({"environment": ["A=1"]}, "by name"),
    ({"environment": {"A": 5}}, "is no text"),
    ({"environment": {"A": HALF}}, "surrogate"),
    ({"allowed_syscalls": "read"}, "a list of names"),
    ({"allowed_syscalls": [0]}, "is no text"),
    ({"run": 5}, "give text"),
    ({"on_output": 5}, "a function"),
]


@pytest.mark.parametrize(("options", "said"), MISTAKES, ids=[repr(options) for options, _ in MISTAKES])
def test_an_option_that_cannot_be_meant_starts_nothing(options: Options, said: str) -> None:
    backend = Recorder()
    with pytest.raises(InvalidRequest) as caught:
        IsolatedExecutor(backend).run(["true"], **options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert backend.asked == []


@pytest.mark.parametrize("command", [None, "true", b"true", 5, [5], [b"true"], [HALF]], ids=repr)
def test_a_command_that_is_none_starts_nothing(command: Any) -> None:
    backend = Recorder()
    with pytest.raises(InvalidRequest, match="command"):
        IsolatedExecutor(backend).run(command)
    assert backend.asked == []


@pytest.mark.parametrize("code", [b"result = 1", 5, f"x = '{HALF}'"], ids=repr)
def test_code_that_is_no_text_starts_nothing(code: Any) -> None:
    backend = Recorder()
    with pytest.raises(InvalidRequest, match="code"):
        IsolatedExecutor(backend).run_untrusted_code(code)
    assert backend.asked == []


def test_what_can_be_meant_is_asked_as_it_was_given() -> None:
    backend = Recorder()
    options: Options = {
        "timeout": 5,
        "memory": "64MiB",
        "max_output": 100,
        "max_files": 3,
        "files": {"a": "x", "b/c": b"y"},
        "stdin": "z",
        "environment": {"A": "1"},
        "profile": "default",
        "allowed_syscalls": (*TO_START_A_PROGRAM, "read"),
        "run": "one",
        "on_output": lambda _stream, _piece: None,
    }
    IsolatedExecutor(backend).run(["true"], **options)
    (task,) = backend.asked
    assert task.limits.timeout_seconds == 5
    assert (task.files, task.stdin) == ({"a": b"x", "b/c": b"y"}, b"z")
    assert task.allowed_syscalls == {*TO_START_A_PROGRAM, "read"}
