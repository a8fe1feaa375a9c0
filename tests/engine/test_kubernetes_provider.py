"""The embedded `kubernetes` provider under the real engine, against a real API server: the whole life of objects."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pulumi
import pulumi_kubernetes as k8s
import pytest
import trustme
import yaml
from pulumi import automation as auto

import tools
from sequester.cloud import kubernetes_provider, plugin
from sequester.cloud.control_plane import EXECUTABLES, ControlPlane
from sequester.cloud.kubernetes_api import Json, KubernetesApi

pytestmark = [pytest.mark.lane("engine", "pulumi", *EXECUTABLES), pytest.mark.xdist_group("engine")]

Program = Callable[[], None]
PROJECT = "kubernetes-provider"


class Deployment:
    """One stack of inline programs, in a Pulumi home and a namespace of its own."""

    def __init__(self, folder: Path, plane: ControlPlane) -> None:
        self.folder, self.plane = folder, plane
        self._stack: auto.Stack | None = None
        self.namespace = f"engine-{uuid4().hex[:8]}"
        plugin.install(folder / "home", "kubernetes", kubernetes_provider.VERSION, kubernetes_provider.__name__)
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(plane.admin.kubeconfig())
        (folder / "bin").mkdir()
        (folder / "bin" / "pulumi").symlink_to(str(tools.find("pulumi")))
        backend = auto.ProjectBackend(f"file://{folder}")
        self.options = auto.LocalWorkspaceOptions(
            work_dir=str(folder),
            pulumi_home=str(folder / "home"),
            pulumi_command=auto.PulumiCommand(root=str(folder)),
            project_settings=auto.ProjectSettings(PROJECT, "python", backend=backend),
            env_vars={
                "PULUMI_CONFIG_PASSPHRASE": "embedded",
                "PULUMI_SKIP_UPDATE_CHECK": "1",
                "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
                kubernetes_provider.KUBECONFIG_VARIABLE: str(kubeconfig),
            },
        )

    def stack(self, program: Program) -> auto.Stack:
        """The stack with this program; it is made once, for each start of the engine's command takes its time."""
        if self._stack is None:
            self._stack = auto.create_stack("test", PROJECT, program, opts=self.options)
        self._stack.workspace.program = program
        return self._stack

    def up(self, program: Program) -> dict[str, int]:
        return {str(step): count for step, count in (self.stack(program).up().summary.resource_changes or {}).items()}

    def read(self, kind: str, name: str, api_version: str = "v1", namespace: str | None = None) -> Json | None:
        meta = {"name": name, "namespace": namespace or self.namespace}
        return self.plane.admin.read({"apiVersion": api_version, "kind": kind, "metadata": meta})


@pytest.fixture
def deployment(tmp_path: Path, control_plane: ControlPlane) -> Iterator[Deployment]:
    made = Deployment(tmp_path, control_plane)
    yield made
    control_plane.admin.request("DELETE", f"/api/v1/namespaces/{made.namespace}")


def namespaced(
    deployment: Deployment, *, cidr: str = "192.0.2.0/24", role: str = "a", policy: str = "egress"
) -> Program:
    """A namespace with a network policy, roles and a binding in it."""

    def program() -> None:
        name = deployment.namespace
        inside = pulumi.ResourceOptions(depends_on=[k8s.core.v1.Namespace("ns", metadata={"name": name})])
        k8s.networking.v1.NetworkPolicy(
            "policy",
            metadata={"name": policy, "namespace": name},
            spec={"pod_selector": {}, "policy_types": ["Egress"], "egress": [{"to": [{"ip_block": {"cidr": cidr}}]}]},
            opts=inside,
        )
        k8s.rbac.v1.RoleBinding(
            "binding",
            metadata={"name": "binding", "namespace": name},
            role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "Role", "name": role},
            subjects=[{"kind": "ServiceAccount", "name": "default", "namespace": name}],
            opts=inside,
        )
        k8s.core.v1.Secret(
            "secret", metadata={"name": "s", "namespace": name}, string_data={"k": "only-here"}, opts=inside
        )

    return program


def cidr_of(policy: Json | None) -> str:
    assert policy is not None
    return policy["spec"]["egress"][0]["to"][0]["ipBlock"]["cidr"]  # type: ignore[index]


def test_the_whole_life_of_a_stack(deployment: Deployment) -> None:
    program = namespaced(deployment)
    preview = deployment.stack(program).preview()
    assert preview.change_summary == {"create": 5}
    assert deployment.read("Namespace", deployment.namespace) is None  # a preview changes nothing

    assert deployment.up(program) == {"create": 5}
    policy = deployment.read("NetworkPolicy", "egress", "networking.k8s.io/v1")
    assert cidr_of(policy) == "192.0.2.0/24"
    assert {entry["manager"] for entry in policy["metadata"]["managedFields"]} == {"pulumi-kubernetes"}  # type: ignore[index]

    assert deployment.up(program) == {"same": 5}

    assert deployment.up(namespaced(deployment, cidr="198.51.100.0/24")) == {"same": 4, "update": 1}
    assert cidr_of(deployment.read("NetworkPolicy", "egress", "networking.k8s.io/v1")) == "198.51.100.0/24"

    before = deployment.read("RoleBinding", "binding", "rbac.authorization.k8s.io/v1")
    changed = namespaced(deployment, cidr="198.51.100.0/24", role="b", policy="renamed")
    assert deployment.up(changed) == {"same": 3, "replace": 2}
    after = deployment.read("RoleBinding", "binding", "rbac.authorization.k8s.io/v1")
    assert before is not None and after is not None
    assert after["roleRef"]["name"] == "b"  # type: ignore[index]
    assert after["metadata"]["uid"] != before["metadata"]["uid"]  # type: ignore[index]
    assert deployment.read("NetworkPolicy", "egress", "networking.k8s.io/v1") is None
    assert deployment.read("NetworkPolicy", "renamed", "networking.k8s.io/v1") is not None

    state = (deployment.folder / ".pulumi" / "stacks" / PROJECT / "test.json").read_text()
    assert "renamed" in state
    assert "only-here" not in state  # a Secret's content is encrypted there, whatever the program says
    assert "b25seS1oZXJl" not in state

    deployment.stack(program).destroy()
    assert deployment.read("Namespace", deployment.namespace) is None  # gone, not going


def test_drift_is_found_by_a_refresh_and_mended(deployment: Deployment) -> None:
    program = namespaced(deployment)
    deployment.up(program)
    path = f"/apis/networking.k8s.io/v1/namespaces/{deployment.namespace}/networkpolicies/egress"
    everything: Json = {"spec": {"egress": [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}}
    merge = "application/merge-patch+json"
    deployment.plane.admin.request("PATCH", path, everything, content_type=merge).or_raise()
    assert deployment.up(program) == {"same": 5}  # as with every provider: drift is seen by a refresh only
    deployment.stack(program).refresh()
    with pytest.raises(auto.CommandError, match="conflict with"):  # somebody else's field now, and said so
        deployment.up(program)
    deployment.plane.admin.request("DELETE", path).or_raise()
    deployment.stack(program).refresh()
    assert deployment.up(program) == {"same": 4, "create": 1}
    assert cidr_of(deployment.read("NetworkPolicy", "egress", "networking.k8s.io/v1")) == "192.0.2.0/24"


REFUSED: dict[str, tuple[Callable[[Deployment], Program], str]] = {
    "a bad CIDR": (
        lambda _: (
            lambda: _thing("networking.k8s.io/v1", "NetworkPolicy", egress=[{"to": [{"ipBlock": {"cidr": "x"}}]}])
        ),
        r'NetworkPolicy default/thing: NetworkPolicy.*is invalid:.*Invalid value: "x"',
    ),
    "a kind that does not exist": (
        lambda _: lambda: _thing("sequester.test/v1", "Nothing"),
        r"Nothing default/thing: no matches for kind Nothing in version sequester.test/v1",
    ),
    "an unknown field": (
        lambda _: lambda: _thing("v1", "ConfigMap"),
        r"ConfigMap default/thing: .*spec: field not declared in schema",
    ),
    "no name": (
        lambda _: lambda: _made(k8s.core.v1.ConfigMap("nameless", metadata={"namespace": "default"})),
        r"property metadata.name .* is not given; names are chosen",
    ),
}


def _thing(api_version: str, kind: str, **spec: object) -> None:
    meta = {"name": "thing", "namespace": "default"}
    k8s.apiextensions.CustomResource("thing", api_version=api_version, kind=kind, metadata=meta, spec=spec)  # pyright: ignore[reportArgumentType]


def _made(_: pulumi.Resource) -> None:
    """For a lambda that makes a resource."""


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_server_refuses_fails_with_one_clear_line(deployment: Deployment, case: str) -> None:
    make, said = REFUSED[case]
    with pytest.raises(auto.CommandError, match=said) as refused:
        deployment.up(make(deployment))
    assert "Traceback" not in str(refused.value)
    deployment.stack(make(deployment)).destroy()


def test_a_definition_is_awaited_before_its_objects(deployment: Deployment) -> None:
    group = f"{deployment.namespace}.test"

    def program() -> None:
        schema: Any = {
            "type": "object",
            "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
        }
        definition = k8s.apiextensions.v1.CustomResourceDefinition(
            "definition",
            metadata={"name": f"things.{group}"},
            spec={
                "group": group,
                "names": {"kind": "Thing", "plural": "things"},
                "scope": "Cluster",
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"open_apiv3_schema": schema}}],
            },
        )
        k8s.apiextensions.CustomResource(
            "thing",
            api_version=f"{group}/v1",
            kind="Thing",
            metadata={"name": "one"},
            spec={"size": 3},
            opts=pulumi.ResourceOptions(depends_on=[definition]),
        )

    assert deployment.up(program) == {"create": 3}
    assert deployment.up(program) == {"same": 3}
    deployment.stack(program).destroy()
    assert deployment.read("CustomResourceDefinition", f"things.{group}", "apiextensions.k8s.io/v1") is None


def deployed(deployment: Deployment, *, skip: bool, seconds: str) -> Program:
    """A Deployment that can never become ready: no node would run it."""

    def program() -> None:
        ns = k8s.core.v1.Namespace("ns", metadata={"name": deployment.namespace})
        container: Any = {"name": "c", "image": "registry.example/x"}
        k8s.apps.v1.Deployment(
            "never",
            metadata={
                "name": "never",
                "namespace": deployment.namespace,
                "annotations": {"pulumi.com/skipAwait": "true"} if skip else {},
            },
            spec={
                "selector": {"match_labels": {"a": "b"}},
                "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [container]}},
            },
            opts=pulumi.ResourceOptions(
                depends_on=[ns], custom_timeouts=pulumi.CustomTimeouts(create=seconds, update=seconds)
            ),
        )

    return program


def test_a_deployment_is_awaited_unless_it_says_otherwise(deployment: Deployment) -> None:
    with pytest.raises(auto.CommandError, match=r"Deployment engine-\w+/never: not ready: it is not Available yet"):
        deployment.up(deployed(deployment, skip=False, seconds="1s"))
    state = deployment.stack(deployed(deployment, skip=False, seconds="1s")).export_stack().deployment
    assert "apps/v1:Deployment" in str(state)  # it exists, so the engine must know of it
    assert deployment.up(deployed(deployment, skip=True, seconds="1s"))["update"] == 1
    deployment.stack(deployed(deployment, skip=True, seconds="1s")).destroy()


def test_a_patch_sets_fields_and_gives_them_back(deployment: Deployment) -> None:
    deployment.plane.admin.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": deployment.namespace, "labels": {"own": "1"}}},
        manager="somebody",
    )

    def program() -> None:
        meta: Any = {"name": deployment.namespace, "labels": {"added": "2"}}
        k8s.core.v1.NamespacePatch("labels", metadata=meta)

    deployment.up(program)
    live = deployment.read("Namespace", deployment.namespace)
    assert live is not None and live["metadata"]["labels"].items() >= {"own": "1", "added": "2"}.items()  # type: ignore[index]
    deployment.stack(program).destroy()
    live = deployment.read("Namespace", deployment.namespace)
    assert live is not None and "added" not in live["metadata"]["labels"]  # type: ignore[index]
    assert live["metadata"]["labels"]["own"] == "1"  # type: ignore[index]


def test_an_existing_object_is_read(deployment: Deployment) -> None:
    def program() -> None:
        pulumi.export("phase", k8s.core.v1.Namespace.get("known", "kube-system").status.phase)

    stack = deployment.stack(program)
    assert stack.up().outputs["phase"].value == "Active"
    stack.destroy()


def test_an_unknown_value_stays_unknown_in_a_preview_and_is_applied_in_the_update(deployment: Deployment) -> None:
    seen: list[tuple[str | None, str | None]] = []

    def program() -> None:
        made = k8s.core.v1.Namespace("ns", metadata={"name": deployment.namespace})
        made.metadata.apply(lambda meta: seen.append((meta.name, meta.uid)))
        made.status.apply(lambda status: seen.append(("status", str(status))))
        uid = made.metadata.apply(lambda meta: str(meta.uid))
        held = k8s.core.v1.ConfigMap(
            "held", metadata={"name": "held", "namespace": deployment.namespace}, data={"uid": uid, "fixed": "1"}
        )
        pulumi.export("held", held.data)

    stack = deployment.stack(program)
    assert stack.preview().change_summary == {"create": 3}
    assert seen == [(deployment.namespace, None)]  # the name is known; a uid that a dry run made up is not passed on
    outputs = stack.up().outputs
    live = deployment.read("Namespace", deployment.namespace)
    assert live is not None
    assert outputs["held"].value == {"uid": live["metadata"]["uid"], "fixed": "1"}  # type: ignore[index]


NOBODY = KubernetesApi("https://127.0.0.1:1", trustme.CA().cert_pem.bytes().decode(), "x").kubeconfig()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "kubeconfig: is no YAML"),
        (NOBODY, "the API server cannot be reached: .*port=1"),
        (None, r"SEQUESTER_KUBECONFIG=.*: No such file.*: name a kubeconfig file"),
    ],
    ids=["malformed", "unreachable", "missing"],
)
def test_a_bad_kubeconfig_fails_with_one_clear_line(deployment: Deployment, text: str | None, said: str) -> None:
    kubeconfig = deployment.folder / "kubeconfig"
    kubeconfig.unlink() if text is None else kubeconfig.write_text(text)
    with pytest.raises(auto.CommandError, match=said):
        deployment.up(namespaced(deployment))


def test_a_provider_that_renders_writes_files_and_leaves_the_cluster_alone(deployment: Deployment) -> None:
    folder = deployment.folder / "yaml"

    def program(cidr: str) -> Program:
        def made() -> None:
            writer = k8s.Provider("yaml", render_yaml_to_directory=str(folder))
            k8s.core.v1.ConfigMap(
                "one",
                metadata={"name": deployment.namespace, "namespace": "default"},
                data={"cidr": cidr},
                opts=pulumi.ResourceOptions(provider=writer),
            )

        return made

    file = folder / "1-manifest" / f"v1-configmap-default-{deployment.namespace}.yaml"
    deployment.stack(program("192.0.2.0/24")).preview()
    assert not file.exists()
    deployment.up(program("192.0.2.0/24"))
    assert yaml.safe_load(file.read_text())["data"] == {"cidr": "192.0.2.0/24"}
    deployment.up(program("198.51.100.0/24"))
    assert yaml.safe_load(file.read_text())["data"] == {"cidr": "198.51.100.0/24"}
    assert deployment.read("ConfigMap", deployment.namespace, namespace="default") is None
    deployment.stack(program("198.51.100.0/24")).destroy()
    assert not file.exists()
