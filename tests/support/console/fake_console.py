"""A console on a pseudo-terminal, written from docs/console.md; no gateware in it."""

import collections
import contextlib
import os
import re
import select
import threading
import tty

QUEUE = 256
END = b"\x04> "
EMPTY_ANSWER = b"\r\n" + END
MARK = None
INFO = (
    "# model tiny, digest 0123456789abcdef, build 0000beef",
    "# n_layers 1, d_model 8, n_heads 2, d_ff 16, ctx_len 16, vocab_size 96",
    "# rows 2, cols 4, lanes 4, packing 2bit, clock 25 MHz",
)
WELCOME = f"\r\n{INFO[0]}\r\n".encode() + END
"""What is sent after a reset."""
HELP = (
    "# /temperature 0 to 2.55; 0: greedy",
    "# /top-k 0 to 96; 0: off",
    "# /seed 0 to 4294967295",
    "# /tokens 0 to 65535 to generate; 0: until the context is full",
    "# /info model, digest, build, shape, sizes, clock",
    "# /bench generates a whole context and shows the counts",
    "# /help the commands",
)
LIMITS = {"temperature": "2.55", "top-k": "96", "seed": "4294967295", "tokens": "65535"}
DEFAULTS = {"temperature": "0.80", "top-k": "20", "seed": "1", "tokens": "0"}
LOST = "! bytes were lost or damaged; line ignored"
NO_TOKEN = "! the model has no token for a character of the line; line ignored"
UNKNOWN = "! unknown command; /help lists them"


class FakeConsole(threading.Thread):
    """A device in a thread of its own; a context manager.

    ``pause`` is how many seconds it may sleep at most; None: until something comes.

    Parameters
    ----------
    text : bytes
        What every prompt is answered with, one byte (a token) at a time; b"" never ends.
    corrupt : function of (number of echoes so far, byte) to bytes, what comes back instead
    silent : bool
        Never answers.
    vanish_after : int or None
        Bytes of text after which the device is unplugged.
    garbage : bytes
        What is on its way when the first Ctrl-C arrives.
    answers_ctrl_c : bool
        Whether Ctrl-C arrives behind the end of the generation that it was to stop, so that it
        has an answer of its own.

    Attributes
    ----------
    port : str
    lines : list of bytes, complete ones as they arrived
    stops : int, Ctrl-C that arrived
    overflowed : bool, a byte was lost
    hasty : bool, an Enter came before the echo of its line
    lost_enters : int, Enters that will not arrive
    spoiled : dict of lines to what comes, once, instead of their answers, or behind their texts
    refuses_prompts : bool
    """

    pause = None

    def __init__(
        self,
        text=b"to be\r\n",
        *,
        corrupt=None,
        silent=False,
        vanish_after=None,
        garbage=b"",
        answers_ctrl_c=False,
    ):
        super().__init__(daemon=True)
        self.text, self.corrupt, self.silent = text, corrupt, silent
        self.vanish_after, self.garbage = vanish_after, garbage
        self.answers_ctrl_c, self.spoiled = answers_ctrl_c, {}
        self.overflowed, self.hasty, self.lost_enters = False, False, 0
        self.refuses_prompts = False
        self.lines, self.stops, self.echoes = [], 0, 0
        self.unsent = bytearray()
        self.settings = dict(DEFAULTS)
        self.own, self.other = os.openpty()
        tty.setraw(self.other)
        os.set_blocking(self.own, False)
        self.port = os.ttyname(self.other)
        self.queue, self.line, self.marked = collections.deque(), bytearray(), False
        self.generation, self.generated, self.after_cr = None, 0, False
        self.text_begun = threading.Event()
        self.wake_read, self.wake = os.pipe()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        os.write(self.wake, b"x")
        self.join(5)
        for end in (self.own, self.other, self.wake_read, self.wake):
            if end is not None:
                os.close(end)

    def send(self, content):
        if not self.silent:
            self.unsent += content
            if threading.current_thread() is not self:
                os.write(self.wake, b" ")

    def write(self):
        """As much of what was sent as the port takes."""
        with contextlib.suppress(BlockingIOError):
            del self.unsent[: os.write(self.own, bytes(self.unsent))]

    def wait_until_generated(self):
        """Until there is some text."""
        assert self.text_begun.wait(30)

    def wait_until_sent(self):
        """Until the port's user could read something."""
        assert select.select([self.other], [], [], 5)[0]

    def run(self):
        while True:
            endless = self.generation is not None and not self.text  # no faster than one reads
            busy = self.queue or (self.generation is not None and not (endless and self.unsent))
            wait = 0 if busy else self.pause
            unsent = [self.own] if self.unsent else []
            ready, _, _ = select.select([self.own, self.wake_read], unsent, [], wait)
            if self.wake_read in ready and b"x" in os.read(self.wake_read, 4096):
                return
            if self.own in ready:
                for byte in os.read(self.own, 4096):
                    self.arrive(byte)
            if self.generation is not None:
                self.generate_byte()
            elif self.queue:
                self.handle(self.queue.popleft())
            self.look()
            self.write()
            vanishes = self.vanish_after is not None and self.generated >= self.vanish_after
            if vanishes and not self.unsent:
                os.close(self.own)
                self.own = None
                return

    def look(self):
        """Whatever it does without being asked, between two pauses."""

    def arrive(self, byte):
        if byte == 0x03:
            self.stops += 1
            self.send(self.garbage)  # after opening, which discards what came before
            self.garbage = b""
            self.queue.clear()
            self.forget()
            self.after_cr = False
            if self.generation is None:
                self.send(EMPTY_ANSWER)
            elif self.answers_ctrl_c:
                self.end_text("count")
                self.send(EMPTY_ANSWER)
            else:
                self.end_text("stopped")
        else:
            self.hasty |= byte in (0x0D, 0x0A) and bool(self.queue)
            self.queue.append(byte if len(self.queue) < QUEUE else MARK)

    def forget(self):
        self.line.clear()
        self.marked = False

    def handle(self, byte):
        skipped = byte == 0x0A and self.after_cr
        self.after_cr = byte == 0x0D
        if skipped:
            return
        if byte in (0x0D, 0x0A):
            if self.lost_enters:
                self.lost_enters -= 1
                return
            self.send(b"\r\n")
            line, marked = bytes(self.line), self.marked
            self.forget()
            self.lines.append(line)
            if marked:
                self.answer(LOST)
            else:
                self.obey(line)
        elif byte == 0x15:
            self.forget()
            self.send(b"\r\n> ")
        elif byte in (0x08, 0x7F):
            if self.line:
                self.line.pop()
                self.send(b"\b \b")
        else:
            if byte is MARK:
                self.overflowed = self.marked = True
                return
            self.line.append(byte)
            echo = bytes([byte])
            self.send(self.corrupt(self.echoes, byte) if self.corrupt else echo)
            self.echoes += 1

    def obey(self, line):
        if line.startswith(b"/"):
            name, _, argument = line[1:].decode(errors="replace").partition(" ")
            self.answer(*self.command(name, argument.lstrip(" ")))
        elif not line:
            self.answer()
        elif b"@" in line or self.refuses_prompts:
            self.answer(NO_TOKEN)
        else:
            self.prompt(line)

    def command(self, name, argument):
        """Lines of its answer."""
        if name in self.settings:
            if argument:
                decimals = r"(\.\d{1,2})?" if name == "temperature" else ""
                number = re.fullmatch(r"\d+" + decimals, argument, re.ASCII)
                if not number or float(argument) > float(LIMITS[name]):
                    return (f"! {name} must be 0 to {LIMITS[name]}",)
                shown = f"{float(argument):.2f}" if decimals else f"{int(argument)}"
                self.settings[name] = shown
            return (f"# {name} {self.settings[name]}",)
        if argument or name not in ("info", "help", "bench"):
            return (UNKNOWN,)
        bench = "# prompt 1 tokens, text 16 tokens, 4000 cycles, 0 waiting, end: context"
        return {"info": INFO, "help": HELP, "bench": (bench,)}[name]

    def prompt(self, line):
        try:
            self.prompt_size = len(re.sub(r"\\(.)", r"\1", line.decode()))
        except UnicodeDecodeError:
            self.answer(NO_TOKEN)
            return
        self.send(b"\x02")
        self.text_begun.set()
        self.generation = list(self.text)

    def answer(self, *lines):
        self.end_answer("".join(f"{line}\r\n" for line in lines).encode() + END)

    def end_answer(self, content):
        self.send(self.spoiled.pop(self.lines[-1], content))

    def generate_byte(self):
        if not self.text:  # without end, and no faster than somebody reads
            if not self.unsent:
                self.send(b"la ")
                self.generated += 3
        elif self.generation:
            self.send(bytes([self.generation.pop(0)]))
            self.generated += 1
        else:
            self.end_text("count")

    def end_text(self, end):
        self.generation = None
        if self.settings["temperature"] != "0.00":
            self.settings["seed"] = str((int(self.settings["seed"]) + 1) % 2**32)
        counts = (
            f"# prompt {self.prompt_size} tokens, text {len(self.text)} tokens, "
            f"2500 cycles, 50000 waiting, end: {end}\r\n"
        )
        self.end_answer(b"\x03\r\n" + counts.encode() + END)
