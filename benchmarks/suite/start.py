"""From the start of a process: imports, and the end of a first epoch with no compiled kernels and with all of them."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

FIRST_EPOCH = """
import sys
import numpy as np
X, y = (np.load(path) for path in sys.argv[1:])
from fastmlp import Trainer
trainer = Trainer(hidden=128, batch_size=128, epochs=1, input_scale=1 / 255)
trainer.fit(X, y)
print(trainer.compile_seconds)
"""


def timeraw_import_numpy():
    return "import numpy"


def timeraw_import_fastmlp():
    return "import fastmlp"


def timeraw_import_trainer():
    return "from fastmlp import Trainer"


for function in (timeraw_import_numpy, timeraw_import_fastmlp, timeraw_import_trainer):
    function.number = 1  # a process imports once


class FirstEpoch:
    """Seconds from the start of a process to the end of its first epoch, 784-128-10, on 60,000 rows that it loads."""

    unit = "s"
    timeout = 300

    def setup_cache(self):
        """Save the rows to files: making them would take longer than the epoch."""
        import numpy as np

        from .data import strokes

        for name, array in zip(("X.npy", "y.npy"), strokes(60_000), strict=True):
            np.save(name, array)
        return [str(Path(name).resolve()) for name in ("X.npy", "y.npy")]

    def track_cold(self, files):
        with tempfile.TemporaryDirectory() as folder:
            return first_epoch(files, folder)[0]

    def track_cold_compile(self, files):
        """Of that, what the first classifier on a machine waits for its kernels."""
        with tempfile.TemporaryDirectory() as folder:
            return first_epoch(files, folder)[1]

    def track_warm(self, files):
        with tempfile.TemporaryDirectory() as folder:
            first_epoch(files, folder)
            return median(first_epoch(files, folder)[0] for _ in range(3))


def first_epoch(files: list[str], kernel_folder: str) -> tuple[float, float]:
    """Return the time of a process that trains an epoch, with compiled kernels kept in the folder, and of compiling."""
    command = [sys.executable, "-c", FIRST_EPOCH, *files]
    environment = os.environ | {"NUMBA_CACHE_DIR": kernel_folder}
    began = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return time.perf_counter() - began, float(done.stdout)
