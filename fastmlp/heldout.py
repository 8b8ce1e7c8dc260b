"""Rows that are not trained on, by which training is measured after each epoch."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit, logsumexp, xlogy
from sklearn.base import is_classifier
from sklearn.metrics import accuracy_score, check_scoring, r2_score
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing, check_X_y
from sklearn.utils.multiclass import unique_labels

from fastmlp.inputs import refuse_broken

Estimator = Any


@dataclass(frozen=True)
class HeldOut:
    """Rows held out: X, what ``score`` compares with, the targets (M, C) of training, and weights or None."""

    X: Any
    y: Any
    targets: NDArray[Any]
    sample_weight: Any

    def score(self, estimator: Estimator) -> float:
        """Return the estimator's score, by its ``scoring`` if it has one; NaN where it predicts no numbers."""
        if estimator.scoring is None:
            predicted = estimator._predict(self.X, check_input=False)
            if is_classifier(estimator):
                return float(accuracy_score(self.y, predicted, sample_weight=self.sample_weight))
            if not np.isfinite(predicted).all():
                return math.nan
            return float(r2_score(self.y, predicted, sample_weight=self.sample_weight))
        return float(check_scoring(estimator, estimator.scoring)(estimator, self.X, self.y))

    def loss(self, estimator: Estimator, scores: NDArray[Any]) -> float:
        """Return the mean loss of the rows, whose scores before the output's activation are given."""
        Z = scores.astype(np.float64)
        with np.errstate(all="ignore"):  # a network that diverges shows by its loss
            losses = _LOSSES[estimator.out_activation_](Z, self.targets.astype(np.float64))
        return float(np.average(losses, weights=self.sample_weight))


def check_held_out(estimator: Estimator, X: Any, y: Any) -> HeldOut:
    """Return the rows that a user gave to measure. Raises what scikit-learn raises of such in ``score``."""
    refuse_broken(X, "X_val")
    X, y = check_X_y(X, y, accept_sparse=["csr", "csc"], multi_output=True, dtype=(np.float64, np.float32))
    if X.shape[1] != estimator.n_features_in_:
        raise ValueError(f"X_val has {X.shape[1]} features, but X has {estimator.n_features_in_}")
    if not is_classifier(estimator):
        targets = y.reshape(len(y), -1)
        if targets.shape[1] != estimator.n_outputs_:
            raise ValueError(f"y_val has {targets.shape[1]} outputs, but y has {estimator.n_outputs_}")
        return HeldOut(X, y, targets, None)
    unseen = np.setdiff1d(unique_labels(y), estimator.classes_)
    if len(unseen):
        raise ValueError(f"y_val has classes that y has not: {unseen}")
    return HeldOut(X, y, estimator._label_binarizer.transform(y), None)


def split_rows(estimator: Estimator, y: NDArray[Any], random: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of the rows to train on and of those to hold out, drawn as scikit-learn draws them."""
    stratify = y if is_classifier(estimator) and estimator.n_outputs_ == 1 else None
    train, held_out = train_test_split(
        np.arange(len(y)), random_state=random, test_size=estimator.validation_fraction, stratify=stratify
    )
    if len(held_out) < 2:
        raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
    return train, held_out


def take_rows(estimator: Estimator, X: Any, y: NDArray[Any], sample_weight: Any, rows: NDArray[np.int64]) -> HeldOut:
    """Return some rows of what an estimator was given to train on."""
    targets = y[rows]
    labels = estimator._label_binarizer.inverse_transform(targets) if is_classifier(estimator) else targets
    weights = None if sample_weight is None else sample_weight[rows]
    return HeldOut(_safe_indexing(X, rows), labels, targets, weights)


def _softmax_loss(Z: NDArray[Any], T: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(logsumexp(Z, axis=1) - (Z * T).sum(axis=1))


def _logistic_loss(Z: NDArray[Any], T: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(-(T * log_expit(Z) + (1 - T) * log_expit(-Z)).sum(axis=1))


def _squared_loss(Z: NDArray[Any], T: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(0.5 * np.square(Z - T).mean(axis=1))


def _poisson_loss(Z: NDArray[Any], T: NDArray[Any]) -> NDArray[Any]:
    return np.asarray((xlogy(T, T) - T * Z - T + np.exp(Z)).sum(axis=1))


_LOSSES = {
    "softmax": _softmax_loss,
    "logistic": _logistic_loss,
    "identity": _squared_loss,
    "exp": _poisson_loss,
}
