"""What commands take when none is named: the checkout's program and Pulumi.dev.yaml, or the copy in the wheel."""

from pathlib import Path
from typing import Final

_CHECKOUT: Final = Path(__file__).resolve().parent.parent / "Pulumi.dev.yaml"

SETTINGS_FILE: Final = _CHECKOUT if _CHECKOUT.is_file() else Path(__file__).resolve().with_name("Pulumi.dev.yaml")

PROGRAM: Final = _CHECKOUT.parent if _CHECKOUT.is_file() else Path()
"""The folder of the Pulumi program: of an installed wheel, the one in which the command is given."""
