"""The driver on registers that misbehave: always one line, never a hang or a traceback."""

import time

import pytest

from gateformer.gateware.host.registers import register
from gateformer.model.support.errors import UserError
from gateformer.model.text.codec import TextCodec
from gateformer.platforms.host.driver import Accelerator
from gateformer.platforms.host.model import HostModel
from tests.support.fake_registers import CONSTANTS, DIGEST, FakeRegisters, random_words
from tests.support.user_error import message

LOAD = "load the bitstream again"
MODEL = HostModel("tiny", DIGEST, 0.001, TextCodec.of_characters("abcdefghijk"), 11)
VALID, LAST = 1 << 31, 1 << 30
DONE = 2


def generated(registers, count=3) -> str:
    """The message that a generation ends with."""
    accelerator = Accelerator(registers, MODEL, timeout=0.02)
    return message(lambda: list(accelerator.generate([1], count)))


@pytest.mark.parametrize(
    "words, expected",
    [
        (
            {"MAGIC": 0xFFFFFFFF},
            "MAGIC reads 0xFFFFFFFF, expected 0x31465447, 0x32465447, 0x33465447 or "
            "0x34465447; there is no accelerator: load its bitstream, and check the address",
        ),
        (
            {"SPEC_VERSION": 7},
            "SPEC_VERSION reads 7, expected 1 or 2; build the bitstream with this version of the "
            "program",
        ),
        ({"VOCAB_SIZE": 0}, f"VOCAB_SIZE reads 0, expected 1 to 65536; {LOAD}"),
        ({"VOCAB_SIZE": 65537}, f"VOCAB_SIZE reads 65537, expected 1 to 65536; {LOAD}"),
        ({"CTX_LEN": 65535}, f"CTX_LEN reads 65535, expected 1 to 65534; {LOAD}"),
        ({"CLOCK_KHZ": 0}, f"CLOCK_KHZ reads 0, expected 1 to 4294967295; {LOAD}"),
        (
            {"D_MODEL": 8, "N_HEADS": 3},
            "the registers of the model's shape are of none: n_heads must divide d_model, but 3 "
            f"does not divide 8; choose one of 1, 2, 4, 8; {LOAD}",
        ),
        (
            {"N_LAYERS": 1001},
            "the registers of the model's shape are of none: n_layers must be at most 1,000, not "
            f"1,001; {LOAD}",
        ),
        (
            {"ARTIFACT_HASH_0": 0xABCDEF01},
            "ARTIFACT_HASH reads abcdef010b0c0d0e…, expected 0708090a0b0c0d0e… of tiny; load that "
            "model's bitstream, or name the model of this one",
        ),
        (
            {"VOCAB_SIZE": 12},
            "VOCAB_SIZE reads 12, expected 11 of tiny; load that model's bitstream",
        ),
        (
            {"STATUS": 1},
            f"the core does not answer: waited 0.02 s to stop; {LOAD}, or give a longer timeout",
        ),
    ],
)
def test_what_is_refused_when_it_is_opened(words, expected):
    registers = FakeRegisters(**words)
    assert message(Accelerator, registers, MODEL, timeout=0.02) == f"the fake: {expected}"
    assert registers.closed


def test_timeout_must_be_positive():
    assert message(Accelerator, FakeRegisters(), timeout=0) == (
        "timeout must be above 0 seconds, not 0"
    )


class Script(FakeRegisters):
    """Idle until it is started; then reads of a register take their words from a list, the last
    one for ever."""

    def __init__(self, **scripts):
        super().__init__(self.scripted)
        self.scripts = {register(name).offset: list(words) for name, words in scripts.items()}
        self.started = False

    def write(self, offset, value):
        if offset == register("CONTROL").offset:
            self.started = bool(value & 1)

    def scripted(self, offset):
        words = self.scripts.get(offset)
        if not self.started or words is None:
            return 0
        return words.pop(0) if len(words) > 1 else words[0]


@pytest.mark.parametrize(
    "scripts, expected",
    [
        (
            {"STATUS": [1]},
            f"the core does not answer: waited 0.02 s for a token; {LOAD}, or give a longer "
            "timeout",
        ),
        (
            {"STATUS": [0]},
            "the core stopped before its last token; does another program use it?",
        ),
        (
            {"STATUS": [8], "ERROR": [0b10000001]},
            "the core reports prompt_overflow (a token was written to a full PROMPT, and dropped), "
            "top_k_too_large (start with TOP_K above VOCAB_SIZE, ignored); does another program "
            "use it?",
        ),
        (
            {"STATUS": [1, 9], "ERROR": [4]},
            "the core reports start_while_busy (start while busy, ignored); does another program "
            "use it?",
        ),
        (
            {"STATUS": [8], "ERROR": [0]},
            "the core reports an error without a flag; does another program use it?",
        ),
        (
            {"OUTPUT": [VALID | 11]},
            f"OUTPUT reads token 11, expected 0 to 10; {LOAD}",
        ),
        (
            {"OUTPUT": [1 << 20]},
            f"OUTPUT reads 0x00100000, but only bits of 0xC000FFFF can be 1; {LOAD}",
        ),
        (
            {"OUTPUT": [VALID | 1]},
            f"the core sent 3 tokens, as asked, but the last one is not marked; {LOAD}",
        ),
        (
            {"OUTPUT": [VALID | 1, VALID | LAST | 2], "STATUS": [1]},
            f"the core does not answer: waited 0.02 s to end; {LOAD}, or give a longer timeout",
        ),
    ],
)
def test_what_ends_a_generation(scripts, expected):
    registers = Script(**scripts)
    assert generated(registers) == f"the fake: {expected}"
    assert not registers.started, "it was aborted"


def test_progress_renews_the_patience():
    """A prompt that is taken slowly is no core that does not answer."""
    levels = [1 | level << 16 for level in range(40, 0, -1)]
    slow = [status for status in levels for _ in range(3)]
    registers = Script(STATUS=[1, *slow, DONE], OUTPUT=[0] * len(slow) + [VALID | LAST | 5])
    read = registers.read

    def slowly(offset):
        time.sleep(0.001)
        return read(offset)

    registers.read = slowly
    accelerator = Accelerator(registers, MODEL, timeout=0.06)
    assert list(accelerator.generate([1], 1)) == [5]


@pytest.mark.parametrize("level", ["prompt_level", "output_level"])
def test_progress_renews_the_patience_with_the_end(level):
    """/bench leaves the tokens of a run in OUTPUT until it has ended, which takes long."""
    shift = register("STATUS").field(level).low
    slow = [1 | n % 8 << shift for n in range(40) for _ in range(3)]
    registers = Script(STATUS=[1, *slow, DONE])
    read = registers.read

    def slowly(offset):
        time.sleep(0.001)
        return read(offset)

    registers.read = slowly
    runs = Accelerator(registers, MODEL, timeout=0.06)._streams[0]
    runs.start([1], 2, runs.greedy)
    assert runs.finish().tokens == 0
    stuck = Script(STATUS=[1])
    runs = Accelerator(stuck, MODEL, timeout=0.02)._streams[0]
    runs.start([1], 2, runs.greedy)
    assert "waited 0.02 s to end" in message(runs.finish)


def test_other_tokens_the_second_time():
    registers = Script(
        OUTPUT=[VALID | 1, VALID | LAST | 2, VALID | LAST | 3], STATUS=[DONE], CYCLES_LOW=[9]
    )
    accelerator = Accelerator(registers, MODEL, timeout=0.02)
    assert message(accelerator.bench, [1], 2) == (
        "the fake: the core generated [3] after having generated [1] from the same prompt; its "
        "timing is not met, or another program uses it"
    )


@pytest.mark.parametrize("seed", range(200))
def test_fuzz(seed):
    """Words that are random everywhere, or only where a run looks."""
    word = random_words(seed, legal=seed % 4 != 0)
    identified = FakeRegisters(word)
    unknown = FakeRegisters(word)
    unknown.words = dict(list(CONSTANTS.items())[: seed % 22])
    started = time.monotonic()
    for registers in (identified, unknown):
        try:
            accelerator = Accelerator(registers, MODEL, timeout=0.01)
            for request in (lambda a: list(a.generate([1, 2], 9, 0.5)), lambda a: a.bench([1])):
                request(accelerator)
        except UserError as error:
            assert "\n" not in str(error)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("word", [0, 0xFFFFFFFF])
def test_a_dead_bus(word):
    registers = FakeRegisters(lambda offset: word)
    registers.words = {}
    expected = (
        f"the fake: MAGIC reads 0x{word:08X}, expected 0x31465447, 0x32465447, 0x33465447 or "
    )
    assert message(Accelerator, registers).startswith(expected)
    accelerator_dies = FakeRegisters()
    accelerator = Accelerator(accelerator_dies, timeout=0.02)
    accelerator_dies.words, accelerator_dies.other = {}, lambda offset: word
    assert message(lambda: list(accelerator.generate([1]))).startswith("the fake: ")
