"""From the text of an option to its value, with an error that says what is needed."""

import argparse
import math
from collections.abc import Callable


def integer(needed: str, least: int) -> Callable[[str], int]:
    """A converter to whole numbers from ``least`` on; ``needed`` completes "a whole number ..."."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"needs a whole number {needed}, got {text!r}")
        return value

    return convert


positive_integer = integer("of at least 1", 1)


def number(needed: str, is_right: Callable[[float], bool]) -> Callable[[str], float]:
    """A converter to finite numbers that are right; ``needed`` completes "a number ..."."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and is_right(value)):
            raise argparse.ArgumentTypeError(f"needs a number {needed}, got {text!r}")
        return value

    return convert


def widths_of_layers(text: str) -> tuple[int, ...]:
    """``128,64`` is (128, 64); ``none`` and the empty text are ()."""
    if text.strip().lower() in ("", "none"):
        return ()
    try:
        widths = tuple(int(width) for width in text.split(","))
    except ValueError:
        widths = (0,)
    if min(widths) < 1:
        raise argparse.ArgumentTypeError(f"needs positive whole numbers, as in 128,64, or none; got {text!r}")
    return widths


def name_or_deviation(text: str) -> str | float:
    """A name is Trainer's to judge; a number must be a standard deviation."""
    try:
        value = float(text)
    except ValueError:
        return text
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"needs he or a number above 0, got {text!r}")
    return value
