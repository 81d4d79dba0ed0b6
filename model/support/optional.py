"""Packages of the optional extras: a missing one is one line that says what to install."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import shlex
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from .errors import UserError

PROJECT = "gateformer"


def require(packages: dict[str, str], extra: str) -> None:
    """Raise UserError for the first of ``packages`` (name to purpose) that is not installed."""
    for package, purpose in packages.items():
        if importlib.util.find_spec(package) is None:
            raise UserError(
                f"{purpose} needs {package}, which is not installed; run: {install_command(extra)}"
            )


def install_command(extra: str) -> str:
    """What adds an extra to this program, run in the current directory.

    A source tree that runs (installed editable, or not at all) is installed editable; a copy from
    elsewhere again from there (PEP 610), from an index by its name.
    """
    tree = _source_tree()
    if tree is not None:
        place = "." if tree == Path.cwd() else str(tree)
        return f"pip install -e {_quoted(f'{place}[{extra}]')}"
    url = _origin()
    if url is None:
        return f"pip install '{PROJECT}[{extra}]'"
    if url.startswith("file:") and Path(place := url2pathname(urlsplit(url).path)).is_dir():
        return f"pip install {_quoted(f'{place}[{extra}]')}"
    return f"pip install '{PROJECT}[{extra}] @ {url}'"


def _quoted(text: str) -> str:
    """Quoted for a shell, as people do: with quotes, even if a shell could do without."""
    return f"'{text}'" if "'" not in text else shlex.quote(text)


def _source_tree() -> Path | None:
    """The directory of this program's pyproject.toml, if the code lies in it."""
    # no further up: a virtual environment with a copy may lie in another project, or in this one
    for directory in Path(__file__).resolve().parents[:4]:
        project = directory / "pyproject.toml"
        if project.is_file() and f'name = "{PROJECT}"' in project.read_text(encoding="utf-8"):
            return directory
    return None


def _origin() -> str | None:
    """The URL that the installed copy came from; None if from an index."""
    # a source tree in the current directory may have metadata, too, but no origin
    for distribution in importlib.metadata.distributions(name=PROJECT):
        content = distribution.read_text("direct_url.json")
        if content is not None:
            facts = json.loads(content)
            version_control = facts.get("vcs_info")
            if version_control is None:
                return facts["url"]
            return f"{version_control['vcs']}+{facts['url']}@{version_control['commit_id']}"
    return None
