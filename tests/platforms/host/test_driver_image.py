"""A model in external memory: the driver loads its image into the simulation's, or says why not."""

import struct
import zlib

import numpy as np
import pytest

from gateformer.gateware.host.registers import register
from gateformer.gateware.host.streamed_registers import STREAMED_REGISTERS
from gateformer.gateware.memory.bus import Response
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.platforms.families.zynq_address import (
    AFI_ADDRESS,
    AFI_NARROW,
    AFI_READ_CONTROL,
    AFI_STEP,
    HP_PORTS,
)
from gateformer.platforms.host.driver import Accelerator
from gateformer.platforms.host.image_file import HEADER_BYTES, write_image
from gateformer.platforms.host.memory_ports import MemoryPorts
from tests.support.fake_registers import FakeRegisters
from tests.support.imported.small_accelerator import (
    BEGIN,
    PREFIX,
    artifact,
    reference_text,
    reference_tokens,
)
from tests.support.imported.small_streamed import (
    MEMORY,
    header,
    image,
    program,
    simulated_registers,
    write_weights,
)
from tests.support.user_error import message

PROMPT = [*PREFIX, BEGIN, 40]
DAMAGED = (
    "the simulation: the image in the simulated memory is damaged: it does not have the checksum "
    "that is built into the accelerator"
)


class Ports(MemoryPorts):
    """AFI registers of the simulated memory; a port that is ``stuck`` stays at 32 bits."""

    def __init__(self, memory, stuck=()):
        self._memory, self._stuck = memory, stuck

    def _port(self, address):
        port, offset = divmod(address - AFI_ADDRESS, AFI_STEP)
        assert offset in (0x00, 0x14)
        return HP_PORTS[MEMORY.ports].index(port), offset

    def read(self, address):
        return AFI_NARROW if self._port(address)[0] in self._memory.narrow else 0

    def write(self, address, value):
        port, offset = self._port(address)
        if offset == AFI_READ_CONTROL and port not in self._stuck:
            self._memory.set_width(port, narrow=bool(value & AFI_NARROW))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("build") / "weights.bin"
    write_weights(path)
    return path


@pytest.fixture
def memory():
    """Of the simulation: nothing of earlier tests is in it, and all is well with it."""
    found = simulated_registers().memory
    for port in range(MEMORY.ports):
        found.set_width(port, narrow=False)
    found.clean_cache()
    found.refuse(0, 0, Response.OKAY)
    found.write(0, b"\xa5" * found.size)
    return found


@pytest.fixture
def accelerator(memory):
    return Accelerator(simulated_registers(), artifact(), timeout=60)


@pytest.fixture
def loaded(accelerator, memory, weights):
    accelerator.load_image(weights, memory, ports=Ports(memory))
    return accelerator


def generates(accelerator) -> bool:
    """Whether it generates the reference's tokens."""
    return list(accelerator.generate(PROMPT, 3)) == reference_tokens(
        [BEGIN, 40], 3, DecoderSettings()
    )


def write_register(name, **fields):
    entry = register(name, STREAMED_REGISTERS)
    simulated_registers().write(entry.offset, entry.pack(**fields))


def read_register(name):
    entry = register(name, STREAMED_REGISTERS)
    return entry.unpack(simulated_registers().read(entry.offset))


def refuses_to_run(accelerator) -> bool:
    """Whether driver and core both refuse a run without an image."""
    assert message(lambda: list(accelerator.generate(PROMPT, 2))) == (
        "the simulation: its model's image is not in the memory; load it: gateformer accelerator "
        "--weights build/BOARD/weights.bin"
    )
    write_register("PROMPT", token=1)
    write_register("GENERATE_COUNT", value=1)
    write_register("CONTROL", start=1)
    refused = read_register("ERROR")["image_not_verified"] and not read_register("STATUS")["busy"]
    write_register("CONTROL", abort=1, clear_errors=1)
    return bool(refused)


def test_text_is_the_references_after_loading(accelerator, memory, weights):
    reported = []
    accelerator.load_image(
        weights, memory, ports=Ports(memory), progress=lambda *now: reported.append(now)
    )
    assert reported[-1] == (len(image()), len(image()))
    for given in ((0, 0, 1, None), (1.3, 5, 7, 0.9)):
        temperature, top_k, seed, top_p = given
        text = accelerator.generate("the cat", 3, temperature, top_k, seed, top_p=top_p)
        assert "".join(text) == reference_text("the cat", 3, *given)
    assert generates(accelerator)
    # another program finds the image there
    assert generates(Accelerator(simulated_registers(), timeout=60))


def test_info_names_memory_image_and_waits(accelerator, memory, weights):
    facts = program().facts
    expected = (
        f"image in external memory: {facts.image_bytes:,} bytes, {facts.memory_bytes:,} with keys "
        "and values, 2 ports of 8 bytes, bursts of 4; "
    )
    write_register("IMAGE_ADDRESS", value=0)
    before = Accelerator(simulated_registers(), timeout=60).info()
    assert not before.image.verified and f"{expected}not loaded" in str(before).splitlines()[-1]
    accelerator.load_image(weights, memory, ports=Ports(memory))
    assert accelerator.info().image.verified
    assert list(accelerator.generate(PROMPT, 3))
    run = accelerator.last_run
    assert 0 < run.stalls < run.cycles
    # before another one resets the core
    saturations = read_register("SATURATIONS")["value"]
    after = str(Accelerator(simulated_registers(), timeout=60).info()).splitlines()[-1]
    assert after == (
        f"{expected}verified, the last run waited for the memory in {run.stalls / run.cycles:.1%} "
        f"of its cycles and limited {saturations:,} numbers"
    )


def test_bench_shows_waits_for_the_memory(loaded):
    bench = loaded.bench(PROMPT, 4)
    assert 0 < bench.prompt_stalls < bench.prompt_cycles
    assert 0 < bench.generated_stalls < bench.generated_cycles
    assert bench.waiting_cycles >= 0
    assert str(bench).count("% of its cycles") == 2


@pytest.mark.parametrize("size", [0, 7, 8, 100, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 1])
def test_a_file_that_ends_too_early(accelerator, memory, weights, tmp_path, size):
    short = tmp_path / "short.bin"
    short.write_bytes(weights.read_bytes()[:size])
    expected = len(weights.read_bytes())
    assert message(accelerator.load_image, short, memory) == {
        0: f"{short} is no image of a model's weights; build one: weights.bin",
        7: f"{short} is of version '' of the format, and this reads '1'; build it again",
    }.get(
        size,
        f"{short} ends in its header, after {size:,} of 4,096 bytes; copy it again"
        if size < HEADER_BYTES
        else f"{short} has {size:,} bytes, and its header says {expected:,}; copy it again",
    )
    assert not memory.content[memory.content != 0xA5].any()  # nothing was written


def test_a_file_that_is_too_long_or_missing(accelerator, memory, weights, tmp_path):
    path = tmp_path / "long.bin"
    path.write_bytes(weights.read_bytes() + b"x")
    size = len(weights.read_bytes())
    assert message(accelerator.load_image, path, memory) == (
        f"{path} has {size + 1:,} bytes, and its header says {size:,}; copy it again"
    )
    assert message(accelerator.load_image, tmp_path / "none", memory) == (
        f"{tmp_path / 'none'} can't be read: No such file or directory"
    )


def wrong_bits_of_the_header(accelerator, memory, weights, path, places):
    """The driver refuses a file with any of these bits wrong."""
    content = bytearray(weights.read_bytes())
    path.write_bytes(content)
    with path.open("r+b", buffering=0) as file:
        for place in places:
            right = content[place // 8]
            kind = "no image" if place < 56 else "version" if place < 64 else "damaged header"
            for byte in (right ^ 1 << place % 8, right):
                if byte == right:
                    assert kind in message(accelerator.load_image, path, memory), place
                file.seek(place // 8)
                file.write(bytes([byte]))


FIELDS_BYTES = 152
"""Of the header; zeros follow."""


def test_a_wrong_bit_of_the_header_is_refused(accelerator, memory, weights, tmp_path):
    places = [*range(0, 8 * FIELDS_BYTES, 17), 8 * FIELDS_BYTES, 8 * HEADER_BYTES - 1]
    wrong_bits_of_the_header(accelerator, memory, weights, tmp_path / "damaged.bin", places)


@pytest.mark.slow
def test_any_wrong_bit_of_the_header_is_refused(accelerator, memory, weights, tmp_path):
    places = range(8 * HEADER_BYTES)
    wrong_bits_of_the_header(accelerator, memory, weights, tmp_path / "damaged.bin", places)


def damaged_images(count: int) -> list:
    rng = np.random.default_rng(3)
    bits = 8 * len(image())
    return [0, bits - 1, *rng.integers(0, bits, count).tolist()]


def is_refused_with_a_wrong_bit(accelerator, memory, weights, path, place):
    content = bytearray(weights.read_bytes())
    content[HEADER_BYTES + place // 8] ^= 1 << place % 8
    path.write_bytes(content)
    refusal = message(accelerator.load_image, path, memory, ports=Ports(memory))
    return refusal == f"{DAMAGED}; load it again" and refuses_to_run(accelerator)


def test_a_wrong_bit_of_the_image_is_refused(accelerator, memory, weights, tmp_path):
    for place in damaged_images(6):
        assert is_refused_with_a_wrong_bit(
            accelerator, memory, weights, tmp_path / "damaged.bin", place
        ), place
    accelerator.load_image(weights, memory, ports=Ports(memory))
    assert generates(accelerator)


@pytest.mark.slow
def test_any_wrong_bit_of_the_image_is_refused(accelerator, memory, weights, tmp_path):
    for place in damaged_images(400):
        assert is_refused_with_a_wrong_bit(
            accelerator, memory, weights, tmp_path / "damaged.bin", place
        ), place


def test_another_models_image(accelerator, memory, tmp_path):
    path = tmp_path / "other.bin"
    write_image(path, header(digest="ab" * 32, name="other"), image())
    digest = artifact().model.digest[:16]
    assert message(accelerator.load_image, path, memory) == (
        f"{path} is the image of other, digest abababababababab…, and the simulation is of digest "
        f"{digest}…; take the other.bin that was built with this bitstream"
    )


def test_an_image_for_another_memory(accelerator, memory, tmp_path):
    path = tmp_path / "other.bin"
    write_image(path, header(ports=4, burst_beats=16), image())
    assert message(accelerator.load_image, path, memory) == (
        f"{path} is for another accelerator of the model: ports, bytes of a port, beats of a burst "
        "are 4, 8, 16, and the simulation reads 2, 8, 4; build both again"
    )
    sizes = program().facts
    write_image(path, header(memory_bytes=sizes.memory_bytes + 64), image())
    assert message(accelerator.load_image, path, memory) == (
        f"{path} is for another accelerator of the model: bytes of the image, and with keys and "
        f"values are {sizes.image_bytes:,}, {sizes.memory_bytes + 64:,}, and the simulation reads "
        f"{sizes.image_bytes:,}, {sizes.memory_bytes:,}; build both again"
    )


def test_an_old_format(accelerator, memory, weights, tmp_path):
    content = bytearray(weights.read_bytes())
    content[7:8] = b"0"
    content[8:12] = bytes(4)
    struct.pack_into("<I", content, 8, zlib.crc32(content[:HEADER_BYTES]))
    path = tmp_path / "old.bin"
    path.write_bytes(content)
    assert message(accelerator.load_image, path, memory) == (
        f"{path} is of version '0' of the format, and this reads '1'; build it again"
    )


class Elsewhere:
    """Memory that can't have the image, and is not written."""

    name = "memory"

    def __init__(self, address, size):
        self.address, self.size = address, size


BEYOND = (
    ", and the image would end beyond 4 GiB, which the accelerator can't address; reserve memory "
    "below"
)


@pytest.mark.parametrize(
    "change, refusal",
    [
        (
            {"less": 1},
            "memory has {less:,} bytes, and the image needs {size:,} with keys and values; reserve "
            "more",
        ),
        (
            {"address": 0x1000_0020},
            "memory begins at 0x10000020, which is not a multiple of 64; reserve memory that is",
        ),
        ({"address": 0xFFFF_F000}, "memory begins at 0xFFFFF000" + BEYOND),
        ({"address": 1 << 32}, "memory begins at 0x100000000" + BEYOND),
    ],
)
def test_memory_that_does_not_do(accelerator, weights, change, refusal):
    size = program().facts.memory_bytes
    less = size - change.get("less", 0)
    place = Elsewhere(change.get("address", 0x1000_0000), less)
    assert message(accelerator.load_image, weights, place) == refusal.format(size=size, less=less)


def test_an_accelerator_with_its_model_inside(weights):
    accelerator = Accelerator(FakeRegisters(STATUS=0))
    assert message(accelerator.load_image, weights) == (
        "the fake: the accelerator has its model in its own memories; leave the weights out"
    )


def test_a_copy_that_is_broken_off_leaves_no_image(loaded, memory, weights):
    def break_off(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loaded.load_image(weights, memory, progress=break_off)
    assert not loaded.info().image.verified
    assert refuses_to_run(loaded)


def test_loading_while_the_core_runs(loaded, memory, weights):
    run = loaded.generate(PROMPT, 20)
    first = next(run)
    assert message(loaded.load_image, weights, memory) == (
        "the simulation: the image can't be loaded while the core is running; read the run to its "
        "end, or close it, first"
    )
    assert [first, *run] == reference_tokens([BEGIN, 40], 20, DecoderSettings())


def test_the_core_refuses_what_would_disturb_a_run(loaded):
    run = loaded.generate(PROMPT, 20)
    next(run)
    before = read_register("IMAGE_ADDRESS")
    write_register("CONTROL", verify=1)
    write_register("IMAGE_ADDRESS", value=0)
    errors = read_register("ERROR")
    assert errors["verify_while_busy"] and errors["settings_locked"]
    assert read_register("IMAGE_ADDRESS") == before
    assert "verify_while_busy (verify while busy or verifying, ignored)" in message(list, run)
    assert generates(loaded)


@pytest.mark.parametrize("port", range(MEMORY.ports))
def test_a_port_at_32_bits(accelerator, memory, weights, port):
    memory.set_width(port, narrow=True)
    stuck = Ports(memory, stuck=(port,))
    number = HP_PORTS[MEMORY.ports][port]
    first = AFI_ADDRESS + number * AFI_STEP
    named = "; ".join(
        f"S_AXI_HP{number} is at 32 bits (AFI_{kind}CHAN_CTRL at 0x{first + offset:08X} reads 0x1, "
        "expected bit 0 to be 0)"
        for kind, offset in (("RD", 0), ("WR", 0x14))
    )
    assert message(accelerator.load_image, weights, memory, ports=stuck) == (
        f"{DAMAGED}; {named}; load it again"
    )
    assert refuses_to_run(accelerator)
    # without access to those registers
    assert message(accelerator.load_image, weights, memory) == (
        f"{DAMAGED}; or a port of the memory is at 32 bits, which needs root to see and to set: "
        "use sudo; load it again"
    )
    accelerator.load_image(weights, memory, ports=Ports(memory))
    assert not memory.narrow and generates(accelerator)


@pytest.mark.parametrize("response", [Response.SLVERR, Response.DECERR])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_an_error_while_the_image_is_read(accelerator, memory, weights, response, place):
    at = {"first": 0, "middle": len(image()) // 2, "last": len(image()) - 1}[place]
    memory.refuse(at, at, response)
    expected = f"when the image was read, the memory answered {response.name}: "
    assert expected in message(accelerator.load_image, weights, memory, ports=Ports(memory))
    assert refuses_to_run(accelerator)
    memory.refuse(0, 0, Response.OKAY)
    accelerator.load_image(weights, memory, ports=Ports(memory))
    assert generates(accelerator)


@pytest.mark.parametrize("response", [Response.SLVERR, Response.DECERR])
@pytest.mark.parametrize("place", ["token", "stream", "keys and values"])
def test_an_error_while_it_generates(loaded, memory, response, place):
    stripe = MEMORY.stripe_bytes
    first = {
        "token": PROMPT[1] * program().token_stripes * stripe,
        "stream": program().first_fixed * stripe,
        "keys and values": program().first_cache * stripe,
    }[place]
    memory.refuse(first, first + stripe - 1, response)
    refusal = message(lambda: list(loaded.generate(PROMPT, 6)))
    assert f"while the core was generating, the memory answered {response.name}: " in refusal
    memory.refuse(0, 0, Response.OKAY)
    assert generates(loaded)  # the image itself is as before


def start_a_run(count: int):
    write_register("PROMPT", token=3)
    write_register("GENERATE_COUNT", value=count)
    write_register("CONTROL", start=1)


def test_an_error_that_comes_after_an_abort_is_not_the_next_runs(loaded, memory):
    """Words that were under way are answered later."""
    first, size = program().first_cache * MEMORY.stripe_bytes, MEMORY.stripe_bytes
    simulation = simulated_registers().simulation
    for later in range(0, 24, 3):
        memory.refuse(first, first + size - 1, Response.DECERR)
        start_a_run(9)
        while not simulation.get("write0__awvalid"):
            settle(1)
        settle(later)
        write_register("CONTROL", abort=1)
        memory.refuse(0, 0, Response.OKAY)
        start_a_run(1)
        settle(200)
        assert read_register("IMAGE_STATUS")["fault"] == 0, later
        write_register("CONTROL", abort=1)
    assert generates(loaded)


def test_the_image_is_verified_where_it_is(loaded, memory):
    """At another address it is not, and after a reset it is not known where."""
    stripe = MEMORY.stripe_bytes
    write_register("IMAGE_ADDRESS", value=memory.address + stripe)
    assert refuses_to_run(loaded)
    write_register("IMAGE_ADDRESS", value=memory.address)
    assert generates(loaded)
    simulated_registers().reset()
    assert refuses_to_run(loaded)
    write_register("IMAGE_ADDRESS", value=memory.address)
    assert refuses_to_run(loaded)


def settle(cycles: int):
    simulated_registers().run(cycles)


def aborted_runs(cycles):
    """Start, abort in the middle of bursts, and run again, for each number of cycles."""
    for number in cycles:
        start_a_run(9)
        assert not any(read_register("ERROR").values())
        settle(number)
        write_register("CONTROL", abort=1)
        yield number


def test_a_run_after_one_that_was_aborted_in_a_burst(loaded):
    for number in aborted_runs([0, 1, 2, 7, 33, 150, 777]):
        assert generates(loaded), number


@pytest.mark.slow
def test_a_run_after_any_abort(loaded):
    rng = np.random.default_rng(4)
    for number in aborted_runs(rng.integers(0, 3000, 200).tolist()):
        assert generates(loaded), number


def test_an_image_after_an_abort_in_its_burst(accelerator, memory, weights):
    for cycles in (0, 1, 13, 400):
        accelerator.load_image(weights, memory, ports=Ports(memory))
        write_register("CONTROL", verify=1)
        settle(cycles)
        write_register("CONTROL", abort=1)
        settle(20)
        assert refuses_to_run(accelerator), cycles
        accelerator.load_image(weights, memory, ports=Ports(memory))
        assert generates(accelerator), cycles


def test_a_reset_of_the_fabric_in_a_burst(loaded, memory, weights):
    for cycles in (1, 60, 500):
        start_a_run(9)
        settle(cycles)
        simulation = simulated_registers().simulation
        simulation.set("reset", 1)
        simulation.step(5)
        simulation.set("reset", 0)
        simulation.step(5)
        again = Accelerator(simulated_registers(), artifact(), timeout=60)
        assert not again.info().image.verified
        assert "is not in the memory; load it" in message(lambda a=again: list(a.generate([1], 1)))
        again.load_image(weights, memory, ports=Ports(memory))
        assert generates(again)


def test_a_core_that_does_not_end_reading(weights, accelerator, memory):
    class Slow:
        """Registers of a core that reads its image for ever."""

        name = "the simulation"

        def read(self, offset):
            word = simulated_registers().read(offset)
            return word | (offset == register("IMAGE_STATUS", STREAMED_REGISTERS).offset)

        def write(self, offset, value):
            simulated_registers().write(offset, value)

    slow = Accelerator(Slow(), timeout=0.01)
    assert "the core still reads the image after 0.0103 s; load the bitstream again" in message(
        slow.load_image, weights, memory, ports=Ports(memory)
    )


def test_registers_of_no_image():
    class Odd:
        name = "odd"

        def __init__(self, **words):
            self.words = {register(n, STREAMED_REGISTERS).offset: w for n, w in words.items()}

        def read(self, offset):
            found = self.words.get(offset)
            return simulated_registers().read(offset) if found is None else found

        def write(self, offset, value):
            pass

    for words in ({"MEMORY_SHAPE": 0x00_08_02}, {"IMAGE_BYTES": 0}, {"IMAGE_BYTES": 2**32 - 1}):
        assert "which are of no image; load the bitstream again" in message(
            Accelerator, Odd(**words)
        )
    assert "SPEC_VERSION reads 1, expected 2 of a model in external memory" in message(
        Accelerator, Odd(SPEC_VERSION=1)
    )
