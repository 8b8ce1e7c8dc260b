"""What can be done with a model once it is there, as functions; the command line has the same verbs."""

from os import PathLike
from typing import Any

from fastmlp.data.parts import Columns
from fastmlp.data.source import read_source
from fastmlp.data.tables import is_table
from fastmlp.errors import DataError
from fastmlp.evaluation import Evaluation
from fastmlp.model_file import AnyModel, model_at


def evaluate(model: AnyModel, data: Any) -> Evaluation:
    """Return how good a model's predictions are for rows whose targets are known.

    model : a Model, or the path of one; data : as ``fastmlp.train`` has it; of a data set with test rows those
    A table must have the column that the model predicts. Raises DataError for rows without what is needed, or with
    labels that training has not seen.
    """
    found = model_at(model)
    has_names = hasattr(data, "columns") or (isinstance(data, str | PathLike) and is_table(data))
    source = read_source(data, Columns(found.target if has_names else None), inputs=found.preparation.stored)
    part = source.test or source.train
    if part.y is None:
        raise DataError(f"{source.name} holds no targets to compare with")
    try:
        return found.evaluate(part.X, part.y)
    except DataError:
        raise
    except ValueError as error:
        raise DataError(f"{source.name}: {error}") from error


def info(model: AnyModel) -> dict[str, Any]:
    """Return what there is to know of a model, by name."""
    found = model_at(model)
    columns = found.preparation.columns
    return {
        "task": found.task,
        "layers": list(found.sizes),
        "activation": found.activation,
        "parameters": sum(array.size for array in found.parameters.values()),
        "dtype": str(found.parameters["W1"].dtype),
        "target": found.target,
        "classes": list(found.labels) or None,
        "columns": None
        if columns is None
        else {name: "number" if kind else "category" for name, kind in columns.items()},
        "inputs": found.preparation.stored,
        **{name: value for name, value in found.about.items() if name != "training_rows"},
    }
