"""What only an AWS account can confirm, each as a command to run after the first `pulumi up`.

`{name}`, `{region}` and `{version}` stand for the stack's settings, `{vpc}` for the stack's output of that name.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """`command` must show `expect`; `why` says what was assumed without an account."""

    id: str
    why: str
    command: str
    expect: str


CHECKS: Sequence[Check] = (
    Check(
        "sealed",
        "the seal itself, in the account's own words",
        "aws ec2 describe-internet-gateways --filters Name=attachment.vpc-id,Values={vpc}"
        " --query 'length(InternetGateways)'",
        "`0`",
    ),
    Check(
        "nodes-join",
        "that `aws:ResourceAccount` binds on `ec2:Describe*` and `ecr:GetAuthorizationToken` as the endpoint policies"
        " assume: else no node joins",
        "aws eks describe-nodegroup --cluster-name {name} --nodegroup-name {name}-sandbox"
        " --query 'nodegroup.[status,health]'",
        "`ACTIVE` and no issues",
    ),
    Check(
        "pods-get-addresses",
        "that the CNI needs no more than describe, assign and unassign on sandbox nodes (one ENI, prefix delegation)",
        "kubectl -n kube-system logs -l k8s-app=aws-node -c aws-node --tail=-1",
        "no `UnauthorizedOperation`",
    ),
    Check(
        "eks-auth-policy",
        "that the eks-auth endpoint takes a policy",
        "aws ec2 describe-vpc-endpoints --filters Name=vpc-id,Values={vpc}"
        " Name=service-name,Values=com.amazonaws.{region}.eks-auth --query 'VpcEndpoints[0].PolicyDocument'",
        "the policy with `PodIdentity`, not `*`",
    ),
    Check(
        "strict-mode",
        "that the add-on took its configuration: a new pod has no network before its policy",
        "aws eks describe-addon --cluster-name {name} --addon-name vpc-cni"
        " --query 'addon.[status,configurationValues]'",
        "`ACTIVE` and `NETWORK_POLICY_ENFORCING_MODE`: `strict`",
    ),
    Check(
        "addon-versions",
        "that EKS still offers the pinned add-on versions",
        "aws eks describe-addon-versions --kubernetes-version {version} --addon-name vpc-cni"
        " --query 'addons[0].addonVersions[].addonVersion'",
        "the version of `cluster.addons`",
    ),
    Check(
        "control-plane-role",
        "that EKS is content with a role of reads instead of its managed policy",
        "aws eks describe-cluster --name {name} --query 'cluster.[status,health.issues]'",
        "`ACTIVE` and no issues",
    ),
    Check(
        "coredns-answers",
        "that EKS's build of CoreDNS takes the Corefile (its `template` plugin answers NXDOMAIN)",
        "kubectl -n kube-system get pods -l k8s-app=kube-dns",
        "every pod `Running` and ready",
    ),
    Check(
        "dns-fails-closed",
        "that a DNS Firewall which cannot answer blocks",
        "aws route53resolver get-firewall-config --resource-id {vpc} --query 'FirewallConfig.FirewallFailOpen'",
        "`DISABLED`",
    ),
    Check(
        "flow-records",
        "that flow logs arrive under the key's policy",
        "aws logs describe-log-streams --log-group-name /sequester/{name}/flow --max-items 1",
        "a stream with a `lastEventTimestamp`",
    ),
    Check(
        "denial-records",
        "the format of the network policy agent's denials, which tripwires read",
        "aws logs filter-log-events --log-group-name /aws/eks/{name}/cluster"
        " --log-stream-name-prefix aws-network-policy-agent-audit --limit 1",
        "`Node: …;SIP: …;SPORT: …;DIP: …;DPORT: …;PROTOCOL: …;PolicyVerdict: DENY`",
    ),
    Check(
        "metadata-locked",
        "that launch templates hold on every instance",
        "aws ec2 describe-instances --filters Name=vpc-id,Values={vpc}"
        " --query 'Reservations[].Instances[].MetadataOptions.[HttpTokens,HttpPutResponseHopLimit]'",
        "`required`, `1` on every line",
    ),
    Check(
        "no-public-address",
        "that no interface of the VPC has a public address",
        "aws ec2 describe-network-interfaces --filters Name=vpc-id,Values={vpc}"
        " --query 'length(NetworkInterfaces[?Association!=`null`])'",
        "`0`",
    ),
)


def markdown(
    name: str = "sequester", region: str = "us-east-1", version: str = "1.35", vpc: str = "vpc-0123456789abcdef0"
) -> str:
    """The README's table; pipes do not occur in commands."""
    out = ["| check | why it is not certain before | run | you should see |", "|---|---|---|---|"]
    for check in CHECKS:
        command = check.command.format(name=name, region=region, version=version, vpc=vpc)
        quoted = f"`` {command} ``" if "`" in command else f"`{command}`"
        out.append(f"| {check.id} | {check.why} | {quoted} | {check.expect} |")
    return "\n".join(out)
