"""Speed of prediction through 784-128-10: one row at a time from Python, and many rows at once."""

from .epoch import THREADS, ready_trainer
from .work import MNIST_128


class OneRow:
    """Seconds of 1,000 calls with one row each."""

    def setup(self):
        trainer, data = ready_trainer(MNIST_128.name, 1)
        self.predict_proba, self.row = trainer.predict_proba, data.X_test[:1]
        self.predict_proba(self.row)

    def time_1000_calls(self):
        for _ in range(1000):
            self.predict_proba(self.row)


class ManyRows:
    """Seconds of one call with 10,000 rows."""

    params = (THREADS,)
    param_names = ("threads",)

    def setup(self, threads):
        trainer, data = ready_trainer(MNIST_128.name, threads)
        self.predict_proba, self.X = trainer.predict_proba, data.X_test
        self.predict_proba(self.X)

    def time_10000_rows(self, threads):
        self.predict_proba(self.X)
