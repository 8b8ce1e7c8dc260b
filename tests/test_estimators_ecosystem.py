"""fastmlp's estimators inside what people put estimators into: pipelines, searches, ensembles, processes, threads."""

import copy
import os
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sklearn
from estimator_data import INPUTS, OLD_LBFGS, model_of, table, weights
from joblib import parallel_backend
from joblib.externals.loky import get_reusable_executor
from scripts import run
from sklearn import neural_network
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  it makes the next line possible
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV, cross_val_predict, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp

# Nothing improves by so much: training ends after seven epochs, without a warning that it did not converge.
QUICK = {
    "hidden_layer_sizes": (8,),
    "batch_size": 10,
    "tol": 100.0,
    "n_iter_no_change": 5,
    "learning_rate_init": 0.02,
    "random_state": 0,
}
CLOSE = 1e-8  # of float64 after seven epochs; tests/test_estimators_parity.py is stricter
X, y = table("multiclass")

pytestmark = pytest.mark.filterwarnings(OLD_LBFGS)

META = {
    "bagging": lambda model: BaggingClassifier(model, n_estimators=3, random_state=0),
    "boosting": lambda model: AdaBoostClassifier(model, n_estimators=2, random_state=0),
    "calibration": lambda model: CalibratedClassifierCV(model, cv=2),
    "one against the rest": OneVsRestClassifier,
    "pipeline": lambda model: make_pipeline(StandardScaler(), model),
    "stacking": lambda model: StackingClassifier([("a", model), ("b", clone(model))], cv=2),
    "voting": lambda model: VotingClassifier([("a", model), ("b", clone(model))], voting="soft"),
}

GRID = """
import sys
import numpy as np
from joblib import parallel_backend
from sklearn.model_selection import GridSearchCV
from estimator_data import table
from fastmlp import MLPClassifier
model = MLPClassifier(hidden_layer_sizes=8, tol=100.0, n_iter_no_change=5, learning_rate_init=0.02, random_state=0)
X, y = table("multiclass")
search = GridSearchCV(model, {"alpha": [1e-4, 1.0]}, cv=2, error_score="raise")
if __name__ == "__main__":
    alone = search.fit(X, y).cv_results_["mean_test_score"]
    with parallel_backend("multiprocessing", n_jobs=2):
        together = search.fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(together, alone)
"""

FORK = """
import os
import numpy as np
from estimator_data import table
from fastmlp import MLPClassifier
X, y = table("multiclass", rows=2000)
def probabilities():
    model = MLPClassifier(hidden_layer_sizes=64, tol=100.0, n_iter_no_change=2, random_state=0, threads=2)
    return model.fit(X, y).predict_proba(X)
before = probabilities()
child = os.fork()
if not child:
    os._exit(0 if np.array_equal(probabilities(), before) else 1)
assert np.array_equal(probabilities(), before)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


# Two fits at a time, in processes, each so large that it would use all processors if it were alone
TEAMS = """
import threading
import numpy as np
from joblib import Parallel, delayed
from fastmlp import MLPClassifier
from fastmlp.threads import available_cpus
def team(backend):
    def look(figures):
        seen.append(1 + sum(thread.name.startswith("fastmlp") for thread in threading.enumerate()))
        return True
    seen, random = [], np.random.default_rng(0)
    model = MLPClassifier(256, batch_size=256, random_state=0, callbacks=[look])
    model.fit(random.random((256, 64)), np.arange(256) % 2)
    return seen[0]
if __name__ == "__main__":
    assert team("none") == available_cpus()
    for backend in ("loky", "multiprocessing"):
        teams = Parallel(n_jobs=2, backend=backend)(delayed(team)(backend) for _ in range(2))
        assert sum(teams) <= max(2, available_cpus()), (backend, teams)
"""


def classifier(**options):
    return fastmlp.MLPClassifier(**{**QUICK, **options})


def both():
    return neural_network.MLPClassifier(**QUICK), classifier()


@pytest.fixture
def no_workers_left():
    yield
    get_reusable_executor().shutdown()


@pytest.mark.parametrize("meta", META)
def test_inside_another_estimator(meta):
    expected, actual = (META[meta](model).fit(X, y).predict_proba(X) for model in both())
    np.testing.assert_allclose(actual, expected, atol=CLOSE)


def test_transformed_targets():
    X, y = table("regression")
    models = neural_network.MLPRegressor(**QUICK), fastmlp.MLPRegressor(**QUICK)
    expected, actual = (
        TransformedTargetRegressor(m, transformer=StandardScaler()).fit(X, y).predict(X) for m in models
    )
    np.testing.assert_allclose(actual, expected, atol=CLOSE)


@pytest.mark.parametrize("backend", ["sequential", "threading", "loky"])
def test_grid_search(backend, no_workers_left):
    grid = {"activation": ["relu", "tanh"], "solver": ["sgd", "adam"]}
    theirs, ours = (GridSearchCV(model, grid, cv=2, n_jobs=2, error_score="raise") for model in both())
    theirs.set_params(n_jobs=None).fit(X, y)
    with parallel_backend(backend, n_jobs=2):
        ours.fit(X, y)
    np.testing.assert_array_equal(ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize("program", [GRID, FORK], ids=["multiprocessing", "fork"])
def test_in_processes_that_were_forked_from_one_that_trained(program):
    run("import warnings; warnings.simplefilter('ignore', DeprecationWarning)  # of threads, Python 3.12\n" + program)


def test_processes_share_the_processors(tmp_path):
    program = tmp_path / "teams.py"
    program.write_text(TEAMS)
    environment = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "FASTMLP_NUM_THREADS"))
    run(f"import runpy; runpy.run_path({str(program)!r}, run_name='__main__')", **environment)


@pytest.mark.parametrize(
    "resource", [{"min_resources": 16}, {"resource": "max_iter", "min_resources": 3, "max_resources": 12}]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_halving(resource):
    choices = {"alpha": [1e-5, 1e-3, 0.1, 1.0], "activation": ["relu", "tanh", "silu"]}
    search = HalvingRandomSearchCV(
        classifier(batch_size=5), choices, cv=2, random_state=0, error_score="raise", **resource
    )
    assert search.fit(X, y).best_score_ > 0.5
    assert search.n_iterations_ > 1


def test_cross_validation():
    expected, actual = (cross_val_predict(model, X, y, cv=3, method="predict_proba") for model in both())
    np.testing.assert_allclose(actual, expected, atol=CLOSE)


def test_a_search_goes_on_when_a_fit_diverges():
    search = GridSearchCV(classifier(solver="sgd", activation="identity"), {"learning_rate_init": [0.01, 1e200]}, cv=2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(X, y)
    assert any("fits failed" in str(w.message) for w in caught)
    assert search.best_params_ == {"learning_rate_init": 0.01}


def test_clones_and_copies():
    model = classifier(alpha=0.5, activation="gelu", class_weight={3: 2.0}, label_smoothing=0.1).fit(X, y)
    fresh, copied = clone(model), copy.deepcopy(model)
    assert fresh.get_params() == model.get_params()
    assert not hasattr(fresh, "coefs_")
    before = model.predict_proba(X)
    np.testing.assert_array_equal(fresh.fit(X, y).predict_proba(X), before)
    copied.partial_fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert (copied.predict_proba(X) != before).any()


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
@pytest.mark.parametrize("kind", ["binary", "multilabel", "counts"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_pickles(kind, solver):
    X, y = table(kind)
    model = model_of(fastmlp, kind, **{**QUICK, "learning_rate_init": 0.002}, solver=solver, max_iter=20).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    if solver != "lbfgs":
        for each in (loaded, model):
            each.partial_fit(X[:30], y[:30])
        np.testing.assert_array_equal(loaded.coefs_[0], model.coefs_[0])
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize("change", ["in place", "anew"])
def test_predictions_follow_weights_that_are_changed(change):
    model = classifier().fit(X, y)
    model.predict_proba(X)
    if change == "anew":
        model.coefs_, model.intercepts_ = (
            [0 * values for values in both] for both in (model.coefs_, model.intercepts_)
        )
    else:
        for values in model.coefs_ + model.intercepts_:
            values[...] = 0
    np.testing.assert_allclose(model.predict_proba(X), 1 / 3)


def test_sample_weight_is_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        model = classifier().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        routed = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model).fit(
            X, y, sample_weight=weights()
        )
        cross_validate(model, X, y, cv=2, params={"sample_weight": weights()}, error_score="raise")
    alone = classifier().fit(StandardScaler().fit_transform(X), y, weights())
    np.testing.assert_array_equal(routed[-1].coefs_[0], alone.coefs_[0])


def test_rows_to_validate_on_are_routed_and_transformed():
    with sklearn.config_context(enable_metadata_routing=True):
        model = classifier().set_fit_request(X_val=True, y_val=True)
        pipeline = Pipeline([("scale", StandardScaler()), ("model", model)], transform_input=["X_val"])
        pipeline.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    scale = StandardScaler().fit(X[:40])
    alone = classifier().fit(scale.transform(X[:40]), y[:40], X_val=scale.transform(X[40:]), y_val=y[40:])
    np.testing.assert_array_equal(pipeline["model"].validation_loss_curve_, alone.validation_loss_curve_)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_names_of_columns(early_stopping):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"column {j}" for j in range(INPUTS)])
    pipeline = make_pipeline(StandardScaler(), classifier(early_stopping=early_stopping)).set_output(transform="pandas")
    assert list(pipeline.fit(frame, pandas.Series(y))[-1].feature_names_in_) == list(frame.columns)
    model = classifier(early_stopping=early_stopping).fit(frame, y, X_val=frame, y_val=y)
    np.testing.assert_array_equal(
        model.predict(frame), classifier(early_stopping=early_stopping).fit(X, y, X_val=X, y_val=y).predict(X)
    )
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.iloc[:, ::-1])


def test_how_it_looks():
    assert repr(fastmlp.MLPClassifier(alpha=1.0)) == "MLPClassifier(alpha=1.0)"
    assert repr(fastmlp.MLPRegressor(threads=2)) == "MLPRegressor(threads=2)"
    for shown in (classifier(), classifier().fit(X, y), make_pipeline(StandardScaler(), classifier())):
        assert "MLPClassifier" in shown._repr_html_()


def test_eight_threads_at_once():
    def fitted(seed):
        return classifier(random_state=seed, threads=1 + seed % 2).fit(X, y).predict_proba(X)

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(fitted, range(16)))
    np.testing.assert_array_equal(together, [fitted(seed) for seed in range(16)])


def test_eight_threads_predict_with_one_model():
    model = classifier().fit(X, y)
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda i: model.predict_proba(X[i : i + 1])[0], range(len(X))))
    np.testing.assert_allclose(together, model.predict_proba(X), atol=1e-14)
