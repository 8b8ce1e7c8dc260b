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


def test_a_dtype_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"dtypes.*float16"):
        fastmlp.warmup("float16")


def test_the_command(capsys):
    assert main(["warmup"]) == 0
    assert "ready" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["nothing"], 2), (["--help"], 0), (["--version"], 0)])
def test_exit_codes(arguments, code, capsys):
    assert main(arguments) == code


def test_train_is_fastmlp_train(capsys):
    assert main(["train", "--epochs", "1", "--json", "--quiet"]) == 0
    assert '"test_accuracy"' in capsys.readouterr().out
