"""C of this folder as a library for this machine's processor, compiled at first use and kept."""

from __future__ import annotations

import functools
import platform
import subprocess
from pathlib import Path

from ..support import compiler
from ..support.cache import cached_file, digest
from ..support.errors import ToolError

FLAGS = (
    "-std=gnu11",
    "-O3",
    "-march=native",
    "-mprefer-vector-width=512",
    "-fwrapv",
    "-fno-sanitize=all",  # Zig's compiler traps on undefined behaviour unless told not to.
    "-fPIC",
    "-pthread",
    "-fvisibility=hidden",
    "-w",
    "-shared",
)


def compiled(sources: tuple[str, ...], name: str, flags: tuple[str, ...] = ()) -> Path:
    """The library ``name`` of the first of ``sources``, out of the cache or made now.

    ``flags`` are added to :data:`FLAGS`. Raises UserError if there is no compiler, ToolError if it
    fails.
    """
    command = compiler.find_compiler(compiler.C, "the C stream")
    options, paths = [*FLAGS, *flags], [Path(__file__).with_name(source) for source in sources]
    texts = [path.read_text(encoding="utf-8") for path in paths]
    key = digest(compiler.identity(command), processor(), *options, *texts)

    def make(work: Path, target: Path) -> None:
        result = subprocess.run(
            [*command, *options, str(paths[0]), "-o", target.name],
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            tail = "\n".join((result.stdout + result.stderr).splitlines()[-20:])
            raise ToolError(f"{command[0]} failed with status {result.returncode}:\n{tail}")

    return cached_file(f"{name}-{key[:32]}.so", make)


@functools.cache
def processor() -> str:
    """What tells one kind of processor from another: a library for one may not run on another."""
    facts = [platform.machine(), platform.processor()]
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = ("model name", "flags", "Features")
    facts += [next((line for line in lines if line.startswith(name)), "") for name in names]
    return "\n".join(facts)
