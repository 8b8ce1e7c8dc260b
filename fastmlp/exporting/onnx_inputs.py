"""The preparation of rows as a part of an ONNX graph.

Its nodes are made from what scikit-learn's transformers have learnt: skl2onnx has none for an imputer with indicators
inside a pipeline, nor for rare categories.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.exporting.graph import TEXT, Graph
from fastmlp.exporting.standardising import Standardising, is_scaler, standardising_of
from fastmlp.preparation import Preparation

PREPARED = np.dtype(np.float32)
EXACT = np.dtype(np.float64)
"""Of numbers to be standardised: float32 would lose what times in seconds, say, differ in."""
MISSING = ""
"""What stands for a missing category."""


def add_inputs(graph: Graph, preparation: Preparation, width: int) -> str:
    """Declare a graph's inputs, and return the name of what the preparation makes of them (N, width), float32."""
    if preparation.columns is not None:
        return _of_table(graph, preparation)
    transformer, columns = preparation.transformer, preparation.stored or width
    if transformer is None:
        return graph.input("X", PREPARED, columns)
    if is_scaler(transformer):
        X = graph.input("X", PREPARED, columns)
        return graph.add("Mul", X, graph.constant((1 / transformer.scale_).astype(PREPARED)))
    return _standardised(graph, graph.input("X", EXACT, columns), standardising_of(transformer))


def _of_table(graph: Graph, preparation: Preparation) -> str:
    assert preparation.columns is not None
    kinds = preparation.columns.items()
    inputs = {name: graph.input(name, EXACT if is_number else TEXT, 1) for name, is_number in kinds}
    parts = []
    for _, transformer, columns in preparation.transformer.transformers_:
        if not columns:
            continue
        sources = [inputs[name] for name in columns]
        if hasattr(transformer, "categories_"):
            parts.append(_one_hot(graph, sources, columns, transformer))
        else:
            parts.append(_standardised(graph, graph.join(sources), standardising_of(transformer)))
    return graph.join(parts)


def _standardised(graph: Graph, X: str, learnt: Standardising) -> str:
    """Fill in, indicate and standardise numbers."""
    missing = graph.add("IsNaN", X)
    numbers = graph.add("Where", missing, graph.constant(learnt.fill), X)
    if len(learnt.kept) < len(learnt.fill):
        numbers = graph.add("Gather", numbers, graph.constant(learnt.kept), axis=1)
    if len(learnt.indicators):
        indicators = graph.add("Gather", missing, graph.constant(learnt.indicators), axis=1)
        numbers = graph.join([numbers, graph.cast(indicators, EXACT)])
    numbers = graph.add("Sub", numbers, graph.constant(learnt.mean))
    numbers = graph.add("Div", numbers, graph.constant(learnt.scale))
    return graph.cast(numbers, PREPARED)


def _one_hot(graph: Graph, sources: Sequence[str], columns: Sequence[str], encoder: Any) -> str:
    parts = []
    learnt = zip(sources, columns, encoder.categories_, encoder.infrequent_categories_, strict=True)
    for source, column, categories, rare in learnt:
        places, other, width = _places(column, categories, rare)
        numbers = graph.add(
            "LabelEncoder",
            source,
            keys_strings=list(places),
            values_int64s=list(places.values()),
            default_int64=other,
        )
        parts.append(graph.cast(graph.add("Equal", numbers, graph.constant(np.arange(width))), PREPARED))
    return graph.join(parts)


def _places(column: str, categories: NDArray[Any], rare: NDArray[Any] | None) -> tuple[dict[str, int], int, int]:
    """Return which of a column's inputs is 1 for each category, which for any other (-1: none), and how many there are.

    Raises ValueError where a missing category and empty text are not the same.
    """
    rare_ones = [] if rare is None else rare.tolist()
    frequent = [each for each in categories.tolist() if each not in rare_ones]
    places = {MISSING if each is None else each: place for place, each in enumerate(frequent)}
    if MISSING in places and {None, MISSING} <= set(categories.tolist()):
        raise ValueError(
            f"column {column!r} held both missing values and empty text, which ONNX cannot tell apart: train with one "
            f"of them alone"
        )
    if rare is None:
        return places, -1, len(frequent)
    other = len(frequent)  # the rare ones are among all others
    return places or {MISSING: other}, other, other + 1  # a LabelEncoder without any key is invalid
