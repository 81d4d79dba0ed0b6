"""The console between two byte streams and a core: lines in, answers out (docs/console.md)."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from ..core.ports import core_signature
from ..host.identification import Identification
from ..parts.uart import DATA_BITS
from .console_frame import ConsoleFrame
from .generation import Generation
from .image import LABEL, further_sections
from .line import LineEditor
from .load import ImageReceiver
from .load_control import LoadControl
from .load_messages import LoadTexts
from .texts import ConsoleTexts
from .vocabulary import ConsoleVocabulary, token_texts


class TextConsole(ConsoleFrame):
    """The console of a model that was trained here: a token is one character.

    Parameters
    ----------
    name : str
        The model's name.
    identification : Identification
    vocabulary : sequence of str
    logit_scale : float
        The model's; the multipliers of the temperatures come from it.
    load : LoadTexts, optional
        With ``/load``; the core has the sections of :func:`gateware.console.image.console_sections`
        behind its own.
    silence : int
        Cycles without a byte after which no more of an image comes.

    Members
    -------
    As :class:`ConsoleFrame`, with the core's of :func:`gateware.core.ports.core_signature`, and
    raw : Out(1), raw_bytes : In(stream of 8 bits), always ready
        With ``load``: what arrives while ``raw`` belongs to ``raw_bytes``, not into a queue.

    Raises
    ------
    UserError
        If a token's text is not one character, or the same as another's.
    """

    def __init__(
        self,
        *,
        name: str,
        identification: Identification,
        vocabulary: Sequence[str],
        logit_scale: float,
        load: LoadTexts | None = None,
        silence: int = 1,
    ):
        token_texts(vocabulary)  # refuses what has no place in it
        self._token_texts, self._logit_scale = tuple(vocabulary), logit_scale
        self._silence = silence
        vocab_size, raw = identification.config.vocab_size, {}
        core = core_signature(vocab_size)
        if load is not None:
            core = core_signature(vocab_size, True, further_sections(vocab_size))
            raw = {"raw": Out(1), "raw_bytes": In(stream.Signature(DATA_BITS))}
        super().__init__(ConsoleTexts(name, identification, load), core, raw)

    def build_editor(self) -> LineEditor:
        return LineEditor(self._config)

    def build_vocabulary(self) -> ConsoleVocabulary:
        return ConsoleVocabulary(
            self._token_texts,
            logit_scale=self._logit_scale,
            loadable=self._texts.load is not None,
        )

    def build_generation(self, value_bits: int) -> Generation:
        return Generation(self._config, value_bits=value_bits)

    def search_connections(self) -> list:
        editor, vocabulary = self._editor, self._vocabulary
        return [
            vocabulary.search.eq(editor.search),
            vocabulary.character.eq(editor.character),
            editor.searching.eq(vocabulary.busy),
            editor.found.eq(vocabulary.found),
            editor.token.eq(vocabulary.address),
        ]

    def text_connections(self) -> list:
        return [self._generation.text.eq(self._vocabulary.text)]

    def connect_load(self, m: Module) -> LoadControl:
        m.submodules.receiver = receiver = ImageReceiver(silence=self._silence)
        wiring.connect(m, wiring.flipped(self.raw_bytes), receiver.bytes)
        wiring.connect(m, receiver.words, wiring.flipped(self.load_words))
        load = LoadControl(
            editor=self._editor,
            reader=self._reader,
            receiver=receiver,
            status=self.load_status,
            checking=self.load_checking,
        )
        load.connect(m, self, vocabulary=self._vocabulary, printer=self._printer)
        return load

    def connect_label(self, m: Module, memory: Memory, entry, label: int) -> None:
        write, written = memory.write_port(), getattr(self, f"write_{LABEL}")
        m.d.comb += [
            write.en.eq(written.valid),
            write.addr.eq(label | written.address),
            write.data.byte.eq(written.data),
            getattr(self, f"word_{LABEL}").eq(entry.byte),
        ]
