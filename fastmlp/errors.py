"""What fastmlp raises beyond Python's own errors."""


class FastmlpError(Exception):
    """Base of every error that only fastmlp raises."""


class DivergedError(FastmlpError, ArithmeticError):
    """The training loss stopped being finite; the last finite parameters are kept."""


class DataError(FastmlpError, ValueError):
    """A data set that cannot be found, downloaded or read."""
