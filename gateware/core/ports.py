"""What a core has in common with those who use it: its ports."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..compiler.reload_image import DIGEST_WORDS, UNIT, Section
from ..engines.sampler.sampler import sampling_layout
from ..engines.sampler.scheme import VERSION_1, SamplingScheme
from .loader import LOAD_STATUS, section_ports
from .token_loop import COUNT_BITS, token_stream


def stream_port(name: str, stream: int) -> str:
    """Name of a stream's port: the first one's is that of a core with one stream."""
    return f"{name}{stream}" if stream else name


def settings_signature(vocab_size: int, scheme: SamplingScheme = VERSION_1) -> wiring.Signature:
    """What must stay constant while the core is busy: ``scheme``'s settings and ``count``.

    ``temperature_mult`` (0: greedy), ``temperature_shift``, ``top_k`` (0: off) and ``seed`` as in
    :class:`model.contract.sampling.SamplingSettings`; ``count``: tokens to generate (0: until the
    context is full).
    """
    return wiring.Signature(
        {
            **{name: Out(field.shape) for name, field in sampling_layout(vocab_size, scheme)},
            "count": Out(COUNT_BITS),
        }
    )


LOAD_PORTS = {
    "load_begin": In(1),
    "load_words": In(stream.Signature(UNIT)),
    "load_status": Out(LOAD_STATUS),
    "digest_address": In(range(DIGEST_WORDS)),
    "digest_word": Out(UNIT),
}
"""``load_begin`` (a pulse, ignored while busy and with ``start``) and ``load_words`` as ``begin``
and ``words`` of :class:`gateware.core.loader.Loader`; ``digest_word`` is that word of the loaded
model's digest, in the same cycle."""


def further_ports(further: Sequence[Section]) -> dict:
    """Ports for memories beside the core that are loaded with it: as those of :class:`.Loader`."""
    ports = {"load_checking": Out(1)} if further else {}
    for section in further:
        ports |= section_ports(section)
    return ports


def core_signature(
    vocab_size: int,
    reload: bool = False,
    further: Sequence[Section] = (),
    scheme: SamplingScheme = VERSION_1,
) -> wiring.Signature:
    """Ports of :class:`gateware.core.core.Core` that its user drives and reads; the flipped ones
    are the user's.

    ``prompt`` (In), ``output`` (Out)
        Token streams.
    ``settings``
        In(:func:`settings_signature`).
    ``start`` : In(1), ignored while busy
        Begins a new sequence: position 0, sampler seeded, then the prompt is taken.
    ``abort`` : In(1)
        Back to idle: the core is in reset in the next cycle, and takes a ``start`` in the one
        after it. The memories keep their contents.
    ``busy``, ``context_full`` : Out(1)
        See :class:`gateware.core.token_loop.TokenLoop`.

    With ``reload`` also those of :data:`LOAD_PORTS`; ``start`` is ignored then while
    ``load_status`` is not ``loaded`` or is ``loading``, and ``abort`` refuses what is loading.
    ``further``: sections of memories that are not the core's (:func:`further_ports`).
    """
    return wiring.Signature(
        {
            "prompt": In(token_stream(vocab_size)),
            "output": Out(token_stream(vocab_size)),
            "settings": In(settings_signature(vocab_size, scheme)),
            "start": In(1),
            "abort": In(1),
            "busy": Out(1),
            "context_full": Out(1),
            **(LOAD_PORTS if reload else {}),
            **further_ports(further),
        }
    )
