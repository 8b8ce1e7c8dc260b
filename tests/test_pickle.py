"""A trainer can be copied and sent to other processes, where compiled kernels lie elsewhere."""

import copy
import pickle

import numpy as np
import pytest
from networks import clusters
from scripts import run

from fastmlp import Trainer

X, y = clusters(np.random.default_rng(0), rows=200, inputs=20, classes=3)
X[:, 5:] *= np.random.default_rng(1).random((200, 15)) < 0.1
OPTIONS = [{}, {"hidden": (40, 20), "solver": "adam", "dtype": "float64"}, {"hidden": (), "momentum": 0.5}]

ELSEWHERE = """
import pickle, sys
import numpy as np
trainer, X, y = pickle.loads(open("sent", "rb").read())
first = trainer.predict_proba(X)
one = trainer.predict_proba(X[:1])
trainer.loss_and_gradients(X, y)
again = trainer.fit(X, y).loss
open("returned", "wb").write(pickle.dumps((first, one, again)))
"""


def fitted(**options):
    trainer = Trainer(**{"hidden": (64,), "epochs": 2, "batch_size": 16, **options})
    trainer.fit(X, y)
    trainer.predict_proba(X[:1])
    return trainer


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_trainer_works_in_another_process(options, tmp_path):
    trainer = fitted(**options)
    (tmp_path / "sent").write_bytes(pickle.dumps((trainer, X, y)))
    run(ELSEWHERE, cwd=tmp_path)
    probabilities, one, again = pickle.loads((tmp_path / "returned").read_bytes())
    np.testing.assert_array_equal(probabilities, trainer.predict_proba(X))
    np.testing.assert_array_equal(one, trainer.predict_proba(X[:1]))
    assert again == trainer.history_.loss  # the same seed


def test_a_deep_copy_goes_its_own_way():
    trainer = fitted()
    before = trainer.predict_proba(X)
    other = copy.deepcopy(trainer)
    other.parameters = {name: 0 * value for name, value in other.parameters.items()}
    np.testing.assert_array_equal(other.predict_proba(X), np.full((200, 3), np.float32(1 / 3)))
    np.testing.assert_array_equal(trainer.predict_proba(X), before)


def test_a_trainer_that_was_never_fitted():
    assert pickle.loads(pickle.dumps(Trainer(hidden=(5,)))).options == Trainer(hidden=(5,)).options
