"""Runs in checkov's own environment: which checks fail on the Kubernetes manifests of each folder.

python checkov_manifests.py SECONDS FOLDER...
  → a JSON line for each folder that is done in time: {"folder": ..., "failed": [[check, resource], ...]}
"""

# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

import json
import sys
import time

from checkov.kubernetes.runner import Runner
from checkov.runner_filter import RunnerFilter


def failed(folder: str) -> list[list[str]]:
    report = Runner().run(root_folder=folder, runner_filter=RunnerFilter(framework=["kubernetes"]))
    return [list(one) for one in sorted({(c.check_id, c.resource) for c in report.failed_checks})]


if __name__ == "__main__":
    until = time.monotonic() + float(sys.argv[1])
    for folder in sys.argv[2:]:
        if time.monotonic() < until:
            print(json.dumps({"folder": folder, "failed": failed(folder)}), flush=True)
