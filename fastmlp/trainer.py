"""The Trainer: minibatch SGD over epochs, thin around the compiled engine."""

import time
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import inputs
from fastmlp.architecture import Architecture
from fastmlp.engine import Engine, Regime
from fastmlp.gradient import GRADIENT_ROWS, loss_and_gradient
from fastmlp.history import History
from fastmlp.kernels import update
from fastmlp.kernels.activation import Choice
from fastmlp.kernels.gather import Rows, rows_of
from fastmlp.kernels.sparse import sparse_rows_of
from fastmlp.kernels.targets import labels_of
from fastmlp.optimizer import rule_of
from fastmlp.options import Options
from fastmlp.parameters import check_parameters, initial_parameters, sizes_of
from fastmlp.threads import thread_limit
from fastmlp.training import Callback, Samples, train_epochs
from fastmlp.visiting import to_visit


class Trainer:
    """Train a multilayer perceptron classifier: ReLU layers, softmax, minibatch SGD.

    The loss is mean(-log softmax(scores)[y]) + l2 * sum |W|^2; biases are not regularised.

    Parameters
    ----------
    hidden : widths of the hidden layers, none for softmax regression
    learning_rate, learning_rate_decay : the rate, and what multiplies it after each epoch
    l2 : weight of the penalty; its gradient is 2 * l2 * W
    batch_size : rows a minibatch; a shorter last one is trained too
    epochs : passes over N rows each
    momentum, nesterov : V = momentum V - rate dW; W += V, or W += momentum V - rate dW
    sampling : "shuffle" visits every row once an epoch; "choice" draws N rows an epoch with replacement
    input_scale : multiplies inputs as a minibatch is gathered (1 / 255 for pixels that stay uint8 in memory)
    init : "he" (normal, variance 2 / inputs; He et al., 2015) or a number, the standard deviation of normal weights
    dtype : "float32" or "float64", of parameters and arithmetic
    threads : the most threads to use; None for as many as this process may. Results never depend on it
    seed : of the initial weights and the order of rows; None for a new one each time
    max_steps : stop after so many minibatches, None for no limit
    solver : "sgd", or "adam" (Kingma and Ba, 2015; betas 0.9 and 0.999, epsilon 1e-8)
    learning_rate_schedule : "decay", or "linear": falling with each minibatch, to 0 after the last

    Attributes
    ----------
    classes_ : (C,) sorted labels; history_ : History of the last fit; threads_ : threads used for training;
    compile_seconds : seconds that the last fit waited for compiled kernels; interrupted : whether Ctrl-C ended it
    """

    def __init__(
        self,
        hidden: Iterable[int] | int = (128,),
        learning_rate: float = 0.1,
        learning_rate_decay: float = 0.95,
        l2: float = 1e-4,
        batch_size: int = 128,
        epochs: int = 10,
        momentum: float = 0.0,
        nesterov: bool = False,
        sampling: str = "shuffle",
        input_scale: float = 1.0,
        init: str | float = "he",
        dtype: str = "float32",
        threads: int | None = None,
        seed: int | None = 0,
        max_steps: int | None = None,
        solver: str = "sgd",
        learning_rate_schedule: str = "decay",
    ) -> None:
        named = {name: value for name, value in locals().items() if name in Options.__dataclass_fields__}
        self.options = Options(**named)
        self.compile_seconds = 0.0
        self.interrupted = False
        self.history_ = History()
        self._engine: Engine | None = None
        self._start: dict[str, NDArray[Any]] | None = None

    def __repr__(self) -> str:
        """Show the options that differ from the defaults."""
        default = Options()
        shown = (
            f"{name}={value!r}"
            for name in Options.__dataclass_fields__
            if (value := getattr(self.options, name)) != getattr(default, name)
        )
        return f"Trainer({', '.join(shown)})"

    # ---- training ----

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        callbacks: Iterable[Callback] = (),
    ) -> History:
        """Train from new weights, or from those that ``parameters`` was set to since the last fit.

        X : (N, D) real numbers; uint8, float32 and float64 in C order are read where they are, never copied whole
        y : (N,) integers or strings
        validation_data : (X, y) to measure after each epoch
        callbacks : each is called with the EpochFigures of an epoch; one that returns True ends the training

        Ctrl-C ends training after whole minibatches, with a warning. Raises ValueError or TypeError for input that
        cannot be trained on, DivergedError when the loss stops being finite: the last finite parameters are kept.
        """
        matrix = self._checked(X)
        classes, numbers = inputs.find_classes(inputs.check_y(y, matrix.shape[0]))
        held_out = None if validation_data is None else self._held_out(validation_data, matrix.shape[1], classes)
        checked_callbacks = inputs.check_callbacks(callbacks)
        sizes = (matrix.shape[1], *self.options.hidden, len(classes))
        random = np.random.default_rng(self.options.seed)
        start = self._starting_parameters(sizes, random)

        batch_size = min(self.options.batch_size, len(numbers))
        engine = self._new_engine(sizes, self._rule(), batch_size, matrix)
        began = time.perf_counter()
        data = self._rows(matrix)
        targets = labels_of(numbers, engine.dtype)
        validation = (
            None if held_out is None else Samples(self._rows(held_out[0]), labels_of(held_out[1], engine.dtype))
        )
        engine.compile(data)
        engine.predictor.compile(data)
        self.compile_seconds = time.perf_counter() - began
        engine.write(start)
        self._engine, self.classes_, self._start = engine, classes, None
        self.history_, self.interrupted = History(), False
        try:
            train_epochs(
                engine, self.options, Samples(data, targets), validation, checked_callbacks, random, self.history_
            )
        except KeyboardInterrupt:
            self.interrupted = True
            warnings.warn("Training interrupted by user.", stacklevel=2)
        return self.history_

    def _rule(self) -> Choice:
        return rule_of(self.options.solver, self.options.momentum, self.options.nesterov)

    def _new_engine(self, sizes: tuple[int, ...], rule: Choice, batch_size: int, X: Any = None) -> Engine:
        """Return an engine to train on the matrix X, or on nothing yet."""
        threads = thread_limit(self.options.threads)
        visits = to_visit(X, sizes[1])
        return Engine(Architecture(sizes, np.dtype(self.options.dtype)), Regime(batch_size, rule, threads, *visits))

    def _checked(self, X: Any, name: str = "X", columns: int | None = None) -> Any:
        return inputs.check_X(X, np.dtype(self.options.dtype), name, columns)

    def _rows(self, X: Any) -> Rows:
        describe = sparse_rows_of if inputs.is_sparse(X) else rows_of
        return describe(X, float(self.options.input_scale), self.options.dtype)

    def _held_out(
        self, validation_data: tuple[ArrayLike, ArrayLike], columns: int, classes: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        try:
            X, y = validation_data
        except (TypeError, ValueError):
            raise TypeError("validation_data must be a pair (X, y)") from None
        matrix = self._checked(X, "validation X", columns)
        labels = inputs.check_y(y, matrix.shape[0], "validation y")
        return matrix, inputs.class_numbers(labels, classes, "validation y")

    def _starting_parameters(self, sizes: tuple[int, ...], random: np.random.Generator) -> Mapping[str, NDArray[Any]]:
        if self._start is None:
            return initial_parameters(sizes, self.options.init, random)
        if sizes_of(self._start) != sizes:
            raise ValueError(
                f"parameters were set for layers {sizes_of(self._start)}, the data and hidden need {sizes}"
            )
        return self._start

    # ---- using ----

    def decision_function(self, X: ArrayLike) -> NDArray[Any]:
        """Return the scores (N, C) of rows X (N, D), in the order of ``classes_``."""
        return self._outputs(X, probabilities=False)

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Return the probabilities (N, C) of rows X (N, D), in the order of ``classes_``."""
        return self._outputs(X, probabilities=True)

    def _outputs(self, X: Any, probabilities: bool) -> NDArray[Any]:
        engine = self._fitted()
        matrix = inputs.check_matrix(X, engine.dtype, columns=engine.sizes[0])
        outputs, finite = engine.predictor.outputs(self._rows(matrix), matrix.shape[0], probabilities)
        if not finite:
            inputs.refuse_not_finite(matrix, engine.dtype)
        return outputs

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable label of each of the rows X (N, D)."""
        scores = self.decision_function(X)
        labels: NDArray[Any] = self.classes_[scores.argmax(axis=1)]
        return labels

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Return the share of the rows X (N, D) whose label ``predict`` gets right."""
        predicted = self.predict(X)
        return float((predicted == inputs.check_y(y, len(predicted))).mean())

    @property
    def threads_(self) -> int:
        """Threads that training used."""
        return self._fitted().members

    def _fitted(self) -> Engine:
        if self._engine is None:
            raise ValueError("this Trainer has no parameters yet: call fit first, or set parameters")
        return self._engine

    # ---- parameters ----

    @property
    def parameters(self) -> dict[str, NDArray[Any]]:
        """The weights and biases, copies: {"W1": (D, H), "b1": (H,), ..., in the chosen dtype}.

        Setting them sets what predicts, and where the next fit starts.
        """
        return self._fitted().read()

    @parameters.setter
    def parameters(self, parameters: Mapping[str, ArrayLike]) -> None:
        checked = check_parameters(parameters, self.options)
        sizes = sizes_of(checked)
        if self._engine is None or self._engine.sizes != sizes:
            if self._engine is not None:
                raise ValueError(f"parameters must be of layers {self._engine.sizes} as fitted, got {sizes}")
            self._engine = self._new_engine(sizes, self._rule(), self.options.batch_size)
            self._engine.predictor.compile(self._rows(np.zeros((1, sizes[0]), self.options.dtype)))
            self.classes_ = np.arange(sizes[-1])
        self._engine.write(checked)
        self._start = checked

    def loss_and_gradients(self, X: ArrayLike, y: ArrayLike) -> tuple[float, dict[str, NDArray[Any]]]:
        """Return the loss over all rows, and its gradients, named and shaped as ``parameters``.

        y holds labels of ``classes_``. The parameters stay as they are.
        """
        fitted = self._fitted()
        matrix = self._checked(X, columns=fitted.sizes[0])
        numbers = inputs.class_numbers(inputs.check_y(y, matrix.shape[0]), self.classes_, "y")
        data, count = self._rows(matrix), matrix.shape[0]
        engine = self._new_engine(fitted.sizes, update.ACCUMULATE, min(GRADIENT_ROWS, count), matrix)
        engine.compile(data)
        with loss_and_gradient(engine, data, labels_of(numbers, engine.dtype), count) as evaluate:
            return evaluate(fitted.read(), 2 * self.options.l2)
