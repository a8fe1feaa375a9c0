"""Files in `out/`: the picture, the recorded resources, the Kubernetes objects."""

import json

import yaml

from sequester import picture
from sequester.demo.scene import Scene


def keep(scene: Scene) -> None:
    """Write the files, and name them."""
    out, run = scene.out, scene.standing.run
    out.mkdir(parents=True, exist_ok=True)
    resources = [
        {
            "urn": resource.urn,
            "type": resource.type,
            "name": resource.name,
            "id": resource.id,
            "parent": resource.parent,
            "inputs": resource.inputs,
            "dependencies": list(resource.dependencies),
            "declared_only": resource.declared_only,
        }
        for resource in run.resources
    ]
    network = drawn(scene)
    files = {
        "resources.json": json.dumps(resources, indent=2, default=str) + "\n",
        "network.mmd": picture.mermaid(network),
        "network.svg": picture.svg(network),
    }
    if run.kubernetes:
        files["kubernetes.yaml"] = yaml.safe_dump_all(run.kubernetes, sort_keys=False)
    for name, content in files.items():
        (out / name).write_text(content)
    said = f"{len(resources)} resources: {', '.join(f'{out}/{name}' for name in files)}"
    scene.console.print(said, markup=False, highlight=False)


def drawn(scene: Scene) -> picture.Network:
    """The picture's facts, from what was read back."""
    observed = scene.seen.network
    order = {"sandbox": 0, "system": 1, "endpoint": 2, "control": 3}
    boxes = [picture.Box(subnet.tier or "?", subnet.zone, subnet.cidr) for subnet in observed.subnets]
    return picture.Network(
        cidr=", ".join(observed.cidrs),
        boxes=sorted(boxes, key=lambda box: order.get(box.tier, len(order))),
        endpoints=sorted(
            endpoint.service if endpoint.kind == "Interface" else f"{endpoint.service} (gateway)"
            for endpoint in observed.endpoints
        ),
        doors=[f"door {tenant}" for tenant in sorted(scene.settings.tenants)],
        ways_out=[f"{kind}: {one}" for kind, found in observed.ways_out.items() for one in found],
    )
