"""Who puts up the walls: bubblewrap, else unshare, else a refusal that names the layer and the mend."""

from pathlib import Path

import pytest

from sequester.sandbox import builders, tree
from sequester.sandbox.errors import SandboxUnavailable
from sequester.sandbox.guest import walls
from sequester.sandbox.interpreter import Interpreter
from sequester.sandbox.task import Limits

PYTHON = Interpreter("/usr/bin/python3", (), (), "cpython-311")


def installed(monkeypatch: pytest.MonkeyPatch, proc_sys: Path, *names: str, **settings: str) -> None:
    for name in names:
        (proc_sys / name).touch()
    monkeypatch.setattr("shutil.which", lambda name: str(proc_sys / name) if name in names else None)
    monkeypatch.setattr(builders, "PROC_SYS", proc_sys)
    for name, value in settings.items():
        setting = proc_sys / name.replace("__", "/")
        setting.parent.mkdir(parents=True, exist_ok=True)
        setting.write_text(value)


def test_bubblewrap_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed(monkeypatch, tmp_path, "bwrap", "setpriv", "unshare")
    assert builders.builder().name == "bubblewrap"


def test_unshare_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed(monkeypatch, tmp_path, "setpriv", "unshare", kernel__unprivileged_userns_clone="1")
    assert builders.builder().name == "unshare"


@pytest.mark.parametrize("there", [(), ("setpriv",), ("unshare",)])
def test_neither(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: tuple[str, ...]) -> None:
    installed(monkeypatch, tmp_path, *there)
    with pytest.raises(SandboxUnavailable, match="apt install bubblewrap") as said:
        builders.builder()
    assert all(name in str(said.value) for name in {"setpriv", "unshare"} - set(there))


@pytest.mark.parametrize(
    ("setting", "value", "mend", "refused"),
    [
        ("user__max_user_namespaces", "0", "sysctl -w user.max_user_namespaces", {"bwrap", "unshare"}),
        ("kernel__unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged", {"bwrap", "unshare"}),
        ("kernel__apparmor_restrict_unprivileged_userns", "1", "install bubblewrap", {"unshare"}),
    ],
)
def test_a_refused_layer_is_named_with_its_mend(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, setting: str, value: str, mend: str, refused: set[str]
) -> None:
    for tools in (("bwrap",), ("setpriv", "unshare")):
        installed(monkeypatch, tmp_path, *tools, **{setting: value})
        if tools[-1] in refused:
            with pytest.raises(SandboxUnavailable, match=mend) as said:
                builders.builder()
            assert "user namespaces" in str(said.value)
            assert "\n" not in str(said.value)
        else:
            builders.builder()


def test_both_are_given_the_same_steps() -> None:
    steps = tree.steps(Path("/guest"), PYTHON, Limits(), ("/opt/data",))
    bwrap = builders.Bubblewrap("bwrap").command(steps, Path("/guest"), PYTHON)
    unshare = builders.Unshare("setpriv", "unshare").command(steps, Path("/guest"), PYTHON)
    end = [*steps, "--", *tree.program(PYTHON)]
    assert bwrap[-len(end) :] == unshare[-len(end) :] == end
    parsed, program = walls.parse(end)
    assert program == tree.program(PYTHON)
    assert [word for name, values in parsed for word in (name, *values)] == steps


def test_a_step_that_is_not_known_ends_it() -> None:
    with pytest.raises(ValueError, match="--bind"):
        walls.parse(["--bind", "/", "/", "--"])
