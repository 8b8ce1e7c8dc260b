"""Rates of the kernels: the public ones on plain arrays, and the tile kernels that an epoch is made of."""

import sys
import time

from .data import ROOT, strokes
from .measure import FLOOR_UNIT, times_floor
from .tile_kernels import BATCH, TILE_KERNELS, gather_run

sys.path.append(str(ROOT / "tests"))  # the registry of kernels drives the tests and these benchmarks
from registry import DTYPES, REGISTRY, Sizes

PUBLIC = {entry.name: entry for entry in REGISTRY}
SIZES = Sizes(B=512, D=784, H=512, C=10)


class Public:
    """Seconds of a public kernel, 512 rows, 784 inputs, 512 units, 10 classes; copies into padded memory included."""

    params = (list(PUBLIC), DTYPES)
    param_names = ("kernel", "dtype")

    def setup(self, name, dtype):
        import numpy as np

        entry = PUBLIC[name]
        self.kernel = entry.kernel
        self.arguments = entry.make(np.random.default_rng(0), np.dtype(dtype), SIZES)
        self.kernel(*self.arguments)

    def time_kernel(self, name, dtype):
        self.kernel(*self.arguments)


class TileOverFloor:
    """Seconds of a tile kernel on one thread over what its multiply-adds take at the peak.

    128 rows and 784 inputs, and a panel of units as wide as a tile: the work of a member at 784-128-10, batch 128.
    """

    params = (list(TILE_KERNELS), DTYPES)
    param_names = ("kernel", "dtype")
    unit = FLOOR_UNIT

    def setup(self, name, dtype):
        import numpy as np

        self.run, self.flop = TILE_KERNELS[name](np.dtype(dtype))
        self.run(1)

    def track_kernel(self, name, dtype):
        from .peak import Peak

        peak, times = Peak(dtype, 1), max(1, round(2e9 / self.flop))

        def run():
            began = time.perf_counter()
            self.run(times)
            return (time.perf_counter() - began) / times

        return times_floor(run, self.flop, peak)


class Gather:
    """Seconds to gather 60,000 rows of 784 bytes in random order, 128 at a time, on one thread."""

    params = (DTYPES,)
    param_names = ("dtype",)

    def setup(self, dtype):
        self.run = gather_run(strokes(60_000)[0], BATCH, dtype)
        self.run()

    def time_gather(self, dtype):
        self.run()


class Levels:
    """Seconds to find out that 60,000 rows of 784 floats are bytes times a unit, and to keep them as bytes."""

    params = (DTYPES,)
    param_names = ("dtype",)

    def setup(self, dtype):
        import numpy as np

        try:
            from fastmlp.levels import in_levels
        except ImportError:
            raise NotImplementedError("floats stay as they are") from None
        self.dtype, self.in_levels = np.dtype(dtype), in_levels
        self.X = strokes(60_000)[0] / self.dtype.type(255)
        assert self.in_levels(self.X, self.dtype) is not None

    def time_levels(self, dtype):
        self.in_levels(self.X, self.dtype)
