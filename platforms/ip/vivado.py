"""Vivado's side of the IP core: packaging script and constraints.

Sources: UG1118, "Vivado: Creating and Packaging Custom IP"; UG835, "Vivado Tcl Command Reference
Guide" (``ipx``); UG903, "Vivado: Using Constraints".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction

from gateformer.gateware.host.register import ADDRESS_WIDTH, WORD_BYTES, Register
from gateformer.gateware.memory.bus import ADDRESS_BITS

from .fusesoc import LIBRARY, VENDOR, VERSION
from .masters import Master
from .verilog import BUS, CLOCK, RESET, TOP

_BLOCK = "registers"
_SPECIAL = re.compile(r'([\\"$\[\]{};])')

_HEAD = f"""\
# Packages {TOP}.v as an IP of Vivado, into the directory "packaged" beside this script:
#   vivado -mode batch -source package_ip.tcl
# Then add that directory to the IP repositories of a project (set_property ip_repo_paths).
#
# This script was not run with Vivado where it was written: it follows UG1118 and UG835. If a
# command fails, please report it; Tools > Create and Package New IP does the same by hand.
"""
_PACKAGE = f"""\
set here [file dirname [file normalize [info script]]]
create_project -force {{part}}{TOP}_packaging [file join $here packaging]
add_files -norecurse [file join $here {TOP}.v]
set_property top {TOP} [current_fileset]
update_compile_order -fileset sources_1
ipx::package_project -root_dir [file join $here packaged] -vendor {VENDOR} -library {LIBRARY} \\
    -taxonomy /UserIP -import_files -force

set core [ipx::current_core]
set_property name {TOP} $core
set_property version {VERSION} $core
set_property display_name {TOP} $core
set_property description "{{description}}" $core

# The attributes in {TOP}.v name the interfaces {BUS}, {CLOCK} and {RESET}.
ipx::associate_bus_interfaces -busif {BUS} -clock {CLOCK} $core

# Memory map: one block of registers. What Vivado guessed is replaced.
foreach map [ipx::get_memory_maps -of_objects $core] {{{{
    ipx::remove_memory_map [get_property name $map] $core
}}}}
set map [ipx::add_memory_map {BUS} $core]
set_property slave_memory_map_ref {BUS} [ipx::get_bus_interfaces {BUS} -of_objects $core]
set block [ipx::add_address_block {_BLOCK} $map]
set_property usage register $block
set_property base_address 0 $block
set_property range {2**ADDRESS_WIDTH} $block
set_property width {8 * WORD_BYTES} $block
"""
_REGISTER = f"""\
set register [ipx::add_register {{name}} $block]
set_property address_offset 0x{{offset:03X}} $register
set_property size {8 * WORD_BYTES} $register
set_property description "{{description}}" $register
"""
_MASTERS = """\
# Masters into external memory, each with an address space of its own, whatever Vivado guessed.
foreach space [ipx::get_address_spaces -of_objects $core] {
    ipx::remove_address_space [get_property name $space] $core
}
"""
_MASTER = f"""\
ipx::associate_bus_interfaces -busif {{bus}} -clock {CLOCK} $core
set space [ipx::add_address_space {{bus}} $core]
set_property range {2**ADDRESS_BITS} $space
set_property width {ADDRESS_BITS} $space
set_property master_address_space_ref {{bus}} [ipx::get_bus_interfaces {{bus}} -of_objects $core]
"""
_TAIL = """
ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
"""

_CONSTRAINTS = f"""\
# Template: constraints of {TOP} in a design of yours.
#
# In a block design leave all of this out: {CLOCK} comes from a clock that is constrained there.
# Without one (out-of-context synthesis, or the clock straight from a pin), its period:
#create_clock -name {CLOCK} -period {{period:.3f}} [get_ports {CLOCK}]
#
# False paths, multicycle paths: none. The core has one clock, {CLOCK}; {RESET} is sampled
# by it and must be released with it, as AXI says. The outputs busy and context_full belong to the
# same clock, and busy may glitch after its edge: register it there before another clock samples it.
"""


def package_script(
    description: str,
    part: str | None,
    registers: Iterable[Register],
    memory: Sequence[Master] = (),
) -> str:
    """Tcl that packages the IP; ``part`` is what the packaging project is made for, ``memory`` the
    masters into external memory."""
    option = "" if part is None else f"-part {part} "
    parts = [_HEAD, _PACKAGE.format(part=option, description=tcl_escaped(description))]
    parts += [
        _REGISTER.format(
            name=register.name,
            offset=register.offset,
            description=tcl_escaped(register.description),
        )
        for register in registers
    ]
    if memory:
        parts += [_MASTERS, *(_MASTER.format(bus=master.bus) for master in memory)]
    return "\n".join(parts) + _TAIL


def constraints(clock_mhz: Fraction) -> str:
    """Text of ``constraints.xdc``."""
    return _CONSTRAINTS.format(period=float(1000 / clock_mhz))


def tcl_escaped(text: str) -> str:
    """``text`` for Tcl's double quotes."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
