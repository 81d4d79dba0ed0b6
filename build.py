"""gateformer: builds the accelerator of a trained model for a board. See --help."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
INSTALL = f"pip install -e {HERE}"


def main() -> None:
    try:
        from gateformer.model.support.interrupt import guard_imports

        guard_imports()
        from gateformer.platforms import command_line
    except ModuleNotFoundError as error:
        sys.exit(_refused(f"{error.name} is not installed"))
    used = Path(command_line.__file__).resolve().parents[1]
    if used != HERE:
        sys.exit(_refused(f"the installed gateformer is that of {used}, not of {HERE}"))
    command_line.run_command("build", sys.argv[1:], program="python build.py")


def _refused(reason: str) -> int:
    print(f"error: {reason}; run: {INSTALL}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
