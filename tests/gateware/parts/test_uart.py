# amaranth: UnusedElaboratable=no
"""UART against a serial peer that is written apart from it."""

import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateformer.gateware.parts.uart import BitClock, UartReceiver, UartTransmitter, uart_divisor
from gateformer.model.support.errors import UserError
from tests.support.component_simulation import simulate
from tests.support.serial_peer import SerialPeer

DIVISORS = (8, Fraction(3472, 100), Fraction(21701, 100))
SLOWER = (-0.02, 0.0, 0.02)


def receive(receiver, peer, limit=1_000_000):
    """(byte, damaged) of each item while the peer sends, and 12 bits longer."""
    items = []

    async def run(ctx):
        end = None
        while end is None or peer.now < end:
            assert peer.now < limit
            ctx.set(receiver.rx, peer.level())
            if ctx.get(receiver.received.valid):
                item = ctx.get(receiver.received.payload)
                items.append((item.byte, item.damaged))
            peer.step(1)
            await ctx.tick()
            if end is None and not peer.sending:
                end = peer.now + 12 * peer.period

    simulate(receiver, run)
    return items


def transmit(transmitter, peer, content, pause):
    """Send ``content``, with pauses in which nothing is offered."""

    async def offer(ctx):
        for byte in content:
            for _ in range(pause()):
                await ctx.tick()
            ctx.set(transmitter.bytes.payload, byte)
            ctx.set(transmitter.bytes.valid, 1)
            await ctx.tick().until(transmitter.bytes.ready)
            ctx.set(transmitter.bytes.valid, 0)
        await ctx.tick().repeat(int(11 * peer.period))

    async def listen(ctx):
        async for _, _, level in ctx.tick().sample(transmitter.tx):
            peer.step(level)

    simulate(transmitter, offer, background=[listen])


def random_bytes(rng, count):
    return bytes(rng.choice((0, 255, 0x55, 0xAA, rng.randrange(256))) for _ in range(count))


@pytest.mark.parametrize("slower", SLOWER)
@pytest.mark.parametrize("divisor", DIVISORS)
class TestTolerance:
    def test_receiver_takes_frames_back_to_back(self, divisor, slower):
        rng = random.Random(f"{divisor} {slower}")
        content = random_bytes(rng, 50 if divisor < 100 else 8)
        peer = SerialPeer(divisor, slower)
        peer.send(content)
        assert receive(UartReceiver(divisor), peer) == [(byte, 0) for byte in content]

    def test_transmitter_is_understood(self, divisor, slower):
        rng = random.Random(f"{divisor} {slower} transmitter")
        content = random_bytes(rng, 50 if divisor < 100 else 8)
        peer = SerialPeer(divisor, slower)
        transmit(UartTransmitter(divisor), peer, content, lambda: rng.choice((0, 0, 7)))
        assert (bytes(peer.received), peer.broken) == (content, 0)


class TestReceiver:
    @pytest.mark.parametrize(
        ("divisor", "slower"),
        [(4, 0), (Fraction(25, 6), 0), (Fraction(13, 3), 0)]
        + [(Fraction(n, 4), rate) for n in (18, 20, 23, 24) for rate in (-0.01, 0, 0.01)]
        + [(Fraction(n, 8), rate) for n in (49, 53, 54, 66, 70, 75) for rate in SLOWER],
    )
    def test_few_cycles_per_bit(self, divisor, slower):
        content = random_bytes(random.Random(1), 60)
        peer = SerialPeer(divisor, slower)
        peer.send(content)
        assert receive(UartReceiver(divisor), peer) == [(byte, 0) for byte in content]

    @settings(max_examples=12, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 3)), max_size=8), st.data())
    def test_disturbances_shorter_than_a_quarter_of_a_bit(self, frames, data):
        """One in every bit, in pauses and stop bits too, but for the edge that begins a frame."""
        places = data.draw(st.lists(st.floats(0, 0.79), min_size=10, max_size=10))

        def disturb(level, time):
            phase = peer.now / peer.period if time is None else time
            place = places[int(phase) % 10]
            hit = place <= phase % 1 < place + 0.19
            starts = [abs(start - peer.now) for start, _ in peer.waveform]
            return level ^ (hit and min(starts, default=100) > 0.25 * peer.period)

        peer = SerialPeer(20, disturb=disturb)
        for byte, gap in frames:
            peer.send(bytes([byte]), gap=2 * gap)
        assert receive(UartReceiver(20), peer) == [(byte, 0) for byte, _ in frames]

    @pytest.mark.parametrize("divisor", DIVISORS[:2])
    def test_missing_stop_bit_is_one_damaged_item(self, divisor):
        peer = SerialPeer(divisor)
        peer.send(b"\x41")
        peer.send(b"\x42", stop=0)
        peer.free += peer.period
        peer.send(b"\x43")
        items = receive(UartReceiver(divisor), peer)
        assert [damaged for _, damaged in items] == [0, 1, 0]
        assert (items[0][0], items[2][0]) == (0x41, 0x43)

    @pytest.mark.parametrize("bits", [10, 11, 19, 20, 57])
    def test_break_is_one_damaged_item(self, bits):
        peer = SerialPeer(8)
        peer.send(b"\x81")
        peer.send_break(bits)
        peer.send(b"\x7e")
        items = receive(UartReceiver(8), peer)
        assert [item for item in items if not item[1]] == [(0x81, 0), (0x7E, 0)]
        assert [damaged for _, damaged in items] == [0, 1, 0]

    def test_line_is_idle_after_reset(self):
        peer = SerialPeer(8)
        assert receive(UartReceiver(8), peer) == []


class TestBitClock:
    @pytest.mark.parametrize("ticks", [1, 4])
    @pytest.mark.parametrize("divisor", [*DIVISORS, 4, 5, Fraction(100_000_000, 115_200), 100_000])
    def test_rate_error(self, divisor, ticks):
        clock = BitClock(divisor, ticks_per_bit=ticks)
        assert abs(clock.rate_error) < Fraction(1, 512)
        times, cycles = [], min(int(20 * divisor), 5000)

        async def run(ctx):
            await ctx.tick().repeat(3)
            ctx.set(clock.run, 1)
            for cycle in range(cycles):
                if ctx.get(clock.tick):
                    times.append(cycle + 1)
                await ctx.tick()

        simulate(clock, run)
        interval = Fraction(divisor) / ticks / (1 + clock.rate_error)
        assert times == [-(-k * interval // 1) for k in range(1, len(times) + 1)]
        assert len(times) == int(cycles / interval)


class TestArguments:
    def test_divisor(self):
        assert uart_divisor(25_000_000, 115_200) == Fraction(25_000_000, 115_200)
        assert uart_divisor(460_000, 115_200) == 4  # 115,000 baud

    def test_rate_that_cannot_be_made(self):
        with pytest.raises(UserError) as error:
            uart_divisor(450_000, 115_200)
        assert str(error.value) == (
            "a clock of 450000 Hz cannot make 115200 baud; the nearest rate is 112500 baud"
        )

    @pytest.mark.parametrize(
        "arguments, kind, message",
        [
            ((1.5, 9600), TypeError, "clock_hz must be an integer, not 1.5"),
            ((10**6, 0), ValueError, "baud must be 1 to 4294967296, not 0"),
        ],
    )
    def test_wrong_rates(self, arguments, kind, message):
        with pytest.raises(kind) as error:
            uart_divisor(*arguments)
        assert str(error.value) == message

    @pytest.mark.parametrize("component", [UartReceiver, UartTransmitter])
    @pytest.mark.parametrize(
        "divisor, kind, message",
        [
            (8.5, TypeError, "divisor must be a Fraction or an int, not 8.5"),
            (True, TypeError, "divisor must be a Fraction or an int, not True"),
            (Fraction(7, 2), ValueError, "divisor must be at least 4, not 7/2"),
        ],
    )
    def test_wrong_divisor(self, component, divisor, kind, message):
        with pytest.raises(kind) as error:
            component(divisor)
        assert str(error.value) == message
