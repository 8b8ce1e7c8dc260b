"""Training an estimator by minibatches: scikit-learn's epochs and reasons to end, the engine's arithmetic."""

import math
import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from fastmlp import translate
from fastmlp.course import course_of
from fastmlp.engine import Parameters, Train
from fastmlp.epochs import Epochs
from fastmlp.heldout import HeldOut
from fastmlp.history import EpochFigures, tell
from fastmlp.inputs import check_callbacks
from fastmlp.kernels.patience import ENDLESS, Patience, patience_of
from fastmlp.kernels.rules import DECAY
from fastmlp.optimizer import descent_of
from fastmlp.progress import note_loss, note_score, why_to_end
from fastmlp.steps import mean_loss

Estimator = Any

MULTIPLY_ADDS_AT_ONCE = 500_000_000
"""Short epochs are trained several in a call, a hundredth of a second: two threads meet for it, which takes 0.3 ms."""


class StochasticFit:
    """One call of ``fit`` or ``partial_fit`` with the solver "sgd" or "adam".

    X: (N, D), y: (N, C), sample_weight: (N,) or None: as scikit-learn has checked them
    given: rows to measure, or None; ``early_stopping`` then sets some aside
    incremental: one epoch that goes on from the last call
    """

    def __init__(
        self,
        estimator: Estimator,
        X: Any,
        y: NDArray[Any],
        sample_weight: Any,
        given: HeldOut | None,
        incremental: bool,
    ) -> None:
        self.estimator, self.incremental = estimator, incremental
        self.callbacks = check_callbacks(estimator.callbacks or ())
        self.course = course_of(estimator, X, y, sample_weight, given, incremental)
        self.engine, self.held_out = self.course.engine, self.course.held_out
        self.epochs = Epochs(estimator, self.course)
        self.descent = descent_of(estimator)
        self.best: Parameters | None = None
        self.has_diverged = self.has_converged = False
        self.squares = self._squares_of_sparse()

    def run(self) -> bool | None:
        """Train until there is a reason to end, and leave the coefficients in the estimator.

        Return whether training has converged, None where it was ended before that and before ``max_iter`` epochs.
        """
        estimator, has_converged = self.estimator, None
        estimator._live = self.engine
        try:
            with self.engine.trainer(self.course.rows) as train:
                has_converged = self._train_epochs(train)
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=2)
        finally:
            del estimator._live
        estimator._optimizer = None if self.has_diverged else self.course.optimizer
        if estimator.early_stopping:
            self._restore_best()
        else:
            translate.store_parameters(estimator, self.engine)
        return has_converged

    def _train_epochs(self, train: Train) -> bool | None:
        estimator, began = self.estimator, time.perf_counter()
        budget = math.inf if estimator.time_budget is None else estimator.time_budget
        while estimator.n_iter_ < estimator.max_iter:
            if self._train_some(train):
                return self.has_converged or None
            if self.incremental or time.perf_counter() - began > budget:
                return None
        _warn(
            f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the optimization "
            "hasn't converged yet."
        )
        return False

    def _train_some(self, train: Train) -> bool:
        """Train an epoch, or several if these are short, up to the last of all; tell whether the last was that."""
        course, before = self.course, self.squares
        began = time.perf_counter()
        count, patience = self._epochs_at_once()
        mark = None if patience is ENDLESS else course.optimizer.mark()
        order, steps = self.epochs.next(count)
        of_an_epoch = steps[: len(self.epochs.steps)]
        losses = train(course.rows, course.targets, order, steps, self.descent, patience)
        losses = losses.reshape(-1, len(of_an_epoch))
        if mark and len(losses) < count:
            course.optimizer.go_back(mark)
            self.epochs.next(len(losses))
        seconds = time.perf_counter() - began
        means = mean_loss(losses, of_an_epoch) + self._penalty_of_sparse(of_an_epoch, before)
        return self._record(means.tolist(), seconds)

    def _epochs_at_once(self) -> tuple[int, Patience]:
        """Return how many epochs may go into one call, several if nobody waits for their figures, and when it ends."""
        estimator = self.estimator
        waiting = self.incremental or self.callbacks or estimator.verbose or estimator.time_budget is not None
        if waiting or self.held_out is not None or self.engine.regime.visits_entries:
            return 1, ENDLESS
        minibatches, waited = len(self.epochs.steps), estimator._no_improvement_count
        fitting = self.engine.steps_within(MULTIPLY_ADDS_AT_ONCE) // minibatches
        count = int(max(1, min(estimator.max_iter - estimator.n_iter_, fitting)))
        if count <= estimator.n_iter_no_change - waited + 1:
            return count, ENDLESS  # none but the last can be a reason to end
        most = estimator.n_iter_no_change
        return count, patience_of(minibatches, estimator.best_loss_, estimator.tol, waited, most)

    def _record(self, losses: list[float], seconds: float) -> bool:
        """Record the losses of epochs, and tell whether the last of them was the last of all."""
        estimator = self.estimator
        if not all(map(math.isfinite, losses)):
            del losses[next(e for e, loss in enumerate(losses, 1) if not math.isfinite(loss)) :]
        estimator.n_iter_ += len(losses)
        estimator.t_ += self.course.count * len(losses)
        estimator.loss_ = losses[-1]
        estimator.loss_curve_ += losses
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {estimator.loss_:.8f}")
        # where only the parameters are not finite, the next loss tells, or scikit-learn's look at them in the end
        if not (math.isfinite(estimator.loss_) and (self.held_out is None or self.engine.is_finite())):
            self._diverge()
            return True
        validation_loss, score = self._measure(losses)
        ends = self._is_asked_to_end(validation_loss, score, seconds)
        return ends or self._converges()

    # every step would have to look at all weights of sparse columns: the mean of before and after stands for them

    def _squares_of_sparse(self) -> float:
        if self.engine.regime.squares or not self.estimator.alpha:
            return 0.0
        return self.engine.sum_of_squares()

    def _penalty_of_sparse(self, steps: NDArray[np.float64], before: float) -> float:
        self.squares = self._squares_of_sparse()
        return float(mean_loss(steps[:, DECAY] / 2 * (before + self.squares) / 2, steps))

    def _measure(self, losses: list[float]) -> tuple[float | None, float | None]:
        """Return loss and score on the rows held out, if there are any, and keep the parameters if these are best."""
        estimator, held_out = self.estimator, self.held_out
        if not estimator.early_stopping:
            for loss in losses:
                note_loss(estimator, loss)
        if held_out is None:
            return None, None
        X = translate.as_rows(held_out.X, self.engine.dtype)
        scores, _ = self.engine.predictor.outputs(X, held_out.X.shape[0], probabilities=False)
        validation_loss = held_out.loss(estimator, scores)
        estimator.validation_loss_curve_.append(validation_loss)
        if not estimator.early_stopping:
            return validation_loss, None
        if estimator.scoring is not None:  # a scorer may look at the coefficients
            translate.store_parameters(estimator, self.engine)
        score = held_out.score(estimator)
        if note_score(estimator, score):
            self.best = self.engine.read()
        return validation_loss, score

    # ---- ending ----

    def _is_asked_to_end(self, validation_loss: float | None, score: float | None, seconds: float) -> bool:
        estimator = self.estimator
        if not self.callbacks:
            return False
        figures = EpochFigures(
            epoch=estimator.n_iter_,
            epochs=estimator.max_iter,
            loss=estimator.loss_,
            validation_loss=validation_loss,
            validation_accuracy=None,
            learning_rate=self.epochs.learning_rate,
            seconds=seconds,
            rows=self.course.count,
            validation_score=score,
        )
        return tell(self.callbacks, figures)

    def _converges(self) -> bool:
        estimator = self.estimator
        reason = why_to_end(estimator)
        if reason is None:
            return False
        self.has_converged = self.course.optimizer.end_without_progress(estimator, reason)
        if not self.has_converged:
            estimator._no_improvement_count = 0
        return self.has_converged

    def _diverge(self) -> None:
        """End where the loss is not finite any more: with the best parameters if they were kept, else by an error."""
        estimator, self.has_diverged = self.estimator, True
        text = (
            f"The loss stopped being finite in epoch {estimator.n_iter_}. Likely causes: learning_rate_init="
            f"{estimator.learning_rate_init:g} is too high, or X is not scaled (aim for values near 1)"
        )
        if not estimator.early_stopping:
            estimator._divergence = text
            return
        estimator.validation_scores_.append(float("nan"))
        _warn(f"{text}; the best weights by validation score are restored")

    def _restore_best(self) -> None:
        """Set the best coefficients of this and earlier calls, of which others are kept for later calls."""
        estimator, self.course.optimizer.has_later_weights = self.estimator, True
        if self.best is not None:
            estimator._best_coefs, estimator._best_intercepts = translate.coefficients_of(self.best)
        estimator.coefs_ = [W.copy() for W in estimator._best_coefs]
        estimator.intercepts_ = [b.copy() for b in estimator._best_intercepts]


def _warn(text: str) -> None:
    warnings.warn(text, ConvergenceWarning, stacklevel=2)
