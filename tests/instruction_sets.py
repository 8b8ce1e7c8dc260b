"""The suite compiled for other instruction sets of this processor than the one it is compiled for anyway."""

import os
import platform
import subprocess
import sys
from pathlib import Path

from scripts import HERE

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
    "test_lone.py",
    "test_dropout_clipping.py::test_training_follows_the_formulas",
    "test_estimators_extras.py::test_activations_in_float32",
    "test_predict.py::test_one_row_is_predicted_as_by_the_oracle",
    "test_sparse.py::test_weights_that_no_minibatch_touches_for_long_decay_and_move_all_the_same",
    "test_threads.py::test_results_are_the_same_bits_for_any_number_of_threads",
)


def why_not(name):
    """Return why the suite need not, or cannot, be compiled for an instruction set, or nothing."""
    from fastmlp.kernels import shape

    if platform.machine().lower() not in ("x86_64", "amd64"):
        return "AVX2 and SSE are instruction sets of x86-64"
    if "NUMBA_CPU_FEATURES" in os.environ:
        return "already compiled for chosen instructions"
    if VECTOR_BYTES[name] == shape.VECTOR_BYTES:
        return f"{name} is what all tests are compiled for on this processor"
    return "this processor has no AVX2" if name == "avx2" and not _has_avx2() else ""


def _has_avx2():
    try:
        return "avx2" in Path("/proc/cpuinfo").read_text().split()
    except OSError:  # not Linux: every x86-64 processor since 2015
        return True


def started(name, cache):
    """Start the suite for an instruction set, its kernels to be kept in a folder of their own."""
    environment = {
        **os.environ,
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": FEATURES[name],
        "NUMBA_CACHE_DIR": str(cache),
    }
    check = f"from fastmlp.kernels.shape import VECTOR_BYTES; assert VECTOR_BYTES == {VECTOR_BYTES[name]}"
    subprocess.run([sys.executable, "-c", check], cwd=HERE, env=environment, check=True, timeout=60)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *SUITE]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=HERE, env=environment, **pipes)
