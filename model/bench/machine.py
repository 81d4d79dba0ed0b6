"""What a benchmark ran on: processor, cores, load, versions of programs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

from ..support import compiler
from ..support.errors import UserError
from .rows import ALL_CORES

PACKAGES = ("numpy", "torch", "onnx", "onnxruntime", "gateformer")


def machine() -> dict:
    """JSON-ready description; ``load`` is the mean of waiting and running processes of a minute."""
    return {
        "processor": _processor_name(),
        "architecture": platform.machine(),
        "cores": ALL_CORES,
        "system": f"{platform.system()} {platform.release()}",
        "c_compiler": _c_compiler(),
        "load": load(),
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that are installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def load() -> float | None:
    """Load average of the last minute; None where the system has none."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _c_compiler() -> str | None:
    try:
        return compiler.identity(compiler.find_compiler(compiler.C, "the C stream"))
    except UserError:
        return None
