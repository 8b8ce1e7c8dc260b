"""Tables to fit estimators to: a kind of target each, with the class that learns it, small enough for many fits."""

import numpy as np

ROWS, INPUTS = 50, 7
# what newer SciPy says of how scikit-learn 1.7 calls its L-BFGS
OLD_LBFGS = "ignore:scipy.optimize. The `disp` and `iprint` options:DeprecationWarning"
KINDS = ("binary", "multiclass", "multilabel", "regression", "outputs", "poisson", "counts")


def table(kind, dtype="float64", rows=ROWS):
    """Return X (rows, INPUTS) of the dtype, half of it zeros, and y of the kind."""
    random = np.random.default_rng(KINDS.index(kind))
    X = random.standard_normal((rows, INPUTS)) * (random.random((rows, INPUTS)) < 0.5)
    scores = X @ random.standard_normal((INPUTS, 3)) + 1.5 * random.standard_normal((rows, 3))
    targets = {
        "binary": np.where(scores[:, 0] > 0, "yes", "no"),
        "multiclass": scores.argmax(axis=1) * 2 + 3,
        "multilabel": (scores > 0).astype(int),
        "regression": scores[:, 0],
        "outputs": scores,
        "poisson": random.poisson(np.exp(0.5 * scores[:, 0])).astype(float),
        "counts": random.poisson(np.exp(0.3 * scores)).astype(float),
    }
    return X.astype(dtype), targets[kind]


def weights(rows=ROWS):
    """Return a weight a row, some of them 0."""
    return np.random.default_rng(99).integers(0, 4, rows) / 2.0


def model_of(library, kind, **options):
    """Return the model in a library (a module with MLPClassifier and MLPRegressor) that learns a kind of target."""
    if kind in ("binary", "multiclass", "multilabel"):
        return library.MLPClassifier(**options)
    if kind in ("poisson", "counts"):
        return library.MLPRegressor(loss="poisson", **options)
    return library.MLPRegressor(**options)
