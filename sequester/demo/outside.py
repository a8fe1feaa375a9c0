"""Step: the doors, the tripwires and the responders, read back over the AWS API, and every control checked."""

from collections.abc import Sequence

from infra.names import Names
from infra.tripwires import wires
from sequester.demo.scene import Scene
from sequester.eyes import Watch
from sequester.readback.control import holding
from sequester.readback.doors import DOOR_CONTROLS, check_doors
from sequester.readback.eyes import EYES_CONTROLS, check_eyes


def play(scene: Scene) -> Sequence[str]:
    """Say what stands; the findings of all controls."""
    console, names = scene.console, Names.of(scene.settings)
    for tenant, settings in sorted(scene.settings.tenants.items()):
        hosts = ", ".join(rule.host for rule in settings.allow) or "nothing"
        console.print(f"{names.door(tenant)}: may fetch from {hosts}", markup=False, highlight=False)
    alarms = Watch.read(scene.standing.cloud.client).alarms
    sensors = {wire.row.sensor for wire in wires(sorted(scene.settings.tenants)) if wire.name(names.name) in alarms}
    console.print(f"{len(alarms)} alarms over {len(sensors)} sensors", highlight=False)
    doors, eyes = check_doors(scene.seen.doors), check_eyes(scene.seen.eyes)
    console.print(f"doors: {holding(DOOR_CONTROLS, doors)}", highlight=False)
    console.print(f"tripwires and responders: {holding(EYES_CONTROLS, eyes)}", highlight=False)
    return [str(finding) for finding in (*doors, *eyes)]
