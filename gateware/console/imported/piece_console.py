"""The console of an imported model."""

from __future__ import annotations

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
        config = identification.config
        editor = PieceLineEditor(config, pieces)
        super().__init__(
            ImportedTexts(name, identification, opening=len(pieces.opening)),
            core_signature(config.vocab_size, scheme=VERSION_2),
            editor=editor,
            vocabulary=PieceVocabulary(pieces),
            generation=PieceGeneration(config, value_bits=len(editor.value), stop=pieces.stop),
        )

    def further_connections(self) -> list:
        vocabulary = self._vocabulary
        return [
            self._editor.opened.eq(self._generation.rewind),
            vocabulary.top_p_hundredths.eq(self._settings.top_p),
            self.settings.top_p.eq(vocabulary.top_p),
        ]
