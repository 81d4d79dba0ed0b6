"""The platform class in a board file of a user's: ``my_board.py`` or ``my_board.py:MyBoard``."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path

from amaranth.build import Platform

from gateformer.model.support.cache import digest
from gateformer.model.support.errors import UserError

from ..support.design_digest import code

SUFFIX = ".py"
NEEDED = (
    "a subclass of amaranth's XilinxPlatform, LatticePlatform or GowinPlatform, like those of "
    "amaranth-boards; see docs/boards.md"
)


def is_board_file(name: str) -> bool:
    """Whether a board's name on the command line is that of a file, perhaps with a class."""
    return _split(name)[0].endswith(SUFFIX)


def or_a_file(name: str) -> str:
    """End of the complaint about an unknown board: what a file would be called."""
    file = Path(name + SUFFIX)
    return f"; for the board file write {file}" if name and file.is_file() else ""


def _split(name: str) -> tuple[str, str | None]:
    """File and class of ``my_board.py:MyBoard``; no class is None."""
    path, colon, cls = name.rpartition(":")
    if colon and path.endswith(SUFFIX):
        return path, cls
    return name, None


def load_platform(name: str) -> tuple[Path, type[Platform], bool]:
    """File and platform class that ``name`` stands for, and whether it is the only one there.

    Classes that the file defines count, without those whose names begin with an underscore; if it
    defines none, those that it imports. The file is run, as any Python file that is imported.

    Raises UserError in one line if the file can't be read or run, or leaves the class open.
    """
    given, wanted = _split(name)
    path = Path(given)
    classes = _platform_classes(_run(path))
    known = ", ".join(classes)
    if not classes:
        raise UserError(f"{path} has no platform class; it needs {NEEDED}")
    if wanted is None and len(classes) > 1:
        raise UserError(
            f"{path} has several platform classes, {known}; choose one, as in "
            f"{path}:{next(iter(classes))}"
        )
    if wanted is not None and wanted not in classes:
        raise UserError(f"{path} has no platform class {wanted!r}; it has {known}")
    cls = classes[wanted] if wanted is not None else next(iter(classes.values()))
    return path, cls, len(classes) == 1


def file_digest(path: Path) -> str:
    """Digest of what the file says to Python: comments and layout do not count."""
    return digest(code(path))


def _run(path: Path):
    """The module that the file is."""
    if not path.exists():
        raise UserError(f"there is no board file {path}; name one, or a board of --list")
    name = f"board_file_{digest(str(path.resolve()))[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    beside, keep = str(path.resolve().parent), sys.dont_write_bytecode
    sys.path.insert(0, beside)  # what the file imports from beside it, as a script does
    sys.dont_write_bytecode = True
    try:
        compiled = compile(path.read_bytes(), str(path), "exec")
        exec(compiled, module.__dict__)
    except OSError as error:
        if error.filename is None or Path(error.filename) != path:
            raise _failed(path, error) from None
        raise UserError(f"cannot read the board file {path}: {error.strerror}") from None
    except (SyntaxError, ValueError, UnicodeError) as error:
        if not isinstance(error, SyntaxError) and _line_in(path, error):
            raise _failed(path, error) from None
        raise _not_python(path, error) from None
    except (Exception, SystemExit) as error:
        raise _failed(path, error) from None
    finally:
        sys.path.remove(beside)
        sys.dont_write_bytecode = keep
    return module


def _not_python(path: Path, error: Exception) -> UserError:
    if not isinstance(error, SyntaxError):
        return UserError(f"{path}: not Python: {_one_line(error)}")
    where = f"{error.filename or path}, line {error.lineno}" if error.lineno else str(path)
    return UserError(f"{where}: not Python: {error.msg}")


def _failed(path: Path, error: BaseException) -> UserError:
    line = _line_in(path, error)
    where = f"{path}, line {line}" if line else str(path)
    said = _one_line(error)
    return UserError(f"{where}: {type(error).__name__}{': ' if said else ''}{said}")


def _line_in(path: Path, error: BaseException) -> int | None:
    """The last line of the file that was running when ``error`` was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((f.lineno for f in reversed(frames) if f.filename == str(path)), None)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _platform_classes(module) -> dict[str, type[Platform]]:
    found = {
        value.__name__: value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Platform)
        and not value.__module__.startswith("amaranth.")
        and not value.__name__.startswith("_")
    }
    own = {name: cls for name, cls in found.items() if cls.__module__ == module.__name__}
    return own or found
