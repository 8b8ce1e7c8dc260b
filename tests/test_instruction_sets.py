"""The kernels compiled for other instruction sets of this processor than the best one."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from scripts import HERE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        platform.machine().lower() not in ("x86_64", "amd64"), reason="AVX2 and SSE are instruction sets of x86-64"
    ),
    pytest.mark.skipif("NUMBA_CPU_FEATURES" in os.environ, reason="already compiled for chosen instructions"),
]

FEATURES = {
    "avx2": "+sse2,+sse4.2,+avx,+avx2,+fma,+bmi,+bmi2,+popcnt",
    "sse": "",
}
VECTOR_BYTES = {"avx2": 32, "sse": 16}
SUITE = (
    "test_kernels.py",
    "test_softmax_nll.py",
    "test_gradients.py",
    "test_trajectories.py",
    "test_dropout_clipping.py::test_training_follows_the_formulas",
    "test_estimators_extras.py::test_activations_in_float32",
    "test_predict.py::test_one_row_is_predicted_as_by_the_oracle",
    "test_sparse.py::test_weights_that_no_minibatch_touches_for_long_decay_and_move_all_the_same",
    "test_threads.py::test_results_are_the_same_bits_for_any_number_of_threads",
)


def has_avx2():
    try:
        return "avx2" in Path("/proc/cpuinfo").read_text().split()
    except OSError:  # not Linux: every x86-64 processor since 2015
        return True


@pytest.fixture(scope="module")
def suites(tmp_path_factory):
    """The suite for each instruction set, all running at once: most of their time is compiling, one thread each."""
    names = [name for name in FEATURES if name != "avx2" or has_avx2()]
    running = {name: started(name, tmp_path_factory.mktemp(name)) for name in names}
    yield running
    for process in running.values():
        process.kill()
        process.communicate()


def started(name, cache):
    environment = {
        **os.environ,
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": FEATURES[name],
        "NUMBA_CACHE_DIR": str(cache),
    }
    check = f"from fastmlp.kernels.tile import VECTOR_BYTES; assert VECTOR_BYTES == {VECTOR_BYTES[name]}"
    subprocess.run([sys.executable, "-c", check], cwd=HERE, env=environment, check=True, timeout=60)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *SUITE]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=HERE, env=environment, **pipes)


@pytest.mark.parametrize("name", FEATURES)
def test_the_suite_passes_compiled_for(name, suites):
    if name not in suites:
        pytest.skip("this processor has no AVX2")
    output, _ = suites[name].communicate(timeout=600)
    assert suites[name].returncode == 0, output[-4000:]
