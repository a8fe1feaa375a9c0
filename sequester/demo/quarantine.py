"""The end of a quarantine: what a step's alarms closed is released, as a person does it, and the alarms are quiet."""

from collections.abc import Sequence

from infra.names import Names
from infra.responder_config import outside_name
from sequester.demo.scene import Scene
from sequester.eyes.responder import Invoking, Noted, deployed_responder
from sequester.release import ReleaseError, release


def released(scene: Scene, tenant: str, why: str) -> list[str]:
    """Ask the responder for a release, as `sequester release` does; a failure if it does not."""
    cloud, function = scene.standing.cloud, outside_name(Names.of(scene.settings))
    responder = deployed_responder(cloud, function, Noted())
    try:
        done = release(Invoking(function, responder.handle), function, tenant, "the demo", why)
    except ReleaseError as error:
        return [str(error)]
    again = "" if done.associated else "; `pulumi up --refresh` gives the agent its identity again"
    scene.console.print(
        f"released {done.tenant}, record {done.record} of the responder's chain{again}", highlight=False
    )
    return []


def quiet(scene: Scene, alarms: Sequence[str]) -> None:
    """Set alarms back to OK, as CloudWatch does once their windows have passed without a record: nobody waits here."""
    for alarm in alarms:
        scene.standing.cloud.client("cloudwatch").set_alarm_state(
            AlarmName=alarm, StateValue="OK", StateReason="no record in the alarm's window"
        )
