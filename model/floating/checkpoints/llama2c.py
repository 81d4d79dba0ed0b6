"""llama2.c files: what its export.py writes as versions 0 (legacy), 1 and 2, and run.c reads
(github.com/karpathy/llama2.c)."""

from __future__ import annotations

import dataclasses
import math
import struct
from functools import partial
from pathlib import Path

import numpy as np

from ...support.errors import UserError
from ...support.file_facts import Facts
from ..decoder_shape import MAX_SIZE, DecoderShape
from .native_blocks import NativeBlocks
from .rotary import inverse_frequencies, rounded
from .source import LLAMA_TYPE, SourceModel
from .stored import Binder, StoredTensor, interleaved_to_halves

KIND = "llama2.c file"
MAGIC = 0x616B3432
SIZES = ("d_model", "d_ff", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "ctx_len")
"""Of every header, int32 each and in this order."""
_SIZES, _VERSION = struct.Struct("<7i"), struct.Struct("<Ii")
_HEAD_FLAG, _GROUP = struct.Struct("<B"), struct.Struct("<i")
HEADER_BYTES = 256
"""Of versions 1 and 2, zeros at its end; the legacy header is the sizes alone."""
NORM_EPS, ROPE_BASE = 1e-5, 10_000.0
GROUPS = (16, 32)
"""Groups that NativeBlocks has; larger multiples of 32 become several, smaller ones floats."""
NORMS = ("attn_norm", "ffn_norm")
QUERIES, GATED = ("q_proj", "k_proj", "v_proj", "o_proj"), ("gate_proj", "down_proj", "up_proj")


@dataclasses.dataclass(frozen=True)
class Header:
    """What a file tells before its tensors: version 0, 1 or 2, sizes by our names, whether the
    head is the embedding, weights that share a scale (version 2) and where the tensors begin."""

    version: int
    sizes: dict[str, int]
    tied_head: bool
    group: int
    start: int


def is_header(path: Path) -> bool:
    """Whether a file begins as llama2.c's do: with its magic number, or with plausible sizes."""
    with path.open("rb") as file:
        head = file.read(_SIZES.size)
    if len(head) < _SIZES.size:
        return False
    if int.from_bytes(head[:4], "little") == MAGIC:
        return True
    sizes = dict(zip(SIZES, _SIZES.unpack(head), strict=True))
    sizes["vocab_size"] = abs(sizes["vocab_size"])
    return all(1 <= size <= MAX_SIZE for size in sizes.values())


def open_file(path: Path) -> SourceModel:
    """The model of a file.

    Raises UserError naming what of the header is wrong, or both lengths if the file's is another.
    """
    header = _header(path)
    facts = Facts(path, header.sizes, "the header's ")
    sizes = {name: facts.integer(name, 1, MAX_SIZE) for name in SIZES}
    if sizes["d_model"] % sizes["n_heads"] or sizes["d_model"] // sizes["n_heads"] % 2:
        raise UserError(
            f"{path}: the header's {sizes['n_heads']} heads must divide dim {sizes['d_model']} "
            "into even parts; get the file from its source again"
        )
    head_dim = sizes["d_model"] // sizes["n_heads"]
    try:
        shape = DecoderShape(
            **sizes,
            head_dim=head_dim,
            norm="rms",
            norm_eps=NORM_EPS,
            norm_bias=False,
            positions="rotary",
            activation="silu",
            gated=True,
            bias=frozenset(),
            tied_head=header.tied_head,
            inverse_frequencies=rounded(inverse_frequencies(ROPE_BASE, head_dim)),
        )
    except UserError as error:
        raise UserError(f"{path}: the header's {error}") from None
    stored = _stored(path, header, shape)
    binder = Binder(path, LLAMA_TYPE, shape, stored)
    for name in shape.tensor_shapes():
        rows = _halves(name, shape)
        binder.bind(name, name, rows=None if rows is None else {name: rows})
    return SourceModel(path.stem, KIND, LLAMA_TYPE, shape, binder.tensors())


def _halves(name: str, shape: DecoderShape) -> np.ndarray | None:
    heads = {"q_proj": shape.n_heads, "k_proj": shape.n_kv_heads}.get(name.rpartition(".")[2])
    return None if heads is None else interleaved_to_halves(heads, shape.head_dim)


def _header(path: Path) -> Header:
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES).ljust(HEADER_BYTES, b"\0")
    magic, version = _VERSION.unpack_from(head)
    if magic != MAGIC:
        sizes = dict(zip(SIZES, _SIZES.unpack_from(head), strict=True))
        tied = sizes["vocab_size"] > 0
        return Header(0, sizes | {"vocab_size": abs(sizes["vocab_size"])}, tied, 0, _SIZES.size)
    if version not in (1, 2):
        raise UserError(
            f"{path}: llama2.c version {version} is not supported; expected 0, 1 or 2: export it "
            "as one of them"
        )
    place = _VERSION.size
    sizes = dict(zip(SIZES, _SIZES.unpack_from(head, place), strict=True))
    (tied,) = _HEAD_FLAG.unpack_from(head, place + _SIZES.size)
    if tied not in (0, 1):
        raise UserError(f"{path}: the header's shared_classifier must be 0 or 1, not {tied}")
    group = 0
    if version == 2:
        (group,) = _GROUP.unpack_from(head, place + _SIZES.size + _HEAD_FLAG.size)
        for name in ("d_model", "d_ff"):
            if group < 1 or sizes[name] % group:
                raise UserError(
                    f"{path}: the header's group_size must divide {name} {sizes[name]}, not {group}"
                )
    return Header(version, sizes, bool(tied), group, HEADER_BYTES)


def _stored(path: Path, header: Header, shape: DecoderShape) -> dict[str, StoredTensor]:
    """The tensors by our names, each at its place in the file."""
    shapes, place, stored = shape.tensor_shapes(), header.start, {}
    for name in _order(header, shape):
        if name not in shapes:  # tables of cosines and sines, which run.c leaves out, too
            place += shape.ctx_len * shape.head_dim * 4
            continue
        size, dims = math.prod(shapes[name]), shapes[name]
        quantized = header.version == 2 and len(dims) == 2
        load = partial(_quantized, group=header.group) if quantized else _floats
        stored[name] = StoredTensor(path, name, dims, partial(load, path, place, dims))
        place += size + size // header.group * 4 if quantized else size * 4
    actual = path.stat().st_size
    if actual != place:
        state = "it is truncated" if actual < place else "it has more than its header tells"
        raise UserError(
            f"{path} has {actual} bytes, not {place}: {state}; get the file from its source again"
        )
    return stored


def _order(header: Header, shape: DecoderShape) -> list[str]:
    """Names of the tensors as they follow each other; "tables" is none of ours."""

    def of_all_layers(*kinds: str) -> list[str]:
        return [f"layers.{i}.{kind}" for kind in kinds for i in range(shape.n_layers)]

    head = [] if header.tied_head else ["lm_head"]
    if header.version:
        names = [*of_all_layers(*NORMS), "final_norm", "token_embedding"]
        return [*names, *of_all_layers(*QUERIES, *GATED), *head]
    names = ["token_embedding", *of_all_layers("attn_norm", *QUERIES, "ffn_norm", *GATED)]
    return [*names, "final_norm", "tables", *head]


def _floats(path: Path, place: int, dims: tuple[int, ...]) -> np.ndarray:
    return np.memmap(path, "<f4", "r", place, dims)


def _quantized(path: Path, place: int, dims: tuple[int, int], group: int):
    codes = np.memmap(path, np.int8, "r", place, dims)
    scale_dims = (dims[0], dims[1] // group)
    scale = np.memmap(path, "<f4", "r", place + codes.size, scale_dims)
    ours = next((g for g in reversed(GROUPS) if group % g == 0), None)
    if ours is None:
        return (codes.reshape(*scale_dims, group) * scale[..., None]).reshape(dims)
    scale = np.repeat(scale, group // ours, axis=1)
    return NativeBlocks(np.asarray(codes), scale, None, 8, ours)
