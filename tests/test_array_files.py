"""NPY, NPZ and svmlight files: what is read, what is refused, and what would burst the memory."""

import sys
import zipfile

import numpy as np
import pytest
from idx_files import SHARED_DATA, needs_agaricus
from numpy.lib import format as npy
from numpy.testing import assert_array_equal

import fastmlp
from fastmlp.data import arrays
from fastmlp.data.source import read_source

random = np.random.default_rng(0)
X = random.standard_normal((60, 5))
Y = np.arange(60) % 3
IMAGES = random.integers(0, 256, (60, 4, 4), dtype=np.uint8)


def saved(path, **named):
    np.savez_compressed(path, **named)
    return path


def test_npz_with_names_that_people_use(tmp_path):
    path = tmp_path / "wörds and spaces.npz"
    source = read_source(saved(path, X=X, y=Y))
    assert_array_equal(source.train.X, X)
    assert_array_equal(source.train.y, Y)
    assert source.test is None
    keras = read_source(saved(path, x_train=X, y_train=Y, x_test=X[:7], y_test=Y[:7]))
    assert len(keras.train) == 60
    assert_array_equal(keras.test.y, Y[:7])
    one = read_source(saved(path, rows=np.column_stack([X, Y])))
    assert_array_equal(one.train.X, X)
    assert one.train.y.dtype == np.int64


def test_bytes_are_brightnesses_that_stay_bytes(tmp_path):
    source = read_source(saved(tmp_path / "images.npz", X=IMAGES, y=Y[:, None]))
    assert source.is_images
    assert source.train.X.dtype == np.uint8
    assert source.train.X.shape == (60, 16)
    assert source.input_scale == 1 / 255
    assert_array_equal(source.train.y, Y)


def test_npy_has_the_target_in_its_last_column_and_is_not_read_whole(tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, np.column_stack([X, Y]))
    source = read_source(path)
    assert isinstance(source.train.X, np.memmap)
    assert_array_equal(source.train.X, X)
    assert_array_equal(source.train.y, Y)
    assert read_source(path, inputs=6).train.y is None  # rows to predict for


@needs_agaricus
def test_svmlight_is_told_by_its_lines_and_stays_sparse():
    run = fastmlp.train(
        SHARED_DATA / "agaricus/agaricus.txt.train", test=SHARED_DATA / "agaricus/agaricus.txt.test", epochs=3
    )
    assert run.model.task == "classify"
    assert run.model.preparation.stored == 126
    assert run.evaluation.rows == 1611
    assert run.evaluation.figures["accuracy"] > 0.99
    answers = fastmlp.predict(run.model, SHARED_DATA / "agaricus/agaricus.txt.test")
    assert answers.probabilities.shape == (1611, 2)


def lines(path, text):
    path.write_text(text)
    return path


def bomb(path, shape, dtype="<f8"):
    """Write a few kilobytes that say that they are an array of some shape."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("X.npy", "w") as file:
        npy.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
        file.write(bytes(1 << 20))
    return path


def truncated(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def as_npy(path, array):
    np.save(path, array, allow_pickle=True)
    return path


NPZ, NPY, SVM = "rows.npz", "rows.npy", "rows.svmlight"
BAD = {
    "rows of two lengths": (NPZ, lambda path: saved(path, X=X, y=Y[:9]), "x has 60 rows and y 9"),
    "no rows": (NPZ, lambda path: saved(path, X=X[:0], y=Y[:0]), "shape .*, which has no rows"),
    "other names": (NPZ, lambda path: saved(path, Z=X, y=Y), "must hold arrays X and y, or x_train.*; got Z, y"),
    "several targets": (NPZ, lambda path: saved(path, X=X, y=X), "y must be one number or text for each row"),
    "NaN targets": (NPZ, lambda path: saved(path, X=X, y=np.where(Y, 0.5, np.nan)), "the target must be finite"),
    "one class": (NPZ, lambda path: saved(path, X=X, y=Y * 0), "the target holds only one class, 0"),
    "complex numbers": (NPZ, lambda path: saved(path, X=X * 1j, y=Y), "X must be numbers .* of complex128"),
    "text": (NPZ, lambda path: saved(path, X=X.astype("U8"), y=Y), "X must be numbers .* of <U8"),
    "dates": (NPZ, lambda path: saved(path, X=X.astype("M8[s]"), y=Y), r"X must be numbers .* of datetime64\[s\]"),
    "an infinity": (NPZ, lambda path: saved(path, X=np.where(X.max() > X, X, np.inf), y=Y), "got inf in row .*column"),
    "objects": (NPZ, lambda path: saved(path, X=np.array([{}], object), y=Y), "not a readable NPZ file: Object arrays"),
    "no ZIP": (NPZ, lambda path: lines(path, "x,y"), "rows.npz is not a readable NPZ file"),
    "half a ZIP": (NPZ, lambda path: truncated(saved(path, X=X, y=Y)), "rows.npz is not a readable NPZ file"),
    "nothing": (NPZ, lambda path: lines(path, ""), "rows.npz is empty"),
    "a bomb": (NPZ, lambda path: bomb(path, (10**9, 10**4)), "unpacks to 80,000.0 GB, more than the .* of memory"),
    "a bomb beyond int64": (NPZ, lambda path: bomb(path, (2**70, 2**70)), "unpacks to .* GB, more than the"),
    "a shape below 0": (NPZ, lambda path: bomb(path, (-1, 5)), "not a readable NPZ file"),
    "more than is there": (NPZ, lambda path: bomb(path, (1000, 1000)), "not a readable NPZ file"),
    "no NPY": (NPY, lambda path: lines(path, "x,y"), "rows.npy is not a readable NPY file"),
    "half an NPY": (NPY, lambda path: truncated(as_npy(path, X)), "rows.npy is not a readable NPY file"),
    "pickled objects": (NPY, lambda path: as_npy(path, np.array([{}], object)), "rows.npy is not a readable NPY file"),
    "a column": (NPY, lambda path: as_npy(path, X[:, 0]), r"must be a matrix of numbers .*shape \(60,\)"),
    "no inputs": (NPY, lambda path: as_npy(path, X[:, :1]), "must have columns of inputs and a target, got 1"),
    "a word": (SVM, lambda path: lines(path, "1 1:2 2:x\n"), "rows.svmlight is not a readable svmlight file"),
    "an index of 0 and below": (SVM, lambda path: lines(path, "1 0:2\n0 -1:1\n"), "not a readable svmlight file"),
    "an index beyond int": (SVM, lambda path: lines(path, "1 1:1\n0 99999999999:1\n"), "not a readable svmlight file"),
    "a number that is none": (SVM, lambda path: lines(path, "1 1:nan\n0 2:1\n"), "inputs must be finite"),
    "no kind at all": ("rows.txt", lambda path: lines(path, "hello\n"), "of no kind that can be read: CSV, TSV"),
    "nothing there": ("rows", lambda path: path, "no such file or folder, nor a data set of that name"),
}


@pytest.mark.parametrize(("name", "write", "message"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_learned_from_is_refused_and_nothing_written(name, write, message, tmp_path):
    path = write(tmp_path / name)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(fastmlp.DataError, match=message):
        fastmlp.train(path, out=tmp_path / "run", epochs=1)
    assert sorted(tmp_path.iterdir()) == before


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    """64 MB of zeros are a few kilobytes in a ZIP; where memory is less than that, none of it is unpacked."""
    path = saved(tmp_path / "zeros.npz", X=np.zeros((8_000_000, 1)))
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(arrays, "total_memory", lambda: 32_000_000)
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("unpacked"))
    with pytest.raises(fastmlp.DataError, match=r"unpacks to 0\.1 GB, more than the 0\.0 GB of memory here"):
        read_source(path)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file that nobody can read, as Linux has them")
def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(fastmlp.DataError, match=r"/proc/self/mem cannot be read: Input/output error"):
        read_source("/proc/self/mem")
