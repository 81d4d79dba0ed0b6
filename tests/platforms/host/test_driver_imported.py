"""The driver of an imported model's accelerator, on the compiled simulation."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from gateformer.gateware.host.identification import Identification
from gateformer.gateware.host.imported_registers import IMPORTED_REGISTERS
from gateformer.gateware.host.registers import register
from gateformer.model.contract.artifact import save
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.model.support.errors import UserError
from gateformer.platforms.host.driver import Accelerator
from gateformer.platforms.host.model import HostModel
from tests.support.fake_registers import FakeRegisters
from tests.support.imported.small_accelerator import (
    BEGIN,
    PREFIX,
    USER,
    artifact,
    codec,
    program,
    reference_text,
    reference_tokens,
    simulated_registers,
)
from tests.support.user_error import message

ROOT = Path(__file__).parents[3]
PROMPTS = ["the cat", "é", "don't sit", "1234", " ", "a" * 19]
SETTINGS = [(0, 0, 1, None), (0.8, 0, 2, None), (1.3, 5, 7, 0.9), (1.5, 0, 9, 0.6), (2, 320, 3, 1)]


@pytest.fixture
def accelerator():
    return Accelerator(simulated_registers(), artifact(), timeout=60)


@pytest.mark.parametrize("temperature, top_k, seed, top_p", SETTINGS)
def test_text_is_the_references(accelerator, temperature, top_k, seed, top_p):
    for prompt in PROMPTS:
        pieces = accelerator.generate(prompt, 3, temperature, top_k, seed, top_p=top_p)
        expected = reference_text(prompt, 3, temperature, top_k, seed, top_p)
        assert "".join(pieces) == expected, prompt


def test_ids_are_taken_as_they_are():
    accelerator = Accelerator(simulated_registers(), timeout=60)
    tokens = accelerator.generate([*PREFIX, BEGIN, 40], 5)
    assert list(tokens) == reference_tokens([BEGIN, 40], 5, DecoderSettings())
    with pytest.raises(UserError, match=r"^text needs the model, which is unknown; give Accel"):
        accelerator.generate("a")


def test_a_stop_token_ends_the_text():
    host = HostModel.of(artifact())
    tokens = reference_tokens(host.encode("the"), 9, host.settings(1.5, 0, 3))
    number = next(i for i in range(2, 9) if tokens[i] not in tokens[:i])
    stop = tokens[number]
    model = dataclasses.replace(host, codec=codec(stop=(stop,)))
    accelerator = Accelerator(simulated_registers(), model, timeout=60)
    text = "".join(accelerator.generate("the", 9, 1.5, seed=3))
    assert text == codec().decode(tokens[:number]).decode("utf-8", "replace")
    assert accelerator.last_run is None
    assert list(accelerator.generate([*PREFIX, BEGIN, 40], 2))  # the core is free again


@pytest.mark.parametrize("count", [16, 20, 70])
def test_a_refed_window_goes_on(accelerator, count):
    text = "".join(accelerator.generate("the cat sat", count, 0.8, 0, 5, refeed=True))
    assert text == reference_text("the cat sat", count, 0.8, 0, 5, refeed=True)


def test_the_prefix_takes_room(accelerator):
    tokens = HostModel.of(artifact()).encode("é" * 30)
    assert message(accelerator.generate, "é" * 30, 1) == (
        f"the prompt has {len(tokens)} tokens, but the context holds {24 - len(PREFIX)}; shorten "
        "the prompt"
    )


def test_chat(accelerator):
    tokens = codec().encode("the mat")
    text = "".join(accelerator.generate("the mat", 4, chat=True))
    expected = reference_tokens([BEGIN, USER, *tokens], 4, DecoderSettings())
    assert text == codec().decode(expected).decode("utf-8", "replace")
    assert message(accelerator.generate, "the", system="be") == (
        "a system message is for chat; give both, or leave system out"
    )
    assert message(accelerator.generate, [1], chat=True) == (
        "chat is for a text; give one, or leave chat and system out"
    )


def test_info(accelerator):
    info, config = accelerator.info(), artifact().model.config
    assert (info.rows, info.cols, info.lanes, info.reload) == (None, None, 8, False)
    assert str(info).splitlines() == [
        f"model small, digest {artifact().model.digest[:16]}, build 51a1a7ed",
        f"n_layers 1, d_model 8, n_heads 2, d_ff 12, ctx_len 24, vocab_size {config.vocab_size}",
        "norm rms, positions rotary, activation gated silu, n_kv_heads 1, head_dim 4",
        "lanes 8, clock 125 MHz",
    ]


def test_bench(accelerator):
    bench = accelerator.bench([1, 2, 3], 20)
    assert (bench.prompt_tokens, bench.generated_tokens) == (3, 19)
    positions = range(3, 22)
    assert bench.generated_cycles == sum(program().cycles(p) for p in positions)
    assert bench.waiting_cycles == 0


def test_it_takes_no_model_at_run_time(accelerator):
    assert message(accelerator.load, artifact()) == (
        "the simulation: no accelerator takes an imported model at run time, or is of one and "
        "takes another; build a bitstream for the model"
    )


def fake(**words):
    """Registers of the small model's accelerator, some of them changed."""
    constants = Identification.of(program(), 1, 125_000).constants
    found = FakeRegisters()
    found.words = {
        register(name, IMPORTED_REGISTERS).offset: word
        for name, word in {**constants, **words}.items()
    }
    return found


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            {"FAMILY": 0x00F},
            "FAMILY reads 0x0000000F, which is no architecture of this program; build the "
            "bitstream with this version of the program",
        ),
        (
            {"FAMILY": 1 << 16},
            "FAMILY reads 0x00010000, but only bits of 0x0000FFFF can be 1; load the bitstream "
            "again",
        ),
        (
            {"HEADS": 4 << 16},
            "HEADS reads n_kv_heads 0, expected a divisor of 2; load the bitstream again",
        ),
        (
            {"HEADS": 4 << 16 | 3},
            "HEADS reads n_kv_heads 3, expected a divisor of 2; load the bitstream again",
        ),
        (
            {"HEADS": 1},
            "HEADS reads head_dim 0, expected at least 1; load the bitstream again",
        ),
        (
            {"VOCAB_SIZE": 319},
            "VOCAB_SIZE reads 319, expected 320 of small; load that model's bitstream",
        ),
    ],
)
def test_impossible_registers_are_named(words, expected):
    assert message(Accelerator, fake(**words), artifact(), timeout=0.02) == f"the fake: {expected}"


def test_top_p_is_for_imported_models():
    from tests.support.small_accelerator import MODEL
    from tests.support.small_accelerator import simulated_registers as trained

    accelerator = Accelerator(trained(), MODEL, timeout=60)
    assert message(accelerator.generate, "a", top_p=0.5) == (
        "top-p is for imported models; leave it out"
    )
    assert message(accelerator.generate, "a", temperature=1, top_p=0.5) == (
        f"top-p is for imported models, and {MODEL} was trained here; leave it out"
    )


def test_what_lacks_its_package_says_so(tmp_path):
    """The board has numpy and safetensors: ids work, text asks for the package that encodes."""
    save(tmp_path / "small.safetensors", artifact().model)
    blocked = ("amaranth", "torch", "tokenizers", "sentencepiece", "jinja2", "rich", "serial")
    code = f"import sys; sys.modules.update(dict.fromkeys({blocked}))\n"
    code += "from gateformer.platforms.host import driver, generate\n"
    code += f"model = driver.HostModel.open({str(tmp_path / 'small.safetensors')!r})\n"
    code += "print(list(model.codec.stream([3, 40])), model.prefix, model.settings(1, 5, 1, 0.5))\n"
    code += "model.encode('x')"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert f"{PREFIX} DecoderSettings(" in result.stdout
    assert "UserError: encoding text for this model needs tokenizers" in result.stderr
