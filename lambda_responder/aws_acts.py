"""The acts on AWS, each safe to repeat and confined to what the configuration names."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, cast

import boto3
from botocore.config import Config as ClientConfig

from .config import Config
from .plan import Step
from .subject import Node, Tenant

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import FilterTypeDef, InstanceTypeDef
    from mypy_boto3_eks import EKSClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient

_CLIENT: Final = ClientConfig(connect_timeout=2, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 5})
_CLUSTER_TAG, _GROUP_TAG = "eks:cluster-name", "eks:nodegroup-name"


class RefusedError(Exception):
    """The act would touch what is not ours to touch; the message says what."""


class Clients:
    """AWS clients, made when first used; `make` gives one for a service's name."""

    def __init__(self, region: str, make: Callable[[str], Any] | None = None) -> None:
        self._make = make or partial(_client, region)

    @cached_property
    def cloudwatch(self) -> "CloudWatchClient":
        return self._make("cloudwatch")

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        return self._make("dynamodb")

    @cached_property
    def ec2(self) -> "EC2Client":
        return self._make("ec2")

    @cached_property
    def eks(self) -> "EKSClient":
        return self._make("eks")

    @cached_property
    def iam(self) -> "IAMClient":
        return self._make("iam")

    @cached_property
    def functions(self) -> "LambdaClient":
        return self._make("lambda")

    @cached_property
    def logs(self) -> "CloudWatchLogsClient":
        return self._make("logs")

    @cached_property
    def s3(self) -> "S3Client":
        return self._make("s3")

    @cached_property
    def sns(self) -> "SNSClient":
        return self._make("sns")


def _client(region: str, service: str) -> Any:
    return cast("Any", boto3).client(service, region_name=region, config=_CLIENT)


@dataclass(frozen=True)
class AwsActs:
    """`quarantine_group`: id of the security group without rules."""

    config: Config
    clients: Clients
    quarantine_group: str

    def close_door(self, tenant: Tenant, incident: str) -> None:
        self.clients.dynamodb.update_item(
            TableName=self.config.tenants[tenant.name]["door_table"],
            Key={"tenant": {"S": tenant.name}, "item": {"S": "control"}},
            UpdateExpression="SET halted = if_not_exists(halted, :incident)",
            ExpressionAttributeValues={":incident": {"S": incident}},
        )

    def open_door(self, tenant: Tenant) -> None:
        self.clients.dynamodb.update_item(
            TableName=self.config.tenants[tenant.name]["door_table"],
            Key={"tenant": {"S": tenant.name}, "item": {"S": "control"}},
            UpdateExpression="REMOVE halted",
        )

    def revoke_sessions(self, tenant: Tenant, incident: str) -> None:
        """Deny the agent's role everything, which ends sessions that exist already too, until it is released.

        By a policy made beforehand, the only one that this function may attach: `iam:PutRolePolicy` would let whoever
        takes it over write any policy.
        """
        self.clients.iam.attach_role_policy(RoleName=self._role(tenant), PolicyArn=self.config.deny_policy)

    def restore_sessions(self, tenant: Tenant) -> None:
        with suppress(self.clients.iam.exceptions.NoSuchEntityException):  # they were not revoked
            self.clients.iam.detach_role_policy(RoleName=self._role(tenant), PolicyArn=self.config.deny_policy)

    def undo(self, step: Step) -> None:
        """What a release would have undone, had it come later."""
        match step:
            case Step("close_door", Tenant() as tenant):
                self.open_door(tenant)
            case Step("revoke_sessions", Tenant() as tenant):
                self.restore_sessions(tenant)
            case _:
                pass

    def _role(self, tenant: Tenant) -> str:
        return self.config.tenants[tenant.name]["agent_role"]

    def delete_association(self, tenant: Tenant, incident: str) -> None:
        """So that the agent gets no new session; `pulumi up` makes it again."""
        listed = self.clients.eks.list_pod_identity_associations(
            clusterName=self.config.cluster, namespace=f"{tenant.name}-agent"
        )
        for association in listed["associations"]:
            self.clients.eks.delete_pod_identity_association(
                clusterName=self.config.cluster, associationId=association.get("associationId", "")
            )

    def associated(self, tenant: Tenant) -> bool:
        """Whether the agent's service account has its identity."""
        listed = self.clients.eks.list_pod_identity_associations(
            clusterName=self.config.cluster, namespace=f"{tenant.name}-agent"
        )
        return bool(listed["associations"])

    def cut_off(self, node: Node, incident: str) -> None:
        """The quarantine group on every interface, secondary ones included: pods' packets leave by those."""
        for interface in self.instance(node).get("NetworkInterfaces", []):
            self.clients.ec2.modify_network_interface_attribute(
                NetworkInterfaceId=interface.get("NetworkInterfaceId", ""), Groups=[self.quarantine_group]
            )

    def snapshot(self, node: Node, incident: str) -> None:
        """The disks, once an incident."""
        instance = self.instance(node).get("InstanceId", "")
        tags = {"sequester:incident": incident, "sequester:instance": instance}
        there = self.clients.ec2.describe_snapshots(
            OwnerIds=[self.config.account], Filters=[{"Name": f"tag:{key}", "Values": [of]} for key, of in tags.items()]
        )
        if not there["Snapshots"]:
            self.clients.ec2.create_snapshots(
                InstanceSpecification={"InstanceId": instance},
                Description=f"evidence of {incident}",
                TagSpecifications=[
                    {"ResourceType": "snapshot", "Tags": [{"Key": key, "Value": of} for key, of in tags.items()]}
                ],
            )

    def terminate(self, node: Node, incident: str) -> None:
        self.clients.ec2.terminate_instances(InstanceIds=[self.instance(node).get("InstanceId", "")])

    def instance(self, node: Node) -> "InstanceTypeDef":
        """A sandbox node of our cluster. Raises RefusedError for any other instance."""
        key = ("instance-id", node.instance) if node.instance else ("private-dns-name", node.name or "")
        ours: list[FilterTypeDef] = [{"Name": f"tag:{_CLUSTER_TAG}", "Values": [self.config.cluster]}]
        answer = self.clients.ec2.describe_instances(Filters=[*ours, {"Name": key[0], "Values": [key[1]]}])
        found = [each for reservation in answer["Reservations"] for each in reservation.get("Instances", [])]
        if len(found) != 1:
            raise RefusedError(f"{node}: not one instance of cluster {self.config.cluster}, but {len(found)}")
        tags = {tag.get("Key"): tag.get("Value") for tag in found[0].get("Tags", [])}
        if tags.get(_GROUP_TAG) != self.config.sandbox_node_group:
            raise RefusedError(f"{node}: not of node group {self.config.sandbox_node_group}: left to a person")
        if found[0].get("InstanceId") in self.config.never_touch:
            raise RefusedError(f"{node}: the settings say never to touch it")
        return found[0]

    def state(self, node: Node) -> Mapping[str, object]:
        """Evidence: the instance with its interfaces and groups, whoever's it is."""
        key = ("instance-id", node.instance) if node.instance else ("private-dns-name", node.name or "")
        answer = self.clients.ec2.describe_instances(Filters=[{"Name": key[0], "Values": [key[1]]}])
        return {"reservations": answer["Reservations"]}
