"""What the blueprint does not own in a VPC that was there already, and how its owner checks each (claims E1, E2)."""

from dataclasses import dataclass

from infra.settings import Settings


@dataclass(frozen=True)
class NotOwned:
    """Something that the seal depends on and that another makes. `check` is a command whose output must be `must`."""

    what: str
    id: str
    why: str
    check: str
    must: str

    @property
    def line(self) -> str:
        """All of it in a line."""
        return f"{self.what} {self.id}: {self.why}; `{self.check}` must print {self.must}"


def not_owned(settings: Settings) -> tuple[NotOwned, ...]:
    """Empty where the blueprint makes the VPC itself."""
    existing = settings.network.existing
    if existing is None:
        return ()
    vpc = existing.vpc
    of_vpc = f"--filters Name=vpc-id,Values={vpc}"
    return (
        NotOwned(
            "VPC",
            vpc,
            "an internet gateway would be a way out as soon as a route leads there",
            f"aws ec2 describe-internet-gateways --filters Name=attachment.vpc-id,Values={vpc}"
            " --query 'length(InternetGateways)'",
            "0",
        ),
        NotOwned(
            "VPC",
            vpc,
            "a peering connection is a way into another network",
            f"aws ec2 describe-vpc-peering-connections --filters Name=requester-vpc-info.vpc-id,Values={vpc}"
            " --query 'length(VpcPeeringConnections)'",
            "0",
        ),
        NotOwned(
            "DHCP options of VPC",
            vpc,
            "a foreign resolver would not be behind the DNS Firewall",
            f"aws ec2 describe-vpc-attribute --vpc-id {vpc} --attribute enableDnsSupport"
            " --query EnableDnsSupport.Value",
            "true",
        ),
        NotOwned(
            "default security group of VPC",
            vpc,
            "what is made without a group gets it",
            f"aws ec2 describe-security-groups {of_vpc} Name=group-name,Values=default"
            " --query 'length(SecurityGroups[0].IpPermissionsEgress)'",
            "0",
        ),
        *(
            NotOwned(
                "route table",
                subnet.route_table,
                f"every route of {subnet.id} but the local one, and S3's, is a way out",
                f"aws ec2 describe-route-tables --route-table-ids {subnet.route_table}"
                " --query 'length(RouteTables[0].Routes[?GatewayId!=`local` && !starts_with(GatewayId, `vpce-`)])'",
                "0",
            )
            for subnets in existing.subnets.values()
            for subnet in subnets
        ),
    )
