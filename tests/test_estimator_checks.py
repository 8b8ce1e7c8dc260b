"""scikit-learn's own checks of what calls itself an estimator; none of them is expected to fail."""

import pytest
from estimator_data import OLD_LBFGS
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastmlp import MLPClassifier, MLPRegressor

# 100 epochs are what scikit-learn checks its own classes with: some checks want a score that takes so many.
INSTANCES = [
    MLPClassifier(max_iter=100),
    MLPClassifier(solver="sgd", learning_rate_init=0.05, max_iter=100),
    MLPClassifier(activation="silu", learning_rate_init=0.01, max_iter=100, weight_decay=1e-3, threads=1),
    MLPRegressor(max_iter=100),
    MLPRegressor(hidden_layer_sizes=20, solver="lbfgs", activation="tanh", max_iter=50),
    MLPRegressor(activation="gelu", max_iter=100, learning_rate_decay=0.999),
]


def every_check(instances):
    """Give parametrize_with_checks' marker a list: pytest warns of the generator that scikit-learn 1.7 leaves there."""
    mark = parametrize_with_checks(instances)
    names, cases = mark.args
    return pytest.mark.parametrize(names, list(cases), **mark.kwargs)


@pytest.mark.filterwarnings(OLD_LBFGS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@every_check(INSTANCES)
def test_what_every_estimator_does(estimator, check):
    check(estimator)
