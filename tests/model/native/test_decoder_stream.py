"""The C stream of imported models: the reference's integers, whatever the shape."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateformer.model.contract.choices import Bits
from gateformer.model.contract.decoder.random_decoder import random_decoder
from gateformer.model.contract.decoder.reference import DecoderReference, window_logits
from gateformer.model.native import decoder_stream
from gateformer.model.native.decoder_stream import DecoderStream
from gateformer.model.native.library import processor
from gateformer.model.support.errors import UserError

KINDS = ("q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj")
FORMATS = ("int8", "int7", "int5", "int4", "trits:1", "trits:5")
BLOCKS = ("block:4:32:min", "block:8:16:min", "block:8:32", "block:6:16", "block:5:32")
FLAGS = {
    "this processor": (),
    "AVX2": ("-mno-avx512f", "-mavx2"),
    "plain C": ("-mno-avx512f", "-mno-avx2"),
}


@st.composite
def decoders(draw):
    """Any choice that a model may make, in small."""
    weights = draw(st.sampled_from(FORMATS + BLOCKS))
    unit = int(weights.split(":")[2]) if weights.startswith("block") else 1
    sizes = st.integers(1, 3) if unit > 1 else st.integers(1, 40)
    head_dim = 2 * draw(st.integers(1, 20)) if unit == 1 else unit
    share, groups = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    gated = draw(st.booleans())
    kinds = (*KINDS, "gate_proj") if gated else KINDS
    width = st.integers(8, 16)
    return random_decoder(
        draw(st.integers(0, 2**31)),
        weights=weights,
        head=draw(st.sampled_from(("int8", weights))),
        bits=Bits(
            draw(st.integers(16, 24)),
            *(draw(width) for _ in range(7)),
            draw(st.sampled_from((12, 16, 32))),
        ),
        vocab_size=draw(st.integers(1, 40)),
        d_model=unit * draw(sizes),
        d_ff=unit * draw(sizes),
        n_heads=share * groups,
        n_kv_heads=groups,
        head_dim=head_dim,
        n_layers=draw(st.integers(1, 2)),
        ctx_len=draw(st.integers(1, 30)),
        norm=draw(st.sampled_from(("rms", "layer"))),
        norm_bias=draw(st.booleans()),
        positions=draw(st.sampled_from(("learned", "rotary"))),
        activation=draw(st.sampled_from(("relu", "silu", "gelu", "gelu_tanh"))),
        gated=gated,
        bias=tuple(kind for kind in kinds if draw(st.booleans())),
        tied_head=draw(st.booleans()),
    )


def stream_of(flags, model, threads=1):
    """A stream that multiplies as ``flags`` say; skips the test where no processor could."""
    if flags == "AVX2" and "avx2" not in processor():
        pytest.skip("this processor has no AVX2")
    stream = DecoderStream(model, FLAGS[flags], threads)
    assert flags in ("this processor", stream.instructions)
    return stream


@pytest.mark.parametrize(
    "flags, threads", [*((flags, 1) for flags in FLAGS), ("this processor", 3)]
)
@settings(max_examples=60, deadline=None)
@given(model=decoders(), seed=st.integers(0, 2**31))
@pytest.mark.slow_but("this*")
def test_any_decoder_is_the_references(flags, threads, model, seed):
    rng = np.random.default_rng(seed)
    cfg = model.config
    tokens = rng.integers(0, cfg.vocab_size, cfg.ctx_len)
    reference, stream = DecoderReference(model), stream_of(flags, model, threads)
    assert stream.threads == threads
    expected = reference.feed(tokens)
    assert np.array_equal(stream.feed(tokens), expected)
    assert stream.saturations == {name: seen[0] for name, seen in reference.saturations.items()}
    stream.reset()
    cuts = sorted(rng.integers(0, len(tokens) + 1, 3))
    parts = [stream.feed(part) for part in np.split(tokens, cuts) if len(part)]
    assert np.array_equal(np.concatenate(parts), expected)
    stream.reset()
    assert np.array_equal(stream.last(tokens), expected[-1])
    stream.reset()
    assert np.array_equal([stream.step(int(token)) for token in tokens], expected)


@pytest.mark.slow
def test_extremes_do_not_overflow():
    """Codes and activations at their limits over a row of many columns."""
    model = random_decoder(
        1, vocab_size=3, d_model=5000, d_ff=9000, n_heads=1, head_dim=4, ctx_len=4, gated=True
    )
    for name in ("gate", "up", "down", "o", "q", "v"):
        matrix = model.matrices[f"layers.0.{name}_proj"]
        matrix.codes[:] = np.where(np.arange(matrix.shape[1]) % 7 == 0, 127, -128)
        matrix.mult[:] = 65535
        object.__setattr__(matrix, "row_bound", 128 * matrix.shape[1])
    tokens = [0, 1, 2, 1]
    expected = window_logits(model, [tokens])[0]
    for flags in FLAGS:
        assert np.array_equal(stream_of(flags, model).feed(tokens), expected)


def test_long_sequences_cross_blocks_of_tokens_and_positions():
    """More tokens than share one pass, from any position on, with any number of threads."""
    model = random_decoder(
        3, vocab_size=50, d_model=48, d_ff=40, n_heads=6, n_kv_heads=2, head_dim=20, ctx_len=300
    )
    tokens = np.random.default_rng(0).integers(0, 50, 300)
    expected = window_logits(model, [tokens])[0]
    stream = DecoderStream(model)
    for threads in (1, 2, 5):
        other = stream.another(threads)
        assert np.array_equal(other.feed(tokens), expected)
        other.reset()
        other.last(tokens[:77])
        assert np.array_equal(other.last(tokens[77:]), expected[-1])


def test_windows_begin_anew():
    model = random_decoder(2, vocab_size=9, d_model=8, d_ff=9, n_heads=2, ctx_len=6)
    tokens = np.random.default_rng(0).integers(0, 9, (3, 5))
    found = np.stack(list(DecoderStream(model).windows(tokens)))
    assert np.array_equal(found, window_logits(model, tokens))


def test_too_many_tokens_are_refused():
    stream = DecoderStream(random_decoder(2, vocab_size=9, d_model=8, d_ff=9, n_heads=2, ctx_len=6))
    stream.feed([1] * 6)
    with pytest.raises(UserError, match="the context of 6 tokens is full; start a new sequence"):
        stream.step(1)
    with pytest.raises(UserError, match="token 9 is outside the vocabulary of 9"):
        stream.step(9)


def test_a_change_of_any_header_is_compiled_anew():
    folder = Path(decoder_stream.__file__).parent
    assert {path.name for path in folder.glob("decoder*.[ch]")} == {*decoder_stream.SOURCES}
