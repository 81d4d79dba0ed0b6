"""Ctrl-C between the steps of a training."""

from __future__ import annotations

import signal


class Interrupt:
    """While active, Ctrl-C and SIGTERM set ``requested``, so that a step is never half done."""

    requested = False
    _signals = (signal.SIGINT, signal.SIGTERM)

    def __enter__(self):
        def request(_signal, _frame):
            self.requested = True

        self._previous = [signal.signal(number, request) for number in self._signals]
        return self

    def __exit__(self, *_):
        for number, handler in zip(self._signals, self._previous, strict=True):
            signal.signal(number, handler)
