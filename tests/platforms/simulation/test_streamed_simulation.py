"""A streamed core against the reference: every tap and token, whatever the memory's moods."""

import dataclasses

import numpy as np
import pytest

from gateformer.gateware.decoder.taps import check_taps
from gateformer.gateware.memory.bus import MemoryShape, Response
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.choices import Bits
from gateformer.model.contract.decoder.random_decoder import random_decoder
from gateformer.model.contract.decoder.reference import DecoderReference
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.platforms.simulation.simulated_memory import MemoryTiming
from gateformer.platforms.simulation.streamed_simulation import (
    BASE,
    MemoryFault,
    StreamedSimulator,
)
from tests.gateware.decoder.compared_core import sampled
from tests.gateware.decoder.test_core import drawn
from tests.gateware.decoder.test_grouped_core import drawn as drawn_grouped

FAST, SLOW, ALL = 1, 4, 24
GROUPED_SLOW, GROUPED_ALL = 4, 24
MEMORIES = (
    MemoryShape(2, 4, 8),
    MemoryShape(4, 8, 16),
    MemoryShape(1, 16, 4),
    MemoryShape(4, 4, 16),
)
MOODS = (
    MemoryTiming(),
    MemoryTiming(latency=(30, 120), refresh=(400, 30), stall=0.1),
    MemoryTiming(latency=(2, 9), shared=5, stall=0.5, outstanding=2),
)


LONG = {
    **{"vocab_size": 5, "d_model": 96, "n_heads": 2, "n_kv_heads": 1, "head_dim": 48, "d_ff": 160},
    **{"ctx_len": 3, "gated": True, "activation": "silu", "norm": "rms", "positions": "rotary"},
}
NATIVE = "native"
MIXED = {
    NATIVE: {"weights": "block:4:32:min", "formats": {"down_proj": "int8"}},
    "plain": {"weights": "int4", "formats": {"down_proj": "int8", "k_proj": "trits:4"}},
    "an embedding with groups": {
        **{"head": "block:8:32", "tied_head": False, "weights": "int8"},
        "formats": {"lm_head": "block:4:32:min", "up_proj": "int4", "gate_proj": "int4"},
    },
    "an embedding with minimums": {"head": "block:6:16:min", "weights": "block:4:16"},
}


def marks_of(seed: int, fast: int, slow: int) -> list:
    """Those from ``fast`` on are slow, those from ``slow`` on more of the same, of full size."""
    found = [pytest.mark.slow] if seed >= fast else []
    return [*found, pytest.mark.full_size] if seed >= slow else found


def model_of(seed: int, **changed):
    """A random model, every choice independent of the others."""
    _, shape = drawn(seed)
    return random_decoder(seed, **{**shape, "ctx_len": 6, "weights": "int8", **changed})


def grouped_model_of(seed: int):
    """A random model of any formats side by side, those of groups among them."""
    _, shape = drawn_grouped(seed)
    # rows of gate and up, which alternate, have codes of one width: signed or unsigned
    if "block:8:16:min" in (shape["weights"], *shape["formats"].values()):
        shape["formats"] |= {kind: "block:4:16:min" for kind in ("up_proj", "gate_proj")}
    if seed % 2 == 0:
        shape |= {name: 2 * shape[name] for name in ("d_model", "head_dim", "d_ff")}
        forms = {kind: form.replace(":16", ":32") for kind, form in shape["formats"].items()}
        wide = {name: shape[name].replace(":16", ":32") for name in ("weights", "head")}
        bits = dataclasses.replace(shape["bits"], residual=24)
        shape |= {**wide, "formats": forms, "bits": bits}
    return random_decoder(seed, **{**shape, "ctx_len": 5})


@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=marks_of(n, FAST, SLOW)) for n in range(ALL)]
)
def test_taps_and_tokens(seed):
    compared(seed, model_of(seed, weights=("int8", "int5", "int4", "trits:4")[seed % 4]))


@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=marks_of(n, 0, GROUPED_SLOW)) for n in range(GROUPED_ALL)]
)
def test_taps_and_tokens_of_weights_with_scales_of_groups(seed):
    compared(seed, grouped_model_of(seed))


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name == NATIVE else pytest.mark.slow) for name in MIXED],
)
@pytest.mark.slow
def test_taps_and_tokens_of_vectors_longer_than_a_word(name):
    """In words of 32 bytes: codes of 4 bits in 64 lanes, others in half of them."""
    compared(2 + len(name), random_decoder(0, **{**LONG, **MIXED[name]}), MEMORIES[1])


def compared(seed: int, model, memory: MemoryShape | None = None):
    """Two texts with a memory, a mood of it and settings that ``seed`` chooses."""
    cfg = model.config
    program = StreamedProgram(model, memory or MEMORIES[seed // 2 % len(MEMORIES)])
    rng = np.random.default_rng(seed)
    chosen = DecoderSettings() if seed % 2 else sampled(seed, model)
    simulator = StreamedSimulator(
        program, taps=True, stall=0.3, timing=MOODS[seed % len(MOODS)], seed=seed + 1
    )
    # a sequence after another: what the memory has of the first one is not read in the second
    for _ in range(2):
        prompt = rng.integers(0, cfg.vocab_size, rng.integers(1, cfg.ctx_len)).tolist()
        count = cfg.ctx_len - len(prompt) + 1
        tokens = [token for token, _ in simulator.generate(prompt, count, chosen)]
        assert tokens == list(DecoderReference(model).generate(prompt, count, chosen))
        fed = (prompt + tokens)[: cfg.ctx_len]
        assert check_taps(program, simulator.tap_records(), fed, len(prompt)) > 0


@pytest.fixture(scope="module")
def program() -> StreamedProgram:
    return StreamedProgram(model_of(1), MEMORIES[0])


@pytest.mark.slow
def test_an_aborted_sequence_leaves_nothing_behind(program):
    model, settings = program.model, DecoderSettings()
    simulator = StreamedSimulator(program, timing=MemoryTiming(latency=(20, 60), stall=0.2))
    expected = list(DecoderReference(model).generate([1, 0], 4, settings))
    for cycles in (1, 40, 333, 1000, 1777):
        aborted = simulator.generate([0], 5, settings)
        next(aborted)
        simulator.simulation.step(cycles)
        assert [token for token, _ in simulator.generate([1, 0], 4, settings)] == expected


@pytest.mark.slow
def test_an_error_of_the_memory_is_seen(program):
    simulator = StreamedSimulator(program)
    stripe = BASE + program.first_fixed * program.memory.stripe_bytes
    simulator.memory.refuse(stripe, stripe, Response.SLVERR)
    with pytest.raises(MemoryFault, match="SLVERR"):
        list(simulator.generate([0], 2, DecoderSettings()))


def test_any_wrong_bit_of_the_image_is_found(program):
    simulator = StreamedSimulator(program, timing=MOODS[1])
    assert simulator.verify()
    rng = np.random.default_rng(1)
    content = simulator.memory.content
    size = program.first_cache * program.memory.stripe_bytes
    for place in (0, size - 1, *rng.integers(0, size, 6).tolist()):
        content[place] ^= 1 << (place % 8)
        assert not simulator.verify()
        content[place] ^= 1 << (place % 8)
    whole = content[:size].copy()
    content[size // 2 : size] = 0
    assert not simulator.verify()
    # words in another order
    word = program.memory.data_bytes
    content[:size] = whole
    content[:word], content[word : 2 * word] = whole[word : 2 * word], whole[:word]
    assert not simulator.verify()
    content[:size] = whole
    assert simulator.verify()
    expected = list(DecoderReference(program.model).generate([1, 0], 4, DecoderSettings()))
    assert [token for token, _ in simulator.generate([1, 0], 4, DecoderSettings())] == expected


@pytest.mark.slow
def test_saturations_are_the_references():
    """Where nothing is turned, since the reference counts that with q and k."""
    # what is 8 bits is limited often where nothing is gated
    bits = Bits(hidden=8, attention=8, logit=16)
    model = model_of(3, positions="learned", ctx_len=5, gated=False, bits=bits, formats={})
    reference = DecoderReference(model)
    simulator = StreamedSimulator(StreamedProgram(model, MEMORIES[1]), timing=MOODS[1])
    for prompt in ([2], [7]):
        reference.saturations.clear()
        expected = list(reference.generate(prompt, 5, DecoderSettings()))
        generated = simulator.generate(prompt, 5, DecoderSettings())
        assert [token for token, _ in generated] == expected
        limited = {
            stage: count
            for stage, (count, _) in reference.saturations.items()
            if stage != "embed" and not stage.endswith("_residual")
        }
        assert simulator.simulation.get("saturations") == sum(limited.values()) > 0
        assert any(count for stage, count in limited.items() if stage.endswith("hidden"))
