"""What a sandbox says on stdout and stderr, shipped from the node to its log group by Fluent Bit (claim E8).

It runs in the node's network with the node's role, which may write to streams of this prefix and nothing else.
"""

from infra.labels import SANDBOX_TAINT
from infra.manifests import Json, Manifest, manifest

NAMESPACE = "sequester-system"
STREAM_PREFIX = "container-"
_LABELS = {"app.kubernetes.io/name": "log-shipper"}
_BUFFER_MEGABYTES = 16


def log_shipper(image: str, log_group: str, region: str) -> list[Manifest]:
    """A DaemonSet on every node. image: pinned by digest, in our registry. log_group: exists already."""
    return [
        manifest(
            "v1",
            "Namespace",
            NAMESPACE,
            # hostPath and hostNetwork are what it is for; nobody but the platform may create pods here.
            labels={"pod-security.kubernetes.io/enforce": "privileged"},
        ),
        manifest("v1", "ServiceAccount", "log-shipper", namespace=NAMESPACE, automountServiceAccountToken=False),
        manifest(
            "v1",
            "ConfigMap",
            "log-shipper",
            namespace=NAMESPACE,
            data={"fluent-bit.conf": _configuration(log_group, region)},
        ),
        manifest(
            "apps/v1",
            "DaemonSet",
            "log-shipper",
            namespace=NAMESPACE,
            labels=_LABELS,
            spec={
                "selector": {"matchLabels": dict(_LABELS)},
                "template": {"metadata": {"labels": dict(_LABELS)}, "spec": _pod(image)},
            },
        ),
    ]


def _pod(image: str) -> Json:
    return {
        "serviceAccountName": "log-shipper",
        "automountServiceAccountToken": False,
        "hostNetwork": True,  # the node's role, by IMDS with a hop limit of 1; the node's resolver
        "dnsPolicy": "Default",
        "priorityClassName": "system-node-critical",
        "tolerations": [{"key": SANDBOX_TAINT, "operator": "Exists", "effect": "NoSchedule"}],
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "fluent-bit",
                "image": image,
                "args": ["/fluent-bit/bin/fluent-bit", "-c", "/etc/sequester/fluent-bit.conf"],
                "env": [
                    {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                ],
                "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"], "add": ["DAC_READ_SEARCH"]},  # logs are root's, mode 0640
                },
                "volumeMounts": [
                    {"name": "configuration", "mountPath": "/etc/sequester", "readOnly": True},
                    {"name": "logs", "mountPath": "/var/log", "readOnly": True},
                    {"name": "position", "mountPath": "/var/lib/sequester"},
                ],
            }
        ],
        "volumes": [
            {"name": "configuration", "configMap": {"name": "log-shipper"}},
            {"name": "logs", "hostPath": {"path": "/var/log", "type": "Directory"}},
            {"name": "position", "hostPath": {"path": "/var/lib/sequester", "type": "DirectoryOrCreate"}},
        ],
    }


def _configuration(log_group: str, region: str) -> str:
    """Only tenants' containers are read: file names are `<pod>_<namespace>_<container>-<id>`.

    Pod and namespace come from the file's name (`Use_Tag_For_Meta`: the API server is not asked), and a line that is
    JSON goes below `event`, where it can claim neither: tripwires read `kubernetes`, `stream` and `event`.
    """
    return f"""\
[SERVICE]
    Flush        1
    Daemon       off
    Log_Level    warn
    Parsers_File /fluent-bit/etc/parsers.conf

[INPUT]
    Name              tail
    Tag               container.*
    Path              /var/log/containers/*_*-sandbox_*.log,/var/log/containers/*_*-agent_*.log
    multiline.parser  cri
    DB                /var/lib/sequester/position.db
    Mem_Buf_Limit     {_BUFFER_MEGABYTES}MB
    Skip_Long_Lines   on
    Refresh_Interval  5

[FILTER]
    Name                kubernetes
    Match               container.*
    Kube_Tag_Prefix     container.var.log.containers.
    Use_Tag_For_Meta    on
    Merge_Log           on
    Merge_Log_Key       event
    Keep_Log            off

[OUTPUT]
    Name              cloudwatch_logs
    Match             container.*
    region            {region}
    log_group_name    {log_group}
    log_stream_prefix {STREAM_PREFIX}${{NODE}}-
    auto_create_group off
"""
