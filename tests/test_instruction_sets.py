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
    "test_predict.py::test_one_row_is_predicted_as_by_the_oracle",
    "test_sparse.py::test_weights_that_no_minibatch_touches_for_long_decay_and_move_all_the_same",
    "test_threads.py::test_results_are_the_same_bits_for_any_number_of_threads",
)


def has_avx2():
    try:
        return "avx2" in Path("/proc/cpuinfo").read_text().split()
    except OSError:  # not Linux: every x86-64 processor since 2015
        return True


@pytest.mark.parametrize("name", FEATURES)
def test_the_suite_passes_compiled_for(name, tmp_path):
    if name == "avx2" and not has_avx2():
        pytest.skip("this processor has no AVX2")
    environment = {
        **os.environ,
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": FEATURES[name],
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    check = f"from fastmlp.kernels.tile import VECTOR_BYTES; assert VECTOR_BYTES == {VECTOR_BYTES[name]}"
    subprocess.run([sys.executable, "-c", check], cwd=HERE, env=environment, check=True, timeout=60)
    once = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    command = [*once, *SUITE]
    result = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout[-4000:]
