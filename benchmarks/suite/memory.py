"""Peak memory of a process that trains and validates on as many rows as MNIST has."""

from pathlib import Path


class Memory:
    """Bytes at the peak, 784-128-10: 47 MB are training rows, 8 MB test rows, the rest is the interpreter and us."""

    timeout = 300

    def setup_cache(self):
        """Save the rows to files: making them takes more memory than training on them."""
        import numpy as np

        from .data import load_stand_in
        from .work import MNIST_128

        data = load_stand_in(MNIST_128)
        for name in FILES:
            np.save(f"{name}.npy", getattr(data, name))
        return str(Path.cwd())

    def peakmem_fit_with_validation(self, folder):
        import numpy as np

        from fastmlp import Trainer

        X, y, X_test, y_test = (np.load(Path(folder) / f"{name}.npy") for name in FILES)
        Trainer(hidden=128, batch_size=128, epochs=2, input_scale=1 / 255).fit(X, y, (X_test, y_test))


FILES = ("X_train", "y_train", "X_test", "y_test")
