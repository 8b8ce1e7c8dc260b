"""scikit-learn's own tests of its MLPs, as they come with the installed version, run on fastmlp's classes."""

import importlib.util
import sys

import pytest
import sklearn.neural_network
from estimator_data import OLD_LBFGS

import fastmlp

SOURCE = "sklearn.neural_network.tests.test_mlp"
# Tests that cannot pass here, with the reason; a test that passes in spite of standing here fails.
EXCEPTIONS = {}

pytestmark = [
    # scikit-learn's tests let it pass where it is not their subject, as theirs do not make errors of warnings
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings(OLD_LBFGS),
]


def execute(spec):
    """Run the module anew, beside any that others import, with fastmlp's classes in the place of scikit-learn's.

    Parametrized tests keep the classes that they see while the module runs, so the names are exchanged before.
    """
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sklearn.neural_network, "MLPClassifier", fastmlp.MLPClassifier)
        patch.setattr(sklearn.neural_network, "MLPRegressor", fastmlp.MLPRegressor)
        spec.loader.exec_module(module)
    return module


def own_tests():
    """Return the module, or None where scikit-learn was installed without its tests."""
    pytest.register_assert_rewrite(SOURCE)
    try:
        spec = importlib.util.find_spec(SOURCE)
    except ModuleNotFoundError:
        spec = None
    return execute(spec) if spec else None


def unless_excepted(name, test):
    return pytest.mark.xfail(reason=EXCEPTIONS[name])(test) if name in EXCEPTIONS else test


OWN = own_tests()
if OWN is None:
    pytest.skip("this scikit-learn was installed without its tests", allow_module_level=True)
OWN_TESTS = {name: unless_excepted(name, test) for name, test in vars(OWN).items() if name.startswith("test_")}
globals().update(OWN_TESTS)


@pytest.fixture
def global_random_seed():
    """Stand in for the fixture of scikit-learn's test suite, which takes 42 where it is not told otherwise."""
    return 42


def test_fastmlp_is_what_was_tested():
    assert (OWN.MLPClassifier, OWN.MLPRegressor) == (fastmlp.MLPClassifier, fastmlp.MLPRegressor)
    assert len(OWN_TESTS) > 40
    assert OWN_TESTS.keys() >= EXCEPTIONS.keys()


def test_scikit_learn_is_as_it_was():
    assert sklearn.neural_network.MLPClassifier is not fastmlp.MLPClassifier
    assert sklearn.neural_network.MLPRegressor is not fastmlp.MLPRegressor
    assert sys.modules.get(SOURCE) is not OWN
