"""Fits of an MLPClassifier, fastmlp's or scikit-learn's: the same lines of Python but for the import."""

import time
import warnings
from importlib import import_module

from suite.fits import FITS

HOMES = {"fastmlp": "fastmlp", "sklearn": "sklearn.neural_network"}
LEAST_SECONDS = 0.2


def fit_seeds(turns, threads: int, system: str, fit: str, seeds: int, seeds_a_turn: int) -> dict:
    """Fit with the next seeds in every turn, which is timed by the fit; return what on, test accuracies and epochs.

    threads: how many the environment of this process says, as either system reads it
    """
    from sklearn.exceptions import ConvergenceWarning

    warnings.simplefilter("ignore", ConvergenceWarning)  # fixed epochs end before
    data, options = FITS[fit].rows(), FITS[fit].estimator_options()
    estimator = import_module(HOMES[system]).MLPClassifier
    models, first = {}, 0
    while turns():
        began, passes = time.perf_counter(), 0
        while not passes or time.perf_counter() - began < LEAST_SECONDS:
            for seed in range(first, first + seeds_a_turn):
                models[seed] = estimator(**options, random_state=seed).fit(data.X_train, data.y_train)
            passes += 1
        turns.units = passes * seeds_a_turn
        first = (first + seeds_a_turn) % seeds
    return {
        "data": data.name,
        "scores": [float((model.predict(data.X_test) == data.y_test).mean()) for model in models.values()],
        "epochs": [int(model.n_iter_) for model in models.values()],
    }
