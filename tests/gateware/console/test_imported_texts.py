"""What the console of an imported model sends and reads, as data."""

import dataclasses

import pytest

from gateformer.gateware.console.dialect import IMPORTED, TRAINED, ImportedMessage
from gateformer.gateware.console.imported.pieces import Pieces, byte_tokens, sent, top_p_settings
from gateformer.gateware.console.imported.texts import ImportedTexts, console_texts
from gateformer.gateware.console.messages import Ending, Message
from gateformer.gateware.host.identification import Identification
from gateformer.gateware.plan.hw_config import HwConfig
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.decoder.model import Vocabulary
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.model.support.errors import UserError
from gateformer.model.text.codec import TextCodec
from gateformer.model.text.codec_arrays import to_arrays

MODEL = open_model(
    "random:positions=rotary,activation=silu,gated=1,n_kv_heads=1,n_layers=1,d_model=8,d_ff=8,"
    "ctx_len=16,vocab_size=300",
    imported=True,
).model
ALL_BYTES = [bytes([byte]) for byte in range(256)]


def with_codec(pieces, prefix=(), **facts):
    codec = TextCodec("tokenizers", tuple(pieces), tokenizer_json=b"{}", **facts)
    return dataclasses.replace(MODEL, prefix=prefix, vocabulary=Vocabulary(*to_arrays(codec)))


def texts(opening=0) -> ImportedTexts:
    hw = HwConfig(rows=1, cols=1, lanes=8)
    return console_texts(
        "s", Identification(MODEL.config, hw, MODEL.digest, 7, 50_000), opening=opening
    )


class TestTexts:
    def test_information(self):
        assert texts(2).info() == [
            f"# model s, digest {MODEL.digest[:16]}, build 00000007",
            "# n_layers 1, d_model 8, n_heads 2, d_ff 8, ctx_len 16, vocab_size 300",
            "# norm rms, positions rotary, activation gated silu, n_kv_heads 1, head_dim 4",
            "# lanes 8, opening 2, clock 50 MHz",
        ]

    def test_help_and_refusals(self):
        assert "# /top-p 0.01 to 1.00; 1.00: off" in texts().help()
        assert [line.split()[1] for line in texts().help()] == [f"/{c}" for c in IMPORTED.commands]
        refusal = "".join(texts().text(ImportedMessage.TOP_P_REFUSED))
        assert refusal == "\r\n! top-p must be 0.01 to 1.00\r\n\x04> "
        refusal = "".join(texts().text(Message.ESCAPE)).splitlines()[1]
        assert refusal == (
            "! after a backslash comes n, \\, / or a token's number below 300 and ;; line ignored"
        )
        room = ["".join(texts(n).text(Message.TOO_LONG)).splitlines()[1] for n in (0, 3)]
        assert room == [
            "! longer than the context of 16 tokens; line ignored",
            "! longer than the context of 16 tokens less the 3 before every prompt; line ignored",
        ]

    @pytest.mark.parametrize("dialect", [TRAINED, IMPORTED])
    def test_codes_agree(self, dialect):
        assert len(dialect.answers) == len(dialect.commands) + 1
        assert len(dialect.refusals) == dialect.settings
        for code, name in enumerate(dialect.commands):
            assert dialect.answers[code].name == name.upper().replace("-", "_")
            if code < dialect.settings:
                assert dialect.numbers(code).name == dialect.answers[code].name
        assert len(dialect.endings) == len(Ending) - (dialect is TRAINED)

    def test_every_text_is_there(self):
        _, pages = texts().rom()
        assert set(pages) == {*Message, *ImportedMessage}


class TestPieces:
    def test_what_is_sent(self):
        assert sent(b"a\nb\tc") == b"a\r\nb\tc"
        assert sent(b"\x00\x02\x03\x04\r\x1b\x7f") == b"???????"
        assert sent("é€\x85".encode() + b"\xff") == "é€\x85".encode() + b"\xff"

    def test_bytes_prefer_tokens_outside_of_a_run_of_all_bytes(self):
        pieces = [b"", *ALL_BYTES, b"ab", b"a", b"a", "é".encode()]
        found = byte_tokens(pieces)
        assert found[ord("a")] == 258
        assert found[ord("b")] == 1 + ord("b")
        assert byte_tokens([b"x", b"ab", b"y"])[ord("a")] is None
        assert byte_tokens([b"", b"\n", *ALL_BYTES])[0x0A] == 1

    def test_opening(self):
        model = with_codec([b"", *ALL_BYTES], (5, 6), bos=0, add_bos=True, stop=(0, 3))
        pieces = Pieces.of(model)
        assert (pieces.opening, pieces.begin, pieces.stop) == ((5, 6, 0), 0, (0, 3))
        assert len(pieces.texts) == 300 and pieces.texts[299] == b""
        assert Pieces.of(with_codec([b"a"], bos=0)).opening == ()

    def test_characters_of_several_bytes(self):
        codec = TextCodec.of_characters(["a", "é", "", "\n", "中"])
        model = dataclasses.replace(MODEL, vocabulary=Vocabulary(*to_arrays(codec)))
        pieces = Pieces.of(model)
        assert pieces.of_characters == {"é".encode(): 1, "中".encode(): 4}
        assert pieces.of_bytes[ord("a")] == 0 and pieces.of_bytes[0xC3] is None
        assert Pieces.of(with_codec(["é".encode()])).of_characters == {}

    def test_refusals(self):
        for model, message in (
            (
                with_codec([b"a"] * 301),
                "the model's tokenizer has 301 tokens, but the model 300; import it with its own "
                "tokenizer",
            ),
            (
                with_codec([b"a"], (0,) * 15, bos=0, add_bos=True),
                "16 tokens come before every prompt of this model, and its context of 16 has no "
                "room for one; import it with a longer --context",
            ),
        ):
            with pytest.raises(UserError) as error:
                Pieces.of(model)
            assert str(error.value) == message

    def test_top_p_equals_python(self):
        values = top_p_settings(0.1, 300)
        assert len(values) == 101 and values[100] == 2**16
        for hundredths in range(1, 101):
            settings = DecoderSettings.from_user(
                top_p=float(f"{hundredths // 100}.{hundredths % 100:02}"),
                **{"temperature": 0.8, "top_k": 3, "seed": 1, "logit_scale": 1.0},
                vocab_size=300,
            )
            assert values[hundredths] == settings.top_p
