"""Speed of whole fits with the estimator, its checks and its set-up included."""

import subprocess
import sys
import warnings

from sklearn.exceptions import ConvergenceWarning

from .fits import FITS
from .sparse_data import sparse_rows
from .work import available_cpus

TINY_FITS = 100
MUSHROOMS = 6_513, 126, 22 / 126
"""Rows, columns and the share that is not 0, as agaricus has them."""


def classifier(**options):
    """Return an MLPClassifier. Raises NotImplementedError, which skips a benchmark, where a commit has none."""
    try:
        from fastmlp import MLPClassifier
    except ImportError:
        raise NotImplementedError("no MLPClassifier") from None
    return MLPClassifier(random_state=0, **options)


class Estimator:
    """Seconds of fits of an MLPClassifier."""

    timeout = 300

    def setup(self):
        warnings.simplefilter("ignore", ConvergenceWarning)  # fixed epochs end before
        self.fit_options = FITS[self.entry].estimator_options()
        self.X, self.y = self.rows()
        self.fit()

    def rows(self):
        data = FITS[self.entry].rows()
        return data.X_train, data.y_train

    def fit(self):
        return classifier(**self.fit_options).fit(self.X, self.y)


class DigitsFit(Estimator):
    """Seconds of a fit on scikit-learn's digits with all options at their defaults."""

    entry = "digits"

    def time_fit(self):
        self.fit()


class TableFit(Estimator):
    """Seconds of two epochs on a table of 100,000 rows of 20 numbers, of two hidden layers of 64 units."""

    entry = "table"

    def time_fit(self):
        self.fit()


class FitBesideOthers(Estimator):
    """Seconds of a fit of 500 rows of 20 numbers while so many other programs keep a processor busy each."""

    entry = "small table"
    others: tuple[subprocess.Popen, ...] = ()  # until setup has started them
    params = (list(range(1 + min(2, available_cpus()))),)
    param_names = ("others",)

    def setup(self, others):
        super().setup()
        self.others = tuple(subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(others))
        for _ in range(20):  # in which fastmlp may find out how many threads pay now
            self.fit()

    def teardown(self, others):
        for other in self.others:
            other.kill()
            other.wait()

    def time_fit(self, others):
        self.fit()


class TinyFits(Estimator):
    """Seconds of 100 fits of 20 epochs on 200 rows of 10 numbers, 16 units: what a fit takes beside its epochs."""

    entry = "tiny"

    def time_fits(self):
        for _ in range(TINY_FITS):
            self.fit()


class SparseFit(Estimator):
    """Seconds of a fit of 10 epochs on sparse rows as agaricus has them, 64 units."""

    entry = "agaricus"

    def rows(self):
        return sparse_rows(*MUSHROOMS)

    def time_fit(self):
        self.fit()
