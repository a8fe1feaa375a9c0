"""Expressions of admission policies, evaluated by Google's CEL runtime as the API server evaluates them.

https://kubernetes.io/docs/reference/using-api/cel/ : an expression that fails (a field that is not there) is an error,
which a policy that fails closed takes for a denial. What this runtime cannot judge (the API server's own libraries, the
authorizer) is None: it is counted for nothing.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional

_VARIABLES = ("object", "oldObject", "request", "namespaceObject", "variables", "params")


class CelError(ValueError):
    """The expression fails on this input, as it would on the API server."""


@lru_cache(maxsize=1)
def _environment() -> Any:
    runtime = cast("Any", cel)
    kinds = dict.fromkeys(_VARIABLES, runtime.Type.DYN)
    return runtime.NewEnv(variables=kinds, extensions=[cast("Any", ext_optional).ExtOptional()])


@lru_cache(maxsize=4096)
def _compiled(expression: str) -> Any:
    """None for what does not compile here."""
    try:
        return _environment().compile(expression)
    except (RuntimeError, ValueError, TypeError):
        return None


def known(expression: str) -> bool:
    """Whether this runtime can judge an expression."""
    return _compiled(expression) is not None


def evaluate(expression: str, data: Mapping[str, object]) -> object:
    """The value, as plain Python; None for an expression that cannot be judged. Raises CelError where it fails."""
    compiled = _compiled(expression)
    if compiled is None:
        return None
    try:
        result = compiled.eval(data=dict(data))
    except (RuntimeError, ValueError, TypeError) as error:
        raise CelError(str(error)) from error
    if result.type() == cast("Any", cel).Type.ERROR:
        raise CelError(str(result.value()))
    return cast("object", result.plain_value())
