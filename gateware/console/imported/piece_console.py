"""The console of an imported model."""

from __future__ import annotations

from amaranth.hdl import Value

from ...core.ports import core_signature
from ...engines.sampler.scheme import VERSION_2
from ...host.identification import Identification
from ..console_frame import ConsoleFrame
from .generation import PieceGeneration
from .line import PieceLineEditor
from .pieces import Pieces
from .texts import ImportedTexts
from .vocabulary import PieceVocabulary


class PieceConsole(ConsoleFrame):
    """As :class:`ConsoleFrame`, for tokens that are pieces of text.

    Parameters
    ----------
    name : str
        The model's name.
    identification : Identification
    pieces : Pieces
    """

    def __init__(self, *, name: str, identification: Identification, pieces: Pieces):
        self._pieces = pieces
        super().__init__(
            ImportedTexts(name, identification, opening=len(pieces.opening)),
            core_signature(identification.config.vocab_size, scheme=VERSION_2),
            {},
        )

    def build_editor(self) -> PieceLineEditor:
        return PieceLineEditor(self._config, self._pieces)

    def build_vocabulary(self) -> PieceVocabulary:
        return PieceVocabulary(self._pieces)

    def build_generation(self, value_bits: int) -> PieceGeneration:
        return PieceGeneration(self._config, value_bits=value_bits, stop=self._pieces.stop)

    def search_connections(self) -> list:
        editor, vocabulary = self._editor, self._vocabulary
        return [
            vocabulary.search.eq(editor.search),
            vocabulary.character.eq(editor.character),
            editor.searching.eq(vocabulary.busy),
            editor.found.eq(vocabulary.found),
            editor.token.eq(vocabulary.address),
            editor.opened.eq(self._generation.rewind),
        ]

    def text_connections(self) -> list:
        generation, vocabulary = self._generation, self._vocabulary
        return [
            vocabulary.begin.eq(generation.begin),
            vocabulary.advance.eq(generation.advance),
            generation.empty.eq(vocabulary.empty),
            generation.byte.eq(vocabulary.byte),
            vocabulary.top_p_hundredths.eq(self._settings.top_p),
            self.settings.top_p.eq(vocabulary.top_p),
        ]

    @property
    def prompt_length(self) -> Value:
        return self._editor.total
