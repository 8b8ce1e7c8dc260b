"""Training on rows that stay on the disk."""

import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastmlp
from fastmlp import stream
from fastmlp.stream import Stream
from fastmlp.task import task_of

polars = pytest.importorskip("polars", reason='tables need polars: pip install "fastmlp[tables]"')
random = np.random.default_rng(3)
X = random.standard_normal((1003, 7)).astype(np.float32)
Y = X[:, 0] * X[:, 1] + X[:, 2]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(stream, "CHUNK_BYTES", 2000)
    monkeypatch.setattr(stream, "CHUNKS_PER_WINDOW", 3)


def stream_of(y, weights=None, batch_size=16):
    task, truth = task_of("regress" if y.dtype.kind == "f" else "classify", y, len(y))
    rows = Stream(task, X.shape[1], X.dtype, batch_size)
    for start in range(0, len(X), 77):
        part = slice(start, start + 77)
        rows.append(X[part], truth[part], None if weights is None else weights[part])
    rows.finish()
    return rows


@pytest.mark.parametrize("y", [Y, (Y > 0).astype(int)], ids=["values", "classes"])
def test_every_row_comes_once_an_epoch_with_what_belongs_to_it(y):
    weights = random.random(len(X))
    rows = stream_of(y, weights)
    assert len(rows) == len(X)
    seen, orders = [], []
    for _ in range(2):
        epoch = list(rows.windows(random))
        assert len(epoch) > 3  # several windows, none with more than three chunks
        assert all(len(window[0]) % 16 == 0 for window in epoch[:-1])
        found, truth, counts = (np.concatenate(parts) for parts in zip(*epoch, strict=True))
        places = {row.tobytes(): i for i, row in enumerate(X)}
        order = [places[row.tobytes()] for row in found]
        assert sorted(order) == list(range(len(X)))
        assert_array_equal(truth.reshape(len(X)), y[order])
        assert_array_equal(counts, weights[order])
        seen.append(found)
        orders.append(order)
    assert orders[0] != orders[1]
    rows.close()


def test_a_window_of_all_rows_trains_as_rows_in_memory_do(monkeypatch):
    monkeypatch.setattr(stream, "CHUNK_BYTES", 1 << 30)
    labels = (Y > 0).astype(int)
    rows = stream_of(labels)
    one = fastmlp.Trainer(epochs=1, batch_size=len(X))
    other = fastmlp.Trainer(epochs=1, batch_size=len(X))
    assert one.fit_stream(rows).loss == pytest.approx(other.fit(X, labels).loss, rel=1e-6)
    for name, array in other.parameters.items():  # one minibatch of all rows, whatever their order
        np.testing.assert_allclose(one.parameters[name], array, rtol=1e-4, atol=1e-6)
    rows.close()


def test_learning_from_a_stream_with_validation_and_going_on():
    rows = stream_of(Y)

    def trained(epochs, state=None):
        trainer = fastmlp.Trainer(task="regress", epochs=epochs, solver="adam", learning_rate=0.01, batch_size=16)
        history = trainer.fit_stream(rows, (X, Y), state=state)
        return trainer, history

    whole, history = trained(12)
    assert history.validation_score[-1] > 0.9
    half, _ = trained(5)
    resumed, _ = trained(12, half.state())
    for name, array in whole.parameters.items():
        assert_array_equal(resumed.parameters[name], array)
    rows.close()


@pytest.mark.parametrize("kind", ["csv", "parquet", "npy"])
def test_a_file_streamed_is_learned_as_well_as_one_in_memory(kind, tmp_path):
    path = tmp_path / f"rows.{kind}"
    table = polars.DataFrame({**{f"x{i}": X[:, i] for i in range(7)}, "y": Y})
    if kind == "npy":
        np.save(path, np.ascontiguousarray(table.to_numpy()))
    else:
        getattr(table, f"write_{kind}")(path)
    told = []
    runs = [fastmlp.train(path, stream=way, say=told.append, epochs=30) for way in (True, False)]
    assert "1003 rows are read in batches and stay on the disk" in told
    streamed, in_memory = (run.evaluation.figures["r2"] for run in runs)
    assert streamed > 0.9
    assert in_memory > 0.9


def test_a_run_on_a_stream_goes_on_where_it_was_cut_off(tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, np.column_stack([X, Y > 0]))
    whole = fastmlp.train(path, stream=True, epochs=6, out=tmp_path / "whole")

    def stop(figures):
        if figures.epoch == 3:
            raise RuntimeError("cut off")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastmlp.run.SECONDS_BETWEEN_CHECKPOINTS", 0.0)
        with pytest.raises(RuntimeError, match="cut off"):
            fastmlp.train(path, stream=True, epochs=6, out=tmp_path / "cut", callbacks=[stop])
    resumed = fastmlp.train(resume=tmp_path / "cut")
    for name, array in whole.model.parameters.items():
        assert_array_equal(resumed.model.parameters[name], array)


def test_what_cannot_be_streamed_is_refused():
    with pytest.raises(fastmlp.DataError, match="only tables and NPY files can be streamed, not digits"):
        fastmlp.train("digits", stream=True)


COLUMNS = 10
PART = np.random.default_rng(0).integers(0, 100, (100_000, COLUMNS)).astype(np.float32)


def write_npy(path, parts):
    rows = np.lib.format.open_memmap(path, "w+", np.float32, (parts * len(PART), COLUMNS))
    for start in range(0, len(rows), len(PART)):
        rows[start : start + len(PART)] = PART
    del rows


def write_parquet(path, parts):
    """Write a file that is small on the disk: what counts is what becomes of it."""
    parts = [polars.DataFrame(PART)] * parts
    polars.concat(parts, rechunk=False).lazy().sink_parquet(path, row_group_size=len(PART))


WITHIN_LIMITS = """
import resource, sys, fastmlp

def megabytes(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith(name))

options = {"stream": True, "epochs": 1, "batch_size": 4000, "hidden": (4,), "task": "regress"}
fastmlp.train(sys.argv[1], **options)  # libraries take their memory
before, limit = megabytes("VmHWM"), int(sys.argv[3])
if limit:
    resource.setrlimit(resource.RLIMIT_DATA, (megabytes("VmData") + limit << 20, -1))
run = fastmlp.train(sys.argv[2], **options)
print(run.rows, megabytes("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits memory, and reads its peak, as Linux has them")
@pytest.mark.parametrize(("write", "megabytes", "limit"), [(write_npy, 800, 80), (write_parquet, 400, 100)])
def test_more_rows_than_memory_are_learned_from(write, megabytes, limit, tmp_path):
    """Ten times the memory in an NPY file: windows of 16 MB, samples of rows, and their figures are all that is held.

    Of a table the same again is needed to read it; it takes longer, so that there are only four times as many rows.
    """
    parts = megabytes * 1_000_000 // PART.nbytes
    kind = "npy" if write is write_npy else "parquet"
    large, small = (tmp_path / f"{name}.{kind}" for name in ("large", "small"))
    write(large, parts)
    write(small, 1)
    # polars ends the process where it is refused memory, so that only what it takes can be looked at
    refused_beyond = limit if write is write_npy else 0
    result = subprocess.run(
        [sys.executable, "-c", WITHIN_LIMITS, small, large, str(refused_beyond)],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    trained, added = map(int, result.stdout.split())
    assert trained == parts * len(PART) - 40_000
    assert added < limit, f"{added} MB"
