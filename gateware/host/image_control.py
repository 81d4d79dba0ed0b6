"""Registers of an image in external memory: where it is, and whether it was verified there."""

from __future__ import annotations

from amaranth.hdl import Module, Signal, Value

from ..parts.cycle_counter import CycleCounter


def connect_image(m: Module, host, registers, busy: Signal, start: Signal) -> Value:
    """Connect them with a :class:`.stream_interface.StreamInterface` that has an image.

    IMAGE_STATUS.verified is high while an image was verified at IMAGE_ADDRESS: another address, or
    a reset of the registers, which forgets it, makes it low. Another address is the core's only
    when all streams are idle, which is what ``busy`` says.

    Returns
    -------
    Value
        High in a cycle in which a verification is refused.
    """
    shape, status = host.identification.image.memory, registers.image_status
    address = registers.image_address.value
    asked = registers.control_write & registers.control.verify & ~registers.control.abort
    place, known, is_there = Signal.like(address, reset_less=True), Signal(), Signal()
    with m.If(host.verify):
        m.d.sync += [place.eq(address), known.eq(1)]
    with m.If(~busy):
        m.d.sync += host.base.eq(address[(shape.stripe_bytes - 1).bit_length() :])
    m.d.sync += is_there.eq(known & (place == address))
    m.submodules.stalls = stalls = CycleCounter()
    m.d.comb += [
        host.verify.eq(asked & ~busy & ~host.verifying),
        status.verifying.eq(host.verifying),
        host.image_verified.eq(host.verified & is_there),
        status.verified.eq(host.image_verified),
        status.mismatched.eq(host.mismatched),
        status.fault.eq(host.fault),
        stalls.clear.eq(start),
        stalls.enable.eq(host.stalled),
        stalls.low_read.eq(registers.stalls_low_read),
        registers.stalls_low.value.eq(stalls.low),
        registers.stalls_high.value.eq(stalls.high),
    ]
    return asked & (busy | host.verifying)
