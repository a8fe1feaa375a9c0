"""`python -m tools [name...]` builds the tools that are not installed: all of them, or those named."""

import shutil
import sys

import tools
from tools.build import BuildError, build
from tools.pins import FAMILIES, FAMILY_OF


def main(names: list[str]) -> int:
    """Builds what is missing and says where each tool is; 1 if one could not be built, 2 for an unknown name."""
    wanted = names or [name for family in FAMILIES for name in family.packages]
    for name in wanted:
        if name not in FAMILY_OF:
            print(f"{name}: no such tool; there are {', '.join(FAMILY_OF)}", file=sys.stderr)
            return 2
    for name in wanted:
        try:
            if tools.find(name) is None:
                if shutil.which(name):
                    _say(f"{name}: {tools.mend(name)}")
                build(FAMILY_OF[name], _say)
        except BuildError as error:
            print(error, file=sys.stderr)
            return 1
        _say(f"{name} {FAMILY_OF[name].version}: {tools.find(name)}")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
