"""The names and ARNs of everything in a stack, computed from settings, so that a preview knows them all."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.settings import Settings


@dataclass(frozen=True)
class Names:
    """What things are called in one stack. No method looks anything up."""

    name: str
    account: str
    region: str
    extra_tags: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, settings: Settings) -> "Names":
        """The names of a stack with these settings."""
        return cls(settings.name, settings.account, settings.region, settings.tags)

    def tags(self, name: str | None = None, **more: str) -> dict[str, str]:
        """The tags of one resource: the owner's, the blueprint's, and `Name`."""
        own = {"sequester:stack": self.name, **({"Name": name} if name else {}), **more}
        return {**self.extra_tags, **own}

    def arn(self, service: str, resource: str) -> str:
        """`arn:aws:<service>:<region>:<account>:<resource>`."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    @property
    def cluster(self) -> str:
        """The EKS cluster."""
        return self.name

    @property
    def cluster_arn(self) -> str:
        """ARN of the EKS cluster."""
        return self.arn("eks", f"cluster/{self.cluster}")

    def role(self, what: str) -> str:
        """An IAM role: `flow-logs`, `sandbox-node`, ..."""
        return f"{self.name}-{what}"

    def role_arn(self, what: str) -> str:
        """ARN of an IAM role of ours; IAM has no region."""
        return f"arn:aws:iam::{self.account}:role/{self.role(what)}"

    def door(self, tenant: str) -> str:
        """A tenant's door function."""
        return f"{self.name}-door-{tenant}"

    def door_arn(self, tenant: str) -> str:
        """ARN of a tenant's door function, without version or alias."""
        return self.arn("lambda", f"function:{self.door(tenant)}")

    @property
    def repositories(self) -> str:
        """Prefix of our ECR repositories: images lie in `<name>/...`."""
        return f"{self.name}"

    @property
    def registry(self) -> str:
        """Host of our ECR registry."""
        return f"{self.account}.dkr.ecr.{self.region}.amazonaws.com"

    @property
    def flow_log_group(self) -> str:
        """What the VPC's interfaces sent and received."""
        return f"/sequester/{self.name}/flow"

    @property
    def resolver_log_group(self) -> str:
        """Names that nodes asked for."""
        return f"/sequester/{self.name}/resolver"

    @property
    def container_log_group(self) -> str:
        """What the supervisors in sandboxes, and other containers, say on stderr."""
        return f"/sequester/{self.name}/containers"

    @property
    def cluster_log_group(self) -> str:
        """EKS's control plane, and the network policy agents; EKS prescribes the name."""
        return f"/aws/eks/{self.cluster}/cluster"

    def door_log_group(self, tenant: str) -> str:
        """A tenant's door; Lambda prescribes the name."""
        return f"/aws/lambda/{self.door(tenant)}"

    def log_group_arn(self, log_group: str) -> str:
        """ARN of a log group, as a KMS encryption context has it (without `:*`)."""
        return self.arn("logs", f"log-group:{log_group}")
