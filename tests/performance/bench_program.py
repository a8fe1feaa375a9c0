"""The program in the embedded cloud

The peer is a script that imports the same Pulumi submodules and makes one EC2 call in moto: what cannot be avoided.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from measure import Row, growth_exponent, medians

ROOT = Path(__file__).parent.parent.parent
RUNS = 5
FEWEST = """
import boto3, moto, pulumi, pulumi_aws as aws, pulumi_kubernetes
for module in {modules!r}:
    getattr(aws, module)
from infra import stack
with moto.mock_aws():
    boto3.client("ec2", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x").describe_vpcs()
"""
UP = """
from pathlib import Path
from sequester.standing import stand_up
print(len(stand_up(Path("Pulumi.dev.yaml")).resources))
"""
ZONES = """
import time
from pathlib import Path
from sequester.standing import stack_config, standing
config = dict(stack_config(Path("Pulumi.dev.yaml")))
config["sequester:network"] = {{"cidr": "10.42.0.0/16", "azs": [f"us-east-1{{z}}" for z in "abcdef"[:{zones}]]}}
with standing(config):
    pass  # imports and clients are paid once
began = time.perf_counter()
with standing(config) as here:
    print(len(here.run.resources), time.perf_counter() - began)
"""


def script(source: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def aws_modules() -> list[str]:
    """The submodules of pulumi_aws that the program uses."""
    said = script(
        "import sys\nfrom pathlib import Path\nfrom sequester.standing import stand_up\n"
        "stand_up(Path('Pulumi.dev.yaml'))\n"
        "print(*sorted({m.split('.')[1] for m in sys.modules if m.count('.') == 1 and m.startswith('pulumi_aws.')}))"
    )
    return [module for module in said.split() if not module.startswith("_")]


def rows() -> Iterable[Row]:
    fewest = FEWEST.format(modules=aws_modules())
    resources = int(script(UP))
    with tempfile.TemporaryDirectory() as out:
        taken = medians(
            {
                "peer": lambda: script(fewest),
                "up": lambda: script(UP),
                "demo": lambda: subprocess.run(
                    [sys.executable, "-m", "sequester", "demo", "--out", out],
                    cwd=ROOT, check=True, capture_output=True,
                ),
            },
            RUNS,
        )  # fmt: skip
    peer = f"imports and one EC2 call: {taken['peer']:.1f} s"
    yield Row("embedded up", f"{taken['up']:.1f} s", peer, f"{taken['up'] / taken['peer']:.1f}", "≤ 2")
    yield Row("`make demo`, warm", f"{taken['demo']:.1f} s", peer, f"{taken['demo'] / taken['peer']:.1f}")
    per_resource = (taken["up"] - taken["peer"]) / resources * 1000
    yield Row("embedded up, per resource", f"{per_resource:.1f} ms", note=f"{resources} resources, imports left out")
    sizes: list[int] = []
    seconds: list[float] = []
    for zones in (2, 4, 6):
        count, took = script(ZONES.format(zones=zones)).split()
        sizes.append(int(count))
        seconds.append(float(took))
        yield Row(
            f"embedded up, {4 * zones} subnets in {zones} zones",
            f"{float(took):.1f} s",
            note=f"{count} resources, in a warm process",
        )
    yield Row("growth over resources", f"exponent {growth_exponent(sizes, seconds):.2f}", note="1 is linear")
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as clone:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), clone], check=True)
        subprocess.run(["make", "--silent", "setup"], cwd=clone, check=True, capture_output=True)
    yield Row("set-up of a fresh clone", f"{time.perf_counter() - began:.0f} s", note="packages from the local cache")
