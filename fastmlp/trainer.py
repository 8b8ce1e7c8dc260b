"""The Trainer: minibatch SGD over epochs, thin around the compiled engine."""

import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp import inputs
from fastmlp.architecture import Architecture
from fastmlp.engine import Engine, Parameters
from fastmlp.gradient import GRADIENT_ROWS, loss_and_gradient
from fastmlp.history import History
from fastmlp.kernels import rules
from fastmlp.kernels.activation import Choice
from fastmlp.kernels.gather import Rows
from fastmlp.kernels.inputs import Visiting
from fastmlp.kernels.targets import NO_WEIGHTS
from fastmlp.optimizer import rule_of
from fastmlp.options import Options
from fastmlp.parameters import check_parameters, initial_parameters, sizes_of
from fastmlp.state import TrainingState
from fastmlp.stream import Stream
from fastmlp.task import Classification, Task, task_of, untaught_task
from fastmlp.training import Callback, Samples, Source, Standing, train_epochs
from fastmlp.visiting import as_trained_on, regime_for


class Trainer:
    """Train a multilayer perceptron by minibatch SGD: hidden layers with ReLU, outputs for classes or values.

    The loss is mean(-log softmax(scores)[y]) + l2 * sum |W|^2, of a regression mean(|outputs - y|^2 / 2) + the same;
    biases are not regularised.

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
    threads : the most threads to use, None for as many as this process may; fewer work while that is faster, as beside
        other programs. Results never depend on it
    seed : of the initial weights and the order of rows; None for a new one each time
    max_steps : stop after so many minibatches, None for no limit
    solver : "sgd", or "adam" (Kingma and Ba, 2015; betas 0.9 and 0.999, epsilon 1e-8)
    learning_rate_schedule : "decay", or "linear": falling with each minibatch, to 0 after the last
    task : "classify", or "regress" for values y, which train best near a mean of 0 and a variance of 1
    activation : of the hidden layers: "identity", "logistic", "tanh", "relu", "leaky_relu", "silu" or "gelu"

    Attributes
    ----------
    classes_ : (C,) sorted labels of a classifier; history_ : History of the last fit; threads_ : the most threads that
    it used; compile_seconds : seconds that it waited for compiled kernels; interrupted : whether Ctrl-C ended it
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
        task: str = "classify",
        activation: str = "relu",
    ) -> None:
        named = {name: value for name, value in locals().items() if name in Options.__dataclass_fields__}
        self.options = Options(**named)
        self.compile_seconds = 0.0
        self.interrupted = False
        self.history_ = History()
        self._engine: Engine | None = None
        self._task: Task | None = None
        self._standing: Standing | None = None
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
        *,
        sample_weight: ArrayLike | None = None,
        state: TrainingState | None = None,
    ) -> History:
        """Train from new weights, or from those that ``parameters`` was set to since the last fit.

        X : (N, D) real numbers; uint8, float32 and float64 in C order are read where they are, never copied
            whole, but floats that are 0 to 255 times some unit are copied as bytes where these are multiplied faster
        y : (N,) integers or strings; of a regression (N,) or (N, outputs) real numbers
        validation_data : (X, y) to measure after each epoch
        callbacks : each is called with the EpochFigures of an epoch; one that returns True ends the training
        sample_weight : (N,) what each row counts in its minibatch's mean loss, at least 0; None for 1
        state : go on from here, as ``state()`` of a Trainer with the same options and data was: the result is that of a
            training that never stopped, bit for bit

        Ctrl-C ends training after whole minibatches, with a warning. Raises ValueError or TypeError for input that
        cannot be trained on, DivergedError when the loss stops being finite: the last finite parameters are kept.
        """
        matrix = self._checked(X)
        count = matrix.shape[0]
        task, truth = task_of(self.options.task, y, count)
        weights = inputs.check_weights(sample_weight, count)
        design, batch_size = self._design(task, matrix.shape[1]), min(self.options.batch_size, count)
        matrix, unit = as_trained_on(matrix, design, batch_size)
        engine = self._new_engine(design, matrix, batch_size)

        def source() -> Samples:
            rows = self._rows(matrix, engine.regime.visiting, unit)
            targets = task.targets(truth, engine.dtype, weights)
            return Samples(rows, truth, targets)

        return self._train(engine, task, source, validation_data, callbacks, state)

    def fit_stream(
        self,
        stream: Stream,
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        callbacks: Iterable[Callback] = (),
        *,
        state: TrainingState | None = None,
    ) -> History:
        """Train as ``fit`` does, on rows that lie on a disk and are in memory one window at a time.

        stream : the rows; ``options.task`` must be its task's
        """
        sample = stream.sample()
        design = self._design(stream.task, sample.shape[1])
        engine = self._new_engine(design, sample, min(self.options.batch_size, len(stream)))

        def source() -> Source:
            return stream.source(partial(self._rows, visiting=engine.regime.visiting), engine.dtype)

        return self._train(engine, stream.task, source, validation_data, callbacks, state)

    def _train(
        self,
        engine: Engine,
        task: Task,
        new_source: Callable[[], Source],
        validation_data: tuple[ArrayLike, ArrayLike] | None,
        callbacks: Iterable[Callback],
        state: TrainingState | None,
    ) -> History:
        checked_callbacks = inputs.check_callbacks(callbacks)
        held_out = None if validation_data is None else self._held_out(validation_data, engine.sizes[0], task)
        standing, start = self._starting(engine, state)
        began = time.perf_counter()
        with engine.compiling():
            source = new_source()
            engine.predictor.compile(source.rows)
        self.compile_seconds = time.perf_counter() - began
        for slot, numbers in enumerate(start):
            engine.write(numbers, slot)
        self._engine, self._task, self._standing, self._start = engine, task, standing, None
        self.history_, self.interrupted = standing.history, False
        try:
            train_epochs(engine, self.options, task, source, held_out, checked_callbacks, standing)
        except KeyboardInterrupt:
            self.interrupted = True
            warnings.warn("Training interrupted by user.", stacklevel=3)
        return self.history_

    def state(self) -> TrainingState:
        """Return copies of all that the training needs to go on from the last whole epoch; callbacks may ask for it."""
        engine = self._fitted()
        if self._standing is None:
            raise ValueError("this Trainer has not been trained: there is no training to go on with")
        return self._standing.state(engine)

    def _starting(self, engine: Engine, state: TrainingState | None) -> tuple[Standing, Sequence[Parameters]]:
        """Return where the training starts, and the numbers in the engine's slots there."""
        random = np.random.default_rng(self.options.seed)
        if state is None:
            return Standing(random, History()), [self._starting_parameters(engine.sizes, random)]
        if sizes_of(state.slots[0]) != engine.sizes or len(state.slots) != len(engine.slots):
            raise ValueError(
                f"state must be of layers {engine.sizes} and solver={self.options.solver!r} as the options and the "
                f"data have them, got {sizes_of(state.slots[0])} and {len(state.slots)} numbers for each weight"
            )
        random.bit_generator.state = state.random
        return Standing(random, state.history.copy(), state.steps), state.slots

    def _design(self, task: Task, columns: int) -> Architecture:
        """Return the network that the options ask for, for rows of so many columns."""
        options = self.options
        sizes = (columns, *options.hidden, task.outputs)
        return Architecture(sizes, np.dtype(options.dtype), options.activation, task.loss)

    def _new_engine(self, design: Architecture, X: Any, batch_size: int, rule: Choice | None = None) -> Engine:
        """Return an engine to train a network on the matrix X."""
        options = self.options
        chosen = rule or rule_of(options.solver, options.momentum, options.nesterov)
        return Engine(design, regime_for(X, design, batch_size, chosen, options.threads))

    def _checked(self, X: Any, name: str = "X", columns: int | None = None) -> Any:
        return inputs.check_X(X, np.dtype(self.options.dtype), name, columns)

    def _rows(self, X: Any, visiting: Visiting | None = None, unit: float = 1.0) -> Rows:
        return inputs.rows_of_matrix(X, float(self.options.input_scale) * unit, self.options.dtype, visiting)

    def _held_out(self, validation_data: tuple[ArrayLike, ArrayLike], columns: int, task: Task) -> Samples:
        try:
            X, y = validation_data
        except (TypeError, ValueError):
            raise TypeError("validation_data must be a pair (X, y)") from None
        matrix = self._checked(X, "validation X", columns)
        truth = task.encode(y, matrix.shape[0], "validation y")
        return Samples(self._rows(matrix), truth, task.targets(truth, np.dtype(self.options.dtype), NO_WEIGHTS))

    def _starting_parameters(self, sizes: tuple[int, ...], random: np.random.Generator) -> Mapping[str, NDArray[Any]]:
        if self._start is None:
            return initial_parameters(sizes, self.options.init, random)
        if sizes_of(self._start) != sizes:
            raise ValueError(
                f"parameters were set for layers {sizes_of(self._start)}, the data and hidden need {sizes}"
            )
        return self._start

    # ---- using ----

    @property
    def classes_(self) -> NDArray[Any]:
        """The sorted labels (C,) of a classifier."""
        task = self._task
        if not isinstance(task, Classification):
            raise AttributeError("classes_ is there after fit, of a Trainer with task='classify'")
        return task.classes

    def decision_function(self, X: ArrayLike) -> NDArray[Any]:
        """Return the scores (N, C) of rows X (N, D), in the order of ``classes_``; of a regression the outputs."""
        return self._outputs(X, probabilities=False)

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Return the probabilities (N, C) of rows X (N, D), in the order of ``classes_``."""
        if self.options.task != "classify":
            raise ValueError("predict_proba needs task='classify': a regression predicts values")
        return self._outputs(X, probabilities=True)

    def _outputs(self, X: Any, probabilities: bool) -> NDArray[Any]:
        engine = self._fitted()
        matrix = inputs.check_matrix(X, engine.dtype, columns=engine.sizes[0])
        outputs, finite = engine.predictor.outputs(self._rows(matrix), matrix.shape[0], probabilities)
        if not finite:
            inputs.refuse_not_finite(matrix, engine.dtype)
        return outputs

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the most probable label of each of the rows X (N, D), or the values that a regression predicts."""
        scores = self.decision_function(X)
        return self._learned().predictions(scores)

    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """Return the share of the rows X (N, D) whose label ``predict`` gets right; of a regression R2."""
        scores = self.decision_function(X)
        task = self._learned()
        if isinstance(task, Classification):  # labels that training has not seen are wrong, not refused
            return float((task.predictions(scores) == inputs.check_y(y, len(scores))).mean())
        return task.measure(scores, task.encode(y, len(scores)))[1]

    @property
    def threads_(self) -> int:
        """The most threads that training used."""
        return self._fitted().members

    def _fitted(self) -> Engine:
        if self._engine is None:
            raise ValueError("this Trainer has no parameters yet: call fit first, or set parameters")
        return self._engine

    def _learned(self) -> Task:
        self._fitted()
        assert self._task is not None  # set together with the engine
        return self._task

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
            nothing = np.zeros((1, sizes[0]), self.options.dtype)
            self._task = untaught_task(self.options.task, sizes[-1])
            design = self._design(self._task, sizes[0])
            self._engine = self._new_engine(design, nothing, self.options.batch_size)
            self._engine.predictor.compile(self._rows(nothing))
        self._engine.write(checked)
        self._start = checked

    def loss_and_gradients(self, X: ArrayLike, y: ArrayLike) -> tuple[float, dict[str, NDArray[Any]]]:
        """Return the loss over all rows, and its gradients, named and shaped as ``parameters``.

        y holds labels of ``classes_``, or values. The parameters stay as they are.
        """
        fitted, task = self._fitted(), self._learned()
        matrix = self._checked(X, columns=fitted.sizes[0])
        count = matrix.shape[0]
        targets = task.targets(task.encode(y, count), fitted.dtype, NO_WEIGHTS)
        engine = self._new_engine(fitted.architecture, matrix, min(GRADIENT_ROWS, count), rules.ACCUMULATE)
        data = self._rows(matrix, engine.regime.visiting)
        engine.compile()
        with loss_and_gradient(engine, data, targets, count, task.loss_factor) as evaluate:
            return evaluate(fitted.read(), 2 * self.options.l2)
