"""Reviewed tables: calls that take no resource, exceptions that name AWS's own resources, and what an identity may do.

Each line has been read against AWS's service authorization reference; nothing else is taken on trust.
https://docs.aws.amazon.com/service-authorization/latest/reference/
"""

# Calls that name no resource and change none: they can carry nothing to another account, for callers of ours.
NO_RESOURCE = (
    "ec2:Describe*",
    "ec2:GetInstanceTypesFromInstanceRequirements",
    "ecr:GetAuthorizationToken",
    "autoscaling:Describe*",
    "logs:DescribeLogGroups",
    "sts:GetCallerIdentity",
)

# Accounts in which AWS keeps the images of EKS add-ons: the registry of each region.
# https://docs.aws.amazon.com/eks/latest/userguide/add-ons-images.html
EKS_REGISTRIES = (
    "602401143452", "877085696533", "800184023465", "900889452093", "296578399912", "491585149902", "151610086707",
    "333609536671", "121268973566", "761377655185", "900612956339", "590381155156", "455263428931", "066635153087",
    "759879836304", "558608220178", "730335286997",
)  # fmt: skip
_ECR_READS = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")

# (actions, resources, why); `{region}` is the deployment's. The certificate names each statement within one.
EXCEPTIONS: tuple[tuple[tuple[str, ...], tuple[str, ...], str], ...] = (
    (
        ("s3:GetObject",),
        ("arn:aws:s3:::prod-{region}-starport-layer-bucket/*",),
        "reads of ECR's layer bucket, presigned by ECR",
    ),
    (
        _ECR_READS,
        tuple(f"arn:aws:ecr:{{region}}:{account}:repository/*" for account in EKS_REGISTRIES),
        "reads of EKS's add-on images",
    ),
    (
        ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"),
        ("arn:aws:bedrock:{region}::foundation-model/*",),
        "calls of AWS's own models",
    ),
)

# What an identity that is to be had in a sandbox may do: reads, pulls, its own addresses, its own log lines.
HARMLESS = (
    "ec2:Describe*",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
    "ecr:GetAuthorizationToken",
    *_ECR_READS,
    "eks:DescribeCluster",
    "eks-auth:AssumeRoleForPodIdentity",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "sts:GetCallerIdentity",
)

# (actions, what they open). The first that a statement can match is the witness.
DANGEROUS: tuple[tuple[str, str], ...] = (
    ("lambda:InvokeFunction", "invokes the door, or any other function, with the sandbox's own data"),
    ("lambda:InvokeFunctionUrl", "invokes functions by URL"),
    ("ec2:ModifyNetworkInterfaceAttribute", "gives a node's interface other security groups"),
    ("ec2:CreateRoute", "adds a route"),
    ("ec2:ReplaceRoute", "changes a route"),
    ("ec2:AuthorizeSecurityGroupEgress", "opens a security group"),
    ("ec2:AssociateAddress", "gives a node a public address"),
    ("ec2:CreateNetworkInterface", "makes an interface in another subnet"),
    ("ec2:AttachNetworkInterface", "attaches an interface of another subnet"),
    ("ec2:ModifyVpcEndpoint", "replaces an endpoint's policy"),
    ("ec2:CreateVpcEndpoint", "makes an endpoint with AWS's allow-all policy"),
    ("ec2:RunInstances", "starts a machine elsewhere"),
    ("ec2:ModifyInstanceAttribute", "changes groups or the source/destination check"),
    ("ec2:ModifyInstanceMetadataOptions", "raises the metadata hop limit"),
    ("ec2:CreateTags", "gives resources the tags that policies go by"),
    ("iam:PassRole", "hands another role to a service it starts"),
    ("iam:PutRolePolicy", "widens its own rights"),
    ("iam:AttachRolePolicy", "widens its own rights"),
    ("iam:CreateAccessKey", "makes credentials that work from anywhere"),
    ("sts:AssumeRole", "becomes another role"),
    ("ssm:SendCommand", "runs commands on other machines"),
    ("ssm:StartSession", "opens a session to other machines"),
    ("ssmmessages:CreateDataChannel", "is a channel to whoever holds the session"),
    ("sqs:SendMessage", "is a mailbox that others may read"),
    ("sns:Publish", "is a mailbox that others may read"),
    ("s3:PutObject", "is a mailbox that others may read"),
    ("s3:GetObject", "reads what others wrote"),
    ("dynamodb:PutItem", "is a mailbox that others may read"),
    ("kms:CreateGrant", "gives others rights on keys, and text with them"),
    ("secretsmanager:GetSecretValue", "reads secrets"),
    ("ecr:PutImage", "changes images"),
    ("ecr:CreatePullThroughCacheRule", "makes the registry fetch from outside"),
    ("ecr:CreateRepository", "makes the registry fetch from outside, where a pull-through rule exists"),
    ("eks:CreateAccessEntry", "gives itself rights on the cluster"),
    ("eks:UpdateClusterConfig", "opens the cluster's endpoint"),
    ("route53resolver:UpdateFirewallConfig", "opens the DNS firewall"),
)

# Policies that AWS keeps, whose text is in no plan but is known to hold a dangerous action.
KNOWN_MANAGED: dict[str, str] = {
    "AmazonEKS_CNI_Policy": "ec2:ModifyNetworkInterfaceAttribute",
    "AmazonSSMManagedInstanceCore": "ssmmessages:CreateDataChannel",
    "AdministratorAccess": "lambda:InvokeFunction",
    "PowerUserAccess": "lambda:InvokeFunction",
    "AmazonS3FullAccess": "s3:PutObject",
    "AmazonEC2FullAccess": "ec2:ModifyNetworkInterfaceAttribute",
    "AWSLambda_FullAccess": "lambda:InvokeFunction",
    "AWSLambdaRole": "lambda:InvokeFunction",
}
