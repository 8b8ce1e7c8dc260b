"""Compiled kernels on disk: found again, never stale, and not needed."""

import os
import shutil
from pathlib import Path

import pytest
from scripts import finish, run, start

import fastmlp
from fastmlp import kernels

COMPILING = "compiling kernels"
UNWRITABLE = "/dev/null/nowhere"  # a path below a file: closed even to the superuser
FIT = """
import hashlib
import numpy as np
from fastmlp import Trainer

X = np.arange(48.0).reshape(12, 4) % 7
trainer = Trainer(hidden=(5,), epochs=2, batch_size=5, learning_rate=0.01, threads=1)
trainer.fit(X, np.arange(12) % 3)
print(hashlib.sha256(b"".join(value.tobytes() for value in trainer.parameters.values())).hexdigest())
"""
KERNELS = """
import numpy as np
from fastmlp.kernels import matmul_bias, relu

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
print(relu(matmul_bias(X, X.T.copy(), X[:, 0])).tobytes().hex())
"""
RELU = """
import numpy as np
from fastmlp.kernels import relu
print(*relu(np.array([-1.0, 2.0])))
"""


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A cache folder that a first process has filled, and what that process printed."""
    folder = tmp_path_factory.mktemp("cache")
    return folder, *run(FIT, NUMBA_CACHE_DIR=folder)


def files_below(folder):
    return {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*") if path.is_file()}


def test_a_second_process_finds_what_the_first_compiled(compiled):
    folder, digest, log = compiled
    assert COMPILING in log
    before = files_below(folder)
    assert run(FIT, NUMBA_CACHE_DIR=folder) == (digest, "")
    assert files_below(folder) == before


def test_caches_lie_under_the_home_folder_by_default(tmp_path):
    environment = {"HOME": tmp_path, "XDG_CACHE_HOME": None, "NUMBA_CACHE_DIR": None}
    assert COMPILING in run(RELU, **environment)[1]
    assert files_below(tmp_path)
    assert run(RELU, **environment) == ("0.0 2.0\n", "")


@pytest.mark.parametrize("content", [b"", b"half", None], ids=["empty", "garbage", "truncated"])
def test_a_broken_file_is_compiled_anew_and_replaced(tmp_path, content):
    run(RELU, NUMBA_CACHE_DIR=tmp_path)
    before = files_below(tmp_path)
    for path in before:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if content is None else content)
    output, log = run(RELU, NUMBA_CACHE_DIR=tmp_path)
    assert output == "0.0 2.0\n"
    assert COMPILING in log
    assert files_below(tmp_path).keys() == before.keys()
    assert run(RELU, NUMBA_CACHE_DIR=tmp_path) == ("0.0 2.0\n", "")


@pytest.fixture
def copied_package(tmp_path):
    """A copy of fastmlp to edit, and an environment that imports it."""
    site = tmp_path / "site"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(fastmlp.__file__).parent, site / "fastmlp", ignore=ignore)
    shutil.copytree(Path(kernels.__file__).parent, site / "fastmlp/kernels", ignore=ignore, dirs_exist_ok=True)
    return site, {"cwd": site, "PYTHONPATH": site, "NUMBA_CACHE_DIR": tmp_path / "cache"}


def replace(path, old, new):
    source = path.read_text()
    assert old in source
    path.write_text(source.replace(old, new))


def test_an_edited_kernel_is_never_stale(copied_package):
    site, environment = copied_package
    assert run(RELU, **environment)[0] == "0.0 2.0\n"
    assert run(RELU, **environment) == ("0.0 2.0\n", "")
    # the kernel that runs stands in another file than the one that calls it
    replace(site / "fastmlp/kernels/activation.py", "max(z, 0.0)", "max(z, 0.25)")
    output, log = run(RELU, **environment)
    assert output == "0.25 2.0\n"
    assert COMPILING in log
    # back again: the first file is still good
    replace(site / "fastmlp/kernels/activation.py", "max(z, 0.25)", "max(z, 0.0)")
    assert run(RELU, **environment) == ("0.0 2.0\n", "")


def test_a_cache_serves_a_package_that_moved(copied_package):
    site, environment = copied_package
    run(RELU, **environment)
    moved = site.rename(site.parent / "moved")
    assert run(RELU, **{**environment, "cwd": moved, "PYTHONPATH": moved}) == ("0.0 2.0\n", "")


NOWHERE_TO_WRITE = {
    "no such cache folder": {"NUMBA_CACHE_DIR": UNWRITABLE},
    "no home folder": {"HOME": None, "XDG_CACHE_HOME": UNWRITABLE, "NUMBA_CACHE_DIR": None},
    "a home folder that cannot be written": {"HOME": UNWRITABLE, "XDG_CACHE_HOME": None, "NUMBA_CACHE_DIR": None},
}


@pytest.mark.skipif(os.name != "posix", reason="paths below /dev/null")
@pytest.mark.parametrize("environment", NOWHERE_TO_WRITE.values(), ids=NOWHERE_TO_WRITE.keys())
def test_without_a_place_to_write_kernels_are_compiled_in_memory(environment):
    output, log = run(RELU, **environment)
    assert output == "0.0 2.0\n"
    assert COMPILING in log
    assert "in memory only" in log


@pytest.mark.slow
def test_sixteen_processes_that_start_cold_at_once_agree(tmp_path):
    processes = [start(KERNELS, NUMBA_CACHE_DIR=tmp_path) for _ in range(16)]
    outputs = {finish(process)[0] for process in processes}
    assert len(outputs) == 1
    assert run(KERNELS, NUMBA_CACHE_DIR=tmp_path) == (outputs.pop(), "")
    assert not [path for path in files_below(tmp_path) if path.suffix != ".bin"]  # nothing half written is left
