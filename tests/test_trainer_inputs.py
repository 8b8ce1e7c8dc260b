"""X as it comes: any kind of numbers in any layout, read where it lies, and never written to."""

import hashlib
import tracemalloc

import numpy as np
import pytest
from networks import clusters
from numpy.testing import assert_array_equal

from fastmlp import Trainer

random = np.random.default_rng(0)
BYTES = random.integers(0, 256, (200, 20), dtype=np.uint8)
y = (BYTES[:, 0] > BYTES[:, 1]).astype(int)


def parameters_of(X, y=y, **options):
    trainer = Trainer(**{"hidden": (16,), "epochs": 2, "batch_size": 32, **options})
    trainer.fit(X, y, validation_data=(X, y))
    trainer.score(X, y)
    trainer.loss_and_gradients(X, y)
    return trainer.parameters


def assert_same(a, b):
    for name, value in a.items():
        assert_array_equal(value, b[name])


KINDS = ("bool", "int8", "uint16", "int64", "uint64", "float16", "float32", "float64", ">f4", ">i2", "longdouble")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_numbers_in_any_dtype_give_the_same_network(kind, dtype):
    bits = BYTES % 2
    assert_same(parameters_of(bits.astype(kind), dtype=dtype), parameters_of(bits, dtype=dtype))


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64", "int64"])
def test_layout_does_not_matter(kind, tmp_path):
    X = BYTES.astype(kind)
    wide = np.zeros((400, 40), kind)
    wide[::2, 1::2] = X
    unaligned = np.frombuffer(b"-" + X.tobytes(), np.uint8)[1:].view(kind).reshape(X.shape)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    others = (np.asfortranarray(X), wide[::2, 1::2], X[::-1].copy()[::-1], unaligned, mapped, X.tolist())
    expected = parameters_of(X, input_scale=1 / 255)
    for other in others:
        assert_same(parameters_of(other, input_scale=1 / 255), expected)


def test_a_list_of_objects_that_are_numbers():
    assert_same(parameters_of((BYTES / 255).astype(object)), parameters_of(BYTES / 255))


def test_labels_may_be_strided():
    twice = np.repeat(y, 2)
    assert_same(parameters_of(BYTES / 255, twice[::2]), parameters_of(BYTES / 255))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_input_scale_multiplies_inputs_as_they_are_gathered(dtype):
    # a power of 2, so that scaling first loses nothing
    scaled = parameters_of(BYTES, input_scale=2.0**-8, dtype=dtype)
    assert_same(scaled, parameters_of(BYTES / 256, dtype=dtype))
    assert_same(scaled, parameters_of(BYTES.astype(np.float32), input_scale=2.0**-8, dtype=dtype))


def test_float64_rows_become_float32_before_they_are_multiplied():
    X, _ = clusters(random, 200, 20, 2)
    assert_same(parameters_of(X), parameters_of(X.astype(np.float32)))


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64", "int64"])
def test_x_and_y_are_never_written_to(kind):
    X, labels = BYTES.astype(kind), y.copy()
    digests = [hashlib.sha256(array).hexdigest() for array in (X, labels)]
    parameters_of(X, labels, input_scale=1 / 255)
    assert [hashlib.sha256(array).hexdigest() for array in (X, labels)] == digests
    X.flags.writeable = labels.flags.writeable = False
    parameters_of(X, labels, input_scale=1 / 255)
    assert not X.flags.writeable


def peak_memory_of(task):
    tracemalloc.start()
    try:
        task()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("mapped", [False, True], ids=["in memory", "mapped"])
def test_x_is_never_copied_whole(kind, mapped, tmp_path):
    shape = (40_000, 2_000 // np.dtype(kind).itemsize)  # 80 MB
    if mapped:
        np.lib.format.open_memmap(tmp_path / "X.npy", "w+", kind, shape).flush()
        X = np.load(tmp_path / "X.npy", mmap_mode="r")
    else:
        X = np.zeros(shape, kind)
    labels = np.arange(len(X)) % 2
    trainer = Trainer(hidden=(4,), max_steps=3, batch_size=32)
    trainer.fit(X[:64], labels[:64])  # compiling takes memory of its own
    peak = peak_memory_of(lambda: trainer.fit(X, labels, validation_data=(X[:10_000], labels[:10_000])))
    assert peak < X.nbytes / 3
    assert peak_memory_of(lambda: trainer.predict(X)) < X.nbytes / 3


def test_the_first_number_that_is_not_finite_is_named_in_many_rows():
    X, y = np.zeros((70_000, 64), np.float32), np.arange(70_000) % 2
    X[65_000, 3] = X[69_000, 1] = np.nan
    with pytest.raises(ValueError, match=r"NaN or infinity \(nan\) at row 65000, column 3"):
        Trainer(epochs=1).fit(X, y)
