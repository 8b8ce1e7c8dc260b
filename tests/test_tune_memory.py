"""Trials that run at the same time share their rows: memory of processes that do nothing else."""

import json
import sys

import pytest
from scripts import run

pytest.importorskip("optuna", reason='searches need Optuna: pip install "fastmlp[tune]"')
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status as Linux has it")

# as much as MNIST: 47 MB of pixels, of which eight copies would be 376 MB
SEARCH = """
import json, sys
import numpy as np
import fastmlp
random = np.random.default_rng(0)
X, y = random.integers(0, 256, (60_000, 784), np.uint8), random.integers(0, 10, 60_000)
options = {{"hidden": (128,), "batch_size": 128, "epochs": 1}}
fastmlp.tune((X[:500], y[:500]), trials=1, **options)
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the most memory so far is forgotten: compiling takes more than training
found = fastmlp.tune((X, y), trials={jobs}, jobs={jobs}, **options)
with open("/proc/self/status") as file:
    peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
json.dump({{"trials": len(found.trials), "peak_mb": peak / 1024}}, sys.stdout)
"""


def measured(jobs):
    result = json.loads(run(SEARCH.format(jobs=jobs))[0])
    assert result["trials"] == jobs
    return result["peak_mb"]


def test_eight_trials_at_once_take_at_most_100_MB_more_than_one():
    one, eight = measured(1), measured(8)
    assert eight - one < 100
    assert one > 47  # the rows were there
