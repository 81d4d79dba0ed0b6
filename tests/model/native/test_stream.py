"""The C stream: equal to the reference on any shape, with every instruction set there is here."""

import numpy as np
import pytest

from gateformer.model.contract import arith
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.random_model import random_model
from gateformer.model.contract.reference import Reference
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.native import pack as stream_pack
from gateformer.model.native.stream import CompiledStream, StreamPool, StreamsInTurn
from gateformer.model.support import cache, compiler
from gateformer.model.support.errors import ToolError, UserError

SPECS = [
    "random:d_model=6,n_heads=3,n_layers=1,d_ff=7,ctx_len=9,vocab_size=5,digits=5",
    "random:d_model=80,n_heads=5,n_layers=2,d_ff=131,ctx_len=37,vocab_size=99,digits=2,"
    "digits.down_proj=3,digits.layers.1.up_proj=4,digits.q_proj=1",
    "random:d_model=1,n_heads=1,n_layers=1,d_ff=1,ctx_len=2,vocab_size=2",
]
NATIVE = ()
NO_VNNI = ("-mno-avx512f", "-mno-avxvnni")
PLAIN = ("-mno-avx2", "-mno-avx512f")
NOTHING_SPECIAL = SamplingSettings()
SETTINGS = [
    NOTHING_SPECIAL,
    SamplingSettings(255, 8, 0, 1),
    SamplingSettings(130, 4, 1, 2),
    SamplingSettings(130, 9, 3, 3),
    SamplingSettings(255, 0, 2, 4),
    SamplingSettings(1, 31, 0, 2**32 - 1),
]


def x86_flags(flags):
    """Flags of x86 compilers, none on other machines."""
    import platform

    return flags if platform.machine() in ("x86_64", "AMD64") else ()


def check_logits(stream, seed):
    """Every logit of one context of random tokens."""
    reference = Reference(stream.model)
    cfg = stream.model.config
    for token in np.random.default_rng(seed).integers(cfg.vocab_size, size=cfg.ctx_len).tolist():
        assert stream.step(token).tolist() == reference.step(token).tolist()


@pytest.mark.parametrize("flags", [NATIVE, NO_VNNI, PLAIN], ids=["native", "no VNNI", "plain"])
@pytest.mark.parametrize("spec", SPECS)
def test_logits_and_tokens_equal_the_reference(spec, flags):
    model = random_model(spec)
    stream = CompiledStream(model, x86_flags(flags))
    check_logits(stream, 0)
    stream.reset()
    check_logits(stream, 1)
    reference, count = Reference(model), model.config.ctx_len
    for settings in SETTINGS:
        for prompt in ([0], [1, 0]):
            expected = list(reference.generate(prompt, count, settings))
            assert stream.generate(prompt, count, settings) == expected
            assert stream.position == reference.position


def extreme(model):
    """The same with the largest weights and multipliers, and shifts at both ends."""
    import dataclasses

    matrices = {
        name: dataclasses.replace(
            matrix,
            weight=np.where(matrix.weight < 0, -1, 1) * arith.max_weight(matrix.digits),
            mult=np.full_like(matrix.mult, 255),
            shift=(0, 31, 12)[i % 3],
        )
        for i, (name, matrix) in enumerate(model.matrices.items())
    }
    return dataclasses.replace(
        model,
        matrices=matrices,
        token_embedding=np.where(model.token_embedding < 0, -127, 127),
        token_mult=255,
        score_shifts=(0,) * model.config.n_layers,
    )


@pytest.mark.parametrize("flags", [NATIVE, NO_VNNI, PLAIN], ids=["native", "no VNNI", "plain"])
def test_no_sum_of_products_saturates(flags):
    model = extreme(random_model("random:d_model=64,d_ff=600,ctx_len=12,vocab_size=70,digits=5"))
    assert stream_pack.macros(model)["WIDE_PROJECT"] == 1
    stream = CompiledStream(model, x86_flags(flags))
    check_logits(stream, 0)
    settings = SamplingSettings(255, 31, 9, 7)
    expected = list(Reference(model).generate([1], 12, settings))
    assert stream.generate([1], 12, settings) == expected


def test_exp2_by_octaves_is_exact():
    mantissas, distance = stream_pack.exp2_mantissas(), np.arange(512)
    octave = distance // 32
    values = (mantissas[distance % 32] + (1 << 15 << octave)) >> (16 + octave)
    assert (values == arith.EXP2(distance)).all()


@pytest.fixture(scope="module")
def small():
    return random_model("random:d_model=8,n_layers=1,d_ff=12,ctx_len=6,vocab_size=20")


def test_times_and_tokens_of_several_streams(small):
    stream = CompiledStream(small)
    expected = stream.generate([3], 6, NOTHING_SPECIAL)
    pool, in_turn = StreamPool(stream, 3), StreamsInTurn(stream, 3)
    for timed in (stream.timed, pool.timed, in_turn.timed):
        tokens, seconds = timed([3], 6)
        assert tokens == expected
        assert seconds.shape == (6,)
        assert (seconds > 0).all()
    for several in (pool, in_turn):
        assert [each.position for each in several.streams] == [6, 6, 6]


def test_streams_in_turn_do_not_share_keys_and_values(small):
    """Each goes on with its own text after they have run together."""
    in_turn = StreamsInTurn(CompiledStream(small), 2)
    tokens, _ = in_turn.timed([3], 4)
    in_turn.streams[1].reset()
    for token in (7, 7, 7, 7):
        in_turn.streams[1].step(token)
    reference = Reference(small)
    expected = [reference.step(token) for token in (3, *tokens[:3], 5)][-1]
    assert in_turn.streams[0].step(5).tolist() == expected.tolist()


@pytest.mark.parametrize(
    "prompt, count, text",
    [
        ([], 1, "the prompt must have at least 1 token, but is empty"),
        ([0, 20], 1, "token 20 is outside the vocabulary of 20"),
        ([0], 0, "tokens must be at least 1, not 0"),
    ],
)
def test_invalid_requests(small, prompt, count, text):
    with pytest.raises(UserError) as caught:
        CompiledStream(small).generate(prompt, count, NOTHING_SPECIAL)
    assert str(caught.value) == text


def test_full_context(small):
    stream = CompiledStream(small)
    stream.generate([0], 6, NOTHING_SPECIAL)
    with pytest.raises(UserError) as caught:
        stream.step(0)
    assert str(caught.value) == "the context of 6 tokens is full; start a new sequence"


def test_too_wide():
    model = random_model("random:d_model=2,d_ff=32897,n_layers=1,ctx_len=1,vocab_size=2")
    with pytest.raises(UserError) as caught:
        CompiledStream(model)
    assert str(caught.value) == "d_ff must be at most 32896 for the C stream, not 32897"


def test_no_compiler(small, monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(compiler.shutil, "which", lambda name: None)
    monkeypatch.setattr(compiler.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError) as caught:
        CompiledStream(small)
    assert str(caught.value) == (
        "no C compiler found (cc, gcc, clang or $CC), which the C stream needs; "
        "install one, or: pip install ziglang"
    )


def test_failing_compiler(small, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "cache_directory", lambda: tmp_path)
    with pytest.raises(ToolError, match="failed with status"):
        CompiledStream(small, ["-no-such-option"])
    assert not list(tmp_path.glob("*.so"))


@pytest.mark.slow
def test_pip_compiler_works(small, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "cache_directory", lambda: tmp_path)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(compiler.shutil, "which", lambda name: None)
    check_logits(CompiledStream(small), 0)


@pytest.mark.slow
def test_ten_thousand_tokens_of_the_shipped_model():
    model = open_model("shakespeare-115k").model
    stream, reference, total = CompiledStream(model), Reference(model), 0
    for number in range(84):
        settings = SamplingSettings()
        if number % 3:
            settings = SamplingSettings.from_user(
                temperature=0.5 + 0.05 * (number % 20),
                top_k=0 if number % 3 == 1 else number,
                seed=number,
                logit_scale=model.logit_scale,
                vocab_size=128,
            )
        prompt = [32 + number, *range(97, 97 + number % 7)]
        expected = list(reference.generate(prompt, 128, settings))
        assert stream.generate(prompt, 128, settings) == expected
        total += len(expected)
    assert total >= 10_000
