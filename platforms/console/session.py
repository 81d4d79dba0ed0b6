"""The console's terminal side: lines from a person or a script, answers as they come."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator

from gateformer.model.contract.artifact import Artifact
from gateformer.model.support.cli import USER_ERROR_STATUS
from gateformer.model.support.errors import UserError

from ..support.progress import output_console
from .answer import Kind, Piece
from .bench import BenchError, print_bench
from .client import ConsoleClient, Interrupted, UnsendableLine
from .history import line_editing
from .load import INFO, LOAD, LoadError, load, open_to_load
from .prompts import NOTE, PromptEncoder, UnencodableLine, is_imported

PROMPT = "> "
QUIT, BENCH, HELP = "/quit", "/bench", "/help"
COMMANDS = ("/temperature", "/top-k", "/seed", "/tokens", INFO, BENCH, HELP, LOAD, QUIT)
TOP_P = "/top-p"
"""Of an imported model."""

_MARKS = {Kind.INFORMATION: "# ", Kind.REFUSAL: "! ", Kind.NOTE: "! "}
_FAILURES = (Kind.REFUSAL, Kind.OTHER, Kind.NOTE)
"""Pieces of an answer that is not the one to the line, or not all of it."""


class Session:
    """Reads lines from stdin until it ends or ``/quit``; writes answers to stdout.

    On a terminal it prompts, edits lines, and Ctrl-C stops the generation only. Otherwise it
    takes one line after the other, and Ctrl-C stops the generation and then the program.

    Parameters
    ----------
    client : ConsoleClient
        Synchronized.
    artifact : Artifact, optional
        Of a model that is loaded before the first line.
    encoder : PromptEncoder, optional
        Of the imported model that the console has.
    """

    def __init__(
        self,
        client: ConsoleClient,
        artifact: Artifact | None = None,
        encoder: PromptEncoder | None = None,
    ):
        self._client, self._artifact, self._encoder = client, artifact, encoder
        self._interactive = sys.stdin.isatty() and sys.stdout.isatty()
        self._interrupts = _Interrupts()
        self._failed = False

    def run(self) -> int:
        """Exit status: 0, or 2 if a script had a line that was refused or not answered whole.

        If the model is not loaded, it is 2, and no line is read; LoadError as of :func:`load`.
        UserError if the console's model is not the encoder's.
        """
        info = self._client.ask(INFO).information
        imported, lines = is_imported(info), list(info[:1])
        if self._encoder is not None:
            self._encoder.check(info)
        elif imported:
            lines.append(NOTE)
        _write("".join(f"# {line}\n" for line in lines))
        commands = (*COMMANDS, TOP_P) if imported else COMMANDS
        editing = line_editing(commands) if self._interactive else contextlib.nullcontext()
        with self._interrupts, editing:
            if self._artifact is not None:
                self._show(load(self._client, self._artifact, self._interrupts.start()))
                self._end_script()
                if self._failed:
                    return USER_ERROR_STATUS
            for line in self._typed_lines() if self._interactive else self._piped_lines():
                if line.rstrip() == QUIT:
                    break
                if line:
                    self._handle(line)
        return USER_ERROR_STATUS if self._failed and not self._interactive else 0

    def _typed_lines(self) -> Iterator[str]:
        """Lines as a person types them; Ctrl-C forgets one, Ctrl-D ends."""
        while True:
            try:
                with self._interrupts.raised():
                    line = input(PROMPT)
            except KeyboardInterrupt:
                _write("\n")
            except EOFError:
                _write("\n")
                return
            else:
                yield line

    def _piped_lines(self) -> Iterator[str]:
        while True:
            with self._interrupts.raised():
                line = sys.stdin.readline()
            if not line:
                return
            yield line.removesuffix("\n").removesuffix("\r")

    def _handle(self, line: str) -> None:
        command, interrupted = line.rstrip(), self._interrupts.start()
        try:
            if command == BENCH:
                print_bench(self._client, interrupted, output_console())
            elif command.split(" ")[0] == LOAD:
                self._load(command.removeprefix(LOAD).strip(), interrupted)
            else:
                self._show(self._client.answer(self._encoded(line), interrupted))
                if command == HELP:
                    _write(f"# {QUIT}, Ctrl-D: leave; Ctrl-C: stop the generation\n")
        except (UnsendableLine, UnencodableLine, BenchError, LoadError) as error:
            _write(f"! {error}\n")
            self._failed = True
        self._end_script()

    def _encoded(self, line: str) -> str:
        """What is sent for a line."""
        if self._encoder is None or line.startswith("/"):
            return line
        return self._encoder.encode(line)

    def _end_script(self) -> None:
        """After Ctrl-C, none goes on."""
        if self._interrupts.happened and not self._interactive:
            raise KeyboardInterrupt

    def _load(self, name: str, interrupted: Interrupted) -> None:
        if not name:
            raise LoadError(f"{LOAD} needs a model: a shipped name, an artifact file or random:…")
        self._show(load(self._client, open_to_load(name), interrupted))

    def _show(self, answer: Iterator[Piece]) -> None:
        in_text = False
        try:
            for piece in answer:
                if in_text and piece.kind not in (Kind.TEXT, Kind.TEXT_END):
                    _write("\n")  # the end of the text was lost
                in_text = piece.kind is Kind.TEXT
                mark, end = ("", "") if in_text else (_MARKS.get(piece.kind, ""), "\n")
                _write(f"{mark}{piece.text}{end}")
                self._failed |= piece.kind in _FAILURES
        except UserError:
            _write("\n" if in_text else "")
            raise


class _Interrupts:
    """While entered, Ctrl-C is noted and breaks nothing off, so that no byte gets lost."""

    def __init__(self):
        self.happened = False
        self._pending = False
        self._raises = False

    def start(self) -> Interrupted:
        """Forget what was pressed; the function tells whether it was since its last call."""
        self.happened = self._pending = False
        return self._take

    def _take(self) -> bool:
        pending, self._pending = self._pending, False
        return pending

    @contextlib.contextmanager
    def raised(self) -> Iterator[None]:
        """Ctrl-C is a KeyboardInterrupt, as usual, but only once."""
        self._raises = True
        try:
            yield
        finally:
            self._raises = False

    def __enter__(self):
        # only the main thread may; elsewhere Ctrl-C is not ours
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:
            self._previous = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *exception):
        if self._main:
            signal.signal(signal.SIGINT, self._previous)

    def _note(self, number, frame):
        self.happened = self._pending = True
        if self._raises:
            self._raises = False
            raise KeyboardInterrupt


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
