"""What is built where it is not installed: a family of executables each, pinned by its folder's go.mod and go.sum."""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Family:
    """Executables that are built from one Go module at one version."""

    name: str
    """The folder that holds go.mod and go.sum."""
    module: str
    packages: dict[str, str]
    """Executable to package, relative to the module."""
    stamps: tuple[str, ...] = ()
    """Linker settings that make an executable say its version; `{v}` is 1.2.3."""
    says_version: tuple[str, ...] = ("--version",)
    """Arguments with which an executable prints its version; () where none does."""
    minutes: int = 1
    """About how long a first build takes on two cores."""

    @property
    def folder(self) -> Path:
        return HERE / self.name

    @cached_property
    def version(self) -> str:
        """The pinned version, as `1.2.3`."""
        found = re.search(rf"^\s*(?:require )?{re.escape(self.module)} v(\S+)", self._pins, re.MULTILINE)
        if found is None:
            raise ValueError(f"{self.folder}/go.mod does not require {self.module}")
        return found.group(1)

    @cached_property
    def digest(self) -> str:
        """Of all that a build depends on but the Go toolchain; a changed pin builds anew."""
        recipe = repr((sorted(self.packages.items()), self.stamps))
        return hashlib.sha256((self._pins + recipe).encode()).hexdigest()[:16]

    @cached_property
    def _pins(self) -> str:
        return (self.folder / "go.mod").read_text() + (self.folder / "go.sum").read_text()


_KUBERNETES_VERSION = "k8s.io/component-base/version"

FAMILIES = (
    Family(
        "pulumi",
        "github.com/pulumi/pulumi/pkg/v3",
        {"pulumi": "cmd/pulumi"},
        stamps=("-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{v}",),
        says_version=("version",),
        minutes=4,
    ),
    Family(
        "kubernetes",
        "k8s.io/kubernetes",
        {name: f"cmd/{name}" for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")},
        stamps=(
            f"-X {_KUBERNETES_VERSION}.gitVersion=v{{v}}",
            f"-X {_KUBERNETES_VERSION}.gitMajor={{major}}",
            f"-X {_KUBERNETES_VERSION}.gitMinor={{minor}}",
        ),
        minutes=5,
    ),
    Family("etcd", "go.etcd.io/etcd/server/v3", {"etcd": ""}),
    Family("kwok", "sigs.k8s.io/kwok", {"kwok": "cmd/kwok"}),
    # Only for programs in a directory: this is the last version whose module has the Python language host. It runs
    # today's SDK, but no policy pack: keep it off the PATH of an engine that runs one.
    Family(
        "pulumi-language-python",
        "github.com/pulumi/pulumi/sdk/v3",
        {"pulumi-language-python": "python/cmd/pulumi-language-python"},
        says_version=(),
    ),
    # For programs in YAML, with which the policy pack is tried on a stack that is not Python.
    Family(
        "pulumi-language-yaml",
        "github.com/pulumi/pulumi-yaml",
        {"pulumi-language-yaml": "cmd/pulumi-language-yaml"},
        says_version=(),
        minutes=3,
    ),
)

FAMILY_OF = {executable: family for family in FAMILIES for executable in family.packages}
