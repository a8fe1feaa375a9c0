"""Whether network policies hold at all: what the VPC CNI is told, by its add-on, its DaemonSet or its ConfigMap.

Settings: https://github.com/aws/amazon-vpc-cni-k8s#cni-configuration-variables and the add-on's own schema (`aws eks
describe-addon-configuration`). One that nobody has reviewed leaves open what it does to pods' interfaces.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from sequester.proof.certificate import Obligation
from sequester.proof.decide import Finding
from sequester.proof.facts import items, mapping
from sequester.proof.model import Model
from sequester.proof.verdict import Hop, Witness

_MODE = "NETWORK_POLICY_ENFORCING_MODE"
_AGENT, _SPACE = "aws-node", "kube-system"
_OFF = frozenset({"", "false"})

# Settings that change how many addresses a node keeps, whence packets seem to come, and what is logged: no more.
_REVIEWED = frozenset(
    """
    ADDITIONAL_ENI_TAGS ANNOTATE_POD_IP AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE
    AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_DEFAULT_REGION AWS_REGION AWS_ROLE_ARN AWS_STS_REGIONAL_ENDPOINTS
    AWS_VPC_CNI_NODE_PORT_SUPPORT AWS_VPC_ENI_MTU AWS_VPC_K8S_CNI_CONFIGURE_RPFILTER AWS_VPC_K8S_CNI_CONNMARK
    AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS AWS_VPC_K8S_CNI_EXTERNALSNAT AWS_VPC_K8S_CNI_LOGLEVEL
    AWS_VPC_K8S_CNI_LOG_FILE AWS_VPC_K8S_CNI_RANDOMIZESNAT AWS_VPC_K8S_CNI_VETHPREFIX
    AWS_VPC_K8S_PLUGIN_LOG_FILE AWS_VPC_K8S_PLUGIN_LOG_LEVEL AWS_WEB_IDENTITY_TOKEN_FILE CLUSTER_ENDPOINT
    CLUSTER_NAME DISABLE_INTROSPECTION DISABLE_LEAKED_ENI_CLEANUP DISABLE_METRICS
    DISABLE_NETWORK_RESOURCE_PROVISIONING DISABLE_POD_V6 DISABLE_TCP_EARLY_DEMUX ENABLE_BANDWIDTH_PLUGIN
    ENABLE_IPv4 ENABLE_IPv6 ENABLE_NFTABLES ENABLE_POD_ENI ENABLE_PREFIX_DELEGATION ENABLE_SUBNET_DISCOVERY
    ENI_CONFIG_ANNOTATION_DEF ENI_CONFIG_LABEL_DEF INTROSPECTION_BIND_ADDRESS IP_COOLDOWN_PERIOD MAX_ENI
    MINIMUM_IP_TARGET MY_NODE_NAME MY_POD_NAME POD_MTU POD_SECURITY_GROUP_ENFORCING_MODE VPC_CNI_VERSION VPC_ID
    WARM_ENI_TARGET WARM_IP_TARGET WARM_PREFIX_TARGET WATCH_NAMESPACE
    """.split()  # noqa: SIM905  (a list of words reads better than a column)
) | {_MODE}
# They give pods further interfaces, or interfaces elsewhere, unless they are off.
_MUST_BE_OFF: Mapping[str, str] = {
    "AWS_MANAGE_ENIS_NON_SCHEDULABLE": "has the plugin manage interfaces that it else leaves alone",
    "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG": "gives pods interfaces in the subnets and groups of an ENIConfig",
    "ENABLE_MULTI_NIC": "gives pods several interfaces",
    "ENABLE_V4_EGRESS": "gives pods a second way to send IPv4",
    "ENABLE_V6_EGRESS": "gives pods a second way to send IPv6",
}
_REVIEWED_VALUES = frozenset(
    """
    affinity branchENICooldown enableNetworkPolicy enableWindowsIpam enableWindowsPrefixDelegation eniConfig env init
    livenessProbe livenessProbeTimeoutSeconds minimumWindowsIPTarget nodeAgent nodeSelector podAnnotations podLabels
    priorityClassName readinessProbe readinessProbeTimeoutSeconds resources terminationGracePeriodSeconds tolerations
    updateStrategy warmWindowsIPTarget warmWindowsPrefixTarget
    """.split()  # noqa: SIM905
)
_REVIEWED_AGENT = frozenset(
    """
    conntrackCacheCleanupPeriod enableCloudWatchLogs enableIpv6 enablePolicyEventLogs enabled healthProbeBindAddr
    logLevel metricsBindAddr networkPolicyAgentLogFileLocation resources
    """.split()  # noqa: SIM905
)


@dataclass(frozen=True)
class _Told:
    """What one place tells the plugin, in the form of the add-on's configuration values."""

    where: str
    values: Mapping[str, object]

    @property
    def env(self) -> Mapping[str, object]:
        return mapping(self.values.get("env"), self.where)

    @property
    def off(self) -> str:
        """The setting by which policies are not enforced; the empty text where they are."""
        agent = mapping(self.values.get("nodeAgent"), self.where)
        if str(self.values.get("enableNetworkPolicy")).lower() != "true":
            return f"enableNetworkPolicy: {self.values.get('enableNetworkPolicy', 'not set')}"
        if str(agent.get("enabled", "true")).lower() != "true":
            return f"nodeAgent.enabled: {agent.get('enabled')}"
        return ""


def from_the_first_packet(model: Model) -> Iterator[Finding]:
    """E5: policies are enforced, and a pod sends nothing before they are (strict mode)."""
    told = list(_told(model))
    for name in _untold(model, told):
        yield Witness(
            f"nothing enforces network policies on {name}",
            (Hop(name, "has no vpc-cni add-on with enableNetworkPolicy"),),
            "add the vpc-cni add-on with enableNetworkPolicy and strict mode",
            absent=True,
        )
    if not model.clusters and not told:
        yield "which network plugin enforces policies, and from when on, is not in the facts"
    yield from _unenforced(model, told, lambda where: f"{where} does not enforce network policies")
    for one in told:
        if one.off:
            continue
        mode = one.env.get(_MODE)
        if mode != "strict":
            yield Witness(
                f"a new pod on {one.where} sends freely until its policies arrive",
                (Hop(f"{one.where} vpc-cni", f"{_MODE}: {mode or 'standard, the default'}"),),
                f"set {_MODE}: strict in the add-on's configuration values",
            )
        else:
            yield Obligation(one.where, "denies a pod's packets until its policies are in place")


def unenforced(model: Model, what: str) -> Iterator[Finding]:
    """For claims that count on policies: a way out where none is enforced. `what` is what pods then do.

    Says nothing where no cluster is in the facts: E5 says that the plugin is not known.
    """
    told = list(_told(model))
    for name in _untold(model, told):
        yield f"whether anything enforces network policies on {name} is not in the facts"
    yield from _unenforced(model, told, lambda where: f"{what}: {where} does not enforce network policies")


def _unenforced(model: Model, told: Iterable[_Told], said: Callable[[str], str]) -> Iterator[Finding]:
    for one in told:
        if one.off:
            how = (Hop("a pod", "is under network policies"), Hop(f"{one.where} vpc-cni", one.off))
            yield Witness(said(one.where), how, 'set enableNetworkPolicy: "true", and leave the node agent on')
        yield from _unreviewed(one)
    for one in model.manifests:
        if one.get("kind") == "ConfigMap" and _named(one) == (_SPACE, "amazon-vpc-cni"):
            flag = mapping(one.get("data"), "amazon-vpc-cni").get("enable-network-policy-controller", "true")
            if str(flag).lower() != "true":
                where = f"ConfigMap {_SPACE}/amazon-vpc-cni"
                how = (
                    Hop("a pod", "is under network policies"),
                    Hop(where, f"enable-network-policy-controller: {flag}"),
                )
                yield Witness(said(where), how, f'set enable-network-policy-controller of {where} to "true"')


def _unreviewed(one: _Told) -> Iterator[str]:
    env = {**mapping(mapping(one.values.get("init"), one.where).get("env"), one.where), **one.env}
    for key, value in env.items():
        if key in _MUST_BE_OFF:
            if str(value).lower() not in _OFF:
                yield f"{one.where} vpc-cni: {key} {_MUST_BE_OFF[key]}: it is not modelled"
        elif key not in _REVIEWED:
            yield f"{one.where} vpc-cni: what {key} does to pods' interfaces has not been reviewed"
    if str(mapping(one.values.get("eniConfig"), one.where).get("create")).lower() == "true":
        yield f"{one.where} vpc-cni: eniConfig gives pods interfaces in other subnets: it is not modelled"
    strange = [*(one.values.keys() - _REVIEWED_VALUES)]
    strange += [f"nodeAgent.{key}" for key in mapping(one.values.get("nodeAgent"), one.where).keys() - _REVIEWED_AGENT]
    yield from (f"{one.where} vpc-cni: what {key} does has not been reviewed" for key in sorted(strange))


def _told(model: Model) -> Iterator[_Told]:
    for name, cluster in model.clusters.items():
        addons = mapping(cluster.get("addons"), name)
        if "vpc-cni" in addons:
            yield _Told(name, mapping(addons["vpc-cni"], name))
    for one in model.manifests:
        if one.get("kind") == "DaemonSet" and _named(one) == (_SPACE, _AGENT):
            yield _Told(f"DaemonSet {_SPACE}/{_AGENT}", _of_daemon(one))


def _untold(model: Model, told: list[_Told]) -> Iterator[str]:
    """Clusters without an add-on, where no DaemonSet is there either."""
    if not any(one.where.startswith("DaemonSet") for one in told):
        yield from (name for name in model.clusters if all(one.where != name for one in told))


def guards_hold(model: Model) -> Iterator[str]:
    """What a node's own rules count on, where the plugin's DaemonSet says it otherwise than its add-on: E1's doubts."""
    for one in _told(model):
        if not one.where.startswith("DaemonSet") or not any(place.guarded for place in model.places.values()):
            continue
        if str(one.env.get("DISABLE_POD_V6")).lower() != "true":
            yield f"{one.where} leaves pods their IPv6 (DISABLE_POD_V6), whatever the add-on says"
        if str(one.env.get("AWS_VPC_K8S_CNI_VETHPREFIX", "eni")) != "eni":
            yield f"{one.where} names pods' interfaces so that the nodes' rules do not know them"


def _of_daemon(one: Mapping[str, object]) -> Mapping[str, object]:
    """The settings of aws-node's pods: https://github.com/aws/amazon-vpc-cni-k8s, `config/master/aws-k8s-cni.yaml`."""
    pod = mapping(mapping(mapping(one.get("spec"), _AGENT).get("template"), _AGENT).get("spec"), _AGENT)
    env: dict[str, object] = {}
    arguments: list[str] = []
    for raw in items(pod.get("containers"), _AGENT):
        container = mapping(raw, _AGENT)
        arguments += [str(a) for key in ("command", "args") for a in items(container.get(key), _AGENT)]
        if container.get("name") == _AGENT:
            for pair in items(container.get("env"), _AGENT):
                env[str(mapping(pair, _AGENT).get("name"))] = mapping(pair, _AGENT).get("value", "")
    return {"enableNetworkPolicy": str("--enable-network-policy=true" in arguments).lower(), "env": env}


def _named(one: Mapping[str, object]) -> tuple[str, str]:
    meta = mapping(one.get("metadata"), "metadata")
    return str(meta.get("namespace") or "default"), str(meta.get("name"))
