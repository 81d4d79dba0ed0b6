"""Loading a bitstream the way that a board's own amaranth platform does it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from amaranth.build import Platform
from amaranth.build.run import BuildProducts, LocalBuildProducts

from gateformer.model.support.errors import UserError

_CALLS = ("call", "check_call", "check_output", "run", "Popen")


class PlatformProgrammer:
    """As :class:`platforms.boards.programming.Programmer`, by the platform's ``toolchain_program``.

    Parameters
    ----------
    platform : type
        Class of an amaranth platform, which can be made without arguments.
    """

    def __init__(self, platform: type[Platform]):
        self._platform = platform

    @property
    def command(self) -> str:
        """The first command that it calls, or the method if that can't be told."""
        return self._called() or f"{self._platform.__name__}.toolchain_program"

    def installed(self) -> str | None:
        """Path of that command, None if there is none; where it can't be told, the method."""
        command = self._called()
        return self.command if command is None else shutil.which(command)

    def load(self, path: Path) -> int:
        """Load the bitstream ``path``, whose directory has whatever else is needed; the status.

        Raises UserError if a file or command that the platform asks for is not there.
        """
        products = LocalBuildProducts(str(path.parent))
        try:
            self._platform().toolchain_program(products, path.stem)
        except subprocess.CalledProcessError as error:
            return error.returncode
        except OSError as error:
            raise _refused(error) from None
        return 0

    def _called(self) -> str | None:
        """What the method would call first: it is run, with all that it could call replaced."""
        called = []

        def record(command, *_, **__):
            called.append(command if isinstance(command, str) else command[0])
            raise _Recorded

        with _replaced(record):
            try:
                self._platform().toolchain_program(_NoProducts(), "top")
            except _Recorded:
                return called[0]
            except OSError as error:  # it has looked for its command itself
                raise _refused(error) from None
        return None


class _Recorded(Exception):
    pass


def _refused(error: OSError) -> UserError:
    said = str(error) if error.filename is None else f"{error.filename}: {error.strerror}"
    return UserError(f"--program: {' '.join(said.split())}; install it, or leave --program out")


@contextlib.contextmanager
def _replaced(function: Callable) -> Iterator[None]:
    originals = {name: getattr(subprocess, name) for name in _CALLS}
    for name in _CALLS:
        setattr(subprocess, name, function)
    try:
        yield
    finally:
        for name, original in originals.items():
            setattr(subprocess, name, original)


class _NoProducts(BuildProducts):
    """Every file is there, and empty."""

    def get(self, filename, mode="b"):
        return b"" if mode == "b" else ""
