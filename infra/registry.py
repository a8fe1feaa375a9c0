"""The private registry: what agents and sandboxes may run lies here, since no public one can be reached from inside."""

import json
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from infra.names import Names
from infra.settings.cluster import ClusterSettings

_UNTAGGED_DAYS: Final = 30


def repositories(settings: ClusterSettings) -> tuple[str, ...]:
    """The last part of each repository's name: ours, and the mirrored images that a setting asks for."""
    optional = {"log-shipper": settings.log_shipper, "cluster-autoscaler": settings.autoscaling}
    return ("sandbox", "agent", *(name for name, image in optional.items() if image))


def lifecycle() -> str:
    """What is pulled by digest keeps a tag; what lost its tag goes after a month."""
    rule = {
        "rulePriority": 1,
        "description": f"untagged for {_UNTAGGED_DAYS} days",
        "selection": {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": _UNTAGGED_DAYS,
        },
        "action": {"type": "expire"},
    }
    return json.dumps({"rules": [rule]})


@dataclass(frozen=True)
class RegistryArgs:
    """How `Registry` is made."""

    names: Names
    settings: ClusterSettings


class Registry(pulumi.ComponentResource):
    """ECR repositories: tags cannot be moved, images are scanned and encrypted."""

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sequester:index:Registry", name, None, opts)
        own = pulumi.ResourceOptions(parent=self)
        for what in repositories(args.settings):
            title = f"{args.names.repositories}/{what}"
            repository = aws.ecr.Repository(
                title,
                name=title,
                image_tag_mutability="IMMUTABLE",
                image_scanning_configuration={"scan_on_push": True},
                encryption_configurations=[{"encryption_type": "KMS"}],
                force_delete=False,
                tags=args.names.tags(title),
                opts=own,
            )
            aws.ecr.LifecyclePolicy(title, repository=repository.name, policy=lifecycle(), opts=own)
        self.register_outputs({})
