"""A stream's way through the program, an instruction after the other."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..compiler.interleaving import Lane, Request
from ..compiler.program import Program
from ..plan.encoding import instruction_layout


def request_layout(program: Program) -> data.StructLayout:
    """What a stream's next instruction waits for: :class:`.interleaving.Request`, and its place.

    Its lane is to be free, or quiet, too: ``free`` or ``quiet`` has the lane's bit set.
    """
    takes = (f"takes_{name}" for name in program.interleaving.locks)
    flags = ("urgent", "settled", *takes, "queries")
    following = instruction_layout(program.interleaving.turns)["following"].shape
    lanes = dict.fromkeys(("free", "quiet"), len(Lane))
    return data.StructLayout({"place": following, "lane": Lane, **lanes, **dict.fromkeys(flags, 1)})


def _set_request(request: data.View, source: Request | data.View, prefix: str = "") -> list:
    """Statements by which ``request``, but for its place, becomes what ``source`` has of the
    members of :class:`.interleaving.Request`, each with ``prefix``."""

    def member(name: str) -> Value:
        return Value.cast(getattr(source, prefix + name))

    lane, quiet = member("lane"), member("quiet").replicate(len(Lane))
    on = Cat(lane == each for each in Lane)
    decoded = {
        "free": on & ~quiet,
        "quiet": on & quiet,
        "queries": member("takes_array") & on[Lane.VECTOR.value],
    }
    names = [name for name in request.shape().members if name != "place"]
    values = {name: decoded[name] if name in decoded else member(name) for name in names}
    return [Value.cast(getattr(request, name)).eq(value) for name, value in values.items()]


class Thread(wiring.Component):
    """One token's program after the other, for a slot.

    Parameters
    ----------
    program : Program, of several streams

    Members
    -------
    begin : In(1), a token's program begins; not while one runs
    running : Out(1), from the next cycle on
    ended : Out(1), its last cycle, but for the beats of its last instruction
    predict : In(1), while it runs: it goes on to its end, not to a prompt token's
    first : In(1), with ``begin``: the token is the first one of a sequence
    ready : Out(1), the next instruction may begin, as far as its stream goes
    request : Out(:func:`request_layout`), with ``ready``
    turn : In(1), with ``ready``: it begins
    load : In(1), two cycles after ``turn``: ``word`` is the instruction that begins
    word : In, word of the program memory
    freeing : In(1), of its lane, in the cycle before it is free again
    frees_array, frees_squares : Out(1), with ``freeing``: so are these, if there is such a lock
    seeds : Out(1), with ``turn``: it is the sequence's first to take the sampler
    """

    def __init__(self, program: Program):
        self._first = program.interleaving.requests[0]
        self._freed = [f"frees_{name}" for name in program.interleaving.locks if name != "sampler"]
        word = instruction_layout(program.interleaving.turns)
        super().__init__(
            {
                "begin": In(1),
                "running": Out(1),
                "ended": Out(1),
                "predict": In(1),
                "first": In(1),
                "ready": Out(1),
                "request": Out(request_layout(program)),
                "turn": In(1),
                "load": In(1),
                "word": In(word),
                "freeing": In(1),
                **dict.fromkeys(self._freed, Out(1)),
                "seeds": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        running, ready, fresh = Signal(), Signal(), Signal()
        request = Signal(self.request.shape(), reset_less=True)
        ends_token, ends_prompt = Signal(reset_less=True), Signal(reset_less=True)
        wait, left = Signal.like(self.word.wait, reset_less=True), Signal.like(self.word.wait)
        m.d.comb += [
            self.running.eq(running),
            self.ready.eq(ready),
            self.request.eq(request),
            self.ended.eq(self.freeing & (ends_token | (ends_prompt & ~self.predict))),
            self.seeds.eq(fresh),
        ]
        with m.If(left != 0):
            m.d.sync += left.eq(left - 1)
        m.d.sync += ready.eq((ready & ~self.turn) | (left == 1))
        with m.If(self.freeing):
            m.d.sync += left.eq(wait)
            with m.If(self.ended):
                m.d.sync += [running.eq(0), left.eq(0)]
            with m.Else():
                m.d.sync += ready.eq(wait == 0)
        with m.If(self.turn & request.takes_sampler):
            m.d.sync += fresh.eq(0)
        with m.If(self.load):
            word = self.word
            m.d.sync += [
                request.place.eq(word.following),
                *_set_request(request, word, "next_"),
                wait.eq(word.wait),
                ends_token.eq(word.ends_token),
                ends_prompt.eq(word.ends_prompt_token),
            ]
        for name in self._freed:
            frees = Signal(name=name, reset_less=True)
            m.d.comb += getattr(self, name).eq(frees)
            value = getattr(self.word, name)
            if name == "frees_array":  # a prompt's token has it to its end
                value |= self.word.ends_prompt_token & ~self.predict
            with m.If(self.load):
                m.d.sync += frees.eq(value)
        with m.If(self.begin):
            m.d.sync += [
                running.eq(1),
                ready.eq(1),
                fresh.eq(fresh | self.first),
                request.place.eq(0),
                *_set_request(request, self._first),
            ]
        return m
