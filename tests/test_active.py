"""What rectified linear units leave zero is left out by the layers after them, and nothing changes but the time."""

import pytest
from networks import network_and_data
from registry import DTYPES

from fastmlp import MLPClassifier, Trainer, engine

pytestmark = pytest.mark.usefixtures("nan_memory")
BIASES = {"few": -1.0, "half": 0.0, "most": 3.0}


@pytest.fixture
def choose(monkeypatch):
    """Return a function that says whether zeros of so many inputs are left out, whatever pays on this processor."""

    def chosen(pays):
        engine._planned.cache_clear()
        monkeypatch.setattr("fastmlp.kernels.program.pays", pays)

    yield chosen
    engine._planned.cache_clear()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", [(64, 64), (70, 129, 33), (9, 40, 80), (200, 20)], ids=str)
@pytest.mark.parametrize(("batch_size", "threads"), [(8, 1), (200, 1), (200, 2), (90, 2)])
@pytest.mark.parametrize("are_filled", BIASES)
def test_leaving_out_changes_no_bit(choose, hidden, batch_size, threads, are_filled, dtype):
    start, X, y = network_and_data(hidden, rows=417)
    for l in range(1, len(hidden) + 1):
        start[f"b{l}"] = start[f"b{l}"] + BIASES[are_filled]

    def trained(pays):
        choose(pays)
        trainer = Trainer(hidden, batch_size=batch_size, epochs=2, threads=threads, dtype=dtype, solver="adam", seed=0)
        trainer.parameters = start
        return [trainer.fit(X, y).loss, *(a.tobytes() for a in trainer.parameters.values())]

    assert trained(lambda columns: True) == trained(lambda columns: False)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("options", [{"dropout": 0.4}, {"clip_norm": 0.1}, {"activation": "tanh"}], ids=str)
def test_with_what_else_changes_activations_and_gradients(choose, options):
    _, X, y = network_and_data((), rows=417)

    def trained(pays):
        choose(pays)
        model = MLPClassifier((64, 70), batch_size=90, max_iter=4, alpha=0.0, random_state=0, **options).fit(X, y)
        return [model.loss_curve_, *(W.tobytes() for W in model.coefs_)]

    assert trained(lambda columns: True) == trained(lambda columns: False)


def test_what_is_not_finite_is_not_left_out(choose):
    choose(lambda columns: True)
    start, X, y = network_and_data((40, 40), rows=90)
    trainer = Trainer((40, 40), batch_size=30, epochs=3, dtype="float64", learning_rate=1e200, l2=0.0)
    trainer.parameters = start
    with pytest.raises(ArithmeticError, match="the loss stopped being finite"):
        trainer.fit(X, y)
