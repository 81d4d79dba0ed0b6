"""Writing ONNX graphs operator by operator: names, constants, metadata, the checker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, checker, defs, helper, numpy_helper

from ..contract import arith
from ..contract.decoder.formats import pack_bits
from ..support.errors import UserError

MIN_OPSET = 20
"""First opset with all operators used here (Gelu is the youngest)."""

DEFAULT_OPSET = 20
"""The oldest that will do: the most programs read it."""

BLOCKS_OPSET = 21
"""First opset with 4-bit integers, and with scales of blocks."""

MAX_BYTES = 2**31
"""A protobuf message, and so an ONNX file without external data, is smaller than this."""

PRODUCER = "gateformer"

ELEMENT_TYPES = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.float64): TensorProto.DOUBLE,
    np.dtype(np.int8): TensorProto.INT8,
    np.dtype(np.uint8): TensorProto.UINT8,
    np.dtype(np.int32): TensorProto.INT32,
    np.dtype(np.int64): TensorProto.INT64,
}


def check_opset(opset: int) -> int:
    """``opset`` itself; UserError if it is too old for these graphs or unknown to onnx."""
    newest = defs.onnx_opset_version()
    if not MIN_OPSET <= opset <= newest:
        raise UserError(
            f"opset must be {MIN_OPSET} to {newest}, not {opset}; {DEFAULT_OPSET} is the default"
        )
    return opset


class OnnxGraph:
    """A graph under construction; tensors are their names.

    Parameters
    ----------
    opset : int, of the standard operators; UserError if it is too old
    domains : mapping of further operator domains to their versions
    """

    def __init__(self, opset: int = DEFAULT_OPSET, domains: Mapping[str, int] | None = None):
        self.opsets = {"": check_opset(opset), **(domains or {})}
        self.nodes, self.inputs, self.outputs = [], [], []
        self._initializers: dict[str, onnx.TensorProto] = {}
        self._constants: dict[tuple, str] = {}
        self._counts: dict[str, int] = {}
        self._bytes = 0

    def input(self, name: str, dtype, shape: Sequence[int | str]) -> str:
        """A graph input; a string in ``shape`` is a dynamic dimension."""
        self.inputs.append(_value_info(name, dtype, shape))
        return name

    def output(self, name: str, dtype, shape: Sequence[int | str]) -> str:
        """Declares the tensor ``name``, computed by some operator, as a graph output."""
        self.outputs.append(_value_info(name, dtype, shape))
        return name

    def initializer(self, name: str, array: np.ndarray) -> str:
        """A tensor of the model under its own name.

        Raises UserError once the initializers are too large for one ONNX file.
        """
        tensor = numpy_helper.from_array(np.asarray(array, order="C"), name)
        return self._add_initializer(tensor, array.nbytes)

    def nibbles(self, name: str, codes: np.ndarray, signed: bool) -> str:
        """The same of 4-bit integers, two in a byte (INT4 or UINT4, opset 21)."""
        packed = pack_bits(codes, 4).tobytes()
        kind = TensorProto.INT4 if signed else TensorProto.UINT4
        tensor = helper.make_tensor(name, kind, codes.shape, packed, raw=True)
        return self._add_initializer(tensor, len(packed))

    def _add_initializer(self, tensor: onnx.TensorProto, n_bytes: int) -> str:
        self._bytes += n_bytes
        if self._bytes >= MAX_BYTES:
            raise UserError(
                f"the model's weights exceed the {MAX_BYTES:,} bytes that an ONNX file holds; "
                "export it with --to torch"
            )
        self._initializers[tensor.name] = tensor
        return tensor.name

    def constant(self, value, dtype=np.float32) -> str:
        """A constant without a name of its own; equal ones are stored once."""
        array = np.asarray(value, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.initializer(self._unique("constant"), array)
        return self._constants[key]

    def op(self, op_type: str, *inputs: str, out: str | None = None, domain: str = "", **attrs):
        """One operator with one output, called ``out`` if given; the output's name."""
        return self.ops(op_type, *inputs, outs=[out], domain=domain, **attrs)[0]

    def ops(self, op_type: str, *inputs: str, outs: Sequence[str | None], domain="", **attrs):
        """One operator with several outputs; their names (invented where None)."""
        node_name = self._unique(op_type)
        several = len(outs) > 1
        names = [
            name or (f"{node_name}.{i}" if several else f"{node_name}.out")
            for i, name in enumerate(outs)
        ]
        node = helper.make_node(op_type, list(inputs), names, node_name, domain=domain, **attrs)
        self.nodes.append(node)
        return names

    def to_model(self, name: str, metadata: Mapping[str, str]) -> onnx.ModelProto:
        """The checked model, with ``metadata`` as its metadata properties."""
        graph = helper.make_graph(
            self.nodes, name, self.inputs, self.outputs, list(self._initializers.values())
        )
        imports = [helper.make_opsetid(domain, number) for domain, number in self.opsets.items()]
        standard = [item for item in imports if not item.domain]
        model = helper.make_model(
            graph,
            opset_imports=imports,
            ir_version=helper.find_min_ir_version_for(standard),
            producer_name=PRODUCER,
            producer_version=str(arith.SPEC_VERSION),
        )
        helper.set_model_props(model, dict(metadata))
        checker.check_model(model, full_check=True)
        return model

    def _unique(self, stem: str) -> str:
        self._counts[stem] = self._counts.get(stem, -1) + 1
        return f"{stem}_{self._counts[stem]}"


def causal_mask(graph: OnnxGraph, positions: str) -> str:
    """float32 [length, length] of int64 ``positions`` [length]: -inf where a key is later."""
    queries = graph.op("Unsqueeze", positions, graph.constant([1], np.int64))
    later = graph.op("Greater", positions, queries)
    return graph.op("Where", later, graph.constant(-np.inf), graph.constant(0))


def initializers(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """All stored tensors of a model by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def metadata(model: onnx.ModelProto) -> dict[str, str]:
    """The metadata properties of a model."""
    return {entry.key: entry.value for entry in model.metadata_props}


def _value_info(name: str, dtype, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, ELEMENT_TYPES[np.dtype(dtype)], list(shape))
