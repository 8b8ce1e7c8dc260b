"""Epochs on scipy.sparse rows, beside scikit-learn, the one of the other systems whose networks take them."""

import time

from suite.data import data_folder
from suite.sparse_data import sparse_rows
from suite.work import SPARSE, SPARSE_DENSITY, Work

from .epochs import against, disagreement
from .given import Given
from .process import Resident
from .race import race
from .report import Section, table
from .systems import SYSTEMS
from .training import named, set_sklearn_weights, sklearn_model

ACCURACY_TOLERANCE = 0.05
"""Wider than elsewhere: after one epoch, the order of rows alone makes a difference of three points."""
LEAST_SECONDS = 0.2
ROUNDS = 3
"""Few: scikit-learn takes seconds for an epoch."""


def run(given: Given) -> Section:
    section = Section("Sparse rows")
    # fewer rows take more epochs until accuracy tells whether the systems did the same
    kinds = [("random", 20_000, 4) if given.quick else ("random", 100_000, 1)]
    if data_folder("agaricus"):
        kinds.append(("agaricus", 0, 10))
    others = given.systems("sklearn")[1:]
    lines = [_row(section, kind, rows, epochs, others, given) for kind, rows, epochs in kinds]
    head = ["rows", "network, batch", "fastmlp", *(SYSTEMS[name].heading for name in others), "training accuracy"]
    section.parts.append(table(head, lines, left=2))
    section.parts.append(
        "Seconds of an epoch of plain SGD on a `csr_array`, from the same weights with the same L2, checks of the "
        "input and the copying of weights included; medians. scikit-learn's update visits every weight. Of two "
        "classes scikit-learn makes one logistic unit."
    )
    return section


def _row(section: Section, kind: str, rows: int, epochs: int, others: list[str], given: Given) -> list[str]:
    systems = (
        Resident(name, train, given.threads, system=name, kind=kind, rows=rows, epochs=epochs)
        for name in ("fastmlp", *others)
    )
    outcome = race(f"sparse: {kind}", systems, given, rounds=min(ROUNDS, given.rounds))
    scores = [end["accuracy"] for end in outcome.ends_of_systems.values()]
    about = next(iter(outcome.ends_of_systems.values()), {"data": kind, "network": ""})
    return [
        about["data"] + section.note(outcome, kind, disagreement(scores, ACCURACY_TOLERANCE)),
        about["network"],
        f"{outcome.median('fastmlp'):.3g} s" if outcome.took_part("fastmlp") else "",
        *(against(outcome, name, "fastmlp") for name in others),
        f"{min(scores):.1%} to {max(scores):.1%}" if scores else "",
    ]


def train(turns, threads: int, system: str, kind: str, rows: int, epochs: int) -> dict:
    """Train so many epochs from the initial weights in every turn; return what on, and the accuracy at the end."""
    name, X, y, work = _load(kind, rows)
    fit, score = {"fastmlp": _fastmlp, "sklearn": _sklearn}[system](work, X, y, epochs, threads)
    while turns():
        began, fits = time.perf_counter(), 0
        while not fits or time.perf_counter() - began < LEAST_SECONDS:
            fit()
            fits += 1
        turns.units = epochs * fits
    return {"data": name, "network": f"{work.network}, {work.batch_size}", "accuracy": score()}


def _load(kind: str, rows: int):
    """Return a name, X (rows, columns), y (rows,) and the work to do on them."""
    if kind == "random":
        X, y = sparse_rows(rows, SPARSE.sizes[0], SPARSE_DENSITY)
        return f"{rows:,} x {X.shape[1]:,}, {SPARSE_DENSITY:.1%} not 0", X, y, SPARSE
    from scipy.sparse import csr_array
    from sklearn.datasets import load_svmlight_file

    X, y = load_svmlight_file(str(data_folder("agaricus") / "agaricus.txt.train"), dtype="float32")
    name = f"agaricus, {X.shape[0]:,} x {X.shape[1]}, {X.nnz / X.shape[0] / X.shape[1]:.0%} not 0"
    return name, csr_array(X), y.astype(int), Work((X.shape[1], 64, 2), 128)


def _fastmlp(work, X, y, epochs, threads):
    from fastmlp import Trainer

    trainer = Trainer(**work.trainer_options(), epochs=epochs, threads=threads)
    parameters = named(work.start())

    def fit():
        trainer.parameters = parameters
        trainer.fit(X, y)

    some = slice(10 * work.batch_size)
    Trainer(**work.trainer_options(), epochs=1, threads=threads).fit(X[some], y[some])  # compiles
    return fit, lambda: trainer.score(X, y)


def _sklearn(work, X, y, epochs, threads):
    import numpy as np

    model = sklearn_model(work, X[: work.batch_size], np.unique(y))
    weights = work.start()

    def fit():
        set_sklearn_weights(model, weights)
        for _ in range(epochs):
            model.partial_fit(X, y)

    return fit, lambda: model.score(X, y)
