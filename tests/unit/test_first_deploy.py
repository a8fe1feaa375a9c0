"""The first-deploy checks name operations and options that AWS has."""

import shlex

import botocore.session
import jmespath
import pytest

from sequester.first_deploy import CHECKS, Check

CLI_OPTIONS = {"query", "max-items"}  # the CLI's own, on every command


@pytest.mark.parametrize("check", [c for c in CHECKS if c.command.startswith("aws ")], ids=lambda c: c.id)
def test_the_command_is_one_of_aws(check: Check) -> None:
    words = shlex.split(check.command)
    service, operation, *options = words[1:]
    model = botocore.session.get_session().get_service_model(service)
    camel = "".join(part.capitalize() for part in operation.split("-"))
    name = next(n for n in model.operation_names if n.lower() == camel.lower())
    shape = model.operation_model(name).input_shape
    members = {m.lower() for m in shape.members} if shape else set()
    given = [option.removeprefix("--") for option in options if option.startswith("--")]
    for option in given:
        assert option in CLI_OPTIONS or option.replace("-", "") in members, option
    jmespath.compile(words[words.index("--query") + 1] if "--query" in words else "@")
