"""README.md of an exported IP core."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from gateformer.gateware.host.any_core import AnyProgram
from gateformer.gateware.host.register import ADDRESS_WIDTH, Access, Register
from gateformer.gateware.host.register_documents import PREFIX
from gateformer.gateware.streamed.program import StreamedProgram
from gateformer.model.contract.artifact import Artifact
from gateformer.model.contract.decoder.model import DecoderModel
from gateformer.model.support.counted import counted

from ..boards.board import Board
from ..families.family import Resources
from ..host.image_file import HEADER_BYTES, IMAGE_FILE
from ..sizes.families import device_total
from .fusesoc import CORE_NAME, VLNV
from .lint import WAIVERS
from .masters import Master, memory_of
from .testbench_verilog import CELLS, TESTBENCH
from .verilog import BUS, CLOCK, GENERIC, RESET, STATUS, TOP, bus_ports

FILES = {
    f"{TOP}.v": f"Verilog, top module `{TOP}`",
    CORE_NAME: f"FuseSoC core `{VLNV}`",
    f"{TESTBENCH}.v": "self-checking testbench with the reference's tokens",
    CELLS: "models of the multiplier blocks, for simulation only",
    WAIVERS: "what Verilator need not say of generated Verilog, and why",
    "package_ip.tcl": "packages the Verilog as an IP of Vivado (not run with Vivado yet)",
    IMAGE_FILE: "the model's weights, for the memory and for the testbench",
    "constraints.xdc": "template: the clock; no false paths",
    f"{TOP}_regs.h": "C header of the registers",
    "registers.md": "the registers",
    "README.md": "this file",
}
"""Everything that an export may write, and what it is."""

_EXAMPLE_C = f"""\
```c
#include "{TOP}_regs.h"
#define REG(offset) (*(volatile uint32_t *)(base + (offset)))

for (int i = 0; i < prompt_length; i++)
    REG({PREFIX}_PROMPT) = prompt[i];
REG({PREFIX}_GENERATE_COUNT) = count;
REG({PREFIX}_CONTROL) = {PREFIX}_CONTROL_START_MASK;
uint32_t output;
do {{
    output = REG({PREFIX}_OUTPUT);
    if (output & {PREFIX}_OUTPUT_VALID_MASK)
        put(output & {PREFIX}_OUTPUT_TOKEN_MASK);
}} while (!(output & {PREFIX}_OUTPUT_LAST_MASK));
```

A start that the core refuses (an empty prompt, say) gives no tokens: read ERROR after it."""


_IMAGE_C = f"""\
```c
REG({PREFIX}_IMAGE_ADDRESS) = address;
REG({PREFIX}_CONTROL) = {PREFIX}_CONTROL_VERIFY_MASK;
uint32_t image;
do {{
    image = REG({PREFIX}_IMAGE_STATUS);
}} while (image & {PREFIX}_IMAGE_STATUS_VERIFYING_MASK);
if (!(image & {PREFIX}_IMAGE_STATUS_VERIFIED_MASK))
    damaged(image & {PREFIX}_IMAGE_STATUS_FAULT_MASK);
```"""


def readme(
    artifact: Artifact,
    program: AnyProgram,
    registers: Iterable[Register],
    *,
    files: Iterable[str],
    clock_mhz: Fraction,
    build_id: int,
    dsp: str,
    board: Board | None,
    resources: Resources | None,
    memory: Sequence[Master] = (),
) -> str:
    """Text of the README; ``files`` are the others beside it, ``memory`` the masters."""
    files = {*files, "README.md"}
    cfg = program.model.config
    sections = [
        f"# {TOP}: {artifact.name}",
        "Written by gateformer's `--export ip`. An accelerator of one language model "
        f"(layers: {cfg.n_layers}, d_model: {cfg.d_model}, heads: {cfg.n_heads}, context: "
        f"{cfg.ctx_len}, vocabulary: {cfg.vocab_size}) with {_sizes(program)}, behind AXI4-Lite"
        + (", which reads its weights from external memory by AXI masters." if memory else "."),
        _table(
            ("file", ""), [(f"`{name}`", what) for name, what in FILES.items() if name in files]
        ),
        "## Ports",
        f"`{CLOCK}` clocks everything. `{RESET}` is active low and synchronous; hold it low for "
        f"one cycle or more. `{BUS}_*` is an AXI4-Lite slave with {ADDRESS_WIDTH} address and 32 "
        f"data bits. " + " ".join(f"`{name}`: {what}." for name, what in STATUS.items()),
        f"The register CLOCK_KHZ reads {round(clock_mhz * 1000)} and BUILD_ID 0x{build_id:08X}, "
        f"whatever the clock is: export again with `--clock` for another frequency.",
        f"```verilog\n{_instantiation(memory)}```",
        *(_memory(program, memory) if memory else ()),
        "## Memory map",
        f"{2**ADDRESS_WIDTH} bytes; registers of 32 bits. More in `registers.md`.",
        _memory_map(registers),
        _EXAMPLE_C,
        "## Simulation",
        _simulation(files, dsp),
        "## Resources",
        _resources(board, resources, dsp),
    ]
    return "\n\n".join(sections) + "\n"


def _sizes(program: AnyProgram) -> str:
    hw = program.hw
    if isinstance(program.model, DecoderModel):
        return counted(program.layout.lanes, "lane")
    lanes = counted(program.layout.products, "lane")
    return f"{hw.rows} × {hw.cols} weights per cycle and {lanes}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = tuple(head)
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _instantiation(memory: Iterable[Master]) -> str:
    masters = [f"{master.bus}_{port.role}" for master in memory for port in master.ports]
    names = [CLOCK, RESET, *(name for name, *_ in bus_ports()), *masters, *STATUS]
    connections = ",\n".join(f"    .{name}({name.lower()})" for name in names)
    return f"{TOP} my_{TOP} (\n{connections}\n);\n"


def _memory(program: StreamedProgram, masters: Sequence[Master]) -> list[str]:
    """What the core's user must know of its memory."""
    facts, shape = program.facts, memory_of(program)
    parameters = masters[0].parameters
    stripe = f"{shape.ports} × {shape.data_bytes} × {shape.burst_beats}"
    return [
        "## External memory",
        f"`{masters[0].bus}_*` to `{masters[-1].bus}_*` are {parameters['PROTOCOL']} masters of "
        f"{parameters['DATA_WIDTH']} data and {parameters['ADDR_WIDTH']} address bits without IDs: "
        f"INCR reads of {shape.burst_beats} beats, at most "
        f"{parameters['NUM_READ_OUTSTANDING']} under way, and writes of one whole beat. All of "
        "them must reach the same memory at the same addresses; the fastest way is a port of the "
        f"memory for each. `{RESET}` resets them, too, so it must reset what they are connected "
        "to in the same way. Where it does not (the memory ports of a Zynq's processor), write "
        "abort to CONTROL some microseconds before: what is under way on the bus then ends.",
        f"`{IMAGE_FILE}` is a header of {HEADER_BYTES:,} bytes and the image of "
        f"{facts.image_bytes:,} bytes, which goes to contiguous memory at a multiple of "
        f"{shape.stripe_bytes:,} bytes ({stripe}) below 4 GiB. Keys and values come behind it: "
        f"{facts.memory_bytes:,} bytes in all. What was written must be in the memory, not in a "
        "cache, before the core reads it. Then the core compares it with its checksum, and "
        "refuses start until this was done at that address:",
        _IMAGE_C,
    ]


def _memory_map(registers: Iterable[Register]) -> str:
    """All but the constants have a row of their own."""
    rows, constants = [], []
    for entry in registers:
        if entry.access is Access.RO and not rows:
            constants.append(entry)
        else:
            rows.append((f"0x{entry.offset:03X}", entry.name, entry.access.value))
    first, last = constants[0].offset, constants[-1].offset
    names = f"{constants[0].name} to {constants[-1].name}: what this core is"
    return _table(
        ("offset", "register", "access"),
        [(f"0x{first:03X} to 0x{last:03X}", names, Access.RO.value), *rows],
    )


def _simulation(files: set[str], dsp: str) -> str:
    testbench = (
        f"`{TESTBENCH}.v` resets the core, reads what it is, has it generate greedily, resets it "
        "during a run, has it sample, and compares every word that it reads with the reference's. "
        f"{_memory_model(files)}"
        'It ends with "PASS" and status 0, or with "FAIL" and another status.'
    )
    if dsp != GENERIC and CELLS not in files:
        return (
            f"{testbench} There is no model of this family's multipliers here: add those of the "
            "vendor's simulation library."
        )
    names = " ".join([f"{TESTBENCH}.v", f"{TOP}.v", *([CELLS] if CELLS in files else [])])
    return (
        f"{testbench}\n\n```sh\niverilog -g2012 -s {TESTBENCH} -o tb {names} && vvp -n tb\n"
        f"verilator --binary --timing -Wno-fatal -Wno-lint --top-module {TESTBENCH} {names} "
        f"&& obj_dir/V{TESTBENCH}\n```\n\n"
        f"FuseSoC's targets `sim` and `sim_verilator` do the same: `fusesoc --cores-root . run "
        f"--target sim {VLNV}`."
    )


def _memory_model(files: set[str]) -> str:
    if IMAGE_FILE not in files:
        return ""
    return (
        f"A memory with latencies and pauses holds `{IMAGE_FILE}`, which is read against its "
        "checksum first, and watches the masters; one run is ended by abort. "
    )


def _resources(board: Board | None, resources: Resources | None, dsp: str) -> str:
    if dsp == GENERIC:
        multipliers = "The Verilog uses no vendor's primitives."
    else:
        multipliers = f"The multipliers are {board.family.dsp_unit} instances."
    if resources is None:
        return f"{multipliers} It was not synthesized."
    rows = [
        (board.family.unit(name), f"{used:,g}", f"{device_total(board.budget, name):,g}")
        for name, used in resources.as_dict().items()
    ]
    return (
        f"{multipliers} Synthesized by yosys (`{board.family.synthesis}`), not placed and routed:"
        f"\n\n{_table(('', 'used', f'of {board.device}'), rows)}"
    )
