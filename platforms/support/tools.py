"""Programs that a build runs, and their end with it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import ctypes
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

from gateformer.model.support.errors import ToolError

MOST_LINES, LONGEST_LINE = 20, 400
"""Of a program's output in the message of its failure: compilers name a template's type in a line
of many thousand characters."""

_running: set[subprocess.Popen] = set()
_starting = threading.Lock()
_launcher = concurrent.futures.ThreadPoolExecutor(1)
"""Its thread is not interrupted between the start of a program and the note of it."""
_thread = threading.local()


def run_tool(
    command: list[str],
    directory: Path,
    *,
    environment: Mapping[str, str] | None = None,
    name: str | None = None,
) -> str:
    """Run a program in ``directory``; its output. Raises ToolError with status and last lines.

    ``environment``: variables besides this process's. ``name`` is what errors call the program
    (default: the command's first word). An interruption ends what the program has started, too.
    """
    name = name or command[0]
    launched = _launcher.submit(
        _launch,
        name,
        command,
        getattr(_thread, "ended", threading.Event()),
        cwd=directory,
        env={**os.environ, **(environment or {})},
    )
    try:
        process = launched.result()
        output, _ = process.communicate()
    except BaseException:
        if launched.exception() is None:
            kill_with_children(launched.result())
        raise
    finally:
        if launched.exception() is None:
            _running.discard(launched.result())
    if process.returncode:
        tail = "\n".join(_shortened(line) for line in output.splitlines()[-MOST_LINES:])
        raise ToolError(f"{name} failed with status {process.returncode}:\n{tail}")
    return output


def _shortened(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} …"


def _launch(name: str, command: list[str], ended: threading.Event, **options) -> subprocess.Popen:
    with _starting:
        if ended.is_set():
            raise ToolError(f"{name} was not started: the build has ended")
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **options,
        )
        _running.add(process)
    return process


class ToolPool(concurrent.futures.ThreadPoolExecutor):
    """Threads that run tools.

    Only the main thread is interrupted: when the block is left by an exception, the running tools
    of all threads end, the pool's threads start none any more, and what they compute is
    interrupted, too.
    """

    def __init__(self, jobs: int | None = None):
        self._ended = threading.Event()
        self._busy: set[int] = set()
        super().__init__(jobs, initializer=self._enter)

    def submit(self, function, /, *arguments, **options):
        return super().submit(self._noted, function, *arguments, **options)

    def _noted(self, function, *arguments, **options):
        self._busy.add(threading.get_ident())
        try:
            return function(*arguments, **options)
        finally:
            self._busy.discard(threading.get_ident())

    def _enter(self):
        _thread.ended = self._ended

    def __exit__(self, error, *rest):
        if error is not None:
            self.shutdown(wait=False, cancel_futures=True)
            with _starting:
                self._ended.set()
                running = tuple(_running)
            for process in running:
                kill_with_children(process)
            for thread in tuple(self._busy):
                _interrupt(thread)
        return super().__exit__(error, *rest)


class _Ended(ToolError):
    """In a thread of a pool that was left by an exception."""

    def __init__(self):
        super().__init__("the build has ended")


def _interrupt(thread: int) -> None:
    """Raise :class:`_Ended` in a thread that computes; what it holds is cleaned up on its way."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(_Ended))


def kill_with_children(process: subprocess.Popen) -> None:
    """End a process that was started with ``start_new_session``, and what it has started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
