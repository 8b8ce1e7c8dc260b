"""Numbers that are levels: 0 to 255 times a unit, as pixels and counts are, whatever they were scaled by."""

import numpy as np

from fastmlp.kernels.jit import entry

MOST = 255


@entry
def write_levels(numbers, unit, tolerance, levels):
    """``levels[n] = numbers[n] / unit``, to the nearest; tell whether ``levels[n] unit`` are the numbers.

    numbers: (n,) float32 or float64, finite; levels: (n,) uint8; unit: above 0; tolerance: as a share of a number
    """
    kind = numbers.dtype.type
    factor, unit, tolerance, most = kind(1 / unit), kind(unit), kind(tolerance), kind(MOST)
    wrong = 0
    for n in range(numbers.size):
        number = numbers[n]
        level = np.rint(number * factor)
        wrong |= not (level <= most and abs(level * unit - number) <= tolerance * number)
        levels[n] = np.uint8(np.int32(max(min(level, most), kind(0))))
    return wrong == 0
