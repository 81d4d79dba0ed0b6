# amaranth: UnusedElaboratable=no
"""The vocabulary of the console, and what it refuses."""

import types

import pytest

from gateformer.gateware.console.system import ConsoleCore, ConsoleSystem
from gateformer.gateware.console.vocabulary import (
    ConsoleVocabulary,
    temperature_entries,
    token_texts,
)
from gateformer.model.contract.artifact import open_model
from gateformer.model.contract.sampling import SamplingSettings
from gateformer.model.support.errors import UserError
from tests.support.component_simulation import simulate
from tests.support.console.stand_in_core import VOCABULARY


class TestVocabulary:
    def test_search_and_texts(self):
        vocabulary = ConsoleVocabulary(VOCABULARY, logit_scale=0.001)
        texts = token_texts(VOCABULARY)

        async def find(ctx, content):
            ctx.set(vocabulary.character, int.from_bytes(content, "big"))
            ctx.set(vocabulary.search, 1)
            await ctx.tick()
            ctx.set(vocabulary.search, 0)
            for _ in range(4 * len(VOCABULARY) + 1):
                if not ctx.get(vocabulary.busy):
                    return ctx.get(vocabulary.address) if ctx.get(vocabulary.found) else None
                await ctx.tick()
            raise AssertionError("the search takes too long")

        async def bench(ctx):
            for token, text in enumerate(VOCABULARY):
                ctx.set(vocabulary.token, token)
                ctx.set(vocabulary.look_up, 1)
                await ctx.tick()
                ctx.set(vocabulary.look_up, 0)
                await ctx.tick().repeat(2)
                entry = ctx.get(vocabulary.text)
                assert entry.empty == (not text)
                for name, value in texts[token].items():
                    assert getattr(entry, name) == value
                if text and text != "\n" and token % 5 == 0:
                    assert await find(ctx, text.encode()) == token
            assert await find(ctx, b"\r\n") == VOCABULARY.index("\n")
            for unknown in (b"\n", b"Z", "ä".encode(), "\U0010fffe".encode(), b"\xff\xff\xff\xff"):
                found = await find(ctx, unknown)
                assert found is None or not VOCABULARY[found]

        simulate(vocabulary, bench)

    def test_what_can_be_shown(self):
        newline, tab, escape, padding, euro, old_control = token_texts("\n\t\x1b") + token_texts(
            ["", "€", "\x85"]
        )
        assert newline == {"bytes": 0x0D0A, "first": 1}
        assert tab == {"bytes": 9, "first": 0}
        assert escape == {"bytes": 0x3F00001B, "first": 3, "control": 1}
        assert padding["empty"] == 1
        assert euro == {"bytes": 0xE282AC, "first": 2}
        assert old_control == {"bytes": 0x3F00C285, "first": 3, "control": 1}

    @pytest.mark.parametrize("name", ["shakespeare-115k", "random:vocab_size=300,d_model=4"])
    def test_temperatures_equal_python(self, name):
        model = open_model(name).model
        entries = temperature_entries(model.logit_scale, model.config.vocab_size)
        assert len(entries) == 256
        for hundredths, entry in enumerate(entries):
            settings = SamplingSettings.from_user(
                temperature=float(f"{hundredths // 100}.{hundredths % 100:02}"),
                top_k=0,
                seed=0,
                logit_scale=model.logit_scale,
                vocab_size=model.config.vocab_size,
            )
            assert (entry["mult"], entry["shift"]) == (
                settings.temperature_mult,
                settings.temperature_shift,
            )
        assert entries[0]["mult"] == 0

    @pytest.mark.parametrize(
        "vocabulary, message",
        [
            (["a", "bc"], "vocabulary entry 1 must be one character, not 'bc'"),
            (
                ["a", "b", "a"],
                "vocabulary entries must differ, but 0 and 2 are both 'a'",
            ),
            (
                ["a", "\ud800"],
                "vocabulary entry 1 must be a character that UTF-8 can hold, not '\\ud800'",
            ),
        ],
    )
    def test_refusals(self, vocabulary, message):
        model = types.SimpleNamespace(vocabulary=vocabulary)
        for make in (
            lambda: token_texts(vocabulary),
            lambda: ConsoleVocabulary(vocabulary, logit_scale=1.0),
            lambda: ConsoleCore(
                types.SimpleNamespace(model=model), name="x", build_id=0, clock_hz=1000
            ),
        ):
            with pytest.raises(UserError) as error:
                make()
            assert str(error.value) == message

    def test_baud_rate_is_refused(self):
        with pytest.raises(UserError) as error:
            ConsoleSystem(None, name="x", build_id=0, clock_hz=12_000_000, baud=4_000_000)
        assert str(error.value) == (
            "a clock of 12000000 Hz cannot make 4000000 baud; the nearest rate is 3000000 baud"
        )
