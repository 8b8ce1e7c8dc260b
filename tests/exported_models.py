"""Models to export in tests: trained on real data, or with made-up weights behind a fitted preparation."""

import numpy as np
from idx_files import SHARED_DATA
from networks import he_parameters

from fastmlp import Model, Trainer
from fastmlp.data.parts import Columns
from fastmlp.data.source import read_source
from fastmlp.preparation import fit_preparation

CLOSE = 1e-5  # what exported models may differ by
LABELS = ("no", "yes", "maybé")
COLOURS = ["red"] * 20 + ["grün"] * 20 + [None] * 10 + ["rare", "odd"]


def assert_close(actual, expected):
    """Check probabilities, or values by their own size."""
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=CLOSE, atol=CLOSE)


def trained(data, target=None, drop=(), task="classify", **options):
    """Return a model of real data, and training's rows."""
    source = read_source(data, Columns(target, drop))
    rows, y = source.train.X, source.train.y
    preparation = fit_preparation(rows, source.input_scale)
    mean, scale = (float(y.mean()), float(y.std())) if task == "regress" else (0.0, 1.0)
    options = {"hidden": (16,), "epochs": 5, "input_scale": preparation.input_scale, "task": task} | options
    trainer = Trainer(**options)
    trainer.fit(preparation.inputs_of(rows), (y - mean) / scale if task == "regress" else y)
    labels = tuple(trainer.classes_.tolist()) if task == "classify" else ()
    activation = options.get("activation", "relu")
    return Model(trainer.parameters, preparation, task, activation, labels, target, mean, scale), rows


def penguins(target="species", drop=()):
    """Return a model of the penguins whose species and mass are known, and their rows."""
    import polars

    table = polars.read_csv(SHARED_DATA / "penguins.csv", null_values="NA").drop_nulls("body_mass_g")
    return trained(table, target, drop, task="classify" if target == "species" else "regress")


def made_up(rows, labels=LABELS, hidden=(7, 5), activation="relu", dtype="float32", input_scale=1.0, **options):
    """Return a model of such rows."""
    preparation = fit_preparation(rows, input_scale)
    sizes = (preparation.inputs_of(rows).shape[1], *hidden, len(labels) or 1)
    parameters = {name: array.astype(dtype) for name, array in he_parameters(np.random.default_rng(0), sizes).items()}
    task = "classify" if labels else "regress"
    return Model(parameters, preparation, task, activation, tuple(labels), **options)


def some_numbers(*shape, holes=0.0):
    random = np.random.default_rng(1)
    numbers = random.standard_normal(shape)
    numbers[random.random(shape) < holes] = np.nan
    return numbers
