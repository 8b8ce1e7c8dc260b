"""How the estimators train and predict: scikit-learn's private seams, carried out by the engine.

scikit-learn's ``fit`` checks parameters and data and draws the first weights, then calls ``_fit_stochastic`` or
``_loss_grad_lbfgs``; its ``predict`` calls ``_forward_pass_fast``. Those, and ``_fit`` around them, are replaced here.
``tests/test_sklearn_own.py`` tells if a release of scikit-learn moves them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.utils import compute_sample_weight
from sklearn.utils.validation import validate_data

from fastmlp import inputs, shortcuts, translate
from fastmlp.checkpoints import Continuation, continuation_of
from fastmlp.engine import Engine, Regime
from fastmlp.errors import DivergedError
from fastmlp.gradient import GRADIENT_ROWS, Evaluate, loss_and_gradient
from fastmlp.heldout import check_held_out
from fastmlp.kernels import rules
from fastmlp.optimizer import Optimizer
from fastmlp.seeding import seeded
from fastmlp.stochastic import StochasticFit
from fastmlp.threads import thread_limit
from fastmlp.visiting import as_trained_on, regime_for

_OUTPUT_ACTIVATIONS = {
    "identity": lambda scores: scores,
    "logistic": lambda scores: expit(scores, out=scores),
    "exp": lambda scores: np.exp(scores, out=scores),
}
_PREDICTING: WeakKeyDictionary[Any, Engine] = WeakKeyDictionary()
"""What estimators predict with, apart from them: predicting must not change an estimator."""

_ONLY_FOR = {
    "weight_decay": ("adam",),
    **dict.fromkeys(("dropout", "input_dropout", "clip_norm", "learning_rate_decay"), ("sgd", "adam")),
    **dict.fromkeys(("callbacks", "time_budget", "scoring"), ("sgd", "adam")),
}
"""The solvers that can do what is asked for; of scikit-learn's own parameters, those for other solvers mean nothing."""


class CompiledFit:
    """What replaces scikit-learn's arithmetic in a subclass of its estimators."""

    _given: tuple[Any, Any] | None = None  # X_val and y_val while fit runs
    _divergence: str | None = None  # why training ended, where it diverged
    _continuation: Continuation | None = None  # while fit runs
    # what scikit-learn's classes have
    alpha: float
    early_stopping: bool
    out_activation_: str
    solver: str
    coefs_: list[NDArray[Any]]
    _unpack: Callable[[NDArray[Any]], None]
    # what the estimators add
    class_weight: Any
    resume: Any
    threads: int | None
    warm_start: bool
    # what is kept for later calls
    _optimizer: Optimizer | None = None

    # ---- training ----

    @contextmanager
    def _holding_out(self, X_val: Any, y_val: Any) -> Iterator[None]:
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be given together")
        if X_val is not None:
            self._given = (X_val, y_val)
        try:
            yield
        finally:
            self.__dict__.pop("_given", None)

    def _fit(self, X: Any, y: Any, sample_weight: Any = None, incremental: bool = False) -> Any:
        """Fit, or leave everything as it was. Raises DivergedError where the parameters or the loss are not finite."""
        before = {name: list(value) if isinstance(value, list) else value for name, value in vars(self).items()}
        try:
            self._refuse_unused()
            inputs.refuse_broken(X)
            weights = self._weights(y, sample_weight, incremental)
            if not (incremental or (self.warm_start and hasattr(self, "coefs_"))):
                self._continuation = continuation_of(self, (X, y, weights, self._given))
            with seeded(self):
                super()._fit(X, y, sample_weight=weights, incremental=incremental)  # type: ignore[misc]
            if self._divergence is not None:
                raise DivergedError(self._divergence)
            vars(self).pop("_continuation", None)
            return self
        except BaseException as error:
            divergence = self._divergence
            vars(self).clear()
            vars(self).update(before)
            if divergence is not None and not isinstance(error, DivergedError):
                raise DivergedError(f"{error} {divergence}") from None
            raise

    def _refuse_unused(self) -> None:
        """Raise ValueError for what the solver could only ignore."""
        for name, solvers in _ONLY_FOR.items():
            value = getattr(self, name)
            if value is not None and value != 0 and self.solver not in solvers:
                raise ValueError(
                    f"{name}={value!r} needs solver {' or '.join(map(repr, solvers))}, got {self.solver!r}"
                )
        if self._given is not None and self.solver == "lbfgs":
            raise ValueError("X_val and y_val need solver 'sgd' or 'adam', got 'lbfgs'")

    def _weights(self, y: Any, sample_weight: Any, incremental: bool) -> Any:
        """Return the weights of rows, those of their classes counted."""
        if self.class_weight is None:
            return sample_weight
        if incremental and self.class_weight == "balanced":
            raise ValueError("class_weight='balanced' needs all rows at once: give partial_fit a dict of weights")
        weights = compute_sample_weight(self.class_weight, y)
        return weights if sample_weight is None else weights * np.asarray(sample_weight)

    def _validate_params(self) -> None:
        if not shortcuts.are_known_to_be_valid(self):
            super()._validate_params()  # type: ignore[misc]
            shortcuts.note_valid(self)

    def _initialize(self, y: Any, layer_units: Any, dtype: Any) -> None:
        if self._continuation is not None and self._continuation.restore(self):
            return
        super()._initialize(y, layer_units, dtype)  # type: ignore[misc]
        self.validation_loss_curve_: list[float] = []
        self._optimizer = None

    def _fit_stochastic(
        self, X: Any, y: Any, sample_weight: Any, activations: Any, deltas: Any, coef_grads: Any, intercept_grads: Any,
        layer_units: Any, incremental: bool,
    ) -> None:  # fmt: skip
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        given = None if self._given is None else check_held_out(self, *self._given)
        found = None if self._continuation is None else self._continuation.found
        if found is not None and found.has_converged:
            return
        self.n_iter_ = 0 if found is None else found.epochs
        has_converged = StochasticFit(self, X, y, sample_weight, given, incremental).run()
        if self._continuation is not None and has_converged is not None:
            self._continuation.keep(self, has_converged)

    def _fit_lbfgs(self, X: Any, y: Any, sample_weight: Any, *scratch: Any) -> None:
        with self._evaluator(X, y, sample_weight) as self._evaluate:
            try:
                super()._fit_lbfgs(X, y, sample_weight, *scratch)  # type: ignore[misc]
            finally:
                del self._evaluate

    def _loss_grad_lbfgs(
        self, packed: NDArray[Any], X: Any, y: Any, sample_weight: Any, *scratch: Any
    ) -> tuple[float, NDArray[Any]]:
        if not hasattr(self, "_evaluate"):
            with self._evaluator(X, y, sample_weight) as self._evaluate:
                try:
                    return self._loss_grad_lbfgs(packed, X, y, sample_weight)
                finally:
                    del self._evaluate
        self._unpack(packed)
        total = X.shape[0] if sample_weight is None else sample_weight.sum()
        loss, gradients = self._evaluate(translate.parameters_of(self), self.alpha / total)
        coefs, intercepts = translate.coefficients_of(gradients)
        return loss, np.concatenate([gradient.ravel() for gradient in coefs + intercepts])

    @contextmanager
    def _evaluator(self, X: Any, y: Any, sample_weight: Any) -> Iterator[Evaluate]:
        dtype = np.dtype(np.float64)  # of the numbers that L-BFGS works on, whatever that of X is
        design = translate.architecture_of(self, dtype)
        batch_size = min(GRADIENT_ROWS, X.shape[0])
        matrix, unit = as_trained_on(translate.as_matrix(X, dtype), design, batch_size)
        engine = Engine(design, regime_for(matrix, design, batch_size, rules.ACCUMULATE, self.threads))
        rows = inputs.rows_of_matrix(matrix, unit, dtype, engine.regime.visiting)
        engine.compile()
        with loss_and_gradient(
            engine, rows, translate.as_targets(self, y, sample_weight, dtype), X.shape[0]
        ) as evaluate:
            yield evaluate

    # ---- predicting ----

    def _forward_pass_fast(self, X: Any, check_input: bool = True) -> NDArray[Any]:
        """Return the outputs (N, C) of rows X (N, D)."""
        if check_input:
            inputs.refuse_broken(X)
            X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        engine = self._engine_to_predict(X)
        is_softmax = self.out_activation_ == "softmax"
        outputs, _ = engine.predictor.outputs(translate.as_rows(X, engine.dtype), X.shape[0], is_softmax)
        return outputs if is_softmax else _OUTPUT_ACTIVATIONS[self.out_activation_](outputs)

    def _engine_to_predict(self, X: Any) -> Engine:
        """Return an engine with the coefficients as they are now: they are attributes that anyone may set."""
        live: Engine | None = getattr(self, "_live", None)
        if live is not None:
            return live
        dtype = np.result_type(X.dtype, self.coefs_[0].dtype)
        design = translate.architecture_of(self, dtype if dtype == np.float32 else np.float64)
        engine = _PREDICTING.get(self)
        if engine is None or engine.architecture != design:
            engine = _PREDICTING[self] = Engine(design, Regime(1, rules.SGD, thread_limit(self.threads)))
        translate.load_parameters(self, engine)
        return engine
