"""EKS in a live account: clusters, node groups, add-ons, access entries, Pod Identity."""

from collections.abc import Iterator

from sequester.sources.live.hosts import template
from sequester.sources.live.reader import MALFORMED, Raw, Reader, part, parts
from sequester.sources.resource import Resource


def read(reader: Reader) -> Iterator[Resource]:
    for name in reader.each("eks.list_clusters"):
        try:
            yield from _cluster(reader, str(name))
        except MALFORMED as error:
            reader.unreadable(f"eks cluster {name}", error)


def _cluster(reader: Reader, name: str) -> Iterator[Resource]:
    raw = reader.one("eks.describe_cluster", name=name)
    if not raw:
        return
    network, logging = part(raw, "resourcesVpcConfig"), part(raw, "logging")
    properties = {
        "name": name,
        "arn": raw.get("arn"),
        "version": raw.get("version"),
        "roleArn": raw.get("roleArn"),
        "vpcConfig": network,
        "kubernetesNetworkConfig": part(raw, "kubernetesNetworkConfig"),
        "enabledClusterLogTypes": [
            kind for one in parts(logging, "clusterLogging") if one.get("enabled") for kind in one.get("types", ())
        ],
        "accessConfig": part(raw, "accessConfig"),
    }
    yield Resource("aws:eks/cluster:Cluster", name, name, properties)
    asked = {"clusterName": name}
    for group in reader.each("eks.list_nodegroups", **asked):
        yield from _nodes(reader, reader.one("eks.describe_nodegroup", **asked, nodegroupName=group), name)
    for addon in reader.each("eks.list_addons", **asked):
        found = reader.one("eks.describe_addon", **asked, addonName=addon)
        stated = {**asked, "addonName": addon, "configurationValues": found.get("configurationValues") or ""}
        stated["serviceAccountRoleArn"] = found.get("serviceAccountRoleArn") or ""
        if found:
            yield Resource("aws:eks/addon:Addon", f"{name} {addon}", f"{name}:{addon}", stated)
    for profile in reader.each("eks.list_fargate_profiles", **asked):
        yield Resource("aws:eks/fargateProfile:FargateProfile", str(profile), f"{name}:{profile}", asked)
    yield from _entries(reader, name)
    for one in reader.each("eks.list_pod_identity_associations", **asked):
        key = one["associationId"]
        found = reader.one("eks.describe_pod_identity_association", **asked, associationId=key)
        stated = {
            **asked,
            "namespace": one.get("namespace"),
            "serviceAccount": one.get("serviceAccount"),
            "roleArn": found.get("roleArn") or "",
            "targetRoleArn": found.get("targetRoleArn") or "",
            "policy": found.get("policy") or "",
        }
        kind = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
        yield Resource(kind, f"{one.get('namespace')}/{one.get('serviceAccount')}", key, stated)


def _nodes(reader: Reader, raw: Raw, cluster: str) -> Iterator[Resource]:
    if not raw:
        return
    chosen, reference = part(raw, "launchTemplate"), {}
    if chosen.get("id"):
        own, resources = template(reader, chosen["id"], str(chosen.get("version") or ""))
        yield from resources
        reference = {"id": own}
    properties = {
        "clusterName": cluster,
        "nodeGroupName": raw["nodegroupName"],
        "nodeRoleArn": raw.get("nodeRole") or "",
        "subnetIds": raw.get("subnets", []),
        "launchTemplate": reference,
        "labels": part(raw, "labels"),
        "taints": parts(raw, "taints"),
    }
    kind = "aws:eks/nodeGroup:NodeGroup"
    yield Resource(kind, raw["nodegroupName"], f"{cluster}:{raw['nodegroupName']}", properties)


def _entries(reader: Reader, cluster: str) -> Iterator[Resource]:
    for principal in reader.each("eks.list_access_entries", clusterName=cluster):
        asked = {"clusterName": cluster, "principalArn": str(principal)}
        entry = reader.one("eks.describe_access_entry", **asked)
        stated = {**asked, "type": entry.get("type") or "", "kubernetesGroups": parts(entry, "kubernetesGroups")}
        yield Resource("aws:eks/accessEntry:AccessEntry", str(principal), f"{cluster}:{principal}", stated)
        for one in reader.each("eks.list_associated_access_policies", **asked):
            kind = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
            scope = part(one, "accessScope")
            stated = {**asked, "policyArn": one.get("policyArn") or "", "accessScope": scope}
            yield Resource(kind, f"{principal} {one.get('policyArn')}", f"{cluster}:{principal}:{one}", stated)
