"""A sensor's record, and the form in which the log shipper sends a container's line."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from infra.names import Names
from infra.sensors import SOURCES, Sensor


@dataclass(frozen=True)
class SensorRecord:
    """What a sensor wrote: `message` as it lies in the log group, `at` in seconds since the epoch.

    `tenant` matters for the door only, which has a log group for each.
    """

    sensor: Sensor
    message: str
    at: float
    tenant: str = ""

    def log_group(self, names: Names) -> str:
        return SOURCES[self.sensor].log_group(names, self.tenant)

    @property
    def arrives(self) -> float:
        """When CloudWatch has it, at worst."""
        return self.at + SOURCES[self.sensor].delivery_seconds


def shipped(
    line: str | Mapping[str, object],
    *,
    namespace: str,
    pod: str,
    container: str = "sandbox",
    stream: str = "stderr",
) -> str:
    """A container's line as Fluent Bit sends it under `infra.logshipper`'s configuration.

    Pod and namespace come from the file's name. A line that is a JSON object goes below `event`, any other is dropped
    to `log` (https://docs.fluentbit.io/manual/pipeline/filters/kubernetes: Merge_Log, Merge_Log_Key, Keep_Log).
    """
    try:
        event: object = json.loads(line) if isinstance(line, str) else dict(line)
    except ValueError:
        event = None
    said: dict[str, object] = {"event": event} if isinstance(event, dict) else {"log": line}
    kubernetes = {"namespace_name": namespace, "pod_name": pod, "container_name": container}
    return json.dumps({"stream": stream, **said, "kubernetes": kubernetes})
