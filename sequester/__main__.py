"""`python -m sequester` is the `sequester` command."""

from sequester.cli import app

app(prog_name="sequester")
