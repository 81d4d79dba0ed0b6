"""The firmware, byte for byte as docs/console.md says, on an emulated processor."""

import random

import pytest

from gateformer.platforms.console.bench import run_bench
from gateformer.platforms.console.client import ConsoleClient
from gateformer.platforms.console.emulated_console import EmulatedLink
from gateformer.platforms.firmware.emulated_uart import DAMAGED
from gateformer.platforms.firmware.zynq_peripherals import REFERENCE_HZ
from tests.gateware.console.test_protocol import random_items
from tests.support.console.check import checked
from tests.support.console.model import HELP, MARK
from tests.support.console.stand_in_core import NAME, VOCABULARY
from tests.support.fake_registers import FakeRegisters
from tests.support.small_accelerator import predicted_cycles, simulated_registers

from .bench import CTRL_C, END, Device, emulator, firmware_model, identification

CTX_LEN = 24
CLEAN_AND_INVALIDATE = 0xEE07_7F5E
"""The instruction for the line of a way and a set that r7 names: DCCISW."""
DATA_CACHE = 1 << 2
"""SCTLR.C"""
CHARACTERS = [text for text in VOCABULARY if text and text not in "\n\x7f\\"]
LOST = b"! bytes were lost or damaged; line ignored\r\n"


@pytest.fixture
def device():
    return Device()


@pytest.fixture
def pair(device):
    return checked(device, firmware_model())


class TestStart:
    def test_banner(self, device):
        first = f"\r\n# model {NAME}, digest {identification().digest[:16]}, build 51a1a7ed\r\n"
        assert device.welcome == first.encode() + END

    def test_the_line_has_its_speed(self, device):
        rate = REFERENCE_HZ / device.emulator.uart.baud_cycles
        assert abs(rate / 115_200 - 1) < 0.001

    def test_what_the_data_cache_has_goes_to_memory(self):
        """Every line of it is written back, once, before anything else is done."""
        arm_const = pytest.importorskip("unicorn.arm_const")
        processor, lines = emulator(), []
        control = (15, 0, 0, 1, 0, 0, 0)  # SCTLR
        uc = processor._uc

        def see(uc, address, size, data):
            if uc.mem_read(address, 4) == CLEAN_AND_INVALIDATE.to_bytes(4, "little"):
                lines.append(uc.reg_read(arm_const.UC_ARM_REG_R7))

        uc.hook_add(processor._unicorn.UC_HOOK_CODE, see)
        with_cache = uc.reg_read(arm_const.UC_ARM_REG_CP_REG, control) | DATA_CACHE
        uc.reg_write(arm_const.UC_ARM_REG_CP_REG, (*control, with_cache))
        assert processor.run().endswith(END)
        # a Cortex-A9's in the emulator: 4 ways of 128 lines of 32 bytes
        assert sorted(lines) == [way << 30 | line << 5 for way in range(4) for line in range(128)]
        assert not uc.reg_read(arm_const.UC_ARM_REG_CP_REG, control) & DATA_CACHE

    def test_info_and_help(self, pair, device):
        pair(b"/info\r")
        expected = HELP.format(vocab_size=64).replace("\n", "\r\n").encode()
        assert device.ask(b"/help\r") == b"/help\r\n" + expected + END

    def test_another_build_of_the_same_model_is_shown_as_it_is(self):
        device = Device(facts=identification(build_id=0xB1D, clock_khz=1))
        assert device.welcome.endswith(b", build 51a1a7ed\r\n" + END)
        answer = device.ask(b"/info\r").split(b"\r\n")
        assert answer[3] == b"# rows 2, cols 4, lanes 4, packing unknown, clock 125 MHz"

    @pytest.mark.parametrize(
        "kilohertz, shown", [(125_000, "125"), (12_500, "12.5"), (33_333, "33.333"), (500, "0.5")]
    )
    def test_clock(self, kilohertz, shown):
        constants = identification(clock_khz=kilohertz).constants
        device = Device(FakeRegisters(**constants))
        assert f", clock {shown} MHz\r\n".encode() in device.ask(b"/info\r")


class TestText:
    @pytest.mark.parametrize(
        "settings", [(0, 0, 1), (0.8, 0, 2), (1.3, 5, 7), (2.55, 64, 2**32 - 1)]
    )
    def test_the_references_text(self, pair, settings):
        temperature, top_k, seed = settings
        pair(f"/temperature {temperature}\r/top-k {top_k}\r/seed {seed}\r/tokens 7\r".encode())
        rng = random.Random(seed)
        for length in (1, CTX_LEN, *(rng.randint(1, CTX_LEN) for _ in range(18))):
            prompt = "".join(rng.choices(CHARACTERS, k=length))
            pair(prompt.replace("/", "\\/").encode() + b"\r")
        pair(b"/seed\r")

    def test_until_the_context_is_full(self, pair):
        answer = pair(b"/temperature 0\rabc\r")
        cycles = predicted_cycles(3, CTX_LEN - 2)
        assert b"text 22 tokens, %d cycles, 0 waiting, end: context" % cycles in answer
        pair(b"/tokens 22\rabc\r/tokens 21\rabc\r/tokens 23\rabc\r")

    def test_bench(self, device, pair):
        answer = pair(b"/seed 9\r/temperature 1\r/tokens 3\r/bench\r/seed\r")
        cycles = predicted_cycles(1, CTX_LEN)
        assert b"# prompt 1 tokens, text 24 tokens, %d cycles, 0 wait" % cycles in answer
        (wall_clock,) = device.wall_clocks
        assert cycles / 125 <= wall_clock < 1.2 * cycles / 125

    def test_a_text_that_waits_for_the_line_costs_no_cycles(self):
        """At the real speed the line is the slowest by far; the core does not notice."""
        slow, model = Device(speedup=2.0), firmware_model()
        items = b"/tokens 9\rab\r"
        assert slow.ask(items) == b"".join(map(model.handle, items))

    def test_the_console_s_program(self):
        client = ConsoleClient(EmulatedLink(emulator()))
        client.synchronize()
        client.ask("/temperature 0")
        table, prompt = run_bench(client, lambda: False)
        assert table.row_count > 4 and prompt == r"\n"
        assert client.ask("/seed").information == ("seed 1",)


class TestTyping:
    def test_marks(self, device):
        for where in range(4):
            content = [*b"abc"]
            content.insert(where, MARK)
            assert device.ask([*content, 0x0D]) == b"abc\r\n" + LOST + END

    def test_editing(self, pair):
        pair(b"/sex\bed\x7f\x7fed\rabc\x15Z\x15\r/i\b\b/seed\r")
        pair("abZä€".encode() + b"\b\b\b\bcd\ra\\x\b\bb\ra\\n\bn\\/\\\\\b\b\b\b\r")
        pair("é€\\n😀".encode() + b"\b\b\b\b\b\b\\/a\r")
        pair(b"a" * (CTX_LEN + 5) + 5 * b"\b" + b"\r")

    @pytest.mark.parametrize("seed", range(3))
    def test_fuzz(self, seed):
        assert fuzzed_lines(seed, 60) >= 60

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.full_size) for seed in (2, 3))]
    )
    def test_thousands_of_fuzzed_lines(self, seed):
        assert fuzzed_lines(100 + seed, 2500) >= 2500


def fuzzed_lines(seed: int, least: int) -> int:
    """Lines that were entered: random ones, noise, breaks; now and then Ctrl-C at any moment."""
    rng, device, model, entered = random.Random(seed), Device(), firmware_model(), 0
    while entered < least:
        items = random_items(rng)
        entered += sum(item in (0x0D, 0x0A) for item in items)
        assert device.ask(items) == b"".join(map(model.handle, items)), (seed, entered)
        if rng.random() < 0.1:
            interrupt_somewhere(rng, device)
            model.interrupt()
            lines = b"".join(
                b"/%s %s\r" % (name.encode(), setting.shown().encode())
                for name, setting in model.settings.items()
            )
            assert device.ask(lines) == b"".join(map(model.handle, lines))
    return entered


def interrupt_somewhere(rng, device) -> None:
    """Lines, and a Ctrl-C that comes while some of them wait and one may be generating."""
    lines = b"".join(rng.choice([b"ab\r", b"/bench\r", b"/info\r", b"ab\r\n"]) for _ in range(9))
    device.emulator.uart.arrive([*lines[: rng.randrange(1, len(lines))], CTRL_C])
    assert device.emulator.run().endswith(END)
    assert not simulated_registers().busy


class TestInterruption:
    def test_ctrl_c_stops_and_the_next_text_is_right(self, device):
        """It comes after more and more other bytes, so at all stages of a generation."""
        stopped = 0
        for before in range(0, 200, 12):
            device.emulator.uart.arrive([*b"/tokens 0\r/seed 7\rab\r", *b"x" * before, CTRL_C])
            answer = device.emulator.run()
            assert answer.endswith(END)
            assert not simulated_registers().busy
            stopped += b"end: stopped\r\n" in answer
        assert 3 < stopped < 17
        model = firmware_model()
        items = b"/seed 7\rab\r"
        assert device.ask(items) == b"".join(map(model.handle, items))

    def test_text_comes_in_pieces(self, device):
        """As a person's console reads: with pauses, for what was sent until then."""
        device.emulator.uart.arrive([*b"/tokens 0\r/seed 7\rab\r"])
        pieces = []
        for _ in range(5_000):
            pieces.append(device.emulator.run(pause_after=0.002))
            whole = b"".join(pieces)
            if b"end: " in whole and whole.endswith(END):
                break
        assert sum(map(bool, pieces)) > 3
        model = firmware_model()
        items = b"/tokens 0\r/seed 7\rab\r"
        assert whole == b"".join(map(model.handle, items))

    def test_ctrl_c_without_an_answer_under_way(self, device):
        assert device.ask([CTRL_C]) == b"\r\n" + END
        assert device.ask([*b"abc", CTRL_C]) == b"abc\r\n" + END
        # an LF after it is an Enter of its own, also if there was a CR before
        for byte in (0x0D, CTRL_C, 0x0A):
            assert device.ask([byte]) == b"\r\n" + END

    def test_bytes_during_a_generation_wait(self, pair):
        pair(b"ab\r/seed\rabc\r\n\nZ\r")

    def test_a_break_during_a_generation_is_told(self):
        device = Device(speedup=2.0)
        device.emulator.uart.arrive([*b"ab\r/se", DAMAGED, *b"ed\r/seed 3\r"])
        answer = device.emulator.run()
        assert b"/seed\r\n" + LOST + END in answer
        assert answer.endswith(b"/seed 3\r\n# seed 3\r\n" + END)

    def test_queue_overflow_is_told(self):
        device = Device(speedup=20.0)
        lines = b"".join(b"/seed %d\r" % number for number in range(10, 60))
        answer = device.ask(b"/help\r" * 4 + b"/bench\r" + lines + b"x" * 300)
        answer += device.ask(b"\r/seed\r")
        assert answer.count(LOST) >= 1
        assert answer.endswith(END)
