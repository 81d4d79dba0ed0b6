"""Tensors as files have them, and what they are called here: found, checked, read on demand."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from ...support.errors import UserError
from ..decoder_shape import DecoderShape
from .native_blocks import NativeBlocks

Rows = slice | np.ndarray
"""Which rows of a matrix, or entries of a bias, and in which order."""

FEATURES = {
    "q_norm": "QK-norm",
    "k_norm": "QK-norm",
    "query_norm": "QK-norm",
    "q_layernorm": "QK-norm",
    "expert": "a mixture of experts",
    "_exps": "a mixture of experts",
    "ffn_gate_inp": "a mixture of experts",
    "block_sparse_moe": "a mixture of experts",
    "vision": "a multi-modal model",
    "multi_modal": "a multi-modal model",
    "lora_": "a LoRA adapter that is not merged",
}
"""Parts of tensors' names that tell what the model has beyond the known families."""


@dataclasses.dataclass(frozen=True, eq=False)
class StoredTensor:
    """A tensor of a file.

    Parameters
    ----------
    path : Path of the file
    name : str, in the file
    shape : tuple of int, as stored
    load : function without arguments: an array of floats (of any width, perhaps mapped from the
        file) or NativeBlocks, of that shape
    """

    path: Path
    name: str
    shape: tuple[int, ...]
    load: Callable[[], np.ndarray | NativeBlocks]

    def __str__(self):
        return f"{self.path}: tensor {self.name}"


@dataclasses.dataclass(frozen=True, eq=False)
class _Part:
    """What a stored tensor holds of one of ours."""

    stored: str
    transposed: bool
    rows: Rows


class Tensors(Mapping):
    """The tensors of a model by their names here (:meth:`DecoderShape.tensor_shapes`).

    A value is float32 or NativeBlocks, [out, in] or [n]; it is read each time that it is asked
    for, and UserError names it if it holds numbers that are not finite.

    Parameters
    ----------
    parts : dict of str to tuple (StoredTensor, whether it is stored [in, out], Rows of it)
    """

    def __init__(self, parts: dict[str, tuple[StoredTensor, bool, Rows]]):
        self._parts = parts

    def __getitem__(self, name: str) -> np.ndarray | NativeBlocks:
        stored, transposed, rows = self._parts[name]
        value = stored.load()
        if isinstance(value, NativeBlocks):
            value, finite = value.rows(rows), value.is_finite()
        else:
            value = np.ascontiguousarray((value.T if transposed else value)[rows], np.float32)
            finite = np.isfinite(value).all()
        if not finite:
            raise UserError(
                f"{stored} holds numbers that are not finite; get the model from its source again"
            )
        return value

    def __contains__(self, name: object) -> bool:
        return name in self._parts

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)


class Binder:
    """Finds the stored tensor of each of a model's own, and refuses what does not fit.

    Parameters
    ----------
    place : Path that messages about missing tensors name
    family : str, as messages call it
    shape : DecoderShape
    stored : dict of str to StoredTensor, by the names that :meth:`bind` uses
    """

    def __init__(
        self, place: Path, family: str, shape: DecoderShape, stored: dict[str, StoredTensor]
    ):
        self.place, self.family, self.stored = place, family, stored
        self.shapes = shape.tensor_shapes()
        self._parts: dict[str, _Part] = {}
        self._expected: dict[str, tuple[int, ...]] = {}
        self._ignored: set[str] = set()

    def bind_norm(self, shape: DecoderShape, stored: str, ours: str) -> None:
        """:meth:`bind` for a norm's gain and, if the shape has one, its bias."""
        self.bind(f"{stored}.weight", ours)
        if shape.norm_bias:
            self.bind(f"{stored}.bias", f"{ours}.bias")

    def bind(
        self,
        stored: str,
        *names: str,
        transposed: bool = False,
        rows: dict[str, Rows] | None = None,
    ) -> None:
        """Say that ``stored`` holds the tensors ``names``, one below the other.

        ``transposed``: it is stored [in, out]. ``rows``: those of ``stored`` (after transposing)
        for each name, if they do not simply follow each other.
        """
        start, rest = 0, self.shapes[names[0]][1:]
        for name in names:
            stop = start + self.shapes[name][0]
            self._parts[name] = _Part(
                stored, transposed, (rows or {}).get(name, slice(start, stop))
            )
            start = stop
        expected = (start, *rest)
        self._expected[stored] = expected[::-1] if transposed else expected

    def ignore(self, stored: str) -> None:
        """Say that ``stored``, if it is there, tells nothing of its own."""
        self._ignored.add(stored)

    def tensors(self) -> Tensors:
        """Of the model.

        Raises UserError naming the first stored tensor that is unknown, missing or misshapen.
        """
        for name in self.stored:
            if name not in self._expected and name not in self._ignored:
                raise self._unknown(self.stored[name])
        for name, shape in self._expected.items():
            if name not in self.stored:
                raise UserError(
                    f"{self.place}: tensor {name} is missing; expected all tensors of a "
                    f"{self.family} model: get it from its source again"
                )
            if self.stored[name].shape != shape:
                raise UserError(
                    f"{self.stored[name]} must have shape {shape}, as the model's settings tell, "
                    f"not {self.stored[name].shape}; get the model from its source again"
                )
        parts = {name: self._parts[name] for name in self.shapes}
        return Tensors(
            {name: (self.stored[p.stored], p.transposed, p.rows) for name, p in parts.items()}
        )

    def _unknown(self, tensor: StoredTensor) -> UserError:
        advice = f"expected only the tensors of a {self.family} model"
        for part, feature in FEATURES.items():
            if part in tensor.name:
                return UserError(f"{tensor} belongs to {feature}, which is not supported; {advice}")
        known = max(
            (n for n in self._expected if tensor.name.endswith(f".{n}")), key=len, default=""
        )
        if known:
            prefix = tensor.name.removesuffix(known)
            return UserError(f"{tensor} has the unknown prefix {prefix!r}; expected {known}")
        weight = f"{tensor.name.removesuffix('.bias')}.weight"
        if tensor.name.endswith(".bias") and any(weight.endswith(n) for n in self._expected):
            return UserError(f"{tensor} is a bias that the model's settings do not tell; {advice}")
        return UserError(f"{tensor} is not known; {advice}")


def equal(left: StoredTensor, right: StoredTensor) -> bool:
    """Whether two tensors hold the same numbers: a head that is the embedding, stored again."""
    if left.shape != right.shape:
        return False
    ours, theirs = left.load(), right.load()
    if isinstance(ours, NativeBlocks) != isinstance(theirs, NativeBlocks):
        return False
    if not isinstance(ours, NativeBlocks):
        return np.array_equal(ours, theirs)
    same = ours.bits == theirs.bits and ours.group == theirs.group
    same = same and (ours.minimum is None) == (theirs.minimum is None)
    same = same and np.array_equal(ours.codes, theirs.codes)
    same = same and np.array_equal(ours.scale, theirs.scale)
    return same and (ours.minimum is None or np.array_equal(ours.minimum, theirs.minimum))


def interleaved_to_halves(n_heads: int, head_dim: int) -> np.ndarray:
    """Rows of a projection whose rotary pairs are neighbours (2j, 2j + 1), in the order in which
    they are pairs (j, j + head_dim / 2): int [n_heads * head_dim]."""
    rows = np.arange(n_heads * head_dim).reshape(n_heads, head_dim // 2, 2)
    return rows.swapaxes(1, 2).reshape(-1)
