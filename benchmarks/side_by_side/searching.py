"""The search of the course report on MNIST, 784-128-10, batch 128: ten trials of ten epochs, two at a time.

Every system draws its options from the same ranges; how long an epoch takes does not depend on them.
"""

import multiprocessing
import statistics
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from suite.data import load
from suite.work import MNIST_128

TRIALS, EPOCHS, JOBS = 10, 10, 2
VALIDATION_ROWS = 10_000
OPTIONS = {"hidden": (128,), "batch_size": 128, "epochs": EPOCHS, "momentum": 0.0, "solver": "sgd"}


def rows(trials: int):
    """Return training rows, validation rows and the factor for inputs; fewer where only few trials are wanted."""
    data = load(MNIST_128)
    some = slice(0, len(data.y_train) if trials == TRIALS else 4000)
    X, y = data.X_train[some], data.y_train[some]
    held_out = min(VALIDATION_ROWS, len(y) // 6)
    return X[:-held_out], y[:-held_out], X[-held_out:], y[-held_out:], data.scale


def draws(trials: int) -> list[dict[str, float]]:
    """Return options drawn from the report's ranges."""
    random = np.random.default_rng(0)
    return [
        {
            "learning_rate": float(np.exp(random.uniform(np.log(1e-4), np.log(1e-1)))),
            "learning_rate_decay": float(random.uniform(0.8, 1.0)),
            "l2": float(np.exp(random.uniform(np.log(1e-5), np.log(1e-2)))),
        }
        for _ in range(trials)
    ]


def search_fastmlp(turns, threads: int, trials: int) -> dict:
    """``fastmlp.tune`` on rows in memory; the overhead is the share of the threads' time in which they run no trial."""
    import fastmlp

    X, y, X_val, y_val, _ = rows(trials)
    best, overheads = 0.0, []
    while turns():
        began = time.perf_counter()
        found = fastmlp.tune((X, y), validation=(X_val, y_val), test_fraction=0.0, trials=trials, jobs=JOBS, **OPTIONS)
        seconds = JOBS * (time.perf_counter() - began)
        overheads.append(1 - sum(trial.seconds for trial in found.trials) / seconds)
        best = found.best_value
    return {"best": best, "overhead": statistics.median(overheads)}


def train_alone(turns, threads: int, trials: int) -> dict:
    """The same trainings without a search around them, two at a time, each on one thread."""
    from fastmlp import Trainer

    X, y, X_val, y_val, scale = rows(trials)

    def train(drawn: dict[str, float]) -> float:
        trainer = Trainer(**OPTIONS, **drawn, input_scale=scale, threads=1)
        return max(trainer.fit(X, y, (X_val, y_val)).validation_accuracy)

    best = 0.0
    with ThreadPoolExecutor(JOBS) as pool:
        while turns():
            best = max(pool.map(train, draws(trials)))
    return {"best": best}


def search_sklearn(turns, threads: int, trials: int) -> dict:
    """RandomizedSearchCV over MLPClassifier with one fold, two processes."""
    from scipy.stats import loguniform
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.model_selection import PredefinedSplit, RandomizedSearchCV
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore", ConvergenceWarning)
    X, y, X_val, y_val, scale = rows(trials)
    everything = np.concatenate([X, X_val]).astype(np.float32) * np.float32(scale)
    labels, fold = np.concatenate([y, y_val]), np.repeat([-1, 0], [len(y), len(y_val)])
    network = MLPClassifier(
        (128,), solver="sgd", batch_size=128, max_iter=EPOCHS, momentum=0.0, n_iter_no_change=EPOCHS
    )
    ranges = {"learning_rate_init": loguniform(1e-4, 1e-1), "alpha": loguniform(1e-5, 1e-2)}
    best = 0.0
    while turns():
        search = RandomizedSearchCV(
            network, ranges, n_iter=trials, cv=PredefinedSplit(fold), n_jobs=JOBS, refit=False, random_state=0
        )
        best = search.fit(everything, labels).best_score_
    return {"best": float(best)}


def search_torch(turns, threads: int, trials: int) -> dict:
    """Two processes of one thread each, which stay between turns and take one trial after another."""
    best = 0.0
    with multiprocessing.get_context("spawn").Pool(JOBS, _hold_rows, (trials,)) as pool:
        while turns():
            best = max(pool.map(_train_torch, draws(trials), chunksize=1))
    return {"best": best}


def _hold_rows(trials: int) -> None:
    import torch

    torch.set_num_threads(1)
    X, y, X_val, y_val, scale = rows(trials)
    inputs = [torch.from_numpy(part.astype(np.float32) * np.float32(scale)) for part in (X, X_val)]
    labels = [torch.from_numpy(part.astype(np.int64)) for part in (y, y_val)]
    _held.extend([inputs[0], labels[0], inputs[1], labels[1]])


_held: list = []


def _train_torch(drawn: dict[str, float]) -> float:
    import torch
    from torch import nn

    X, y, X_val, y_val = _held
    network = nn.Sequential(nn.Linear(X.shape[1], 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.SGD(network.parameters(), drawn["learning_rate"], weight_decay=2 * drawn["l2"])
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, drawn["learning_rate_decay"])
    best = 0.0
    for _ in range(EPOCHS):
        for some in torch.randperm(len(y)).split(128):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(X[some]), y[some]).backward()
            optimizer.step()
        schedule.step()
        with torch.no_grad():
            best = max(best, float((network(X_val).argmax(1) == y_val).float().mean()))
    return best
