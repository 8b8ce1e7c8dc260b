import pytest
from scripts import run

import fastmlp
from fastmlp.cli.verbs import main

TRAIN = """
import numpy as np
from scipy import sparse
from fastmlp import Trainer
random = np.random.default_rng(0)
for hidden, options in (((), {}), ((7,), {"momentum": 0.9}), ((50, 20), {"solver": "adam"}), ((128,), {})):
    for share in (0.0, 0.9):
        X = random.random((40, 30)) * (random.random((40, 30)) >= share)
        for rows in (X, sparse.csr_array(X)):
            trainer = Trainer(hidden=hidden, epochs=1, **options)
            trainer.fit(rows, np.arange(40) % 3)
            for some in (rows, rows[:1], X[:1], X[:3]):
                trainer.predict_proba(some)
"""


def test_after_a_warmup_no_training_compiles(tmp_path):
    seconds, log = run("import fastmlp; print(fastmlp.warmup())", NUMBA_CACHE_DIR=tmp_path)
    assert float(seconds) > 0
    assert "compiling" in log
    assert "compiling" not in run(TRAIN, NUMBA_CACHE_DIR=tmp_path)[1]


# Compiling everything takes a minute. So nothing is compiled or run here: kernels are named, first those that fits of
# every kind ask for, then those that warmup asks for.
NAMES = """
import sys, warnings; warnings.simplefilter("ignore")
from contextlib import contextmanager
from itertools import product
import numpy as np
from scipy import sparse
from fastmlp import MLPClassifier, Trainer, engine, predictor, warm
from fastmlp.kernels import gather, program
from fastmlp.options import ACTIVATIONS

names = set()

def name(dispatcher, arguments):
    names.add(" ".join((dispatcher.py_func.__name__, *map(str, arguments))))
    return 0

@contextmanager
def trainer(self, rows, repeated=False):
    yield lambda rows, targets, order, steps, *rest: np.zeros(len(steps))

program.address_of = gather.address_of = name
engine.entry_of = predictor.entry_of = lambda dispatcher, arguments: None
engine.Engine.trainer = trainer
predictor.Predictor._run = lambda self, way, rows, first, last, probabilities, out: True

if sys.argv[1:] == ["fits"]:
    random = np.random.default_rng(0)
    X = (random.random((600, 30)) * (random.random((600, 30)) >= 0.9)).astype("float32")
    side_by_side = (X + 1) * (np.arange(30) < 8)  # zeros are skipped in groups there, wherever singly elsewhere
    forms = [X, X + 1, side_by_side, *(sparse.csr_array(some) for some in (X, X * (X > 0.5), X + 1))]
    three, two = np.arange(600) % 3, np.arange(600) % 2
    options = [{"activation": activation} for activation in ACTIVATIONS]
    options += [{"dropout": 0.5}, {"input_dropout": 0.5}, {"alpha": 0.0}]
    options += [{"clip_norm": 1.0, **solver} for solver in ({}, {"solver": "sgd"}, {"solver": "sgd", "momentum": 0.0})]
    for some in options:
        for hidden, batch_size, rows, y in product(((), (7,), (33, 20), (100, 50)), (20, 300), forms, (three, two)):
            model = MLPClassifier(hidden, **some, max_iter=1, batch_size=batch_size).fit(rows, y)
            for few in (rows, rows[:1]):
                model.predict_proba(few)
        MLPClassifier(100, **some, max_iter=1, batch_size=200).fit(random.random((600, 2000), "float32"), three)
    images, solvers = random.integers(1, 256, (600, 300), dtype="uint8"), ({}, {"momentum": 0.9}, {"solver": "adam"})
    for activation, hidden, solver in product(ACTIVATIONS, ((7,), (33, 20), (200,)), solvers):
        Trainer(hidden, activation=activation, batch_size=100, epochs=1, **solver).fit(images, three)
else:
    warm.warmup("float32", everything=sys.argv[1:] == ["everything"])
print(*names, sep="\\n")
"""


def names(what):
    return set(run(f"import sys; sys.argv[1:] = [{what!r}]\n" + NAMES)[0].splitlines())


def test_everything_is_all_that_the_estimators_use():
    fits = names("fits")
    assert len(fits) > 50
    assert fits <= names("everything")
    assert not fits <= names("what is used most")


def test_a_dtype_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"dtypes.*float16"):
        fastmlp.warmup("float16")


def test_the_command(capsys):
    assert main(["warmup"]) == 0
    assert "ready" in capsys.readouterr().out


def test_the_command_for_everything(monkeypatch, capsys):
    asked = []
    monkeypatch.setattr("fastmlp.warm._engines", lambda *given: asked.append(given) or ())
    assert main(["warmup", "--all"]) == main(["warmup", "--all", "--dtype", "float64"]) == main(["warmup"]) == 0
    assert asked == [("float32", True), ("float64", True), ("float64", True), ("float32", False)]


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["nothing"], 2), (["--help"], 0), (["--version"], 0)])
def test_exit_codes(arguments, code, capsys):
    assert main(arguments) == code


def test_train_is_fastmlp_train(capsys):
    assert main(["train", "--epochs", "1", "--json", "--quiet"]) == 0
    assert '"test_accuracy"' in capsys.readouterr().out
