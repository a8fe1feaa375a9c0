"""Reads a deployed network back from AWS and checks it against the design: what `sequester demo` prints.

>>> observed = observe(cloud.client, Layout.of(settings))
>>> findings = check(observed)          # empty: every control holds
"""

from sequester.readback.control import Control, Finding
from sequester.readback.controls import CONTROLS, check
from sequester.readback.observe import NotFoundError, observe
from sequester.readback.seen import Layout, Observed

__all__ = ["CONTROLS", "Control", "Finding", "Layout", "NotFoundError", "Observed", "check", "observe"]
