"""gateformer: builds the accelerator of a trained model for a board. See --help."""

EXAMPLES = (
    ("zybo", "the shipped model, up to the bitstream"),
    ("ulx3s --variant 25F --program", "bitstream with a text console on the USB port, loaded"),
    ("zybo --model smol.safetensors", "an imported one; what is too large is read from DDR"),
    ("my_board.py", "your own board, docs/boards.md says how"),
    ("zybo --timeline", "one token's schedule as a picture"),
    ("zybo --export ip", "Verilog with AXI4-Lite ports, FuseSoC, Vivado script"),
    ("zybo --firmware", "the processor's text console, ELF and BIN"),
    ("sim --export ip", "the same without a vendor's primitives"),
    ('sim --prompt "ROMEO:" --tokens 200 --temperature 0.8 --top-k 20 --seed 1', ""),
    ("sim --model random:n_layers=3,d_model=96,n_heads=3,d_ff=320,ctx_len=48 --check", ""),
)
"""Arguments, and what they are for."""


def _examples(program: str) -> str:
    """As they are typed where the build was called ``program``."""
    width = max(len(arguments) for arguments, use in EXAMPLES if use)
    lines = [f"  {program} {arguments:{width}}  {use}".rstrip() for arguments, use in EXAMPLES]
    return "\n".join(["examples:", *lines])


def parser():
    """Command line of ``gateformer build``, an argparse.ArgumentParser."""
    import argparse

    from gateformer.gateware.plan.hw_config import MAX_SIZES, MOST_STREAMS
    from gateformer.gateware.plan.serial_line import DEFAULT_BAUD, MAX_BAUD, MIN_BAUD
    from gateformer.model.support.cli import ArgumentParser, number_or, within
    from gateformer.model.text.options import add_text_options

    from ..support.defaults import AUTO, DEFAULT_CYCLES, DEFAULT_MODEL, SIZES

    p = ArgumentParser(
        description="Turn a trained, quantized language model into an FPGA accelerator.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.epilog = _examples(p.prog)
    p.add_argument(
        "board",
        nargs="?",
        help="board to build for, or sim; --list shows them. my_board.py or my_board.py:CLASS: "
        "your own (docs/boards.md)",
    )
    p.add_argument("--list", action="store_true", help="list boards and shipped models")
    p.add_argument(
        "--fits", action="store_true", help="with --list: which model fits which board, and how"
    )
    p.add_argument(
        "--model",
        help=f"shipped name, artifact file or random:n_layers=…,seed=… (default: {DEFAULT_MODEL})",
    )
    sizes = p.add_argument_group("hardware sizes (chosen to fit the board by default)")
    for name, what in SIZES.items():
        sizes.add_argument(f"--{name}", type=within(int, 1, MAX_SIZES[name]), help=what)
    sizes.add_argument(
        "--packing", help="of trits in memory: 2bit (2 bits each) or 3in5 (3 in 5 bits)"
    )
    sizes.add_argument(
        "--reload",
        action="store_true",
        help="memories that another model of the same shape can be loaded into while it runs",
    )
    sizes.add_argument(
        "--streams",
        type=number_or(AUTO, within(int, 1, MOST_STREAMS)),
        metavar=f"N|{AUTO}",
        help=f"texts that a core generates side by side, 1 to {MOST_STREAMS}, or {AUTO}: with the "
        "cores that give the most tokens of all together (docs/streams.md; of a model in external "
        "memory docs/streamed_core.md; default: 1, of those 2 if they are predicted to fit)",
    )
    sizes.add_argument(
        "--cores",
        type=within(int, 1, MOST_STREAMS),
        metavar="N",
        help="cores side by side, each with the weights and so many streams, of all together at "
        f"most {MOST_STREAMS} (default: 1)",
    )
    sizes.add_argument(
        "--ports",
        type=within(int, 1),
        metavar="P",
        help="ports of the external memory that such a core uses (default: all of the board's)",
    )
    p.add_argument(
        "--clock",
        type=float,
        metavar="MHZ",
        help="core clock (default: the board's; the ULX3S 85F has another for several streams)",
    )
    hardware = p.add_argument_group("boards")
    hardware.add_argument("--variant", help="device of a board that comes with several")
    hardware.add_argument(
        "--toolchain", help="vivado, openxc7 or nextpnr (default: the one that is installed)"
    )
    baud = f"of a serial console (default: {DEFAULT_BAUD})"
    hardware.add_argument("--baud", type=within(int, MIN_BAUD, MAX_BAUD), help=baud)
    hardware.add_argument(
        "--program", action="store_true", help="load the bitstream into the board"
    )
    hardware.add_argument(
        "--no-synthesis",
        action="store_true",
        help="only text, Verilog and constraints, or the export: no netlist, no resources",
    )
    hardware.add_argument(
        "--export",
        choices=["ip"],
        help="instead of a build, write the core with AXI4-Lite ports for your own design",
    )
    hardware.add_argument(
        "--firmware",
        action="store_true",
        help="instead of a build, make the text console for a Zynq board's processor (ELF, BIN)",
    )
    p.add_argument(
        "--out",
        metavar="DIR",
        help="directory to build in (default: build/BOARD, with the name of another model and the "
        "sizes that are asked for)",
    )
    p.add_argument(
        "--timeline", action="store_true", help="only draw one token's schedule (SVG, in --out)"
    )
    p.add_argument(
        "--position",
        type=within(int, 0),
        help="context position of --timeline (default: the middle)",
    )
    text = p.add_argument_group("text out of the compiled simulation")
    add_text_options(text)
    sim = p.add_argument_group("sim only")
    sim.add_argument(
        "--check", action="store_true", help="compare every tap and token with the reference"
    )
    sim.add_argument("--waveform", metavar="FILE", help="write the signals (VCD)")
    sim.add_argument(
        "--cycles",
        metavar="FIRST:LAST",
        help=f"clock cycles of --waveform (default: {DEFAULT_CYCLES})",
    )
    return p


def main() -> None:
    arguments = parser().parse_args()
    # not above: it imports all of Amaranth, which --help and an error need not wait for
    from . import flow

    flow.build(arguments)
