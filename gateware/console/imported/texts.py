"""The fixed texts of the console of an imported model."""

from __future__ import annotations

import dataclasses

from ...host.identification import Identification
from ..load_messages import LoadTexts
from ..texts import ConsoleTexts


@dataclasses.dataclass(frozen=True)
class ImportedTexts(ConsoleTexts):
    """As :class:`ConsoleTexts`.

    Parameters
    ----------
    opening : int
        Tokens that come before every prompt.
    """

    opening: int = 0

    def info(self) -> list[str]:
        cfg = self.config
        norm = f"{cfg.norm} with bias" if cfg.norm_bias else cfg.norm
        activation = f"gated {cfg.activation}" if cfg.gated else cfg.activation
        return [
            *self._model_lines(),
            f"# norm {norm}, positions {cfg.positions}, activation {activation}, "
            f"n_kv_heads {cfg.n_kv_heads}, head_dim {cfg.head_dim}",
            f"# lanes {self.identification.hw.lanes}, opening {self.opening}, {self._clock}",
        ]

    def _escapes(self) -> str:
        return f"n, \\, / or a token's number below {self.config.vocab_size} and ;"

    def _room(self) -> str:
        before = f" less the {self.opening} before every prompt" if self.opening else ""
        return f"{super()._room()}{before}"


def console_texts(
    name: str,
    identification: Identification,
    load: LoadTexts | None = None,
    opening: int = 0,
) -> ConsoleTexts:
    """The texts of a model of either version; ``opening`` as :class:`ImportedTexts`."""
    if identification.config.spec_version == 1:
        return ConsoleTexts(name, identification, load)
    return ImportedTexts(name, identification, load, opening)
