"""What a node does before its kubelet starts (claims E1, E6), as MIME user data for the AL2023 AMI.

Two parts: a shell script, which writes files and enables a unit, and a NodeConfig for nodeadm
(https://awslabs.github.io/amazon-eks-ami/nodeadm/), which has no field for files. nodeadm starts the kubelet after
cloud-final.service, so the script is done by then; because systemd would start the kubelet after a *failed* script too,
the script powers the node off when it fails, and the kubelet requires the unit that loads the rules, on every boot.
"""

import base64
import json
from collections.abc import Mapping
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import yaml

from infra.admission import SECCOMP_PROFILE
from infra.manifests import Json

# The VPC CNI names the node's end of a pod's link `eni` and a hash; `vlan` for pods with their own branch interface.
# https://github.com/aws/amazon-vpc-cni-k8s: AWS_VPC_K8S_CNI_VETHPREFIX, left at its default.
POD_INTERFACES = ("eni*", "vlan*")

_BOUNDARY = "sequester-user-data"
_RULES_PATH = "/etc/sequester/pods.nft"
_SECCOMP_PATH = f"/var/lib/kubelet/seccomp/{SECCOMP_PROFILE}"
_UNIT = "sequester-pods.service"

# A table of our own, so that kube-proxy and the CNI cannot flush it; dropping first is final whatever they accept.
# `to_node` sees what is addressed to the node itself, after their address translation: the CNI's policy agent always
# lets that through. `beyond` is a second, independent deny behind NetworkPolicy: nobody but sandboxes runs here.
_FROM_PODS = "\n".join(f'    iifname "{name}" jump pods' for name in POD_INTERFACES)
POD_RULES = f"""\
#!/usr/sbin/nft -f
table inet sequester
delete table inet sequester
table inet sequester {{
  chain to_node {{
    type filter hook input priority -300; policy accept;
{_FROM_PODS}
  }}
  chain beyond {{
    type filter hook forward priority -300; policy accept;
{_FROM_PODS}
  }}
  chain pods {{
    ct state established counter accept comment "answers to what the node began"
    icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept comment "the link itself"
    counter drop comment "new, related, invalid, and any other"
  }}
}}
"""

_UNIT_TEXT = f"""\
[Unit]
Description=Drop new connections from pods to this node
DefaultDependencies=no
After=local-fs.target
Before=kubelet.service network-pre.target
Wants=network-pre.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f {_RULES_PATH}

[Install]
WantedBy=multi-user.target
"""

_KUBELET_DROP_IN = f"""\
[Unit]
Requires={_UNIT}
After={_UNIT}
"""


def node_config(processes_per_pod: int) -> dict[str, Json]:
    """What the kubelet does beyond EKS's own NodeConfig, with which nodeadm merges this one.

    EKS adds the cluster's address, certificate, labels and taints to a managed node group's user data when the launch
    template names no AMI, so ours depends on no output of the cluster and is readable before anything exists.
    """
    return {
        "apiVersion": "node.eks.aws/v1alpha1",
        "kind": "NodeConfig",
        "spec": {
            "kubelet": {
                "config": {
                    "podPidsLimit": processes_per_pod,
                    "seccompDefault": True,
                    "readOnlyPort": 0,
                    "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}},
                    "authorization": {"mode": "Webhook"},
                }
            }
        },
    }


def sandbox_script(seccomp: Mapping[str, object]) -> str:
    """The shell part for sandbox nodes. seccomp: the profile in OCI form, which containerd loads by name."""
    return _script(
        {
            _SECCOMP_PATH: json.dumps(seccomp, separators=(",", ":")) + "\n",
            _RULES_PATH: POD_RULES,
            f"/etc/systemd/system/{_UNIT}": _UNIT_TEXT,
            "/etc/systemd/system/kubelet.service.d/10-sequester.conf": _KUBELET_DROP_IN,
        }
    )


def system_script() -> str:
    """The shell part for system nodes: nobody logs in there either."""
    return _script({})


def mime(script: str, config: Mapping[str, Json]) -> str:
    """Both parts in one document, as EC2 wants it before base64. The boundary is fixed: same input, same text."""
    document = MIMEMultipart("mixed", boundary=_BOUNDARY)
    for text, subtype, encoding in (
        (script, "x-shellscript", "us-ascii"),
        (yaml.safe_dump(dict(config), sort_keys=False), "node.eks.aws", "us-ascii"),
    ):
        part = MIMEText(text, subtype, encoding)
        if subtype == "node.eks.aws":
            part.replace_header("Content-Type", "application/node.eks.aws")
        document.attach(part)
    return document.as_string()


def encode(text: str) -> str:
    """Base64, as a launch template takes it."""
    return base64.b64encode(text.encode()).decode()


def _script(files: Mapping[str, str]) -> str:
    """A POSIX shell script that writes `files` and closes the node; any failure powers the node off."""
    writes = "\n".join(_write(path, text) for path, text in files.items())
    units = f"systemctl daemon-reload\nsystemctl enable --now {_UNIT}\n" if files else ""
    return f"""\
#!/bin/sh
# Fail closed: a node without its rules must not join.
set -eu
umask 077
closed() {{
  status=$?
  if [ "$status" -ne 0 ]; then
    echo "sequester: user data failed with status $status: this node powers off" >/dev/console
    systemctl mask --now kubelet.service || true
    systemctl poweroff --force
  fi
}}
trap closed EXIT
for unit in sshd.service amazon-ssm-agent.service; do
  systemctl disable --now "$unit" || true # nobody logs in; an AMI may lack either
done
{writes}
{units}"""


def _write(path: str, text: str) -> str:
    folder = path.rsplit("/", 1)[0]
    if "\nSEQUESTER_EOF\n" in f"\n{text}":
        raise ValueError(f"{path}: the text contains the mark that ends it")
    return f"mkdir -p {folder}\ncat >{path} <<'SEQUESTER_EOF'\n{text}SEQUESTER_EOF"
