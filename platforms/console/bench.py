"""``/bench`` of the console: what the device counts, and what a user waits."""

from __future__ import annotations

import dataclasses
import re
import time

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateformer.model.support.errors import UserError

from .client import Answer, ConsoleClient, Interrupted

PROMPTS = (r"\n", "A", "a", "0", " ", "!")
"""Tried in this order until the model has tokens for one."""

_NUMBER = "([0-9]{1,20})"
"""At most 64 bits."""
_COUNTS = re.compile(
    f"prompt {_NUMBER} tokens?, text {_NUMBER} tokens?, {_NUMBER} cycles?, {_NUMBER} waiting, "
    r"end: (\w+)"
)
_TOGETHER = re.compile(
    f"all {_NUMBER} streams: text {_NUMBER} tokens, {_NUMBER} cycles, wall clock {_NUMBER} us, .*"
)
_CLOCK = re.compile(r"\bclock (\d+(?:\.\d+)?) ([kM]?)Hz\b")
_PREFIX = {"": 1, "k": 1e3, "M": 1e6}


STOPPED = "stopped"
"""How the device calls the end by Ctrl-C."""


class BenchError(UserError):
    """The measurement came to nothing; the console is as before."""


@dataclasses.dataclass(frozen=True)
class Counts:
    """The device's counts of one generation, and the seconds that its answer took here."""

    prompt: int
    text: int
    cycles: int
    waiting: int
    end: str
    seconds: float


def parse_counts(answer: Answer, seconds: float) -> Counts:
    """The counts that end the answer to a prompt; BenchError if there are none."""
    for line in answer.information:
        if match := _COUNTS.fullmatch(line):
            *numbers, end = match.groups()
            if end == STOPPED:
                raise BenchError("/bench was stopped")
            return Counts(*map(int, numbers), end, seconds)
    raise BenchError(
        f"the console sent no counts, but {answer.refusal or answer.information!r}; try again"
    )


@dataclasses.dataclass(frozen=True)
class Together(Counts):
    """Those of all streams of an accelerator that has several; the seconds are the device's."""

    streams: int


def parse_together(answer: Answer, alone: Counts) -> Together | None:
    """What ``/bench`` says of all streams, each of which had the prompt of one ``alone``; None if
    there is but one."""
    for line in answer.information:
        if match := _TOGETHER.fullmatch(line):
            streams, text, cycles, microseconds = map(int, match.groups())
            prompt = streams * alone.prompt
            return Together(prompt, text, cycles, 0, alone.end, microseconds / 1e6, streams)
    return None


def parse_clock(answer: Answer) -> float | None:
    """Clock in Hz that ``/info`` states; None if it states none."""
    for line in answer.information:
        if match := _CLOCK.search(line):
            return float(match[1]) * _PREFIX[match[2]]
    return None


def run_bench(client: ConsoleClient, interrupted: Interrupted) -> tuple[Table, str]:
    """Generate greedily without text, then a text; (table of both, the prompt of the text). Of an
    accelerator with several streams, the device also generates with all of them, without text.

    The text has the settings that are set; the seed is what it was, afterwards.

    Raises
    ------
    BenchError
        If ``interrupted``, the model has no token for any of :data:`PROMPTS`, or an answer was
        damaged or lost.
    UserError
        If the connection broke.
    """
    info = _ask(client, "/info")
    started = time.perf_counter()
    answer = _ask(client, "/bench", interrupted, client.link.bench_patience)
    silent = parse_counts(answer, time.perf_counter() - started)
    together = parse_together(answer, silent)
    if together is not None:
        alone = max(silent.seconds - together.seconds, 0)
        silent = dataclasses.replace(silent, seconds=alone)
    seed = _ask(client, "/seed").information
    try:
        prompt, text = _generate(client, interrupted)
    finally:
        if seed:
            _ask(client, f"/{seed[0]}")
    model = info.information[0] if info.information else ""
    generations = {"no text sent": silent}
    if together is not None:
        generations[f"all {together.streams} streams, no text sent"] = together
    generations["text sent"] = text
    return _table(model, parse_clock(info), client.link.real_time, generations), prompt


def print_bench(client: ConsoleClient, interrupted: Interrupted, output: Console) -> None:
    """Print the table of :func:`run_bench` and what it was measured with."""
    table, prompt = run_bench(client, interrupted)
    output.print(table)
    output.print(Text(f"# the text's prompt: {prompt}"))


def _ask(client: ConsoleClient, line: str, *arguments) -> Answer:
    """As :meth:`ConsoleClient.ask`; BenchError if the answer is not as the device sent it."""
    answer = client.ask(line, *arguments)
    if answer.notes:
        raise BenchError(f"/bench came to nothing: {answer.notes[0]}; try again")
    return answer


def _generate(client: ConsoleClient, interrupted: Interrupted) -> tuple[str, Counts]:
    for prompt in PROMPTS:
        started = time.perf_counter()
        answer = _ask(client, prompt, interrupted)
        if answer.refusal is None:
            return prompt, parse_counts(answer, time.perf_counter() - started)
    raise BenchError(f"the console refuses every prompt of /bench: {answer.refusal}")


def _table(
    model: str, clock: float | None, real_time: bool, generations: dict[str, Counts]
) -> Table:
    """One column for each generation. Core time and waiting add up to what the device took."""
    table = Table(title=Text(model))
    table.add_column("", justify="left")
    for heading in generations:
        table.add_column(heading, justify="right")

    def add(name, value):
        table.add_row(name, *map(value, generations.values()))

    add("prompt, tokens", lambda counts: f"{counts.prompt:,}")
    add("generated, tokens", lambda counts: f"{counts.text:,}")
    add("core, cycles", lambda counts: f"{counts.cycles:,}")
    add("core, cycles per token", lambda c: f"{c.cycles / c.text:,.1f}" if c.text else "–")
    if clock is not None:
        at = f"at {clock / 1e6:g} MHz"
        rate = f"core, tokens per second {at}"
        add(rate, lambda c: f"{c.text * clock / c.cycles:,.0f}" if c.cycles else "–")
        add(f"core, ms {at}", lambda counts: f"{counts.cycles / clock * 1e3:,.2f}")
        add(f"waiting for the line, ms {at}", lambda c: f"{c.waiting / clock * 1e3:,.2f}")
    if clock is not None and real_time:

        def rest(counts):
            inside = (counts.cycles + counts.waiting) / clock
            return f"{max(counts.seconds - inside, 0) * 1e3:,.2f}"

        add("sending the line, USB and this program, ms", rest)
    wall = "wall clock, ms" if real_time else "wall clock of the simulation, ms"
    add(wall, lambda counts: f"{counts.seconds * 1e3:,.2f}")
    return table
