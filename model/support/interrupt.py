"""Ctrl-C at any moment: one line, status 130, whatever was being imported or done.

Imports only what the interpreter has loaded anyway: until :func:`guard_imports` has run, Ctrl-C is
a traceback. So it takes :mod:`_signal`, which :mod:`signal` wraps in enumerations.
"""

from __future__ import annotations

import _signal as signal
import os
import sys

INTERRUPTED = "interrupted"
INTERRUPTED_STATUS = 130
"""128 + SIGINT, as a shell reports it."""
COMMANDS = ("gateformer", "-m")
"""``sys.argv[0]`` of our processes, without directory."""
RETRY = 0.01
"""Seconds after which an interrupt that was lost in a callback, or put off, is raised again."""
IMPORT_SYSTEM = "<frozen importlib."
"""How the names of files begin from which Python imports."""

_happened = False
_threading = None
"""The module, once it is imported."""
_again = None
"""The timer that raises an interrupt again, until it does or another interrupt comes before."""
_deciding = None
"""Which of these two it is."""


def guard_command() -> None:
    """Guard the imports of the command ``gateformer``, before they begin.

    Does nothing where its module is imported for something else, which is told by
    ``sys.argv[0]``: the console script, or ``-m`` while that is looking for its module.
    """
    if sys.argv and os.path.basename(sys.argv[0]).removesuffix(".exe") in COMMANDS:
        guard_imports()


def guard_imports() -> None:
    """Until :func:`raise_interrupts`, Ctrl-C ends the process at once: there is nothing to undo.

    An exception would not do: raised while a package is being imported, it may become another one,
    or be ignored.
    """
    _handle(_end)


def raise_interrupts() -> None:
    """From now on, Ctrl-C is a KeyboardInterrupt in the main thread, and :func:`happened`.

    One that comes while a module is being imported waits for the end of that: raised within it, it
    may become another exception, or end the process from C++ (torch 2.13). One that is raised in a
    callback, where Python ignores exceptions, is raised again after it.
    """
    import threading  # here, since a handler must not begin to import it

    global _threading, _deciding
    _threading = threading
    _deciding = threading.RLock()  # a handler may interrupt itself
    _handle(_raise)
    sys.unraisablehook = _unraisable


def ignore_interrupts() -> None:
    """The work is over and its status known: what is left takes a moment."""
    _handle(signal.SIG_IGN)


def happened() -> bool:
    """Whether Ctrl-C was pressed since :func:`raise_interrupts`."""
    return _happened


def says_so() -> bool:
    """Whether this process speaks: of several that torchrun has started, the first one."""
    return os.environ.get("RANK", "0") == "0"


def _handle(handler) -> None:
    try:
        signal.signal(signal.SIGINT, handler)
    except ValueError:  # only the main thread may, and only it is interrupted
        return


def _end(*_) -> None:
    if says_so():
        os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(INTERRUPTED_STATUS)


def _raise(_, frame) -> None:
    global _happened, _again
    _happened = True
    if _importing(frame):
        _raise_again()
        return
    with _deciding:
        _again = None
    raise KeyboardInterrupt


def _importing(frame) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith(IMPORT_SYSTEM):
            return True
        frame = frame.f_back
    return False


def _raise_again() -> None:
    global _again
    if _again is not None:
        return
    timer = _threading.Timer(RETRY, lambda: _interrupt_main_thread(timer))
    timer.daemon = True
    _again = timer  # before it starts: an interrupt within that starts no other
    timer.start()


def _interrupt_main_thread(timer) -> None:
    global _again
    with _deciding:
        if _again is not timer:
            return
        _again = None
        if hasattr(signal, "pthread_kill"):  # ends what the main thread waits for
            signal.pthread_kill(_threading.main_thread().ident, signal.SIGINT)
        else:
            signal.raise_signal(signal.SIGINT)


def _unraisable(unraisable) -> None:
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _raise_again()
    else:
        sys.__unraisablehook__(unraisable)
