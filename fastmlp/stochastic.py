"""Training an estimator by minibatches: scikit-learn's epochs and reasons to end, the engine's arithmetic."""

import math
import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from fastmlp import translate
from fastmlp.engine import Engine, Regime, Train
from fastmlp.heldout import HeldOut, split_rows, take_rows
from fastmlp.history import EpochFigures, tell
from fastmlp.inputs import check_callbacks
from fastmlp.kernels.dropout import NO_DROPOUT, Dropout
from fastmlp.kernels.inputs import ENTRIES
from fastmlp.kernels.update import DECAY, FIRST, RATE, SEED, SHRINKAGE
from fastmlp.optimizer import Optimizer, descent_of, rule_of
from fastmlp.progress import note_loss, note_score, why_to_end
from fastmlp.steps import mean_loss, shares_of, steps_of
from fastmlp.threads import thread_limit
from fastmlp.visiting import to_visit

Estimator = Any

ROWS_AT_ONCE = 10_000
"""Epochs of few rows are trained several in a call: a call takes longer than 200 rows through 16 units."""


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
        self.estimator, self.incremental, self.held_out = estimator, incremental, given
        last: Optimizer | None = getattr(estimator, "_optimizer", None)
        resumed = last if estimator.warm_start and estimator.resume and not incremental else None
        if resumed is not None:
            estimator._random_state = resumed.random
        split = None
        self.train_rows, self.all_rows = np.arange(len(y)), True
        if estimator.early_stopping and given is None:
            again = resumed.split if resumed is not None else None
            if again is None or sum(map(len, again)) != len(y):
                again = split_rows(estimator, y, estimator._random_state)
            split = again
            (self.train_rows, held_out), self.all_rows = split, False
            self.held_out = take_rows(estimator, X, y, sample_weight, held_out)
        self.batch_size = _batch_size(estimator, len(self.train_rows))
        self.engine = self._new_engine(X)
        self.rows = translate.as_rows(X, X.dtype)
        self.targets = translate.as_targets(estimator, y, sample_weight, X.dtype)
        self.engine.compile(self.rows)
        translate.load_parameters(estimator, self.engine)
        self.optimizer = Optimizer(self.engine, estimator.learning_rate_init, estimator._random_state, split)
        self.optimizer.order = np.arange(len(self.train_rows))
        if last is not None and (resumed is not None or incremental):
            self.optimizer.go_on_from(last, shuffled=resumed is not None)
        self.descent = descent_of(estimator)
        self.callbacks = check_callbacks(estimator.callbacks or ())
        self.best: NDArray[Any] | None = None
        self.learning_rate = self.optimizer.learning_rate  # of the last epoch
        self.squares = self._squares_of_sparse()
        self.steps: NDArray[np.float64] | None = None  # what an epoch's have in common with those of the next

    def _new_engine(self, X: Any) -> Engine:
        estimator = self.estimator
        design = translate.architecture_of(estimator, X.dtype)
        rule = rule_of(estimator.solver, estimator.momentum, estimator.nesterovs_momentum)
        visits = to_visit(X, design.sizes[1])
        regime = Regime(
            self.batch_size,
            rule,
            thread_limit(estimator.threads),
            *visits,
            squares=estimator.alpha > 0 and visits[0] is not ENTRIES,
            dropout=Dropout(float(estimator.input_dropout), float(estimator.dropout)),
            clip_norm=_clip_norm(estimator, visits[0] is ENTRIES),
        )
        return Engine(design, regime)

    # ---- running ----

    def run(self) -> None:
        """Train until there is a reason to end, and leave the coefficients in the estimator."""
        estimator = self.estimator
        estimator._live, estimator.n_iter_ = self.engine, 0
        try:
            with self.engine.trainer(self.rows) as train:
                self._train_epochs(train)
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=2)
        finally:
            del estimator._live
        if self.best is not None:
            self.engine.slots[0] = self.best
        translate.store_parameters(estimator, self.engine)
        if estimator.early_stopping:
            self._restore_best()
        estimator._optimizer = self.optimizer

    def _train_epochs(self, train: Train) -> None:
        estimator, began = self.estimator, time.perf_counter()
        budget = math.inf if estimator.time_budget is None else estimator.time_budget
        while not (self._train_some(train) or self.incremental or time.perf_counter() - began > budget):
            if estimator.n_iter_ == estimator.max_iter:
                _warn(
                    f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the optimization "
                    "hasn't converged yet."
                )
                return

    def _train_some(self, train: Train) -> bool:
        """Train an epoch, or several if these are short and none can be the last; tell whether the last was."""
        before = self.squares
        began = time.perf_counter()
        count = self._epochs_at_once()
        orders, steps = zip(*(self._next_epoch(e) for e in range(count)), strict=True)
        losses = train(self.rows, self.targets, _joined(orders), _joined(steps), self.descent).reshape(count, -1)
        seconds = time.perf_counter() - began
        penalty = self._penalty_of_sparse(steps[0], before)
        return any(self._record(mean_loss(losses[e], steps[e]) + penalty, seconds) for e in range(count))

    def _epochs_at_once(self) -> int:
        """Return how many epochs may go into one call: nobody waits for their figures, none but the last can end it."""
        estimator = self.estimator
        if self.incremental or self.held_out is not None or self.callbacks or estimator.verbose:
            return 1
        if self.engine.regime.visiting is ENTRIES:
            return 1
        patience = estimator.n_iter_no_change - estimator._no_improvement_count + 1
        return int(max(1, min(patience, estimator.max_iter - estimator.n_iter_, ROWS_AT_ONCE // len(self.train_rows))))

    def _next_epoch(self, e: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the order of rows and the steps of the next epoch, the e-th of a call; the optimiser moves on."""
        estimator, optimizer, rows = self.estimator, self.optimizer, len(self.train_rows)
        self.learning_rate = optimizer.learning_rate
        order = optimizer.next_order(estimator.shuffle)
        order = order if self.all_rows else self.train_rows[order]
        if self.steps is None or self.targets.weights.size:
            shares = shares_of(order, self.batch_size, self.targets.weights)
            self.steps = steps_of(rows, self.batch_size, 0.0, shares, estimator.alpha * shares)
        steps = self.steps.copy()
        steps[:, FIRST] += e * rows
        steps[:, SHRINKAGE] = self.learning_rate * estimator.weight_decay
        steps[:, RATE] = optimizer.rates(len(steps), (estimator.beta_1, estimator.beta_2))
        steps[:, SEED] = self._seeds(len(steps))
        optimizer.end_epoch(estimator, estimator.t_ + (e + 1) * rows)
        return order, steps

    def _record(self, loss: float, seconds: float) -> bool:
        """Record an epoch, and tell whether it is the last."""
        estimator = self.estimator
        estimator.n_iter_ += 1
        estimator.loss_ = loss
        estimator.t_ += len(self.train_rows)
        estimator.loss_curve_.append(loss)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
        # where only the parameters are not finite, the next loss tells, or scikit-learn's look at them in the end
        if not (math.isfinite(loss) and (self.held_out is None or self.engine.is_finite())):
            self._diverge()
            return True
        validation_loss, score = self._measure()
        ends = self._is_asked_to_end(loss, validation_loss, score, seconds)
        return ends or self._has_converged()

    # every step would have to look at all weights of sparse columns: the mean of before and after stands for them

    def _squares_of_sparse(self) -> float:
        if self.engine.regime.squares or not self.estimator.alpha:
            return 0.0
        return self.engine.sum_of_squares()

    def _penalty_of_sparse(self, steps: NDArray[np.float64], before: float) -> float:
        self.squares = self._squares_of_sparse()
        return mean_loss(steps[:, DECAY] / 2 * (before + self.squares) / 2, steps)

    def _seeds(self, count: int) -> NDArray[np.float64] | float:
        """Draw what tells the steps' dropout apart; without it, scikit-learn's random numbers stay as they are."""
        if self.engine.regime.dropout == NO_DROPOUT:
            return 0.0
        return np.asarray(self.optimizer.random.randint(0, 2**32, count, np.uint32), np.float64)

    def _measure(self) -> tuple[float | None, float | None]:
        """Return loss and score on the rows held out, if there are any, and keep the parameters if these are best."""
        estimator, held_out = self.estimator, self.held_out
        if held_out is None:
            note_loss(estimator)
            return None, None
        X = translate.as_rows(held_out.X, self.engine.dtype)
        scores, _ = self.engine.predictor.outputs(X, held_out.X.shape[0], probabilities=False)
        loss = held_out.loss(estimator, scores)
        estimator.validation_loss_curve_.append(loss)
        if not estimator.early_stopping:
            note_loss(estimator)
            return loss, None
        if estimator.scoring is not None:  # a scorer may look at the coefficients
            translate.store_parameters(estimator, self.engine)
        score = held_out.score(estimator)
        if note_score(estimator, score):
            self.best = self.engine.slots[0].copy()
        return loss, score

    # ---- ending ----

    def _is_asked_to_end(self, loss: float, validation_loss: float | None, score: float | None, seconds: float) -> bool:
        estimator = self.estimator
        if not self.callbacks:
            return False
        figures = EpochFigures(
            epoch=estimator.n_iter_,
            epochs=estimator.max_iter,
            loss=loss,
            validation_loss=validation_loss,
            validation_accuracy=None,
            learning_rate=self.learning_rate,
            seconds=seconds,
            rows=len(self.train_rows),
            validation_score=score,
        )
        return tell(self.callbacks, figures)

    def _has_converged(self) -> bool:
        estimator = self.estimator
        reason = why_to_end(estimator)
        if reason is None:
            return False
        if self.optimizer.end_without_progress(estimator, reason):
            return True
        estimator._no_improvement_count = 0
        return False

    def _diverge(self) -> None:
        """End where the loss is not finite any more: with the best parameters if they were kept, else by an error."""
        estimator = self.estimator
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
        """Keep the best coefficients of this and earlier calls for later ones, and set them."""
        estimator = self.estimator
        if self.best is not None:
            estimator._best_coefs, estimator._best_intercepts = estimator.coefs_, estimator.intercepts_
        estimator.coefs_ = [W.copy() for W in estimator._best_coefs]
        estimator.intercepts_ = [b.copy() for b in estimator._best_intercepts]


def _batch_size(estimator: Estimator, rows: int) -> int:
    if estimator.batch_size == "auto":
        return min(200, rows)
    if estimator.batch_size > rows:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=2
        )
    return int(min(estimator.batch_size, rows))


def _clip_norm(estimator: Estimator, sparse: bool) -> float:
    if estimator.clip_norm is None:
        return math.inf
    if sparse:
        raise ValueError(
            "clip_norm needs whole gradients, but of sparse X a step looks at few weights: use X.toarray()"
        )
    return float(estimator.clip_norm)


def _joined(arrays: tuple[NDArray[Any], ...]) -> NDArray[Any]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _warn(text: str) -> None:
    warnings.warn(text, ConvergenceWarning, stacklevel=2)
