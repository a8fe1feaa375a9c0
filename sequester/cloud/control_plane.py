"""A real Kubernetes control plane on loopback: etcd, API server, controllers, scheduler; no node, no container.

Everything that admits, refuses, binds, expires and collects objects is real, so Pod Security admission,
ValidatingAdmissionPolicy, RBAC, the Node authorizer and the audit log behave as on EKS. It is ready in about two
seconds and takes about half a gigabyte.
"""

import json
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import trustme
import urllib3
import yaml

from sequester.cloud.kubernetes_api import ApiError, Json, KubernetesApi

EXECUTABLES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
SERVICE_CIDR = "10.100.0.0/16"
"""What EKS uses where the VPC is not in 10.0.0.0/8's way."""

_READY_SECONDS = 60
_STOP_SECONDS = 90  # kube-apiserver drains for up to a minute

_HOST = "127.0.0.1"
_COMPONENTS = ("system:kube-controller-manager", "system:kube-scheduler")

# Levels and stages as the EKS best practices guide prints EKS's own audit policy, in effect if not in letter: secrets,
# configuration and token requests without bodies, reads with the request, writes with request and answer.
AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {
            "level": "None",
            "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/version", "/swagger*", "/openapi*"],
        },
        {"level": "None", "resources": [{"group": "", "resources": ["events"]}]},
        {"level": "None", "users": list(_COMPONENTS), "resources": [{"group": "coordination.k8s.io"}]},
        {
            "level": "Metadata",
            "resources": [
                {"group": "", "resources": ["secrets", "configmaps", "serviceaccounts/token"]},
                {"group": "authentication.k8s.io", "resources": ["tokenreviews"]},
            ],
        },
        {"level": "Request", "verbs": ["get", "list", "watch"]},
        {"level": "RequestResponse"},
    ],
}


class ControlPlaneError(RuntimeError):
    """A component that did not start, with the last that it said."""


@dataclass(frozen=True)
class ControlPlane:
    """A running control plane; see `running`."""

    admin: KubernetesApi
    """In `system:masters`: no RBAC applies to it, admission does."""
    folder: Path
    authority: trustme.CA
    """Signs the API server's certificate, and the kubelets' that it is to trust."""
    kubelet_client_ca: Path
    """What a kubelet verifies the API server's client certificate with."""

    @property
    def server(self) -> str:
        return self.admin.server

    def anonymous(self) -> KubernetesApi:
        """A client without any credential."""
        return KubernetesApi(self.server, self.admin.ca_pem, None)

    def service_account(self, namespace: str, name: str, *, seconds: int = 3600) -> KubernetesApi:
        """A client with the service account's own token, got by TokenRequest as a kubelet does; not impersonation."""
        wanted = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        status = cast(Json, self.admin.request("POST", path, wanted).or_raise()["status"])
        return KubernetesApi(self.server, self.admin.ca_pem, str(status["token"]))

    def node(self, name: str) -> KubernetesApi:
        """A client with a kubelet's rights, as the Node authorizer and NodeRestriction grant them to the node `name`.

        The name must be one of `running`'s `nodes`.
        """
        return KubernetesApi(self.server, self.admin.ca_pem, _token_of(self.folder, f"system:node:{name}"))

    def audit(self, where: Callable[["AuditEvent"], bool] = lambda _: True) -> list["AuditEvent"]:
        """The audit records so far that `where` accepts, oldest first."""
        whole_lines = (self.folder / "audit.log").read_text().split("\n")[:-1]
        events = (AuditEvent.read(json.loads(line)) for line in whole_lines)
        return [event for event in events if where(event)]

    def audited(self, where: Callable[["AuditEvent"], bool]) -> "AuditEvent":
        """The first audit record that `where` accepts; the server writes it when its answer is already out."""
        return wait_for(lambda: next(iter(self.audit(where)), None), "an audit record")


@dataclass(frozen=True)
class AuditEvent:
    """What tripwires read in a record of the API server's audit log; absent strings are empty."""

    user: str
    verb: str
    uri: str
    resource: str
    """`pods`, or `pods/attach`."""
    namespace: str
    name: str
    code: int
    message: str
    annotations: Mapping[str, str]
    record: Json
    """All of it."""

    @classmethod
    def read(cls, record: Json) -> "AuditEvent":
        """From a record of `audit.k8s.io/v1`."""
        target = cast(Mapping[str, str], record.get("objectRef", {}))
        answer = cast(Json, record.get("responseStatus", {}))
        kind, sub = target.get("resource", ""), target.get("subresource")
        return cls(
            user=str(cast(Json, record["user"]).get("username", "")),  # a refused token has none
            verb=str(record["verb"]),
            uri=str(record["requestURI"]),
            resource=f"{kind}/{sub}" if sub else kind,
            namespace=target.get("namespace", ""),
            name=target.get("name", ""),
            code=cast(int, answer.get("code", 0)),
            message=str(answer.get("message", "")),
            annotations=cast(Mapping[str, str], record.get("annotations", {})),
            record=record,
        )


_T = TypeVar("_T")


def wait_for(what: Callable[[], _T | None], named: str, *, seconds: float = 30) -> _T:
    """The first answer of `what` that is not None, asked every 50 ms; a TimeoutError that names it otherwise."""
    ends = time.monotonic() + seconds
    while True:
        found = what()
        if found is not None:
            return found
        if time.monotonic() > ends:
            raise TimeoutError(f"{named}: not there after {seconds:g} s")
        time.sleep(0.05)


@contextmanager
def running(
    find: Callable[[str], Path | None],
    *,
    nodes: tuple[str, ...] = ("node-a", "node-b"),
    service_cidr: str = SERVICE_CIDR,
) -> Generator[ControlPlane]:
    """A control plane of its own in a temporary folder, stopped and removed at the end.

    `find` gives the path of each of EXECUTABLES; `nodes` are the names for which a kubelet's credential exists.
    """
    executables = {name: find(name) for name in EXECUTABLES}
    missing = [name for name, path in executables.items() if path is None]
    if missing:
        raise ControlPlaneError(f"{', '.join(missing)}: not found; `make tools` builds them")
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="sequester-control-plane-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        authority = trustme.CA()
        admin = _write_credentials(folder, authority, nodes)
        etcd_port, api_port = stack.enter_context(_held_port()), stack.enter_context(_held_port())
        api = KubernetesApi(f"https://{_HOST}:{api_port}", (folder / "ca.pem").read_text(), admin)
        for component in _COMPONENTS:
            token = _token_of(folder, component)
            kubeconfig = KubernetesApi(api.server, api.ca_pem, token).kubeconfig()
            (folder / f"{component.removeprefix('system:')}.kubeconfig").write_text(kubeconfig)
        processes: dict[str, subprocess.Popen[bytes]] = {}
        stack.callback(_stop, processes)
        for name, arguments in _arguments(folder, etcd_port, api_port, service_cidr).items():
            if name == "kube-controller-manager":  # it gives up after ten seconds, which a busy machine can take
                _await(api, processes, folder, ("/readyz",))
            with (folder / f"{name}.log").open("wb") as log:
                processes[name] = subprocess.Popen(
                    [str(executables[name]), *arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=folder
                )
        _await(api, processes, folder, ("/readyz", "/api/v1/namespaces/default/serviceaccounts/default"))
        yield ControlPlane(api, folder, authority, folder / "ca.pem")


def _write_credentials(folder: Path, authority: trustme.CA, nodes: tuple[str, ...]) -> str:
    """Certificates, the service accounts' key and tokens for all who are no service account; the admin's token."""
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    serving = authority.issue_cert(_HOST, "localhost", "kubernetes.default.svc", common_name="kube-apiserver")
    to_kubelet = authority.issue_cert("kube-apiserver", common_name="kube-apiserver-kubelet-client")
    for name, leaf in {"serving": serving, "to-kubelet": to_kubelet}.items():
        leaf.private_key_pem.write_to_path(str(folder / f"{name}.key"))
        for pem in leaf.cert_chain_pems:
            pem.write_to_path(str(folder / f"{name}.pem"), append=True)
    trustme.CA().private_key_pem.write_to_path(str(folder / "service-accounts.key"))
    users = [("admin", '"system:masters"'), *((component, "") for component in _COMPONENTS)]
    users += [(f"system:node:{node}", '"system:nodes"') for node in nodes]
    rows = [f"{secrets.token_hex(16)},{user},{user},{groups}" for user, groups in users]
    tokens = folder / "tokens.csv"
    tokens.touch(mode=0o600)
    tokens.write_text("\n".join(rows) + "\n")
    (folder / "audit-policy.yaml").write_text(yaml.safe_dump(AUDIT_POLICY))
    return _token_of(folder, "admin")


def _token_of(folder: Path, user: str) -> str:
    rows = (line.split(",") for line in (folder / "tokens.csv").read_text().splitlines())
    found = next((row[0] for row in rows if row[1] == user), None)
    if found is None:
        raise ControlPlaneError(f"{user}: no credential was made for it when the control plane started")
    return found


def _arguments(folder: Path, etcd_port: int, api_port: int, service_cidr: str) -> dict[str, list[str]]:
    """What each component is started with."""
    etcd = f"http://{_HOST}:{etcd_port}"
    followers = ["--leader-elect=false", f"--bind-address={_HOST}", "--secure-port=0"]
    return {
        "etcd": [
            f"--data-dir={folder}/etcd",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls=http://{_HOST}:0",
            "--unsafe-no-fsync",  # it lives as long as the test
            "--socket-reuse-port",
            "--log-level=warn",
        ],
        "kube-apiserver": [
            f"--etcd-servers={etcd}",
            f"--bind-address={_HOST}",
            f"--secure-port={api_port}",
            "--permit-port-sharing",
            "--endpoint-reconciler-type=none",  # a loopback address is no valid endpoint
            f"--tls-cert-file={folder}/serving.pem",
            f"--tls-private-key-file={folder}/serving.key",
            f"--token-auth-file={folder}/tokens.csv",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",  # as on EKS: what refuses a privileged pod must be our policy
            f"--service-account-issuer=https://{_HOST}:{api_port}",
            f"--service-account-key-file={folder}/service-accounts.key",
            f"--service-account-signing-key-file={folder}/service-accounts.key",
            f"--service-cluster-ip-range={service_cidr}",
            f"--kubelet-certificate-authority={folder}/ca.pem",
            f"--kubelet-client-certificate={folder}/to-kubelet.pem",
            f"--kubelet-client-key={folder}/to-kubelet.key",
            "--kubelet-preferred-address-types=InternalIP",
            f"--audit-policy-file={folder}/audit-policy.yaml",
            f"--audit-log-path={folder}/audit.log",
        ],
        "kube-controller-manager": [
            f"--kubeconfig={folder}/kube-controller-manager.kubeconfig",
            "--use-service-account-credentials=true",  # each controller with its own rights, as on EKS
            f"--service-account-private-key-file={folder}/service-accounts.key",
            f"--root-ca-file={folder}/ca.pem",
            "--kube-api-qps=1000",  # the default of 20 makes it wait five seconds for its own tokens
            "--kube-api-burst=1000",
            "--concurrent-namespace-syncs=10",
            *followers,
        ],
        "kube-scheduler": [f"--kubeconfig={folder}/kube-scheduler.kubeconfig", *followers],
    }


def _await(
    api: KubernetesApi, processes: Mapping[str, subprocess.Popen[bytes]], folder: Path, paths: tuple[str, ...]
) -> None:
    """Until all paths are there (the controllers make the default service account), or one of the processes gave up."""

    def ready() -> bool | None:
        for name, process in processes.items():
            if process.poll() is not None:
                raise ControlPlaneError(
                    f"{name} left with {process.returncode}:\n{_last_lines(folder / f'{name}.log')}"
                )
        try:
            return all(api.request("GET", path).status == 200 for path in paths) or None
        except (urllib3.exceptions.HTTPError, ApiError):
            return None

    try:
        wait_for(ready, "the control plane", seconds=_READY_SECONDS)
    except TimeoutError as error:
        logs = "\n".join(f"{name}: {_last_lines(folder / f'{name}.log')}" for name in processes)
        raise ControlPlaneError(f"{error}\n{logs}") from error


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-5:])


def _stop(processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """Ends them, the API server before its store, and waits until they have left their ports."""
    for name in reversed(list(processes)):
        process = processes[name]
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _held_port() -> Generator[int]:
    """A port that stays ours: a component that asks for SO_REUSEPORT shares it, and nobody else is given it.

    Let go before the component listens, it would be free for whoever asks for any port in between.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((_HOST, 0))
        yield int(held.getsockname()[1])
