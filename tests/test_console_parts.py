# amaranth: UnusedElaboratable=no
"""The parts of the console that can be told apart: queue, numbers, counters, vocabulary, texts."""

import collections
import random
import types

import pytest
from amaranth.sim import Simulator

from gateware.console_counter import RingCounter
from gateware.console_messages import ConsoleTexts, Message
from gateware.console_number import NumberUnit, Operation
from gateware.console_system import ConsoleCore, ConsoleSystem
from gateware.console_vocabulary import ConsoleVocabulary, temperature_entries, token_texts
from gateware.hw_config import HwConfig
from gateware.identification import Identification
from gateware.receive_queue import CTRL_C, QUEUE_DEPTH, ReceiveQueue
from model.artifact import open_model
from model.errors import UserError
from model.sampling import SamplingSettings
from tests.stand_in_core import BUILD_ID, CONFIG, DIGEST, HW, VOCABULARY


def simulate(component, *testbenches, background=()):
    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    for testbench in testbenches:
        simulator.add_testbench(testbench)
    for testbench in background:
        simulator.add_testbench(testbench, background=True)
    simulator.run()


MARK = "mark"


class QueueModel:
    """The queue, one arrival or taking after the other."""

    def __init__(self):
        self.items, self.lost, self.interrupts = collections.deque(), False, 0

    def arrive(self, item):
        if item == CTRL_C:
            self.items.clear()
            self.lost, self.interrupts = False, self.interrupts + 1
        elif len(self.items) < QUEUE_DEPTH:
            self.items.append(item)
        else:
            self.lost = True

    def take(self):
        item = self.items.popleft() if self.items else None
        if self.lost and len(self.items) < QUEUE_DEPTH:
            self.items.append(MARK)
            self.lost = False
        return item


class TestReceiveQueue:
    @staticmethod
    async def arrive(ctx, queue, item):
        damaged = item == MARK
        # a damaged Ctrl-C is none
        ctx.set(queue.received.payload, {"byte": CTRL_C if damaged else item, "damaged": damaged})
        ctx.set(queue.received.valid, 1)
        assert ctx.get(queue.received.ready)
        await ctx.tick()
        ctx.set(queue.received.valid, 0)
        interrupts = 0
        for _ in range(3):
            interrupts += ctx.get(queue.interrupt)
            await ctx.tick()
        return interrupts

    @staticmethod
    async def take(ctx, queue):
        for _ in range(4):
            if ctx.get(queue.queued.valid):
                entry = ctx.get(queue.queued.payload)
                ctx.set(queue.queued.ready, 1)
                await ctx.tick()
                ctx.set(queue.queued.ready, 0)
                return MARK if entry.mark else entry.byte
            await ctx.tick()
        return None

    @pytest.mark.parametrize("seed", range(3))
    def test_against_model(self, seed):
        """Fills and empties the queue several times, with damaged bytes and Ctrl-C."""
        rng = random.Random(seed)
        queue, model = ReceiveQueue(), QueueModel()
        seen = collections.Counter()

        async def bench(ctx):
            interrupts = 0
            for _ in range(6):
                taking, control = rng.choice([(0.1, 0.001), (0.9, 0.01), (0.1, 0)])
                for _ in range(330):
                    if rng.random() > taking:
                        item = rng.choice([MARK, *range(4, 24)])
                        item = CTRL_C if rng.random() < control else item
                        seen["lost"] += len(model.items) == QUEUE_DEPTH
                        model.arrive(item)
                        interrupts += await self.arrive(ctx, queue, item)
                        assert interrupts == model.interrupts
                    else:
                        seen["taken"] += 1
                        assert await self.take(ctx, queue) == model.take()
            while model.items:
                assert await self.take(ctx, queue) == model.take()
            assert await self.take(ctx, queue) is None

        simulate(queue, bench)
        assert seen["lost"] and seen["taken"]

    def test_at_full_speed(self):
        """One arrival per cycle: what a mark stands for is lost with it, nothing else is."""
        queue = ReceiveQueue()

        async def bench(ctx):
            ctx.set(queue.received.valid, 1)
            for number in range(QUEUE_DEPTH + 20):
                ctx.set(queue.received.payload, {"byte": 16 + number % 200, "damaged": 0})
                await ctx.tick()
            ctx.set(queue.received.valid, 0)
            taken = [await self.take(ctx, queue) for _ in range(QUEUE_DEPTH + 2)]
            assert taken[:QUEUE_DEPTH] == [16 + number % 200 for number in range(QUEUE_DEPTH)]
            assert taken[QUEUE_DEPTH:] == [MARK, None]

        simulate(queue, bench)

    def test_ctrl_c_withdraws_what_waits(self):
        queue = ReceiveQueue()

        async def bench(ctx):
            for item in (65, 66, MARK):
                await self.arrive(ctx, queue, item)
            assert ctx.get(queue.queued.valid)
            assert await self.arrive(ctx, queue, CTRL_C) == 1
            assert await self.take(ctx, queue) is None
            await self.arrive(ctx, queue, 67)
            assert await self.take(ctx, queue) == 67

        simulate(queue, bench)


class TestNumberUnit:
    async def run(self, ctx, unit, operation, addend=0, source=0, limit=2**32 - 1):
        ctx.set(unit.request.operation, operation)
        ctx.set(unit.request.addend, addend)
        ctx.set(unit.request.start, 1)
        await ctx.tick()
        ctx.set(unit.request.start, 0)
        result = old = 0
        for _ in range(65):
            if not ctx.get(unit.busy):
                return result, old
            phase = ctx.get(unit.phase)
            ctx.set(unit.source, source >> phase & 1)
            ctx.set(unit.limit, limit >> phase & 1)
            if ctx.get(unit.loading):
                result |= ctx.get(unit.result) << phase
                old |= ctx.get(unit.value) << phase
            await ctx.tick()
        raise AssertionError("busy for more than two turns")

    def test_numbers(self):
        unit = NumberUnit()
        rng = random.Random(5)
        edges = [0, 9, 10, 255, 429496729, 2**31, 2**32 - 1]
        numbers = edges + [rng.randrange(2 ** rng.randrange(1, 33)) for _ in range(8)]

        async def bench(ctx):
            before = None
            for number in numbers:
                for addend in (0, 1):
                    result, old = await self.run(
                        ctx, unit, Operation.LOAD, addend=addend, source=number
                    )
                    assert result == (number + addend) % 2**32
                    assert before in (None, old)
                    before = result
                digits, more = [], True
                while more:
                    await self.run(ctx, unit, Operation.DIVIDE)
                    digits.append(ctx.get(unit.digit))
                    more = ctx.get(unit.more)
                assert "".join(map(str, reversed(digits))) == str(before)
                before = 0
                await self.parse(ctx, unit, rng, number)
                before, _ = await self.run(ctx, unit, Operation.LOAD, source=7)

        simulate(unit, bench)

    async def parse(self, ctx, unit, rng, number):
        """Digits of ``number`` and one more, below a limit at, above or below the values."""
        ctx.set(unit.request.clear, 1)
        await ctx.tick()
        ctx.set(unit.request.clear, 0)
        limit = rng.choice([number, max(number - 1, 0), number // 7, 2**32 - 1])
        value = 0
        for digit in str(number) + "3":
            value = 10 * value + int(digit)
            await self.run(ctx, unit, Operation.APPEND, addend=int(digit), limit=limit)
            assert ctx.get(unit.too_large) == (value > limit)
            if value >= 2**32:
                break


@pytest.mark.parametrize("events", [1, 32])
def test_ring_counter(events):
    counter = RingCounter(events=events)
    rng = random.Random(events)

    async def bench(ctx):
        count = phase = 0

        async def cycle(event=0, clear=0):
            nonlocal phase
            ctx.set(counter.phase, phase)
            ctx.set(counter.event, event)
            ctx.set(counter.clear, clear)
            bit = ctx.get(counter.bit) << phase
            await ctx.tick()
            phase = (phase + 1) % 32
            return bit

        for run in range(6):
            for _ in range(rng.randrange(40)):
                await cycle()
            await cycle(clear=1)
            count = 0
            for _ in range(rng.randrange(1, 10)):
                while phase:
                    await cycle()
                busiest = rng.choice([0, 1, events, rng.randrange(events + 1)])
                places = set(rng.sample(range(32), busiest))
                for place in range(32):
                    await cycle(event=place in places)
                count += busiest
            for _ in range(64):
                await cycle()
            assert sum([await cycle() for _ in range(32)]) == count, run

    simulate(counter, bench)


class TestVocabulary:
    def test_search_and_texts(self):
        vocabulary = ConsoleVocabulary(VOCABULARY, logit_scale=0.001)
        texts = token_texts(VOCABULARY)

        async def find(ctx, content):
            ctx.set(vocabulary.character, int.from_bytes(content, "big"))
            ctx.set(vocabulary.search, 1)
            await ctx.tick()
            ctx.set(vocabulary.search, 0)
            for _ in range(4 * len(VOCABULARY) + 1):
                if not ctx.get(vocabulary.busy):
                    return ctx.get(vocabulary.address) if ctx.get(vocabulary.found) else None
                await ctx.tick()
            raise AssertionError("the search takes too long")

        async def bench(ctx):
            for token, text in enumerate(VOCABULARY):
                ctx.set(vocabulary.token, token)
                ctx.set(vocabulary.look_up, 1)
                await ctx.tick()
                ctx.set(vocabulary.look_up, 0)
                await ctx.tick().repeat(2)
                entry = ctx.get(vocabulary.text)
                assert entry.empty == (not text)
                for name, value in texts[token].items():
                    assert getattr(entry, name) == value
                if text and text != "\n" and token % 5 == 0:
                    assert await find(ctx, text.encode()) == token
            assert await find(ctx, b"\r\n") == VOCABULARY.index("\n")
            for unknown in (b"\n", b"Z", "ä".encode(), "\U0010fffe".encode(), b"\xff\xff\xff\xff"):
                found = await find(ctx, unknown)
                assert found is None or not VOCABULARY[found]

        simulate(vocabulary, bench)

    def test_what_can_be_shown(self):
        newline, tab, escape, padding, euro, old_control = token_texts("\n\t\x1b") + token_texts(
            ["", "€", "\x85"]
        )
        assert newline == {"bytes": 0x0D0A, "first": 1}
        assert tab == {"bytes": 9, "first": 0}
        assert escape == {"bytes": 0x3F00001B, "first": 3, "control": 1}
        assert padding["empty"] == 1
        assert euro == {"bytes": 0xE282AC, "first": 2}
        assert old_control == {"bytes": 0x3F00C285, "first": 3, "control": 1}

    @pytest.mark.parametrize("name", ["shakespeare-115k", "random:vocab_size=300,d_model=4"])
    def test_temperatures_equal_python(self, name):
        model = open_model(name).model
        entries = temperature_entries(model.logit_scale, model.config.vocab_size)
        assert len(entries) == 256
        for hundredths, entry in enumerate(entries):
            settings = SamplingSettings.from_user(
                temperature=float(f"{hundredths // 100}.{hundredths % 100:02}"),
                top_k=0,
                seed=0,
                logit_scale=model.logit_scale,
                vocab_size=model.config.vocab_size,
            )
            assert (entry["mult"], entry["shift"]) == (
                settings.temperature_mult,
                settings.temperature_shift,
            )
        assert entries[0]["mult"] == 0

    @pytest.mark.parametrize(
        "vocabulary, message",
        [
            (["a", "bc"], "vocabulary entry 1 must be one character, not 'bc'"),
            (
                ["a", "b", "a"],
                "vocabulary entries must differ, but 0 and 2 are both 'a'",
            ),
            (
                ["a", "\ud800"],
                "vocabulary entry 1 must be a character that UTF-8 can hold, not '\\ud800'",
            ),
        ],
    )
    def test_refusals(self, vocabulary, message):
        model = types.SimpleNamespace(vocabulary=vocabulary)
        for make in (
            lambda: token_texts(vocabulary),
            lambda: ConsoleVocabulary(vocabulary, logit_scale=1.0),
            lambda: ConsoleCore(
                types.SimpleNamespace(model=model), name="x", build_id=0, clock_hz=1000
            ),
        ):
            with pytest.raises(UserError) as error:
                make()
            assert str(error.value) == message

    def test_baud_rate_is_refused(self):
        with pytest.raises(UserError) as error:
            ConsoleSystem(None, name="x", build_id=0, clock_hz=12_000_000, baud=4_000_000)
        assert str(error.value) == (
            "a clock of 12000000 Hz cannot make 4000000 baud; the nearest rate is 3000000 baud"
        )


class TestTexts:
    def test_shipped_model_fits_one_block_memory(self):
        """2,048 entries of 9 bits are one block memory of 18 Kb."""
        artifact = open_model("shakespeare-115k")
        identification = Identification(
            artifact.model.config, HwConfig(8, 64, 64), artifact.model.digest, BUILD_ID, 50_000
        )
        entries, pages = ConsoleTexts(artifact.name, identification).rom()
        assert len(entries) <= 2048
        assert set(pages) == set(Message)

    def test_name_cannot_hold_controls(self):
        texts = ConsoleTexts("a\x1b[2J\r\nb", Identification(CONFIG, HW, DIGEST, 0, 1))
        assert texts.info()[0].startswith("# model a?[2J??b, digest ")
