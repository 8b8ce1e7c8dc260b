"""Reading IDX files: what is read, and that nothing damaged or foreign is."""

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from idx_files import MNIST, idx_bytes, needs_mnist, some_bytes, write_folder
from numpy.testing import assert_array_equal

from fastmlp import DataError
from fastmlp.data import load
from fastmlp.data.idx import NAMES, TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, read_idx


@given(shape=st.lists(st.integers(0, 5), min_size=1, max_size=4), is_gzipped=st.booleans())
def test_what_was_written_is_read(tmp_path_factory, shape, is_gzipped):
    values = some_bytes(*shape)
    # The content says whether it is gzipped, not the name.
    path = tmp_path_factory.mktemp("idx") / "values"
    path.write_bytes(gzip.compress(idx_bytes(values)) if is_gzipped else idx_bytes(values))
    result = read_idx(path)
    assert result.dtype == np.uint8
    assert_array_equal(result, values)


def test_a_file_larger_than_one_piece_is_read(tmp_path):
    values = some_bytes(3, 1 << 19)
    path = tmp_path / "values.gz"
    path.write_bytes(gzip.compress(idx_bytes(values), compresslevel=1))
    assert_array_equal(read_idx(path), values)


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_a_file_cut_off_anywhere_is_refused(tmp_path, compress):
    content = compress(idx_bytes(some_bytes(4, 3, 2)))
    path = tmp_path / "cut"
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"cut is (truncated|damaged|not an IDX file)"):
            read_idx(path)


@pytest.mark.parametrize("position", [-1, -6, 14], ids=["length", "checksum", "data"])
def test_a_gzip_file_with_a_wrong_byte_is_refused(tmp_path, position):
    content = bytearray(gzip.compress(idx_bytes(some_bytes(40))))
    content[position] ^= 0xFF
    path = tmp_path / "wrong.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"wrong\.gz"):
        read_idx(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is not an IDX file: it starts with the bytes \(none\)"),
        (b"<html><body>403", "is not an IDX file: it starts with the bytes 3c 68 74 6d"),
        (b"\x89PNG\r\n\x1a\n", "is not an IDX file"),
        (b"\0\0\x08\0", "is not an IDX file"),
        (b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", "IDX type 0x0d; only unsigned bytes"),
        (idx_bytes(some_bytes(3)) + b"!", "is longer than the 3 bytes"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "more than memory can hold"),
        (b"\0\0\x08\x03\0\0\0\x07", "ends within its header"),
    ],
)
def test_foreign_files_are_refused(tmp_path, content, message):
    path = tmp_path / "foreign"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(path)


def test_a_file_that_cannot_be_opened_is_an_error_in_one_line(tmp_path):
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(DataError, match=r"cannot be read: [^\n]+$"):
            read_idx(path)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("dotted", [False, True])
def test_a_folder_is_a_data_set(tmp_path, ending, dotted):
    folder = tmp_path / "letters"
    arrays = write_folder(folder, ending=ending)
    if dotted:
        for path in list(folder.iterdir()):
            path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    data = load(folder)
    assert data.name == "letters"
    assert data.input_scale == 1 / 255
    assert_array_equal(data.X_train, arrays[TRAIN_IMAGES].reshape(7, 12))
    assert_array_equal(data.y_train, arrays[TRAIN_LABELS])
    assert_array_equal(data.X_test, arrays[TEST_IMAGES].reshape(5, 12))
    assert_array_equal(data.y_test, arrays[TEST_LABELS])
    assert data.X_train.dtype == data.X_test.dtype == np.uint8
    assert data.X_train.flags.c_contiguous


def test_missing_files_are_named(tmp_path):
    write_folder(tmp_path)
    (tmp_path / f"{TEST_LABELS}.gz").unlink()
    with pytest.raises(DataError, match=f"lacks {TEST_LABELS} "):
        load(tmp_path)


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({TRAIN_LABELS: some_bytes(6)}, r"7 training images need as many labels, got labels of shape \(6,\)"),
        ({TEST_LABELS: some_bytes(5, 1)}, r"5 test images need as many labels, got labels of shape \(5, 1\)"),
        ({TEST_IMAGES: some_bytes(5, 4, 4)}, "training images have 12 pixels, test images 16"),
        ({TRAIN_IMAGES: some_bytes(0, 4, 3), TRAIN_LABELS: some_bytes(0)}, r"have shape \(0, 4, 3\)"),
        ({TEST_IMAGES: some_bytes(5)}, r"the test images have shape \(5,\)"),
    ],
)
def test_files_that_do_not_fit_together_are_refused(tmp_path, replaced, message):
    write_folder(tmp_path, replaced=replaced)
    with pytest.raises(DataError, match=message):
        load(tmp_path)


@needs_mnist
def test_real_mnist():
    data = load(MNIST)
    assert {name: (MNIST / f"{name}.gz").is_file() for name in NAMES} == dict.fromkeys(NAMES, True)
    assert data.X_train.shape == (60000, 784)
    assert data.X_test.shape == (10000, 784)
    assert_array_equal(np.bincount(data.y_test), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009])
    assert_array_equal(data.y_train[:10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4])
    assert data.X_train.mean() == pytest.approx(255 * 0.1307, rel=1e-3)  # the mean that is quoted for MNIST
