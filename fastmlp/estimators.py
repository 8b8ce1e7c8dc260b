"""Drop-in replacements of scikit-learn's MLPClassifier and MLPRegressor.

They are subclasses: parameters, checks, targets, random numbers and fitted attributes are scikit-learn's own. What
trains and predicts is the compiled engine (``fastmlp.fitting``).
"""

from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import sklearn.neural_network
from numpy.typing import ArrayLike
from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from fastmlp import shortcuts
from fastmlp.checkpoints import Checkpoints
from fastmlp.fitting import CompiledFit
from fastmlp.options import ACTIVATIONS

_EXTRA_CONSTRAINTS: dict[str, list[Any]] = {
    "activation": [StrOptions(set(ACTIVATIONS))],
    "threads": [Interval(Integral, 1, None, closed="left"), None],
    "time_budget": [Interval(Real, 0, None, closed="neither"), None],
    "learning_rate_decay": [Interval(Real, 0, None, closed="neither"), None],
    "callbacks": ["array-like", HasMethods("__iter__"), None],
    "scoring": [StrOptions(set(get_scorer_names())), callable, None],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "resume": ["boolean", Checkpoints],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "input_dropout": [Interval(Real, 0, 1, closed="left")],
    "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
}


class _Estimator(CompiledFit):
    """What both estimators add to scikit-learn's."""

    def _set_parameters(self, parent: Any, given: dict[str, Any]) -> None:
        """Set the parameters, those of scikit-learn's class by its own constructor."""
        del given["self"]
        parent.__init__(self, **{name: given.pop(name) for name in shortcuts.parameter_names(parent)})
        vars(self).update(given)


class MLPClassifier(_Estimator, sklearn.neural_network.MLPClassifier):
    """A multilayer perceptron that classifies: scikit-learn's ``MLPClassifier``, trained by compiled kernels.

    Every parameter, attribute and method of scikit-learn's class means the same here, and with the same
    ``random_state`` the same numbers are drawn. The parameters below are further ones, all keyword-only.

    Parameters
    ----------
    activation : also "leaky_relu" (max(z, 0.01 z)), "silu" (z / (1 + exp(-z))) and "gelu" (its tanh form, Hendrycks and
        Gimpel, 2016)
    class_weight : None, "balanced" or {class: weight}; multiplies ``sample_weight`` as elsewhere in scikit-learn
    label_smoothing : share e of each label's probability that goes to all C classes alike: (1 - e) [c = y] + e / C
        (Szegedy et al., 2016, section 7); of a binary or multilabel target, (1 - e) y + e / 2
    threads : the most threads to use, None for as many as this process may; fewer work while that is faster, as beside
        other programs. Results never depend on it
    time_budget : seconds after which training ends, with the epoch that is under way
    learning_rate_decay : multiplies the learning rate after each epoch
    callbacks : functions that are called with each epoch's figures (``fastmlp.history.EpochFigures``); one that returns
        True ends the training
    scoring : what ``early_stopping`` looks at: a scorer or its name; None for ``score``
    weight_decay : decoupled weight decay w: a step also takes learning_rate * w * W off the weights (AdamW; Loshchilov
        and Hutter, 2019, algorithm 2), for solver "adam"
    resume : with ``warm_start``, go on with the optimiser's state, the random numbers and the learning rate of the last
        fit: N epochs and then M are the same, bit for bit, as N + M. With ``early_stopping`` it goes on from the last
        weights, not from the best ones that it restored, unless others have been set since.
        ``fastmlp.Checkpoints()``, without ``warm_start``: go on from an earlier, shorter fit of an equal estimator on
        the same data, as searches with ``resource="max_iter"`` make them
    dropout, input_dropout : probabilities with which a hidden unit, or an input, is left out of a row of a minibatch;
        the others grow by 1 / (1 - probability) (Srivastava et al., 2014)
    clip_norm : the most that the norm of a step's gradient, of all weights and biases, may be: longer ones are
        shortened to it (Pascanu, Mikolov and Bengio, 2013, algorithm 1). Of sparse X a step then takes time for all
        weights, and not for its entries alone

    Attributes
    ----------
    loss_curve_ : as scikit-learn's; of sparse X with entries in less than an eighth of its places, and without
        ``clip_norm``, alpha's penalty in it is the mean of that before and after the epoch, as steps do not look at all
        weights
    validation_loss_curve_ : the loss after each epoch on rows held out, without the penalty; of ``early_stopping`` or
        ``fit(..., X_val=, y_val=)``
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **sklearn.neural_network.MLPClassifier._parameter_constraints,
        **_EXTRA_CONSTRAINTS,
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        hidden_layer_sizes: ArrayLike = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        class_weight: Mapping[Any, float] | str | None = None,
        label_smoothing: float = 0.0,
        threads: int | None = None,
        time_budget: float | None = None,
        learning_rate_decay: float | None = None,
        callbacks: Iterable[Callable[[Any], object]] | None = None,
        scoring: str | Callable[..., float] | None = None,
        weight_decay: float = 0.0,
        resume: bool | Checkpoints = False,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:
        self._set_parameters(sklearn.neural_network.MLPClassifier, dict(locals()))

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> "MLPClassifier":
        """Train on X (N, D) and y, (N,) labels or (N, C) zeros and ones, and return self.

        sample_weight : (N,), what each row counts
        X_val, y_val : rows to measure after each epoch; ``early_stopping`` uses these and sets none aside
        """
        with self._holding_out(X_val, y_val):
            sklearn.neural_network.MLPClassifier.fit(self, X, y, sample_weight)
        return self

    def _validate_input(self, X: Any, y: Any, incremental: bool, reset: bool) -> tuple[Any, Any]:
        plain = shortcuts.plain_classes(X, y) if reset and not self.warm_start else None
        if plain is None:
            checked: tuple[Any, Any] = super()._validate_input(X, y, incremental, reset)
            return checked
        self._label_binarizer, targets = plain
        self.classes_ = self._label_binarizer.classes_
        self.n_features_in_ = X.shape[1]
        self.__dict__.pop("feature_names_in_", None)
        return X, targets


class MLPRegressor(_Estimator, sklearn.neural_network.MLPRegressor):
    """A multilayer perceptron for numbers: scikit-learn's ``MLPRegressor``, trained by compiled kernels.

    Every parameter, attribute and method of scikit-learn's class means the same here, and with the same
    ``random_state`` the same numbers are drawn. Further parameters, all keyword-only, are those of
    ``fastmlp.MLPClassifier``, but for ``class_weight`` and ``label_smoothing``.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **sklearn.neural_network.MLPRegressor._parameter_constraints,
        **_EXTRA_CONSTRAINTS,
    }
    class_weight, label_smoothing = None, 0.0

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: ArrayLike = (100,),
        activation: str = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        threads: int | None = None,
        time_budget: float | None = None,
        learning_rate_decay: float | None = None,
        callbacks: Iterable[Callable[[Any], object]] | None = None,
        scoring: str | Callable[..., float] | None = None,
        weight_decay: float = 0.0,
        resume: bool | Checkpoints = False,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        clip_norm: float | None = None,
    ) -> None:
        self._set_parameters(sklearn.neural_network.MLPRegressor, dict(locals()))

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> "MLPRegressor":
        """Train on X (N, D) and y, (N,) or (N, C) numbers, and return self.

        sample_weight : (N,), what each row counts
        X_val, y_val : rows to measure after each epoch; ``early_stopping`` uses these and sets none aside
        """
        with self._holding_out(X_val, y_val):
            sklearn.neural_network.MLPRegressor.fit(self, X, y, sample_weight)
        return self
