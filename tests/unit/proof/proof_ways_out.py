"""Every known way out, as one edit each: the tables of the families together.

The blueprint closes packets with three layers, so no edit of one layer opens anything (that is asked too). Each network
edit is therefore made to a deployment in which one layer alone holds: `by_routes`, `by_groups`, `by_acls`.
"""

import ways_calls
import ways_door
import ways_eyes
import ways_identity
import ways_names
import ways_network
import ways_nodes
import ways_pods
import ways_policies
import ways_workloads
from proof_world import ACCOUNT
from ways_calls import ENDPOINTS
from ways_edits import (
    Case,
    Rows,
    attach,
    endpoint,
    gateway,
    in_template,
    may,
    nat,
    route,
    statement,
)
from ways_identity import IDENTITIES
from ways_names import NAMES
from ways_network import ACLS, GROUPS, ROUTES
from ways_pods import METADATA, PODS
from ways_workloads import WORKLOADS

FAMILIES = (
    ways_network,
    ways_names,
    ways_calls,
    ways_identity,
    ways_door,
    ways_workloads,
    ways_eyes,
    ways_pods,
    ways_policies,
    ways_nodes,
)

CASES = [
    *(Case(f"route: {n}", "E1", e, "by_routes") for n, e in ROUTES.items()),
    *(Case(f"group: {n}", "E1", e, "by_groups") for n, e in GROUPS.items()),
    *(Case(f"ACL: {n}", "E1", e, "by_acls") for n, e in ACLS.items()),
    *(Case(f"pods: {n}", "E1", e) for n, e in PODS.items()),
    *(Case(f"names: {n}", "E2", e) for n, e in NAMES.items()),
    *(Case(f"endpoint: {n}", "E3", e) for n, e in ENDPOINTS.items()),
    *(Case(f"identity: {n}", "E4", e) for n, e in IDENTITIES.items()),
    *(Case(f"workloads: {n}", "E5", e) for n, e in WORKLOADS.items()),
    *(Case(f"metadata: {n}", "E6", e) for n, e in METADATA.items()),
    *(
        Case(f"{'ACL' if base == 'by_acls' else 'further'}: {n}", claim, e, base)
        for family in FAMILIES
        for n, (claim, base, e) in family.FURTHER.items()
    ),
]


UNKNOWN: Rows = {name: row for family in FAMILIES for name, row in family.UNDECIDED.items()} | {
    "routes that a gateway propagates": (
        "E1",
        "by_routes",
        lambda w: w.set("RouteTable", w.table("sandbox").name, propagatingVgws=["vgw-1"]),
    ),
    "a firewall endpoint": (
        "E1",
        "by_routes",
        lambda w: route(
            nat(w).with_(
                "ec2/vpcEndpoint:VpcEndpoint",
                "fw",
                "vpce-fw",
                vpcId=w.vpc.id,
                vpcEndpointType="GatewayLoadBalancer",
                subnetIds=["subnet-public"],
                serviceName="com.amazonaws.vpce.us-east-1.vpce-svc-1",
            ),
            destinationCidrBlock="0.0.0.0/0",
            vpcEndpointId="vpce-fw",
        ),
    ),
    "a group that is not in the plan": (
        "E1",
        "by_routes",
        lambda w: in_template(
            route(gateway(w), destinationCidrBlock="0.0.0.0/0", gatewayId="igw-1"), "sg-elsewhere"
        ).without("SecurityGroupEgressRule", lambda r: r.name.startswith("open-out")),
    ),
    "a PrivateLink service": (
        "E3",
        "blueprint",
        lambda w: w.with_(
            "ec2/vpcEndpoint:VpcEndpoint",
            "x",
            vpcId=w.vpc.id,
            vpcEndpointType="Interface",
            serviceName="com.amazonaws.vpce.us-east-1.vpce-svc-0123456789abcdef0",
        ),
    ),
    "an unreviewed type": ("E1", "by_routes", lambda w: w.with_("networkfirewall/firewall:Firewall", "fw")),
    "a condition on an unknown key": (
        "E3",
        "blueprint",
        endpoint("logs", statement("logs:*", StringEquals={"aws:PrincipalOrgID": "o-1"})),
    ),
    "an admin policy that allows": (
        "E1",
        "by_routes",
        lambda w: w.apply(
            {
                "apiVersion": "networking.k8s.aws/v1alpha1",
                "kind": "ClusterNetworkPolicy",
                "metadata": {"name": "x"},
                "spec": {"tier": "Admin", "egress": [{"action": "Accept", "to": [{"networks": ["0.0.0.0/0"]}]}]},
            }
        ),
    ),
    "pods with groups of their own": (
        "E1",
        "by_routes",
        lambda w: w.apply({"kind": "SecurityGroupPolicy", "metadata": {"name": "x"}, "spec": {}}),
    ),
    "a node's role as administrator": (
        "E4",
        "blueprint",
        lambda w: w.with_(
            "eks/accessPolicyAssociation:AccessPolicyAssociation",
            "x",
            principalArn=f"arn:aws:iam::{ACCOUNT}:role/sequester-sandbox-node",
        ),
    ),
    "a managed policy": ("E4", "blueprint", attach("arn:aws:iam::aws:policy/SomethingElse")),
    "an action nobody reviewed": ("E4", "blueprint", may("braket:CreateJob")),
}
