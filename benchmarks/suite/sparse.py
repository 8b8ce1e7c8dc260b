"""Speed of an epoch on sparse rows."""

from .epoch import THREADS, new_trainer
from .sparse_data import sparse_rows
from .work import SPARSE, SPARSE_DENSITY


class SparseEpoch:
    """Seconds of a fit of one epoch, 20,000 rows of 50,000 columns of which one in a thousand is not 0, 64 units."""

    params = (THREADS,)
    param_names = ("threads",)

    def setup(self, threads):
        self.X, self.y = sparse_rows(20_000, SPARSE.sizes[0], SPARSE_DENSITY)
        self.trainer = new_trainer(**SPARSE.trainer_options(), epochs=1, threads=threads)
        try:
            self.trainer.fit(self.X, self.y)
        except TypeError:
            raise NotImplementedError("takes no sparse rows") from None

    def time_epoch(self, threads):
        self.trainer.fit(self.X, self.y)
