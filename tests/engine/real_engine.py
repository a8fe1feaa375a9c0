"""The real engine over our providers: a workspace, a server that outlives it, and what an engine test asks of both."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi import automation as auto

import tools
from sequester.cloud import plugin, provider
from sequester.cloud.api import DEFAULT_ACCOUNT, HOOKS, Aws
from sequester.cloud.remote import Remote

PROJECT = "sequester"
REGION = "us-east-1"
ANALYZER = "pulumi-analyzer-policy-python"
"""What the engine runs for a Python policy pack where no Python language host is on its PATH."""


@contextmanager
def serving() -> Generator[str]:
    """A server of the embedded cloud in a process of its own; yields its URL."""
    command = [sys.executable, "-m", "sequester.cloud.server"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().decode().strip()
    finally:
        process.stdin.close()
        process.wait(timeout=30)
        process.stdout.close()


@dataclass(frozen=True)
class Engine:
    """A workspace of the real `pulumi` in its own folder, deploying to the server at `url`."""

    folder: Path
    url: str

    @property
    def environment(self) -> dict[str, str]:
        """What `pulumi` and the plugins that it starts see: no account, no update check, our server."""
        return {
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "embedded",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "embedded",
            "AWS_SECRET_ACCESS_KEY": "embedded",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def stack(
        self, program: Callable[[], None], name: str = "dev", config: Mapping[str, str] | None = None
    ) -> auto.Stack:
        """The stack with this program in it (of another run, if it exists)."""
        work = self._work()
        options = auto.LocalWorkspaceOptions(
            work_dir=str(work),
            pulumi_command=auto.PulumiCommand(root=str(self.folder), skip_version_check=True),
            pulumi_home=self.environment["PULUMI_HOME"],
            env_vars=self.environment,
            project_settings=auto.ProjectSettings(
                PROJECT, "python", backend=auto.ProjectBackend(self.environment["PULUMI_BACKEND_URL"])
            ),
        )
        stack = auto.create_or_select_stack(name, PROJECT, program, opts=options)
        for key, value in (config or {}).items():
            stack.set_config(key, auto.ConfigValue(value))
        return stack

    @property
    def aws(self) -> Aws:
        """The cloud that the engine deployed to, for reading back."""
        HOOKS.store = Remote(self.url)
        return Aws(account=DEFAULT_ACCOUNT, region=REGION, endpoint=self.url)

    def run(self, *arguments: str, folder: Path | None = None, python: Path | None = None) -> str:
        """What the CLI itself prints, with the Python language host on its PATH; its words are in the error.

        python: what runs programs and plugins; by default this interpreter.
        """
        work = self._work()
        host = tools.find("pulumi-language-python")
        assert host is not None
        path = os.pathsep.join([str((python or Path(sys.executable)).parent), str(host.parent), os.environ["PATH"]])
        done = subprocess.run(
            [self.folder / "bin" / "pulumi", *arguments, "--non-interactive"],
            cwd=folder or work,
            env=os.environ | self.environment | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def yaml(self, folder: Path, *arguments: str, stack: bool = True) -> subprocess.CompletedProcess[str]:
        """What the CLI does with a YAML program in a folder; a policy pack runs too: no Python host is on its PATH.

        stack: whether the command is one on a stack.
        """
        self._work()
        host = tools.find("pulumi-language-yaml")
        assert host is not None
        path = os.pathsep.join([str(host.parent), self.environment["PATH"]])
        return subprocess.run(
            [self.folder / "bin" / "pulumi", *arguments, "--non-interactive", *(("--stack", "dev") if stack else ())],
            cwd=folder,
            env=os.environ | self.environment | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def kill(self) -> None:
        """End the engine that runs now, without a chance to put anything in order."""
        os.kill(int((self.folder / "pid").read_text()), signal.SIGKILL)

    def interrupt(self) -> None:
        """What Ctrl-C does: the engine ends what it has begun, and begins nothing more."""
        os.kill(int((self.folder / "pid").read_text()), signal.SIGINT)

    def held(self) -> list[str]:
        """The declared-only records that are there."""
        return Remote(self.url).held()

    def _work(self) -> Path:
        for part in ("home", "state", "work", "bin"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        found = self.folder / "bin" / "pulumi"
        if not found.exists():
            _script(found, f'echo $$ > "{self.folder}/pid"\nexec "{tools.find("pulumi")}" "$@"')
            _script(self.folder / "bin" / ANALYZER, f'exec "{sys.executable}" -u -m pulumi.policy "$1" "$2"')
            plugin.install(self.folder / "home", "aws", provider.VERSION, "sequester.cloud.provider")
        return self.folder / "work"


def changes(summary: Any) -> dict[str, int]:
    """What a run did or would do, by kind of step, without what stays the same."""
    held = getattr(summary, "change_summary", None) or summary.summary.resource_changes or {}
    return {str(getattr(step, "value", step)): count for step, count in held.items() if str(step) not in _SAME}


_SAME = ("same", "OpType.SAME")


def _script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
