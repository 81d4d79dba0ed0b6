"""What reference and gateware share, against answers from outside.

Both take constants and tables from gateformer.model.contract.arith and model.contract.sampling, so
a changed one would change them alike. Here every one is held to what was published, or computed
from docs/number_contract.md by hand or exactly
(:mod:`tests.model.contract.contract_implementation`).
"""

import numpy as np
import pytest

from gateformer.gateware.engines.sampler.random_generator import STATE_BITS
from gateformer.gateware.engines.sampler.scheme import VERSION_1
from gateformer.model.contract import arith, artifact, sampling, trit_codec
from gateformer.model.contract.config import ModelConfig
from gateformer.model.contract.random_model import random_model
from gateformer.model.contract.sampling import Sampler, SamplingSettings
from gateformer.model.native import pack as stream_pack
from gateformer.model.text import tokenizer

from . import contract_implementation as document

MARSAGLIA = [723471715, 2497366906, 2064144800, 2008045182, 3532304609, 374114282]
"""What the program "unsigned long xor()" of Marsaglia's "Xorshift RNGs" (2003), page 4, gives with
its own first y, 2463534242, and 32-bit longs."""

FIRST_NUMBERS = {
    0: [242805386, 1981661406, 248159357, 4125575487],
    1: [995718018, 2953714646, 501788652, 179328806],
    2: [3780004149, 628579617, 347099976, 3321026724],
    12345: [135008215, 3072577196, 271782711, 955025853],
    0x9E3779B9: [891394312, 3323190024, 321008529, 4283899417],
    0xFFFFFFFF: [3202750953, 3334203268, 4079775361, 2708622879],
}
"""The first numbers of a seed: numbers 17 to 20 of xorshift32 from ``seed ^ 0x9E3779B9``, or 1."""


def test_the_generator_is_the_published_one():
    y, numbers = 2463534242, []
    for _ in MARSAGLIA:
        y = sampling.xorshift32(y)
        numbers.append(y)
    assert numbers == MARSAGLIA
    assert STATE_BITS == 32


@pytest.mark.parametrize("seed", FIRST_NUMBERS)
def test_the_first_numbers_of_a_seed(seed):
    state, numbers = sampling.initial_state(seed), []
    for _ in range(4):
        state = sampling.xorshift32(state)
        numbers.append(state)
    assert numbers == FIRST_NUMBERS[seed]


@pytest.mark.parametrize("seed", FIRST_NUMBERS)
def test_each_number_draws_a_token(seed):
    """Of n equal logits, token ⌊⌊fraction · 255n / 2²⁴⌋ / 255⌋, fraction the upper 24 bits."""
    sampler = Sampler(SamplingSettings(temperature_mult=1, seed=seed))
    for number in FIRST_NUMBERS[seed]:
        expected = ((number // 256) * 255 * 100_000 // 2**24) // 255
        assert sampler.choose(np.zeros(100_000, np.int64)) == expected


def test_sampling_limits():
    assert (sampling.SEED_MASK, sampling.DISCARDED) == (2654435769, 16)
    assert int(2**32 * (5**0.5 - 1) / 2) == sampling.SEED_MASK  # 2³² / golden ratio
    assert sampling.FRACTION_BITS == 24
    assert (sampling.TEMPERATURE_MULT_BITS, sampling.MAX_TEMPERATURE_SHIFT) == (8, 31)
    assert (VERSION_1.key_bits, VERSION_1.shift_bits) == (9, 5)


def test_temperature_by_hand():
    """0.01 nats per unit: 0.01 · log₂ e · 32 = 0.46166 keys per unit, 236.37 / 2⁹ at most 255."""
    for temperature, expected in ((1, (236, 9)), (2, (236, 10)), (0.5, (236, 8)), (1e-9, (255, 0))):
        settings = SamplingSettings.from_user(
            temperature=temperature, top_k=0, seed=0, logit_scale=0.01, vocab_size=9
        )
        assert (settings.temperature_mult, settings.temperature_shift) == expected


def test_ranges():
    assert arith.SPEC_VERSION == 1
    assert (arith.ACT_BITS, arith.ACT_MAX) == (8, 127)
    assert (arith.RESIDUAL_BITS, arith.RESIDUAL_MAX) == (16, 32767)
    assert (arith.MULT_BITS, arith.MULT_MAX, arith.MAX_SHIFT) == (8, 255, 31)
    assert [arith.max_weight(digits) for digits in range(1, 6)] == [1, 4, 13, 40, 121]


def test_exp2_table():
    table = arith.EXP2.table.tolist()
    assert table == document.EXP2
    octave = [255, 250, 244, 239, 234, 229, 224, 219, 214, 210, 205, 201, 197, 192, 188, 184]
    assert table[:16] == octave
    assert [table[32 * k] for k in range(10)] == [255, 128, 64, 32, 16, 8, 4, 2, 1, 0]
    assert (table.index(0), len(table)) == (288, 512)
    assert [int(arith.EXP2(t)) for t in (511, 512, 10**9)] == [0, 0, 0]


def test_reciprocal_table():
    table = arith.Softmax(0).table.tolist()
    assert table == document.RECIPROCAL
    assert (table[0], table[1], table[128], table[255]) == (511, 509, 341, 256)


@pytest.mark.parametrize(
    "total, e, index", [(255, 7, 254), (256, 8, 0), (511, 8, 255), (1000, 9, 244)]
)
def test_division_by_hand(total, e, index):
    softmax = arith.Softmax(0)
    assert tuple(map(int, softmax.exponent_and_index(total))) == (e, index)
    expected = document.round_shift(12345 * document.RECIPROCAL[index], 9 + e)
    assert int(softmax.divide(12345, total)) == min(expected, 127)


@pytest.mark.parametrize("d_model", [1, 2, 3, 15, 16, 64, 96, 100, 128, 768, 1024])
def test_inverse_rms_table(d_model):
    table = arith.RMSNorm(d_model, 0).table.tolist()
    assert table[64:] == [document.inverse_rms(d_model, index) for index in range(64, 256)]
    assert table[:64] == [0] * 64


def test_inverse_rms_by_hand():
    table = arith.RMSNorm(64, 0).table.tolist()
    assert [table[i] for i in (64, 65, 128, 200, 255)] == [2040, 2024, 1445, 1157, 1025]


@pytest.mark.parametrize(
    "total, e, index",
    [(0, 0, 64), (1, 0, 64), (3, 0, 192), (4, 1, 64), (63, 2, 252), (64, 3, 64), (1000, 4, 250)],
)
def test_normalization_by_hand(total, e, index):
    assert tuple(map(int, arith.RMSNorm(4, 0).exponent_and_index(total))) == (e, index)


@pytest.mark.parametrize(
    "acc, mult, shift, activation, relu, residual",
    [
        (100, 255, 8, 100, 100, 100),  # 99.61
        (1, 1, 1, 1, 1, 1),  # a half rounds up
        (-1, 1, 1, 0, 0, 0),
        (-3, 1, 1, -1, 0, -1),
        (7, 3, 0, 21, 21, 21),
        (1000, 200, 10, 127, 127, 195),  # 195.3
        (-1000, 200, 10, -127, 0, -195),
        (10**7, 255, 3, 127, 127, 32767),
        (-(10**7), 255, 3, -127, 0, -32767),
        (2**30, 1, 31, 1, 1, 1),
    ],
)
def test_requantizers_by_hand(acc, mult, shift, activation, relu, residual):
    assert int(arith.to_activation(shift)(acc, mult)) == activation
    assert int(arith.to_relu(shift)(acc, mult)) == relu
    assert int(arith.to_residual(shift)(acc, mult)) == residual


def test_trits_by_hand():
    """Bytes are base-3 numerals of trit + 1, the first trit lowest; 121 is five trits 0."""
    trits = [-1, -1, -1, -1, -1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, -1, -1, 1]
    assert trit_codec.pack_5in8(np.array(trits)).tolist() == [0, 242, 121, 41, 123]
    assert trit_codec.unpack_5in8(np.array([41]), 5).tolist() == [1, 0, 0, 0, -1]
    planes = trit_codec.to_digits(np.array([2, -4, 3, 0]), 2)
    assert planes.tolist() == [[1, -1, 1, 0], [-1, -1, 0, 0]]


def test_names_of_the_file():
    """Other programs, and files that exist, know these."""
    assert (artifact.FORMAT, artifact.FLOAT_FORMAT) == ("gateformer", "gateformer-float")
    assert (artifact.FLOAT_PREFIX, artifact.SUFFIX) == ("float.", ".safetensors")
    config = ModelConfig(vocab_size=3, d_model=2, n_heads=1, n_layers=1, d_ff=5, ctx_len=4)
    assert list(config.to_dict()) == [
        "vocab_size", "d_model", "n_heads", "n_layers", "d_ff", "ctx_len", "digits"
    ]  # fmt: skip
    kinds = ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj")
    assert config.matrix_names() == [f"layers.0.{kind}" for kind in kinds]
    norms = ["layers.0.attn_norm", "layers.0.ffn_norm", "final_norm"]
    assert config.norm_names() == norms


def test_digests_of_the_shipped_models():
    """A model's identity: registers, caches and reports hold it."""
    assert {name: artifact.open_model(name).model.digest for name in artifact.shipped_models()} == {
        "shakespeare-115k": "6030503e35404a87712c70c184ab5fff1c08a3e51af8f274ddb0d61105ad56f3",
        "shakespeare-115k-2t": "c4d7d8e354b7900e50b45b5ba54831aa0c763e8ea5eee9d80aa88be0c260ba85",
        "shakespeare-zybo": "79289f828e712cddd32393380bececf75bf3493c40aa986dc0822789851c65af",
        "stories-zybo": "f59323c7fd70ac413763c267db43ed46999ac3e3aef05caeb0d85aa36a1f46a1",
    }


def test_the_c_streams_table_is_the_same():
    mantissas = stream_pack.exp2_mantissas().tolist()
    for t in range(512):
        octave = 16 + t // 32
        assert (mantissas[t % 32] + (1 << (octave - 1))) >> octave == document.EXP2[t]


def test_vocabulary_by_hand():
    assert tokenizer.CharTokenizer.from_text("ba\n", 128).encode("ab\n") == [97, 98, 10]
    assert tokenizer.CharTokenizer.from_text("ba\n", 4).encode("ab\n") == [1, 2, 0]


def test_a_random_model_is_the_same_everywhere():
    """Measurements and cached results of ``random:…`` are of one model."""
    assert (
        random_model("random:d_model=6,n_layers=1,d_ff=7,ctx_len=3,vocab_size=5").digest
        == "5918433b4a22f56d954bf8d995e7251c051c30e7549beb1e7c9f3bf0cc9cf54f"
    )
