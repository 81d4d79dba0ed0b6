"""What differs between the sampling of the two contract versions."""

from __future__ import annotations

import dataclasses

from gateformer.model.contract.arith import EXP2
from gateformer.model.contract.config import ModelConfig
from gateformer.model.contract.decoder import arith
from gateformer.model.contract.decoder.sampling import DecoderSettings
from gateformer.model.contract.sampling import SamplingSettings


@dataclasses.dataclass(frozen=True)
class SamplingScheme:
    """Widths of the settings and of keys, and the probability of a key.

    With ``i`` the low ``index_bits`` bits of a key and ``n`` those above (if any), its probability
    is ``round_shift(probabilities[i], n)``.

    Attributes
    ----------
    settings : type of settings, the port's fields; with ``top_p`` or without
    key_bits : int
        Larger keys count as the largest, ``2**key_bits - 1``.
    probabilities : tuple of int, as many as a power of two
    """

    settings: type[SamplingSettings]
    key_bits: int
    probabilities: tuple[int, ...]

    @property
    def mult_bits(self) -> int:
        return self.settings.MULT_BITS

    @property
    def shift_bits(self) -> int:
        return self.settings.MAX_SHIFT.bit_length()

    @property
    def index_bits(self) -> int:
        return (len(self.probabilities) - 1).bit_length()

    @property
    def probability_bits(self) -> int:
        return max(self.probabilities).bit_length()

    @property
    def has_top_p(self) -> bool:
        """Whether tokens may also be left out by top-p."""
        return any(field.name == "top_p" for field in dataclasses.fields(self.settings))

    def mass_bits(self, vocab_size: int) -> int:
        """Bits of the sum of a vocabulary's probabilities."""
        return (vocab_size * max(self.probabilities)).bit_length()


VERSION_1 = SamplingScheme(SamplingSettings, EXP2.INDEX_BITS, tuple(map(int, EXP2.table)))

VERSION_2 = SamplingScheme(
    DecoderSettings,
    # Contract 2 does not limit keys; those of the upper half have probability 0.
    (arith.EXP2_OCTAVES << arith.EXP2_FRAC_BITS).bit_length(),
    tuple(map(int, arith.exp2_mantissas())),
)


def scheme_of(config: ModelConfig) -> SamplingScheme:
    """That of the contract version of models with this shape."""
    return VERSION_1 if config.spec_version == 1 else VERSION_2
