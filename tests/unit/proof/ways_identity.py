"""Ways out by what an identity may do: AWS roles and Kubernetes rights (E4)."""

# Edits are of plain JSON, whose parts have no types.
# pyright: reportArgumentType=false, reportGeneralTypeIssues=false, reportAttributeAccessIssue=false

import json

from proof_world import ACCOUNT
from ways_edits import (
    OTHER,
    SANDBOX,
    Change,
    Rows,
    attach,
    bind,
    grant,
    kubernetes_bind,
    lets,
    may,
    own_role,
    resource_policy,
    role,
    trusting,
)


def subscribed(protocol: str, endpoint: str) -> Change:
    topic = f"arn:aws:sns:us-east-1:{ACCOUNT}:sequester-alarms"
    kind = "sns/topicSubscription:TopicSubscription"
    return lambda w: w.with_(kind, "told", topic=topic, protocol=protocol, endpoint=endpoint)


IDENTITIES: dict[str, Change] = {
    **{
        action: may(action)
        for action in (
            "lambda:InvokeFunction",
            "ec2:ModifyNetworkInterfaceAttribute",
            "ec2:CreateRoute",
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:ModifyVpcEndpoint",
            "iam:PassRole",
            "sts:AssumeRole",
            "ssm:SendCommand",
            "sqs:SendMessage",
            "kms:CreateGrant",
            "s3:PutObject",
            "ecr:CreatePullThroughCacheRule",
            "secretsmanager:GetSecretValue",
            "*",
            "ec2:*",
            "lambda:Invoke*",
        )
    },
    "the CNI's recommended policy": attach("arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"),
    "session manager": attach("arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"),
    "Pod Identity for sandboxes": lambda w: w.with_(
        "eks/podIdentityAssociation:PodIdentityAssociation",
        "x",
        clusterName="sequester",
        namespace=SANDBOX,
        serviceAccount="sandbox",
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/sequester-agent-research",
    ),
    "rights for a sandbox's account": bind(
        "RoleBinding", {"kind": "ServiceAccount", "name": "sandbox", "namespace": SANDBOX}
    ),
    "rights for all authenticated": bind("ClusterRoleBinding", {"kind": "Group", "name": "system:authenticated"}),
    "rights for its service accounts": bind(
        "ClusterRoleBinding", {"kind": "Group", "name": f"system:serviceaccounts:{SANDBOX}"}
    ),
}

OIDC = f"arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/X"
FURTHER: Rows = {
    "invoke under condition": ("E4", "blueprint", may("lambda:InvokeFunction", Null={"aws:SourceVpc": "false"})),
    "CreateFunction": ("E4", "blueprint", may("lambda:CreateFunction")),
    "UpdateFunctionCode": ("E4", "blueprint", may("lambda:UpdateFunctionCode")),
    "AddPermission": ("E4", "blueprint", may("lambda:AddPermission")),
    "CreateVpcPeering": ("E4", "blueprint", may("ec2:CreateVpcPeeringConnection")),
    "DeleteNetworkAclEntry": ("E4", "blueprint", may("ec2:ReplaceNetworkAclEntry")),
    "ModifySubnetAttribute": ("E4", "blueprint", may("ec2:ModifySubnetAttribute")),
    "topic policy everyone from ours": ("E4", "blueprint", resource_policy("sns/topicPolicy:TopicPolicy", "q", lets("*", "sns:Publish", StringEquals={"aws:PrincipalAccount": ACCOUNT}), arn="t")),
    "OIDC: an account whose pods run on every node": ("E4", "blueprint", role("irsa", {"Effect": "Allow", "Principal": {"Federated": OIDC}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {"oidc.eks.us-east-1.amazonaws.com/id/X:sub": "system:serviceaccount:kube-system:aws-node"}}}, grant("s3:PutObject"))),
    "PassRole+RunInstances": ("E4", "blueprint", may("iam:PassRole", "ec2:RunInstances")),
    "iam:*": ("E4", "blueprint", may("iam:*")),
    "Put*": ("E4", "blueprint", may("iam:Put*")),
    "ecr pull other account": ("E4", "blueprint", may("ecr:BatchGetImage", resource="arn:aws:ecr:us-east-1:111122223333:repository/*")),
    "NotAction": ("E4", "blueprint", lambda w: w.with_("iam/rolePolicy:RolePolicy", "more", role="sequester-sandbox-node", policy=json.dumps({"Statement": [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]}))),
    "NotResource": ("E4", "blueprint", lambda w: w.with_("iam/rolePolicy:RolePolicy", "more", role="sequester-sandbox-node", policy=json.dumps({"Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunction", "NotResource": "arn:x"}]}))),
    "invoke one door": ("E4", "blueprint", may("lambda:InvokeFunction", resource=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:sequester-door-research:live")),
    "policy attached by customer policy": ("E4", "blueprint", lambda w: w.with_("iam/policy:Policy", "p", f"arn:aws:iam::{ACCOUNT}:policy/p", arn=f"arn:aws:iam::{ACCOUNT}:policy/p", policy=json.dumps({"Statement": [grant("s3:PutObject")]})).with_("iam/rolePolicyAttachment:RolePolicyAttachment", "a", role="sequester-sandbox-node", policyArn=f"arn:aws:iam::{ACCOUNT}:policy/p")),
    "inline on role": ("E4", "blueprint", lambda w: w.set("Role", "sequester-sandbox-node", inlinePolicies=[{"name": "x", "policy": json.dumps({"Statement": [grant("sts:AssumeRole")]})}])),
    "managedPolicyArns": ("E4", "blueprint", lambda w: w.set("Role", "sequester-sandbox-node", managedPolicyArns=["arn:aws:iam::aws:policy/AdministratorAccess"])),
    "policyAttachment": ("E4", "blueprint", lambda w: w.with_("iam/policyAttachment:PolicyAttachment", "a", roles=["sequester-sandbox-node"], policyArn="arn:aws:iam::aws:policy/PowerUserAccess")),
    "chain: role trusting node role": ("E4", "blueprint", role("chained", {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/sequester-sandbox-node"}, "Action": "sts:AssumeRole"}, grant("s3:PutObject"))),
    "role trusting everyone": ("E4", "blueprint", role("open", {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}, grant("lambda:InvokeFunction"))),
    "role trusting a foreign account": ("E4", "blueprint", role("foreign", {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"}, "Action": "sts:AssumeRole"}, grant("lambda:InvokeFunction"))),
    "agent role trust: foreign account": ("E4", "blueprint", trusting("sequester-agent-research", {"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "sts:AssumeRole"})),
    "OIDC sub wildcard": ("E4", "blueprint", role("irsa", {"Effect": "Allow", "Principal": {"Federated": OIDC}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringLike": {"oidc.eks.us-east-1.amazonaws.com/id/X:sub": "system:serviceaccount:*:*"}}}, grant("s3:PutObject"))),
    "OIDC sub sandbox": ("E4", "blueprint", role("irsa", {"Effect": "Allow", "Principal": {"Federated": OIDC}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {"oidc.eks.us-east-1.amazonaws.com/id/X:sub": "system:serviceaccount:research-sandbox:sandbox"}}}, grant("s3:PutObject"))),
    "OIDC sub prefix wildcard": ("E4", "blueprint", role("irsa", {"Effect": "Allow", "Principal": {"Federated": OIDC}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringLike": {"oidc.eks.us-east-1.amazonaws.com/id/X:sub": "system:serviceaccount:research-*:*"}}}, grant("s3:PutObject"))),
    "OIDC aud only": ("E4", "blueprint", role("irsa", {"Effect": "Allow", "Principal": {"Federated": OIDC}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {"oidc.eks.us-east-1.amazonaws.com/id/X:aud": "sts.amazonaws.com"}}}, grant("s3:PutObject"))),
    "queue policy foreign": ("E4", "blueprint", resource_policy("sqs/queuePolicy:QueuePolicy", "q", lets({"AWS": f"arn:aws:iam::{OTHER}:root"}, "sqs:*"), queueUrl="q")),
    "queue policy everyone": ("E4", "blueprint", resource_policy("sqs/queuePolicy:QueuePolicy", "q", lets("*", "sqs:ReceiveMessage"), queueUrl="q")),
    "queue inline policy": ("E4", "blueprint", lambda w: w.with_("sqs/queue:Queue", "q", policy=json.dumps({"Statement": [lets("*", "sqs:*")]}))),
    "topic policy foreign": ("E4", "blueprint", resource_policy("sns/topicPolicy:TopicPolicy", "q", lets({"AWS": OTHER}, "sns:Subscribe"), arn="t")),
    "bucket policy foreign": ("E4", "blueprint", resource_policy("s3/bucketPolicy:BucketPolicy", "q", lets({"AWS": f"arn:aws:iam::{OTHER}:root"}, "s3:GetObject"), bucket="b")),
    "bucket policy public": ("E4", "blueprint", resource_policy("s3/bucketPolicy:BucketPolicy", "q", lets("*", "s3:GetObject"), bucket="b")),
    "key policy foreign": ("E4", "blueprint", lambda w: w.set("Key", "sequester-logs", policy=json.dumps({"Statement": [lets({"AWS": f"arn:aws:iam::{OTHER}:root"}, "kms:Decrypt")]}))),
    "secret policy foreign": ("E4", "blueprint", resource_policy("secretsmanager/secretPolicy:SecretPolicy", "q", lets({"AWS": OTHER}, "secretsmanager:GetSecretValue"), secretArn="s")),
    "secret inline policy": ("E4", "blueprint", lambda w: w.with_("secretsmanager/secret:Secret", "q", policy=json.dumps({"Statement": [lets({"AWS": OTHER}, "secretsmanager:GetSecretValue")]}))),
    "ecr repository policy": ("E4", "blueprint", resource_policy("ecr/repositoryPolicy:RepositoryPolicy", "q", lets("*", "ecr:PutImage"), repository="r")),
    "log destination policy": ("E4", "blueprint", lambda w: w.with_("cloudwatch/logSubscriptionFilter:LogSubscriptionFilter", "s", destinationArn=f"arn:aws:logs:us-east-1:{OTHER}:destination:x", logGroup="/sequester/sequester/containers")),
    "log resource policy foreign": ("E4", "blueprint", lambda w: w.with_("cloudwatch/logResourcePolicy:LogResourcePolicy", "q", policyDocument=json.dumps({"Statement": [lets({"AWS": OTHER}, "logs:*")]}))),
    "bucket inline replication": ("E4", "blueprint", lambda w: w.set("Bucket", "sequester-trail-123456789012", replicationConfiguration={"rules": [{"destination": {"bucket": "arn:aws:s3:::evil", "accountId": OTHER}}]})),
    "bucket notification abroad": ("E4", "blueprint", lambda w: w.with_("s3/bucketNotification:BucketNotification", "q", queues=[{"queueArn": f"arn:aws:sqs:us-east-1:{OTHER}:q"}])),
    "alarms to a web hook": ("E4", "blueprint", subscribed("https", "https://collector.example/hook")),
    "alarms to a queue abroad": ("E4", "blueprint", subscribed("sqs", f"arn:aws:sqs:us-east-1:{OTHER}:q")),
    "alarms to a stream abroad": ("E4", "blueprint", subscribed("firehose", f"arn:aws:firehose:us-east-1:{OTHER}:deliverystream/x")),
    "event target abroad": ("E4", "blueprint", lambda w: w.with_("cloudwatch/eventTarget:EventTarget", "q", arn=f"arn:aws:events:us-east-1:{OTHER}:event-bus/x")),
    "pod identity of agent role for other tenant": ("E4", "blueprint", lambda w: w.set("PodIdentityAssociation", "sequester-agent-research", namespace="billing-sandbox")),
    "pod identity default ns wildcard": ("E4", "blueprint", lambda w: w.with_("eks/podIdentityAssociation:PodIdentityAssociation", "x", clusterName="sequester", namespace="research-sandbox", serviceAccount="default", roleArn="arn:aws:iam::1:role/x")),
    "rbac: unauthenticated": ("E4", "blueprint", kubernetes_bind("ClusterRoleBinding", "view", {"kind": "Group", "name": "system:unauthenticated"})),
    "rbac: anonymous": ("E4", "blueprint", kubernetes_bind("ClusterRoleBinding", "view", {"kind": "User", "name": "system:anonymous"})),
    "rbac: serviceaccounts": ("E4", "blueprint", kubernetes_bind("ClusterRoleBinding", "view", {"kind": "Group", "name": "system:serviceaccounts"})),
    "rbac: across namespaces": ("E4", "blueprint", kubernetes_bind("RoleBinding", "edit", {"kind": "ServiceAccount", "name": "sandbox", "namespace": "research-sandbox"}, "kube-system")),
    "rbac: no namespace subject defaults": ("E4", "blueprint", kubernetes_bind("RoleBinding", "edit", {"kind": "ServiceAccount", "name": "sandbox"}, "research-sandbox")),
    "rbac: nodes group": ("E4", "blueprint", kubernetes_bind("ClusterRoleBinding", "cluster-admin", {"kind": "Group", "name": "system:nodes"})),
    "rbac: bootstrappers": ("E4", "blueprint", kubernetes_bind("ClusterRoleBinding", "cluster-admin", {"kind": "Group", "name": "system:bootstrappers"})),
    "rbac: node user": ("E4", "blueprint", kubernetes_bind("ClusterRoleBinding", "cluster-admin", {"kind": "User", "name": "system:node:ip-10-42-0-1.ec2.internal"})),
    "rbac: built-in role widened": ("E4", "blueprint", lambda w: w.apply({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "system:discovery"}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]})),
    "rbac: Role named as built-in in ns": ("E4", "blueprint", lambda w: w.apply({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "system:basic-user", "namespace": "research-sandbox"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}]}, {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "x", "namespace": "research-sandbox"}, "roleRef": {"kind": "Role", "name": "system:basic-user"}, "subjects": [{"kind": "ServiceAccount", "name": "sandbox", "namespace": "research-sandbox"}]})),
    "rbac: agent in another tenant": ("E4", "blueprint", kubernetes_bind("RoleBinding", "edit", {"kind": "ServiceAccount", "name": "agent", "namespace": "billing-agent"}, "research-sandbox")),
    "rbac: agent edits its own tenant's policies": ("E4", "blueprint", kubernetes_bind("RoleBinding", "edit", {"kind": "ServiceAccount", "name": "agent", "namespace": "research-agent"}, "research-sandbox")),
    "rbac: agent admin of its own namespace": ("E4", "blueprint", kubernetes_bind("RoleBinding", "admin", {"kind": "ServiceAccount", "name": "agent", "namespace": "research-agent"}, "research-agent")),
    "rbac: agent deletes its own policies": ("E4", "blueprint", own_role("networking.k8s.io", "networkpolicies", "delete")),
    "rbac: agent deletes everything of its own": ("E4", "blueprint", own_role("*", "*", "deletecollection")),
    "rbac: agent raises its own quota": ("E4", "blueprint", own_role("", "resourcequotas", "patch")),
    "rbac: agent cluster admin": ("E4", "blueprint", kubernetes_bind("ClusterRoleBinding", "cluster-admin", {"kind": "ServiceAccount", "name": "agent", "namespace": "billing-agent"})),
    "public endpoint": ("E4", "blueprint", lambda w: w.set("Cluster", "sequester", vpcConfig={**w.one("Cluster", "sequester").properties["vpcConfig"], "endpointPublicAccess": True, "publicAccessCidrs": ["0.0.0.0/0"]})),
    "public endpoint default": ("E4", "blueprint", lambda w: w.set("Cluster", "sequester", vpcConfig={k: v for k, v in w.one("Cluster", "sequester").properties["vpcConfig"].items() if k!="endpointPublicAccess"})),
}  # fmt: skip

UNDECIDED: Rows = {
    "alarms to a stream of ours": ("E4", "blueprint", subscribed("firehose", f"arn:aws:firehose:us-east-1:{ACCOUNT}:deliverystream/x")),
    "alarms to a phone": ("E4", "blueprint", subscribed("application", f"arn:aws:sns:us-east-1:{ACCOUNT}:endpoint/GCM/x/1")),
    "second group with system role": ("E4", "blueprint", lambda w: w.with_("eks/nodeGroup:NodeGroup", "ng", "ng-9", clusterName="sequester", subnetIds=[w.subnet("sandbox").id], nodeRoleArn=f"arn:aws:iam::{ACCOUNT}:role/sequester-control-plane")),
    "logs delete": ("E4", "blueprint", may("logs:DeleteLogGroup")),
    "node uses another role": ("E4", "blueprint", lambda w: w.set("NodeGroup", "sequester-sandbox", nodeRoleArn=f"arn:aws:iam::{ACCOUNT}:role/sequester-agent-research")),
    "node role not in plan": ("E4", "blueprint", lambda w: w.set("NodeGroup", "sequester-sandbox", nodeRoleArn=f"arn:aws:iam::{ACCOUNT}:role/other")),
    "instance profile on sandbox instance": ("E4", "blueprint", lambda w: w.with_("iam/instanceProfile:InstanceProfile", "ip", "ip", name="ip", role="sequester-agent-research").with_("ec2/instance:Instance", "i", "i-9", subnetId=w.subnet("sandbox").id, iamInstanceProfile="ip")),
    "ASG template profile": ("E4", "blueprint", lambda w: w.with_("iam/instanceProfile:InstanceProfile", "ip", "ip", name="ip", role="sequester-agent-research").with_("ec2/launchTemplate:LaunchTemplate", "lt", "lt-9", iamInstanceProfile={"name": "ip"}).with_("autoscaling/group:Group", "g", "g-9", vpcZoneIdentifiers=[w.subnet("sandbox").id], launchTemplate={"id": "lt-9"})),
    "lambda in sandbox subnet with door role": ("E4", "blueprint", lambda w: w.with_("lambda/function:Function", "fn", "fn-9", name="fn", role=f"arn:aws:iam::{ACCOUNT}:role/sequester-agent-research", vpcConfig={"subnetIds": [w.subnet("sandbox").id], "securityGroupIds": ["sg-x"]})),
    "agent role trust: node": ("E4", "blueprint", trusting("sequester-agent-research", {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/sequester-sandbox-node"}, "Action": "sts:AssumeRole"})),
    "kms grant foreign": ("E4", "blueprint", lambda w: w.with_("kms/grant:Grant", "g", granteePrincipal=f"arn:aws:iam::{OTHER}:root")),
    "bucket replication": ("E4", "blueprint", lambda w: w.with_("s3/bucketReplicationConfig:BucketReplicationConfig", "q")),
    "ecr replication": ("E4", "blueprint", lambda w: w.with_("ecr/replicationConfiguration:ReplicationConfiguration", "q")),
    "pull-through": ("E4", "blueprint", lambda w: w.with_("ecr/pullThroughCacheRule:PullThroughCacheRule", "q")),
    "dynamodb resource policy": ("E4", "blueprint", lambda w: w.with_("dynamodb/resourcePolicy:ResourcePolicy", "q")),
    "access entry admin for node": ("E4", "blueprint", lambda w: w.with_("eks/accessPolicyAssociation:AccessPolicyAssociation", "x", principalArn=f"arn:aws:iam::{ACCOUNT}:role/sequester-sandbox-node", policyArn="arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy")),
    "access entry foreign account": ("E4", "blueprint", lambda w: w.with_("eks/accessEntry:AccessEntry", "x", principalArn=f"arn:aws:iam::{OTHER}:role/x", type="STANDARD", kubernetesGroups=["x"])),
    "aws-auth": ("E4", "blueprint", lambda w: w.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "aws-auth", "namespace": "kube-system"}, "data": {"mapRoles": f"- rolearn: arn:aws:iam::{ACCOUNT}:role/sequester-sandbox-node\n  groups: [system:masters]\n  username: x\n"}})),
    "auth mode config map": ("E4", "blueprint", lambda w: w.set("Cluster", "sequester", accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"})),
    "pod identity target role": ("E4", "blueprint", lambda w: w.set("PodIdentityAssociation", "sequester-agent-research", targetRoleArn=f"arn:aws:iam::{OTHER}:role/x")),
    "oidc idp config": ("E4", "blueprint", lambda w: w.with_("eks/identityProviderConfig:IdentityProviderConfig", "x")),
    "iam user with key": ("E4", "blueprint", lambda w: w.with_("iam/user:User", "u").with_("iam/accessKey:AccessKey", "k")),
}  # fmt: skip

HARMLESS: Rows = {
    "alarms to a person": ("E4", "blueprint", subscribed("email", "oncall@platform.example")),
    "topic policy for an agent": ("E4", "blueprint", resource_policy("sns/topicPolicy:TopicPolicy", "q", lets({"AWS": f"arn:aws:iam::{ACCOUNT}:role/sequester-agent-research"}, "sns:Publish"), arn="t")),
    "OIDC: an account of system pods": ("E4", "blueprint", role("irsa", {"Effect": "Allow", "Principal": {"Federated": OIDC}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {"oidc.eks.us-east-1.amazonaws.com/id/X:sub": "system:serviceaccount:kube-system:coredns"}}}, grant("s3:PutObject"))),
    "logs elsewhere": ("E4", "blueprint", may("logs:PutLogEvents")),
    "invoke denied": ("E4", "blueprint", lambda w: may("lambda:InvokeFunction")(w).with_("iam/rolePolicy:RolePolicy", "d", role="sequester-sandbox-node", policy=json.dumps({"Statement": [{"Effect": "Deny", "Action": "lambda:*", "Resource": "*"}]}))),
    "role trusting account root": ("E4", "blueprint", role("rooted", {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}, grant("s3:PutObject"))),
    "agent role trust widened: ns": ("E4", "blueprint", trusting("sequester-agent-research", {"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession"]})),
    "agent role trust: ec2": ("E4", "blueprint", trusting("sequester-agent-research", {"Effect": "Allow", "Principal": {"Service": ["pods.eks.amazonaws.com", "ec2.amazonaws.com"]}, "Action": ["sts:AssumeRole", "sts:TagSession"]})),
    "GitHub OIDC elsewhere": ("E4", "blueprint", role("gh", {"Effect": "Allow", "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {"token.actions.githubusercontent.com:sub": "repo:x/y:ref:refs/heads/main"}}}, grant("s3:PutObject"))),
    "trail bucket deny removed": ("E4", "blueprint", resource_policy("s3/bucketPolicy:BucketPolicy", "q", lets({"Service": "cloudtrail.amazonaws.com"}, "s3:PutObject"), bucket="b")),
    "rbac: built-in public-info": ("E4", "blueprint", kubernetes_bind("ClusterRoleBinding", "system:public-info-viewer", {"kind": "Group", "name": "system:unauthenticated"})),
    "rbac: agent reads its own policies": ("E4", "blueprint", own_role("networking.k8s.io", "networkpolicies", "list")),
    "rbac: agent makes config maps of its own": ("E4", "blueprint", own_role("", "configmaps", "create")),
    "rbac: agent views its own": ("E4", "blueprint", kubernetes_bind("RoleBinding", "view", {"kind": "ServiceAccount", "name": "agent", "namespace": "research-agent"}, "research-sandbox")),
    "rbac: default sa of kube-system": ("E4", "blueprint", kubernetes_bind("ClusterRoleBinding", "view", {"kind": "ServiceAccount", "name": "x", "namespace": "kube-system"})),
}  # fmt: skip
