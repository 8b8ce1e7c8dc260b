"""What fastmlp raises beyond Python's own errors."""


class FastmlpError(Exception):
    """Base of every error that only fastmlp raises."""


class DivergedError(FastmlpError, ArithmeticError, ValueError):
    """The training loss stopped being finite.

    A Trainer keeps the last finite parameters; an estimator stays as it was before ``fit``.
    """


class DataError(FastmlpError, ValueError):
    """A data set that cannot be found, downloaded or read."""


class ModelError(FastmlpError, ValueError):
    """A file that is no model, or not a whole and unaltered one."""
