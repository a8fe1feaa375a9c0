"""Namespaces in which all but one rule of the admission policies holds."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from infra.labels import ROLE_LABEL, TENANT_LABEL
from infra.manifests import Manifest
from infra.tenancy import accounts
from sequester.drill.tenants import Tenants, every_policy, placed


def without_each_rule(cluster: Tenants, victim: Mapping[str, Any], agent: Mapping[str, Any]) -> dict[str, str]:
    """For each rule of a namespaced policy, a namespace where its policy holds without it: role/rule → namespace."""
    made: dict[str, str] = {}
    for policy in every_policy():
        role = policy.namespaces.get(ROLE_LABEL)
        if role is None or policy.name.endswith("-templates"):  # the same rules as for pods, on what makes pods
            continue
        for rule in policy.rules:
            made[f"{role}/{rule.name}"] = namespace = f"no-{rule.name}-{role}"
            labels = {
                ROLE_LABEL: namespace,
                TENANT_LABEL: "research",
                "pod-security.kubernetes.io/enforce": "restricted",
            }
            pod, name = (victim, "victim") if role == "sandbox" else (agent, "agent")
            kept = tuple(other for other in policy.rules if other != rule)
            copy = dataclasses.replace(policy, name=namespace, rules=kept, namespaces={ROLE_LABEL: namespace})
            cluster.apply(
                [
                    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}},
                    *(_moved(item, namespace) for item in accounts("research")),
                    placed(pod, namespace, name),
                    *(copy.manifests() if kept else []),
                ]
            )
    return made


def _moved(item: Manifest, namespace: str) -> Manifest:
    metadata: Any = item["metadata"]
    return {**item, "metadata": {**metadata, "namespace": namespace}}
