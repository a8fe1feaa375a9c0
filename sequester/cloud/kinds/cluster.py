"""EKS clusters, node groups, access, add-ons and Pod Identity; ECR repositories and the registry."""

from typing import cast

from sequester.cloud.api import Aws, RefusedError
from sequester.cloud.kind import Call, Kind, code
from sequester.cloud.wire import Props

KEPT_OF_CLUSTER = (
    "accessConfig",
    "deletionProtection",
    "upgradePolicy",
    "zonalShiftConfig",
    "computeConfig",
    "storageConfig",
    "controlPlaneScalingConfig",
)
"""What moto drops of a cluster: kept, and put back into its answers."""


@code(
    takes="name version roleArn vpcConfig kubernetesNetworkConfig enabledClusterLogTypes encryptionConfig "
    "accessConfig bootstrapSelfManagedAddons upgradePolicy zonalShiftConfig computeConfig storageConfig "
    "deletionProtection remoteNetworkConfig tags kubeApiServerConfig kubeControllerManagerConfig "
    "kubeSchedulerConfig controlPlaneScalingConfig",
    gives="arn certificateAuthority createdAt endpoint identities platformVersion status",
)
def create_cluster(aws: Aws, state: Props) -> Props:
    """A cluster with what moto leaves out: its security group, its VPC, its endpoint access."""
    made = _CREATE_CLUSTER(aws, state, CLUSTER.schema)
    config = cast(Props, state["vpcConfig"])
    subnets = aws.call("ec2.describe_subnets", SubnetIds=config["subnetIds"])["Subnets"]
    vpcs = {subnet["VpcId"] for subnet in subnets}
    if len(vpcs) != 1 or len({subnet["AvailabilityZone"] for subnet in subnets}) < 2:
        aws.call("eks.delete_cluster", name=state["name"])
        raise RefusedError(
            "InvalidParameterException", "vpcConfig.subnetIds: subnets of one VPC in at least two zones are needed"
        )
    network: Props = {
        "subnetIds": config["subnetIds"],
        "securityGroupIds": config.get("securityGroupIds") or [],
        "endpointPublicAccess": config.get("endpointPublicAccess", True),
        "endpointPrivateAccess": config.get("endpointPrivateAccess", False),
        "publicAccessCidrs": config.get("publicAccessCidrs")
        or (["0.0.0.0/0"] if config.get("endpointPublicAccess", True) else []),
        "vpcId": vpcs.pop(),
        "clusterSecurityGroupId": _cluster_group(aws, str(state["name"]), str(subnets[0]["VpcId"])),
    }
    kept = {name: state[name] for name in KEPT_OF_CLUSTER if state.get(name) is not None}
    types = cast(list[str], state.get("enabledClusterLogTypes") or [])
    logging = {"clusterLogging": [{"types": types, "enabled": True}]}
    aws.keep("eks:name", str(state["name"]), resourcesVpcConfig=network, logging=logging, **kept)
    state["vpcConfig"] = {k: v for k, v in network.items() if v is not None}
    return made | {"vpcConfig": state["vpcConfig"]}


def _cluster_group(aws: Aws, name: str, vpc: str) -> str:
    """EKS makes a group for control plane and nodes: from itself, and out to anywhere (EKS guide, "sec-group-reqs")."""
    group = aws.call(
        "ec2.create_security_group",
        GroupName=f"eks-cluster-sg-{name}",
        Description="EKS created security group applied to ENI that is attached to EKS Control Plane master nodes",
        VpcId=vpc,
        TagSpecifications=[
            {"ResourceType": "security-group", "Tags": [{"Key": "aws:eks:cluster-name", "Value": name}]}
        ],
    )["GroupId"]
    v6 = {"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
    aws.call("ec2.revoke_security_group_egress", GroupId=group, IpPermissions=[v6])
    within = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}
    aws.call("ec2.authorize_security_group_ingress", GroupId=group, IpPermissions=[within])
    return str(group)


@code(takes="vpcConfig enabledClusterLogTypes accessConfig deletionProtection")
def change_cluster(aws: Aws, state: Props) -> None:
    """What EKS changes in place is kept beside moto, which changes nothing."""
    held = aws.call("eks.describe_cluster", name=state["name"])["cluster"]["resourcesVpcConfig"]
    given = {k: v for k, v in cast(Props, state["vpcConfig"]).items() if v is not None}
    types = cast(list[str], state.get("enabledClusterLogTypes") or [])
    aws.keep(
        "eks:name",
        str(state["name"]),
        resourcesVpcConfig=held | given,
        logging={"clusterLogging": [{"types": types, "enabled": True}]},
        **{name: state[name] for name in KEPT_OF_CLUSTER if state.get(name) is not None},
    )


@code()
def delete_cluster(aws: Aws, state: Props) -> None:
    """EKS takes its own group with it, and refuses while there are node groups or protection is on."""
    if state.get("deletionProtection"):
        raise RefusedError("InvalidRequestException", f"the cluster {state['name']} has deletion protection on")
    network = cast(Props, state["vpcConfig"])
    aws.call("eks.delete_cluster", name=state["name"])
    if network.get("clusterSecurityGroupId"):
        aws.call("ec2.delete_security_group", GroupId=network["clusterSecurityGroupId"])


_CREATE_CLUSTER = Call(
    "eks.create_cluster",
    names={
        "vpcConfig": "resourcesVpcConfig",
        "vpcConfig.clusterSecurityGroupId": "",
        "vpcConfig.vpcId": "",
        "enabledClusterLogTypes": "logging.clusterLogging.types",
        "encryptionConfig.resources": "resources",
    },
    at="cluster",
    outputs={
        "identities": "[identity]",
        "certificateAuthority": "certificateAuthority",
    },
    without=("vpcConfig.vpcId",),
)
CLUSTER = Kind(
    "aws:eks/cluster:Cluster",
    create=create_cluster,
    read=Call(
        "eks.describe_cluster", fixed={"name": "{id}"}, at="cluster", outputs={"identities": "[identity]"}, only=()
    ),
    changes=(change_cluster,),
    delete=delete_cluster,
    id="{name}",
    absent=frozenset({"clusterId"}),
)

_NODE_GROUP = {
    "nodeGroupName": "nodegroupName",
    "nodeRoleArn": "nodeRole",
    "subnetIds": "subnets",
    "scalingConfig.desiredSize": "desiredSize",
    "nodeGroupNamePrefix": "",
    "forceUpdateVersion": "",
}


@code(takes="labels taints scalingConfig updateConfig launchTemplate version releaseVersion")
def change_group(aws: Aws, state: Props) -> None:
    """What EKS changes in place; moto knows labels, taints and sizes, and no change of version."""
    versions = {name: state[name] for name in ("launchTemplate", "version", "releaseVersion") if state.get(name)}
    aws.keep("eks:nodegroupArn", str(state["arn"]), **versions)
    change: Props = {"scalingConfig": state["scalingConfig"]}
    if state.get("updateConfig"):
        change["updateConfig"] = state["updateConfig"]
    if state.get("labels"):
        change["labels"] = {"addOrUpdateLabels": state["labels"]}
    if state.get("taints"):
        change["taints"] = {"addOrUpdateTaints": state["taints"]}
    aws.call(
        "eks.update_nodegroup_config", clusterName=state["clusterName"], nodegroupName=state["nodeGroupName"], **change
    )


_CREATE_GROUP = Call("eks.create_nodegroup", names=_NODE_GROUP, at="nodegroup", outputs={"arn": "nodegroupArn"})


@code(
    takes="clusterName nodeGroupName nodeRoleArn subnetIds scalingConfig instanceTypes amiType capacityType diskSize "
    "labels launchTemplate nodeRepairConfig releaseVersion remoteAccess tags taints updateConfig version",
    gives="arn status",
)
def create_group(aws: Aws, state: Props) -> Props:
    """A node group of the cluster's version; moto makes up an old version and an SSH key pair."""
    made = _CREATE_GROUP(aws, state, NODE_GROUP.schema)
    cluster = aws.call("eks.describe_cluster", name=state["clusterName"])["cluster"]
    version = state.get("version") or cluster["version"]
    release = state.get("releaseVersion") or f"{version}.0-20260101"
    aws.keep(
        "eks:nodegroupArn",
        str(made["arn"]),
        version=version,
        releaseVersion=release,
        updateConfig=state.get("updateConfig") or {"maxUnavailable": 1},
        remoteAccess=state.get("remoteAccess"),
        diskSize=state.get("diskSize") or (None if state.get("launchTemplate") else 20),
    )
    made.pop("diskSize", None)
    return made | {"version": version, "releaseVersion": release}


NODE_GROUP = Kind(
    "aws:eks/nodeGroup:NodeGroup",
    create=create_group,
    read=Call(
        "eks.describe_nodegroup",
        fixed={"clusterName": "{clusterName}", "nodegroupName": "{nodeGroupName}"},
        at="nodegroup",
        outputs={"arn": "nodegroupArn"},
        only=(),
    ),
    changes=(change_group,),
    delete=Call("eks.delete_nodegroup", names=_NODE_GROUP, only=("clusterName", "nodeGroupName")),
    id="{clusterName}:{nodeGroupName}",
    absent=frozenset({"resources"}),
)


def cluster_exists(aws: Aws, state: Props) -> None:
    """A declared-only thing of a cluster needs the cluster."""
    aws.call("eks.describe_cluster", name=state["clusterName"])


def sound_access(aws: Aws, state: Props) -> None:
    """EKS access entries need a cluster that authenticates by its API."""
    cluster = aws.call("eks.describe_cluster", name=state["clusterName"])["cluster"]
    config = cast(Props, cluster.get("accessConfig") or {})
    if config.get("authenticationMode") not in ("API", "API_AND_CONFIG_MAP"):
        raise RefusedError(
            "InvalidRequestException",
            f"the cluster {state['clusterName']} must have an authentication mode of API or API_AND_CONFIG_MAP",
        )


_OF_CLUSTER = {"userName": "username"}
ACCESS_ENTRY = Kind(
    "aws:eks/accessEntry:AccessEntry",
    create=Call("eks.create_access_entry", names=_OF_CLUSTER, at="accessEntry"),
    read=Call(
        "eks.describe_access_entry",
        fixed={"clusterName": "{clusterName}", "principalArn": "{principalArn}"},
        at="accessEntry",
        only=(),
    ),
    changes=(
        Call(
            "eks.update_access_entry",
            names=_OF_CLUSTER,
            fixed={"clusterName": "{clusterName}", "principalArn": "{principalArn}"},
            only=("kubernetesGroups", "userName"),
        ),
    ),
    delete=Call("eks.delete_access_entry", only=("clusterName", "principalArn")),
    id="{clusterName}:{principalArn}",
    rules=(sound_access,),
    declared_only=True,
)
ACCESS_POLICY = Kind(
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
    create=Call("eks.associate_access_policy", at="associatedAccessPolicy"),
    delete=Call("eks.disassociate_access_policy", only=("clusterName", "principalArn", "policyArn")),
    id="{clusterName}#{principalArn}#{policyArn}",
    rules=(sound_access,),
    declared_only=True,
)
_ADDON = {
    "resolveConflictsOnCreate": "resolveConflicts",
    "resolveConflictsOnUpdate": "",
    "preserve": "",
}
ADDON = Kind(
    "aws:eks/addon:Addon",
    create=Call("eks.create_addon", names=_ADDON, at="addon", outputs={"arn": "addonArn"}),
    read=Call(
        "eks.describe_addon",
        fixed={"clusterName": "{clusterName}", "addonName": "{addonName}"},
        at="addon",
        outputs={"arn": "addonArn"},
        only=(),
    ),
    changes=(
        Call(
            "eks.update_addon",
            names={"resolveConflictsOnUpdate": "resolveConflicts"},
            fixed={"clusterName": "{clusterName}", "addonName": "{addonName}"},
            only=(
                "addonVersion",
                "configurationValues",
                "serviceAccountRoleArn",
                "resolveConflictsOnUpdate",
                "podIdentityAssociations",
            ),
        ),
    ),
    delete=Call("eks.delete_addon", only=("clusterName", "addonName", "preserve")),
    id="{clusterName}:{addonName}",
    rules=(cluster_exists,),
    local=frozenset({"resolveConflictsOnCreate"}),
    declared_only=True,
)
POD_IDENTITY = Kind(
    "aws:eks/podIdentityAssociation:PodIdentityAssociation",
    create=Call("eks.create_pod_identity_association", at="association", outputs={"id": "associationId"}),
    read=Call(
        "eks.describe_pod_identity_association",
        fixed={"clusterName": "{clusterName}", "associationId": "{id}"},
        at="association",
        only=(),
    ),
    changes=(
        Call(
            "eks.update_pod_identity_association",
            fixed={"clusterName": "{clusterName}", "associationId": "{id}"},
            only=("roleArn", "disableSessionTags", "targetRoleArn"),
        ),
    ),
    delete=Call(
        "eks.delete_pod_identity_association",
        fixed={"clusterName": "{clusterName}", "associationId": "{id}"},
        only=(),
    ),
    rules=(cluster_exists,),
    absent=frozenset({"externalId"}),
    declared_only=True,
)
FARGATE_PROFILE = Kind(
    "aws:eks/fargateProfile:FargateProfile",
    create=Call(
        "eks.create_fargate_profile",
        names={"subnetIds": "subnets"},
        at="fargateProfile",
        outputs={"arn": "fargateProfileArn"},
    ),
    delete=Call("eks.delete_fargate_profile", only=("clusterName", "fargateProfileName")),
    id="{clusterName}:{fargateProfileName}",
)


@code(takes="tags")
def retag_repository(aws: Aws, state: Props) -> None:
    """Add the program's tags."""
    tags = [{"Key": k, "Value": v} for k, v in cast(dict[str, str], state.get("tags") or {}).items()]
    aws.call("ecr.tag_resource", resourceArn=state["arn"], tags=tags)


_REPOSITORY = {"repositoryName": "{id}"}
REPOSITORY = Kind(
    "aws:ecr/repository:Repository",
    create=Call(
        "ecr.create_repository",
        names={"name": "repositoryName", "encryptionConfigurations": "encryptionConfiguration"}
        | {"encryptionConfigurations.kmsKey": "kmsKey"},
        at="repository",
        outputs={"arn": "repositoryArn", "repositoryUrl": "repositoryUri"},
    ),
    read=Call(
        "ecr.describe_repositories",
        fixed={"repositoryNames": ["{id}"]},
        at="repositories[0]",
        outputs={"arn": "repositoryArn", "repositoryUrl": "repositoryUri"},
        only=(),
    ),
    changes=(
        Call("ecr.put_image_tag_mutability", fixed=_REPOSITORY, only=("imageTagMutability",)),
        Call("ecr.put_image_scanning_configuration", fixed=_REPOSITORY, only=("imageScanningConfiguration",)),
        retag_repository,
    ),
    delete=Call("ecr.delete_repository", fixed=_REPOSITORY | {"force": "{forceDelete}"}, only=()),
    id="{name}",
    local=frozenset({"forceDelete"}),
)


def _put(token: str, put: str, delete: str, prop: str, member: str, key: str, identity: str) -> Kind:
    """A policy that is put whole; `key` is the property that names what it belongs to, if any."""
    names = {prop: member, key: "repositoryName"} if key else {prop: member}
    fixed = {"repositoryName": f"{{{key}}}"} if key else {}
    return Kind(
        token,
        create=Call(f"ecr.{put}", names=names, outputs={"registryId": "registryId"}),
        changes=(Call(f"ecr.{put}", names={prop: member}, fixed=fixed, only=(prop,)),),
        delete=Call(f"ecr.{delete}", fixed=fixed, only=()),
        id=identity,
        computed={"registryId": "{account}"},
    )


SCANNING = Kind(
    "aws:ecr/registryScanningConfiguration:RegistryScanningConfiguration",
    create=Call("ecr.put_registry_scanning_configuration"),
    changes=(Call("ecr.put_registry_scanning_configuration"),),
    delete=Call("ecr.put_registry_scanning_configuration", fixed={"scanType": "BASIC", "rules": []}, only=()),
    id="{account}",
    computed={"registryId": "{account}"},
)
PULL_THROUGH = Kind(
    "aws:ecr/pullThroughCacheRule:PullThroughCacheRule",
    create=Call("ecr.create_pull_through_cache_rule"),
    delete=Call("ecr.delete_pull_through_cache_rule", only=("ecrRepositoryPrefix",)),
    id="{ecrRepositoryPrefix}",
    computed={"registryId": "{account}"},
    declared_only=True,
)

KINDS = (
    CLUSTER,
    NODE_GROUP,
    ACCESS_ENTRY,
    ACCESS_POLICY,
    ADDON,
    POD_IDENTITY,
    FARGATE_PROFILE,
    REPOSITORY,
    _put(
        "aws:ecr/repositoryPolicy:RepositoryPolicy",
        "set_repository_policy",
        "delete_repository_policy",
        "policy",
        "policyText",
        "repository",
        "{repository}",
    ),
    _put(
        "aws:ecr/lifecyclePolicy:LifecyclePolicy",
        "put_lifecycle_policy",
        "delete_lifecycle_policy",
        "policy",
        "lifecyclePolicyText",
        "repository",
        "{repository}",
    ),
    _put(
        "aws:ecr/registryPolicy:RegistryPolicy",
        "put_registry_policy",
        "delete_registry_policy",
        "policy",
        "policyText",
        "",
        "{account}",
    ),
    SCANNING,
    PULL_THROUGH,
)
