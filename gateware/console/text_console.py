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
from .vocabulary import ConsoleVocabulary


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
        self._silence = silence
        config = identification.config
        vocab_size, raw = config.vocab_size, {}
        core = core_signature(vocab_size)
        if load is not None:
            core = core_signature(vocab_size, True, further_sections(vocab_size))
            raw = {"raw": Out(1), "raw_bytes": In(stream.Signature(DATA_BITS))}
        editor = LineEditor(config)
        super().__init__(
            ConsoleTexts(name, identification, load),
            core,
            editor=editor,
            vocabulary=ConsoleVocabulary(
                vocabulary, logit_scale=logit_scale, loadable=load is not None
            ),
            generation=Generation(
                config, value_bits=len(editor.value), streams=identification.streams
            ),
            raw=raw,
        )

    def add_load(self, m: Module, memory: Memory, entry, label: int | None) -> LoadControl | None:
        if self._texts.load is None:
            return None
        self._connect_label(m, memory, entry, label)
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

    def _connect_label(self, m: Module, memory: Memory, entry, label: int):
        write, written = memory.write_port(), getattr(self, f"write_{LABEL}")
        m.d.comb += [
            write.en.eq(written.valid),
            write.addr.eq(label | written.address),
            write.data.byte.eq(written.data),
            getattr(self, f"word_{LABEL}").eq(entry.byte),
        ]
