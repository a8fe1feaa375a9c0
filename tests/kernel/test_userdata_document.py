"""The nodes' user data as what reads it reads it: a shell, cloud-init, systemd, nodeadm, containerd."""

import email
import json
import subprocess
from email.message import Message
from pathlib import Path

import pytest
import yaml

from infra import userdata
from infra.userdata import encode, mime, node_config, sandbox_script, system_script
from sequester.sandbox.seccomp import oci_profile

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html: before base64; EKS adds its own part.
_USER_DATA_BYTES = 16 * 1024
_EKS_PART_BYTES = 4 * 1024


def _scripts() -> dict[str, str]:
    return {"sandbox": sandbox_script(oci_profile("node")), "system": system_script()}


def _parts(text: str) -> list[Message]:
    document = email.message_from_string(text)
    assert document.is_multipart()
    return list(document.walk())[1:]


@pytest.mark.lane("kernel", "shellcheck")
@pytest.mark.parametrize("pool", ["sandbox", "system"])
def test_the_shell_part_has_no_findings(pool: str, tmp_path: Path) -> None:
    script = tmp_path / "userdata.sh"
    script.write_text(_scripts()[pool])
    found = subprocess.run(["shellcheck", "--severity=style", script], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


@pytest.mark.lane("kernel", "cloud-init")
def test_cloud_init_reads_both_parts(tmp_path: Path) -> None:
    """cloud-init's own reader takes the script as a script, and leaves the NodeConfig to nodeadm."""
    path = tmp_path / "user-data"
    path.write_text(mime(_scripts()["sandbox"], node_config(256)))
    reader = (
        "import sys; from cloudinit import handlers; from cloudinit.user_data import UserDataProcessor;"
        "from cloudinit.helpers import Paths;"
        "message = UserDataProcessor(Paths({})).process(open(sys.argv[1], 'rb').read());"
        "print([part.get_content_type() for part in message.walk() if not part.is_multipart()])"
    )
    seen = subprocess.run(["/usr/bin/python3", "-c", reader, path], capture_output=True, text=True, check=True).stdout
    assert seen.strip() == str(["text/x-shellscript", "application/node.eks.aws"])


@pytest.mark.parametrize("pool", ["sandbox", "system"])
def test_it_fits_with_what_eks_adds(pool: str) -> None:
    text = mime(_scripts()[pool], node_config(256))
    assert len(text.encode()) + _EKS_PART_BYTES < _USER_DATA_BYTES
    assert encode(text) == encode(mime(_scripts()[pool], node_config(256)))


def test_the_node_config_bounds_processes() -> None:
    config = yaml.safe_load(str(_parts(mime(system_script(), node_config(300)))[1].get_payload()))
    assert config["kind"] == "NodeConfig"
    assert config["spec"]["kubelet"]["config"]["podPidsLimit"] == 300
    assert "cluster" not in config["spec"]  # EKS adds it: our part depends on no output


def _run(script: str, root: Path, failing: str = "") -> subprocess.CompletedProcess[str]:
    """Run the script with every absolute path under `root`, and commands that write down how they were called."""
    binaries = root / "bin"
    binaries.mkdir(parents=True)
    calls = root / "calls"
    for name in ("systemctl",):
        stub = binaries / name
        stub.write_text(f'#!/bin/sh\necho "{name} $*" >>{calls}\ncase "$*" in "{failing}") exit 1;; esac\n')
        stub.chmod(0o755)
    local = script.replace("/var/lib", f"{root}/var/lib").replace("/etc/s", f"{root}/etc/s")
    return subprocess.run(
        ["/bin/sh", "-c", local.replace("/dev/console", f"{root}/console")],
        env={"PATH": f"{binaries}:/usr/bin:/bin"}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_script_writes_what_the_kubelet_needs(tmp_path: Path) -> None:
    profile = oci_profile("node")
    done = _run(sandbox_script(profile), tmp_path)
    assert done.returncode == 0, done.stderr
    written = tmp_path / "var/lib/kubelet/seccomp/sequester/sandbox.json"
    assert json.loads(written.read_text()) == profile
    drop_in = tmp_path / "etc/systemd/system/kubelet.service.d/10-sequester.conf"
    assert "Requires=sequester-pods.service" in drop_in.read_text()
    assert "systemctl enable --now sequester-pods.service" in (tmp_path / "calls").read_text()
    assert "poweroff" not in (tmp_path / "calls").read_text()


def test_a_node_whose_rules_do_not_load_powers_off(tmp_path: Path) -> None:
    done = _run(sandbox_script(oci_profile("node")), tmp_path, failing="enable --now sequester-pods.service")
    assert done.returncode != 0
    assert (tmp_path / "calls").read_text().splitlines()[-2:] == [
        "systemctl mask --now kubelet.service",
        "systemctl poweroff --force",
    ]


@pytest.mark.lane("kernel", "systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    done = _run(sandbox_script(oci_profile("node")), tmp_path)
    assert done.returncode == 0, done.stderr
    unit = tmp_path / "sequester-pods.service"
    text = (tmp_path / "etc/systemd/system/sequester-pods.service").read_text()
    unit.write_text(text.replace(f"{tmp_path}/etc", "/etc").replace("/usr/sbin/nft", "/bin/true"))
    said = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    ours = [line for line in said.stderr.splitlines() if "sequester-pods.service" in line]
    assert ours == []


def test_a_text_that_ends_its_own_mark_is_refused() -> None:
    with pytest.raises(ValueError, match=r"sandbox\.json: the text contains the mark"):
        userdata._write("/x/sandbox.json", "a\nSEQUESTER_EOF\nb")
