"""The command ``gateformer``: one subcommand for everything there is to do.

A command's module is imported when it is asked for: ``gateformer --help`` needs neither torch nor
Amaranth.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import sys
from typing import NoReturn

from gateformer.model.support.cli import run
from gateformer.model.support.errors import UserError

PROGRAM = "gateformer"
SUMMARY = "Turn a trained, quantized language model into an FPGA accelerator."


@dataclasses.dataclass(frozen=True)
class Command:
    """A subcommand: its module below ``gateformer``, whose ``main()`` it calls, and what it does.

    ``together``: several processes of torchrun may do it.
    """

    module: str
    does: str
    together: bool = False


GROUPS = {
    "models": {
        "train": Command("model.training.train", "train a model on a text", together=True),
        "evaluate": Command("model.evaluation.evaluate", "loss of a model on a text"),
        "import": Command(
            "platforms.sizes.decoder.boards", "turn a model that you have into an artifact"
        ),
        "generate": Command("model.evaluation.generate", "text from a model, on this machine"),
        "train-float": Command(
            "model.compression.train_float", "train a float model, to compress it", together=True
        ),
        "compress": Command(
            "model.compression.compress", "prune or quantize a float model, measured"
        ),
        "compression-report": Command(
            "platforms.building.compression_report", "tables and pictures of compressed models"
        ),
        "export": Command(
            "model.exports.export", "a model as ONNX, INT8 ONNX, QONNX, torch.export"
        ),
        "bench": Command("model.bench.bench", "speed of one model, platform beside platform"),
        "bench-decoder": Command(
            "model.bench.decoder", "speed of an imported model, beside llama.cpp"
        ),
        "bench-models": Command("model.bench.models", "loss over speed of several models"),
        "quantization-gap": Command(
            "model.studies.quantization_gap", "what each choice of quantized training is worth"
        ),
    },
    "hardware": {
        "build": Command("platforms.building.command", "build for a board, or simulate"),
        "fit": Command("platforms.sizes.fit", "search hardware sizes for a model and a board"),
        "cycles": Command("platforms.sizes.cycles", "exact cycles of every position, as JSON"),
        "board-table": Command("platforms.building.board_table", "table of what was built"),
        "path-depth": Command("platforms.synthesis.paths.depth", "deepest paths of a netlist"),
        "board-paths": Command(
            "platforms.building.board_paths", "deepest paths of what is synthesized for a board"
        ),
        "openxc7-rules": Command(
            "platforms.place_and_route.openxc7_rules", "what nextpnr-xilinx can't do of a netlist"
        ),
        "check-netlist": Command(
            "platforms.synthesis.check_netlist", "compare a synthesized netlist with the reference"
        ),
        "simulation-bench": Command(
            "platforms.simulation.benchmark", "speed of the compiled simulation"
        ),
        "registers": Command("gateware.host.registers", "registers as a document or C header"),
    },
    "boards": {
        "console": Command("platforms.console.console", "talk to a board, or its simulation"),
        "load-image": Command(
            "platforms.console.load_image", "write the image of a model for a console's /load"
        ),
        "accelerator": Command(
            "platforms.host.generate", "text from the accelerator of this board, under Linux"
        ),
        "firmware-bench": Command(
            "platforms.console.firmware_bench", "what firmware and bus cost beside the core"
        ),
    },
}
"""Every command, by what it is about."""
COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}


def run_command(name: str, arguments: list[str], program: str | None = None) -> NoReturn:
    """Run a subcommand as ``program`` (default: ``gateformer NAME``) and exit with its status."""
    command = COMMANDS[name]
    sys.argv = [program or f"{PROGRAM} {name}", *arguments]

    def main() -> int | None:
        return importlib.import_module(f"{PROGRAM}.{command.module}").main()

    run(main, together=command.together)


def main() -> NoReturn:
    """The console script ``gateformer``."""
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in COMMANDS:
        run_command(name, arguments)
    run(lambda: _without_command(name))


def _without_command(name: str) -> None:
    if name in ("-h", "--help", "help"):
        print(usage())
    elif name == "--version":
        from importlib.metadata import version

        print(f"{PROGRAM} {version(PROGRAM)}")
    else:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean {near[0]}?" if near else f"{PROGRAM} --help lists them"
        raise UserError(f"{PROGRAM} has no command {name!r}; {hint}")


def usage() -> str:
    """What ``gateformer --help`` prints."""
    width = max(map(len, COMMANDS))
    lines = [f"usage: {PROGRAM} COMMAND …", "", SUMMARY]
    for title, group in GROUPS.items():
        lines += ["", f"{title}:"]
        lines += [f"  {name:{width}}  {command.does}" for name, command in group.items()]
    lines += ["", "An artifact is a quantized model as a .safetensors file; those that come with"]
    lines += [f"{PROGRAM} have names: {PROGRAM} build --list."]
    lines += ["", f"{PROGRAM} COMMAND --help describes a command's options."]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
