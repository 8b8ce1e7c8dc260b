"""Whether training an estimator still makes progress, by its loss or by a score on rows held out."""

from typing import Any

Estimator = Any


def note_loss(estimator: Estimator, loss: float) -> None:
    """Compare an epoch's training loss with the best one, and count epochs without progress."""
    _count(estimator, loss > estimator.best_loss_ - estimator.tol)
    estimator.best_loss_ = min(loss, estimator.best_loss_)


def note_score(estimator: Estimator, score: float) -> bool:
    """Record a validation score, count epochs without progress, and tell whether it is the best yet."""
    estimator.validation_scores_.append(score)
    if estimator.verbose:
        print(f"Validation score: {score:f}")
    _count(estimator, score < estimator.best_validation_score_ + estimator.tol)
    is_best = bool(score > estimator.best_validation_score_)
    if is_best:
        estimator.best_validation_score_ = score
    return is_best


def _count(estimator: Estimator, stands_still: bool) -> None:
    estimator._no_improvement_count = estimator._no_improvement_count + 1 if stands_still else 0


def why_to_end(estimator: Estimator) -> str | None:
    """Return why training should end, None while it makes progress."""
    if estimator._no_improvement_count <= estimator.n_iter_no_change:
        return None
    what = "Validation score" if estimator.early_stopping else "Training loss"
    patience = f"tol={estimator.tol:f} for {estimator.n_iter_no_change} consecutive epochs."
    return f"{what} did not improve more than {patience}"
