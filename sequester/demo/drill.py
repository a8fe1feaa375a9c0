"""Step: a few techniques of every family, really tried; what stopped each, who saw it, and what was done."""

from collections.abc import Sequence

from sequester.demo.scene import NotShownError, Scene


def play(scene: Scene) -> Sequence[str]:
    """Hold the drill, where its parts are: its API server is built by what is in the repository, and in no wheel."""
    try:
        from sequester.demo import drilled
    except ModuleNotFoundError as error:
        if error.name != "tools":
            raise
        raise NotShownError("the drill builds an API server by the repository's tools: hold it in a checkout") from None
    return drilled.play(scene)
