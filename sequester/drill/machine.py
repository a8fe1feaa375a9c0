"""A sandbox node as an instance of the embedded cloud: without one, the responder rightly refuses to touch a node."""

from dataclasses import dataclass, replace
from typing import Any

from infra.names import Names
from sequester.cloud import EmbeddedCloud
from sequester.eyes.records import SensorRecord


@dataclass(frozen=True)
class Machine:
    """The ids that the embedded cloud chose, and the name by which Kubernetes would know the node."""

    instance: str
    interface: str
    name: str

    def named_in(self, record: SensorRecord, fields: tuple[str, ...]) -> SensorRecord:
        """A flow log's record with this machine's ids, where the lab had made some up."""
        own = {"instance-id": self.instance, "interface-id": self.interface}
        words = [own.get(key, word) for key, word in zip(fields, record.message.split(" "), strict=True)]
        return replace(record, message=" ".join(words))


def sandbox_machine(cloud: EmbeddedCloud, names: Names, **interface: Any) -> Machine:
    """An instance of the stack's sandbox node group. interface: of `CreateNetworkInterface`, `SubnetId` at least."""
    ec2, cluster = cloud.client("ec2"), names.name
    image = ec2.register_image(Name=f"{cluster}-sandbox-node", RootDeviceName="/dev/xvda")["ImageId"]
    tags = {"eks:cluster-name": cluster, "eks:nodegroup-name": f"{cluster}-sandbox"}
    # An interface of its own: moto gives those that it makes with an instance that instance's groups for ever.
    own = ec2.create_network_interface(**interface)["NetworkInterface"]["NetworkInterfaceId"]
    made = ec2.run_instances(
        ImageId=image, MinCount=1, MaxCount=1,
        NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": own}],
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}],
    )["Instances"][0]  # fmt: skip
    return Machine(made["InstanceId"], own, made["PrivateDnsName"])
