"""A console on a pseudo-terminal, written from docs/console.md; no gateware in it."""

import collections
import contextlib
import os
import select
import threading
import tty

QUEUE = 256
END = b"\x04> "
MARK = None
INFO = (
    "# tiny · 0123456789abcdef · build 0000beef\r\n"
    "# 1 layer, d 8, context 16, vocabulary 96\r\n# clock 25.000 MHz\r\n"
)
HELP = "# /temperature /top-k /seed /tokens /info /bench /help\r\n"


class FakeConsole(threading.Thread):
    """A device in a thread of its own; a context manager.

    Parameters
    ----------
    text : bytes
        What every prompt is answered with, one byte at a time; b"" never ends.
    corrupt : function of (number of echoes so far, byte) to bytes, what comes back instead
    silent : bool
        Never answers.
    vanish_after : int or None
        Bytes of text after which the device is unplugged.
    garbage : bytes
        What is on its way when the first Ctrl-C arrives.
    answers_ctrl_c : bool
        Whether Ctrl-C has an answer of its own behind the one of the generation that it stops.

    Attributes
    ----------
    port : str
    lines : list of bytes, complete ones as they arrived
    stops : int, Ctrl-C that arrived
    overflowed : bool, a byte was lost
    hasty : bool, an Enter came before the echo of its line
    lost_enters : int, Enters that will not arrive
    loses_end : bool, the next answer to a line will come without its end
    refuses_prompts : bool
    """

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
        self.answers_ctrl_c, self.loses_end = answers_ctrl_c, False
        self.overflowed, self.hasty, self.lost_enters = False, False, 0
        self.refuses_prompts = False
        self.lines, self.stops, self.echoes = [], 0, 0
        self.settings = {"/temperature": "0.80", "/top-k": "20", "/seed": "1", "/tokens": "0"}
        self.own, self.other = os.openpty()
        tty.setraw(self.other)
        os.set_blocking(self.own, False)
        self.port = os.ttyname(self.other)
        self.queue, self.line = collections.deque(), bytearray()
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
        if content and not self.silent:
            os.write(self.own, content)

    def wait_until_generated(self):
        """Until there is some text."""
        assert self.text_begun.wait(30)

    def wait_until_sent(self):
        """Until the port's user could read something."""
        assert select.select([self.other], [], [], 5)[0]

    def run(self):
        while True:
            busy = self.queue or self.generation is not None
            ready, _, _ = select.select([self.own, self.wake_read], [], [], 0 if busy else None)
            if self.wake_read in ready:
                return
            if self.own in ready:
                for byte in os.read(self.own, 4096):
                    self.arrive(byte)
            if self.generation is not None:
                self.generate_byte()
            elif self.queue:
                self.handle(self.queue.popleft())
            if self.vanish_after is not None and self.generated >= self.vanish_after:
                os.close(self.own)
                self.own = None
                return

    def arrive(self, byte):
        if byte == 0x03:
            self.stops += 1
            self.send(self.garbage)  # after opening, which discards what came before
            self.garbage = b""
            self.queue.clear()
            self.line.clear()
            if self.generation is not None:
                self.end_text("stopped")
                self.send(END if self.answers_ctrl_c else b"")
            else:
                self.send(END)
        else:
            self.hasty |= byte in (0x0D, 0x0A) and bool(self.queue)
            self.queue.append(byte if len(self.queue) < QUEUE else MARK)

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
            line = bytes(self.line)
            self.line.clear()
            self.lines.append(line)
            self.obey(line)
        elif byte == 0x15:
            self.line.clear()
            self.send(b"\r\n> ")
        elif byte in (0x08, 0x7F):
            if self.line:
                self.line.pop()
                self.send(b"\b \b")
        else:
            if byte is MARK:
                self.overflowed = True
                return
            self.line.append(byte)
            echo = bytes([byte])
            self.send(self.corrupt(self.echoes, byte) if self.corrupt else echo)
            self.echoes += 1

    def obey(self, line):
        command, _, argument = line.decode(errors="replace").partition(" ")
        if command in self.settings:
            self.settings[command] = argument or self.settings[command]
            self.answer(f"# {command[1:]} {self.settings[command]}\r\n")
        elif command in ("/info", "/help"):
            self.answer({"/info": INFO, "/help": HELP}[command])
        elif command == "/bench":
            self.answer(
                "# prompt 1 tokens, text 16 tokens, 4000 cycles, 0 waiting, end: context\r\n"
            )
        elif command.startswith("/"):
            self.answer("! unknown command; /help lists them\r\n")
        elif not line:
            self.answer("")
        elif b"@" in line or self.refuses_prompts:
            self.answer("! the model has no token for a character of the line; line ignored\r\n")
        else:
            self.send(b"\x02")
            self.text_begun.set()
            self.prompt_size, self.generation = len(line), list(self.text)

    def answer(self, text):
        self.send(text.encode() + (b"" if self.loses_end else END))
        self.loses_end = False

    def generate_byte(self):
        if not self.text:  # without end, and no faster than somebody reads
            with contextlib.suppress(BlockingIOError):
                self.send(b"la ")
                self.generated += 3
        elif self.generation:
            self.send(bytes([self.generation.pop(0)]))
            self.generated += 1
        else:
            self.end_text("count")

    def end_text(self, end):
        self.generation = None
        self.settings["/seed"] = str(int(self.settings["/seed"]) + 1)
        self.send(b"\x03\r\n")
        self.answer(
            f"# prompt {self.prompt_size} tokens, text {len(self.text)} tokens, "
            f"2500 cycles, 50000 waiting, end: {end}\r\n"
        )
