"""Small IDX files to test with, and where the real MNIST files lie, if they do."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from fastmlp.data.idx import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MNIST = SHARED_DATA / "mnist"
needs_mnist = pytest.mark.skipif(not MNIST.is_dir(), reason="needs the MNIST files in ../shared/data/mnist")
needs_penguins = pytest.mark.skipif(
    not (SHARED_DATA / "penguins.csv").is_file(), reason="needs penguins.csv in ../shared/data"
)
needs_agaricus = pytest.mark.skipif(
    not (SHARED_DATA / "agaricus").is_dir(), reason="needs the agaricus files in ../shared/data"
)


def idx_bytes(values):
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return header + values.astype(np.uint8).tobytes()


def some_bytes(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def write_folder(folder, *, ending=".gz", replaced=()):
    """Four small files of an MNIST-like data set; ``replaced`` maps names to other arrays."""
    arrays = {
        TRAIN_IMAGES: some_bytes(7, 4, 3),
        TRAIN_LABELS: some_bytes(7),
        TEST_IMAGES: some_bytes(5, 4, 3),
        TEST_LABELS: some_bytes(5),
    } | dict(replaced)
    folder.mkdir(exist_ok=True)
    for name, values in arrays.items():
        content = idx_bytes(values)
        (folder / f"{name}{ending}").write_bytes(gzip.compress(content) if ending == ".gz" else content)
    return arrays
