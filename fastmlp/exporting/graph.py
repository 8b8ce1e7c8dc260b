"""ONNX graphs, built node by node."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastmlp import __version__
from fastmlp.extras import need

# The oldest that have all that is used here, so that old runtimes can read it
OPSET, ML_OPSET, IR_VERSION = 17, 2, 8
ML = "ai.onnx.ml"
ROWS = "N"
TEXT = np.dtype(object)


class Graph:
    """A graph that grows. taken: names that only inputs may have; no other value is called so."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._onnx = need("onnx", "onnx", "exporting to ONNX")
        self._taken = set(taken)
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, dtype: DTypeLike, width: int) -> str:
        """Declare an input (N, width) of numbers or of TEXT, and return its name."""
        name = name or self._free("unnamed")  # "" means no value at all in ONNX
        self._inputs.append(self._declared(name, dtype, (ROWS, width)))
        return name

    def output(self, source: str, name: str, dtype: DTypeLike, *widths: int) -> None:
        """Make a value (N, *widths) an output; its name ends in an underscore where a column has it already."""
        name = self.add("Identity", source, name=self._free(name))
        self._outputs.append(self._declared(name, dtype, (ROWS, *widths)))

    def add(self, kind: str, *sources: str, name: str | None = None, **attributes: Any) -> str:
        """Add a node, and return the name of its output."""
        name = name or self._free(f"{kind}{len(self._nodes)}")
        domain = ML if kind == "LabelEncoder" else ""
        self._nodes.append(self._onnx.helper.make_node(kind, sources, [name], domain=domain, **attributes))
        return name

    def cast(self, source: str, dtype: DTypeLike) -> str:
        """Add a conversion to a dtype."""
        return self.add("Cast", source, to=self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def constant(self, values: NDArray[Any]) -> str:
        """Add an array, and return its name."""
        name = self._free(f"constant{len(self._constants)}")
        self._constants.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def join(self, sources: Sequence[str]) -> str:
        """Put matrices (N, ...) side by side."""
        return sources[0] if len(sources) == 1 else self.add("Concat", *sources, axis=1)

    def to_bytes(self, about: str) -> bytes:
        """Return the whole, checked, as a file holds it."""
        helper = self._onnx.helper
        graph = helper.make_graph(
            self._nodes, "fastmlp", self._inputs, self._outputs, self._constants, doc_string=about
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)],
            ir_version=IR_VERSION,
            producer_name="fastmlp",
            producer_version=__version__,
        )
        self._onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString()
        return content

    def _declared(self, name: str, dtype: DTypeLike, shape: tuple[str | int, ...]) -> Any:
        helper = self._onnx.helper
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)

    def _free(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name
