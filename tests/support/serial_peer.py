"""The other end of a serial line, one clock cycle after the other; no gateware in it."""


class SerialPeer:
    """8N1 at ``divisor`` cycles of our clock per bit, times 1 + ``slower``.

    ``frames`` are sent one after the other, back to back but for pauses; ``disturb`` maps a line's
    level to another one, given the time in bits since the present frame began.
    """

    def __init__(self, divisor, slower=0.0, disturb=None):
        self.period = float(divisor) * (1 + slower)
        self.disturb = disturb
        self.waveform = []  # (start cycle, bits); the last bit lasts
        self.free = 0.0
        self.now = 0
        self.current = 0
        # receiving
        self.received = bytearray()
        self.broken = 0
        self._start = None
        self._bits = []
        self._idle = True
        self._driven = 1

    def send(self, content: bytes, gap=0, stop=1):
        """Queue frames, each followed by ``gap`` more bits of idle line."""
        for byte in content:
            bits = [0, *(byte >> i & 1 for i in range(8)), stop]
            self.free = max(self.free, self.now)
            self.waveform.append((self.free, bits))
            self.free += (10 + gap) * self.period

    def send_break(self, bits):
        """A line that is low for that many bits, then high for one."""
        self.free = max(self.free, self.now)
        self.waveform.append((self.free, [0] * bits + [1]))
        self.free += (bits + 1) * self.period

    @property
    def sending(self) -> bool:
        return self.now < self.free

    def level(self) -> int:
        """What we put on the line in this cycle."""
        while self.current < len(self.waveform) and self.now >= self._end(self.current):
            self.current += 1
        level = 1
        time = None
        if self.current < len(self.waveform):
            start, bits = self.waveform[self.current]
            if self.now >= start:
                time = (self.now - start) / self.period
                level = bits[int(time)]
        return self.disturb(level, time) if self.disturb else level

    def _end(self, index):
        start, bits = self.waveform[index]
        return start + len(bits) * self.period

    def step(self, level: int):
        """One cycle; ``level`` is what the other end sends."""
        if self._start is None:
            if self._idle and not level:
                self._start, self._bits = self.now, []
            self._idle = bool(level)
        elif self.now - self._start >= (len(self._bits) + 0.5) * self.period:
            self._bits.append(level)
            if len(self._bits) == 10:
                if self._bits[0] or not self._bits[9]:
                    self.broken += 1
                else:
                    self.received.append(sum(b << i for i, b in enumerate(self._bits[1:9])))
                self._start, self._idle = None, bool(level)
        self.now += 1

    def cycle(self, simulation):
        """One clock cycle of a compiled simulation whose ``rx``, 1 at first, and ``tx`` we hold."""
        level = self.level()
        if level != self._driven:  # setting an input costs more than looking at it
            simulation.set("rx", level)
            self._driven = level
        self.step(simulation.get("tx"))
        simulation.step()
