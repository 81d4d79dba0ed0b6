"""The driver on registers that misbehave: always one line, never a hang or a traceback."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateware.registers import register
from model.errors import UserError
from platforms import mapped_registers
from platforms.driver import Accelerator
from platforms.host_model import HostModel
from platforms.mapped_registers import SIZE, MappedRegisters, find_device
from tests.fake_registers import CONSTANTS, DIGEST, FakeRegisters, random_words

LOAD = "load the bitstream again"
MODEL = HostModel("tiny", DIGEST, 0.001, tuple("abcdefghijk"))
VALID, LAST = 1 << 31, 1 << 30
DONE = 2


def message(function, *arguments, **options) -> str:
    with pytest.raises(UserError) as error:
        function(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def generated(registers, count=3) -> str:
    """The message that a generation ends with."""
    accelerator = Accelerator(registers, MODEL, timeout=0.02)
    return message(lambda: list(accelerator.generate([1], count)))


@pytest.mark.parametrize(
    "words, expected",
    [
        (
            {"MAGIC": 0xFFFFFFFF},
            "MAGIC reads 0xFFFFFFFF, expected 0x31465447; there is no accelerator: load its "
            "bitstream, and check the address",
        ),
        (
            {"SPEC_VERSION": 7},
            "SPEC_VERSION reads 7, expected 1; build the bitstream with this version of the "
            "program",
        ),
        ({"VOCAB_SIZE": 0}, f"VOCAB_SIZE reads 0, expected 1 to 65536; {LOAD}"),
        ({"VOCAB_SIZE": 65537}, f"VOCAB_SIZE reads 65537, expected 1 to 65536; {LOAD}"),
        ({"CTX_LEN": 65535}, f"CTX_LEN reads 65535, expected 1 to 65534; {LOAD}"),
        ({"CLOCK_KHZ": 0}, f"CLOCK_KHZ reads 0, expected 1 to 4294967295; {LOAD}"),
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
    expected = f"the fake: MAGIC reads 0x{word:08X}, expected 0x31465447; "
    assert message(Accelerator, registers).startswith(expected)
    accelerator_dies = FakeRegisters()
    accelerator = Accelerator(accelerator_dies, timeout=0.02)
    accelerator_dies.words, accelerator_dies.other = {}, lambda offset: word
    assert message(lambda: list(accelerator.generate([1]))).startswith("the fake: ")


# -- the device -----------------------------------------------------------------------------


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A file in the place of a device, with the identification in it."""
    monkeypatch.setattr(mapped_registers, "FABRIC_STATE", tmp_path / "none")
    content = bytearray(SIZE)
    for offset, word in CONSTANTS.items():
        content[offset : offset + 4] = word.to_bytes(4, "little")
    path = tmp_path / "uio3"
    path.write_bytes(content)
    return path


def test_a_page_of_a_device(page):
    with Accelerator(page, MODEL, timeout=0.02) as accelerator:
        assert accelerator.info().digest == DIGEST
        assert "the core stopped before" in message(lambda: list(accelerator.generate("a")))
    content = page.read_bytes()
    assert content[register("CONTROL").offset] == register("CONTROL").pack(abort=1, clear_errors=1)
    assert content[register("PROMPT").offset :][:4] == bytes(4)
    with pytest.raises(UserError, match=rf"^{page} was closed; open it again$"):
        accelerator.generate("a").__next__()


def test_one_at_a_time(page):
    first = MappedRegisters(page)
    assert message(MappedRegisters, page) == (
        f"{page} is in use by another program, or by an Accelerator of this one; close that one "
        "first"
    )
    first.close()
    first.close()
    MappedRegisters(page).close()


def test_another_process_has_it(page):
    code = "import sys; from platforms.mapped_registers import MappedRegisters as M; "
    code += "m = M(sys.argv[1], check_fabric=False); print('mine', flush=True); input()"
    other = subprocess.Popen(
        [sys.executable, "-c", code, page],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout.readline() == "mine\n"
    assert message(MappedRegisters, page).startswith(f"{page} is in use by another program, or ")
    other.communicate("\n")
    MappedRegisters(page).close()


def test_a_refused_accelerator_gives_its_device_back(page):
    other = HostModel("other", "0" * 64, 0.001, MODEL.vocabulary)
    for _ in range(2):
        assert "ARTIFACT_HASH reads" in message(Accelerator, page, other)


def test_no_such_device(tmp_path, page):
    missing = tmp_path / "uio9"
    assert message(MappedRegisters, missing) == (
        f"cannot open {missing}: there is no such device; describe it in the device tree "
        "(docs/zynq.md), or name /dev/mem"
    )


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
@pytest.mark.parametrize(
    "device, expected",
    [
        (
            "/dev/uio0",
            "cannot open /dev/uio0: no permission; give the device to your group by the udev rule "
            "of docs/zynq.md, or use sudo",
        ),
        (
            "/dev/mem",
            "cannot open /dev/mem: no permission; use sudo, or a UIO device, which needs no root "
            "(docs/zynq.md)",
        ),
    ],
)
def test_no_permission(page, monkeypatch, device, expected, number):
    def refuse(path, flags):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(mapped_registers.os, "open", refuse)
    assert message(MappedRegisters, device) == expected


def test_what_cannot_be_mapped(tmp_path, page):
    short = tmp_path / "uio4"
    short.write_bytes(b"x")
    assert message(MappedRegisters, short) == (
        f"cannot map 4096 bytes at 0x0 of {short}: mmap length is greater than file size; name a "
        "UIO device or /dev/mem"
    )


def test_no_bitstream(tmp_path, page, monkeypatch):
    state = tmp_path / "state"
    state.write_text("unknown\n")
    monkeypatch.setattr(mapped_registers, "FABRIC_STATE", state)
    assert message(MappedRegisters, page) == (
        f"the fabric has no bitstream: {state} says 'unknown', expected 'operating'; load one "
        "(docs/zynq.md)"
    )
    MappedRegisters(page, check_fabric=False).close()
    state.write_text("operating\n")
    MappedRegisters(page).close()


def test_the_device_is_found_by_its_address(tmp_path, monkeypatch):
    monkeypatch.setattr(mapped_registers, "UIO_CLASS", tmp_path)
    assert find_device() == "/dev/mem"
    for name, address in (("uio0", "0x41000000"), ("uio1", "0x43c00000"), ("uio2", "nonsense")):
        (tmp_path / name / "maps/map0").mkdir(parents=True)
        (tmp_path / name / "maps/map0/addr").write_text(f"{address}\n")
    assert find_device() == "/dev/uio1"


def test_the_command_says_it_in_one_line(page):
    result = subprocess.run(
        [sys.executable, "-m", "platforms.generate", "--device", page, "--prompt", "a"],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert result.stderr == (
        "error: text needs the model, which is unknown; give Accelerator the artifact of "
        "0708090a0b0c0d0e…, or use token ids and temperature 0\n"
    )
