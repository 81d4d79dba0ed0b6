"""Cores of this machine, and the option that says how many of them to use."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from . import cli

MOST_THREADS = 256
_TOPOLOGY = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


@functools.cache
def physical_cores() -> int:
    """Cores that this process may use, two threads of one core counted once; at least 1."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    processors = os.sched_getaffinity(0)
    cores = set()
    for processor in processors:
        try:
            cores.add(Path(_TOPOLOGY.format(processor)).read_text(encoding="ascii"))
        except OSError:  # a system that does not say
            return len(processors)
    return len(cores)


def default_threads() -> int:
    """One per physical core, as long as an option could say so."""
    return min(physical_cores(), MOST_THREADS)


def add_threads_option(parser, what: str) -> None:
    """Add ``--threads`` to a parser or a group of one; None if it was not given."""
    parser.add_argument(
        "--threads",
        type=cli.within(int, 1, MOST_THREADS),
        metavar="N",
        help=f"{what} (default: the physical cores, {default_threads()} here)",
    )
