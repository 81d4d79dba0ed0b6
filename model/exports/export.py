"""Models for other programs: ONNX, INT8 ONNX, QONNX, torch.export.

``gateformer export ARTIFACT|CHECKPOINT --to onnx|onnx-kv|onnx-int8|qonnx|torch --out FILE``
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.text import Text

from ..support import cli
from ..support.directories import require_writable
from ..support.errors import UserError
from ..support.inputs import protecting, reading
from ..support.optional import require
from ..support.progress import track
from ..support.terminal import Terminal

FLOAT_TARGETS = {
    "onnx": "float model, whole sequences",
    "onnx-kv": "float model, one token per call, static KV cache",
    "torch": "float model, whole sequences",
}
INTEGER_TARGETS = {
    "onnx-int8": "integer model, whole sequences, QDQ, exact",
    "qonnx": "integer model, whole context, QONNX quantizers, exact",
}
DECODER_TARGETS = {
    "onnx-int8": "decoder, whole sequences, integer weights by DequantizeLinear, float activations",
    "qonnx": "decoder, whole context, integer weights by QONNX quantizers, float activations",
}
"""The same of number contract version 2, whose activations the formats cannot carry."""
TARGETS = ("onnx", "onnx-kv", "onnx-int8", "qonnx", "torch")
"""What each export holds is written into its metadata."""

PACKAGES = {
    "onnx": ("torch", "onnx"),
    "onnx-kv": ("torch", "onnx"),
    "onnx-int8": ("onnx",),
    "qonnx": ("onnx",),
    "torch": ("torch",),
}
"""What writes a target; a decoder's integers take torch, too."""
CHECKERS = {
    "onnx": ("onnxruntime",),
    "onnx-kv": ("onnxruntime",),
    "onnx-int8": ("onnxruntime",),
    "qonnx": ("onnxruntime", "qonnx"),
    "torch": (),
}
"""What compares it with its source."""
BATCHED = ("onnx-kv", "qonnx")
"""Targets of a fixed batch; those of the others is dynamic."""


def _parser() -> argparse.ArgumentParser:
    parser = cli.ArgumentParser(
        prog="gateformer export",
        description="Write a model as a file for other programs and compare it with its source.",
    )
    add = parser.add_argument
    add(
        "model",
        help="shipped model, artifact of either contract, 'random:…', or what gateformer import "
        "takes: a directory of GPT-2 or Llama type, a .pt, .bin or .gguf file",
    )
    targets = {"onnx": "floats, whole sequences", "onnx-kv": "floats, token by token, KV cache"}
    targets |= {"onnx-int8": "integers, QDQ", "qonnx": "integers", "torch": "torch.export, .pt2"}
    what = ", ".join(f"{name} ({targets[name]})" for name in TARGETS)
    add("--to", required=True, metavar="TARGET", help=what)
    add("--out", required=True, metavar="FILE", type=Path, help="file to write")
    add(
        "--opset",
        type=cli.within(int, 1),
        help="version of the ONNX operators (default: 20, or 21 where 4-bit codes "
        "or groups of weights need it)",
    )
    batch = "sequences per call of onnx-kv and qonnx (default: 1)"
    add("--batch", type=cli.within(int, 1), help=batch)
    add("--no-check", action="store_true", help="do not compare the file with its source")
    return parser


@protecting
def main(argv: list[str] | None = None) -> None:
    """Entry point; raises UserError and ToolError."""
    args = _parser().parse_args(argv)
    reading(model=args.model)
    _check_arguments(args)
    needed = dict.fromkeys(PACKAGES[args.to], f"exporting to {args.to}")
    if not args.no_check:
        checking = f"comparing {args.to} with its source (not with --no-check)"
        needed |= dict.fromkeys(CHECKERS[args.to], checking)
    require(needed, "export")
    from .source import open_source

    source = open_source(args.model)
    if args.to in FLOAT_TARGETS:
        line = _export_float(source, args)
    else:
        line = _export_integer(source, args)
    print(f"{args.out}: {line or 'written, not compared'}")


def _check_arguments(args: argparse.Namespace) -> None:
    if args.to not in TARGETS:
        raise UserError(f"unknown target {args.to!r}; expected one of {', '.join(TARGETS)}")
    if args.batch is not None and args.to not in BATCHED:
        raise UserError(
            f"--batch is for {' and '.join(BATCHED)}; the batch of {args.to} is dynamic"
        )
    if args.opset is not None and args.to == "torch":
        raise UserError("--opset is for ONNX; torch has none")
    require_writable(args.out, ".pt2" if args.to == "torch" else ".onnx")


def _export_float(source, args: argparse.Namespace) -> str:
    if source.load_float is None:
        raise UserError(
            f"{source.name} has no float weights, which {args.to} needs; its targets are "
            f"{', '.join(INTEGER_TARGETS)}"
        )
    from .source import float_digest

    options = _onnx_options(args)
    model = source.load_float()
    options["metadata"] = {
        **source.facts,
        "description": FLOAT_TARGETS[args.to],
        "weights_sha256": float_digest(model),
    }
    options["check"] = not args.no_check
    if args.to == "onnx-kv":
        return _export_kv(model, args, options)
    with Terminal(stderr=True).status(Text(f"exporting {source.name} to {args.to}")):
        if args.to == "torch":
            from .torch_program import export_torch

            return export_torch(model, args.out, **options)
        from .onnx_float import export_full

        return export_full(model, args.out, **options)


def _export_kv(model, args: argparse.Namespace, options: dict) -> str:
    from .onnx_float import cache_bytes, export_static_kv

    batch = args.batch or 1
    _require_memory(args, "KV caches", cache_bytes(model, batch))

    def progress(positions):
        return track(positions, "positions", Terminal(stderr=True))

    return export_static_kv(model, args.out, batch=batch, progress=progress, **options)


def _export_integer(source, args: argparse.Namespace) -> str:
    if source.integer is None:
        raise UserError(
            f"{source.name} is no quantized model, which {args.to} needs; its targets are "
            f"{', '.join(FLOAT_TARGETS)}"
        )
    if source.integer.config.spec_version != 1:
        return _export_decoder(source, args)
    options = {
        **_onnx_options(args),
        "metadata": {
            **source.facts,
            "description": INTEGER_TARGETS[args.to],
            "logit_scale": repr(source.integer.logit_scale),
        },
        "check": not args.no_check,
    }
    with Terminal(stderr=True).status(Text(f"exporting {source.name} to {args.to}")):
        if args.to == "onnx-int8":
            from .onnx_int8 import export_int8

            return export_int8(source.integer, args.out, **options)
        from .qonnx import export_qonnx, score_bytes

        batch = args.batch or 1
        _require_memory(args, "attention scores", score_bytes(source.integer, batch))
        return export_qonnx(source.integer, args.out, batch=batch, **options)


def _export_decoder(source, args: argparse.Namespace) -> str:
    require({"torch": f"exporting {source.name} to {args.to}"}, "export")
    from ..floating.dequantized import dequantize
    from .onnx_decoder import export_qdq, export_qonnx_decoder
    from .qonnx import score_bytes

    options = {
        **_onnx_options(args),
        "metadata": {**source.facts, "description": DECODER_TARGETS[args.to]},
        "check": not args.no_check,
    }
    batch = args.batch or 1
    if args.to == "qonnx":
        _require_memory(args, "attention scores", score_bytes(source.integer, batch))
    with Terminal(stderr=True).status(Text(f"exporting {source.name} to {args.to}")):
        made = dequantize(source.integer)
        if args.to == "onnx-int8":
            line = export_qdq(made, args.out, **options)
        else:
            line = export_qonnx_decoder(made, args.out, batch=batch, **options)
    return f"{line or 'written, not compared'}; integer weights, float activations"


def _onnx_options(args: argparse.Namespace) -> dict:
    """The opset, checked, if one is given."""
    if args.opset is None:
        return {}
    from .onnx_graph import check_opset

    return {"opset": check_opset(args.opset)}


def _require_memory(args: argparse.Namespace, what: str, needed: int) -> None:
    """The check allocates ``needed`` bytes; without it any batch may be written."""
    from ..support.memory import require_memory

    if not args.no_check:
        require_memory(
            needed,
            f"batch {args.batch or 1}: comparing its {what}",
            "choose a smaller --batch, or --no-check",
        )


if __name__ == "__main__":
    cli.run(main)
