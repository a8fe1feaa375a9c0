"""Which parts of a deployment are sandboxes and agents: the one input to a proof that is not a fact."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from sequester.proof.space import TCP, Prefix, Services, prefix, services


@dataclass(frozen=True, slots=True)
class Destination:
    """What a pod may reach: a prefix and services."""

    prefix: Prefix
    services: Services


# https://docs.aws.amazon.com/eks/latest/userguide/pod-id-how-it-works.html
POD_IDENTITY = Destination(prefix("169.254.170.23/32"), services(TCP, 80, 80))
IMDS = (prefix("169.254.169.254/32"), prefix("fd00:ec2::254/128"))


@dataclass(frozen=True, slots=True)
class Selector:
    """Shell patterns (`*`, `?`) on names and Name tags of subnets and on names of namespaces.

    `agent_destinations`: where agent pods may go besides the VPC's own addresses and the service range.
    `node_destinations`: if given, sandbox nodes may reach these and AWS-kept gateway lists only, not the whole VPC.
    """

    sandbox_subnets: tuple[str, ...] = ("*sandbox*",)
    agent_subnets: tuple[str, ...] = ("*system*", "*agent*")
    sandbox_namespaces: tuple[str, ...] = ("*-sandbox",)
    agent_namespaces: tuple[str, ...] = ("*-agent",)
    doors: tuple[str, ...] = ("*door*",)
    agent_destinations: tuple[Destination, ...] = (POD_IDENTITY,)
    trusted_accounts: tuple[str, ...] = ()
    """Accounts beside our own that requests may go to; each exception is an assumption of the proof."""
    reviewed: tuple[str, ...] = ()
    """Types and kinds (`aws:service/*`, `example.com/*/Kind`) that someone looked at: each is an assumption."""

    def role_of_subnet(self, *names: str) -> str:
        """``sandbox``, ``agent`` or ``""``. A subnet that matches both is a sandbox's."""
        if _matches(self.sandbox_subnets, names):
            return "sandbox"
        return "agent" if _matches(self.agent_subnets, names) else ""

    def role_of_namespace(self, name: str) -> str:
        if _matches(self.sandbox_namespaces, (name,)):
            return "sandbox"
        return "agent" if _matches(self.agent_namespaces, (name,)) else ""

    def is_door(self, *names: str) -> bool:
        return _matches(self.doors, names)


def _matches(patterns: tuple[str, ...], names: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names if name)
