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

# Calls that nobody signs: a web identity has no account before it has a role, whose own trust policy decides.
UNSIGNED = ("sts:AssumeRoleWithWebIdentity",)

# Services whose endpoints are known to keep to their policies (`VpcEndpointPolicySupported` of
# DescribeVpcEndpointServices). SES's SMTP endpoint, for one, takes a policy and lets everything pass.
TAKE_POLICIES = frozenset(
    {
        "autoscaling", "bedrock", "bedrock-runtime", "cloudtrail", "dynamodb", "ec2", "ecr.api", "ecr.dkr", "eks",
        "eks-auth", "elasticloadbalancing", "events", "execute-api", "kms", "lambda", "logs", "monitoring", "s3",
        "secretsmanager", "sns", "sqs", "ssm", "states", "sts",
    }
)  # fmt: skip

# (actions, resources, why, whether anybody may call so); `{region}` is the deployment's. The certificate names each
# statement within one. Where only our callers may, the attacker's own credentials would tell his account of the call.
EXCEPTIONS: tuple[tuple[tuple[str, ...], tuple[str, ...], str, bool], ...] = (
    (
        ("s3:GetObject",),
        ("arn:aws:s3:::prod-{region}-starport-layer-bucket/*",),
        "reads of ECR's layer bucket, presigned by ECR",
        True,
    ),
    (
        _ECR_READS,
        tuple(f"arn:aws:ecr:{{region}}:{account}:repository/*" for account in EKS_REGISTRIES),
        "reads of EKS's add-on images",
        False,
    ),
    (
        ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"),
        ("arn:aws:bedrock:{region}::foundation-model/*",),
        "calls of AWS's own models",
        False,
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
    ("ec2:AssociateRouteTable", "gives a subnet another route table"),
    ("ec2:ReplaceRouteTableAssociation", "gives a subnet another route table"),
    ("ec2:AttachInternetGateway", "gives the VPC a way to the internet"),
    ("ec2:CreateVpcPeeringConnection", "joins the VPC to another"),
    ("ec2:CreateTransitGatewayVpcAttachment", "joins the VPC to others"),
    ("ec2:CreateNatGateway", "makes a way out for addresses that are not public"),
    ("ec2:ModifySubnetAttribute", "gives new machines public addresses"),
    ("ec2:AuthorizeSecurityGroupIngress", "opens a security group"),
    ("ec2:ModifySecurityGroupRules", "opens a security group"),
    ("ec2:CreateNetworkAclEntry", "opens a network ACL"),
    ("ec2:ReplaceNetworkAclEntry", "opens a network ACL"),
    ("ec2:DeleteNetworkAclEntry", "opens a network ACL"),
    ("ec2:ReplaceNetworkAclAssociation", "gives a subnet another network ACL"),
    ("ec2:AssociateDhcpOptions", "names another server for names"),
    ("ec2:CreateLaunchTemplateVersion", "changes what the next node is"),
    ("ec2:AssociateIamInstanceProfile", "gives a machine another role"),
    ("ec2:ReplaceIamInstanceProfileAssociation", "gives a machine another role"),
    ("ec2:ModifySnapshotAttribute", "gives a disk's contents to another account"),
    ("ec2:ModifyImageAttribute", "gives an image to another account"),
    ("ec2-instance-connect:OpenTunnel", "opens a tunnel to machines of the VPC"),
    ("ec2-instance-connect:SendSSHPublicKey", "opens a session on other machines"),
    ("iam:CreateRole", "makes an identity of its own"),
    ("iam:UpdateAssumeRolePolicy", "lets itself become another role"),
    ("iam:CreatePolicyVersion", "widens its own rights"),
    ("iam:SetDefaultPolicyVersion", "widens its own rights"),
    ("iam:PutUserPolicy", "widens somebody's rights"),
    ("ssm:ResumeSession", "opens a session to other machines"),
    ("ssm:PutParameter", "is a mailbox that others may read"),
    ("ssm:GetParameter", "reads what others wrote"),
    ("ssmmessages:OpenDataChannel", "is a channel to whoever holds the session"),
    ("dynamodb:UpdateItem", "is a mailbox that others may read"),
    ("dynamodb:BatchWriteItem", "is a mailbox that others may read"),
    ("s3:PutBucketPolicy", "opens a bucket to others"),
    ("kinesis:PutRecord", "is a mailbox that others may read"),
    ("kinesis:PutRecords", "is a mailbox that others may read"),
    ("firehose:PutRecord", "sends to wherever the stream delivers"),
    ("firehose:PutRecordBatch", "sends to wherever the stream delivers"),
    ("events:PutEvents", "is a mailbox that others may read, or an API destination's request"),
    ("events:PutTargets", "sends events to wherever it likes"),
    ("states:StartExecution", "starts work elsewhere, with its own data"),
    ("states:StartSyncExecution", "starts work elsewhere, with its own data"),
    ("states:InvokeHTTPEndpoint", "calls hosts outside"),
    ("scheduler:CreateSchedule", "starts work elsewhere, with its own data"),
    ("ses:SendEmail", "sends mail"),
    ("ses:SendRawEmail", "sends mail"),
    ("execute-api:Invoke", "calls an API, which may be anybody's"),
    ("vpc-lattice-svcs:Invoke", "calls a service, which may be anybody's"),
    ("iot:Publish", "is a mailbox that others may read"),
    ("cloudwatch:PutMetricData", "is a mailbox that others may read"),
    ("logs:PutSubscriptionFilter", "sends records elsewhere"),
    ("logs:FilterLogEvents", "reads the records of others"),
    ("logs:GetLogEvents", "reads the records of others"),
    ("codebuild:StartBuild", "runs commands on another machine"),
    ("ecs:RunTask", "runs a container elsewhere"),
    ("batch:SubmitJob", "runs a container elsewhere"),
    ("cloudformation:CreateStack", "makes anything that it may make"),
    ("oam:CreateLink", "shows its records to another account"),
    ("ram:CreateResourceShare", "shares resources with another account"),
    ("rolesanywhere:CreateSession", "becomes another role"),
    ("ecr:BatchImportUpstreamImage", "makes the registry fetch from outside, where a pull-through rule exists"),
    ("eks:AssociateAccessPolicy", "gives itself rights on the cluster"),
    ("eks:CreatePodIdentityAssociation", "gives pods another role"),
    ("eks:UpdateAddon", "turns network policies off"),
    ("eks:UpdateNodegroupConfig", "changes what pods may run on sandbox nodes"),
    ("lambda:UpdateFunctionCode", "changes what the door does"),
    ("lambda:UpdateFunctionConfiguration", "changes what the door is told"),
    ("lambda:CreateFunction", "runs its own code outside of the VPC"),
    ("lambda:AddPermission", "lets others run the door"),
    ("lambda:CreateFunctionUrlConfig", "gives a function a public address"),
    ("route53:ChangeResourceRecordSets", "is a mailbox that others may read, by names"),
    ("route53resolver:AssociateResolverRule", "sends queries elsewhere"),
    ("route53resolver:CreateResolverRule", "sends queries elsewhere"),
    ("route53resolver:UpdateFirewallDomains", "opens the DNS firewall"),
    ("route53resolver:UpdateFirewallRule", "opens the DNS firewall"),
    ("route53resolver:DeleteFirewallRule", "opens the DNS firewall"),
    ("route53resolver:DisassociateFirewallRuleGroup", "opens the DNS firewall"),
)

# What a door does in AWS: its budget and head, its settings and records, its secrets, its log.
DOOR_NEEDS = (
    "dynamodb:ConditionCheckItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "kms:Sign",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "s3:GetObject",
    "s3:PutObject",
    "secretsmanager:GetSecretValue",
)

# What quarantine's own code asks, by its handler: one call that is refused, and an attempt goes unanswered.
_OUTSIDE, _INSIDE = "lambda_responder.outside.handler", "lambda_responder.inside.handler"
RESPONDER_NEEDS: dict[str, tuple[str, ...]] = {
    _OUTSIDE: (
        "cloudwatch:DescribeAlarms",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "ec2:DescribeInstances",
        "ec2:ModifyNetworkInterfaceAttribute",
        "ec2:TerminateInstances",
        "eks:DeletePodIdentityAssociation",
        "eks:ListPodIdentityAssociations",
        "iam:AttachRolePolicy",
        "lambda:InvokeFunction",
        "s3:PutObject",
        "sns:Publish",
    ),
}
# The call by which it reads what sensors saw, of each log group that a filter counts in.
RESPONDER_READS = {_OUTSIDE: "logs:FilterLogEvents"}
# What a rule tells it where it is to look at all alarms that stand.
SWEPT = {_OUTSIDE: '{"sweep": true}'}
# (API group, resource, verbs) on the Kubernetes API: it keeps evidence, labels a pod, ends it, and cordons its node.
RESPONDER_KUBERNETES: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    _INSIDE: (("", "pods", ("get", "patch", "delete")), ("", "events", ("list",)), ("", "nodes", ("patch",))),
}

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
    "AWSLambdaVPCAccessExecutionRole": "ec2:CreateNetworkInterface",
    "AmazonDynamoDBFullAccess": "dynamodb:PutItem",
    "AmazonSQSFullAccess": "sqs:SendMessage",
    "SecretsManagerReadWrite": "secretsmanager:GetSecretValue",
}
