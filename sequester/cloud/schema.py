"""What the pulumi_aws SDK declares for a resource: its inputs and its outputs, by the names used on the wire.

The SDK ships no schema, and importing one of its modules costs a second; its generated source is regular, so the
names are read from there. A token that the SDK does not have is an error: it is a typo, or another SDK version.
"""

import importlib.util
import keyword
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_GETTER = re.compile(r"@pulumi\.getter(?:\(name=\"(\w+)\"\))?\s+def (\w+)\(self\) -> (.+):")
_CLASS = re.compile(r"^class (\w+)", re.MULTILINE)


class UnknownTokenError(LookupError):
    """The SDK has no resource of this type."""


@dataclass(frozen=True)
class Schema:
    """The property names of a resource type: what a program may give, must give, and gets back."""

    inputs: frozenset[str]
    required: frozenset[str]
    outputs: frozenset[str]
    echoed: frozenset[str] = frozenset()
    """Outputs that the SDK types as optional: without an input there is none, which a provider knows in a preview."""

    @property
    def computed(self) -> frozenset[str]:
        """The outputs that only the cloud can know."""
        return self.outputs - self.inputs


@cache
def declared(token: str) -> Schema:
    """The schema of a type such as `aws:ec2/vpc:Vpc`."""
    _, path, name = token.split(":")
    module, file = path.split("/")
    source = _sdk() / (f"{module}_" if keyword.iskeyword(module) else module) / f"{_snake(file)}.py"
    if not source.is_file():
        raise UnknownTokenError(f"{token}: pulumi_aws has no such type")
    classes = _classes(source.read_text())
    args = classes.get(f"{name}InitArgs") or classes.get(f"{name}Args")  # Init where a nested type has the name
    if args is None or name not in classes:
        raise UnknownTokenError(f"{token}: pulumi_aws has no such type")
    given = [(wire or python, kind) for wire, python, kind in _GETTER.findall(args)]
    told = _GETTER.findall(classes[name])
    return Schema(
        inputs=frozenset(wire for wire, _ in given),
        required=frozenset(wire for wire, kind in given if "Optional[" not in kind.split("Input[", 1)[-1][:9]),
        outputs=frozenset(wire or python for wire, python, _ in told),
        echoed=frozenset(wire or python for wire, python, kind in told if kind.startswith("pulumi.Output[Optional[")),
    )


def _classes(source: str) -> dict[str, str]:
    marks = [(m.group(1), m.start()) for m in _CLASS.finditer(source)]
    ends = [start for _, start in marks[1:]] + [len(source)]
    return {name: source[start:end] for (name, start), end in zip(marks, ends, strict=True)}


def _snake(file: str) -> str:
    """`iPSet` is ip_set.py, `bucketObjectv2` is bucket_objectv2.py: as Pulumi's generator writes file names."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])(?![A-Z])|(?<=[A-Z])([A-Z])(?=[a-z])", r"_\1\2", file).lower()


@cache
def _sdk() -> Path:
    spec = importlib.util.find_spec("pulumi_aws")
    if spec is None or spec.origin is None:
        raise UnknownTokenError("pulumi_aws is not installed: install the `infra` extra")
    return Path(spec.origin).parent
