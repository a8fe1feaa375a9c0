"""The `sequester` command, also as `python -m sequester`: what an installation lacks is said in a line."""

import sys
from collections.abc import Callable
from typing import Final

_OURS: Final = ("sequester", "infra", "lambda_proxy", "lambda_responder", "policies", "pulumi_sequester")


def main() -> None:
    """Run the command; exit code 64 where an optional part is not installed that it needs."""

    def run() -> None:
        from sequester.cli import app

        app(prog_name="sequester")

    _in_a_line(run, "all")


def plugin() -> None:
    """`pulumi-resource-sequester`: the components, as the plugin by which programs in other languages use them."""

    def run() -> None:
        from pulumi_sequester.__main__ import serve

        serve()

    _in_a_line(run, "infra")


def _in_a_line(run: Callable[[], None], extra: str) -> None:
    try:
        run()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if not package or package in _OURS:
            raise
        how = "use a checkout of the repository" if package == "tools" else f"pip install 'sequester[{extra}]'"
        sys.stderr.write(f"this needs {package}, which is not installed: {how}\n")
        raise SystemExit(64) from None


if __name__ == "__main__":
    main()
